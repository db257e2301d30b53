/*
 * flood: many names from one connection, without wills, as `callsign-emit --once` announces them. Fills a host's table and changes it at a
 * given rate. Configured as callsign-emit is (CALLSIGN_URLS, CALLSIGN_PASSWORD_FILE …).
 *
 *   flood [-n NAMES] [-p PREFIX] [-a FIRST-ADDRESS] [-w WINDOW]
 *
 * Announces all, with at most WINDOW announcements not confirmed yet, then obeys lines on standard input:
 *   change I     name number I gets its other address
 *   churn R S    for S seconds R such changes in a second, each of another name
 *   down         withdraw all
 *   quit         (or the end of the input) exit; the names stay until their leases end
 * After each, once all is confirmed, it prints what it did:
 *   WHAT N FIRST LAST    the moments of the first publish and of the last confirm, in nanoseconds since 1970
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "container/announce/conf.h"
#include "shared/bus/bus.h"
#include "shared/clock.h"
#include "shared/contract/announcement.h"
#include "shared/log.h"

#define NAMES_MAX 200000
#define LEASE_S 7200
#define LINE_SIZE 128
#define CHURN_STEP_MS 2

struct name {
	struct ident instance;
	uint64_t seq;
	bool other; /* it has its other address now */
};

struct flood {
	struct conf conf;
	struct bus *bus;
	struct name *names;
	unsigned count, window;
	const char *prefix;
	struct address first;
	/* What is under way: names from `next` on, `left` of them. */
	const char *what;
	unsigned next, left, done;
	unsigned rate;        /* in a second; 0: as fast as the window allows */
	int64_t rate_from_ms;
	unsigned rated;
	enum announcement_op op;
	int64_t first_ns, last_ns;
	bool up, failed, quit;
	char line[LINE_SIZE];
	size_t length;
};

static int64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- messages ---- */

/* The other address of name i is that of a name that is not there: no two ever have the same. */
static struct address flood_address(const struct flood *flood, unsigned i, bool other)
{
	struct address address = flood->first;
	uint32_t number;

	memcpy(&number, address.bytes, sizeof(number));
	number = __builtin_bswap32(__builtin_bswap32(number) + i + (other ? flood->count : 0));
	memcpy(address.bytes, &number, sizeof(number));
	return address;
}

static void flood_publish(struct flood *flood, unsigned i)
{
	static struct announcement message;
	struct name *name = &flood->names[i];
	char body[ANNOUNCEMENT_BODY_MAX], key[ANNOUNCEMENT_KEY_MAX + 1];
	const struct bus_properties properties = {
		.persistent = true,
		.content_type = ANNOUNCEMENT_CONTENT_TYPE,
		.type = ANNOUNCEMENT_TYPE,
		.user_id = bus_user(flood->bus)
	};
	int length;

	memset(&message, 0, sizeof(message));
	message.op = flood->op;
	snprintf(message.name, sizeof(message.name), "%s%u", flood->prefix, i);
	message.instance = name->instance;
	message.seq = ++name->seq;
	message.lease_s = LEASE_S;
	message.naddresses = 1;
	message.addresses[0] = flood_address(flood, i, name->other);
	length = announcement_encode(&message, body);
	if (length == -1 || bus_publish(flood->bus, EXCHANGE_ANNOUNCE, announcement_key(message.op, message.name, key), true,
	                                &properties, body, (size_t)length) == 0)
		flood->failed = true;
}

static void begin(struct flood *flood, const char *what, enum announcement_op op, unsigned first, unsigned count)
{
	flood->what = what;
	flood->op = op;
	flood->next = first;
	flood->left = count;
	flood->done = flood->rate = 0;
	flood->first_ns = 0;
}

/* How many may go now. */
static unsigned allowance(const struct flood *flood, int64_t now_ms)
{
	size_t unconfirmed = bus_unconfirmed(flood->bus);
	uint64_t due;

	if (unconfirmed >= flood->window)
		return 0;
	if (flood->rate == 0)
		return flood->window - (unsigned)unconfirmed;
	due = (uint64_t)(now_ms - flood->rate_from_ms) * flood->rate / 1000;
	return due > flood->rated ? (unsigned)(due - flood->rated) : 0;
}

static void publish_some(struct flood *flood, int64_t now_ms)
{
	unsigned allowed = allowance(flood, now_ms);

	for (; flood->left > 0 && allowed > 0 && !flood->failed; allowed--, flood->left--, flood->rated++) {
		unsigned i = flood->next++ % flood->count;

		if (flood->first_ns == 0)
			flood->first_ns = wall_ns();
		if (strcmp(flood->what, "announced") != 0 && flood->op == ANNOUNCEMENT_UP)
			flood->names[i].other = !flood->names[i].other;
		flood_publish(flood, i);
	}
}

/* ---- the bus ---- */

static void on_up(void *arg)
{
	struct flood *flood = arg;

	flood->up = true;
	bus_confirm_select(flood->bus);
	begin(flood, "announced", ANNOUNCEMENT_UP, 0, flood->count);
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct flood *flood = arg;

	log_errorx("%s", failure->text);
	flood->failed = true;
}

static void on_confirm(void *arg, uint64_t sequence, enum bus_confirm result)
{
	struct flood *flood = arg;

	(void)sequence;
	if (result != BUS_CONFIRMED) {
		log_errorx("a message was %s", result == BUS_RETURNED ? "returned: no host listens" : "refused by the broker");
		flood->failed = true;
	}
	flood->done++;
	flood->last_ns = wall_ns();
}

static void report(struct flood *flood)
{
	if (flood->what == NULL || flood->left > 0 || bus_unconfirmed(flood->bus) > 0)
		return;
	printf("%s %u %" PRId64 " %" PRId64 "\n", flood->what, flood->done, flood->first_ns, flood->last_ns);
	flood->what = NULL;
}

/* ---- commands ---- */

static void obey(struct flood *flood, const char *line)
{
	unsigned a, b;

	if (flood->what != NULL) {
		log_warnx("%s: still busy with what came before", line);
	} else if (sscanf(line, "change %u", &a) == 1 && a < flood->count) {
		begin(flood, "changed", ANNOUNCEMENT_UP, a, 1);
	} else if (sscanf(line, "churn %u %u", &a, &b) == 2 && a > 0 && a <= 100000 && b > 0 && b <= 3600) {
		begin(flood, "churned", ANNOUNCEMENT_UP, 0, a * b);
		flood->rate = a;
		flood->rated = 0;
		flood->rate_from_ms = clock_ms();
	} else if (strcmp(line, "down") == 0) {
		begin(flood, "withdrawn", ANNOUNCEMENT_DOWN, 0, flood->count);
	} else if (strcmp(line, "quit") == 0) {
		flood->quit = true;
	} else {
		log_warnx("%s: not understood", line);
	}
}

static void read_commands(struct flood *flood)
{
	ssize_t got = read(STDIN_FILENO, flood->line + flood->length, sizeof(flood->line) - flood->length - 1);
	char *end;

	if (got <= 0) {
		flood->quit = true;
		return;
	}
	flood->length += (size_t)got;
	flood->line[flood->length] = '\0';
	while ((end = strchr(flood->line, '\n')) != NULL) {
		*end = '\0';
		obey(flood, flood->line);
		flood->length -= (size_t)(end + 1 - flood->line);
		memmove(flood->line, end + 1, flood->length + 1);
	}
	if (flood->length == sizeof(flood->line) - 1)
		flood->length = 0;
}

/* ---- the loop ---- */

static int poll_timeout(const struct flood *flood, int64_t now_ms)
{
	int64_t due_ms = bus_deadline_ms(flood->bus);

	if (flood->rate != 0 && flood->left > 0 && now_ms + CHURN_STEP_MS < due_ms)
		due_ms = now_ms + CHURN_STEP_MS;
	return clock_poll_timeout(now_ms, due_ms);
}

static int run(struct flood *flood)
{
	const struct bus_options options = {
		.client_name = "flood",
		.heartbeat_s = flood->conf.bus.heartbeat_s,
		.connect_ms = BUS_CONNECT_MS,
		.handshake_ms = BUS_HANDSHAKE_MS,
		.user_timeout_ms = BUS_USER_TIMEOUT_MS,
		.frame_max = BUS_FRAME_MAX_HOST,
		.tls = &flood->conf.bus.tls
	};

	if (bus_open(flood->bus, &flood->conf.bus.endpoints[0], &options, clock_ms()) == -1)
		return -1;
	while (!flood->quit && !flood->failed) {
		/* A command waits until what came before it is done. */
		struct pollfd fds[2] = {{.fd = bus_fd(flood->bus), .events = POLLIN},
		                        {.fd = flood->up && flood->what == NULL ? STDIN_FILENO : -1, .events = POLLIN}};

		if (poll(fds, 2, poll_timeout(flood, clock_ms())) == -1 && errno != EINTR)
			return -1;
		while (bus_step(flood->bus, clock_ms(), 0))
			continue;
		if (flood->failed)
			return -1;
		/* Before publishing: what a command begins goes out at once, not when the bus wakes us. */
		if (fds[1].revents != 0)
			read_commands(flood);
		if (flood->up) {
			publish_some(flood, clock_ms());
			report(flood);
		}
	}
	return flood->failed ? -1 : 0;
}

static bool parse_number(const char *text, unsigned max, unsigned *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > max)
		return false;
	*out = (unsigned)value;
	return true;
}

static bool parse_options(int argc, char **argv, struct flood *flood)
{
	int option;

	while ((option = getopt(argc, argv, "n:p:a:w:")) != -1) {
		if (option == 'n' && parse_number(optarg, NAMES_MAX, &flood->count))
			continue;
		if (option == 'w' && parse_number(optarg, 100000, &flood->window))
			continue;
		if (option == 'a' && address_parse(optarg, strlen(optarg), &flood->first) == 0 && flood->first.family == 4)
			continue;
		if (option != 'p' || strlen(optarg) > 100)
			return false;
		flood->prefix = optarg;
	}
	return optind == argc;
}

static int flood_open(struct flood *flood)
{
	static const struct bus_callbacks callbacks = {.up = on_up, .down = on_down, .confirm = on_confirm};
	uint64_t now_ms = (uint64_t)wall_ns() / 1000000;

	if (conf_load(&flood->conf, NULL) == -1)
		return -1;
	log_set_level(flood->conf.log_level);
	if (flood->conf.bus.nendpoints == 0) {
		log_errorx("CALLSIGN_URLS says where the broker is");
		return -1;
	}
	flood->names = calloc(flood->count, sizeof(*flood->names));
	flood->bus = bus_new(&callbacks, flood);
	if (flood->names == NULL || flood->bus == NULL) {
		log_error("%u names", flood->count);
		return -1;
	}
	for (unsigned i = 0; i < flood->count; i++) {
		if (ident_uuid7(&flood->names[i].instance, now_ms) == -1)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct flood flood = {.count = 1000, .window = 1000, .prefix = "flood", .first = {4, {198, 18, 128, 1}}};
	int result;

	if (!parse_options(argc, argv, &flood)) {
		fprintf(stderr, "Usage: flood [-n NAMES] [-p PREFIX] [-a FIRST-IPv4-ADDRESS] [-w WINDOW]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	result = flood_open(&flood) == 0 ? run(&flood) : -1;
	if (result == 0)
		bus_close(flood.bus);
	bus_free(flood.bus);
	free(flood.names);
	conf_clear(&flood.conf);
	return result == 0 ? 0 : 1;
}
