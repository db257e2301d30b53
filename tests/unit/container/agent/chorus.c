/* Many names over one connection, with a bus made of this test: how much it takes is the test's to say. */
#include <config.h>

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "container/agent/chorus.h"
#include "shared/bus/bus.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "tests/unit/range.h"

#define SINGERS 1000
#define START_MS 5000000

struct bus {
	const struct bus_callbacks *callbacks;
	void *arg;
	bool up, blocked;
	size_t room;       /* so many messages and acks more without waiting */
	unsigned stuck;    /* publishes and acks for which there was none: each would end the connection, or wait */
	unsigned published, acked, bound, ups, wills, downs;
	uint64_t last_sequence, last_tag;
	char last_key[256];
	uint64_t unconfirmed; /* since this sequence */
	unsigned undelivered; /* wills */
	char tags[2 * SINGERS + 16][32];
	char mailbox[256];
	const char *failure;
};

static struct bus fake;

struct bus *bus_new(const struct bus_callbacks *callbacks, void *arg)
{
	memset(&fake, 0, sizeof(fake));
	fake.callbacks = callbacks;
	fake.arg = arg;
	return &fake;
}

void bus_free(struct bus *bus)
{
	(void)bus;
}

int bus_open(struct bus *bus, const struct bus_endpoint *endpoint, const struct bus_options *options, int64_t now_ms)
{
	(void)bus;
	(void)endpoint;
	(void)options;
	(void)now_ms;
	return 0;
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
	(void)bus;
	(void)now_ms;
	(void)max_frames;
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

bool bus_takes(const struct bus *bus)
{
	return bus->up && !bus->blocked && bus->room > 0;
}

const char *bus_user(const struct bus *bus)
{
	(void)bus;
	return "agent";
}

int64_t bus_login_us(const struct bus *bus)
{
	(void)bus;
	return 1;
}

bool bus_failure_is_slowness(const struct bus_failure *failure)
{
	(void)failure;
	return false;
}

void bus_confirm_select(struct bus *bus)
{
	(void)bus;
}

void bus_exchange_declare_own(struct bus *bus, const char *exchange)
{
	snprintf(bus->mailbox, sizeof(bus->mailbox), "%s", exchange);
}

void bus_queue_declare(struct bus *bus, const char *queue, bool passive, const struct bus_queue_arguments *arguments)
{
	(void)bus;
	(void)queue;
	(void)passive;
	(void)arguments;
}

void bus_queue_bind(struct bus *bus, const char *queue, const char *exchange, const char *routing_key)
{
	(void)queue;
	(void)exchange;
	(void)routing_key;
	bus->bound++;
}

void bus_consume(struct bus *bus, const char *queue, bool exclusive, bool no_ack, int32_t priority)
{
	(void)bus;
	(void)queue;
	(void)exclusive;
	(void)no_ack;
	(void)priority;
}

static void take_room(struct bus *bus)
{
	if (bus->room == 0 || bus->blocked)
		bus->stuck++;
	else
		bus->room--;
}

void bus_ack(struct bus *bus, uint64_t tag, bool multiple)
{
	(void)tag;
	assert_false(multiple);
	take_room(bus);
	bus->acked++;
}

uint64_t bus_publish(struct bus *bus, const char *exchange, const char *routing_key, bool mandatory, const struct bus_properties *properties,
                     const void *body, size_t length)
{
	(void)body;
	assert_true(mandatory && length > 0);
	take_room(bus);
	snprintf(bus->last_key, sizeof(bus->last_key), "%s", routing_key);
	if (strcmp(exchange, bus->mailbox) == 0) {
		assert_true(properties->correlation_id_length < sizeof(bus->tags[0]));
		memcpy(bus->tags[bus->undelivered++], properties->correlation_id, properties->correlation_id_length);
		bus->wills++;
	}
	bus->ups += strncmp(routing_key, "up.", 3) == 0;
	bus->downs += strncmp(routing_key, "down.", 5) == 0;
	bus->published++;
	return ++bus->last_sequence;
}

void bus_fail(struct bus *bus, const char *text)
{
	bus->failure = text;
}

/* ---- what the broker does ---- */

static void broker_takes_us(void)
{
	fake.up = true;
	fake.unconfirmed = fake.last_sequence + 1;
	fake.undelivered = 0;
	fake.bound = 0;
	fake.callbacks->up(fake.arg);
}

static void broker_answers_requests(void)
{
	fake.callbacks->done(fake.arg, BUS_REQUEST_QUEUE_BIND, 0);
	fake.callbacks->done(fake.arg, BUS_REQUEST_QUEUE_BIND, 0);
	fake.callbacks->done(fake.arg, BUS_REQUEST_CONSUME, 0);
}

static void broker_confirms(enum bus_confirm result)
{
	uint64_t last = fake.last_sequence;

	while (fake.unconfirmed <= last)
		fake.callbacks->confirm(fake.arg, fake.unconfirmed++, result);
}

static void broker_delivers_wills(void)
{
	for (unsigned i = 0, count = fake.undelivered; i < count; i++) {
		struct bus_delivery delivery = {
			.exchange = {fake.mailbox, strlen(fake.mailbox)},
			.user_id = {"agent", 5},
			.correlation_id = {fake.tags[i], strlen(fake.tags[i])},
			.tag = ++fake.last_tag,
		};

		fake.callbacks->delivery(fake.arg, &delivery);
	}
	memset(fake.tags, 0, sizeof(fake.tags));
	fake.undelivered = 0;
}

static void broker_goes(enum bus_cause_kind cause)
{
	struct bus_failure failure = {.kind = BUS_FAILED_LOST, .cause = {.kind = cause, .timeout_ms = 30000}, .text = "gone"};

	fake.up = false;
	fake.callbacks->down(fake.arg, &failure);
}

/* ---- the choir ---- */

static struct busconf busconf;
static struct chorus *chorus;
static struct singer singers[SINGERS];
static unsigned most_wills_out;

static int begin(void **state)
{
	const struct chorus_options options = {.bus = &busconf, .host = "h"};
	const struct chorus_watcher watcher = {.arg = NULL};
	char error[BUSCONF_ERROR_SIZE];

	(void)state;
	log_open(&log_to_stderr, "chorus", LOG_LEVEL_ERROR);
	busconf_init(&busconf);
	assert_int_equal(busconf_set_urls(&busconf, "amqp://agent:b@127.0.0.1:1/v", error), 0);
	chorus = chorus_new(&options, &watcher, START_MS);
	return chorus != NULL ? 0 : -1;
}

static int finish(void **state)
{
	(void)state;
	chorus_free(chorus);
	busconf_clear(&busconf);
	return 0;
}

static void add(unsigned i, int64_t now_ms)
{
	struct ident instance = {.bytes = {1, 2, 3}};
	struct address address;
	char name[32], text[32];

	snprintf(name, sizeof(name), "n%u", i);
	snprintf(text, sizeof(text), "198.18.%u.%u", 1 + i / 200, 1 + i % 200);
	instance.bytes[14] = (uint8_t)(i >> 8);
	instance.bytes[15] = (uint8_t)i;
	singer_init(&singers[i], NULL);
	announcer_init(&singers[i].announcer, name, NULL, 0, 120, &instance);
	assert_int_equal(address_parse(text, strlen(text), &address), 0);
	assert_int_equal(chorus_join(chorus, &singers[i], now_ms), 0);
	chorus_addresses(&singers[i], &address, 1, now_ms);
}

/* A broker that reads ten messages between two of our turns. */
static void step_until_flushed(int64_t *now_ms)
{
	do {
		fake.room = 10;
		chorus_step(chorus, ++*now_ms);
		most_wills_out = fake.undelivered > most_wills_out ? fake.undelivered : most_wills_out;
		if ((chorus_events(chorus) & POLLOUT) == 0)
			broker_delivers_wills();
	} while ((chorus_events(chorus) & POLLOUT) != 0);
}

static void bring_up(int64_t *now_ms)
{
	broker_takes_us();
	step_until_flushed(now_ms);
	broker_confirms(BUS_CONFIRMED);
	broker_answers_requests();
	step_until_flushed(now_ms);
	broker_confirms(BUS_CONFIRMED);
	step_until_flushed(now_ms);
	broker_confirms(BUS_CONFIRMED);
}

/* Seen with 1,000 containers: what they all said at once filled the socket, which ended the connection, again and again. */
static void says_no_more_than_the_socket_takes(void **state)
{
	int64_t now_ms = START_MS;

	(void)state;
	for (unsigned i = 0; i < SINGERS; i++)
		add(i, now_ms);
	bring_up(&now_ms);
	assert_int_equal(chorus_announced(chorus), SINGERS);
	assert_int_equal(fake.ups, 2 * SINGERS); /* a provisional one each */
	for (unsigned again = 1; again <= 3; again++) {
		broker_goes(BUS_CAUSE_UNKNOWN);
		assert_int_equal(chorus_announced(chorus), 0);
		bring_up(&now_ms);
		assert_int_equal(chorus_announced(chorus), SINGERS);
		assert_int_equal(fake.wills, (1 + again) * SINGERS);
	}
	assert_int_equal(fake.stuck, 0);
	assert_null(fake.failure);
	/* Seen with the same 1,000: RabbitMQ keeps what a channel has not sent yet in the mailbox from 200 on, where all of it fires. */
	assert_int_in_range(most_wills_out, 2, 199);
}

/* What is kept is said even if its singer leaves meanwhile: nobody else knows of its end. */
static void a_down_waits_and_is_not_forgotten(void **state)
{
	int64_t now_ms = START_MS;

	(void)state;
	add(0, now_ms);
	bring_up(&now_ms);
	fake.room = 0;
	chorus_withdraw(&singers[0], now_ms);
	assert_int_equal(fake.downs, 0);
	assert_int_equal(chorus_events(chorus), POLLIN | POLLOUT);
	chorus_step(chorus, now_ms + ANNOUNCER_WITHDRAW_MS);
	assert_true(singer_ended(&singers[0]));
	chorus_leave(&singers[0]);
	fake.room = 1;
	chorus_step(chorus, now_ms + ANNOUNCER_WITHDRAW_MS + 1);
	assert_int_equal(fake.downs, 1);
	assert_string_equal(fake.last_key, "down.n0");
	assert_int_equal(chorus_events(chorus), POLLIN);
	broker_confirms(BUS_CONFIRMED);
	assert_int_equal(fake.stuck, 0);
}

static void nothing_is_said_in_an_alarm_and_all_of_it_after_it(void **state)
{
	int64_t now_ms = START_MS;

	(void)state;
	add(0, now_ms);
	bring_up(&now_ms);
	fake.room = 100;
	fake.blocked = true;
	fake.callbacks->blocked(fake.arg, true, "low on memory");
	add(1, now_ms);
	chorus_withdraw(&singers[0], now_ms);
	chorus_step(chorus, ++now_ms);
	assert_int_equal(chorus_events(chorus), POLLIN); /* it would be writable all the time */
	assert_int_equal(fake.downs, 0);
	fake.blocked = false;
	fake.callbacks->blocked(fake.arg, false, "");
	chorus_step(chorus, ++now_ms);
	assert_int_equal(fake.downs, 1);
	assert_int_equal(fake.stuck, 0);
}

/* What was kept for one connection is nothing for the next: each announcer says anew what there is to say. */
static void what_waits_ends_with_its_connection(void **state)
{
	int64_t now_ms = START_MS;
	unsigned published;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		add(i, now_ms);
	fake.room = 3;
	broker_takes_us();
	broker_goes(BUS_CAUSE_UNKNOWN);
	published = fake.published;
	fake.room = 100;
	chorus_step(chorus, ++now_ms);
	assert_int_equal(fake.published, published);
	bring_up(&now_ms);
	assert_int_equal(chorus_announced(chorus), 20);
}

/* Its exchange was made anew, so that every will comes back: a bind for each of them would be more requests than may be on their way. */
static void binds_once_for_all_wills_that_come_back(void **state)
{
	int64_t now_ms = START_MS;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		add(i, now_ms);
	bring_up(&now_ms);
	fake.bound = 0;
	fake.room = 1000;
	chorus_step(chorus, now_ms + 125000); /* renewals */
	assert_int_equal(fake.wills, 100);
	broker_confirms(BUS_RETURNED);
	assert_int_equal(fake.bound, 2);
	assert_null(fake.failure);
}

/* It was the emitter alone that learnt it: under a broker with a short one the agent lost its connection each time it ran out. */
static void learns_the_brokers_consumer_timeout(void **state)
{
	int64_t now_ms = START_MS;

	(void)state;
	add(0, now_ms);
	bring_up(&now_ms);
	broker_goes(BUS_CAUSE_ACK_TIMEOUT);
	add(1, now_ms);
	bring_up(&now_ms);
	fake.wills = fake.ups = 0;
	fake.room = 100;
	chorus_step(chorus, now_ms + 15001);
	assert_int_equal(fake.wills, 2);
	broker_confirms(BUS_CONFIRMED);
	broker_delivers_wills();
	assert_int_equal(fake.acked, 2); /* the ones before them */
	assert_int_equal(fake.ups, 0);   /* the hosts are told nothing more than before */
	assert_null(fake.failure);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_no_more_than_the_socket_takes, begin, finish),
		cmocka_unit_test_setup_teardown(a_down_waits_and_is_not_forgotten, begin, finish),
		cmocka_unit_test_setup_teardown(nothing_is_said_in_an_alarm_and_all_of_it_after_it, begin, finish),
		cmocka_unit_test_setup_teardown(what_waits_ends_with_its_connection, begin, finish),
		cmocka_unit_test_setup_teardown(binds_once_for_all_wills_that_come_back, begin, finish),
		cmocka_unit_test_setup_teardown(learns_the_brokers_consumer_timeout, begin, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
