/* What brokers say when they refuse, word for word as 3.10.8, 4.0.5 and 4.3.6 said it. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "shared/bus/bus_cause.h"

static struct bus_cause cause_of(uint16_t code, const char *text)
{
	struct bus_cause cause;

	bus_cause_read(&cause, code, text, strlen(text));
	return cause;
}

static void an_argument_that_is_not_taken(void **state)
{
	struct bus_cause cause = cause_of(406, "PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'callsign.will.a.b' in vhost "
	                                       "'callsign' of queue type rabbit_classic_queue");

	(void)state;
	assert_int_equal(cause.kind, BUS_CAUSE_ARGUMENT);
	assert_string_equal(cause.word, "x-consumer-timeout");
}

static void an_argument_that_differs(void **state)
{
	struct bus_cause cause = cause_of(406, "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'callsign.host.a' in vhost 'callsign': "
	                                       "received the value '100' of type 'long' but current is none");

	(void)state;
	assert_int_equal(cause.kind, BUS_CAUSE_DIFFERS);
	assert_string_equal(cause.word, "x-max-length");
}

/* It stood in the log as it came: a line's end, and what looks like the next line. */
static void what_is_no_argument_s_name_is_not_repeated(void **state)
{
	static const char *const words[] = {"x\ncallsign: connected", "x\x1b[31m", "x-max-len\xfcth", "x key=value"};

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		char text[200];
		struct bus_cause cause;

		snprintf(text, sizeof text, "PRECONDITION_FAILED - inequivalent arg '%s' for queue 'q' in vhost 'v'", words[i]);
		cause = cause_of(406, text);
		assert_int_equal(cause.kind, BUS_CAUSE_UNKNOWN);
		assert_string_equal(cause.word, "");
		snprintf(text, sizeof text, "PRECONDITION_FAILED - invalid arg '%s' for queue 'q' in vhost 'v'", words[i]);
		assert_int_equal(cause_of(406, text).kind, BUS_CAUSE_UNKNOWN);
	}
}

static void a_delivery_that_was_not_acked_in_time(void **state)
{
	struct bus_cause cause = cause_of(406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 30000 ms. This "
	                                       "timeout value can be configured, see consumers doc guide to learn more");

	(void)state;
	assert_int_equal(cause.kind, BUS_CAUSE_ACK_TIMEOUT);
	assert_int_equal(cause.timeout_ms, 30000);
}

static void a_right_that_the_user_has_not(void **state)
{
	static const char *const rights[] = {"configure", "write", "read"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct bus_cause cause;

		snprintf(text, sizeof text, "ACCESS_REFUSED - %s access to queue 'callsign.host.a' in vhost 'callsign' refused for user 'u'", rights[i]);
		cause = cause_of(403, text);
		assert_int_equal(cause.kind, BUS_CAUSE_RIGHT);
		assert_string_equal(cause.word, rights[i]);
		assert_string_equal(cause.object, "callsign.host.a");
	}
}

static void an_exchange_that_is_missing(void **state)
{
	struct bus_cause cause = cause_of(404, "NOT_FOUND - no exchange 'callsign.will' in vhost 'callsign'");

	(void)state;
	assert_int_equal(cause.kind, BUS_CAUSE_MISSING);
	assert_string_equal(cause.object, "callsign.will");
}

static void words_that_are_not_known_are_no_cause(void **state)
{
	static const struct {
		uint16_t code;
		const char *text;
	} rows[] = {
		{406, "PRECONDITION_FAILED - unknown delivery tag 1"},
		{406, "PRECONDITION_FAILED - user_id property set to 'x' but authenticated user was 'y'"},
		{406, "PRECONDITION_FAILED - invalid arg 'x"},
		{406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: soon ms."},
		{406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 99999999999 ms."},
		{406, "PRECONDITION_FAILED - invalid arg 'an-argument-whose-name-is-longer-than-any-that-there-is-and-than-is-kept' for"},
		{403, "ACCESS_REFUSED"},
		{403, "access to queue 'a'"},
		{404, "NOT_FOUND - invalid arg 'x-a' for"},
		{406, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(cause_of(rows[i].code, rows[i].text).kind, BUS_CAUSE_UNKNOWN);
}

static struct bus_broker broker_of(const char *product, const char *version)
{
	struct bus_text what = {.data = product, .length = product != NULL ? strlen(product) : 0};
	struct bus_text which = {.data = version, .length = version != NULL ? strlen(version) : 0};
	struct bus_broker broker;

	bus_broker_read(&broker, &what, &which);
	return broker;
}

static void which_broker_it_is(void **state)
{
	(void)state;
	assert_int_equal(broker_of("RabbitMQ", "3.10.8").number, BUS_VERSION(3, 10, 8));
	assert_int_equal(broker_of("RabbitMQ", "4.3.6").number, BUS_VERSION(4, 3, 6));
	assert_int_equal(broker_of("RabbitMQ", "4.1.0-rc.2").number, BUS_VERSION(4, 1, 0));
	assert_int_equal(broker_of("RabbitMQ", "3.8").number, BUS_VERSION_OLDEST);
	assert_true(broker_of("RabbitMQ", "3.7.28").number < BUS_VERSION_OLDEST);
	assert_int_equal(broker_of("RabbitMQ", "new").number, 0);
	assert_int_equal(broker_of("Qpid", "9.0.0").number, 0);
	assert_int_equal(broker_of(NULL, NULL).number, 0);
	assert_string_equal(broker_of("Qpid\n", "9.0.0").product, "Qpid\\x0a");
	assert_string_equal(broker_of(NULL, NULL).product, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_argument_that_is_not_taken),
		cmocka_unit_test(an_argument_that_differs),
		cmocka_unit_test(what_is_no_argument_s_name_is_not_repeated),
		cmocka_unit_test(a_delivery_that_was_not_acked_in_time),
		cmocka_unit_test(a_right_that_the_user_has_not),
		cmocka_unit_test(an_exchange_that_is_missing),
		cmocka_unit_test(words_that_are_not_known_are_no_cause),
		cmocka_unit_test(which_broker_it_is),
	};

	return cmocka_run_group_tests_name("bus_cause", tests, NULL, NULL);
}
