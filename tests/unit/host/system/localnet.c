#include <config.h>

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/system/localnet.h"
#include "shared/rtnetlink.h"
#include "tests/unit/ip.h"

/* The subnets of a host's own bridges, with a network namespace of the test's own in the host's place, and ip(8) for whoever changes them. */

/* How many dumps of links are to be inconsistent, and to lack the bridges br-…. What the kernel does so itself is a matter of chance. */
static unsigned broken;

static void break_dump(struct nlmsghdr *header)
{
	struct rtnetlink_link link;

	if (header->nlmsg_type == RTM_NEWLINK && rtnetlink_read_link(header, &link) == 0 && strncmp(link.name, "br-", 3) == 0)
		header->nlmsg_type = NLMSG_NOOP;
	header->nlmsg_flags |= NLM_F_DUMP_INTR;
	broken -= header->nlmsg_type == NLMSG_DONE;
}

/* Takes the C library's place. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t length = syscall(SYS_recvmsg, fd, message, flags);
	size_t left = length > 0 ? (size_t)length : 0, step;
	char *at = message->msg_iov->iov_base;

	while (broken > 0 && left >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr *header = (struct nlmsghdr *)(void *)at;

		if (header->nlmsg_type == RTM_NEWLINK || header->nlmsg_type == NLMSG_DONE)
			break_dump(header);
		step = NLMSG_ALIGN(header->nlmsg_len);
		left -= step < left ? step : left;
		at += step;
	}
	return length;
}

struct host {
	struct localaddr *localaddr;
	struct localnet *localnet;
};

static int setup(void **state)
{
	struct host *host = calloc(1, sizeof *host);

	if (host == NULL || unshare(CLONE_NEWNET) == -1)
		return -1;
	ip("link add docker0 type bridge");
	ip("address add 198.18.0.1/20 dev docker0");
	ip("address add fd00:1::1/64 dev docker0 nodad");
	host->localaddr = localaddr_new(0);
	host->localnet = localnet_new();
	*state = host;
	return host->localaddr != NULL && host->localnet != NULL && localnet_read(host->localnet, host->localaddr) == 1 ? 0 : -1;
}

static int teardown(void **state)
{
	struct host *host = *state;

	localaddr_free(host->localaddr);
	localnet_free(host->localnet);
	free(host);
	return 0;
}

/* Whether anything changed. */
static bool again(struct host *host)
{
	int result;

	(void)localaddr_step(host->localaddr, true, 10000);
	result = localnet_read(host->localnet, host->localaddr);
	assert_int_not_equal(result, -1);
	return result == 1;
}

static bool has(const struct host *host, const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, strlen(text), &address), 0);
	return localnet_has(host->localnet, &address);
}

static void a_bridges_subnets_are_its_own(void **state)
{
	const struct host *host = *state;

	assert_true(has(host, "198.18.0.1"));
	assert_true(has(host, "198.18.0.2"));
	assert_true(has(host, "198.18.15.255"));
	assert_false(has(host, "198.18.16.0"));
	assert_false(has(host, "198.17.255.255"));
	assert_true(has(host, "fd00:1::2"));
	assert_false(has(host, "fd00:1:0:1::2"));
	assert_false(has(host, "127.0.0.1"));
}

static void other_links_are_not(void **state)
{
	struct host *host = *state;

	ip("link add eth0 type veth peer name eth1");
	ip("address add 198.18.32.2/24 dev eth0");
	ip("link add v0 type veth peer name v1");
	ip("address add 198.18.33.2/24 dev v0");
	ip("address add 198.18.34.1/32 dev docker0");
	assert_false(again(host));
	assert_false(has(host, "198.18.32.2"));
	assert_false(has(host, "198.18.33.3"));
	assert_false(has(host, "198.18.34.1"));
}

static void bridges_come_and_go(void **state)
{
	struct host *host = *state;

	ip("link add br-1 type bridge");
	ip("address add 198.18.64.1/24 dev br-1");
	assert_true(again(host));
	assert_true(has(host, "198.18.64.9"));
	assert_false(again(host));
	/* The same address, another prefix. */
	ip("address add 198.18.64.1/23 dev br-1");
	ip("address del 198.18.64.1/24 dev br-1");
	assert_true(again(host));
	assert_true(has(host, "198.18.65.9"));
	ip("link del br-1");
	assert_true(again(host));
	assert_false(has(host, "198.18.64.9"));
	assert_true(has(host, "198.18.0.2"));
}

/* Containers and virtual machines are plugged in by veth and tap; whatever else is there leads away. */
static void a_bridge_that_goes_on_beyond_this_host_is_not(void **state)
{
	struct host *host = *state;

	ip("link add v0 type veth peer name v1");
	ip("link set v0 master docker0");
	ip("tuntap add tap0 mode tap");
	ip("link set tap0 master docker0");
	assert_false(again(host));
	/* Of what is neither, this kernel has one or the other. */
	assert_true(ip_does("link add link v1 name away type vlan id 7") || ip_does("link add away type ifb") ||
		    ip_does("link add away type vxlan id 7 dev v1 dstport 4789"));
	ip("link set away master docker0");
	assert_true(again(host));
	assert_false(has(host, "198.18.0.2"));
	ip("link set away nomaster");
	assert_true(again(host));
	assert_true(has(host, "198.18.0.2"));
}

static void many_bridges(void **state)
{
	struct host *host = *state;
	int batch = memfd_create("batch", 0); /* for one process, not 600 */
	char address[32], words[64];

	assert_true(batch != -1);
	for (unsigned i = 0; i < 300; i++)
		dprintf(batch, "link add br-%u type bridge\naddress add 198.19.%u.%u/28 dev br-%u\n", i, i / 16, i % 16 * 16 + 1, i);
	snprintf(words, sizeof words, "-batch /proc/self/fd/%d", batch);
	ip(words);
	close(batch);
	assert_true(again(host));
	for (unsigned i = 0; i < 300; i++) {
		snprintf(address, sizeof address, "198.19.%u.%u", i / 16, i % 16 * 16 + 2);
		assert_true(has(host, address));
	}
	assert_false(has(host, "198.19.19.2"));
}

/* Links that change while they are read: the list may lack one that is there all the time. */
static void a_dump_that_is_not_consistent_does_not_count(void **state)
{
	struct host *host = *state;

	ip("link add br-1 type bridge");
	ip("address add 198.18.64.1/24 dev br-1");
	assert_true(again(host));
	broken = 1;
	assert_false(again(host));
	assert_int_equal(broken, 0);
	assert_true(has(host, "198.18.64.9"));
	broken = 1000;
	errno = 0;
	assert_int_equal(localnet_read(host->localnet, host->localaddr), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(broken > 900);
	assert_true(has(host, "198.18.64.9"));
	broken = 0;
	assert_false(again(host));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_bridges_subnets_are_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(other_links_are_not, setup, teardown),
		cmocka_unit_test_setup_teardown(bridges_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bridge_that_goes_on_beyond_this_host_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(many_bridges, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dump_that_is_not_consistent_does_not_count, setup, teardown),
	};

	if (unshare(CLONE_NEWNET) == -1 || !ip_does("link add probe type bridge") || !ip_does("address add fd00::1/64 dev probe")) {
		print_message("SKIPPED: needs root, ip(8), and a kernel with bridges and IPv6\n");
		return getenv("CI") != NULL ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
