#ifndef CALLSIGN_TABLE_H
#define CALLSIGN_TABLE_H

#include <stddef.h>
#include <stdint.h>

/*
 * A hash table for what there is a hundred thousand times. Its link stands in the entry, as uthash's does, but is one pointer instead of 56
 * bytes; a bucket for one or two entries is another. It has no order: where that matters, entries have a list of their own (utlist.h). Pure.
 */
struct table_link {
	struct table_link *next; /* in the same bucket */
};

/* The bytes by which an entry is found, and how many. They stay as they are while it is in the table. */
typedef const void *table_key(const struct table_link *link, size_t *length);

struct table {
	table_key *key;
	size_t count;
	struct table_link **buckets; /* a power of two, less one: mask. NULL: only the first */
	size_t mask;
	struct table_link *first;
};

/* An empty table is all zero but for its key. */
#define TABLE_EMPTY(key_of) {.key = (key_of)}

/* The entry in which the link is the given member. */
#define TABLE_ENTRY(link, type, member) ((type *)(void *)((char *)(link) - offsetof(type, member)))

/*
 * Two random numbers, once, before the first table has an entry. Keys are names and identifiers that tenants choose: whoever knew how they are spread could
 * have all of theirs in one bucket, and each look-up go through all of them.
 */
void table_seed(uint64_t start, uint64_t factor);

/* NULL: no such entry. */
struct table_link *table_find(const struct table *table, const void *key, size_t length);

/* Its key must not be there yet. Cannot fail: without memory for more buckets they only get fuller. */
void table_add(struct table *table, struct table_link *link);

/* It must be there. With the last one the buckets go. */
void table_remove(struct table *table, struct table_link *link);

/* Empties it. free_entry, which may be NULL, is called for each entry, in no order. */
void table_clear(struct table *table, void (*free_entry)(struct table_link *link));

#endif
