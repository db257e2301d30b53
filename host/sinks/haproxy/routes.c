#include <config.h>

#include "routes.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "registry/served.h"
#include "shared/clock.h"
#include "shared/log.h"

struct target {
	struct address address;
	uint16_t port;
};

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

/* What an instance takes part in. */
struct part {
	struct service *service;
	bool kept;
};

struct instance {
	struct ident ident;
	struct part *parts;
	unsigned nparts, room;
	UT_hash_handle hh;
};

struct routes {
	const struct policy *policy; /* borrowed */
	uint16_t default_port;
	struct service *services;
	struct instance *instances;
	struct service *dirty, *empty;
	bool changed;
};

/* ---- memory ---- */

/* Names that are not there because memory ran out would be a lie that nobody notices: better to be started again. */
static void *must(void *memory)
{
	if (memory == NULL) {
		log_error("HAProxy's map");
		abort();
	}
	return memory;
}

/* Room for one more. */
static void *grow(void *array, unsigned count, unsigned *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room == 0 ? 2 : *room * 2;
	return must(reallocarray(array, *room, size));
}

/* ---- services ---- */

static void note_dirty(struct routes *routes, struct service *service)
{
	routes->changed = true;
	if (service->dirty)
		return;
	service->dirty = true;
	DL_APPEND2(routes->dirty, service, dirty_prev, dirty_next);
}

static void clear_dirty(struct routes *routes, struct service *service)
{
	if (!service->dirty)
		return;
	service->dirty = false;
	DL_DELETE2(routes->dirty, service, dirty_prev, dirty_next);
}

static void set_empty(struct routes *routes, struct service *service, bool empty)
{
	if (service->empty == empty)
		return;
	service->empty = empty;
	service->due_ms = 0;
	if (empty)
		DL_APPEND2(routes->empty, service, empty_prev, empty_next);
	else
		DL_DELETE2(routes->empty, service, empty_prev, empty_next);
}

static struct service *service_get(struct routes *routes, const char *name)
{
	struct service *service;

	HASH_FIND_STR(routes->services, name, service);
	if (service != NULL)
		return service;
	service = must(calloc(1, sizeof(*service)));
	memcpy(service->name, name, strlen(name) + 1);
	HASH_ADD_STR(routes->services, name, service);
	return service;
}

static void service_free(struct routes *routes, struct service *service)
{
	clear_dirty(routes, service);
	set_empty(routes, service, false);
	HASH_DEL(routes->services, service);
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

static void service_put(struct routes *routes, struct service *service, const struct ident *instance,
			const struct target *target)
{
	struct member *member = service_find(service, instance);

	if (member != NULL && same_target(&member->target, target))
		return;
	if (member == NULL) {
		service->members =
			grow(service->members, service->nmembers, &service->members_room, sizeof(*service->members));
		member = &service->members[service->nmembers++];
		member->instance = *instance;
	}
	member->target = *target;
	service->over = false;
	set_empty(routes, service, false);
	note_dirty(routes, service);
}

/* The last one takes its place: one entry of the map changes, whatever their number. */
static void service_remove(struct routes *routes, struct service *service, const struct ident *instance)
{
	struct member *member = service_find(service, instance);

	if (member == NULL)
		return;
	*member = service->members[--service->nmembers];
	set_empty(routes, service, service->nmembers == 0);
	note_dirty(routes, service);
}

/* ---- instances ---- */

static void instance_put(struct routes *routes, struct instance *instance, const char *port, const char *fqdn,
			 const struct target *target)
{
	char key[ROUTES_SERVICE_SIZE];
	struct service *service;

	snprintf(key, sizeof(key), "%s@%s", port, fqdn);
	service = service_get(routes, key);
	service_put(routes, service, &instance->ident, target);
	for (unsigned i = 0; i < instance->nparts; i++)
		if (instance->parts[i].service == service) {
			instance->parts[i].kept = true;
			return;
		}
	instance->parts = grow(instance->parts, instance->nparts, &instance->room, sizeof(*instance->parts));
	instance->parts[instance->nparts++] = (struct part){service, true};
}

/* A container is one member however many addresses it has: the first IPv4 address, which a host with a docker0 has a
 * way to, else the first. */
static const struct address *choose_address(const struct fact *fact, uint32_t addresses)
{
	const struct address *chosen = NULL;

	for (unsigned i = 0; i < fact->naddresses; i++) {
		const struct address *address = &fact->addresses[i];

		if ((addresses >> i & 1) != 0 && (chosen == NULL || (chosen->family != 4 && address->family == 4)))
			chosen = address;
	}
	return chosen;
}

struct putting {
	struct routes *routes;
	struct instance *instance;
	const struct fact *fact;
};

/* Each of its ports below this name. */
static bool put_name(void *arg, const struct served *served)
{
	const struct putting *putting = arg;
	const struct fact *fact = putting->fact;
	const struct address *address = choose_address(fact, served->addresses);
	bool has_default = putting->routes->default_port == 0;
	struct target target;

	if (address == NULL)
		return true;
	target.address = *address;
	for (unsigned i = 0; i < fact->nports; i++) {
		target.port = fact->ports[i].port;
		instance_put(putting->routes, putting->instance, fact->ports[i].name, served->fqdn, &target);
		has_default |= strcmp(fact->ports[i].name, ROUTES_DEFAULT_SERVICE) == 0;
	}
	target.port = putting->routes->default_port;
	if (!has_default)
		instance_put(putting->routes, putting->instance, ROUTES_DEFAULT_SERVICE, served->fqdn, &target);
	return true;
}

/* Out of everything that was not put again. */
static void sweep(struct routes *routes, struct instance *instance)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < instance->nparts; i++) {
		if (instance->parts[i].kept)
			instance->parts[kept++] = instance->parts[i];
		else
			service_remove(routes, instance->parts[i].service, &instance->ident);
	}
	instance->nparts = kept;
}

static void forget_kept(struct instance *instance)
{
	for (unsigned i = 0; i < instance->nparts; i++)
		instance->parts[i].kept = false;
}

static void instance_free(struct routes *routes, struct instance *instance)
{
	HASH_DEL(routes->instances, instance);
	free(instance->parts);
	free(instance);
}

void routes_listing(struct routes *routes, const struct listing *listing)
{
	const struct ident *ident = &listing->fact->instance;
	struct instance *instance;
	struct putting putting;

	HASH_FIND(hh, routes->instances, ident, sizeof(*ident), instance);
	if (instance == NULL) {
		instance = must(calloc(1, sizeof(*instance)));
		instance->ident = *ident;
		HASH_ADD(hh, routes->instances, ident, sizeof(instance->ident), instance);
	}
	forget_kept(instance);
	putting = (struct putting){routes, instance, listing->fact};
	served_each(routes->policy, listing, put_name, &putting);
	sweep(routes, instance);
	if (instance->nparts == 0)
		instance_free(routes, instance);
}

void routes_gone(struct routes *routes, const struct ident *ident)
{
	struct instance *instance;

	HASH_FIND(hh, routes->instances, ident, sizeof(*ident), instance);
	if (instance == NULL)
		return;
	forget_kept(instance);
	sweep(routes, instance);
	instance_free(routes, instance);
}

/* ---- all of them ---- */

struct routes *routes_new(void)
{
	return calloc(1, sizeof(struct routes));
}

void routes_free(struct routes *routes)
{
	struct instance *instance, *next_instance;
	struct service *service, *next_service;

	if (routes == NULL)
		return;
	HASH_ITER (hh, routes->instances, instance, next_instance)
		instance_free(routes, instance);
	HASH_ITER (hh, routes->services, service, next_service)
		service_free(routes, service);
	free(routes);
}

void routes_configure(struct routes *routes, const struct policy *policy, uint16_t default_port)
{
	struct instance *instance, *next;

	HASH_ITER (hh, routes->instances, instance, next) {
		forget_kept(instance);
		sweep(routes, instance);
		instance_free(routes, instance);
	}
	routes->policy = policy;
	routes->default_port = default_port;
}

void routes_tick(struct routes *routes, int64_t now_ms)
{
	struct service *service, *next;

	DL_FOREACH_SAFE2(routes->empty, service, next, empty_next)
	{
		if (service->due_ms == 0)
			service->due_ms = now_ms + ROUTES_LINGER_MS;
		if (service->due_ms > now_ms)
			continue;
		service->over = true;
		set_empty(routes, service, false);
		if (service->known)
			note_dirty(routes, service);
		else
			service_free(routes, service);
	}
}

int64_t routes_deadline_ms(const struct routes *routes)
{
	return routes->empty != NULL ? routes->empty->due_ms : CLOCK_NEVER;
}

bool routes_changed(struct routes *routes)
{
	bool changed = routes->changed;

	routes->changed = false;
	return changed;
}

size_t routes_services(const struct routes *routes)
{
	return HASH_COUNT(routes->services);
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
		service->told = grow(service->told, service->told_room, &service->told_room, sizeof(*service->told));
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

size_t routes_write_changes(struct routes *routes, const char *map, FILE *out)
{
	struct service *service, *next;
	size_t count = 0;

	DL_FOREACH_SAFE2(routes->dirty, service, next, dirty_next)
	{
		clear_dirty(routes, service);
		if (!service->over || service->ntold > 0)
			count += write_members(service, map, out);
		note_told(service);
		if (!service->over)
			continue;
		fprintf(out, "del map %s %s\n", map, service->name);
		count++;
		service_free(routes, service);
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

void routes_each(struct routes *routes, bool told, routes_entry *entry, void *arg)
{
	struct service *service, *next;

	HASH_ITER (hh, routes->services, service, next) {
		if (!service->over)
			write_entries(service, entry, arg);
		if (!told)
			continue;
		clear_dirty(routes, service);
		note_told(service);
		if (service->over)
			service_free(routes, service);
	}
}
