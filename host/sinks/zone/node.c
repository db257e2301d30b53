#include <config.h>

#include "table_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* One name of the zone: what is wanted of it and what the zone has, and where it waits. What becomes of it is table.c's and table_read.c's. */

struct zone_node *zone_table_find(const struct zone_table *table, const char *name)
{
	struct zone_node *node;

	HASH_FIND_STR(table->nodes, name, node);
	return node;
}

/* The name that this one is a part of (RFC 2782: services begin with underscores), or NULL. */
static const char *whole_of(const char *name)
{
	const char *at = name;

	while (at != NULL && (at[0] == '_' || (at[0] == '*' && at[1] == '.'))) {
		at = strchr(at, '.');
		at = at != NULL ? at + 1 : NULL;
	}
	return at != name ? at : NULL;
}

struct zone_node *zone_table_node(struct zone_table *table, const char *name)
{
	struct zone_node *node = zone_table_find(table, name), *parent = NULL;
	const char *whole = whole_of(name);
	size_t size = strlen(name) + 1;

	if (node != NULL)
		return node;
	if (whole != NULL && (parent = zone_table_node(table, whole)) == NULL)
		return NULL;
	node = calloc(1, sizeof *node + size);
	if (node == NULL)
		return NULL; /* an empty parent goes with the next reading */
	memcpy(node->name, name, size);
	HASH_ADD_KEYPTR(hh, table->nodes, node->name, size - 1, node);
	node->parent = parent;
	if (parent != NULL)
		DL_APPEND2(parent->parts, node, part_prev, part_next);
	return node;
}

const char zone_node_foreign[] = "the zone has records there that are not callsign's, or another owner's";

const char *zone_node_withheld(const struct zone_node *node)
{
	const struct zone_node *parent = node->parent;

	if (parent == NULL || parent->owner == ZONE_OURS)
		return NULL;
	return parent->refused != NULL || parent->owner != ZONE_OTHERS ? parent->refused : zone_node_foreign;
}

struct zone_record *zone_node_record(struct zone_node *node, uint16_t type, const uint8_t *data, size_t length)
{
	struct zone_record *record;

	for (record = node->records; record != NULL; record = record->next) {
		if (record->type == type && record->length == length && memcmp(record->data, data, length) == 0)
			return record;
	}
	record = calloc(1, sizeof *record + length);
	if (record == NULL)
		return NULL;
	record->type = type;
	record->length = (uint16_t)length;
	memcpy(record->data, data, length);
	LL_PREPEND(node->records, record);
	return record;
}

bool zone_node_wanted(const struct zone_node *node)
{
	const struct zone_record *record;

	for (record = node->records; record != NULL; record = record->next) {
		if (record->wanted > 0)
			return true;
	}
	return false;
}

/* Whether the zone is to have it once what is under way has landed. */
bool zone_record_goal(const struct zone_table *table, const struct zone_node *node, const struct zone_record *record)
{
	if (zone_node_withheld(node) != NULL)
		return false;
	return record->wanted > 0 || (record->held && record->orphan && !table->settled);
}

bool zone_node_goal(const struct zone_table *table, const struct zone_node *node)
{
	const struct zone_record *record;

	for (record = node->records; record != NULL; record = record->next) {
		if (zone_record_goal(table, node, record))
			return true;
	}
	/* An owner record alone, left behind by somebody. */
	return node->owner == ZONE_OURS && node->orphan && !table->settled && zone_node_withheld(node) == NULL;
}

bool zone_node_differs(const struct zone_table *table, const struct zone_node *node)
{
	const struct zone_record *record;

	if (node->owner == ZONE_OTHERS)
		return false;
	for (record = node->records; record != NULL; record = record->next) {
		bool goal = zone_record_goal(table, node, record);

		if (record->held != goal || (record->stale && goal))
			return true;
	}
	return (node->owner == ZONE_OURS) != zone_node_goal(table, node);
}

static void node_free(struct zone_table *table, struct zone_node *node)
{
	struct zone_node *parent = node->parent;

	zone_queue_remove(table, node);
	zone_node_set_refused(table, node, NULL);
	zone_node_set_doubted(table, node, false);
	HASH_DEL(table->nodes, node);
	if (parent != NULL)
		DL_DELETE2(parent->parts, node, part_prev, part_next);
	free(node);
	if (parent != NULL && !table->visiting)
		zone_node_tidy(table, parent);
}

/* Without what neither we want nor the zone has. Returns whether the node is still there. */
bool zone_node_tidy(struct zone_table *table, struct zone_node *node)
{
	struct zone_record *record, *next;

	if (node->flying)
		return true;
	LL_FOREACH_SAFE(node->records, record, next) {
		if (record->wanted > 0 || record->held)
			continue;
		LL_DELETE(node->records, record);
		free(record);
	}
	/* One that was refused on its own account stays for what is below it. */
	if (node->records != NULL || node->owner == ZONE_OURS || node->parts != NULL)
		return true;
	node_free(table, node);
	return false;
}

void zone_node_tidy_parents(struct zone_table *table)
{
	struct zone_node *node, *next;

	table->visiting = true;
	HASH_ITER(hh, table->nodes, node, next) {
		if (node->parent == NULL)
			zone_node_tidy(table, node);
	}
	table->visiting = false;
}

/* ---- the queue: in the order of generations, so that the first one tells what is not served yet ---- */

void zone_queue_remove(struct zone_table *table, struct zone_node *node)
{
	if (!node->queued)
		return;
	DL_DELETE(table->queue, node);
	node->queued = false;
	table->waiting--;
	if (node->rotated && --table->rotated == 0)
		table->rotated_generation = UINT64_MAX;
	node->rotated = false;
}

void zone_queue_append(struct zone_table *table, struct zone_node *node, uint64_t generation)
{
	node->generation = generation;
	node->queued = true;
	table->waiting++;
	DL_APPEND(table->queue, node);
}

/* In front, where nobody may be of a later generation than those behind: an earlier one is reported a little late, never too soon. */
void zone_queue_prepend(struct zone_table *table, struct zone_node *node, uint64_t generation)
{
	node->generation = table->queue != NULL && table->queue->generation < generation ? table->queue->generation : generation;
	node->queued = true;
	table->waiting++;
	DL_PREPEND(table->queue, node);
}

/* Something about it has changed now. */
void zone_node_mark(struct zone_table *table, struct zone_node *node)
{
	if (node->flying) {
		if (node->changed == 0)
			node->changed = table->generation + 1;
		return;
	}
	if (node->queued || node->doubted || node->refused != NULL)
		return;
	zone_queue_append(table, node, table->generation + 1);
}

/* ---- whose it is ---- */

void zone_node_note_foreign(struct zone_table *table, struct zone_node *node)
{
	bool foreign = node->owner == ZONE_OTHERS || node->refused == zone_node_foreign;

	if (foreign == node->foreign)
		return;
	node->foreign = foreign;
	node->turned = table->turn;
	table->turned = true;
}

bool zone_table_foreign(const struct zone_table *table, const char *name)
{
	const struct zone_node *node = zone_table_find(table, name);

	return node != NULL && node->foreign;
}

bool zone_table_turned(const struct zone_table *table)
{
	return table->turned;
}

bool zone_node_turned(const struct zone_table *table, const struct zone_node *node)
{
	return node->turned == table->turn;
}

void zone_table_turns_seen(struct zone_table *table)
{
	table->turned = false;
	if (++table->turn == 0)
		table->turn = 1;
}

/* ---- refused and doubted ---- */

/* Its services and wildcard go when it becomes somebody else's, and come back with it. */
static void parts_follow(struct zone_table *table, struct zone_node *node)
{
	struct zone_node *part;

	DL_FOREACH2(node->parts, part, part_next) {
		if (part->owner == ZONE_NOBODY && zone_node_withheld(part) == NULL)
			zone_node_set_refused(table, part, NULL);
		if (part->flying || zone_node_differs(table, part))
			zone_node_mark(table, part);
	}
}

void zone_node_set_refused(struct zone_table *table, struct zone_node *node, const char *reason)
{
	if (node->refused == reason)
		return;
	/* The same from another place is nothing new to tell. */
	if (node->refused != NULL && reason != NULL && strcmp(node->refused, reason) == 0) {
		node->refused = reason;
		zone_node_note_foreign(table, node);
		zone_queue_remove(table, node);
		return;
	}
	table->refused -= node->refused != NULL;
	table->refused += reason != NULL;
	node->refused = reason;
	zone_node_note_foreign(table, node);
	if (reason != NULL) {
		zone_queue_remove(table, node);
		/* A name says more than the services below it, which follow it (RFC 2782: they begin with an underscore). */
		if (node->parent == NULL || table->last_refused[0] == '\0' || table->last_is_part) {
			snprintf(table->last_refused, sizeof table->last_refused, "%s", node->name);
			table->last_is_part = node->parent != NULL;
			table->last_reason = reason;
		}
		if (table->watcher.refused != NULL)
			table->watcher.refused(table->watcher.arg, node->name, reason);
	} else if (zone_node_wanted(node) && table->watcher.released != NULL) {
		table->watcher.released(table->watcher.arg, node->name);
	}
	parts_follow(table, node);
}

void zone_node_set_doubted(struct zone_table *table, struct zone_node *node, bool doubted)
{
	if (node->doubted == doubted)
		return;
	node->doubted = doubted;
	if (doubted)
		table->doubted++;
	else
		table->doubted--;
	zone_queue_remove(table, node);
}

void zone_node_disown(struct zone_table *table, struct zone_node *node, enum zone_owner owner)
{
	struct zone_record *record;

	for (record = node->records; record != NULL; record = record->next)
		record->held = record->orphan = record->stale = false;
	table->names -= node->owner == ZONE_OURS;
	node->owner = owner;
	zone_node_note_foreign(table, node);
	parts_follow(table, node);
}

/* ---- looking ---- */

const char *zone_node_name(const struct zone_node *node)
{
	return node->name;
}

struct zone_record *zone_node_records(const struct zone_node *node)
{
	return node->records;
}

enum zone_owner zone_node_owner(const struct zone_node *node)
{
	return node->owner;
}

bool zone_node_sent(const struct zone_node *node)
{
	return node->leaves;
}

unsigned zone_node_tries(const struct zone_node *node)
{
	return node->tries;
}
