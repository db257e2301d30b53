#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "host/bus/intake.h"
#include "shared/bus/bus_amqp.h"
#include "shared/clock.h"

/*
 * Deliveries as the broker's frames bring them, from the property bytes of the header frame to the registry. Input: for each delivery its
 * exchange (a byte), routing key, properties (raw: flags, then the fields) and body.
 */

static struct {
	struct intake intake;
	int64_t now_ms;
} host;

static void taken(void *arg, const struct bus_delivery *delivery)
{
	struct announcement message;
	struct intake_outcome outcome;
	char queue[QUEUE_WILL_SIZE];

	(void)arg;
	fuzz_check(delivery->death_queue.data == NULL || delivery->dead_lettered);
	intake_take(&host.intake, delivery, &message, host.now_ms++, &outcome);
	fuzz_check(fuzz_is_line(outcome.reason));
	fuzz_check((outcome.reason[0] != '\0') == (outcome.result == INTAKE_REFUSED));
	if (outcome.result != INTAKE_TAKEN)
		return;
	/* What the design rests on: only the broker's own word makes somebody lost, and dead-lettering makes nobody come or go. */
	fuzz_check(delivery->dead_lettered == (message.op == ANNOUNCEMENT_LOST) && delivery->user_id.length > 0);
	if (message.op != ANNOUNCEMENT_LOST)
		return;
	announcement_will_queue(message.name, &message.session, queue);
	fuzz_check(delivery->death_queue.length == strlen(queue) &&
	           memcmp(delivery->death_queue.data, queue, strlen(queue)) == 0);
}

static void put(unsigned char *at, uint64_t number, unsigned bytes)
{
	while (bytes > 0) {
		at[--bytes] = (unsigned char)number;
		number >>= 8;
	}
}

/* The arguments of basic.deliver (AMQP 0-9-1, section 1.8.3.13), without a consumer tag. */
static void begin(struct bus *bus, const char *exchange, struct fuzz_input key)
{
	unsigned char arguments[600] = {0};
	size_t length = strlen(exchange), size = 1 + 8 + 1;
	struct wire wire;

	put(arguments + 1, 1, 8);
	arguments[size++] = (unsigned char)length;
	memcpy(arguments + size, exchange, length);
	size += length;
	arguments[size++] = (unsigned char)key.size;
	if (key.size > 0)
		memcpy(arguments + size, key.data, key.size);
	wire = wire_at(arguments, size + key.size);
	bus_content_deliver(bus, &wire);
	fuzz_check(!wire.bad);
}

/* In memory of its own, so that a byte too many that is read is noticed. */
static void give(struct bus *bus, const struct fuzz_input *properties, size_t body_size)
{
	size_t size = 12 + properties->size;
	unsigned char *payload = malloc(size);
	struct bus_raw frame = {.type = 2, .channel = BUS_CHANNEL, .payload = payload, .length = size, .whole = size};

	fuzz_check(payload != NULL);
	put(payload, 60, 2);
	put(payload + 2, 0, 2);
	put(payload + 4, body_size, 8);
	if (properties->size > 0)
		memcpy(payload + 12, properties->data, properties->size);
	fuzz_check(bus_content_header(bus, &frame));
	free(payload);
}

static void deliver(struct bus *bus, struct fuzz_input *input)
{
	static const char *const exchanges[] = {EXCHANGE_ANNOUNCE, EXCHANGE_WILL, EXCHANGE_ROLLCALL, ""};
	const char *exchange = exchanges[fuzz_byte(input) % 4];
	struct fuzz_input key = fuzz_short(input), properties = fuzz_long(input), body = fuzz_long(input);
	struct bus_raw frame = {.type = 3, .channel = BUS_CHANNEL, .payload = body.data, .length = body.size, .whole = body.size};

	begin(bus, exchange, key);
	give(bus, &properties, body.size);
	if (body.size > 0)
		fuzz_check(bus_content_body(bus, &frame));
}

static size_t max_names(void *arg, const char *user)
{
	(void)arg;
	(void)user;
	return 4;
}

static struct registry *new_registry(void)
{
	struct registry_options options = {.resync_timeout_ms = 8000, .max_lease_s = ANNOUNCEMENT_LEASE_MAX_S,
	                                   .max_ended_per_user = 4};
	struct registry_watcher watcher = {.max_names = max_names};
	struct registry *registry = registry_new(&options, &watcher, 1);

	fuzz_check(registry != NULL);
	registry_connected(registry, 1);
	return registry;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bus_callbacks callbacks = {.delivery = taken};
	static struct policy policy;
	struct fuzz_input input = {data, size};
	struct bus *bus = bus_new(&callbacks, NULL);

	fuzz_check(bus != NULL);
	if (host.intake.refusals == NULL) {
		policy_init(&policy);
		host.intake.refusals = refusals_new();
	}
	host.intake.policy = &policy;
	host.intake.registry = new_registry();
	host.now_ms = 2;
	while (input.size > 0)
		deliver(bus, &input);
	registry_free(host.intake.registry);
	bus_free(bus);
	return 0;
}
