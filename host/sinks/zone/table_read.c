#include <config.h>

#include "table_internal.h"

#include <stdlib.h>

void zone_table_read_begin(struct zone_table *table)
{
	table->reading++;
	table->read_moment = table->moment;
}

/* The reading has come by this name. NULL with errno. */
static struct zone_node *node_see(struct zone_table *table, const char *name)
{
	struct zone_node *node = zone_table_node(table, name);

	if (node != NULL && node->seen != table->reading) {
		node->seen = table->reading;
		node->seen_owner = ZONE_NOBODY;
	}
	return node;
}

int zone_table_read_owner(struct zone_table *table, const char *name, bool ours)
{
	struct zone_node *node = node_see(table, name);

	if (node == NULL)
		return -1;
	/* Two owners beside one name are as good as another one: neither may take it for its own. */
	node->seen_owner = ours && node->seen_owner == ZONE_NOBODY ? ZONE_OURS : ZONE_OTHERS;
	return 0;
}

static bool is_written_by_us(uint16_t type)
{
	return type == ZONE_A || type == ZONE_AAAA || type == ZONE_PTR || type == ZONE_SRV || type == ZONE_TXT;
}

int zone_table_read_record(struct zone_table *table, const char *name, uint16_t type, const uint8_t *data, size_t length, bool as_written)
{
	struct zone_node *node = node_see(table, name);
	struct zone_record *record;

	if (node == NULL)
		return -1;
	if (!is_written_by_us(type) || length > ZONE_DATA_MAX)
		return 0;
	record = zone_node_record(node, type, data, length);
	if (record == NULL)
		return -1;
	record->seen = table->reading;
	record->seen_stale = !as_written;
	return 0;
}

static void node_is_ours(struct zone_table *table, struct zone_node *node)
{
	bool was_ours = node->owner == ZONE_OURS;
	struct zone_record *record;

	table->names += !was_ours;
	node->owner = ZONE_OURS;
	zone_node_note_foreign(table, node);
	for (record = node->records; record != NULL; record = record->next) {
		bool was_held = record->held;

		record->held = record->seen == table->reading;
		record->stale = record->held && record->seen_stale;
		/* What we had there ourselves and do not want any more goes in any case. */
		if (!record->held || record->wanted > 0)
			record->orphan = false;
		else if (!was_held)
			record->orphan = true;
	}
	if (!was_ours && !zone_node_wanted(node))
		node->orphan = true;
	zone_node_set_refused(table, node, NULL);
}

/* Whether the node is still there. */
static bool node_read(struct zone_table *table, struct zone_node *node)
{
	bool in_use = node->seen == table->reading;

	if (in_use && node->seen_owner == ZONE_OURS) {
		node_is_ours(table, node);
		return true;
	}
	zone_node_disown(table, node, in_use ? ZONE_OTHERS : ZONE_NOBODY);
	if (in_use && zone_node_wanted(node))
		zone_node_set_refused(table, node, zone_node_foreign);
	else if (zone_node_wanted(node) && zone_node_withheld(node) != NULL)
		zone_node_set_refused(table, node, zone_node_withheld(node));
	else
		zone_node_set_refused(table, node, NULL);
	return zone_node_tidy(table, node);
}

static void node_read_end(struct zone_table *table, struct zone_node *node)
{
	bool doubted = node->doubted;

	if (node->flying)
		return;
	if (node->touched > table->read_moment) {
		/* The reading may be older than what was sent. */
		zone_node_tidy(table, node);
		return;
	}
	if (!node_read(table, node))
		return;
	zone_node_set_doubted(table, node, false);
	if (!zone_node_differs(table, node))
		return;
	if (doubted && node->refused == NULL)
		zone_queue_prepend(table, node, node->generation);
	else
		zone_node_mark(table, node);
}

void zone_table_read_end(struct zone_table *table)
{
	struct zone_node *node, *next;

	table->visiting = true;
	HASH_ITER(hh, table->nodes, node, next)
		node_read_end(table, node);
	zone_node_tidy_parents(table);
}

void zone_table_forget(struct zone_table *table)
{
	struct zone_node *node, *next;

	table->reading++;
	table->visiting = true;
	HASH_ITER(hh, table->nodes, node, next) {
		zone_node_disown(table, node, ZONE_NOBODY);
		zone_node_set_refused(table, node, NULL);
		zone_node_set_doubted(table, node, false);
		if (zone_node_tidy(table, node) && zone_node_wanted(node))
			zone_node_mark(table, node);
	}
	zone_node_tidy_parents(table);
}
