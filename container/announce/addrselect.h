#ifndef CALLSIGN_ADDRSELECT_H
#define CALLSIGN_ADDRSELECT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "shared/address.h"
#include "shared/contract/announcement.h"

/* Which of this machine's addresses are announced. Pure: facts and wishes in, addresses out. */

struct addrselect_link {
	unsigned index;
	char name[IF_NAMESIZE];
	bool up;
	unsigned mtu;
	int far_end; /* in which network namespace the other end of its cable is, as the kernel numbers them here */
};

#define ADDRSELECT_NO_FAR_END (-1) /* it is no cable, its other end is in this namespace, or nobody has asked */

struct addrselect_address {
	unsigned link;
	struct address address;
	bool lesser;    /* temporary (RFC 8981) or deprecated IPv6, secondary IPv4: only where the link has nothing better */
	bool unsettled; /* tentative, or a duplicate was found (RFC 4862): not ours, or not yet */
	bool temporary; /* RFC 8981 */
	bool pending;   /* tentative: ours in a second or two, as a rule */
};

struct addrselect_facts {
	struct addrselect_link *links;
	size_t nlinks;
	struct addrselect_address *addresses;
	size_t naddresses;
	unsigned default_link; /* where the default route leads (IPv4 first); 0: there is none */
};

#define ADDRSELECT_INTERFACES_MAX 16
#define ADDRSELECT_SUBNETS_MAX 32

/* Nothing wished: follow the connection to the broker. Interfaces and subnets: addresses that fit both. */
struct addrselect_wish {
	bool all; /* of every interface, or of those wished for */
	char interfaces[ADDRSELECT_INTERFACES_MAX][IF_NAMESIZE];
	size_t ninterfaces;
	struct prefix subnets[ADDRSELECT_SUBNETS_MAX];
	size_t nsubnets;
};

/*
 * connection: the local address of the broker connection, or NULL while there is none. By default that address, and the best global
 * one of the other family on its interface; if it is loopback, the best ones on the default route's interface. An address that
 * facts do not know (yet) is taken as it is.
 * On a container of an overlay network the overlay's take the place of those of docker_gwbridge, which the connection comes from.
 * Where more are wished for than a message holds: IPv4 before IPv6; in each family in the order of the wished interfaces, else those of the connection's
 * interface, of the default route's, of the others; in each of these the smallest first.
 * IPv4 comes first, the order is always the same, and never is there one that address_unusable() refuses. Returns how many.
 */
unsigned addrselect(const struct addrselect_facts *facts, const struct addrselect_wish *wish,
                    const struct address *connection, struct address out[ANNOUNCEMENT_ADDRESSES_MAX]);

/* Those that a message has no room for, as many as there is room for here. Returns how many. */
#define ADDRSELECT_BEYOND_MAX 16
unsigned addrselect_beyond(const struct addrselect_facts *facts, const struct addrselect_wish *wish, const struct address *connection,
                           struct address out[ADDRSELECT_BEYOND_MAX]);

/* Whether one of the machine's interfaces has this address. */
bool addrselect_has(const struct addrselect_facts *facts, const struct address *address);

#endif
