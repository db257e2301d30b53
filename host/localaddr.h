#ifndef CALLSIGN_LOCALADDR_H
#define CALLSIGN_LOCALADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/address.h"

/*
 * The addresses of this host's own interfaces, as they come and go (rtnetlink(7)). Loopback, link-local and the like are left out: nobody may
 * announce those anyway. Each container's veth is an event here, so it looks at most once in LOCALADDR_EVERY_MS.
 */
struct localaddr;

#define LOCALADDR_EVERY_MS 1000

/* Reads them once. NULL with errno. */
struct localaddr *localaddr_new(int64_t now_ms);
void localaddr_free(struct localaddr *localaddr);

/* Readable: call localaddr_step() and say so; as at the deadline. It returns 1 if the addresses are others than before, 0 if not. */
int localaddr_fd(const struct localaddr *localaddr);
int64_t localaddr_deadline_ms(const struct localaddr *localaddr);
int localaddr_step(struct localaddr *localaddr, bool readable, int64_t now_ms);

/* Sorted; valid until the next step. */
const struct address *localaddr_list(const struct localaddr *localaddr, size_t *count);

#endif
