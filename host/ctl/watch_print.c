#include <config.h>

#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "shared/log.h"
#include "table.h"

#define RECENT_MS 3000 /* a row is marked for so long after a change */

static const char *const sorts[WATCH_SORTS] = {
	[WATCH_BY_NAME] = "name",
	[WATCH_BY_AGE] = "age",
	[WATCH_BY_STATE] = "state",
	[WATCH_BY_CHANGES] = "changes",
};

static const char *const states[] = {"confirmed", "unconfirmed", "lost", "waiting", "forbidden"};

int watch_sort_parse(const char *text, enum watch_sort *sort)
{
	int i;

	for (i = 0; i < WATCH_SORTS; i++) {
		if (strcmp(text, sorts[i]) == 0) {
			*sort = (enum watch_sort)i;
			return 0;
		}
	}
	return -1;
}

const char *watch_sort_name(enum watch_sort sort)
{
	return sorts[sort];
}

/* The next word of a comma-separated list; *list moves on. false: none is left. */
static bool next_word(const char **list, const char **word, size_t *length)
{
	if (**list == '\0')
		return false;
	*word = *list;
	*length = strcspn(*list, ",");
	*list += *length + ((*list)[*length] == ',');
	return true;
}

static bool word_is(const char *word, size_t length, const char *text)
{
	return strlen(text) == length && memcmp(word, text, length) == 0;
}

bool watch_states_valid(const char *list)
{
	const char *word;
	size_t length, i;

	if (*list == '\0')
		return false;
	while (next_word(&list, &word, &length)) {
		for (i = 0; i < sizeof states / sizeof *states && !word_is(word, length, states[i]); i++)
			;
		if (i == sizeof states / sizeof *states)
			return false;
	}
	return true;
}

bool watch_shows(const struct watch_options *options, const struct model_row *row)
{
	const char *list = options->states, *word;
	size_t length;

	if (list == NULL)
		return true;
	while (next_word(&list, &word, &length)) {
		if (word_is(word, length, row->state))
			return true;
	}
	return false;
}

/* ---- the table ---- */

static const struct table_column columns[] = {
	{.title = " ", .least = 1},
	{.title = "NAME", .least = 12},
	{.title = "STATE", .least = 11, .priority = 9, .tone = true},
	{.title = "AGE", .least = 10, .priority = 8, .right = true},
	{.title = "CHANGES", .least = 7, .priority = 7, .right = true},
	{.title = "ADDRESSES", .least = 15, .priority = 6},
	{.title = "ALIASES", .least = 7, .priority = 4},
	{.title = "USER", .least = 8, .priority = 5},
};

#define COLUMNS (sizeof columns / sizeof *columns)

struct sorted {
	const struct watch_options *options;
	const struct model_row **rows;
	size_t count;
};

static bool collect(void *arg, const struct model_row *row)
{
	struct sorted *sorted = arg;

	if (watch_shows(sorted->options, row))
		sorted->rows[sorted->count++] = row;
	return true;
}

static size_t state_rank(const char *state)
{
	size_t i = sizeof states / sizeof *states;

	/* What is wrong comes first. */
	while (i > 0 && strcmp(states[i - 1], state) != 0)
		i--;
	return sizeof states / sizeof *states - i;
}

static int compare(const void *one, const void *other, void *arg)
{
	const struct model_row *a = *(const struct model_row *const *)one, *b = *(const struct model_row *const *)other;
	const struct watch_options *options = arg;
	int order = 0;

	if (options->sort == WATCH_BY_AGE)
		order = (a->since_ms < b->since_ms) - (a->since_ms > b->since_ms);
	else if (options->sort == WATCH_BY_STATE)
		order = (state_rank(a->state) > state_rank(b->state)) - (state_rank(a->state) < state_rank(b->state));
	else if (options->sort == WATCH_BY_CHANGES)
		order = (a->changes < b->changes) - (a->changes > b->changes);
	if (order == 0)
		order = strcmp(a->name, b->name);
	return order != 0 ? order : strcmp(a->instance, b->instance);
}

static int add_row(struct table *table, const struct model_row *row, int64_t now_ms)
{
	char age[32], changes[16];
	bool recent = row->changed_ms != 0 && now_ms - row->changed_ms < RECENT_MS;
	const char *cells[COLUMNS] = {
		recent ? "*" : " ",
		row->name,
		row->state,
		entry_age((double)(now_ms - row->since_ms) / 1000, age, sizeof age),
		changes,
		row->addresses,
		row->aliases,
		row->user,
	};

	snprintf(changes, sizeof changes, "%u", row->changes);
	return table_add(table, entry_tone(row->state), cells);
}

static void print_head(FILE *out, const struct model *model, const struct watch_options *options, size_t shown, unsigned width,
                       const char *eol)
{
	const struct model_daemon *daemon = model_daemon(model);
	char line[256], safe[256];
	int length = snprintf(line, sizeof line, "%zu of %zu names, by %s", shown, model_count(model), watch_sort_name(options->sort));

	if (daemon->broker[0] != '\0')
		snprintf(line + length, sizeof line - (size_t)length, "; broker %s%s, resync %s", daemon->broker,
		         daemon->blocked ? " but in alarm" : "", daemon->resync);
	fprintf(out, "%.*s%s", (int)width, log_phrase(safe, sizeof safe, line, strlen(line)), eol);
}

void watch_print_table(FILE *out, const struct model *model, const struct watch_options *options, unsigned width, unsigned lines,
                       int64_t now_ms, const char *eol)
{
	struct sorted sorted = {.options = options, .rows = calloc(model_count(model) + 1, sizeof *sorted.rows)};
	struct table *table = table_new(columns, COLUMNS);
	/* Two lines of heads, and the last one stays free: a newline there would scroll. */
	size_t room = lines > 3 ? lines - 3 : 1, i;

	if (sorted.rows != NULL && table != NULL) {
		model_each(model, collect, &sorted);
		qsort_r(sorted.rows, sorted.count, sizeof *sorted.rows, compare, (void *)options);
		for (i = 0; i < sorted.count && i < room; i++)
			add_row(table, sorted.rows[i], now_ms);
		print_head(out, model, options, sorted.count, width, eol);
		table_print(table, out, width, options->colour, 0, room, eol);
		if (sorted.count > room)
			fprintf(out, "%.*s", (int)width, "more than fit here");
	}
	table_free(table);
	free(sorted.rows);
}

/* ---- lines ---- */

static void print_value(FILE *out, const char *key, const char *value)
{
	char safe[1024];

	fprintf(out, " %s=%s", key, log_safe(safe, sizeof safe, value, strlen(value)));
}

void watch_print_event(FILE *out, enum model_change change, const struct model_row *row, const char *why, const char *time)
{
	static const char *const words[] = {
		[MODEL_IS] = "is",
		[MODEL_CAME] = "came",
		[MODEL_CHANGED] = "changed",
		[MODEL_WENT] = "went",
	};
	char safe[256];

	fprintf(out, "%s %s", time, words[change]);
	print_value(out, "name", row->name);
	if (change == MODEL_WENT) {
		fprintf(out, " why=\"%s\"", log_phrase(safe, sizeof safe, why, strlen(why)));
	} else {
		print_value(out, "state", row->state);
		print_value(out, "addresses", row->addresses);
		print_value(out, "aliases", row->aliases);
	}
	print_value(out, "user", row->user);
	print_value(out, "instance", row->instance);
	fputc('\n', out);
}
