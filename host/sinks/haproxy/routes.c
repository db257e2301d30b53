#include <config.h>

#include "routes.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "registry/served.h"
#include "services.h"

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
	bool wildcard;
	struct services services;
	struct instance *instances;
};

static void instance_put_key(struct routes *routes, struct instance *instance, const char *key, const struct target *target)
{
	struct service *service;

	service = services_put(&routes->services, key, &instance->ident, target);
	for (unsigned i = 0; i < instance->nparts; i++)
		if (instance->parts[i].service == service) {
			instance->parts[i].kept = true;
			return;
		}
	instance->parts = services_grow(instance->parts, instance->nparts, &instance->room, sizeof(*instance->parts));
	instance->parts[instance->nparts++] = (struct part){service, true};
}

static void instance_put(struct routes *routes, struct instance *instance, const char *port, const char *fqdn,
			 const struct target *target)
{
	char key[ROUTES_SERVICE_SIZE];
	int length;

	snprintf(key, sizeof(key), "%s@%s", port, fqdn);
	instance_put_key(routes, instance, key, target);
	if (!routes->wildcard)
		return;
	length = snprintf(key, sizeof(key), "%s@*.%s", port, fqdn);
	/* Below a name of almost full length there can be none. */
	if (length > 0 && (size_t)length < sizeof(key))
		instance_put_key(routes, instance, key, target);
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
			services_remove(&routes->services, instance->parts[i].service, &instance->ident);
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
		instance = services_must(calloc(1, sizeof(*instance)));
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

	if (routes == NULL)
		return;
	HASH_ITER (hh, routes->instances, instance, next_instance)
		instance_free(routes, instance);
	services_clear(&routes->services);
	free(routes);
}

void routes_configure(struct routes *routes, const struct policy *policy, uint16_t default_port, bool wildcard)
{
	struct instance *instance, *next;

	HASH_ITER (hh, routes->instances, instance, next) {
		forget_kept(instance);
		sweep(routes, instance);
		instance_free(routes, instance);
	}
	routes->policy = policy;
	routes->default_port = default_port;
	routes->wildcard = wildcard;
}

/* ---- what the services know ---- */

void routes_tick(struct routes *routes, int64_t now_ms)
{
	services_tick(&routes->services, now_ms);
}

int64_t routes_deadline_ms(const struct routes *routes)
{
	return services_deadline_ms(&routes->services);
}

bool routes_changed(struct routes *routes)
{
	return services_changed(&routes->services);
}

size_t routes_services(const struct routes *routes)
{
	return services_count(&routes->services);
}

size_t routes_write_changes(struct routes *routes, const char *map, FILE *out)
{
	return services_write_changes(&routes->services, map, out);
}

void routes_each(struct routes *routes, bool told, routes_entry *entry, void *arg)
{
	services_each(&routes->services, told, entry, arg);
}
