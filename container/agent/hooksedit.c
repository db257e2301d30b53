#include <config.h>

#include "hooksedit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsontext.h"

static const char *const phases[] = {"createRuntime", "poststop"};

#define PHASES (sizeof(phases) / sizeof(phases[0]))
#define ENTRY_SIZE 1024

/* text[from] to text[to - 1] give way to this. In the order of their place. */
struct edit {
	size_t from, to;
	char text[2 * ENTRY_SIZE + 64];
};

struct plan {
	const char *text;
	const char *hook, *timeout;
	struct jsontext_span top, hooks;
	struct edit edits[PHASES];
	size_t nedits;
};

/* Where a path has what JSON would want escaped we do not go. */
static bool is_plain(const char *path)
{
	for (; *path != '\0'; path++) {
		if (*path == '"' || *path == '\\' || (unsigned char)*path < 0x20)
			return false;
	}
	return true;
}

static int write_entry(const struct plan *plan, const char *phase, char out[ENTRY_SIZE])
{
	bool timed = plan->timeout != NULL;

	return snprintf(out, ENTRY_SIZE, "{\"path\":\"%s\",\"args\":[\"callsign-hook\",\"%s\"%s%s%s]}", plan->hook, phase, timed ? ",\"" : "",
	                timed ? plan->timeout : "", timed ? "\"" : "");
}

static bool is_empty(const struct plan *plan, const struct jsontext_span *container)
{
	struct jsontext_member member;
	size_t at = 0;

	return !jsontext_next(plan->text, container, &at, &member);
}

static bool is_null(const struct plan *plan, const struct jsontext_span *span)
{
	return plan->text[span->from] == 'n';
}

/* Before the bracket that closes it: its last entry keeps its place. */
static void append(struct plan *plan, const struct jsontext_span *container, const char *key, const char *entry)
{
	struct edit *edit = &plan->edits[plan->nedits++];
	size_t used = 0;

	edit->from = edit->to = container->to - 1;
	if (!is_empty(plan, container))
		edit->text[used++] = ',';
	snprintf(edit->text + used, sizeof(edit->text) - used, "%s%s", key, entry);
}

static void replace(struct plan *plan, const struct jsontext_span *span, const char *entry)
{
	struct edit *edit = &plan->edits[plan->nedits++];

	edit->from = span->from;
	edit->to = span->to;
	snprintf(edit->text, sizeof(edit->text), "[%s]", entry);
}

static bool has_hook(const struct plan *plan, const struct jsontext_span *list)
{
	struct jsontext_member entry;
	struct jsontext_span path;
	size_t at = 0;

	while (jsontext_next(plan->text, list, &at, &entry)) {
		if (jsontext_find(plan->text, &entry.value, "path", &path) == 1 && jsontext_is(plan->text, &path, plan->hook))
			return true;
	}
	return false;
}

/* 1: planned, 0: it is there, -1: not understood. A phase that is missing is added to the object, all of them by one edit. */
static int plan_phase(struct plan *plan, const char *phase, char *missing, size_t size)
{
	struct jsontext_span list;
	char entry[ENTRY_SIZE];
	size_t used = strlen(missing);

	if (write_entry(plan, phase, entry) >= ENTRY_SIZE)
		return -1;
	switch (jsontext_find(plan->text, &plan->hooks, phase, &list)) {
	case 0:
		snprintf(missing + used, size - used, "%s\"%s\":[%s]", used > 0 ? "," : "", phase, entry);
		return 1;
	case 1:
		break;
	default:
		return -1;
	}
	if (is_null(plan, &list)) {
		replace(plan, &list, entry);
		return 1;
	}
	if (plan->text[list.from] != '[')
		return -1;
	if (has_hook(plan, &list))
		return 0;
	append(plan, &list, "", entry);
	return 1;
}

static int compare_edits(const void *a, const void *b)
{
	const struct edit *first = a, *second = b;

	return (first->from > second->from) - (first->from < second->from);
}

static const char *plan_hooks(struct plan *plan, bool *there)
{
	char missing[2 * ENTRY_SIZE + 32] = "";
	int planned = 0;

	for (size_t i = 0; i < PHASES; i++) {
		int result = plan_phase(plan, phases[i], missing, sizeof(missing));

		if (result == -1)
			return "hooks are not as the specification has them";
		planned += result;
	}
	*there = planned == 0;
	if (missing[0] != '\0')
		append(plan, &plan->hooks, "", missing);
	qsort(plan->edits, plan->nedits, sizeof(plan->edits[0]), compare_edits);
	return NULL;
}

static void plan_whole(struct plan *plan, const struct jsontext_span *null)
{
	char entries[PHASES][ENTRY_SIZE], all[2 * ENTRY_SIZE + 48];

	for (size_t i = 0; i < PHASES; i++)
		write_entry(plan, phases[i], entries[i]);
	snprintf(all, sizeof(all), "{\"%s\":[%s],\"%s\":[%s]}", phases[0], entries[0], phases[1], entries[1]);
	if (null == NULL) {
		append(plan, &plan->top, "\"hooks\":", all);
		return;
	}
	plan->edits[0].from = null->from;
	plan->edits[0].to = null->to;
	snprintf(plan->edits[0].text, sizeof(plan->edits[0].text), "%s", all);
	plan->nedits = 1;
}

static const char *make_plan(struct plan *plan, size_t length, bool *there)
{
	char entry[ENTRY_SIZE];

	*there = false;
	if (!is_plain(plan->hook) || write_entry(plan, phases[0], entry) >= ENTRY_SIZE)
		return "the hook's own path is too odd";
	if (!jsontext_read(plan->text, length, &plan->top) || plan->text[plan->top.from] != '{')
		return "not a JSON object";
	switch (jsontext_find(plan->text, &plan->top, "hooks", &plan->hooks)) {
	case 0:
		plan_whole(plan, NULL);
		return NULL;
	case 1:
		break;
	default:
		return "it has hooks twice";
	}
	if (is_null(plan, &plan->hooks)) {
		plan_whole(plan, &plan->hooks);
		return NULL;
	}
	return plan->text[plan->hooks.from] == '{' ? plan_hooks(plan, there) : "hooks are not an object";
}

static char *apply(const struct plan *plan, size_t length, size_t *out_length)
{
	char *out = malloc(length + PHASES * sizeof(plan->edits[0].text)), *at = out;
	size_t from = 0;

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < plan->nedits; i++) {
		const struct edit *edit = &plan->edits[i];
		size_t added = strlen(edit->text);

		memcpy(at, plan->text + from, edit->from - from);
		at += edit->from - from;
		memcpy(at, edit->text, added);
		at += added;
		from = edit->to;
	}
	memcpy(at, plan->text + from, length - from);
	*out_length = (size_t)(at - out) + length - from;
	return out;
}

enum hooksedit_result hooksedit_add(const char *text, size_t length, const char *hook, const char *timeout, char **out, size_t *out_length,
                                    const char **why)
{
	struct plan plan = {.text = text, .hook = hook, .timeout = timeout};
	bool there;

	*why = make_plan(&plan, length, &there);
	if (*why != NULL)
		return HOOKSEDIT_UNKNOWN;
	if (there)
		return HOOKSEDIT_THERE;
	*out = apply(&plan, length, out_length);
	return *out != NULL ? HOOKSEDIT_ADDED : HOOKSEDIT_MEMORY;
}
