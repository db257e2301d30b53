#ifndef CALLSIGN_IFADDR_H
#define CALLSIGN_IFADDR_H

#include "shared/address.h"

/* Addresses of one network interface, as they are now: interfaces such as docker0 come and go. */

/*
 * The (first) IPv4 address. 0, or -1: there is no such interface, or it has none. The kernel's rtnl lock may be waited for, 200 ms and more: for
 * programs that ask once. The daemon has localaddr_ipv4().
 */
int ifaddr_ipv4(const char *interface, struct address *out);

/* Up to max lasting global IPv6 addresses: no temporary, tentative or deprecated ones. How many. */
unsigned ifaddr_ipv6(const char *interface, struct address *out, unsigned max);

/* Those that are tentative, too: a bridge without a carrier, as docker0 is until a container is on it, does not get beyond that. */
unsigned ifaddr_ipv6_assigned(const char *interface, struct address *out, unsigned max);

#endif
