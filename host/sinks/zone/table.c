#include <config.h>

#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "table_internal.h"

/* ---- what is wanted ---- */

struct zone_table *zone_table_new(void)
{
	struct zone_table *table = calloc(1, sizeof *table);

	if (table != NULL)
		*table = (struct zone_table){.rotated_generation = UINT64_MAX, .flying_generation = UINT64_MAX, .turn = 1};
	return table;
}

void zone_table_watch(struct zone_table *table, const struct zone_table_watcher *watcher)
{
	table->watcher = *watcher;
}

void zone_table_free(struct zone_table *table)
{
	struct zone_record *record, *next_record;
	struct zone_node *node, *next;

	if (table == NULL)
		return;
	HASH_ITER(hh, table->nodes, node, next) {
		HASH_DEL(table->nodes, node);
		LL_FOREACH_SAFE(node->records, record, next_record)
			free(record);
		free(node);
	}
	free(table);
}

/* Its content is another: what the server had against the one before may not hold for it. What belongs to others still does. */
static void node_try_anew(struct zone_table *table, struct zone_node *node)
{
	node->tries = 0;
	if (node->owner == ZONE_OURS)
		zone_node_set_refused(table, node, NULL);
}

int zone_table_want(struct zone_table *table, const char *name, uint16_t type, const uint8_t *data, size_t length, struct zone_wish *out)
{
	out->node = zone_table_node(table, name);
	out->record = out->node != NULL ? zone_node_record(out->node, type, data, length) : NULL;
	if (out->record == NULL)
		return -1;
	out->record->orphan = false;
	if (out->record->wanted++ == 0) {
		node_try_anew(table, out->node);
		out->node->orphan = false;
		zone_node_mark(table, out->node);
	}
	return 0;
}

void zone_table_unwant(struct zone_table *table, const struct zone_wish *wish)
{
	struct zone_node *node = wish->node;

	if (--wish->record->wanted > 0)
		return;
	node_try_anew(table, node);
	if (zone_node_tidy(table, node))
		zone_node_mark(table, node);
}

void zone_table_flush(struct zone_table *table, uint64_t generation)
{
	table->generation = generation;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t zone_table_served(const struct zone_table *table)
{
	uint64_t first = table->queue != NULL ? table->queue->generation : UINT64_MAX;

	first = least(first, least(table->rotated_generation, table->flying_generation));
	first = least(first, table->doubted > 0 ? table->doubted_generation : UINT64_MAX);
	return least(table->generation, first - 1);
}

void zone_table_settle(struct zone_table *table)
{
	struct zone_node *node, *next;

	if (table->settled)
		return;
	table->settled = true;
	HASH_ITER(hh, table->nodes, node, next) {
		if (zone_node_differs(table, node))
			zone_node_mark(table, node);
	}
}

/* ---- sending ---- */

static void fly(struct zone_table *table, struct zone_node *node)
{
	struct zone_record *record;
	unsigned changes = 0;

	zone_queue_remove(table, node);
	node->flying = true;
	node->changed = 0;
	node->touched = ++table->moment;
	table->flying++;
	table->flying_generation = least(table->flying_generation, node->generation);
	node->leaves = false;
	for (record = node->records; record != NULL; record = record->next) {
		record->sent = zone_record_goal(table, node, record);
		/* A name that thousands share does not fit into one message: the others follow when this one has landed. */
		record->renewed = record->stale && record->held && record->sent;
		if ((record->sent != record->held || record->renewed) && changes++ >= ZONE_NODE_CHANGES_MAX) {
			record->sent = record->held;
			record->renewed = false;
		}
		node->leaves |= record->sent;
	}
	node->leaves |= zone_node_goal(table, node);
}

static void land(struct zone_table *table, struct zone_node *node)
{
	node->flying = false;
	node->touched = ++table->moment;
	if (--table->flying == 0)
		table->flying_generation = UINT64_MAX;
}

struct zone_node *zone_table_take(struct zone_table *table, bool *solo)
{
	const char *reason;
	struct zone_node *node;

	while ((node = table->queue) != NULL) {
		reason = node->owner != ZONE_OURS ? zone_node_withheld(node) : NULL;
		if (reason != NULL && zone_node_wanted(node)) {
			zone_node_set_refused(table, node, reason);
			continue;
		}
		if (!zone_node_differs(table, node)) {
			zone_queue_remove(table, node);
			zone_node_tidy(table, node);
			continue;
		}
		*solo = node->solo;
		fly(table, node);
		return node;
	}
	return NULL;
}

void zone_table_put_back(struct zone_table *table, struct zone_node *node)
{
	land(table, node);
	zone_queue_prepend(table, node, node->generation);
}

void zone_table_landed(struct zone_table *table, struct zone_node *node)
{
	uint64_t changed = node->changed;
	struct zone_record *record;

	land(table, node);
	for (record = node->records; record != NULL; record = record->next) {
		record->held = record->sent;
		record->stale = record->stale && record->held && !record->renewed;
	}
	table->names -= node->owner == ZONE_OURS;
	node->owner = node->leaves ? ZONE_OURS : ZONE_NOBODY;
	zone_node_note_foreign(table, node);
	table->names += node->owner == ZONE_OURS;
	node->tries = 0;
	node->solo = false;
	if (zone_node_differs(table, node))
		zone_queue_prepend(table, node, changed != 0 ? changed : table->generation);
	else if (zone_node_tidy(table, node) && node->owner != ZONE_OURS && zone_node_withheld(node) != NULL)
		zone_node_set_refused(table, node, zone_node_withheld(node));
}

void zone_table_again(struct zone_table *table, struct zone_node *node, bool last)
{
	node->tries += node->solo;
	node->solo = true;
	land(table, node);
	if (!last) {
		zone_queue_prepend(table, node, node->generation);
		return;
	}
	table->rotated_generation = least(table->rotated_generation, node->generation);
	table->rotated++;
	node->rotated = true;
	zone_queue_append(table, node, node->generation);
}

void zone_table_doubt(struct zone_table *table, struct zone_node *node)
{
	node->tries += node->solo;
	land(table, node);
	table->doubted_generation = table->doubted == 0 ? node->generation : least(table->doubted_generation, node->generation);
	zone_node_set_doubted(table, node, true);
}

void zone_table_refuse(struct zone_table *table, struct zone_node *node, bool others, const char *reason)
{
	land(table, node);
	if (others)
		zone_node_disown(table, node, ZONE_OTHERS);
	if (!zone_node_wanted(node)) {
		/* It was to go, and it is not ours any more: that is as good. */
		zone_node_disown(table, node, ZONE_NOBODY);
		zone_node_tidy(table, node);
		return;
	}
	zone_node_set_refused(table, node, reason);
}

/* ---- looking ---- */

bool zone_table_waiting(const struct zone_table *table)
{
	return table->queue != NULL;
}

bool zone_table_doubting(const struct zone_table *table)
{
	return table->doubted > 0;
}

const char *zone_table_refusal(const struct zone_table *table, const char *name)
{
	const struct zone_node *node = zone_table_find(table, name);

	return node != NULL ? node->refused : NULL;
}

void zone_table_count(const struct zone_table *table, struct zone_table_counts *out)
{
	*out = (struct zone_table_counts){.names = table->names, .waiting = table->waiting + table->flying, .doubted = table->doubted,
	                                  .refused = table->refused};
	if (table->refused > 0) {
		snprintf(out->example, sizeof out->example, "%s", table->last_refused);
		out->reason = table->last_reason;
	}
}
