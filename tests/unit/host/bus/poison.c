/* When the same message has broken the connection again: connections that end over deliveries which a bus has seen. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "host/bus/poison.h"
#include "shared/bus/bus_amqp.h"

static const struct bus_callbacks callbacks;
static struct poison poison;
static struct bus *bus;

static int setup(void **state)
{
	(void)state;
	memset(&poison, 0, sizeof poison);
	bus = bus_new(&callbacks, NULL);
	return bus != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	bus_free(bus);
	return 0;
}

/* A new connection, on which the delivery of that key has begun; NULL: none. */
static void connection(const char *key)
{
	unsigned char arguments[64] = {0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0};
	struct wire wire;

	memset(&bus->content, 0, sizeof bus->content);
	if (key == NULL)
		return;
	arguments[11] = (unsigned char)strlen(key);
	memcpy(arguments + 12, key, strlen(key));
	wire = wire_at(arguments, 12 + strlen(key));
	bus_content_deliver(bus, &wire);
}

static void breaks(enum bus_failure_kind kind, uint16_t code, bool marked, bool waiting)
{
	const struct bus_failure failure = {.kind = kind, .code = code};

	poison_broke(&poison, bus, &failure, marked, waiting);
}

static void the_same_message_twice(void **state)
{
	(void)state;
	connection("up.red-x");
	breaks(BUS_FAILED_LOST, 0, true, false);
	assert_false(poison_is_due(&poison));
	connection("up.red-x");
	breaks(BUS_FAILED_LOST, 0, false, true);
	assert_true(poison_is_due(&poison));
	assert_string_equal(poison.key, "up.red-x");
	/* What the last connection had is not back in the queue yet: once more. */
	poison_emptied(&poison, 0, 1000);
	assert_true(poison_is_due(&poison));
	poison_emptied(&poison, 3, 1000);
	assert_false(poison_is_due(&poison));
	assert_int_equal(poison.emptied, 1);
	assert_int_equal(poison.emptied_ms, 1000);
}

static void others_are_a_bad_network(void **state)
{
	static const char *const keys[] = {"up.a", "up.b", "up.a", "up.b"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		connection(keys[i]);
		breaks(BUS_FAILED_LOST, 0, false, true);
		assert_false(poison_is_due(&poison));
	}
	/* The same one, but the roll call had come in between: it was read. */
	connection("up.b");
	breaks(BUS_FAILED_LOST, 0, true, false);
	assert_false(poison_is_due(&poison));
	connection(NULL);
	for (unsigned i = 0; i < 10; i++)
		breaks(BUS_FAILED_LOST, 0, false, false);
	assert_false(poison_is_due(&poison));
}

/* They took turns, and the queue was never emptied. */
static void several_that_take_turns_are_due_in_the_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < POISON_ROW; i++) {
		assert_false(poison_is_due(&poison));
		connection(i % 2 == 0 ? "up.a" : "up.b");
		breaks(BUS_FAILED_LOST, 0, i == 0, true);
	}
	assert_true(poison_is_due(&poison));
	poison_emptied(&poison, 2, 1000);
	assert_false(poison_is_due(&poison));
	/* A roll call in between each time: a bad network. */
	for (unsigned i = 0; i < 3 * POISON_ROW; i++) {
		connection(i % 2 == 0 ? "up.a" : "up.b");
		breaks(BUS_FAILED_LOST, 0, i % 3 == 0, true);
		assert_false(poison_is_due(&poison));
	}
}

static void before_anything_was_seen_it_takes_three(void **state)
{
	(void)state;
	connection(NULL);
	breaks(BUS_FAILED_CLOSED, 541, false, true);
	breaks(BUS_FAILED_CLOSED, 541, false, true);
	assert_false(poison_is_due(&poison));
	breaks(BUS_FAILED_LOST, 0, false, true);
	assert_true(poison_is_due(&poison));
}

static void a_broker_that_stops_or_a_deadline_is_no_message_s_doing(void **state)
{
	static const struct {
		enum bus_failure_kind kind;
		uint16_t code;
	} rows[] = {{BUS_FAILED_CLOSED, 320}, {BUS_FAILED_TIMEOUT, 0}, {BUS_FAILED_LOCAL, 0}, {BUS_FAILED_CHANNEL, 404}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (unsigned times = 0; times < 5; times++) {
			connection("up.a");
			breaks(rows[i].kind, rows[i].code, false, true);
			assert_false(poison_is_due(&poison));
		}
	}
}

static void the_roll_call_ends_it(void **state)
{
	(void)state;
	connection("up.a");
	breaks(BUS_FAILED_LOST, 0, true, true);
	poison_passed(&poison);
	connection("up.a");
	breaks(BUS_FAILED_LOST, 0, false, true);
	assert_false(poison_is_due(&poison));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_message_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_a_bad_network, setup, teardown),
		cmocka_unit_test_setup_teardown(several_that_take_turns_are_due_in_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(before_anything_was_seen_it_takes_three, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broker_that_stops_or_a_deadline_is_no_message_s_doing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_roll_call_ends_it, setup, teardown),
	};

	return cmocka_run_group_tests_name("poison", tests, NULL, NULL);
}
