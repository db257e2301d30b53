#include <config.h>

#include "ended.h"

#include <stdlib.h>
#include <string.h>

struct ended_key {
	struct ident ident;
	uint8_t kind; /* enum ended_kind, in a byte so that the key has no padding */
};

struct ended {
	struct table_link link;
	struct ended *next;
	int64_t until_ms;
	struct ended_key key;
};

static const void *ended_bytes(const struct table_link *link, size_t *length)
{
	const struct ended *ended = TABLE_ENTRY(link, const struct ended, link);

	*length = sizeof ended->key;
	return &ended->key;
}

static struct ended_key key_of(enum ended_kind kind, const struct ident *ident)
{
	struct ended_key key;

	memset(&key, 0, sizeof key);
	key.ident = *ident;
	key.kind = (uint8_t)kind;
	return key;
}

static void ended_drop_oldest(struct ended_set *set)
{
	struct ended *oldest = set->oldest;

	set->oldest = oldest->next;
	if (set->oldest == NULL)
		set->newest = NULL;
	table_remove(&set->table, &oldest->link);
	free(oldest);
}

void ended_clear(struct ended_set *set)
{
	while (set->oldest != NULL)
		ended_drop_oldest(set);
}

static struct ended *ended_find(const struct ended_set *set, enum ended_kind kind, const struct ident *ident)
{
	struct ended_key key = key_of(kind, ident);
	struct table_link *link = table_find(&set->table, &key, sizeof key);

	return link != NULL ? TABLE_ENTRY(link, struct ended, link) : NULL;
}

int ended_add(struct ended_set *set, enum ended_kind kind, const struct ident *ident, int64_t until_ms, size_t max, int64_t now_ms)
{
	struct ended *ended = ended_find(set, kind, ident);

	if (ended != NULL) {
		ended->until_ms = until_ms;
		return 0;
	}
	while (set->oldest != NULL && (set->oldest->until_ms <= now_ms || ended_count(set) >= max))
		ended_drop_oldest(set);
	ended = calloc(1, sizeof *ended);
	if (ended == NULL)
		return -1;
	ended->key = key_of(kind, ident);
	ended->until_ms = until_ms;
	if (set->newest != NULL)
		set->newest->next = ended;
	else
		set->oldest = ended;
	set->newest = ended;
	set->table.key = ended_bytes;
	table_add(&set->table, &ended->link);
	return 0;
}

bool ended_has(const struct ended_set *set, enum ended_kind kind, const struct ident *ident, int64_t now_ms)
{
	const struct ended *ended = ended_find(set, kind, ident);

	return ended != NULL && ended->until_ms > now_ms;
}
