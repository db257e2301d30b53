#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cmocka.h>

/* Its parser is not for others to call. */
#include "container/announce/addrwatch.c"
#include "tests/unit/range.h"

/* Two empty messages; the second, should it be read, means that something changed. */
static struct {
	struct nlmsghdr first;
	char padding[4];
	struct nlmsghdr second;
} datagram;

static int setup(void **state)
{
	struct addrwatch *watch = addrwatch_new(NULL, NULL);

	if (watch == NULL)
		return -1;
	datagram.first = (struct nlmsghdr){.nlmsg_len = sizeof(struct nlmsghdr) + 1, .nlmsg_type = NLMSG_NOOP};
	datagram.second = (struct nlmsghdr){.nlmsg_len = sizeof(struct nlmsghdr), .nlmsg_type = RTM_NEWLINK};
	*state = watch;
	return 0;
}

static int teardown(void **state)
{
	addrwatch_free(*state);
	return 0;
}

static void test_reads_every_message(void **state)
{
	struct addrwatch *watch = *state;

	assert_int_equal(read_datagram(watch, &datagram.first, sizeof(datagram)), 0);
	assert_true(watch->again);
}

/* Found by fuzzing: what was left was counted below 0, and the messages behind the end were read. */
static void test_datagram_that_ends_within_the_padding(void **state)
{
	struct addrwatch *watch = *state;

	assert_int_equal(read_datagram(watch, &datagram.first, sizeof(struct nlmsghdr) + 2), 0);
	assert_false(watch->again);
}

static void test_message_longer_than_its_datagram(void **state)
{
	struct addrwatch *watch = *state;

	datagram.second.nlmsg_len++;
	assert_int_equal(read_datagram(watch, &datagram.first, sizeof(datagram)), 0);
	assert_false(watch->again);
}

/* A container that changed its addresses without a pause kept an agent from everybody else's. */
static void test_reads_so_many_at_a_time(void **state)
{
	const struct nlmsghdr nothing = {.nlmsg_len = sizeof(nothing), .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
	struct addrwatch *watch = *state;
	struct pollfd fd;
	unsigned reads = 0;

	watch->fd = rtnetlink_open(0, SOCK_NONBLOCK);
	assert_int_not_equal(watch->fd, -1);
	for (unsigned i = 0; i < 2 * DATAGRAMS_MAX + 1; i++)
		assert_int_equal(send(watch->fd, &nothing, sizeof(nothing), 0), sizeof(nothing));
	for (fd = (struct pollfd){.fd = watch->fd, .events = POLLIN}; poll(&fd, 1, 0) == 1; reads++)
		assert_int_equal(addrwatch_step(watch, true, 0), 0);
	assert_int_equal(reads, 3);
}

/* A kernel without IPv6 answers a question for it with all that it has. */
static void test_only_the_family_that_was_asked_for(void **state)
{
	struct addrwatch *watch = *state;
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg body;
		struct rtattr attribute;
		uint8_t address[4];
	} message = {
		.header = {.nlmsg_len = sizeof(message), .nlmsg_type = RTM_NEWADDR},
		.body = {.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 2},
		.attribute = {.rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL},
		.address = {198, 18, 0, 2},
	};

	watch->stage = STAGE_ADDRESSES_IPV6;
	assert_int_equal(read_datagram(watch, &message, sizeof(message)), 0);
	assert_int_equal(watch->next.naddresses, 0);
	watch->stage = STAGE_ADDRESSES_IPV4;
	assert_int_equal(read_datagram(watch, &message, sizeof(message)), 0);
	assert_int_equal(watch->next.naddresses, 1);
	assert_int_equal(watch->next.addresses[0].link, 2);
	assert_memory_equal(watch->next.addresses[0].address.bytes, message.address, sizeof(message.address));
}

/* What the kernel says of a dump that it did not finish; what does not exist is no fault. */
static void test_a_dump_that_fails_is_an_error(void **state)
{
	static const struct {
		uint16_t type;
		int error, result;
	} rows[] = {
		{NLMSG_ERROR, -ENOMEM, -1}, {NLMSG_ERROR, -EPERM, -1}, {NLMSG_DONE, -ENOBUFS, -1},
		{NLMSG_ERROR, -EOPNOTSUPP, 0}, {NLMSG_ERROR, -EAFNOSUPPORT, 0}, {NLMSG_DONE, 0, 0},
	};
	struct addrwatch *watch = *state;
	struct {
		struct nlmsghdr header;
		struct nlmsgerr body;
	} message;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		watch->stage = STAGE_ROUTES_IPV6; /* the last one: no further question is asked */
		memset(&message, 0, sizeof(message));
		message.header = (struct nlmsghdr){.nlmsg_len = sizeof(message), .nlmsg_type = rows[i].type};
		message.body.error = rows[i].error;
		errno = 0;
		assert_int_equal(read_datagram(watch, &message, sizeof(message)) == -1, rows[i].result == -1);
		if (rows[i].result == -1)
			assert_int_equal(errno, -rows[i].error);
	}
	/* Of an old kernel, which ends a dump with nothing in it. */
	watch->stage = STAGE_ROUTES_IPV6;
	message.header = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(0), .nlmsg_type = NLMSG_DONE};
	message.body.error = -ENOMEM;
	assert_int_not_equal(read_datagram(watch, &message, sizeof(message)), -1);
}

/* ---- what fails is tried again ---- */

struct shortage {
	unsigned fails; /* so many times from now on */
	unsigned asked;
};

static int open_scarce(void *arg, uint32_t groups)
{
	struct shortage *shortage = arg;

	shortage->asked++;
	if (shortage->fails == 0)
		return rtnetlink_open(groups, SOCK_NONBLOCK);
	shortage->fails--;
	errno = EMFILE;
	return -1;
}

/* As a loop does it, by a clock of its own: until the facts are there, or for so long. The time. */
static int64_t follow(struct addrwatch *watch, int64_t now_ms, int64_t end_ms, unsigned *complaints)
{
	while (addrwatch_is_lost(watch) || !addrwatch_ready(watch)) {
		struct pollfd fd = {.fd = addrwatch_fd(watch), .events = POLLIN};
		bool readable = fd.fd != -1 && poll(&fd, 1, 1000) == 1;

		if (!readable && addrwatch_deadline_ms(watch) > end_ms)
			break;
		if (!readable && addrwatch_deadline_ms(watch) > now_ms)
			now_ms = addrwatch_deadline_ms(watch);
		if (addrwatch_step(watch, readable, now_ms) == -1) {
			assert_int_equal(errno, EMFILE);
			(*complaints)++;
		}
	}
	return now_ms;
}

/* Of a container that began while its agent had no descriptor left nobody knew the address, until it was started anew. */
static void test_what_cannot_be_opened_is_tried_again(void **state)
{
	struct shortage shortage = {.fails = 4};
	struct addrwatch *watch = addrwatch_new(open_scarce, &shortage);
	unsigned complaints = 0;
	int64_t end_ms;

	(void)state;
	assert_non_null(watch);
	end_ms = follow(watch, 5000, CLOCK_NEVER - 1, &complaints);
	assert_true(addrwatch_ready(watch));
	assert_int_equal(shortage.asked, 5);
	assert_int_equal(complaints, 1);
	/* At once, after at most 1 s, and 2, 4 and 8, less at most a quarter. */
	assert_int_in_range(end_ms - 5000, 10500, 15000);
	assert_int_equal(addrwatch_deadline_ms(watch), CLOCK_NEVER);
	addrwatch_free(watch);
}

static void test_a_minute_is_the_longest_pause(void **state)
{
	struct shortage shortage = {.fails = 1000};
	struct addrwatch *watch = addrwatch_new(open_scarce, &shortage);
	unsigned complaints = 0;

	(void)state;
	assert_non_null(watch);
	(void)follow(watch, 0, 3600 * 1000, &complaints);
	assert_int_in_range(shortage.asked, 60, 90);
	assert_int_equal(complaints, 1);
	assert_false(addrwatch_ready(watch));
	addrwatch_free(watch);
}

/* What was known stays known, and that it is known again is a change: nobody saw what happened to the routes. */
static void test_a_watch_that_broke_is_made_anew(void **state)
{
	struct shortage shortage = {.fails = 0};
	struct addrwatch *watch = addrwatch_new(open_scarce, &shortage);
	unsigned complaints = 0;
	size_t known;
	struct pollfd fd;

	(void)state;
	assert_non_null(watch);
	(void)follow(watch, 0, 1000, &complaints);
	known = addrwatch_facts(watch)->naddresses;
	assert_int_equal(close(watch->fd), 0);
	watch->fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* no socket: nothing can be received */
	assert_int_equal(addrwatch_step(watch, true, 2000), -1);
	assert_int_equal(errno, ENOTSOCK);
	assert_true(addrwatch_is_lost(watch) && addrwatch_ready(watch));
	assert_int_equal(addrwatch_fd(watch), -1);
	assert_int_equal(addrwatch_facts(watch)->naddresses, known);
	assert_int_in_range(addrwatch_deadline_ms(watch), 2000, 3000);
	assert_int_equal(addrwatch_step(watch, false, 3000), 0);
	for (fd = (struct pollfd){.fd = addrwatch_fd(watch), .events = POLLIN}; addrwatch_is_lost(watch);) {
		int changed;

		assert_int_equal(poll(&fd, 1, 1000), 1);
		changed = addrwatch_step(watch, true, 3000);
		assert_int_equal(changed, !addrwatch_is_lost(watch));
	}
	assert_int_equal(addrwatch_facts(watch)->naddresses, known);
	assert_int_equal(complaints, 0);
	addrwatch_free(watch);
}

static int open_forbidden(void *arg, uint32_t groups)
{
	(void)arg;
	(void)groups;
	errno = EPERM;
	return -1;
}

/* A sandbox without netlink is none that anybody is woken for. And who waits for what there is to know knows that it is nothing. */
static void test_what_is_forbidden_is_not_tried_again(void **state)
{
	struct addrwatch *watch = addrwatch_new(open_forbidden, NULL);

	(void)state;
	assert_non_null(watch);
	assert_int_equal(addrwatch_step(watch, false, 1000), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(addrwatch_deadline_ms(watch), CLOCK_NEVER);
	assert_int_equal(addrwatch_step(watch, false, 1000000), 0);
	assert_true(addrwatch_ready(watch) && addrwatch_is_lost(watch));
	assert_int_equal(addrwatch_facts(watch)->naddresses, 0);
	addrwatch_free(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads_every_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_datagram_that_ends_within_the_padding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message_longer_than_its_datagram, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reads_so_many_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_the_family_that_was_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_dump_that_fails_is_an_error, setup, teardown),
		cmocka_unit_test(test_what_cannot_be_opened_is_tried_again),
		cmocka_unit_test(test_what_is_forbidden_is_not_tried_again),
		cmocka_unit_test(test_a_minute_is_the_longest_pause),
		cmocka_unit_test(test_a_watch_that_broke_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
