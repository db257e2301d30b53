#ifndef CALLSIGN_ZONE_CONF_H
#define CALLSIGN_ZONE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/section.h"
#include "key.h"
#include "shared/address.h"

/* A section zone of callsignd.conf: a zone of a name server that is kept current by updates (zone.h). */
#define ZONE_CONF_REVERSE_MAX 8
#define ZONE_CONF_PORT 53

struct zone_conf {
	char *name;                           /* folded, without the final dot */
	char *reverse[ZONE_CONF_REVERSE_MAX]; /* likewise */
	size_t nreverse;
	struct address address;
	uint16_t port;
	char *secret_file;
	struct zone_key key;
	char *owner;                          /* what our owner records say */
	uint32_t ttl_s;
	int64_t timeout_ms, check_ms;
	bool required, standby, wildcard;
};

/* What zone_section makes of all of them. Without ldns there may be none. */
struct zone_confs {
	struct zone_conf *list;
	size_t count;
};

extern const struct conf_section zone_section;

/* The i-th of them, or NULL. */
const struct zone_conf *zone_conf(const struct conf *conf, size_t i);

void zone_conf_clear(struct zone_conf *zone); /* wipes the key */
bool zone_conf_same(const struct zone_conf *a, const struct zone_conf *b);

/* "ADDRESS", "ADDRESS:PORT" or "[IPV6]:PORT". 0, or -1. */
int zone_conf_parse_server(const char *text, struct address *address, uint16_t *port);

/* Letters, digits and -_. of up to 100 bytes. */
bool zone_conf_owner_valid(const char *owner);

#endif
