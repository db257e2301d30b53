#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Its parser is not for others to call. */
#include "container/addrwatch.c"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads_every_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_datagram_that_ends_within_the_padding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message_longer_than_its_datagram, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
