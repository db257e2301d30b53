#ifndef CALLSIGN_AGENT_WARD_H
#define CALLSIGN_AGENT_WARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "announce/addrwatch.h"
#include "chorus.h"
#include "keep.h"

/* A container with a name, from its process's first moment to its `down`'s confirm. */
struct ward {
	struct singer singer;
	struct ward *prev, *next;
	char id[KEEP_ID_MAX + 1];
	pid_t pid;
	uint64_t start;
	int pidfd;               /* -1: its process has ended */
	struct addrwatch *watch; /* NULL: likewise */
	char (*aliases)[HOSTNAME_NAME_SIZE]; /* its own: what the announcer says */
	struct ident kept;       /* the instance under which it is kept for the next agent */
	bool is_kept;
};

/*
 * pidfd becomes the ward's. Its network namespace is entered and looked at; addresses that are there are known afterwards, or are looked for again
 * (ward_follow). NULL with errno (then pidfd is still the caller's): no memory, or the process has ended.
 */
struct ward *ward_new(const char *id, pid_t pid, uint64_t start, int pidfd, const struct naming *naming, uint32_t renew_s, int64_t now_ms);

/* Of one whose process has ended while nobody watched: it has only its down to say. */
struct ward *ward_dead(const struct keep_entry *entry, uint32_t renew_s);

/* It is the same instance that entry's agent has spoken for. Before it joins. */
void ward_resume(struct ward *ward, const struct keep_entry *entry, int64_t boottime_ms);

void ward_free(struct ward *ward);

/* addrwatch_step() for it, and what there is to say of it: whether what is to be announced may be different now. */
bool ward_follow(struct ward *ward, bool readable, int64_t now_ms);

/* What is to be announced by what is known of its addresses: their number, 0 if there are none. */
unsigned ward_addresses(const struct ward *ward, const struct addrselect_wish *wish, struct address out[ANNOUNCEMENT_ADDRESSES_MAX]);

/* Its process has ended: nothing more is watched. */
void ward_close(struct ward *ward);

/* Written down for the next agent, under its current instance. Failing that is logged: then the next one finds it by its runtime's state. */
void ward_keep(struct ward *ward, int folder);
void ward_forget(struct ward *ward, int folder);

#endif
