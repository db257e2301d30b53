/*
 * drain: how fast the broker hands out what waits in a queue, to one who does nothing with it: what callsignd's announcements a second are to be held
 * against.
 *
 *   drain [-n MESSAGES] [-p PREFETCH] [-a ACK] QUEUE
 *
 * Consumes MESSAGES of QUEUE, at most PREFETCH of them not acked, acks each ACK of them with one method, and prints the microseconds from the first
 * delivery to the last. Configured as callsign-emit is (CALLSIGN_URLS, CALLSIGN_PASSWORD_FILE …).
 */
#include <config.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "container/announce/conf.h"
#include "shared/bus/bus.h"
#include "shared/clock.h"
#include "shared/log.h"

#define WAIT_MS 60000

struct drain {
	struct bus *bus;
	const char *queue;
	uint64_t messages, taken, acked, each;
	uint16_t prefetch;
	int64_t first_us, last_us;
	bool failed;
};

static void on_up(void *arg)
{
	struct drain *drain = arg;

	bus_qos(drain->bus, drain->prefetch);
	bus_consume(drain->bus, drain->queue, false, false, 0);
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct drain *drain = arg;

	log_errorx("%s", failure->text);
	drain->failed = true;
}

static void on_delivery(void *arg, const struct bus_delivery *message)
{
	struct drain *drain = arg;

	drain->last_us = clock_us();
	if (drain->taken++ == 0)
		drain->first_us = drain->last_us;
	if (drain->taken < drain->acked + drain->each && drain->taken != drain->messages)
		return;
	bus_ack(drain->bus, message->tag, true);
	drain->acked = drain->taken;
}

static void turn(struct drain *drain, int64_t end_ms)
{
	struct pollfd fd = {.fd = bus_fd(drain->bus), .events = POLLIN};
	int64_t due_ms = bus_deadline_ms(drain->bus);

	(void)poll(&fd, 1, clock_poll_timeout(clock_ms(), due_ms < end_ms ? due_ms : end_ms));
	while (bus_step(drain->bus, clock_ms(), 0))
		continue;
}

static int run(struct drain *drain, const struct conf *conf)
{
	const struct bus_options options = {.client_name = "drain", .heartbeat_s = 60, .connect_ms = BUS_CONNECT_MS,
	                                    .handshake_ms = BUS_HANDSHAKE_MS, .user_timeout_ms = BUS_USER_TIMEOUT_MS,
	                                    .frame_max = BUS_FRAME_MAX_HOST, .tls = &conf->bus.tls};
	int64_t end_ms = clock_ms() + WAIT_MS;

	if (bus_open(drain->bus, &conf->bus.endpoints[0], &options, clock_ms()) == -1)
		return 1;
	while (!drain->failed && drain->taken < drain->messages && clock_ms() < end_ms)
		turn(drain, end_ms);
	if (!drain->failed && drain->taken < drain->messages)
		log_errorx("%s: %" PRIu64 " of %" PRIu64 " messages were delivered within %d s", drain->queue, drain->taken, drain->messages,
		           WAIT_MS / 1000);
	if (drain->failed || drain->taken < drain->messages)
		return 1;
	printf("%" PRId64 "\n", drain->last_us - drain->first_us);
	bus_close(drain->bus);
	return 0;
}

/* 0: it is no number from 1 to largest. */
static uint64_t number(const char *text, uint64_t largest)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	return *end == '\0' && value <= largest ? value : 0;
}

int main(int argc, char **argv)
{
	static const struct bus_callbacks callbacks = {.up = on_up, .down = on_down, .delivery = on_delivery};
	struct drain drain = {.messages = 1000, .each = 512, .prefetch = 4096};
	struct conf conf;
	int option, result = 1;

	while ((option = getopt(argc, argv, "n:p:a:")) != -1) {
		if (option == 'n')
			drain.messages = number(optarg, 10000000);
		else if (option == 'p')
			drain.prefetch = (uint16_t)number(optarg, UINT16_MAX);
		else if (option == 'a')
			drain.each = number(optarg, UINT16_MAX);
		else
			goto usage;
	}
	if (argc - optind != 1 || drain.messages == 0 || drain.prefetch == 0 || drain.each == 0 || drain.each > drain.prefetch)
		goto usage;
	drain.queue = argv[optind];
	if (conf_load(&conf, NULL) == -1)
		return 1;
	drain.bus = bus_new(&callbacks, &drain);
	if (drain.bus != NULL && conf.bus.nendpoints > 0)
		result = run(&drain, &conf);
	bus_free(drain.bus);
	conf_clear(&conf);
	return result;
usage:
	fprintf(stderr, "Usage: drain [-n MESSAGES] [-p PREFETCH] [-a ACK] QUEUE, with ACK no more than PREFETCH\n");
	return 2;
}
