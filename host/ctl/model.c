#include <config.h>

#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "entry.h"

#define JOINED_MAX 8192

struct kept {
	struct model_row row;
	UT_hash_handle hh;
};

struct model {
	model_watch *watch;
	void *arg;
	struct kept *rows;
	bool live, listing, lagged;
	uint64_t generation, served;
	struct model_daemon daemon;
};

struct model *model_new(model_watch *watch, void *arg)
{
	struct model *model = calloc(1, sizeof *model);

	if (model == NULL)
		return NULL;
	model->watch = watch;
	model->arg = arg;
	return model;
}

static void model_tell(const struct model *model, enum model_change change, const struct model_row *row, const char *why)
{
	if (model->watch != NULL)
		model->watch(model->arg, change, row, why);
}

/* ---- rows ---- */

static void row_clear(struct model_row *row)
{
	free(row->name);
	free(row->fqdn);
	free(row->state);
	free(row->user);
	free(row->addresses);
	free(row->aliases);
	json_decref(row->fqdns);
}

static char *joined(const json_t *array)
{
	char text[JOINED_MAX];

	return strdup(entry_join(array, text, sizeof text));
}

/* 0, or -1: no memory. Counters are left as they are. */
static int row_read(struct model_row *row, const json_t *entry, int64_t now_ms)
{
	snprintf(row->instance, sizeof row->instance, "%s", entry_text(entry, "instance"));
	row->name = strdup(entry_text(entry, "name"));
	row->fqdn = strdup(entry_text(entry, "fqdn"));
	row->state = strdup(entry_text(entry, "state"));
	row->user = strdup(entry_text(entry, "user"));
	row->addresses = joined(json_object_get(entry, "addresses"));
	row->aliases = joined(json_object_get(entry, "aliases"));
	row->fqdns = json_incref(json_object_get(entry, "fqdns"));
	row->name_served = json_is_true(json_object_get(entry, "name_served"));
	row->since_ms = now_ms - (int64_t)(entry_number(entry, "since_age_s", 0) * 1000);
	return row->name != NULL && row->fqdn != NULL && row->state != NULL && row->user != NULL && row->addresses != NULL &&
	       row->aliases != NULL ? 0 : -1;
}

static bool row_same(const struct model_row *a, const struct model_row *b)
{
	return strcmp(a->state, b->state) == 0 && strcmp(a->addresses, b->addresses) == 0 && strcmp(a->aliases, b->aliases) == 0 &&
	       a->name_served == b->name_served && (a->fqdns == b->fqdns || json_equal(a->fqdns, b->fqdns));
}

static int model_add(struct model *model, struct model_row *row, int64_t now_ms)
{
	struct kept *kept = calloc(1, sizeof *kept);
	bool first = model->listing && !model->live;

	if (kept == NULL)
		return -1;
	kept->row = *row;
	kept->row.changes = first ? 0 : 1;
	kept->row.changed_ms = first ? 0 : now_ms;
	HASH_ADD_STR(model->rows, row.instance, kept);
	model_tell(model, first ? MODEL_IS : MODEL_CAME, &kept->row, "");
	return 0;
}

static void model_replace(struct model *model, struct kept *kept, struct model_row *row, int64_t now_ms)
{
	bool same = row_same(&kept->row, row);

	row->changes = kept->row.changes + !same;
	row->changed_ms = same ? kept->row.changed_ms : now_ms;
	row_clear(&kept->row);
	kept->row = *row;
	if (!same)
		model_tell(model, MODEL_CHANGED, &kept->row, "");
}

static void model_drop(struct model *model, struct kept *kept, const char *why)
{
	model_tell(model, MODEL_WENT, &kept->row, why);
	HASH_DEL(model->rows, kept);
	row_clear(&kept->row);
	free(kept);
}

/* ---- events ---- */

/* Only by what concerns us: where others come and go all the time, the newest generation of all is never quite served. */
static void model_date(struct model *model, const json_t *line)
{
	uint64_t generation = (uint64_t)json_integer_value(json_object_get(line, "generation"));

	if (generation > model->generation)
		model->generation = generation;
}

static int take_entry(struct model *model, const json_t *line, int64_t now_ms)
{
	const json_t *entry = json_object_get(line, "entry");
	struct model_row row = {.seen = true};
	struct kept *kept;

	if (!json_is_object(entry) || strlen(entry_text(entry, "instance")) >= sizeof row.instance)
		return -1;
	model_date(model, line);
	HASH_FIND_STR(model->rows, entry_text(entry, "instance"), kept);
	if (row_read(&row, entry, now_ms) == 0) {
		if (kept != NULL) {
			model_replace(model, kept, &row, now_ms);
			return 0;
		}
		if (model_add(model, &row, now_ms) == 0)
			return 0;
	}
	row_clear(&row);
	return -1;
}

static int take_gone(struct model *model, const json_t *line, int64_t now_ms)
{
	struct kept *kept;

	(void)now_ms;
	HASH_FIND_STR(model->rows, entry_text(line, "instance"), kept);
	if (kept != NULL) {
		model_date(model, line);
		model_drop(model, kept, entry_text(line, "why"));
	}
	return 0;
}

static int take_list(struct model *model, const json_t *line, int64_t now_ms)
{
	struct kept *kept, *next;

	(void)now_ms;
	model->listing = true;
	model->lagged = json_is_true(json_object_get(line, "lagged"));
	HASH_ITER(hh, model->rows, kept, next)
		kept->row.seen = false;
	return 0;
}

static int take_live(struct model *model, const json_t *line, int64_t now_ms)
{
	struct kept *kept, *next;

	(void)now_ms;
	HASH_ITER(hh, model->rows, kept, next) {
		if (!kept->row.seen)
			model_drop(model, kept, "went while this program was behind");
	}
	model_date(model, line);
	model->served = (uint64_t)json_integer_value(json_object_get(line, "served"));
	model->listing = false;
	model->live = true;
	return 0;
}

static int take_served(struct model *model, const json_t *line, int64_t now_ms)
{
	(void)now_ms;
	model->served = (uint64_t)json_integer_value(json_object_get(line, "generation"));
	return 0;
}

static int take_daemon(struct model *model, const json_t *line, int64_t now_ms)
{
	(void)now_ms;
	snprintf(model->daemon.broker, sizeof model->daemon.broker, "%s", entry_text(line, "broker"));
	snprintf(model->daemon.resync, sizeof model->daemon.resync, "%s", entry_text(line, "resync"));
	model->daemon.blocked = json_is_true(json_object_get(line, "blocked"));
	return 0;
}

static const struct {
	const char *event;
	int (*take)(struct model *model, const json_t *line, int64_t now_ms);
} events[] = {
	{"entry", take_entry}, {"gone", take_gone},     {"list", take_list},
	{"live", take_live},   {"served", take_served}, {"daemon", take_daemon},
};

int model_take(struct model *model, const json_t *line, int64_t now_ms)
{
	const char *event = entry_text(line, "event");
	size_t i;

	for (i = 0; i < sizeof events / sizeof *events; i++) {
		if (strcmp(event, events[i].event) == 0)
			return events[i].take(model, line, now_ms);
	}
	return event[0] != '\0' ? 0 : -1; /* an event of a newer daemon is none of ours */
}

/* ---- looking ---- */

bool model_live(const struct model *model)
{
	return model->live && !model->listing;
}

bool model_lagged(const struct model *model)
{
	return model->lagged;
}

uint64_t model_generation(const struct model *model)
{
	return model->generation;
}

uint64_t model_served(const struct model *model)
{
	return model->served;
}

const struct model_daemon *model_daemon(const struct model *model)
{
	return &model->daemon;
}

size_t model_count(const struct model *model)
{
	return HASH_COUNT(model->rows);
}

void model_each(const struct model *model, bool (*visit)(void *arg, const struct model_row *row), void *arg)
{
	const struct kept *kept;

	for (kept = model->rows; kept != NULL; kept = kept->hh.next) {
		if (!visit(arg, &kept->row))
			return;
	}
}

static bool list_has(const char *list, const char *name, size_t length)
{
	const char *end;

	for (; *list != '\0'; list = *end == ',' ? end + 1 : end) {
		end = strchrnul(list, ',');
		if ((size_t)(end - list) == length && memcmp(list, name, length) == 0)
			return true;
	}
	return false;
}

bool model_row_serves(const struct model_row *row, const char *name)
{
	size_t i;

	if (strcmp(row->addresses, "-") == 0)
		return false;
	if ((row->name_served && strcmp(row->name, name) == 0) || list_has(row->aliases, name, strlen(name)))
		return true;
	for (i = 0; i < json_array_size(row->fqdns); i++) {
		if (json_is_string(json_array_get(row->fqdns, i)) && strcmp(json_string_value(json_array_get(row->fqdns, i)), name) == 0)
			return true;
	}
	return false;
}

void model_free(struct model *model)
{
	struct kept *kept, *next;

	if (model == NULL)
		return;
	HASH_ITER(hh, model->rows, kept, next) {
		HASH_DEL(model->rows, kept);
		row_clear(&kept->row);
		free(kept);
	}
	free(model);
}
