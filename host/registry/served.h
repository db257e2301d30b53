#ifndef CALLSIGN_SERVED_H
#define CALLSIGN_SERVED_H

#include <stdint.h>

#include "policy.h"
#include "view.h"

/*
 * What of a listing is served where. Every sink asks here: a name is served in each domain that takes it, with those of the addresses that the domain
 * takes, and in another domain it may be somebody else's. Domains are numbered as in policy->domains. Pure.
 */

/* Below each domain, and ours: where the hosts file's serial is asked for. The longest name that a domain has to have room for besides. */
#define SERVED_SERIAL_NAME "serial.callsign"

/* In which domains name number i of the fact (0: its own, 1 + i: alias i) is served, a bit each: listed there, with at least one address. */
uint32_t served_domains(const struct listing *listing, unsigned i);

/* In which domains anything of it is served. */
uint32_t served_anywhere(const struct listing *listing);

/* Which addresses are served in this domain: bit i for fact->addresses[i]. */
uint32_t served_addresses(const struct listing *listing, unsigned domain);

/* One name in one domain. */
struct served {
	const char *name; /* without the domain: fact->name or one of fact->aliases */
	const char *fqdn; /* only as long as the visit */
	const char *domain;
	unsigned number;    /* of the name, as above */
	unsigned domain_number;
	uint32_t addresses; /* as above; never 0 */
};

/* Each name that is served, in each domain: the fact's own first, by domain. visit returns false to stop. */
void served_each(const struct policy *policy, const struct listing *listing, bool (*visit)(void *arg, const struct served *served), void *arg);

/* The number of the lowest bit; -1 for none. */
int served_first(uint32_t domains);

#endif
