#ifndef CALLSIGN_LOCALADDR_H
#define CALLSIGN_LOCALADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/address.h"
#include "shared/rtnetlink.h"

/*
 * The addresses of this host's own interfaces, as they come and go (rtnetlink(7)). They are read once; from then on the kernel's news are
 * believed, and nothing is asked: most questions about interfaces (SIOCGIFADDR, RTM_GETLINK, and before Linux 6.9 any dump) wait for the
 * kernel's rtnl lock, which each container that starts or ends on this host holds: for 200 ms at worst where fifty end at once. It reads again
 * only when news were lost (ENOBUFS, or no memory) or a reading was not whole.
 */
struct localaddr;

#define LOCALADDR_EVERY_MS 1000 /* between two readings */

/* Reads them once. NULL with errno. */
struct localaddr *localaddr_new(int64_t now_ms);
void localaddr_free(struct localaddr *localaddr);

/* Readable: call localaddr_step() and say so; as at the deadline. It returns 1 if the list is another than before, 0 if not. */
int localaddr_fd(const struct localaddr *localaddr);
int64_t localaddr_deadline_ms(const struct localaddr *localaddr);
int localaddr_step(struct localaddr *localaddr, bool readable, int64_t now_ms);

/* Sorted, without loopback, link-local and the like: nobody may announce those anyway. Valid until the next step. */
const struct address *localaddr_list(const struct localaddr *localaddr, size_t *count);

/* As the kernel tells them, loopback and the like too. Valid until the next step. changes: counts up each time that anything of it may be another. */
const struct rtnetlink_address *localaddr_entries(const struct localaddr *localaddr, size_t *count);
uint64_t localaddr_changes(const struct localaddr *localaddr);

/* An interface's IPv4 address: of several one that may be announced, and is primary; of those the one known longest. 0, or -1: there is none. */
int localaddr_ipv4(const struct localaddr *localaddr, const char *interface, struct address *out);

#endif
