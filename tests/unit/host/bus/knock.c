#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/bus/knock.h"
#include "shared/clock.h"

/* What is answered to the registry, by a real port that is open or closed. */

#define START_MS 1000000

static int listener;
static struct sockaddr_in where;
static uint64_t asks, answered;
static bool several, connected, open_answer;
static struct knock *knock;

size_t __wrap_subscriber_peer(const struct subscriber *subscriber, struct sockaddr_storage *out);
uint64_t __wrap_registry_asks(const struct registry *registry);
bool __wrap_registry_asks_several(const struct registry *registry, uint64_t question);
void __wrap_registry_answer(struct registry *registry, uint64_t question, bool open, int64_t now_ms);

size_t __wrap_subscriber_peer(const struct subscriber *subscriber, struct sockaddr_storage *out)
{
	(void)subscriber;
	memcpy(out, &where, sizeof where);
	return connected ? sizeof where : 0;
}

uint64_t __wrap_registry_asks(const struct registry *registry)
{
	(void)registry;
	return asks > answered ? asks : 0;
}

bool __wrap_registry_asks_several(const struct registry *registry, uint64_t question)
{
	(void)registry;
	assert_int_equal(question, asks);
	return several;
}

void __wrap_registry_answer(struct registry *registry, uint64_t question, bool open, int64_t now_ms)
{
	(void)registry;
	(void)now_ms;
	assert_true(question > answered);
	answered = question;
	open_answer = open;
}

static int setup(void **state)
{
	socklen_t length = sizeof where;

	(void)state;
	where = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&where, sizeof where), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&where, &length), 0);
	asks = answered = 0;
	several = open_answer = false;
	connected = true;
	knock = knock_new();
	return knock != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	knock_free(knock);
	if (listener != -1)
		close(listener);
	return 0;
}

static void close_port(void)
{
	close(listener);
	listener = -1;
}

/* As the loop does it, so long after the start, until what was begun is over. */
static void step_at(int64_t ms)
{
	struct pollfd fd;

	knock_step(knock, NULL, NULL, START_MS + ms);
	while (knock_fd(knock) != -1) {
		fd = (struct pollfd){.fd = knock_fd(knock), .events = POLLOUT};
		assert_int_equal(poll(&fd, 1, 5000), 1);
		knock_step(knock, NULL, NULL, START_MS + ms);
	}
}

static int64_t due(void)
{
	int64_t due_ms = knock_deadline_ms(knock, NULL);

	return due_ms == CLOCK_NEVER ? -1 : due_ms - START_MS;
}

static void nothing_is_asked_nothing_is_looked_at(void **state)
{
	(void)state;
	step_at(0);
	assert_int_equal(answered, 0);
	assert_int_equal(due(), -1);
}

static void one_alone_is_believed_at_once(void **state)
{
	(void)state;
	asks = 1;
	step_at(0);
	assert_int_equal(answered, 1);
	assert_true(open_answer);
	assert_int_equal(due(), -1);
}

static void a_port_that_refuses_is_closed(void **state)
{
	(void)state;
	close_port();
	asks = 1;
	step_at(0);
	assert_int_equal(answered, 1);
	assert_false(open_answer);
	several = true;
	asks = 9;
	step_at(KNOCK_PAUSE_MS);
	assert_int_equal(answered, 9);
	assert_false(open_answer);
}

/* As long as a broker that stops may be a moment late with its port, several at once were taken for dead. */
static void of_several_at_once_the_second_look_counts(void **state)
{
	(void)state;
	several = true;
	asks = 2;
	step_at(0);
	assert_int_equal(answered, 0);
	assert_int_equal(due(), KNOCK_AGAIN_MS);
	step_at(KNOCK_AGAIN_MS - 1);
	assert_int_equal(answered, 0);
	close_port();
	asks = 5; /* more that come meanwhile are asked about with them */
	step_at(KNOCK_AGAIN_MS);
	assert_int_equal(answered, 5);
	assert_false(open_answer);
}

static void several_that_died_are_believed_at_the_second_look(void **state)
{
	(void)state;
	several = true;
	asks = 2;
	step_at(0);
	step_at(KNOCK_AGAIN_MS);
	assert_int_equal(answered, 2);
	assert_true(open_answer);
	/* And the next ones have two of their own. */
	asks = 4;
	step_at(KNOCK_AGAIN_MS + KNOCK_PAUSE_MS);
	assert_int_equal(answered, 2);
	step_at(2 * KNOCK_AGAIN_MS + KNOCK_PAUSE_MS);
	assert_int_equal(answered, 4);
	assert_true(open_answer);
}

/* The connection has ended in between, and with it the questions: the next ones are not half answered. */
static void a_second_look_that_nobody_wants_any_more_is_forgotten(void **state)
{
	(void)state;
	several = true;
	asks = 2;
	step_at(0);
	asks = 0;
	step_at(1);
	assert_int_equal(due(), -1);
	asks = 3;
	step_at(100);
	assert_int_equal(answered, 0);
	assert_int_equal(due(), 100 + KNOCK_AGAIN_MS);
}

/* Our own connection is gone: no lost is believed, by the registry's own rules. */
static void without_a_connection_there_is_nothing_to_look_at(void **state)
{
	(void)state;
	connected = false;
	asks = 1;
	step_at(0);
	assert_int_equal(answered, 0);
	assert_int_equal(due(), KNOCK_PAUSE_MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_asked_nothing_is_looked_at),
		TEST(one_alone_is_believed_at_once),
		TEST(a_port_that_refuses_is_closed),
		TEST(of_several_at_once_the_second_look_counts),
		TEST(several_that_died_are_believed_at_the_second_look),
		TEST(a_second_look_that_nobody_wants_any_more_is_forgotten),
		TEST(without_a_connection_there_is_nothing_to_look_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
