/*
 * zone: callsignd's table and its zone sink in one process, without a broker, to see how long a name server takes.
 *
 *   zone -c CALLSIGND.CONF [-n NAMES] [-k CHANGES] [-l]
 *
 * Takes the first section zone of the file, announces NAMES names n0, n1 … (198.18.x.y from 198.18.16.0 on, round and round) and waits until the
 * zone has them; then CHANGES times one new name, each timed until a question over UDP is answered with its address. -l: takes all of them away
 * again at the end. Prints:
 *   filled N in MS ms
 *   change least MS median MS most MS ms with N names
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/conf/conf.h"
#include "host/registry/registry.h"
#include "host/registry/view.h"
#include "host/sinks/sections.h"
#include "host/sinks/sinks.h"
#include "host/sinks/sinkset.h"
#include "host/sinks/zone/conf.h"
#include "host/sinks/zone/name.h"
#include "shared/clock.h"
#include "shared/log.h"

#define CHANGES_MAX 1000

struct bench {
	struct conf *conf;
	struct registry *registry;
	struct view *view;
	struct registry_watcher views;
	struct sinks sinks;
	unsigned instances;
	int probe;
	int64_t took_us[CHANGES_MAX];
};

static void die(const char *text)
{
	fprintf(stderr, "zone: %s\n", text);
	exit(1);
}

static uint32_t any_name(void *arg, const char *user, const char *name)
{
	(void)arg, (void)user, (void)name;
	return 1;
}

static uint32_t any_address(void *arg, const char *user, const struct address *address)
{
	(void)arg, (void)user, (void)address;
	return 1;
}

static void listing(void *arg, const struct listing *changed, bool records)
{
	sinks_listing(&((struct bench *)arg)->sinks, changed, records);
}

static void gone(void *arg, const struct listing *changed)
{
	sinks_gone(&((struct bench *)arg)->sinks, changed);
}

static void open_table(struct bench *bench)
{
	struct registry_options options = {.resync_timeout_ms = 8000, .max_lease_s = ANNOUNCEMENT_LEASE_MAX_S, .max_ended_per_user = 1000};
	struct view_policy policy = {.name_domains = any_name, .address_domains = any_address};
	struct view_watcher watcher = {.listing = listing, .gone = gone, .arg = bench};

	bench->view = view_new(VIEW_ALL, &policy);
	bench->views = view_registry_watcher(bench->view);
	bench->registry = registry_new(&options, &bench->views, clock_ms());
	view_set_watcher(bench->view, &watcher);
	sinkset_configure(&bench->sinks, bench->view, bench->conf, clock_ms());
	if (bench->sinks.count == 0)
		die("the file has no section zone");
	sinks_settled(&bench->sinks, clock_ms());
}

static void announcement(struct bench *bench, enum announcement_op op, unsigned i, struct announcement *out)
{
	unsigned address = 16 * 256 + i % (200 * 256);

	(void)bench;
	memset(out, 0, sizeof *out);
	out->op = op;
	snprintf(out->name, sizeof out->name, "n%u", i);
	for (unsigned j = 0; j < 4; j++)
		out->instance.bytes[j] = (uint8_t)(i >> (24 - 8 * j));
	out->has_session = true;
	out->session.bytes[0] = 1;
	out->seq = op == ANNOUNCEMENT_UP ? 1 : 2;
	out->lease_s = 86400;
	out->naddresses = 1;
	out->addresses[0] = (struct address){4, {198, 18, (uint8_t)(address >> 8), (uint8_t)address}};
}

static void announce(struct bench *bench, enum announcement_op op, unsigned i, struct announcement *message)
{
	char user[32];

	announcement(bench, op, i, message);
	/* Of one user an address would be the newest instance's alone. */
	snprintf(user, sizeof user, "u");
	message->addresses[0].bytes[1] = (uint8_t)(18 + i / (200 * 256) % 2);
	if (op == ANNOUNCEMENT_UP)
		registry_up(bench->registry, message, user, clock_ms());
	else
		registry_down(bench->registry, message, user, clock_ms());
}

static void publish(struct bench *bench)
{
	view_refresh(bench->view);
	sinks_flush(&bench->sinks, clock_ms());
}

/* A turn of the daemon's loop; extra: one more descriptor to wake up for, or -1. */
static void turn(struct bench *bench, int extra)
{
	struct pollfd fds[SINKS_POLLFDS_MAX + 1];
	int count = sinks_pollfds(&bench->sinks, fds);
	int64_t now_ms = clock_ms();

	fds[count] = (struct pollfd){.fd = extra, .events = POLLIN};
	poll(fds, (nfds_t)count + 1, clock_poll_timeout(now_ms, sinks_deadline_ms(&bench->sinks)));
	sinks_step(&bench->sinks, fds, clock_ms());
}

static void wait_served(struct bench *bench)
{
	int64_t until_ms = clock_ms() + 600000;
	const struct sink *sink = &bench->sinks.list[0];

	while (sink->operations->served(sink->self) < bench->sinks.generation) {
		if (clock_ms() > until_ms)
			die(sink->operations->trouble(sink->self) != NULL ? sink->operations->trouble(sink->self) : "not served within 10 minutes");
		turn(bench, -1);
	}
}

/* ---- asking ---- */

static void open_probe(struct bench *bench)
{
	const struct zone_conf *zone = zone_conf(bench->conf, 0);
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(zone->port)};

	memcpy(&server.sin_addr, zone->address.bytes, 4);
	bench->probe = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bench->probe == -1 || connect(bench->probe, (struct sockaddr *)&server, sizeof server) == -1)
		die(strerror(errno));
}

static void ask(struct bench *bench, unsigned i)
{
	uint8_t packet[12 + ZONE_NAME_WIRE_MAX + 4] = {0, 7, 0, 0, 0, 1};
	char name[ZONE_NAME_SIZE];
	size_t used;

	snprintf(name, sizeof name, "n%u.%s", i, bench->conf->domain);
	used = zone_name_to_wire(name, packet + 12);
	memcpy(packet + 12 + used, "\0\1\0\1", 4);
	if (send(bench->probe, packet, 12 + used + 4, 0) == -1)
		die(strerror(errno));
}

/* Whether an answer with an address has come. Otherwise one without has, if *came. */
static bool answered(struct bench *bench, bool *came)
{
	uint8_t packet[512];
	ssize_t length = recv(bench->probe, packet, sizeof packet, 0);

	*came = length >= 12;
	return *came && (packet[3] & 15) == 0 && packet[7] > 0;
}

static int64_t change(struct bench *bench, unsigned i)
{
	struct announcement message;
	int64_t began_us = clock_us();
	bool came = false;

	announce(bench, ANNOUNCEMENT_UP, i, &message);
	publish(bench);
	ask(bench, i);
	while (!answered(bench, &came)) {
		if (came)
			ask(bench, i);
		turn(bench, bench->probe);
	}
	return clock_us() - began_us;
}

/* ---- what is measured ---- */

static int compare(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

	return one < other ? -1 : one > other;
}

static void fill(struct bench *bench, unsigned names)
{
	int64_t began_us = clock_us();
	struct announcement message;

	for (unsigned i = 0; i < names; i++)
		announce(bench, ANNOUNCEMENT_UP, i, &message);
	publish(bench);
	fprintf(stderr, "table filled in %.1f ms\n", (double)(clock_us() - began_us) / 1000);
	wait_served(bench);
	printf("filled %u in %.1f ms\n", names, (double)(clock_us() - began_us) / 1000);
	fflush(stdout);
}

static void measure(struct bench *bench, unsigned names, unsigned changes)
{
	for (unsigned i = 0; i < changes; i++) {
		bench->took_us[i] = change(bench, names + i);
		wait_served(bench);
		poll(NULL, 0, 20); /* the server's own work after an update is not the next one's */
	}
	qsort(bench->took_us, changes, sizeof bench->took_us[0], compare);
	printf("change least %.2f median %.2f most %.2f ms with %u names\n", (double)bench->took_us[0] / 1000,
	       (double)bench->took_us[changes / 2] / 1000, (double)bench->took_us[changes - 1] / 1000, names);
	fflush(stdout);
}

static void leave(struct bench *bench, unsigned names)
{
	int64_t began_us = clock_us();
	struct announcement message;

	for (unsigned i = 0; i < names; i++)
		announce(bench, ANNOUNCEMENT_DOWN, i, &message);
	publish(bench);
	wait_served(bench);
	printf("left %u in %.1f ms\n", names, (double)(clock_us() - began_us) / 1000);
}

static unsigned number(const char *text, unsigned most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end != '\0' || value > most)
		die("not a number that goes");
	return (unsigned)value;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	const char *path = NULL;
	unsigned names = 1000, changes = 20;
	bool leaves = false;
	int option;

	while ((option = getopt(argc, argv, "c:n:k:l")) != -1) {
		if (option == 'c')
			path = optarg;
		else if (option == 'n')
			names = number(optarg, 1000000);
		else if (option == 'k')
			changes = number(optarg, CHANGES_MAX);
		else if (option == 'l')
			leaves = true;
		else
			die("usage: zone -c FILE [-n NAMES] [-k CHANGES] [-l]");
	}
	if (path == NULL || (bench.conf = conf_load(path, sinks_sections)) == NULL)
		die("no configuration: -c FILE");
	log_open(&log_to_stderr, "zone", bench.conf->log_level);
	open_table(&bench);
	open_probe(&bench);
	fill(&bench, names);
	if (changes > 0)
		measure(&bench, names, changes);
	if (leaves)
		leave(&bench, names + changes);
	return 0;
}
