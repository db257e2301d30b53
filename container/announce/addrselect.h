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
};

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

/* Both empty: follow the connection to the broker. Both given: addresses that fit both. */
struct addrselect_wish {
	char interfaces[ADDRSELECT_INTERFACES_MAX][IF_NAMESIZE];
	size_t ninterfaces;
	struct prefix subnets[ADDRSELECT_SUBNETS_MAX];
	size_t nsubnets;
};

/*
 * connection: the local address of the broker connection, or NULL while there is none. By default that address, and the best global
 * one of the other family on its interface; if it is loopback, the best ones on the default route's interface. An address that
 * facts do not know (yet) is taken as it is.
 * IPv4 comes first, the order is always the same, and never is there one that address_unusable() refuses. Returns how many.
 */
unsigned addrselect(const struct addrselect_facts *facts, const struct addrselect_wish *wish,
                    const struct address *connection, struct address out[ANNOUNCEMENT_ADDRESSES_MAX]);

/* Whether one of the machine's interfaces has this address. */
bool addrselect_has(const struct addrselect_facts *facts, const struct address *address);

#endif
