#include <config.h>

#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/rtnetlink.h"
#include "tests/unit/ip.h"

/* How often the kernel was asked: twice to read all, once for each family. */
static unsigned asked;

static int counted_read_all(uint16_t type, uint8_t family, struct rtnetlink_taker *taker)
{
	asked++;
	return rtnetlink_read_all(type, family, taker);
}

#define rtnetlink_read_all counted_read_all
#include "host/system/localaddr.c"
#undef rtnetlink_read_all

/* The addresses of this host, with a network namespace of the test's own in the host's place, and ip(8) for whoever changes them. */

#define LIST_SIZE 512

#define START_MS  1000

static int setup(void **state)
{
	if (unshare(CLONE_NEWNET) == -1)
		return -1;
	ip("link add docker0 type bridge");
	ip("link add eth0 type bridge");
	ip("address add 198.18.0.1/24 dev docker0");
	ip("address add 198.18.0.2/24 dev docker0");
	ip("address add 198.18.1.1/24 dev eth0");
	ip("address add fd00::1/64 dev eth0 nodad");
	asked = 0;
	*state = localaddr_new(START_MS);
	return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	localaddr_free(*state);
	return 0;
}

static const char *listed(const struct localaddr *localaddr)
{
	static char text[LIST_SIZE];
	size_t count, i;
	const struct address *list = localaddr_list(localaddr, &count);

	text[0] = '\0';
	for (i = 0; i < count; i++) {
		char one[ADDRESS_TEXT_SIZE];

		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "", address_format(&list[i], one));
	}
	return text;
}

static const char *first_of(const struct localaddr *localaddr, const char *interface)
{
	static char text[ADDRESS_TEXT_SIZE];
	struct address address;

	return localaddr_ipv4(localaddr, interface, &address) == 0 ? address_format(&address, text) : "none";
}

static int step(struct localaddr *localaddr)
{
	return localaddr_step(localaddr, true, START_MS);
}

/* The kernel tells of a new IPv6 address from a work queue, a moment after the command. */
static void hear(struct localaddr *localaddr, const char *wanted)
{
	struct pollfd fd = {.fd = localaddr_fd(localaddr), .events = POLLIN};

	while (strcmp(listed(localaddr), wanted) != 0 && poll(&fd, 1, 5000) == 1)
		(void)step(localaddr);
	assert_string_equal(listed(localaddr), wanted);
}

static void what_is_there_is_read(void **state)
{
	assert_string_equal(listed(*state), "198.18.0.1 198.18.0.2 198.18.1.1 fd00::1");
	assert_string_equal(first_of(*state, "docker0"), "198.18.0.1");
	assert_string_equal(first_of(*state, "eth0"), "198.18.1.1");
	assert_string_equal(first_of(*state, "eth"), "none");
	assert_int_equal(step(*state), 0);
}

static void news_count_at_once(void **state)
{
	ip("address add 198.18.2.1/24 dev eth0");
	ip("address add fd00::2/64 dev eth0 nodad");
	assert_int_equal(step(*state), 1);
	hear(*state, "198.18.0.1 198.18.0.2 198.18.1.1 198.18.2.1 fd00::1 fd00::2");
	ip("address delete 198.18.1.1/24 dev eth0");
	ip("address delete fd00::1/64 dev eth0");
	assert_int_equal(step(*state), 1);
	assert_string_equal(listed(*state), "198.18.0.1 198.18.0.2 198.18.2.1 fd00::2");
	assert_string_equal(first_of(*state, "eth0"), "198.18.2.1");
	assert_true(localaddr_deadline_ms(*state) == CLOCK_NEVER);
}

static void an_interface_comes_and_goes(void **state)
{
	ip("link delete docker0");
	assert_int_equal(step(*state), 1);
	assert_string_equal(listed(*state), "198.18.1.1 fd00::1");
	assert_string_equal(first_of(*state, "docker0"), "none");
	ip("link add docker0 type bridge");
	ip("address add 198.19.0.1/24 dev docker0");
	assert_int_equal(step(*state), 1);
	assert_string_equal(first_of(*state, "docker0"), "198.19.0.1");
}

static void an_interface_gets_another_name(void **state)
{
	ip("link set docker0 name docker1");
	assert_int_equal(step(*state), 0);
	assert_string_equal(first_of(*state, "docker0"), "none");
	assert_string_equal(first_of(*state, "docker1"), "198.18.0.1");
}

/* To make a network wider or narrower: both are there for a moment. */
static void an_address_gets_another_prefix(void **state)
{
	ip("address add 198.18.1.1/16 dev eth0");
	ip("address delete 198.18.1.1/24 dev eth0");
	(void)step(*state);
	assert_string_equal(listed(*state), "198.18.0.1 198.18.0.2 198.18.1.1 fd00::1");
	assert_string_equal(first_of(*state, "eth0"), "198.18.1.1");
	ip("address add 198.18.5.1 peer 198.18.6.1 dev eth0");
	ip("address add 198.18.5.1 peer 198.18.6.2 dev eth0");
	ip("address delete 198.18.5.1 peer 198.18.6.1 dev eth0");
	(void)step(*state);
	assert_string_equal(listed(*state), "198.18.0.1 198.18.0.2 198.18.1.1 198.18.5.1 fd00::1");
}

/* As the kernel has it: what is primary comes first, whenever it came. */
static void primary_ones_come_first(void **state)
{
	ip("address add 198.18.4.1/24 dev docker0");
	ip("address delete 198.18.0.1/24 dev docker0"); /* its secondary goes, too, or is promoted: as the host is set up */
	assert_int_equal(step(*state), 1);
	assert_string_equal(first_of(*state, "docker0"), "198.18.4.1");
	ip("address add 169.254.7.7/16 dev docker0 scope link");
	assert_int_equal(step(*state), 0);
	assert_string_equal(first_of(*state, "docker0"), "198.18.4.1");
	ip("address delete 198.18.4.1/24 dev docker0");
	ip("address flush dev docker0 to 198.18.0.0/15");
	assert_int_equal(step(*state), 1);
	assert_string_equal(first_of(*state, "docker0"), "169.254.7.7");
}

static void labels_are_told_apart(void **state)
{
	ip("address add 198.18.7.1/24 dev eth0 label eth0:1");
	ip("address delete 198.18.1.1/24 dev eth0");
	assert_int_equal(step(*state), 1);
	assert_string_equal(first_of(*state, "eth0"), "none");
	assert_string_equal(first_of(*state, "eth0:1"), "198.18.7.1");
}

/* Both have it; one goes. */
static void an_address_of_two_interfaces(void **state)
{
	ip("address add 198.18.1.1/32 dev docker0");
	assert_int_equal(step(*state), 1);
	assert_string_equal(listed(*state), "198.18.0.1 198.18.0.2 198.18.1.1 198.18.1.1 fd00::1");
	ip("link delete eth0");
	assert_int_equal(step(*state), 1);
	assert_string_equal(listed(*state), "198.18.0.1 198.18.0.2 198.18.1.1");
}

/* Each question may wait for whatever else happens to the machine's interfaces. */
static void news_are_believed(void **state)
{
	struct address address;

	assert_int_equal(asked, 2);
	ip("address add 198.18.2.1/24 dev eth0");
	ip("link set docker0 down");
	ip("link delete docker0");
	assert_int_equal(step(*state), 1);
	assert_int_equal(localaddr_ipv4(*state, "eth0", &address), 0);
	assert_int_equal(asked, 2);
}

/* A container's veth pair has link-local addresses alone. They are not even kept: there are as many as containers. */
static void containers_are_no_news(void **state)
{
	const struct localaddr *localaddr = *state;
	size_t before = localaddr->entries.count;

	ip("link add veth1 type veth peer name veth2");
	ip("link set veth2 up");
	ip("link set veth1 up");
	assert_int_equal(step(*state), 0);
	assert_int_equal(localaddr->entries.count, before);
	ip("link delete veth1");
	assert_int_equal(step(*state), 0);
	assert_int_equal(localaddr->entries.count, before);
}

/* More news than the socket takes: all is read again, but not more often than each second. */
static void lost_news_are_made_up_for(void **state)
{
	int little = 1;

	/* Which is the kernel's least, some messages. */
	assert_int_equal(setsockopt(localaddr_fd(*state), SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
	for (int i = 0; i < 20; i++)
		ip(i % 2 == 0 ? "link set eth0 up" : "address change 198.18.1.1/24 dev eth0 valid_lft 5000 preferred_lft 5000");
	ip("address add 198.18.3.1/24 dev eth0");
	(void)step(*state);
	assert_int_equal(localaddr_deadline_ms(*state), START_MS + LOCALADDR_EVERY_MS);
	assert_int_equal(localaddr_step(*state, false, START_MS + LOCALADDR_EVERY_MS - 1), 0);
	assert_int_equal(asked, 2);
	assert_int_equal(localaddr_step(*state, false, START_MS + LOCALADDR_EVERY_MS), 1);
	assert_int_equal(asked, 4);
	assert_string_equal(listed(*state), "198.18.0.1 198.18.0.2 198.18.1.1 198.18.3.1 fd00::1");
	assert_true(localaddr_deadline_ms(*state) == CLOCK_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_there_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(news_count_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(an_interface_comes_and_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(an_interface_gets_another_name, setup, teardown),
		cmocka_unit_test_setup_teardown(an_address_gets_another_prefix, setup, teardown),
		cmocka_unit_test_setup_teardown(primary_ones_come_first, setup, teardown),
		cmocka_unit_test_setup_teardown(labels_are_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(an_address_of_two_interfaces, setup, teardown),
		cmocka_unit_test_setup_teardown(news_are_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(containers_are_no_news, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_news_are_made_up_for, setup, teardown),
	};

	if (unshare(CLONE_NEWNET) == -1 || !ip_does("link add probe type bridge") || !ip_does("address add fd00::1/64 dev probe")) {
		print_message("SKIPPED: needs root, ip(8), and a kernel with bridges and IPv6\n");
		return getenv("CI") != NULL ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
