#include <config.h>

#include "ended.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct ended_key {
	struct ident ident;
	uint8_t kind; /* enum ended_kind, in a byte so that the key has no padding */
};

struct ended {
	struct ended_key key;
	int64_t until_ms;
	struct ended *next;
	UT_hash_handle hh;
};

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
	set->count--;
	HASH_DEL(set->hash, oldest);
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
	struct ended *found;

	HASH_FIND(hh, set->hash, &key, sizeof key, found);
	return found;
}

int ended_add(struct ended_set *set, enum ended_kind kind, const struct ident *ident, int64_t until_ms, size_t max, int64_t now_ms)
{
	struct ended *ended = ended_find(set, kind, ident);

	if (ended != NULL) {
		ended->until_ms = until_ms;
		return 0;
	}
	while (set->oldest != NULL && (set->oldest->until_ms <= now_ms || set->count >= max))
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
	set->count++;
	HASH_ADD(hh, set->hash, key, sizeof ended->key, ended);
	return 0;
}

bool ended_has(const struct ended_set *set, enum ended_kind kind, const struct ident *ident, int64_t now_ms)
{
	const struct ended *ended = ended_find(set, kind, ident);

	return ended != NULL && ended->until_ms > now_ms;
}
