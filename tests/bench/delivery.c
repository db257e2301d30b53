/*
 * delivery: how long from starting a program until the broker has delivered the first message that it publishes to the exchange callsign?
 *
 *   delivery [-n RUNS] [-k KEY] COMMAND…
 *
 * Listens with a queue of its own for KEY (default `up.#`), runs COMMAND RUNS times one after the other, and prints for each the microseconds
 * from before fork(2) to the delivery. Each one is ended (SIGTERM) when its message is there. In COMMAND, %d is the number of the run.
 * Configured as callsign-emit is (CALLSIGN_URLS, CALLSIGN_PASSWORD_FILE …); COMMAND gets the rest of the environment.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/announce/conf.h"
#include "shared/bus/bus.h"
#include "shared/clock.h"
#include "shared/contract/announcement.h"
#include "shared/log.h"

#define WAIT_MS 10000
#define ARGUMENTS_MAX 32
#define QUEUE "callsign.host.delivery"

struct delivery {
	struct bus *bus;
	const char *key;
	char **environment; /* as it was: reading a configuration takes the variables with it */
	bool ready, failed;
	int64_t at_us; /* of the first message since the start of a run; 0: none yet */
};

static void on_up(void *arg)
{
	static const struct bus_queue_arguments arguments = {.expires_ms = 60000};
	struct delivery *delivery = arg;

	bus_queue_declare(delivery->bus, QUEUE, false, &arguments);
	bus_queue_bind(delivery->bus, QUEUE, EXCHANGE_ANNOUNCE, delivery->key);
	bus_consume(delivery->bus, QUEUE, true, true, 0);
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct delivery *delivery = arg;

	log_errorx("%s", failure->text);
	delivery->failed = true;
}

static void on_done(void *arg, enum bus_request request, uint32_t count)
{
	struct delivery *delivery = arg;

	(void)count;
	delivery->ready = delivery->ready || request == BUS_REQUEST_CONSUME;
}

static void on_delivery(void *arg, const struct bus_delivery *message)
{
	struct delivery *delivery = arg;

	(void)message;
	if (delivery->at_us == 0)
		delivery->at_us = clock_us();
}

/* Until *what, or for ms. */
static bool turn_until(struct delivery *delivery, const bool *what, const int64_t *moment, int64_t ms)
{
	int64_t end_ms = clock_ms() + ms;

	while (!delivery->failed && clock_ms() < end_ms && !(what != NULL && *what) && !(moment != NULL && *moment != 0)) {
		struct pollfd fd = {.fd = bus_fd(delivery->bus), .events = POLLIN};
		int64_t due_ms = bus_deadline_ms(delivery->bus);

		(void)poll(&fd, 1, clock_poll_timeout(clock_ms(), due_ms < end_ms ? due_ms : end_ms));
		while (bus_step(delivery->bus, clock_ms(), 0))
			continue;
	}
	return !delivery->failed && ((what != NULL && *what) || (moment != NULL && *moment != 0));
}

static pid_t start(const struct delivery *delivery, char **command, unsigned run)
{
	static char texts[ARGUMENTS_MAX][512];
	char *arguments[ARGUMENTS_MAX + 1], number[16], *mark;
	pid_t pid;
	int i;

	snprintf(number, sizeof(number), "%u", run);
	for (i = 0; i < ARGUMENTS_MAX && command[i] != NULL; i++) {
		mark = strstr(command[i], "%d");
		arguments[i] = command[i];
		if (mark == NULL)
			continue;
		snprintf(texts[i], sizeof(texts[i]), "%.*s%s%s", (int)(mark - command[i]), command[i], number, mark + 2);
		arguments[i] = texts[i];
	}
	arguments[i] = NULL;
	pid = fork();
	if (pid == 0) {
		execvpe(arguments[0], arguments, delivery->environment);
		_exit(127);
	}
	return pid;
}

static bool measure(struct delivery *delivery, char **command, unsigned run)
{
	int64_t from_us = clock_us();
	pid_t pid;
	bool seen;
	int status;

	delivery->at_us = 0;
	pid = start(delivery, command, run);
	if (pid == -1)
		return false;
	seen = turn_until(delivery, NULL, &delivery->at_us, WAIT_MS);
	if (seen)
		printf("%" PRId64 "\n", delivery->at_us - from_us);
	else
		log_errorx("%s: nothing was delivered within %d s", command[0], WAIT_MS / 1000);
	kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	/* What it says when it leaves is no beginning of the next run. */
	turn_until(delivery, NULL, NULL, 100);
	return seen;
}

static int run(struct delivery *delivery, const struct conf *conf, char **command, unsigned runs)
{
	const struct bus_options options = {.client_name = "delivery", .heartbeat_s = 60, .connect_ms = BUS_CONNECT_MS,
	                                    .handshake_ms = BUS_HANDSHAKE_MS, .user_timeout_ms = BUS_USER_TIMEOUT_MS,
	                                    .frame_max = BUS_FRAME_MAX_HOST, .tls = &conf->bus.tls};

	if (bus_open(delivery->bus, &conf->bus.endpoints[0], &options, clock_ms()) == -1 ||
	    !turn_until(delivery, &delivery->ready, NULL, WAIT_MS))
		return 1;
	for (unsigned i = 1; i <= runs; i++) {
		if (!measure(delivery, command, i))
			return 1;
	}
	bus_close(delivery->bus);
	return 0;
}

static char **environment_copy(void)
{
	size_t count = 0;
	char **copy;

	while (environ[count] != NULL)
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	while (copy != NULL && count-- > 0)
		copy[count] = strdup(environ[count]);
	return copy;
}

int main(int argc, char **argv)
{
	static const struct bus_callbacks callbacks = {.up = on_up, .down = on_down, .done = on_done, .delivery = on_delivery};
	struct delivery delivery = {.key = "up.#"};
	struct conf conf;
	unsigned long runs = 1;
	int option, result = 1;

	while ((option = getopt(argc, argv, "+n:k:")) != -1) {
		if (option == 'k')
			delivery.key = optarg;
		else if (option != 'n' || (runs = strtoul(optarg, NULL, 10)) == 0 || runs > 100000)
			goto usage;
	}
	if (optind == argc || argc - optind > ARGUMENTS_MAX)
		goto usage;
	setvbuf(stdout, NULL, _IOLBF, 0);
	delivery.environment = environment_copy();
	if (delivery.environment == NULL || conf_load(&conf, NULL) == -1)
		return 1;
	delivery.bus = bus_new(&callbacks, &delivery);
	if (delivery.bus != NULL && conf.bus.nendpoints > 0)
		result = run(&delivery, &conf, argv + optind, (unsigned)runs);
	bus_free(delivery.bus);
	conf_clear(&conf);
	return result;
usage:
	fprintf(stderr, "Usage: delivery [-n RUNS] [-k KEY] COMMAND…\n");
	return 2;
}
