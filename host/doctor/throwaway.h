#ifndef CALLSIGN_THROWAWAY_H
#define CALLSIGN_THROWAWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/address.h"

/*
 * A bridge as Docker would make one for a network of its own (br-...), with one network namespace on it, for as long as something is tried out from
 * there. It is gone afterwards whatever happens: a process that does nothing else removes it as soon as we have ended, however that came about.
 */
#define THROWAWAY_WHY_SIZE 256
#define THROWAWAY_NAME_SIZE 16

struct throwaway {
	char bridge[THROWAWAY_NAME_SIZE];
	char why[THROWAWAY_WHY_SIZE]; /* of a failure, in words */
	int64_t timeout_ms;           /* for the work */
	bool gone;                    /* somebody else removed the bridge meanwhile: what was seen, or why, means nothing */
	bool six;                     /* it has IPv6, too; a host may have none */
};

/*
 * Run work(arg) in the namespace, in a process of its own; what it leaves in the size bytes at arg is there afterwards. near: an address of the
 * networks beside which the bridge's own is chosen, so that a firewall's rule for containers' addresses means it, too; nobody may have that network.
 * 0, or -1 with why: it takes root, and ip(8).
 */
int throwaway_run(struct throwaway *throwaway, const struct address *near, void (*work)(void *arg), void *arg, size_t size);

/*
 * The bridge's network: the last four addresses of the private block (RFC 1918; RFC 2544 for tests) that near is in, or those before them, of which
 * no interface or route is: the first of them as text ("172.31.255.252", a /30). routes: as /proc/net/route has them. -1: all are taken. Pure.
 */
int throwaway_network(const struct address *near, const char *routes, char out[ADDRESS_TEXT_SIZE]);

#endif
