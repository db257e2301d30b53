#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <sys/socket.h>

#include <cmocka.h>

/* Its parser is not for others to call. */
#include "container/announce/addrwatch.c"

/* Two empty messages; the second, should it be read, means that something changed. */
static struct {
	struct nlmsghdr first;
	char padding[4];
	struct nlmsghdr second;
} datagram;

static int setup(void **state)
{
	struct addrwatch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return -1;
	watch->fd = -1;
	watch->stage = STAGE_NONE;
	datagram.first = (struct nlmsghdr){.nlmsg_len = sizeof(struct nlmsghdr) + 1, .nlmsg_type = NLMSG_NOOP};
	datagram.second = (struct nlmsghdr){.nlmsg_len = sizeof(struct nlmsghdr), .nlmsg_type = RTM_NEWLINK};
	*state = watch;
	return 0;
}

static int teardown(void **state)
{
	addrwatch_close(*state);
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
		assert_int_equal(addrwatch_read(watch), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads_every_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_datagram_that_ends_within_the_padding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message_longer_than_its_datagram, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reads_so_many_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_the_family_that_was_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_dump_that_fails_is_an_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
