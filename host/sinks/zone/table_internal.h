#ifndef CALLSIGN_ZONE_TABLE_INTERNAL_H
#define CALLSIGN_ZONE_TABLE_INTERNAL_H

#include <uthash.h>

#include "table.h"

/* What node.c (one name), table.c (what becomes of the names) and table_read.c (what the zone turns out to have) share. */

struct zone_node {
	UT_hash_handle hh;
	struct zone_record *records;
	struct zone_node *prev, *next; /* in the queue */
	struct zone_node *parent;      /* of a service (_http._tcp.NAME) or a wildcard (*.NAME): the name itself; NULL: it is one */
	struct zone_node *parts, *part_prev, *part_next; /* those of this name, and the list they are in */
	const char *refused;           /* NULL, or why; static */
	uint64_t generation;           /* of the first change that is not served */
	uint64_t changed;              /* while under way: of the first change since then; 0: none */
	uint64_t touched;              /* moment at which it was last sent or answered for */
	uint32_t seen;                 /* in the reading of this number ... */
	enum zone_owner seen_owner;    /* ... as this one's */
	enum zone_owner owner;
	unsigned tries;
	bool queued, flying, doubted, rotated;
	bool solo;
	bool leaves; /* what is under way leaves at least one record of ours */
	bool orphan; /* the owner record was found alone */
	bool foreign; /* somebody else's ... */
	uint32_t turned; /* ... or not, since the turn of this number; 0: it never was */
	char name[];
};

struct zone_table {
	struct zone_node *nodes, *queue;
	struct zone_table_watcher watcher;
	uint64_t generation;
	uint64_t flying_generation, rotated_generation, doubted_generation; /* the least of each kind; UINT64_MAX: none */
	uint64_t moment; /* counts what is sent and answered */
	uint64_t read_moment;
	uint32_t reading; /* numbers the readings */
	uint32_t turn; /* numbers what zone_node_turned() tells apart, from 1 on */
	bool turned;
	size_t names, waiting, flying, rotated, doubted, refused;
	bool settled;
	bool visiting; /* all nodes, one after the other: none but the visited one may be freed */
	char last_refused[ZONE_NAME_SIZE];
	const char *last_reason;
	bool last_is_part;
};

struct zone_node *zone_table_find(const struct zone_table *table, const char *name);
struct zone_node *zone_table_node(struct zone_table *table, const char *name);
struct zone_record *zone_node_record(struct zone_node *node, uint16_t type, const uint8_t *data, size_t length);
/* Whether the zone is to have it once what is under way has landed. */
bool zone_record_goal(const struct zone_table *table, const struct zone_node *node, const struct zone_record *record);
bool zone_node_goal(const struct zone_table *table, const struct zone_node *node);
bool zone_node_wanted(const struct zone_node *node);
/* A service or a wildcard of a name that is somebody else's would lead people astray: why it is left alone, too, or NULL. */
const char *zone_node_withheld(const struct zone_node *node);
bool zone_node_differs(const struct zone_table *table, const struct zone_node *node);
bool zone_node_tidy(struct zone_table *table, struct zone_node *node);
/* After a visit of all. */
void zone_node_tidy_parents(struct zone_table *table);
void zone_node_mark(struct zone_table *table, struct zone_node *node);
void zone_node_set_refused(struct zone_table *table, struct zone_node *node, const char *reason);
void zone_node_set_doubted(struct zone_table *table, struct zone_node *node, bool doubted);
/* After each change of its owner, or of why it is refused. */
void zone_node_note_foreign(struct zone_table *table, struct zone_node *node);
void zone_node_disown(struct zone_table *table, struct zone_node *node, enum zone_owner owner);
void zone_queue_append(struct zone_table *table, struct zone_node *node, uint64_t generation);
void zone_queue_prepend(struct zone_table *table, struct zone_node *node, uint64_t generation);
void zone_queue_remove(struct zone_table *table, struct zone_node *node);

#endif
