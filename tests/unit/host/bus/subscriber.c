/* The subscriber with a bus made of this test: what it sends is counted, what the broker says is called. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/bus/subscriber.h"
#include "shared/bus/bus.h"
#include "shared/clock.h"
#include "shared/contract/announcement.h"
#include "shared/contract/legacy.h"
#include "shared/jitter.h"

#define START_MS 5000000

struct bus {
	const struct bus_callbacks *callbacks;
	void *arg;
	bool open, up, blocked;
	char *failure;    /* what bus_fail() was told, or NULL */
	unsigned legacy, legacy_bound, legacy_unbound; /* how often that was asked for */
	unsigned published, deleted, counted, purged, bound, made; /* made: exchanges that were declared, not asked for */
	uint64_t acked;   /* all up to this tag */
	bool takes;       /* more, without waiting */
	uint32_t handshake_ms, request_ms; /* as bus_open() was told */
	const struct bus_endpoint *endpoint; /* likewise */
	bool deleted_if_unused; /* the last time */
	char body[BUS_BODY_MAX];
	size_t length;
	void (*event)(struct bus *bus); /* what the next bus_step() brings; NULL: nothing */
};

static struct bus fake;

struct bus *bus_new(const struct bus_callbacks *callbacks, void *arg)
{
	memset(&fake, 0, sizeof fake);
	fake.callbacks = callbacks;
	fake.arg = arg;
	return &fake;
}

/* The same each time: of 51 first delays one is none at all. */
uint32_t jitter_bits(void)
{
	return UINT32_MAX / 2;
}

void bus_free(struct bus *bus)
{
	(void)bus;
}

int bus_open(struct bus *bus, const struct bus_endpoint *endpoint, const struct bus_options *options, int64_t now_ms)
{
	(void)now_ms;
	bus->endpoint = endpoint;
	bus->handshake_ms = options->handshake_ms;
	bus->request_ms = options->request_ms;
	bus->open = true;
	return 0;
}

void bus_close(struct bus *bus)
{
	bus->open = bus->up = bus->blocked = false;
}

int bus_fd(const struct bus *bus)
{
	(void)bus;
	return -1;
}

int64_t bus_deadline_ms(const struct bus *bus)
{
	(void)bus;
	return CLOCK_NEVER;
}

bool bus_step(struct bus *bus, int64_t now_ms, unsigned max_frames)
{
	void (*event)(struct bus *) = bus->event;

	(void)now_ms;
	(void)max_frames;
	bus->event = NULL;
	if (event != NULL)
		event(bus);
	return false;
}

bool bus_is_up(const struct bus *bus)
{
	return bus->up;
}

bool bus_is_blocked(const struct bus *bus)
{
	return bus->blocked;
}

const char *bus_user(const struct bus *bus)
{
	(void)bus;
	return "host";
}

size_t bus_peer(const struct bus *bus, struct sockaddr_storage *out)
{
	(void)bus;
	(void)out;
	return 0;
}

void bus_confirm_select(struct bus *bus)
{
	(void)bus;
}

void bus_exchange_declare(struct bus *bus, const char *exchange, const char *type, bool passive, bool durable)
{
	if (strcmp(exchange, EXCHANGE_LEGACY) != 0) {
		bus->made += !passive;
		return;
	}
	/* As the old programs do, or they are refused who come next. */
	assert_string_equal(type, "fanout");
	assert_false(passive);
	assert_false(durable);
	bus->legacy++;
}

void bus_queue_declare(struct bus *bus, const char *queue, bool passive, const struct bus_queue_arguments *arguments)
{
	(void)bus;
	(void)queue;
	(void)passive;
	(void)arguments;
}

bool bus_queue_count(struct bus *bus, const char *queue)
{
	(void)queue;
	bus->counted++;
	return true;
}

void bus_queue_bind(struct bus *bus, const char *queue, const char *exchange, const char *routing_key)
{
	(void)queue;
	bus->bound++;
	if (strcmp(exchange, EXCHANGE_LEGACY) == 0) {
		assert_string_equal(routing_key, "");
		bus->legacy_bound++;
	}
}

void bus_queue_unbind(struct bus *bus, const char *queue, const char *exchange, const char *routing_key)
{
	(void)queue;
	(void)routing_key;
	assert_string_equal(exchange, EXCHANGE_LEGACY);
	bus->legacy_unbound++;
}

void bus_queue_delete(struct bus *bus, const char *queue, bool if_unused)
{
	(void)queue;
	bus->deleted++;
	bus->deleted_if_unused = if_unused;
}

void bus_queue_purge(struct bus *bus, const char *queue)
{
	(void)queue;
	bus->purged++;
}

bool bus_takes(const struct bus *bus)
{
	return bus->takes;
}

bool bus_last_delivery(const struct bus *bus, struct bus_text *exchange, struct bus_text *routing_key)
{
	(void)bus;
	*exchange = *routing_key = (struct bus_text){.data = "", .length = 0};
	return false;
}

const struct bus_broker *bus_broker(const struct bus *bus)
{
	static const struct bus_broker broker = {.product = "RabbitMQ", .version = "4.3.6", .number = BUS_VERSION(4, 3, 6)};

	(void)bus;
	return &broker;
}

void bus_qos(struct bus *bus, uint16_t prefetch)
{
	(void)bus;
	(void)prefetch;
}

void bus_consume(struct bus *bus, const char *queue, bool exclusive, bool no_ack, int32_t priority)
{
	(void)bus;
	(void)queue;
	(void)exclusive;
	(void)no_ack;
	(void)priority;
}

void bus_ack(struct bus *bus, uint64_t tag, bool multiple)
{
	assert_true(multiple);
	bus->acked = tag;
}

uint64_t bus_publish(struct bus *bus, const char *exchange, const char *routing_key, bool mandatory,
		     const struct bus_properties *properties, const void *body, size_t length)
{
	(void)exchange;
	(void)routing_key;
	(void)mandatory;
	(void)properties;
	memcpy(bus->body, body, length);
	bus->length = length;
	return ++bus->published;
}

void bus_fail(struct bus *bus, const char *text)
{
	bus->failure = strdup(text);
}

/* ---- what the broker does ---- */

static void broker_takes_us(struct bus *bus)
{
	bus->up = true;
	bus->callbacks->up(bus->arg);
	bus->callbacks->done(bus->arg, BUS_REQUEST_CONSUME, 0);
}

static void broker_is_in_alarm(struct bus *bus)
{
	bus->blocked = true;
	bus->callbacks->blocked(bus->arg, true, "low on memory");
}

static void broker_is_well(struct bus *bus)
{
	bus->blocked = false;
	bus->callbacks->blocked(bus->arg, false, "");
}

static void broker_closes(struct bus *bus, enum bus_failure_kind kind, uint16_t code, enum bus_request request)
{
	struct bus_failure failure = {.kind = kind, .code = code, .request = request, .text = "closed"};

	bus->callbacks->up(bus->arg);
	bus->open = false;
	bus->callbacks->down(bus->arg, &failure);
}

static void broker_refuses_for(struct bus *bus, enum bus_request request, uint16_t code, enum bus_cause_kind kind, const char *word, const char *object)
{
	struct bus_failure failure = {.kind = BUS_FAILED_CHANNEL, .code = code, .request = request, .cause.kind = kind, .text = "closed"};

	snprintf(failure.cause.word, sizeof failure.cause.word, "%s", word);
	snprintf(failure.cause.object, sizeof failure.cause.object, "%s", object);
	bus->open = false;
	bus->callbacks->down(bus->arg, &failure);
}

static void broker_has_another_queue(struct bus *bus)
{
	bus->callbacks->up(bus->arg);
	broker_refuses_for(bus, BUS_REQUEST_QUEUE_DECLARE, 406, BUS_CAUSE_DIFFERS, "x-max-length", "");
}

static void broker_does_not_take_an_argument(struct bus *bus)
{
	bus->callbacks->up(bus->arg);
	broker_refuses_for(bus, BUS_REQUEST_QUEUE_DECLARE, 406, BUS_CAUSE_ARGUMENT, "x-overflow", "");
}

static void broker_misses_an_exchange(struct bus *bus)
{
	bus->callbacks->up(bus->arg);
	broker_refuses_for(bus, BUS_REQUEST_EXCHANGE_DECLARE, 404, BUS_CAUSE_MISSING, "", EXCHANGE_ANNOUNCE);
}

static void broker_lets_us_make_no_exchange(struct bus *bus)
{
	bus->callbacks->up(bus->arg);
	broker_refuses_for(bus, BUS_REQUEST_EXCHANGE_DECLARE, 403, BUS_CAUSE_UNKNOWN, "", "");
}

static void broker_returns_the_last_message(struct bus *bus)
{
	bus->callbacks->confirm(bus->arg, bus->published, BUS_RETURNED);
}

static void broker_confirms_everything(struct bus *bus)
{
	for (uint64_t sequence = 1; sequence <= bus->published; sequence++)
		bus->callbacks->confirm(bus->arg, sequence, BUS_CONFIRMED);
}

static void broker_has_a_queue_and_breaks(struct bus *bus)
{
	const struct bus_failure failure = {.kind = BUS_FAILED_LOST, .text = "reset"};

	bus->callbacks->up(bus->arg);
	bus->callbacks->done(bus->arg, BUS_REQUEST_QUEUE_DECLARE, 1);
	bus->open = false;
	bus->callbacks->down(bus->arg, &failure);
}

static void broker_empties_the_queue(struct bus *bus)
{
	bus->callbacks->up(bus->arg);
	bus->callbacks->done(bus->arg, BUS_REQUEST_QUEUE_DECLARE, 1);
	bus->callbacks->done(bus->arg, BUS_REQUEST_QUEUE_PURGE, 1);
	bus->callbacks->done(bus->arg, BUS_REQUEST_CONSUME, 0);
}

static void broker_is_silent(struct bus *bus)
{
	broker_closes(bus, BUS_FAILED_HANDSHAKE, 0, BUS_REQUEST_NONE);
}

static void broker_breaks(struct bus *bus)
{
	const struct bus_failure failure = {.kind = BUS_FAILED_LOST, .text = "reset"};

	bus->open = false;
	bus->callbacks->down(bus->arg, &failure);
}

static void broker_answers_no_more(struct bus *bus)
{
	const struct bus_failure failure = {.kind = BUS_FAILED_TIMEOUT, .text = "no answer"};

	bus->open = false;
	bus->callbacks->down(bus->arg, &failure);
}

static void broker_is_out_of_reach(struct bus *bus)
{
	broker_closes(bus, BUS_FAILED_CONNECT, 0, BUS_REQUEST_NONE);
}

static void broker_deletes_no_quorum_queue_if_unused(struct bus *bus)
{
	broker_closes(bus, BUS_FAILED_CLOSED, 540, BUS_REQUEST_QUEUE_DELETE);
}

static void deliver(struct bus *bus, const char *exchange, const char *key, const char *body, size_t length)
{
	struct bus_delivery delivery = {
		.tag = 1,
		.body_length = length,
		.exchange = {exchange, strlen(exchange)},
		.routing_key = {key, strlen(key)},
		.body = {body, length},
		.user_id = {"emit", strlen("emit")},
	};

	bus->callbacks->delivery(bus->arg, &delivery);
}

static void broker_brings_an_announcement(struct bus *bus)
{
	static const char body[] = "{\"v\":1,\"op\":\"up\",\"name\":\"web\",\"instance\":\"0197a3c25e1f7d0e9c41f2b6a8d3e570\","
				   "\"session\":\"5f0c2b9de8a14c3f9a7712d4c06be833\",\"seq\":1,\"addresses\":[\"198.18.0.2\"],\"lease\":360}";

	deliver(bus, EXCHANGE_ANNOUNCE, "up.web", body, sizeof body - 1);
}

/* Refused, as it has no user, and so answered at once. */
static void deliver_unsigned(struct bus *bus, bool federated)
{
	static const char body[] = "{\"v\":1,\"op\":\"up\",\"name\":\"web\",\"instance\":\"0197a3c25e1f7d0e9c41f2b6a8d3e570\","
				   "\"session\":\"5f0c2b9de8a14c3f9a7712d4c06be833\",\"seq\":1,\"addresses\":[\"198.18.0.2\"],\"lease\":360}";
	static const char reply_to[] = "amq.rabbitmq.reply-to.g1h3CnJhYmJpdEBsYWIAAAJdAAAAAGNDqRA=.AAECAwQFBgcICQoLDA0ODw==";
	struct bus_delivery delivery = {
		.tag = 1,
		.body_length = sizeof body - 1,
		.exchange = {EXCHANGE_ANNOUNCE, strlen(EXCHANGE_ANNOUNCE)},
		.routing_key = {"up.web", strlen("up.web")},
		.body = {body, sizeof body - 1},
		.reply_to = {reply_to, sizeof reply_to - 1},
		.federated = federated,
	};

	bus->callbacks->delivery(bus->arg, &delivery);
}

/* Its connection has ended: see be_known(). */
static void broker_brings_a_will(struct bus *bus)
{
	static const char body[] = "{\"v\":1,\"op\":\"lost\",\"name\":\"web\",\"instance\":\"01000000000000000000000000000000\","
				   "\"session\":\"02000000000000000000000000000000\"}";
	static const char mailbox[] = "callsign.will.web.02000000000000000000000000000000";
	struct bus_delivery delivery = {
		.tag = 7,
		.body_length = sizeof body - 1,
		.exchange = {EXCHANGE_ANNOUNCE, strlen(EXCHANGE_ANNOUNCE)},
		.routing_key = {"lost.web", strlen("lost.web")},
		.user_id = {"emit", 4},
		.body = {body, sizeof body - 1},
		.dead_lettered = true,
		.death_queue = {mailbox, sizeof mailbox - 1},
	};

	bus->callbacks->delivery(bus->arg, &delivery);
}

static void broker_brings_a_question(struct bus *bus)
{
	deliver_unsigned(bus, false);
}

static void broker_brings_a_question_of_another_broker(struct bus *bus)
{
	deliver_unsigned(bus, true);
}

static void broker_brings_the_marker(struct bus *bus)
{
	char body[BUS_BODY_MAX];

	memcpy(body, bus->body, bus->length);
	deliver(bus, EXCHANGE_ROLLCALL, "", body, bus->length);
}

/* The roll call, as the first that was published. */
static void broker_refuses_the_roll_call(struct bus *bus)
{
	bus->callbacks->confirm(bus->arg, 1, BUS_NACKED);
}

/* ---- the host ---- */

struct host {
	struct bus_endpoint endpoint[2]; /* the second one is used where a test says so */
	struct policy_domain domain;
	struct conf conf;
	struct registry *registry;
	struct refusals *refusals;
	struct subscriber *subscriber;
	int64_t now_ms;
};

static char *const broker_host = (char[]){"127.0.0.1"}, *const vhost = (char[]){"v"}, *const user = (char[]){"host"};
static char *const queue = (char[]){"callsign.host.h"}, *const host_name = (char[]){"h"}, *const domain = (char[]){"docker"};

static int set_up(void **state)
{
	static struct host host;

	memset(&host, 0, sizeof host);
	host.now_ms = START_MS;
	host.endpoint[0] = host.endpoint[1] = (struct bus_endpoint){.host = broker_host, .port = 5672, .vhost = vhost, .user = user};
	host.conf.bus.endpoints = host.endpoint;
	host.conf.bus.nendpoints = 1;
	host.conf.queue.name = queue;
	host.conf.hostname = host_name;
	host.conf.domain = domain;
	host.conf.policy.domains = &host.domain;
	host.conf.policy.ndomains = 1;
	host.domain.name = host.conf.domain;
	host.conf.registry = (struct registry_options){.resync_timeout_ms = 8000, .max_lease_s = 86400, .max_ended_per_user = 10};
	host.registry = registry_new(&host.conf.registry, &(struct registry_watcher){0}, START_MS);
	host.refusals = refusals_new();
	host.subscriber = subscriber_new(&host.conf, host.registry, host.refusals, START_MS);
	*state = &host;
	return host.subscriber != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	struct host *host = *state;

	subscriber_free(host->subscriber);
	refusals_free(host->refusals);
	registry_free(host->registry);
	free(fake.failure);
	return 0;
}

static void step(struct host *host, void (*event)(struct bus *bus))
{
	fake.event = event;
	subscriber_step(host->subscriber, 1, host->now_ms);
}

static void connect_to_broker(struct host *host)
{
	step(host, NULL);
	assert_true(fake.open);
	step(host, broker_takes_us);
	assert_int_equal(fake.published, 1);
	assert_int_equal(subscriber_deadline_ms(host->subscriber), host->now_ms + SUBSCRIBER_MARKER_MS);
}

static void broker_counts(struct bus *bus)
{
	bus->callbacks->done(bus->arg, BUS_REQUEST_QUEUE_DECLARE, 1234);
}

static uint32_t depth(struct host *host)
{
	struct subscriber_status status;

	subscriber_status(host->subscriber, &status);
	assert_int_equal(status.depth_ms, status.queue_depth != 0 ? host->now_ms : status.depth_ms);
	return status.queue_depth;
}

static void asked_for_the_queue_is_counted_every_ten_seconds_for_a_minute(void **state)
{
	struct host *host = *state;
	int64_t begun_ms;

	connect_to_broker(host);
	step(host, broker_brings_the_marker);
	host->now_ms += SUBSCRIBER_COUNT_MS;
	step(host, NULL);
	assert_int_equal(fake.counted, 0);
	assert_true(subscriber_deadline_ms(host->subscriber) > host->now_ms + SUBSCRIBER_COUNT_MS);
	begun_ms = host->now_ms;
	subscriber_asked(host->subscriber, host->now_ms);
	assert_true(subscriber_deadline_ms(host->subscriber) <= host->now_ms);
	step(host, NULL);
	assert_int_equal(fake.counted, 1);
	assert_int_equal(subscriber_deadline_ms(host->subscriber), host->now_ms + SUBSCRIBER_COUNT_MS);
	step(host, broker_counts);
	assert_int_equal(depth(host), 1234);
	while (host->now_ms < begun_ms + 2 * SUBSCRIBER_ASKED_MS) {
		host->now_ms += 1000;
		step(host, NULL);
	}
	assert_int_equal(fake.counted, SUBSCRIBER_ASKED_MS / SUBSCRIBER_COUNT_MS);
	assert_true(subscriber_deadline_ms(host->subscriber) > host->now_ms + SUBSCRIBER_COUNT_MS);
}

static void with_metrics_on_it_is_always_counted_but_not_in_an_alarm(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	step(host, broker_brings_the_marker);
	host->conf.metrics.on = true;
	host->now_ms += SUBSCRIBER_COUNT_MS;
	step(host, NULL);
	assert_int_equal(fake.counted, 1);
	step(host, broker_is_in_alarm);
	host->now_ms += SUBSCRIBER_COUNT_MS;
	step(host, NULL);
	assert_int_equal(fake.counted, 1);
	assert_int_equal(subscriber_deadline_ms(host->subscriber), CLOCK_NEVER);
}

/* The broker closed the connection over the answer (541): the queue for it is another broker's. */
static void what_came_by_federation_is_not_answered(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	fake.takes = true;
	step(host, broker_brings_a_question_of_another_broker);
	assert_int_equal(fake.published, 1);
	step(host, broker_brings_a_question);
	assert_int_equal(fake.published, 2);
}

/* The answer was published all the same, which ends the connection: whoever asked often enough took it from all others. */
static void nobody_is_answered_while_the_socket_is_full(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	step(host, broker_brings_a_question);
	assert_int_equal(fake.published, 1);
	fake.takes = true;
	step(host, broker_brings_a_question);
	assert_int_equal(fake.published, 2);
}

static void a_roll_call_that_does_not_come_back_ends_the_connection(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	host->now_ms += SUBSCRIBER_MARKER_MS - 1;
	step(host, NULL);
	assert_null(fake.failure);
	host->now_ms++;
	step(host, NULL);
	assert_non_null(fake.failure);
}

/* The deadline stayed in the past while the broker let nothing through: the loop turned without a pause until the alarm was over. */
static void an_alarm_before_the_marker_is_waited_out(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	step(host, broker_is_in_alarm);
	host->now_ms += SUBSCRIBER_MARKER_MS;
	step(host, NULL);
	assert_true(subscriber_deadline_ms(host->subscriber) > host->now_ms);
	assert_null(fake.failure);
}

/* The time that the alarm took was counted: its end ended the connection too, and the resync began again. */
static void the_marker_has_its_time_once_the_alarm_is_over(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	step(host, broker_is_in_alarm);
	host->now_ms += 2 * SUBSCRIBER_MARKER_MS;
	step(host, broker_is_well);
	assert_null(fake.failure);
	assert_int_equal(subscriber_deadline_ms(host->subscriber), host->now_ms + SUBSCRIBER_MARKER_MS);
	host->now_ms += SUBSCRIBER_MARKER_MS;
	step(host, NULL);
	assert_non_null(fake.failure);
}

static void connect_again(struct host *host, void (*event)(struct bus *bus))
{
	host->now_ms = subscriber_deadline_ms(host->subscriber);
	step(host, NULL);
	assert_true(fake.open);
	step(host, event);
}

static void a_queue_with_other_arguments_is_deleted_if_unused(void **state)
{
	struct host *host = *state;

	connect_again(host, broker_has_another_queue);
	assert_int_equal(fake.deleted, 0);
	connect_again(host, broker_takes_us);
	assert_int_equal(fake.deleted, 1);
	assert_true(fake.deleted_if_unused);
}

/* 406 has more than one cause: what was in the queue would have been lost for nothing. */
static void a_queue_is_not_deleted_over_an_argument_that_the_broker_does_not_take(void **state)
{
	struct host *host = *state;

	connect_again(host, broker_does_not_take_an_argument);
	connect_again(host, broker_takes_us);
	assert_int_equal(fake.deleted, 0);
}

static void a_missing_exchange_is_made_with_the_next_connection_at_once(void **state)
{
	struct host *host = *state;
	struct subscriber_status status;

	connect_again(host, broker_misses_an_exchange);
	assert_int_equal(fake.made, 0);
	assert_int_equal(subscriber_deadline_ms(host->subscriber), host->now_ms);
	connect_again(host, broker_takes_us);
	assert_int_equal(fake.made, 1);
	subscriber_status(host->subscriber, &status);
	assert_int_equal(status.exchanges_made, 1);
}

/* It went on trying to make it, which is refused to it also where an operator has made it by then: the host never came back. */
static void an_exchange_that_we_may_not_make_is_waited_for(void **state)
{
	struct host *host = *state;

	connect_again(host, broker_misses_an_exchange);
	connect_again(host, broker_lets_us_make_no_exchange);
	assert_int_equal(fake.made, 1);
	assert_true(subscriber_deadline_ms(host->subscriber) > host->now_ms);
	connect_again(host, broker_takes_us);
	assert_int_equal(fake.made, 1);
}

static void lost_bindings_are_noticed_within_a_minute_and_everyone_is_asked(void **state)
{
	struct host *host = *state;
	struct subscriber_status status;
	unsigned bound;

	connect_to_broker(host);
	step(host, broker_brings_the_marker);
	fake.takes = true;
	bound = fake.bound;
	host->now_ms = subscriber_deadline_ms(host->subscriber);
	assert_true(host->now_ms <= START_MS + 61000);
	step(host, NULL);
	assert_int_equal(fake.published, 2); /* the probe */
	assert_int_equal(fake.bound, bound);
	step(host, broker_returns_the_last_message);
	assert_int_equal(fake.bound, bound + 5);
	assert_int_equal(fake.published, 3); /* the roll call */
	subscriber_status(host->subscriber, &status);
	assert_int_equal(status.bindings_lost, 1);
	assert_null(fake.failure);
}

/* The loop would turn without a pause. */
static void a_check_that_cannot_be_made_now_is_made_later(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	step(host, broker_brings_the_marker);
	for (unsigned i = 0; i < 10; i++) {
		host->now_ms = subscriber_deadline_ms(host->subscriber);
		step(host, NULL);
		assert_int_equal(fake.published, 1);
		assert_true(subscriber_deadline_ms(host->subscriber) > host->now_ms);
	}
}

static size_t facts(const struct host *host)
{
	struct registry_counts counts;

	registry_count(host->registry, &counts);
	return counts.facts;
}

static void turn(struct host *host, void (*event)(struct bus *bus))
{
	step(host, event);
	registry_tick(host->registry, host->now_ms);
}

static void be_known(struct host *host)
{
	struct announcement known = {.op = ANNOUNCEMENT_UP, .name = "web", .instance.bytes = {1}, .session.bytes = {2}, .has_session = true,
	                             .naddresses = 1, .addresses = {{4, {198, 18, 0, 2}}}};

	assert_int_equal(registry_restore(host->registry, &known, "emit", CLOCK_NEVER, host->now_ms), REGISTRY_APPLIED);
	connect_to_broker(host);
}

/* Connected, and nobody has answered the roll call when its time is over: somebody who was known is silent. */
static void be_silent(struct host *host)
{
	be_known(host);
	turn(host, broker_brings_the_marker);
	fake.takes = true;
	host->now_ms += host->conf.registry.resync_timeout_ms / 2;
	turn(host, NULL);
	host->now_ms += host->conf.registry.resync_timeout_ms / 2;
	fake.published = 10;
	turn(host, NULL);
	assert_int_equal(fake.published, 11);
	assert_int_equal(facts(host), 1);
	assert_true(subscriber_deadline_ms(host->subscriber) > host->now_ms);
	assert_true(registry_deadline_ms(host->registry) > host->now_ms);
}

static void silence_is_judged_when_the_broker_has_answered(void **state)
{
	struct host *host = *state;

	be_silent(host);
	host->now_ms += 5;
	turn(host, broker_confirms_everything);
	assert_int_equal(facts(host), 0);
	assert_int_equal(fake.published, 11);
}

/* A daemon that is killed within these milliseconds would keep the dead: nobody would tell it again. */
static void a_lost_that_is_still_looked_into_is_not_acked(void **state)
{
	struct host *host = *state;
	struct registry_options options = host->conf.registry;

	options.ask = true;
	registry_set_options(host->registry, &options);
	be_known(host);
	turn(host, broker_brings_the_marker);
	(void)subscriber_end_batch(host->subscriber, 2);
	subscriber_settle(host->subscriber, 2, 2, host->now_ms);
	turn(host, broker_brings_a_will);
	assert_int_not_equal(registry_asks(host->registry), 0);
	assert_true(subscriber_end_batch(host->subscriber, 3));
	subscriber_settle(host->subscriber, 3, 3, host->now_ms);
	assert_int_not_equal(fake.acked, 7);
	registry_answer(host->registry, registry_asks(host->registry), true, host->now_ms);
	assert_int_equal(facts(host), 0);
	assert_true(subscriber_end_batch(host->subscriber, 4));
	subscriber_settle(host->subscriber, 3, 3, host->now_ms);
	assert_int_not_equal(fake.acked, 7);
	subscriber_settle(host->subscriber, 4, 4, host->now_ms);
	assert_int_equal(fake.acked, 7);
	assert_false(subscriber_end_batch(host->subscriber, 5));
}

/* In a resync the host stopped hearing, for a shorter time than its heartbeats take to notice, and dropped who had answered meanwhile. */
static void silence_is_not_judged_by_one_who_hears_nothing(void **state)
{
	struct host *host = *state;

	be_silent(host);
	host->now_ms += 6000;
	turn(host, NULL);
	assert_int_equal(facts(host), 1);
	assert_int_equal(fake.published, 11); /* one question is enough */
	turn(host, broker_confirms_everything);
	assert_int_equal(facts(host), 1);
	/* Then as before, with a question of its own. */
	host->now_ms += host->conf.registry.resync_timeout_ms / 2;
	turn(host, NULL);
	assert_int_equal(facts(host), 1);
	host->now_ms += 5;
	turn(host, broker_confirms_everything);
	assert_int_equal(facts(host), 0);
}

static void a_question_ends_with_its_connection(void **state)
{
	struct host *host = *state;

	be_silent(host);
	turn(host, broker_breaks);
	host->now_ms += 100000;
	turn(host, NULL);
	assert_int_equal(facts(host), 1);
	turn(host, broker_takes_us);
	turn(host, broker_brings_the_marker);
	host->now_ms += host->conf.registry.resync_timeout_ms;
	fake.published = 20;
	turn(host, NULL);
	assert_int_equal(facts(host), 1);
	assert_true(fake.published > 20);
	turn(host, broker_confirms_everything);
	assert_int_equal(facts(host), 0);
}

static void an_alarm_is_the_answer(void **state)
{
	struct host *host = *state;

	be_silent(host);
	turn(host, broker_is_in_alarm);
	host->now_ms += 100000;
	turn(host, NULL);
	assert_int_equal(facts(host), 1);
	turn(host, broker_is_well);
	turn(host, broker_confirms_everything);
	host->now_ms += host->conf.registry.resync_timeout_ms - 1;
	turn(host, NULL);
	assert_int_equal(facts(host), 1);
	host->now_ms++;
	turn(host, NULL);
	turn(host, broker_confirms_everything);
	assert_int_equal(facts(host), 0);
}

static void a_message_that_breaks_the_connection_again_and_again_is_taken_out(void **state)
{
	struct host *host = *state;
	struct subscriber_status status;

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fake.purged, 0);
		connect_again(host, broker_has_a_queue_and_breaks);
	}
	connect_again(host, broker_empties_the_queue);
	assert_int_equal(fake.purged, 1);
	subscriber_status(host->subscriber, &status);
	assert_int_equal(status.poisoned, 1);
	assert_int_equal(fake.published, 1); /* the roll call */
	assert_true(host->now_ms < START_MS + 2000);
}

static void another_queue_is_not_emptied_for_what_was_in_the_one_before(void **state)
{
	struct host *host = *state;
	struct conf other = host->conf;

	for (unsigned i = 0; i < 3; i++)
		connect_again(host, broker_has_a_queue_and_breaks);
	other.queue.name = (char *)"callsign.host.other";
	subscriber_configure(host->subscriber, &other, host->now_ms);
	connect_again(host, broker_takes_us);
	assert_int_equal(fake.purged, 0);
}

/* It was tried again and again: a host whose quorum queue had other arguments than configured never came back. */
static void a_quorum_queue_is_deleted_in_any_case(void **state)
{
	struct host *host = *state;

	connect_again(host, broker_has_another_queue);
	connect_again(host, broker_deletes_no_quorum_queue_if_unused);
	connect_again(host, broker_takes_us);
	assert_int_equal(fake.deleted, 2);
	assert_false(fake.deleted_if_unused);
}

/* Among thousands it came never in, as long as it gave up after 3 s. */
static void a_slow_broker_is_given_more_time_until_it_takes_us(void **state)
{
	struct host *host = *state;

	connect_again(host, broker_is_silent);
	assert_int_equal(fake.handshake_ms, BUS_HANDSHAKE_MS);
	assert_int_equal(fake.request_ms, BUS_REQUEST_MS);
	connect_again(host, broker_is_out_of_reach);
	assert_int_equal(fake.handshake_ms, 2 * BUS_HANDSHAKE_MS);
	connect_again(host, broker_takes_us);
	assert_int_equal(fake.handshake_ms, 2 * BUS_HANDSHAKE_MS);
	assert_int_equal(fake.request_ms, 2 * BUS_REQUEST_MS);
	step(host, broker_is_out_of_reach);
	connect_again(host, NULL);
	assert_int_equal(fake.handshake_ms, BUS_HANDSHAKE_MS);
}

/* A node of RabbitMQ 4.3 that is cut off from its cluster lets in who comes, and answers nobody. */
static void a_broker_that_stopped_answering_is_left_for_the_next_one(void **state)
{
	struct host *host = *state;

	host->conf.bus.nendpoints = 2;
	connect_to_broker(host);
	assert_ptr_equal(fake.endpoint, &host->endpoint[0]);
	step(host, broker_breaks);
	connect_again(host, broker_takes_us);
	assert_ptr_equal(fake.endpoint, &host->endpoint[0]);
	step(host, broker_answers_no_more);
	connect_again(host, NULL);
	assert_ptr_equal(fake.endpoint, &host->endpoint[1]);
}

static void with_another_broker_to_go_to_a_slow_login_gives_requests_no_more_time(void **state)
{
	struct host *host = *state;

	host->conf.bus.nendpoints = 2;
	connect_again(host, broker_is_silent);
	connect_again(host, broker_answers_no_more);
	assert_int_equal(fake.handshake_ms, 2 * BUS_HANDSHAKE_MS);
	assert_int_equal(fake.request_ms, BUS_REQUEST_MS);
	connect_again(host, NULL);
	assert_int_equal(fake.handshake_ms, 4 * BUS_HANDSHAKE_MS);
	assert_int_equal(fake.request_ms, 2 * BUS_REQUEST_MS);
}

/* An answer that overtook the marker confirmed nothing, and was the only one: the name of a living container was dropped. */
static void who_answers_before_the_marker_is_asked_again(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	step(host, broker_brings_an_announcement);
	assert_int_equal(fake.published, 1);
	step(host, broker_brings_the_marker);
	assert_int_equal(fake.published, 2);
	/* The second call is no resync of its own: its copy means nothing, and nothing more is asked. */
	step(host, broker_brings_an_announcement);
	step(host, broker_brings_the_marker);
	assert_int_equal(fake.published, 2);
}

/* A quorum queue without a leader: the host waited for half a minute, and whatever comes from other queues does not help. */
static void a_refused_roll_call_is_given_up_soon(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	step(host, broker_refuses_the_roll_call);
	assert_int_equal(subscriber_deadline_ms(host->subscriber), host->now_ms + 1000);
	host->now_ms += 999;
	step(host, broker_brings_an_announcement);
	assert_null(fake.failure);
	host->now_ms++;
	step(host, NULL);
	assert_non_null(fake.failure);
}

static void a_roll_call_refused_by_another_hosts_queue_is_no_matter(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	step(host, broker_refuses_the_roll_call);
	step(host, broker_brings_the_marker);
	host->now_ms += 1000;
	step(host, NULL);
	assert_null(fake.failure);
}

static void nobody_is_asked_twice_without_need(void **state)
{
	struct host *host = *state;

	connect_to_broker(host);
	step(host, broker_brings_the_marker);
	step(host, broker_brings_an_announcement);
	assert_int_equal(fake.published, 1);
}

static void broker_refuses_the_older_exchange(struct bus *bus)
{
	struct bus_failure failure = {.kind = BUS_FAILED_CHANNEL, .code = 406, .request = BUS_REQUEST_EXCHANGE_DECLARE, .text = "inequivalent"};

	bus->open = false;
	bus->callbacks->down(bus->arg, &failure);
}

static void the_older_exchange_is_bound_once_all_else_stands(void **state)
{
	struct host *host = *state;

	host->conf.legacy = true;
	subscriber_configure(host->subscriber, &host->conf, host->now_ms);
	step(host, NULL);
	assert_int_equal(fake.legacy, 0);
	step(host, broker_takes_us);
	assert_int_equal(fake.legacy, 1);
	assert_int_equal(fake.legacy_bound, 1);
}

static void without_legacy_nothing_is_asked_for(void **state)
{
	connect_to_broker(*state);
	assert_int_equal(fake.legacy + fake.legacy_bound + fake.legacy_unbound, 0);
}

static void a_refused_older_exchange_keeps_nothing_else_from_working(void **state)
{
	struct host *host = *state;
	struct subscriber_status status;

	host->conf.legacy = true;
	subscriber_configure(host->subscriber, &host->conf, host->now_ms);
	step(host, NULL);
	step(host, broker_takes_us);
	step(host, broker_refuses_the_older_exchange);
	host->now_ms += SUBSCRIBER_BACKOFF_MAX_MS;
	step(host, NULL);
	step(host, broker_takes_us);
	assert_int_equal(fake.legacy, 1); /* not again, or it would be refused for ever */
	subscriber_status(host->subscriber, &status);
	assert_int_equal(status.state, SUBSCRIBER_CONSUMING);
	assert_string_equal(status.legacy_trouble, "inequivalent");
	subscriber_configure(host->subscriber, &host->conf, host->now_ms); /* somebody has mended it */
	assert_int_equal(fake.legacy, 2);
	subscriber_status(host->subscriber, &status);
	assert_string_equal(status.legacy_trouble, "");
}

static void a_reload_binds_and_unbinds(void **state)
{
	struct host *host = *state;
	struct conf other;

	connect_to_broker(host);
	other = host->conf;
	other.legacy = true;
	subscriber_configure(host->subscriber, &other, host->now_ms);
	assert_int_equal(fake.legacy_bound, 1);
	subscriber_configure(host->subscriber, &host->conf, host->now_ms);
	assert_int_equal(fake.legacy_unbound, 1);
	subscriber_configure(host->subscriber, &host->conf, host->now_ms);
	assert_int_equal(fake.legacy_unbound, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_came_by_federation_is_not_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_is_answered_while_the_socket_is_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_roll_call_that_does_not_come_back_ends_the_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_alarm_before_the_marker_is_waited_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_marker_has_its_time_once_the_alarm_is_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_queue_with_other_arguments_is_deleted_if_unused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_quorum_queue_is_deleted_in_any_case, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_queue_is_not_deleted_over_an_argument_that_the_broker_does_not_take, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_missing_exchange_is_made_with_the_next_connection_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_exchange_that_we_may_not_make_is_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_queue_is_not_emptied_for_what_was_in_the_one_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lost_bindings_are_noticed_within_a_minute_and_everyone_is_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_check_that_cannot_be_made_now_is_made_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_is_judged_when_the_broker_has_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lost_that_is_still_looked_into_is_not_acked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_is_not_judged_by_one_who_hears_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_question_ends_with_its_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_alarm_is_the_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_message_that_breaks_the_connection_again_and_again_is_taken_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slow_broker_is_given_more_time_until_it_takes_us, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_broker_that_stopped_answering_is_left_for_the_next_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(with_another_broker_to_go_to_a_slow_login_gives_requests_no_more_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_answers_before_the_marker_is_asked_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refused_roll_call_is_given_up_soon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_roll_call_refused_by_another_hosts_queue_is_no_matter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_is_asked_twice_without_need, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_older_exchange_is_bound_once_all_else_stands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_legacy_nothing_is_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refused_older_exchange_keeps_nothing_else_from_working, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reload_binds_and_unbinds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(asked_for_the_queue_is_counted_every_ten_seconds_for_a_minute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(with_metrics_on_it_is_always_counted_but_not_in_an_alarm, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
