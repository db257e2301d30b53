#include <config.h>

#include "services.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "shared/clock.h"
#include "shared/log.h"

struct member {
	struct ident instance;
	struct target target;
};

struct service {
	char name[ROUTES_SERVICE_SIZE];
	struct member *members;
	struct target *told;
	unsigned nmembers, ntold, members_room, told_room;
	bool known;     /* the proxy has its number */
	bool over;      /* it is to go from the proxy, too */
	bool dirty;     /* in the list of those that may differ */
	int64_t due_ms; /* without members: when it goes; 0: not decided yet */
	struct service *dirty_prev, *dirty_next;
	struct service *empty_prev, *empty_next;
	bool empty; /* in the list of those without members, the oldest first */
	UT_hash_handle hh;
};

void *services_must(void *memory)
{
	if (memory == NULL) {
		log_error("HAProxy's map");
		abort();
	}
	return memory;
}

void *services_grow(void *array, unsigned count, unsigned *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room == 0 ? 2 : *room * 2;
	return services_must(reallocarray(array, *room, size));
}

/* ---- what may differ, and what has nobody ---- */

static void note_dirty(struct services *services, struct service *service)
{
	services->changed = true;
	if (service->dirty)
		return;
	service->dirty = true;
	DL_APPEND2(services->dirty, service, dirty_prev, dirty_next);
}

static void clear_dirty(struct services *services, struct service *service)
{
	if (!service->dirty)
		return;
	service->dirty = false;
	DL_DELETE2(services->dirty, service, dirty_prev, dirty_next);
}

static void set_empty(struct services *services, struct service *service, bool empty)
{
	if (service->empty == empty)
		return;
	service->empty = empty;
	service->due_ms = 0;
	if (empty)
		DL_APPEND2(services->empty, service, empty_prev, empty_next);
	else
		DL_DELETE2(services->empty, service, empty_prev, empty_next);
}

/* ---- members ---- */

static struct service *service_get(struct services *services, const char *name)
{
	struct service *service;

	HASH_FIND_STR(services->all, name, service);
	if (service != NULL)
		return service;
	service = services_must(calloc(1, sizeof(*service)));
	memcpy(service->name, name, strlen(name) + 1);
	HASH_ADD_STR(services->all, name, service);
	return service;
}

static void service_free(struct services *services, struct service *service)
{
	clear_dirty(services, service);
	set_empty(services, service, false);
	HASH_DEL(services->all, service);
	free(service->members);
	free(service->told);
	free(service);
}

static bool same_target(const struct target *a, const struct target *b)
{
	return a->port == b->port && address_equal(&a->address, &b->address);
}

static struct member *service_find(struct service *service, const struct ident *instance)
{
	for (unsigned i = 0; i < service->nmembers; i++)
		if (memcmp(&service->members[i].instance, instance, sizeof(*instance)) == 0)
			return &service->members[i];
	return NULL;
}

struct service *services_put(struct services *services, const char *name, const struct ident *instance, const struct target *target)
{
	struct service *service = service_get(services, name);
	struct member *member = service_find(service, instance);

	if (member != NULL && same_target(&member->target, target))
		return service;
	if (member == NULL) {
		service->members =
			services_grow(service->members, service->nmembers, &service->members_room, sizeof(*service->members));
		member = &service->members[service->nmembers++];
		member->instance = *instance;
	}
	member->target = *target;
	service->over = false;
	set_empty(services, service, false);
	note_dirty(services, service);
	return service;
}

/* The last one takes its place: one entry of the map changes, whatever their number. */
void services_remove(struct services *services, struct service *service, const struct ident *instance)
{
	struct member *member = service_find(service, instance);

	if (member == NULL)
		return;
	*member = service->members[--service->nmembers];
	set_empty(services, service, service->nmembers == 0);
	note_dirty(services, service);
}

/* ---- all of them ---- */

void services_clear(struct services *services)
{
	struct service *service, *next;

	HASH_ITER (hh, services->all, service, next)
		service_free(services, service);
}

void services_tick(struct services *services, int64_t now_ms)
{
	struct service *service, *next;

	DL_FOREACH_SAFE2(services->empty, service, next, empty_next)
	{
		if (service->due_ms == 0)
			service->due_ms = now_ms + ROUTES_LINGER_MS;
		if (service->due_ms > now_ms)
			continue;
		service->over = true;
		set_empty(services, service, false);
		if (service->known)
			note_dirty(services, service);
		else
			service_free(services, service);
	}
}

int64_t services_deadline_ms(const struct services *services)
{
	return services->empty != NULL ? services->empty->due_ms : CLOCK_NEVER;
}

bool services_changed(struct services *services)
{
	bool changed = services->changed;

	services->changed = false;
	return changed;
}

size_t services_count(const struct services *services)
{
	return HASH_COUNT(services->all);
}

/* ---- as entries of a map ---- */

static void format_key(const struct service *service, unsigned i, char out[ROUTES_KEY_SIZE])
{
	snprintf(out, ROUTES_KEY_SIZE, "%u/%s", i, service->name);
}

static void format_value(const struct target *target, char out[ROUTES_VALUE_SIZE])
{
	char address[ADDRESS_TEXT_SIZE];

	snprintf(out, ROUTES_VALUE_SIZE, "%s:%u", address_format(&target->address, address), target->port);
}

static void note_told(struct service *service)
{
	while (service->told_room < service->nmembers)
		service->told = services_grow(service->told, service->told_room, &service->told_room, sizeof(*service->told));
	for (unsigned i = 0; i < service->nmembers; i++)
		service->told[i] = service->members[i].target;
	service->ntold = service->nmembers;
	service->known = true;
}

/* Members first, then their number; what is too much goes after it. */
static size_t write_members(const struct service *service, const char *map, FILE *out)
{
	char key[ROUTES_KEY_SIZE], value[ROUTES_VALUE_SIZE];
	size_t count = 0;

	for (unsigned i = 0; i < service->nmembers; i++) {
		if (i < service->ntold && same_target(&service->members[i].target, &service->told[i]))
			continue;
		format_key(service, i, key);
		format_value(&service->members[i].target, value);
		fprintf(out, "%s map %s %s %s\n", i < service->ntold ? "set" : "add", map, key, value);
		count++;
	}
	if (!service->known || service->nmembers != service->ntold) {
		fprintf(out, "%s map %s %s %u\n", service->known ? "set" : "add", map, service->name,
			service->nmembers);
		count++;
	}
	for (unsigned i = service->nmembers; i < service->ntold; i++, count++) {
		format_key(service, i, key);
		fprintf(out, "del map %s %s\n", map, key);
	}
	return count;
}

size_t services_write_changes(struct services *services, const char *map, FILE *out)
{
	struct service *service, *next;
	size_t count = 0;

	DL_FOREACH_SAFE2(services->dirty, service, next, dirty_next)
	{
		clear_dirty(services, service);
		if (!service->over || service->ntold > 0)
			count += write_members(service, map, out);
		note_told(service);
		if (!service->over)
			continue;
		fprintf(out, "del map %s %s\n", map, service->name);
		count++;
		service_free(services, service);
	}
	return count;
}

static void write_entries(const struct service *service, routes_entry *entry, void *arg)
{
	char key[ROUTES_KEY_SIZE], value[ROUTES_VALUE_SIZE];

	for (unsigned i = 0; i < service->nmembers; i++) {
		format_key(service, i, key);
		format_value(&service->members[i].target, value);
		entry(arg, key, value);
	}
	snprintf(value, sizeof(value), "%u", service->nmembers);
	entry(arg, service->name, value);
}

void services_each(struct services *services, bool told, routes_entry *entry, void *arg)
{
	struct service *service, *next;

	HASH_ITER (hh, services->all, service, next) {
		if (!service->over)
			write_entries(service, entry, arg);
		if (!told)
			continue;
		clear_dirty(services, service);
		note_told(service);
		if (service->over)
			service_free(services, service);
	}
}
