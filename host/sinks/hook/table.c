#include <config.h>

#include "table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "entry.h"
#include "registry/served.h"

#define DOCUMENT_VERSION 1

/* One instance as JSON; shared by those who hold it. */
struct text {
	unsigned holders;
	size_t length;
	char bytes[];
};

struct entry {
	struct ident instance;
	int64_t since_ms, since_wall_ms; /* kept: the wall clock's corrections are no changes of the name */
	struct text *now;     /* NULL: gone */
	struct text *running; /* what the run under way was given */
	struct text *told;    /* what the command knows for sure */
	bool doubtful;        /* it was given something else in a run that failed: it may know that, or not */
	struct text *tried;   /* that */
	UT_hash_handle hh;
};

struct hook_table {
	struct entry *entries; /* in the order in which they came */
	size_t changed;        /* entries that differ() */
	bool first;            /* nothing has been told yet */
	char *scratch;
	size_t scratch_size;
	FILE *scratch_out;
};

/* ---- texts ---- */

static struct text *text_new(const char *bytes, size_t length)
{
	struct text *text = malloc(sizeof(*text) + length);

	if (text == NULL)
		return NULL;
	text->holders = 1;
	text->length = length;
	memcpy(text->bytes, bytes, length);
	return text;
}

static struct text *text_hold(struct text *text)
{
	if (text != NULL)
		text->holders++;
	return text;
}

static void text_let_go(struct text *text)
{
	if (text != NULL && --text->holders == 0)
		free(text);
}

static bool text_same(const struct text *a, const struct text *b)
{
	if (a == b)
		return true;
	return a != NULL && b != NULL && a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* ---- entries ---- */

struct hook_table *hook_table_new(void)
{
	struct hook_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->first = true;
	table->scratch_out = open_memstream(&table->scratch, &table->scratch_size);
	if (table->scratch_out != NULL)
		return table;
	free(table);
	return NULL;
}

static void entry_free(struct hook_table *table, struct entry *entry)
{
	HASH_DEL(table->entries, entry);
	text_let_go(entry->now);
	text_let_go(entry->running);
	text_let_go(entry->told);
	text_let_go(entry->tried);
	free(entry);
}

void hook_table_free(struct hook_table *table)
{
	struct entry *entry, *next;

	if (table == NULL)
		return;
	HASH_ITER (hh, table->entries, entry, next)
		entry_free(table, entry);
	fclose(table->scratch_out);
	free(table->scratch);
	free(table);
}

static struct entry *entry_find(struct hook_table *table, const struct ident *instance)
{
	struct entry *entry;

	HASH_FIND(hh, table->entries, instance, sizeof(*instance), entry);
	return entry;
}

static struct entry *entry_get(struct hook_table *table, const struct ident *instance)
{
	struct entry *entry = entry_find(table, instance);

	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	entry->instance = *instance;
	HASH_ADD(hh, table->entries, instance, sizeof(entry->instance), entry);
	return entry;
}

/* Whether the command has to hear of it. */
static bool differs(const struct entry *entry)
{
	return entry->doubtful || !text_same(entry->now, entry->told);
}

static void entry_drop_unused(struct hook_table *table, struct entry *entry)
{
	if (entry->now == NULL && entry->running == NULL && entry->told == NULL && !entry->doubtful)
		entry_free(table, entry);
}

/* Takes text over. An entry that nobody knows anything of any more goes. */
static void entry_set(struct hook_table *table, struct entry *entry, struct text *text)
{
	table->changed -= differs(entry);
	text_let_go(entry->now);
	entry->now = text;
	table->changed += differs(entry);
	entry_drop_unused(table, entry);
}

int hook_table_set(struct hook_table *table, const struct listing *listing, const struct policy *policy, int64_t wall_ms, int64_t now_ms)
{
	struct entry *entry;
	struct text *text;

	if (served_anywhere(listing) == 0) {
		hook_table_remove(table, &listing->fact->instance);
		return 0;
	}
	entry = entry_get(table, &listing->fact->instance);
	if (entry == NULL)
		return -1;
	if (entry->since_ms != listing->fact->since_ms || entry->now == NULL) {
		entry->since_ms = listing->fact->since_ms;
		entry->since_wall_ms = wall_ms - (now_ms - entry->since_ms);
	}
	rewind(table->scratch_out);
	hook_entry_write(table->scratch_out, listing, policy, entry->since_wall_ms);
	text = fflush(table->scratch_out) == 0 ? text_new(table->scratch, table->scratch_size) : NULL;
	if (text == NULL) {
		entry_drop_unused(table, entry);
		return -1;
	}
	entry_set(table, entry, text);
	return 0;
}

void hook_table_remove(struct hook_table *table, const struct ident *instance)
{
	struct entry *entry = entry_find(table, instance);

	if (entry != NULL)
		entry_set(table, entry, NULL);
}

bool hook_table_changed(const struct hook_table *table)
{
	return table->first || table->changed > 0;
}

/* After all entries were touched. */
static void recount(struct hook_table *table)
{
	struct entry *entry, *next;

	table->changed = 0;
	HASH_ITER (hh, table->entries, entry, next) {
		table->changed += differs(entry);
		entry_drop_unused(table, entry);
	}
}

static void entry_believe(struct entry *entry, struct text *told)
{
	text_let_go(entry->told);
	text_let_go(entry->tried);
	entry->told = told;
	entry->tried = NULL;
	entry->doubtful = false;
}

void hook_table_forget(struct hook_table *table)
{
	struct entry *entry, *next;

	table->first = true;
	HASH_ITER (hh, table->entries, entry, next)
		entry_believe(entry, NULL);
	recount(table);
}

/* ---- the document ---- */

enum change { ADDED, CHANGED, REMOVED };

static bool is_change(const struct entry *entry, enum change change)
{
	if (change == ADDED)
		return entry->now != NULL && entry->told == NULL;
	if (change == REMOVED)
		return entry->now == NULL && (entry->told != NULL || entry->tried != NULL);
	return entry->now != NULL && entry->told != NULL && differs(entry);
}

static void put_text(FILE *out, const struct text *text, bool *some)
{
	if (*some)
		putc(',', out);
	fwrite(text->bytes, 1, text->length, out);
	*some = true;
}

static void put_changes(FILE *out, const struct hook_table *table, enum change change, const char *key)
{
	const struct entry *entry;
	bool some = false;

	fprintf(out, "\"%s\":[", key);
	for (entry = table->entries; entry != NULL; entry = entry->hh.next)
		if (is_change(entry, change))
			put_text(out, entry->now != NULL ? entry->now : entry->told != NULL ? entry->told : entry->tried, &some);
	putc(']', out);
}

static void put_names(FILE *out, const struct hook_table *table)
{
	const struct entry *entry;
	bool some = false;

	fputs("\"names\":[", out);
	for (entry = table->entries; entry != NULL; entry = entry->hh.next)
		if (entry->now != NULL)
			put_text(out, entry->now, &some);
	putc(']', out);
}

void hook_table_write(struct hook_table *table, const struct conf *conf, uint64_t generation, FILE *out)
{
	struct hook_list domains = {.out = out};
	struct entry *entry;

	fprintf(out, "{\"v\":%d,\"generation\":%" PRIu64 ",\"host\":", DOCUMENT_VERSION, generation);
	hook_entry_string(out, conf->hostname);
	fputs(",\"domain\":", out);
	hook_entry_string(out, conf->domain);
	fputs(",\"domains\":[", out);
	for (size_t i = 0; i < conf->policy.ndomains; i++)
		hook_entry_item(&domains, conf->policy.domains[i].name);
	fprintf(out, "],\"first\":%s,", table->first ? "true" : "false");
	put_names(out, table);
	fputs(",\"changes\":{", out);
	put_changes(out, table, ADDED, "added");
	putc(',', out);
	put_changes(out, table, CHANGED, "changed");
	putc(',', out);
	put_changes(out, table, REMOVED, "removed");
	fputs("}}\n", out);
	for (entry = table->entries; entry != NULL; entry = entry->hh.next)
		entry->running = text_hold(entry->now);
}

void hook_table_told(struct hook_table *table)
{
	struct entry *entry, *next;

	table->first = false;
	HASH_ITER (hh, table->entries, entry, next) {
		entry_believe(entry, entry->running);
		entry->running = NULL;
	}
	recount(table);
}

void hook_table_untold(struct hook_table *table, bool ran)
{
	struct entry *entry, *next;

	HASH_ITER (hh, table->entries, entry, next) {
		if (ran && !text_same(entry->running, entry->told)) {
			entry->doubtful = true;
			text_let_go(entry->tried);
			entry->tried = text_hold(entry->running);
		}
		text_let_go(entry->running);
		entry->running = NULL;
	}
	recount(table);
}
