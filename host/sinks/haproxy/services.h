#ifndef CALLSIGN_HAPROXY_SERVICES_H
#define CALLSIGN_HAPROXY_SERVICES_H

#include "routes.h"

/*
 * The services of routes.h by themselves: the members of each, what the proxy was told of them, and the difference as entries of its map. Who takes
 * part in which is routes.c's. Out of memory the process ends: see services_must().
 */
struct service;

struct target {
	struct address address;
	uint16_t port;
};

/* Begins with all zero. */
struct services {
	struct service *all;
	struct service *dirty, *empty; /* lists: those that may differ from what the proxy was told; those without members, the oldest first */
	bool changed;
};

/* memory, or the end of the process. Names that are not there because memory ran out would be a lie that nobody notices: better to be started again. */
void *services_must(void *memory);

/* array with room for one more than count. */
void *services_grow(void *array, unsigned count, unsigned *room, size_t size);

/* This instance is a member of the service of this name, at this target. */
struct service *services_put(struct services *services, const char *name, const struct ident *instance, const struct target *target);
void services_remove(struct services *services, struct service *service, const struct ident *instance);
void services_clear(struct services *services); /* frees all */

/* As the functions of routes.h that have their names. */
void services_tick(struct services *services, int64_t now_ms);
int64_t services_deadline_ms(const struct services *services);
bool services_changed(struct services *services);
size_t services_count(const struct services *services);
size_t services_write_changes(struct services *services, const char *map, FILE *out);
void services_each(struct services *services, bool told, routes_entry *entry, void *arg);

#endif
