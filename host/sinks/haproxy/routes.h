#ifndef CALLSIGN_ROUTES_H
#define CALLSIGN_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "registry/view.h"
#include "shared/contract/announcement.h"

/*
 * Who answers for which service, as entries of a map for a proxy, and how these differ from what the proxy was told.
 * Pure. A service is PORT@NAME with the port's name and the whole domain name. For each there is its number of members,
 * and each member by its index:
 *
 *   http@my-cool-host.docker 2
 *   0/http@my-cool-host.docker 172.17.0.2:9090
 *   1/http@my-cool-host.docker fd00::7:9090
 *
 * The port stands behind the last colon. No key of one kind can be one of the other: a port's name has no slash.
 *
 * A service whose last member goes stays for a while with number 0: known, but nobody answers.
 */
struct routes;

#define ROUTES_LINGER_MS    60000
#define ROUTES_SERVICE_SIZE (ANNOUNCEMENT_PORT_NAME_MAX + 1 + HOSTNAME_FQDN_SIZE)
#define ROUTES_KEY_SIZE     (ROUTES_SERVICE_SIZE + 11) /* index and slash */
#define ROUTES_VALUE_SIZE   (ADDRESS_TEXT_SIZE + 6)    /* a colon and the port */

/* The service that a container has which announces no port of this name, at a port that is the same for all. */
#define ROUTES_DEFAULT_SERVICE "http"

/* NULL with errno. Out of memory anywhere later: the process ends (names that lack would be a lie). */
struct routes *routes_new(void);
void routes_free(struct routes *routes);

/*
 * What is said from now on goes by these: policy, borrowed, for its domains; default_port 0: none; wildcard: each service
 * is there as PORT@*.NAME, too, for what is below the name. All members are
 * forgotten and have to be told again by routes_listing(); what the proxy was told is not. Call it before anything
 * else.
 */
void routes_configure(struct routes *routes, const struct policy *policy, uint16_t default_port, bool wildcard);

void routes_listing(struct routes *routes, const struct listing *listing);
void routes_gone(struct routes *routes, const struct ident *instance);

/* Services without members go when their time is over. Call after changes, and at routes_deadline_ms() or later. */
void routes_tick(struct routes *routes, int64_t now_ms);
int64_t routes_deadline_ms(const struct routes *routes);

/* Whether anything has changed since this was last asked. */
bool routes_changed(struct routes *routes);
size_t routes_services(const struct routes *routes);

/*
 * The differences, as commands of HAProxy's runtime API (management guide, section 9.3), one a line: after each of them
 * every service is whole (a number never promises a member that is not there yet). Returns how many. They count as
 * told.
 */
size_t routes_write_changes(struct routes *routes, const char *map, FILE *out);

/* All entries. told: they count as told. */
typedef void routes_entry(void *arg, const char *key, const char *value);
void routes_each(struct routes *routes, bool told, routes_entry *entry, void *arg);

#endif
