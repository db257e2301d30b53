#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/bus/bus_amqp.h"
#include "shared/clock.h"
#include "tests/unit/range.h"

/* Heartbeats against a real TCP connection, whose low-water mark is the point, and a librabbitmq that only counts. */

#define START_MS 1000000
#define BEAT_S   10

static const char beat[8] = {8}, smallest[12] = {1};
static int ours, theirs;
static unsigned sent;
static bool broken, idle;
static struct bus bus;

int __wrap_amqp_get_sockfd(amqp_connection_state_t connection);
int __wrap_amqp_send_frame(amqp_connection_state_t connection, const amqp_frame_t *frame);
int __wrap_bus_input_low_water(const struct bus_input *input);
void __wrap_bus_break(struct bus *which, enum bus_failure_kind kind, uint16_t code, enum bus_request request, const char *text,
                      size_t length);

int __wrap_amqp_get_sockfd(amqp_connection_state_t connection)
{
	(void)connection;
	return ours;
}

int __wrap_amqp_send_frame(amqp_connection_state_t connection, const amqp_frame_t *frame)
{
	(void)connection;
	assert_int_equal(frame->frame_type, AMQP_FRAME_HEARTBEAT);
	assert_int_equal(frame->channel, 0);
	sent++;
	return AMQP_STATUS_OK;
}

int __wrap_bus_input_low_water(const struct bus_input *input)
{
	(void)input;
	return idle ? (int)sizeof beat + 1 : 1;
}

void __wrap_bus_break(struct bus *which, enum bus_failure_kind kind, uint16_t code, enum bus_request request, const char *text,
                      size_t length)
{
	(void)which;
	(void)code;
	(void)request;
	assert_int_equal(kind, BUS_FAILED_LOST);
	assert_int_equal(strlen(text), length);
	broken = true;
}

static int setup(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	theirs = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(theirs, (struct sockaddr *)&address, sizeof address), 0);
	ours = accept(listener, NULL, NULL);
	close(listener);
	sent = 0;
	broken = false;
	idle = true;
	memset(&bus, 0, sizeof bus);
	bus.now_ms = bus.stepped_ms = START_MS;
	bus.heartbeat_ms = BEAT_S * 1000;
	bus_beat_begin(&bus);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(ours);
	if (theirs != -1)
		close(theirs);
	return 0;
}

/* As bus_step() does it, so long after the start. */
static void step_at(int64_t ms)
{
	char bytes[64];

	bus.now_ms = START_MS + ms;
	bus_beat_step(&bus);
	bus.stepped_ms = bus.now_ms;
	while (recv(ours, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		bus.read_ms = bus.now_ms;
	bus_beat_wait(&bus);
}

static void broker_says(const void *bytes, size_t length)
{
	assert_int_equal(send(theirs, bytes, length, 0), length);
}

/* Whether poll() comes back within that time. */
static bool wakes(int within_ms)
{
	struct pollfd fd = {.fd = ours, .events = POLLIN};

	return poll(&fd, 1, within_ms) == 1;
}

static int64_t due(void)
{
	return bus_beat_due_ms(&bus) - START_MS;
}

static void each_second_heartbeat_wakes(void **state)
{
	(void)state;
	step_at(0);
	broker_says(beat, sizeof beat);
	assert_false(wakes(50));
	broker_says(beat, sizeof beat);
	assert_true(wakes(5000));
	step_at(10000);
	broker_says(beat, sizeof beat);
	assert_false(wakes(50));
}

static void anything_else_wakes_at_once(void **state)
{
	(void)state;
	step_at(0);
	broker_says(smallest, sizeof smallest);
	assert_true(wakes(5000));
	step_at(1);
	broker_says(beat, sizeof beat);
	broker_says(smallest, sizeof smallest);
	assert_true(wakes(5000));
	step_at(2);
	close(theirs);
	theirs = -1;
	assert_true(wakes(5000));
}

static void the_rest_of_a_frame_wakes_however_short(void **state)
{
	(void)state;
	idle = false;
	step_at(0);
	broker_says(beat, 1);
	assert_true(wakes(5000));
	idle = true;
	step_at(1);
	broker_says(beat, sizeof beat);
	assert_false(wakes(50));
	/* What is there already counts as well. */
	idle = false;
	bus_beat_wait(&bus);
	assert_true(wakes(5000));
}

/* Ours going out kept it from being late, so that who woke often enough for other reasons never missed the broker: librabbitmq did. */
static void a_silent_broker_is_noticed_by_whoever_wakes_all_the_time(void **state)
{
	int64_t now;

	(void)state;
	for (now = 0; !broken && now < 100000; now += 100)
		step_at(now);
	assert_true(broken);
	assert_int_in_range(now, 20000, 25500);
}

static void ours_goes_out_with_the_second_of_theirs_even_if_that_is_early(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 100; i++) {
		broker_says(beat, sizeof beat);
		step_at(9990 * (int64_t)i);
		assert_int_equal(sent, i);
		assert_false(bus.late);
	}
}

static void whatever_else_wakes_there_is_one_in_each_interval(void **state)
{
	int64_t now = 0, last = 0;
	unsigned before = 0;

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 10000; i++) {
		int64_t pause = rand() % 12000, left = due() - now;

		now += pause < left ? pause : left;
		broker_says(beat, sizeof beat);
		step_at(now);
		assert_true(now - last <= BEAT_S * 1050);
		assert_false(broken);
		assert_true(due() > now);
		if (sent > before)
			last = now;
		before = sent;
	}
}

static void a_broker_that_has_gone_silent_is_noticed(void **state)
{
	int64_t now = 0;

	(void)state;
	assert_int_equal(due(), 10500);
	/* Its last one waits to be read. */
	broker_says(beat, sizeof beat);
	for (unsigned i = 0; !broken && i < 10; i++) {
		now = due();
		step_at(now);
	}
	assert_true(broken);
	assert_int_equal(now, 25500);
	assert_true(sent >= 2); /* ours go on all the while */
}

static void one_that_is_late_but_speaks_is_not_given_up(void **state)
{
	(void)state;
	for (int64_t now = due(); now < 1000000; now = due()) {
		if (now / 10000 != bus.stepped_ms / 10000)
			broker_says(beat, sizeof beat); /* half as often as RabbitMQ */
		step_at(now);
		assert_false(broken);
	}
}

/* After something else of its own a broker leaves a heartbeat out. From then on each of them woke us, until the next time. */
static void one_that_was_left_out_puts_us_out_of_step_only_once(void **state)
{
	(void)state;
	broker_says(smallest, sizeof smallest);
	step_at(10000);
	broker_says(beat, sizeof beat); /* 20000: there was none before it */
	assert_false(wakes(50));
	assert_int_equal(due(), 20500);
	step_at(20500);
	assert_int_equal(sent, 2);
	broker_says(beat, sizeof beat); /* 25000 */
	assert_false(wakes(50));
	assert_int_equal(due(), 31000);
	broker_says(beat, sizeof beat); /* 30000 */
	assert_true(wakes(5000));
	step_at(30000);
	assert_int_equal(sent, 3);
	assert_int_equal(due(), 40500);
}

static void a_full_socket_is_not_waited_for(void **state)
{
	static const char much[65536];

	(void)state;
	while (send(ours, much, sizeof much, MSG_DONTWAIT) > 0)
		;
	broker_says(beat, sizeof beat);
	step_at(10000);
	assert_int_equal(sent, 0);
	assert_false(broken);
	assert_true(due() > 10000);
}

static void without_heartbeats_there_is_no_deadline(void **state)
{
	(void)state;
	bus.heartbeat_ms = 0;
	step_at(1000000);
	assert_int_equal(bus_beat_due_ms(&bus), CLOCK_NEVER);
	assert_int_equal(sent, 0);
	broker_says(beat, 1);
	assert_true(wakes(5000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_second_heartbeat_wakes),
		TEST(anything_else_wakes_at_once),
		TEST(the_rest_of_a_frame_wakes_however_short),
		TEST(a_silent_broker_is_noticed_by_whoever_wakes_all_the_time),
		TEST(ours_goes_out_with_the_second_of_theirs_even_if_that_is_early),
		TEST(whatever_else_wakes_there_is_one_in_each_interval),
		TEST(a_broker_that_has_gone_silent_is_noticed),
		TEST(one_that_is_late_but_speaks_is_not_given_up),
		TEST(one_that_was_left_out_puts_us_out_of_step_only_once),
		TEST(a_full_socket_is_not_waited_for),
		TEST(without_heartbeats_there_is_no_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
