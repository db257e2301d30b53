#ifndef CALLSIGN_LOCALNET_H
#define CALLSIGN_LOCALNET_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "localaddr.h"

/*
 * The subnets of this host's own bridges: what has an address there is on this host, if it is to be reached from here at all. A bridge counts that has an
 * address and whose ports are all of this host's making (veth, tap). One with a network card among its ports, or a VLAN or a tunnel, goes on beyond this
 * host, and other hosts' containers may well be there.
 */
struct localnet;

struct localnet *localnet_new(void); /* knows of none. NULL with errno */
void localnet_free(struct localnet *localnet);

/*
 * Reads the links; then the subnets are those of the bridges among them. The kernel may let this wait for the rtnl lock, which each container that starts or
 * ends holds for a moment: read again only where addresses have changed. 1 if the bridges or their subnets are others than before, 0 if not; -1 with errno, as they were; EAGAIN: links
 * changed while they were read, and again at each further try.
 */
int localnet_read(struct localnet *localnet, const struct localaddr *localaddr);

/* A bridge has an entry for each of its subnets, in an order that stays. Valid until the next reading. */
struct localnet_bridge {
	struct prefix subnet;
	char name[IFNAMSIZ];
};

const struct localnet_bridge *localnet_bridges(const struct localnet *localnet, size_t *count);

bool localnet_has(const struct localnet *localnet, const struct address *address);

#endif
