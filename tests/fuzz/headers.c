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

static amqp_bytes_t bytes_of(struct fuzz_input part)
{
	return (amqp_bytes_t){.len = part.size, .bytes = (void *)(uintptr_t)part.data};
}

static void deliver(struct bus *bus, struct fuzz_input *input, amqp_pool_t *pool)
{
	static const char *const exchanges[] = {EXCHANGE_ANNOUNCE, EXCHANGE_WILL, EXCHANGE_ROLLCALL, ""};
	amqp_basic_deliver_t arguments = {.delivery_tag = 1};
	amqp_method_t method = {.id = AMQP_BASIC_DELIVER_METHOD, .decoded = &arguments};
	amqp_frame_t header = {.frame_type = AMQP_FRAME_HEADER, .channel = BUS_CHANNEL};
	amqp_frame_t content = {.frame_type = AMQP_FRAME_BODY, .channel = BUS_CHANNEL};
	struct fuzz_input properties, body;

	arguments.exchange = amqp_cstring_bytes(exchanges[fuzz_byte(input) % 4]);
	arguments.routing_key = bytes_of(fuzz_short(input));
	properties = fuzz_long(input);
	body = fuzz_long(input);
	if (amqp_decode_properties(AMQP_BASIC_CLASS, pool, bytes_of(properties), &header.payload.properties.decoded) != AMQP_STATUS_OK)
		return;
	header.payload.properties.class_id = AMQP_BASIC_CLASS;
	header.payload.properties.body_size = body.size;
	content.payload.body_fragment = bytes_of(body);
	bus_content_begin(bus, &method);
	bus_content_frame(bus, &header);
	if (body.size > 0)
		bus_content_frame(bus, &content);
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
	amqp_pool_t pool;

	fuzz_check(bus != NULL);
	if (host.intake.refusals == NULL) {
		policy_init(&policy);
		host.intake.refusals = refusals_new();
	}
	host.intake.policy = &policy;
	host.intake.registry = new_registry();
	host.now_ms = 2;
	init_amqp_pool(&pool, 4096);
	while (input.size > 0)
		deliver(bus, &input, &pool);
	empty_amqp_pool(&pool);
	registry_free(host.intake.registry);
	bus_free(bus);
	return 0;
}
