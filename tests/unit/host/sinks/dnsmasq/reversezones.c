#include <config.h>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/sinks/dnsmasq/reversezones.h"
#include "shared/clock.h"
#include "tests/unit/ip.h"

/* The files of reverse zones, with a network namespace of the test's own in the host's place, and ip(8) for whoever changes it. */

#define HEAD "# Written by callsignd, which replaces it whole as networks come and go: do not edit.\n"

struct host {
	struct localaddr *localaddr;
	struct localnet *localnet;
	struct reversezones *zones;
	struct conf conf;
	char folder[64], hosts[96], server[16], pid_file[16];
	int64_t now_ms;
};

static int setup(void **state)
{
	struct host *host = calloc(1, sizeof *host);
	const char *tmp = getenv("TMPDIR");

	if (host == NULL || unshare(CLONE_NEWNET) == -1)
		return -1;
	snprintf(host->folder, sizeof host->folder, "%.40s/zones.XXXXXX", tmp != NULL && strlen(tmp) <= 40 ? tmp : "/tmp");
	if (mkdtemp(host->folder) == NULL)
		return -1;
	snprintf(host->hosts, sizeof host->hosts, "%s/hosts", host->folder);
	snprintf(host->server, sizeof host->server, "127.0.0.1");
	snprintf(host->pid_file, sizeof host->pid_file, "/nowhere");
	host->conf.dnsmasq = (struct conf_dnsmasq){.enabled = true, .hosts_file = host->hosts, .pid_file = host->pid_file, .server = host->server, .port = 253};
	ip("link add docker0 type bridge");
	ip("address add 198.18.0.1/20 dev docker0");
	host->localaddr = localaddr_new(0);
	host->localnet = localnet_new();
	host->zones = reversezones_new();
	host->now_ms = 1000;
	*state = host;
	return host->localaddr != NULL && host->localnet != NULL && host->zones != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	struct host *host = *state;
	char path[160];

	for (const char *const *name = (const char *const[]){"reverse", "forward", NULL}; *name != NULL; name++) {
		snprintf(path, sizeof path, "%s/%s", host->folder, *name);
		(void)unlink(path);
	}
	(void)rmdir(host->folder);
	reversezones_free(host->zones);
	localaddr_free(host->localaddr);
	localnet_free(host->localnet);
	free(host);
	return 0;
}

/* What callsignd does when the kernel has told it of addresses. */
static void look(struct host *host)
{
	(void)localaddr_step(host->localaddr, true, host->now_ms);
	assert_int_not_equal(localnet_read(host->localnet, host->localaddr), -1);
	reversezones_bridges(host->zones, host->localnet, host->now_ms);
}

/* The kernel tells of an IPv6 address only once it has looked at it, which takes a while on a busy machine. */
static void look_until(struct host *host, const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, strlen(text), &address), 0);
	for (int i = 0; i < 1000 && !localnet_has(host->localnet, &address); i++) {
		look(host);
		poll(NULL, 0, 10);
	}
	assert_true(localnet_has(host->localnet, &address));
}

/* At its own deadline, which must be soon. Whether the dnsmasq that has the names is to be told. */
static bool step(struct host *host)
{
	int64_t due_ms = reversezones_deadline_ms(host->zones);

	assert_true(due_ms <= host->now_ms + 1000);
	if (due_ms > host->now_ms) {
		assert_false(reversezones_step(host->zones, &host->conf, host->localaddr, due_ms - 1));
		host->now_ms = due_ms;
	}
	return reversezones_step(host->zones, &host->conf, host->localaddr, host->now_ms);
}

static void assert_file(const struct host *host, const char *name, const char *expected)
{
	char path[160], text[4096] = "";
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", host->folder, name);
	file = fopen(path, "re");
	assert_non_null(file);
	(void)!fread(text, 1, sizeof text - 1, file);
	fclose(file);
	assert_memory_equal(text, HEAD, strlen(HEAD));
	assert_string_equal(text + strlen(HEAD), expected);
}

static void names_of_engines(void **state)
{
	(void)state;
	assert_true(reversezones_is_engines("docker0"));
	assert_true(reversezones_is_engines("docker_gwbridge"));
	assert_true(reversezones_is_engines("podman1"));
	assert_true(reversezones_is_engines("br-0123456789ab"));
	assert_false(reversezones_is_engines("br-0123456789aB"));
	assert_false(reversezones_is_engines("br-lan"));
	assert_false(reversezones_is_engines("br0"));
	assert_false(reversezones_is_engines("virbr0"));
	assert_false(reversezones_is_engines("shop0"));
}

static void networks_come_and_go(void **state)
{
	struct host *host = *state;

	look(host);
	assert_int_equal(reversezones_deadline_ms(host->zones), host->now_ms); /* the first time at once */
	assert_true(step(host));
	assert_file(host, "reverse",
	            "server=/0.18.198.in-addr.arpa/\nserver=/1.18.198.in-addr.arpa/\nserver=/2.18.198.in-addr.arpa/\nserver=/3.18.198.in-addr.arpa/\n"
	            "server=/4.18.198.in-addr.arpa/\nserver=/5.18.198.in-addr.arpa/\nserver=/6.18.198.in-addr.arpa/\nserver=/7.18.198.in-addr.arpa/\n"
	            "server=/8.18.198.in-addr.arpa/\nserver=/9.18.198.in-addr.arpa/\nserver=/10.18.198.in-addr.arpa/\nserver=/11.18.198.in-addr.arpa/\n"
	            "server=/12.18.198.in-addr.arpa/\nserver=/13.18.198.in-addr.arpa/\nserver=/14.18.198.in-addr.arpa/\nserver=/15.18.198.in-addr.arpa/\n");
	ip("link del docker0");
	ip("link add br-0123456789ab type bridge");
	ip("address add 198.18.64.1/24 dev br-0123456789ab");
	ip("address add 198.18.64.2/24 dev br-0123456789ab"); /* one network all the same */
	ip("address add fd00:7::1/64 dev br-0123456789ab nodad");
	look_until(host, "fd00:7::1");
	assert_true(step(host));
	assert_file(host, "reverse", "server=/64.18.198.in-addr.arpa/\nserver=/0.0.0.0.0.0.0.0.7.0.0.0.0.0.d.f.ip6.arpa/\n");
	assert_file(host, "forward", "server=/64.18.198.in-addr.arpa/127.0.0.1#253\nserver=/0.0.0.0.0.0.0.0.7.0.0.0.0.0.d.f.ip6.arpa/127.0.0.1#253\n");
	ip("link del br-0123456789ab");
	look(host);
	assert_true(step(host));
	assert_file(host, "reverse", "");
	assert_file(host, "forward", "");
}

/* A SIGHUP empties somebody's cache. */
static void nobody_is_told_of_what_is_so_already(void **state)
{
	struct host *host = *state;

	look(host);
	assert_true(step(host));
	look(host);
	assert_false(step(host));
	assert_int_equal(reversezones_deadline_ms(host->zones), CLOCK_NEVER);
	/* Nor by the next daemon. */
	reversezones_free(host->zones);
	host->zones = reversezones_new();
	look(host);
	assert_false(step(host));
}

static void announce(struct host *host, const char *text)
{
	struct address address;
	struct fact fact = {.naddresses = 1, .addresses = &address};
	struct listing listing = {.fact = &fact, .addresses = 1};

	assert_int_equal(address_parse(text, strlen(text), &address), 0);
	reversezones_listing(host->zones, &listing, host->now_ms);
}

static void a_bridge_of_any_name_counts_once_an_address_on_it_has_a_name(void **state)
{
	struct host *host = *state;

	ip("link del docker0");
	ip("link add shop0 type bridge");
	ip("address add 198.18.70.1/24 dev shop0");
	ip("link add virbr0 type bridge");
	ip("address add 198.18.71.1/24 dev virbr0");
	look(host);
	assert_true(step(host));
	assert_file(host, "reverse", "");
	announce(host, "198.18.72.5");
	assert_int_equal(reversezones_deadline_ms(host->zones), CLOCK_NEVER);
	announce(host, "198.18.70.5");
	assert_true(step(host));
	assert_file(host, "reverse", "server=/70.18.198.in-addr.arpa/\n");
	/* It stays so for as long as the network is there. */
	ip("link add br-1 type bridge");
	ip("address add 198.18.73.1/24 dev br-1");
	look(host);
	assert_false(step(host));
	assert_file(host, "reverse", "server=/70.18.198.in-addr.arpa/\n");
	ip("link del shop0");
	look(host);
	assert_true(step(host));
	assert_file(host, "reverse", "");
}

static void what_cannot_be_written_is_written_later(void **state)
{
	struct host *host = *state;

	snprintf(host->hosts, sizeof host->hosts, "%s/none/hosts", host->folder);
	look(host);
	assert_false(step(host));
	assert_int_equal(reversezones_deadline_ms(host->zones), host->now_ms + 1000);
	snprintf(host->hosts, sizeof host->hosts, "%s/hosts", host->folder);
	assert_true(step(host));
}

static void where_the_names_are_may_be_another(void **state)
{
	struct host *host = *state;

	ip("address del 198.18.0.1/20 dev docker0");
	ip("address add 198.18.3.1/24 dev docker0");
	look(host);
	assert_true(step(host));
	host->conf.dnsmasq.server = NULL; /* docker0's */
	host->conf.dnsmasq.port = 53;
	reversezones_again(host->zones, host->now_ms);
	assert_false(step(host));
	assert_file(host, "forward", "server=/3.18.198.in-addr.arpa/198.18.3.1#53\n");
	host->conf.dnsmasq.enabled = false;
	reversezones_again(host->zones, host->now_ms);
	assert_false(step(host));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_engines),
		cmocka_unit_test_setup_teardown(networks_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_is_told_of_what_is_so_already, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bridge_of_any_name_counts_once_an_address_on_it_has_a_name, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_written_is_written_later, setup, teardown),
		cmocka_unit_test_setup_teardown(where_the_names_are_may_be_another, setup, teardown),
	};

	if (unshare(CLONE_NEWNET) == -1 || !ip_does("link add probe type bridge") || !ip_does("address add fd00::1/64 dev probe")) {
		print_message("SKIPPED: needs root, ip(8), and a kernel with bridges and IPv6\n");
		return getenv("CI") != NULL ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
