#ifndef CALLSIGN_ENDED_H
#define CALLSIGN_ENDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/contract/ident.h"
#include "table.h"

/*
 * Which sessions and instances of one user are over, so that a message of theirs that is still on its way changes nothing. Each is
 * remembered for a while; when there are too many the oldest is forgotten first. One set a user: nobody can fill
 * another's. Pure.
 */
struct ended;

enum ended_kind { ENDED_INSTANCE, ENDED_SESSION };

/* Empty: all zero. */
struct ended_set {
	struct table table;
	struct ended *oldest, *newest; /* in the order in which they ended */
};

static inline size_t ended_count(const struct ended_set *set)
{
	return set->table.count;
}

void ended_clear(struct ended_set *set);

/* 0, or -1 when memory is out (then it is not remembered). Also forgets those whose time is over, from the oldest on. */
int ended_add(struct ended_set *set, enum ended_kind kind, const struct ident *ident, int64_t until_ms, size_t max, int64_t now_ms);
bool ended_has(const struct ended_set *set, enum ended_kind kind, const struct ident *ident, int64_t now_ms);

#endif
