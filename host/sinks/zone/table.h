#ifndef CALLSIGN_ZONE_TABLE_H
#define CALLSIGN_ZONE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"

/*
 * What we want one zone to hold, what it holds of ours, and who owns which name in it. Pure: the time does not matter, only generations do
 * (sink.h). A change costs what it changes, whatever the size of the zone.
 *
 * Each name (a node) is wanted, held, or both. One that differs stands in the queue; it is taken from there, sent (message.h), and landed
 * or put back. A reading of the whole zone (a transfer) tells what it really holds; whatever was sent meanwhile is newer than the reading and
 * stays as it is.
 *
 * A name is owned whole: the record _callsign.NAME beside it says by whom (docs/zone.md). One that is somebody else's is refused and left alone.
 */
struct zone_table;

struct zone_record {
	struct zone_record *next;
	uint32_t wanted;      /* by so many listings */
	uint32_t seen;        /* in the reading of this number */
	bool seen_stale;
	uint16_t type, length;
	bool held;            /* the zone has it */
	bool sent;            /* the update under way leaves it there */
	bool stale;           /* the zone has it with another time to live than ours */
	bool renewed;         /* by the update under way */
	bool orphan;          /* found there, and nobody wants it: goes when the table is settled */
	uint8_t data[];
};

enum zone_owner { ZONE_NOBODY, ZONE_OURS, ZONE_OTHERS };

struct zone_node;

const char *zone_node_name(const struct zone_node *node);
struct zone_record *zone_node_records(const struct zone_node *node);
enum zone_owner zone_node_owner(const struct zone_node *node);
bool zone_node_sent(const struct zone_node *node); /* the update under way leaves at least one record */
extern const char zone_node_foreign[]; /* why a name of others is left alone */

struct zone_table_watcher {
	void (*refused)(void *arg, const char *name, const char *reason); /* newly so */
	void (*released)(void *arg, const char *name);                   /* no longer so, and wanted still */
	void *arg;
};

struct zone_table *zone_table_new(void); /* NULL with errno */
void zone_table_free(struct zone_table *table);
void zone_table_watch(struct zone_table *table, const struct zone_table_watcher *watcher);

/* One more wants this record; unwant it with what is returned. NULL with errno. */
struct zone_wish {
	struct zone_node *node;
	struct zone_record *record;
};
int zone_table_want(struct zone_table *table, const char *name, uint16_t type, const uint8_t *data, size_t length, struct zone_wish *out);
void zone_table_unwant(struct zone_table *table, const struct zone_wish *wish);

/* What was wanted so far is this generation. The newest one that the zone holds whole (refused names do not count). */
void zone_table_flush(struct zone_table *table, uint64_t generation);
uint64_t zone_table_served(const struct zone_table *table);

/*
 * Until then what a reading finds of ours and nobody wants stays: right after a start not everyone has been heard yet. Then it goes.
 */
void zone_table_settle(struct zone_table *table);

/* ---- sending ---- */

#define ZONE_NODE_CHANGES_MAX 256 /* of one name at a time */

/* The next name that differs, off the queue and under way; NULL: none. solo: it is to be sent alone. */
struct zone_node *zone_table_take(struct zone_table *table, bool *solo);
/* Not under way after all: the first of the queue again. */
void zone_table_put_back(struct zone_table *table, struct zone_node *node);
/* The zone has taken it. May free node. */
void zone_table_landed(struct zone_table *table, struct zone_node *node);
/* It has not, and nothing changed: again, alone. last: behind all others. */
void zone_table_again(struct zone_table *table, struct zone_node *node, bool last);
/* Nobody knows: again, once a reading that begins after now has told. */
void zone_table_doubt(struct zone_table *table, struct zone_node *node);
/* Left alone until a reading says otherwise. others: it is somebody else's. reason: static. */
void zone_table_refuse(struct zone_table *table, struct zone_node *node, bool others, const char *reason);
unsigned zone_node_tries(const struct zone_node *node); /* how often it was sent alone in vain since it last landed */

/* ---- reading: begin, each record, end; or begin again ---- */

void zone_table_read_begin(struct zone_table *table);
/* The record _callsign.NAME. ours: it says that the name is ours, and nothing else. 0, or -1 with errno. */
int zone_table_read_owner(struct zone_table *table, const char *name, bool ours);
/* Any other record of the zone. as_written: as we would write it; else it is taken away and written anew. */
int zone_table_read_record(struct zone_table *table, const char *name, uint16_t type, const uint8_t *data, size_t length, bool as_written);
void zone_table_read_end(struct zone_table *table);
/* Another server, or another zone in its place: nothing is known of it. */
void zone_table_forget(struct zone_table *table);

struct zone_table_counts {
	size_t names;   /* that the zone holds of ours */
	size_t waiting; /* that differ */
	size_t doubted; /* that wait for a reading */
	size_t refused;
	char example[ZONE_NAME_SIZE]; /* one that was refused lately, if any is; a service's (_http._tcp…) only if no other was */
	const char *reason;           /* why it was; static */
};
void zone_table_count(const struct zone_table *table, struct zone_table_counts *out);
bool zone_table_waiting(const struct zone_table *table); /* whether zone_table_take() may give one */
bool zone_table_doubting(const struct zone_table *table);
const char *zone_table_refusal(const struct zone_table *table, const char *name); /* NULL: that name is not refused */

/* ---- whose names are ---- */

/* Whether that name is somebody else's, as far as is known: nothing of ours is to lead there. */
bool zone_table_foreign(const struct zone_table *table, const char *name);
/* Whether that has become so, or no longer so, of any name since zone_table_turns_seen(), and of this one. */
bool zone_table_turned(const struct zone_table *table);
bool zone_node_turned(const struct zone_table *table, const struct zone_node *node);
void zone_table_turns_seen(struct zone_table *table);

#endif
