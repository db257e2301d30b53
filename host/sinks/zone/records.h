#ifndef CALLSIGN_ZONE_RECORDS_H
#define CALLSIGN_ZONE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"
#include "registry/policy.h"
#include "registry/view.h"

/*
 * What one listing puts into a zone. Pure. For each of its names that is served below the zone: A and AAAA for each of its addresses there; for each port
 * SRV at _PORT._tcp.NAME, which leads to the first of its names in that domain (its own, if that is served), and a string "PORT=NUMBER" in a TXT at
 * the name. wildcard: the same addresses at *.NAME, too, which every name below it that the zone does not have leads to (RFC 4592). For each address a PTR
 * to the first of its names, so that an address leads to one name however many lead to it. Neither leads to a name that is somebody else's in the zone.
 */
struct zone_writer {
	const char *zone;
	bool wildcard;
	/* name and data are valid during the call. 0, or -1: no more. */
	int (*emit)(void *arg, const char *name, uint16_t type, const uint8_t *data, size_t length);
	bool (*foreign)(void *arg, const char *fqdn); /* whether it is somebody else's there */
	void *arg;
};

/* 0, or -1: emit did. */
int zone_records(const struct policy *policy, const struct listing *listing, const struct zone_writer *writer);

/* Where the services and pointers of the listing lead, as a number: another one if some of them would lead elsewhere now. Emits nothing. */
uint64_t zone_records_lead(const struct policy *policy, const struct listing *listing, const struct zone_writer *writer);

#endif
