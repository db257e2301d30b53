#include <config.h>

#include "upkeep.h"

#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/contract/announcement.h"
#include "shared/log.h"

/* From here on an exchange takes the topic permissions on it along when it goes; before, they stay for the next one of its name. */
#define VERSION_RIGHTS_GO BUS_VERSION(4, 3, 0)

enum { ACCESS_REFUSED = 403 };

static const struct {
	const char *name, *type;
	bool rights; /* tenants have topic permissions on it */
} exchanges[] = {
	{EXCHANGE_ANNOUNCE, "topic", true},
	{EXCHANGE_WILL, "topic", true},
	{EXCHANGE_ROLLCALL, "fanout", false},
};

#define EXCHANGES (sizeof exchanges / sizeof *exchanges)

static const char *const binding_keys[] = {"up.#", "down.#", "lost.#"};

void upkeep_host(struct upkeep *upkeep, const char *hostname)
{
	snprintf(upkeep->key, sizeof upkeep->key, "probe.%s", hostname);
}

void upkeep_exchanges(struct upkeep *upkeep, struct bus *bus)
{
	size_t i;

	for (i = 0; i < EXCHANGES; i++)
		bus_exchange_declare(bus, exchanges[i].name, exchanges[i].type, !(upkeep->make >> i & 1), true);
	upkeep->made = upkeep->make;
	upkeep->probe = 0;
}

void upkeep_bind(const struct upkeep *upkeep, struct bus *bus, const char *queue)
{
	size_t i;

	for (i = 0; i < sizeof binding_keys / sizeof *binding_keys; i++)
		bus_queue_bind(bus, queue, EXCHANGE_ANNOUNCE, binding_keys[i]);
	bus_queue_bind(bus, queue, EXCHANGE_ANNOUNCE, upkeep->key);
	bus_queue_bind(bus, queue, EXCHANGE_ROLLCALL, "");
}

void upkeep_forget(struct upkeep *upkeep)
{
	upkeep->make = upkeep->made = 0;
}

bool upkeep_missing(struct upkeep *upkeep, const struct bus_failure *failure)
{
	size_t i;

	/* A declaration that is not passive takes the right to configure, also where the exchange is there by now. */
	if (failure->kind == BUS_FAILED_CHANNEL && failure->code == ACCESS_REFUSED && failure->request == BUS_REQUEST_EXCHANGE_DECLARE)
		upkeep_forget(upkeep);
	if (failure->kind != BUS_FAILED_CHANNEL || failure->cause.kind != BUS_CAUSE_MISSING)
		return false;
	for (i = 0; i < EXCHANGES; i++) {
		if (strcmp(failure->cause.object, exchanges[i].name) != 0 || upkeep->make >> i & 1)
			continue;
		upkeep->make |= (uint8_t)(1U << i);
		return true;
	}
	return false;
}

static void upkeep_warn_of_rights(const struct bus *bus, const char *exchange)
{
	if (bus_broker(bus)->number >= VERSION_RIGHTS_GO)
		log_warnx("exchange=%s was made anew, and on RabbitMQ %s topic permissions go with the exchange: tenants that had some may use every key now, "
		          "and announce other tenants' names, until they are set again: callsignctl doctor names who has none, docs/security.md the commands",
		          exchange, bus_broker(bus)->version);
}

void upkeep_begin(struct upkeep *upkeep, const struct bus *bus, int64_t now_ms)
{
	size_t i;

	for (i = 0; i < EXCHANGES; i++) {
		if (!(upkeep->made >> i & 1))
			continue;
		upkeep->exchanges_made++;
		log_info("exchange=%s was not there: made", exchanges[i].name);
		if (exchanges[i].rights)
			upkeep_warn_of_rights(bus, exchanges[i].name);
	}
	upkeep->make = upkeep->made = 0;
	upkeep->due_ms = now_ms + UPKEEP_MS;
}

static void upkeep_probe(struct upkeep *upkeep, struct bus *bus)
{
	struct bus_properties properties = {.type = ANNOUNCEMENT_TYPE, .user_id = bus_user(bus)};

	upkeep->probe = bus_publish(bus, EXCHANGE_ANNOUNCE, upkeep->key, true, &properties, "", 0);
}

void upkeep_step(struct upkeep *upkeep, struct bus *bus, const char *queue, int64_t now_ms)
{
	size_t i;

	if (now_ms < upkeep->due_ms - UPKEEP_EARLY_MS)
		return;
	/* A deadline that nobody acts on would keep the loop turning. */
	if (upkeep->probe != 0 || !bus_takes(bus)) {
		upkeep->due_ms = now_ms + UPKEEP_EARLY_MS + UPKEEP_AGAIN_MS;
		return;
	}
	upkeep->due_ms = now_ms + UPKEEP_MS;
	for (i = 0; i < EXCHANGES; i++)
		bus_exchange_declare(bus, exchanges[i].name, exchanges[i].type, true, true);
	upkeep_probe(upkeep, bus);
	/* Behind the probe, which is to find out first. */
	if (++upkeep->checks % UPKEEP_BIND_EACH == 0)
		upkeep_bind(upkeep, bus, queue);
}

bool upkeep_is_probe(const struct upkeep *upkeep, const struct bus_delivery *delivery)
{
	size_t length = strlen(upkeep->key);

	return delivery->body_length == 0 && delivery->routing_key.length == length && memcmp(delivery->routing_key.data, upkeep->key, length) == 0 &&
	       delivery->exchange.length == strlen(EXCHANGE_ANNOUNCE) &&
	       memcmp(delivery->exchange.data, EXCHANGE_ANNOUNCE, strlen(EXCHANGE_ANNOUNCE)) == 0;
}

bool upkeep_confirm(struct upkeep *upkeep, struct bus *bus, const char *queue, uint64_t sequence, enum bus_confirm result)
{
	if (sequence == 0 || sequence != upkeep->probe)
		return false;
	upkeep->probe = 0;
	if (result != BUS_RETURNED)
		return false;
	upkeep->bindings_lost++;
	log_warnx("queue=%s has lost its bindings: somebody has deleted exchange=%s, and made it anew. Bound again; everyone is asked to announce again",
	          queue, EXCHANGE_ANNOUNCE);
	upkeep_warn_of_rights(bus, EXCHANGE_ANNOUNCE);
	upkeep_bind(upkeep, bus, queue);
	return true;
}
