/*
 * choir: many agents in one process, each with a connection and names of its own: chorus.c and announcer.c as they are in the product. Configured as
 * callsign-emit is (CALLSIGN_URLS, CALLSIGN_PASSWORD_FILE …).
 *
 *   choir [-g AGENTS] [-n NAMES] [-p PREFIX]
 *
 * Begins with all of them at once, NAMES over all of the agents. Each time that all are announced it prints `announced N in MS ms`, from its start or from
 * when the first was not any more. The end of standard input ends it, without a word to the broker.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "container/agent/chorus.h"
#include "container/announce/conf.h"
#include "shared/clock.h"
#include "shared/log.h"

#define AGENTS_MAX 1000
#define NAMES_MAX 20000
#define FIRST_ADDRESS 0xc6124001u /* 198.18.64.1 */
#define LEASE_RENEW_S 120

struct choir {
	struct conf conf;
	struct chorus **choruses;
	struct singer *singers;
	struct pollfd *fds;
	unsigned nagents, nnames;
	const char *prefix;
};

static int add_name(struct choir *choir, unsigned i)
{
	struct singer *singer = &choir->singers[i];
	uint32_t number = FIRST_ADDRESS + i;
	struct address address = {4, {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
	struct ident instance;
	char name[HOSTNAME_NAME_SIZE];

	if (ident_uuid7(&instance, 1700000000000) == -1)
		return -1;
	snprintf(name, sizeof(name), "%s%u", choir->prefix, i);
	singer_init(singer, NULL);
	announcer_init(&singer->announcer, name, NULL, 0, LEASE_RENEW_S, &instance);
	if (chorus_join(choir->choruses[i % choir->nagents], singer, clock_ms()) == -1)
		return -1;
	chorus_addresses(singer, &address, 1, clock_ms());
	return 0;
}

static int begin(struct choir *choir)
{
	static char hosts[AGENTS_MAX][16];
	const struct chorus_watcher watcher = {.arg = NULL};

	choir->choruses = calloc(choir->nagents, sizeof(*choir->choruses));
	choir->singers = calloc(choir->nnames, sizeof(*choir->singers));
	choir->fds = calloc(choir->nagents + 1, sizeof(*choir->fds));
	if (choir->choruses == NULL || choir->singers == NULL || choir->fds == NULL)
		return -1;
	for (unsigned i = 0; i < choir->nagents; i++) {
		const struct chorus_options options = {.bus = &choir->conf.bus, .host = hosts[i]};

		snprintf(hosts[i], sizeof(hosts[i]), "choir%u", i);
		choir->choruses[i] = chorus_new(&options, &watcher, clock_ms());
		if (choir->choruses[i] == NULL)
			return -1;
	}
	for (unsigned i = 0; i < choir->nnames; i++)
		if (add_name(choir, i) == -1)
			return -1;
	return 0;
}

static int64_t deadline_ms(const struct choir *choir)
{
	int64_t due_ms = CLOCK_NEVER;

	for (unsigned i = 0; i < choir->nagents; i++) {
		int64_t own_ms = chorus_deadline_ms(choir->choruses[i]);

		due_ms = own_ms < due_ms ? own_ms : due_ms;
	}
	return due_ms;
}

/* 1: go on, 0: the end of the input, -1: an error. */
static int turn(struct choir *choir)
{
	unsigned n = choir->nagents;

	for (unsigned i = 0; i < n; i++)
		choir->fds[i] = (struct pollfd){.fd = chorus_fd(choir->choruses[i]), .events = chorus_events(choir->choruses[i])};
	choir->fds[n] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	if (poll(choir->fds, n + 1, clock_poll_timeout(clock_ms(), deadline_ms(choir))) == -1 && errno != EINTR)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		int64_t now_ms = clock_ms();

		if (choir->fds[i].revents != 0 || now_ms >= chorus_deadline_ms(choir->choruses[i]))
			chorus_step(choir->choruses[i], now_ms);
	}
	return choir->fds[n].revents == 0;
}

static int run(struct choir *choir)
{
	int64_t since_ms = clock_ms();
	bool all = false;
	int going = begin(choir) == 0 ? 1 : -1;

	while (going == 1) {
		size_t announced = 0;

		going = turn(choir);
		for (unsigned i = 0; i < choir->nagents; i++)
			announced += chorus_announced(choir->choruses[i]);
		if (all && announced < choir->nnames) {
			since_ms = clock_ms();
			all = false;
		} else if (!all && announced == choir->nnames) {
			printf("announced %u in %" PRId64 " ms\n", choir->nnames, clock_ms() - since_ms);
			all = true;
		}
	}
	return going;
}

static bool parse_options(int argc, char **argv, struct choir *choir)
{
	int option;

	while ((option = getopt(argc, argv, "g:n:p:")) != -1) {
		if (option == 'g')
			choir->nagents = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'n')
			choir->nnames = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'p' && strlen(optarg) <= 50)
			choir->prefix = optarg;
		else
			return false;
	}
	return optind == argc && choir->nagents > 0 && choir->nagents <= AGENTS_MAX && choir->nnames > 0 && choir->nnames <= NAMES_MAX;
}

int main(int argc, char **argv)
{
	struct choir choir = {.nagents = 1, .nnames = 100, .prefix = "load"};
	int result = 1;

	if (!parse_options(argc, argv, &choir)) {
		fprintf(stderr, "Usage: choir [-g AGENTS] [-n NAMES] [-p PREFIX]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (conf_load(&choir.conf, NULL) == 0 && choir.conf.bus.nendpoints > 0) {
		log_set_level(choir.conf.log_level);
		result = run(&choir) == 0 ? 0 : 1;
	}
	for (unsigned i = 0; choir.choruses != NULL && i < choir.nagents; i++)
		chorus_free(choir.choruses[i]);
	free(choir.choruses);
	free(choir.singers);
	free(choir.fds);
	conf_clear(&choir.conf);
	return result;
}
