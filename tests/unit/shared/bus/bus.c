/* The bus on one end of a socket pair, without a broker at the other. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/bus/bus_amqp.h"
#include "shared/clock.h"
#include "tests/unit/exact.h"

struct line {
	struct bus *bus;
	int broker; /* the other end */
	unsigned downs;
	enum bus_failure_kind kind;
};

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct line *line = arg;

	line->downs++;
	line->kind = failure->kind;
}

/* As after a login. */
static int line_open(void **state)
{
	static const struct bus_callbacks callbacks = {.down = on_down};
	static struct line line;
	amqp_socket_t *sock;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	line = (struct line){.bus = bus_new(&callbacks, &line), .broker = ends[0]};
	assert_non_null(line.bus);
	line.bus->where.host = strdup("broker");
	line.bus->where.vhost = strdup("callsign");
	line.bus->where.user = strdup("emitter");
	line.bus->connection = amqp_new_connection();
	sock = amqp_tcp_socket_new(line.bus->connection);
	assert_non_null(sock);
	amqp_tcp_socket_set_sockfd(sock, ends[1]);
	line.bus->request_ms = BUS_REQUEST_MS;
	assert_int_equal(bus_input_begin(&line.bus->input, ends[1], NULL, BUS_FRAME_MAX_HOST), 0);
	line.bus->state = BUS_UP;
	*state = &line;
	return 0;
}

static int line_close(void **state)
{
	struct line *line = *state;

	bus_free(line->bus);
	close(line->broker);
	return 0;
}

static void fill(struct bus *bus)
{
	static const char junk[4096];
	int fd = amqp_get_sockfd(bus->connection);

	while (send(fd, junk, sizeof junk, MSG_DONTWAIT) > 0)
		continue;
	assert_int_equal(errno, EAGAIN);
}

static void closing_says_goodbye(void **state)
{
	/* A method frame on channel 0: connection.close (AMQP 0-9-1, 2.3.5 and 1.4). */
	static const unsigned char wanted[] = {1, 0, 0};
	static const unsigned char method[] = {0, 10, 0, 50};
	struct line *line = *state;
	unsigned char said[11];

	bus_close(line->bus);
	assert_int_equal(recv(line->broker, said, sizeof said, 0), sizeof said);
	assert_memory_equal(said, wanted, sizeof wanted);
	assert_memory_equal(said + 7, method, sizeof method);
	assert_int_equal(line->downs, 0);
}

/* It waited until the broker read again, up to two heartbeats: callsignd did not end, and a reload stood still. */
static void closing_does_not_wait_for_a_full_socket(void **state)
{
	struct line *line = *state;

	fill(line->bus);
	alarm(5);
	bus_close(line->bus);
	alarm(0);
	assert_int_equal(line->downs, 0);
	assert_false(bus_is_up(line->bus));
}

/* Once the login is over librabbitmq knows no heartbeat, and waited for ever: a host or an emitter that acks hung in it. */
static void an_ack_does_not_wait_for_a_full_socket(void **state)
{
	struct line *line = *state;

	fill(line->bus);
	alarm(5);
	bus_ack(line->bus, 1, false);
	alarm(0);
	assert_false(bus_is_up(line->bus));
	bus_step(line->bus, clock_ms(), 0);
	assert_int_equal(line->kind, BUS_FAILED_LOST);
}

/* A loop that was told of no bound read as long as something came: an emitter heard no signal, nor its COMMAND's end. */
static void what_comes_without_end_does_not_keep_us(void **state)
{
	enum { BEATS = 8300 };
	static const unsigned char beat[8] = {8, 0, 0, 0, 0, 0, 0, 0xCE};
	static unsigned char many[BEATS * sizeof beat];
	struct line *line = *state;
	int64_t now_ms = clock_ms();

	for (size_t i = 0; i < BEATS; i++)
		memcpy(many + i * sizeof beat, beat, sizeof beat);
	assert_int_equal(send(line->broker, many, sizeof many, MSG_DONTWAIT), sizeof many);
	assert_false(bus_step(line->bus, now_ms, 0));
	/* The rest may be in our buffer, where poll() does not see it. */
	assert_int_equal(bus_deadline_ms(line->bus), now_ms);
	assert_false(bus_step(line->bus, now_ms, 0));
	assert_int_equal(bus_deadline_ms(line->bus), CLOCK_NEVER);
	assert_int_equal(line->downs, 0);
}

static void a_request_has_its_time(void **state)
{
	struct line *line = *state;
	int64_t now_ms = clock_ms();

	line->bus->now_ms = now_ms;
	line->bus->request_ms = 2 * (int64_t)BUS_REQUEST_MS;
	bus_confirm_select(line->bus);
	assert_int_equal(bus_deadline_ms(line->bus), now_ms + 2 * (int64_t)BUS_REQUEST_MS);
	bus_step(line->bus, now_ms + 2 * (int64_t)BUS_REQUEST_MS - 1, 0);
	assert_int_equal(line->downs, 0);
	bus_step(line->bus, now_ms + 2 * (int64_t)BUS_REQUEST_MS, 0);
	assert_int_equal(line->downs, 1);
	assert_int_equal(line->kind, BUS_FAILED_TIMEOUT);
}

static void tells_a_slow_broker_from_one_out_of_reach(void **state)
{
	static const struct {
		enum bus_failure_kind kind;
		bool slow;
	} rows[] = {
		{BUS_FAILED_LOOKUP, false},   {BUS_FAILED_CONNECT, false}, {BUS_FAILED_TLS, false},
		{BUS_FAILED_HANDSHAKE, true}, {BUS_FAILED_LOGIN, false},   {BUS_FAILED_CHANNEL, false},
		{BUS_FAILED_CLOSED, false},   {BUS_FAILED_LOST, false},    {BUS_FAILED_TIMEOUT, true},
		{BUS_FAILED_LOCAL, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct bus_failure failure = {.kind = rows[i].kind};

		assert_int_equal(bus_failure_is_slowness(&failure), rows[i].slow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(closing_says_goodbye, line_open, line_close),
		cmocka_unit_test_setup_teardown(closing_does_not_wait_for_a_full_socket, line_open, line_close),
		cmocka_unit_test_setup_teardown(an_ack_does_not_wait_for_a_full_socket, line_open, line_close),
		cmocka_unit_test_setup_teardown(what_comes_without_end_does_not_keep_us, line_open, line_close),
		cmocka_unit_test_setup_teardown(a_request_has_its_time, line_open, line_close),
		cmocka_unit_test(tells_a_slow_broker_from_one_out_of_reach),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
