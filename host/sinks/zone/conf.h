#ifndef CALLSIGN_CONF_ZONE_H
#define CALLSIGN_CONF_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/address.h"
#include "key.h"

/* A section zone of callsignd.conf: a zone of a name server that is kept current by updates (zone.h). */
#define CONF_ZONE_REVERSE_MAX 8
#define CONF_ZONE_PORT 53

struct conf_zone {
	char *name;                           /* folded, without the final dot */
	char *reverse[CONF_ZONE_REVERSE_MAX]; /* likewise */
	size_t nreverse;
	struct address address;
	uint16_t port;
	char *secret_file;
	struct zone_key key;
	char *owner;                          /* what our owner records say */
	uint32_t ttl_s;
	int64_t timeout_ms, check_ms;
	bool required, standby;
};

void conf_zone_clear(struct conf_zone *zone); /* wipes the key */
bool conf_zone_same(const struct conf_zone *a, const struct conf_zone *b);

/* "ADDRESS", "ADDRESS:PORT" or "[IPV6]:PORT". 0, or -1. */
int conf_zone_parse_server(const char *text, struct address *address, uint16_t *port);

/* Letters, digits and -_. of up to 100 bytes. */
bool conf_zone_owner_valid(const char *owner);

#endif
