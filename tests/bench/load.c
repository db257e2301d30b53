/*
 * load: many emitters in one process, each with a connection, a will and an address of its own: publisher.c and announcer.c as they are in the
 * product. Configured as callsign-emit is (CALLSIGN_URLS, CALLSIGN_PASSWORD_FILE …).
 *
 *   load [-n EMITTERS] [-p PREFIX] [-a FIRST-ADDRESS] [-s AT-ONCE]
 *
 * Begins with all of them on their way, at most AT-ONCE of them not announced yet, and obeys lines on standard input:
 *   die        close every socket without a word, as kill -9 of each does; prints "died N in MS ms"
 *   back       start all that are not running, as new instances, AT-ONCE or not
 *   leave      withdraw all
 *   churn R    from now on R deaths in a second, each followed by a new start; 0: no more
 *   who        prints `is NAME ADDRESS` for each that is announced (which means: confirmed by the broker), and then
 *              `are N of EMITTERS, K announced since the beginning`
 *   quit       (or the end of the input) withdraw all, and exit
 * Each time that all are announced, and each time that all have left, it prints so, with the time that it took:
 *   announced N in MS ms
 *   left N in MS ms
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "container/announce/addrwatch.h"
#include "container/announce/conf.h"
#include "container/announce/publisher.h"
#include "shared/clock.h"
#include "shared/log.h"

#define INTERFACE "load"
#define EMITTERS_MAX 20000
#define LINE_MAX_BYTES 128

/* Stands in for container/announce/addrwatch.c: the emitter announces the one address of the one interface that it wishes for. */
struct addrwatch {
	struct addrselect_link link;
	struct addrselect_address addresses[2];
	struct addrselect_facts facts;
};

const struct addrselect_facts *addrwatch_facts(const struct addrwatch *watch)
{
	return &watch->facts;
}

struct emitter {
	struct publisher *publisher; /* NULL: dead */
	struct addrwatch watch;
	char name[HOSTNAME_NAME_SIZE];
	bool announced;
};

struct load {
	struct conf conf;
	struct emitter *emitters;
	struct pollfd *fds;   /* one each, and standard input */
	unsigned count, at_once;
	unsigned wanted;      /* emitters from here on have not been started yet */
	const char *prefix;
	struct address first;
	unsigned announced;   /* so many times was one */
	unsigned churn;       /* in a second */
	int64_t churned_ms;
	int64_t since_ms;     /* of what is going on */
	bool settled;         /* and it was told of */
	bool leaving, quit;
	char line[LINE_MAX_BYTES];
	size_t length;
};

/* ---- one emitter ---- */

static void emitter_place(struct load *load, unsigned i)
{
	struct emitter *emitter = &load->emitters[i];
	struct address *address = &emitter->watch.addresses[0].address;
	unsigned host = (unsigned)load->first.bytes[2] << 8 | load->first.bytes[3];

	snprintf(emitter->name, sizeof(emitter->name), "%s%u", load->prefix, i);
	*address = load->first;
	address->bytes[1] = (uint8_t)(address->bytes[1] + ((host + i) >> 16));
	address->bytes[2] = (uint8_t)((host + i) >> 8);
	address->bytes[3] = (uint8_t)(host + i);
	/* The connection comes from here; were it nobody's, the emitter would think that its address is gone. */
	emitter->watch.addresses[1].address = (struct address){4, {127, 0, 0, 1}};
	emitter->watch.link = (struct addrselect_link){.index = 1, .name = INTERFACE, .up = true};
	emitter->watch.addresses[0].link = 1;
	emitter->watch.addresses[1].link = 2;
	emitter->watch.facts = (struct addrselect_facts){.links = &emitter->watch.link, .nlinks = 1,
	                                                 .addresses = emitter->watch.addresses, .naddresses = 2};
}

static int emitter_start(struct load *load, unsigned i, int64_t now_ms)
{
	struct emitter *emitter = &load->emitters[i];

	if (emitter->publisher != NULL)
		return 0;
	emitter->publisher = publisher_new(&load->conf, emitter->name, &emitter->watch, false, now_ms);
	return emitter->publisher != NULL ? 0 : -1;
}

static void emitter_die(struct load *load, unsigned i)
{
	publisher_free(load->emitters[i].publisher);
	load->emitters[i].publisher = NULL;
	load->emitters[i].announced = false;
}

/* Each session counts. */
static void emitter_note(struct load *load, unsigned i)
{
	struct emitter *emitter = &load->emitters[i];
	bool announced = publisher_is_announced(emitter->publisher);

	load->announced += announced && !emitter->announced;
	emitter->announced = announced;
}

/* ---- all of them ---- */

static unsigned load_announced(const struct load *load)
{
	unsigned number = 0;

	for (unsigned i = 0; i < load->count; i++)
		number += load->emitters[i].publisher != NULL && publisher_is_announced(load->emitters[i].publisher);
	return number;
}

static unsigned load_running(const struct load *load)
{
	unsigned number = 0;

	for (unsigned i = 0; i < load->count; i++)
		number += load->emitters[i].publisher != NULL;
	return number;
}

static void load_begin(struct load *load, int64_t now_ms)
{
	load->since_ms = now_ms;
	load->settled = false;
}

static int load_start_more(struct load *load, unsigned announced, int64_t now_ms)
{
	while (load->wanted < load->count && load->wanted - announced < load->at_once)
		if (emitter_start(load, load->wanted++, now_ms) == -1)
			return -1;
	return 0;
}

static void load_die(struct load *load)
{
	int64_t begun_ms = clock_ms();
	unsigned died = load_running(load);

	for (unsigned i = 0; i < load->count; i++)
		emitter_die(load, i);
	load->wanted = load->count; /* until `back` */
	load->settled = true;
	printf("died %u in %" PRId64 " ms\n", died, clock_ms() - begun_ms);
}

static int load_back(struct load *load, int64_t now_ms)
{
	load_begin(load, now_ms);
	load->leaving = false;
	for (unsigned i = 0; i < load->count; i++)
		if (emitter_start(load, i, now_ms) == -1)
			return -1;
	load->wanted = load->count;
	return 0;
}

static void load_leave(struct load *load, int64_t now_ms)
{
	load_begin(load, now_ms);
	load->leaving = true;
	load->churn = 0;
	load->wanted = load->count;
	for (unsigned i = 0; i < load->count; i++) {
		if (load->emitters[i].publisher == NULL)
			continue;
		publisher_withdraw(load->emitters[i].publisher, now_ms);
		/* Nobody ever heard of it: it has no descriptor any more, and no deadline, so that load_step would not come to it. */
		if (publisher_ended(load->emitters[i].publisher))
			emitter_die(load, i);
	}
}

static int load_churn(struct load *load, int64_t now_ms)
{
	unsigned which = 0;

	if (load->churn == 0 || load->leaving)
		return 0;
	while (load->churned_ms + 1000 / load->churn <= now_ms) {
		load->churned_ms += 1000 / load->churn;
		if (getrandom(&which, sizeof(which), GRND_NONBLOCK) == -1)
			return -1;
		emitter_die(load, which % load->count);
		if (emitter_start(load, which % load->count, now_ms) == -1)
			return -1;
	}
	return 0;
}

static void load_tell(struct load *load, unsigned announced, int64_t now_ms)
{
	if (load->settled)
		return;
	if (load->leaving ? load_running(load) > 0 : announced < load->count)
		return;
	printf("%s %u in %" PRId64 " ms\n", load->leaving ? "left" : "announced", load->count, now_ms - load->since_ms);
	load->settled = true;
}

static void load_who(const struct load *load)
{
	char text[ADDRESS_TEXT_SIZE];

	for (unsigned i = 0; i < load->count; i++) {
		const struct emitter *emitter = &load->emitters[i];

		if (emitter->announced)
			printf("is %s %s\n", emitter->name, address_format(&emitter->watch.addresses[0].address, text));
	}
	printf("are %u of %u, %u announced since the beginning\n", load_announced(load), load->count, load->announced);
}

/* ---- standard input ---- */

static int load_obey(struct load *load, const char *line, int64_t now_ms)
{
	char *end;

	if (strcmp(line, "die") == 0) {
		load_die(load);
	} else if (strcmp(line, "back") == 0) {
		return load_back(load, now_ms);
	} else if (strcmp(line, "leave") == 0) {
		load_leave(load, now_ms);
	} else if (strcmp(line, "who") == 0) {
		load_who(load);
	} else if (strcmp(line, "quit") == 0) {
		load_leave(load, now_ms);
		load->quit = true;
	} else if (strncmp(line, "churn ", 6) == 0) {
		load->churn = (unsigned)strtoul(line + 6, &end, 10);
		if (*end != '\0' || load->churn > 1000)
			return -1;
		load->churned_ms = now_ms;
	} else {
		log_errorx("%s: die, back, leave, churn RATE, who or quit", line);
		return -1;
	}
	return 0;
}

static int load_read(struct load *load, int64_t now_ms)
{
	ssize_t got = read(STDIN_FILENO, load->line + load->length, sizeof(load->line) - load->length);
	char *newline;

	if (got <= 0)
		return load->quit ? 0 : load_obey(load, "quit", now_ms);
	load->length += (size_t)got;
	while ((newline = memchr(load->line, '\n', load->length)) != NULL) {
		*newline = '\0';
		if (load_obey(load, load->line, now_ms) == -1)
			return -1;
		load->length -= (size_t)(newline + 1 - load->line);
		memmove(load->line, newline + 1, load->length);
	}
	return load->length < sizeof(load->line) ? 0 : -1;
}

/* ---- the loop ---- */

static void load_step(struct load *load, int64_t now_ms)
{
	for (unsigned i = 0; i < load->count; i++) {
		struct publisher *publisher = load->emitters[i].publisher;

		if (publisher == NULL || (load->fds[i].revents == 0 && publisher_deadline_ms(publisher) > now_ms))
			continue;
		publisher_step(publisher, now_ms);
		emitter_note(load, i);
		if (publisher_ended(publisher))
			emitter_die(load, i);
	}
}

static int load_wait(struct load *load, int64_t now_ms)
{
	int64_t due_ms = load->churn > 0 ? load->churned_ms + 1000 / load->churn : CLOCK_NEVER;

	for (unsigned i = 0; i < load->count; i++) {
		const struct publisher *publisher = load->emitters[i].publisher;

		load->fds[i] = (struct pollfd){.fd = publisher != NULL ? publisher_fd(publisher) : -1, .events = POLLIN};
		if (publisher != NULL && publisher_deadline_ms(publisher) < due_ms)
			due_ms = publisher_deadline_ms(publisher);
	}
	load->fds[load->count] = (struct pollfd){.fd = load->quit ? -1 : STDIN_FILENO, .events = POLLIN};
	return poll(load->fds, load->count + 1, clock_poll_timeout(now_ms, due_ms)) == -1 && errno != EINTR ? -1 : 0;
}

static int load_run(struct load *load)
{
	int64_t now_ms = clock_ms();

	load_begin(load, now_ms);
	while (!load->quit || load_running(load) > 0) {
		unsigned announced = load_announced(load);

		if (load_start_more(load, announced, now_ms) == -1 || load_wait(load, now_ms) == -1)
			return -1;
		now_ms = clock_ms();
		load_step(load, now_ms);
		if (load->fds[load->count].revents != 0 && load_read(load, now_ms) == -1)
			return -1;
		if (load_churn(load, now_ms) == -1)
			return -1;
		load_tell(load, load_announced(load), now_ms);
	}
	return 0;
}

/* ---- beginning ---- */

static bool parse_number(const char *text, unsigned long max, unsigned *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > max)
		return false;
	*out = (unsigned)value;
	return true;
}

static bool parse_options(int argc, char **argv, struct load *load)
{
	int option;

	while ((option = getopt(argc, argv, "n:p:a:s:")) != -1) {
		if (option == 'n' && parse_number(optarg, EMITTERS_MAX, &load->count))
			continue;
		if (option == 's' && parse_number(optarg, EMITTERS_MAX, &load->at_once))
			continue;
		if (option == 'a' && address_parse(optarg, strlen(optarg), &load->first) == 0 && load->first.family == 4)
			continue;
		if (option != 'p' || strlen(optarg) > 100)
			return false;
		load->prefix = optarg;
	}
	return optind == argc;
}

/* Of each emitter a socket, and an eventfd while it connects. */
static int allow_files(rlim_t number)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == -1)
		return -1;
	if (files.rlim_cur >= number)
		return 0;
	files.rlim_cur = number;
	if (files.rlim_max < number)
		files.rlim_max = number;
	return setrlimit(RLIMIT_NOFILE, &files);
}

static int load_open(struct load *load)
{
	if (conf_load(&load->conf, NULL) == -1)
		return -1;
	log_set_level(load->conf.log_level);
	if (load->conf.bus.nendpoints == 0) {
		log_errorx("CALLSIGN_URLS says where the broker is");
		return -1;
	}
	snprintf(load->conf.wish.interfaces[0], sizeof(load->conf.wish.interfaces[0]), "%s", INTERFACE);
	load->conf.wish.ninterfaces = 1;
	load->emitters = calloc(load->count, sizeof(*load->emitters));
	load->fds = calloc(load->count + 1, sizeof(*load->fds));
	if (load->emitters == NULL || load->fds == NULL || allow_files(2 * load->count + 64) == -1) {
		log_error("%u emitters", load->count);
		return -1;
	}
	for (unsigned i = 0; i < load->count; i++)
		emitter_place(load, i);
	return 0;
}

int main(int argc, char **argv)
{
	struct load load = {.count = 100, .at_once = 50, .prefix = "load", .first = {4, {198, 19, 0, 1}}};
	int result;

	if (!parse_options(argc, argv, &load)) {
		fprintf(stderr, "Usage: load [-n EMITTERS] [-p PREFIX] [-a FIRST-IPv4-ADDRESS] [-s AT-ONCE]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	result = load_open(&load) == 0 ? load_run(&load) : -1;
	for (unsigned i = 0; load.emitters != NULL && i < load.count; i++)
		emitter_die(&load, i);
	free(load.emitters);
	free(load.fds);
	conf_clear(&load.conf);
	return result == 0 ? 0 : 1;
}
