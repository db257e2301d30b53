#ifndef CALLSIGN_ZONE_CLIENT_H
#define CALLSIGN_ZONE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "table.h"

/*
 * One zone of one name server, kept as its table says. It connects (TCP), asks for the zone's owner records, reads the whole zone (AXFR) and
 * then sends what differs, one update at a time, each under the condition that zone and names are still ours. Nothing waits: all of it goes on
 * from zone_client_step(). After every outage, and whenever the zone's serial is another one than our own updates left, it is read again.
 */
struct zone_client;

/* zone: conf->name or one of conf->reverse; both are borrowed. epoll: where its connections are watched. NULL with errno. */
struct zone_client *zone_client_new(const char *zone, const struct zone_conf *conf, int epoll, int64_t now_ms);
void zone_client_free(struct zone_client *client);
void zone_client_configure(struct zone_client *client, const char *zone, const struct zone_conf *conf); /* the same, elsewhere in memory */

const char *zone_client_zone(const struct zone_client *client);
struct zone_table *zone_client_table(struct zone_client *client);

/* After each change of the table, each event of its connections, and at its deadline. */
void zone_client_step(struct zone_client *client, int64_t now_ms);
int64_t zone_client_deadline_ms(const struct zone_client *client);

/* NULL, or what is wrong and what to do. */
const char *zone_client_trouble(struct zone_client *client);

#endif
