/*
 * dnswatch: when, to a fraction of a millisecond, does a name appear in DNS or go?
 *
 *   dnswatch [-s SERVER] [-p PORT] [-i INTERVAL_US] [-t TIMEOUT_MS] present|absent NAME [ADDRESS]
 *   dnswatch [OPTION…] -m present|absent NAME…
 *   dnswatch [OPTION…] -g present|absent NAME
 *
 * Asks SERVER for NAME's A record, again and again, until ADDRESS (or any, without it) is among the answers, or until it is not.
 * Prints the moment that answer arrived, in nanoseconds since 1970 (CLOCK_REALTIME, the clock of Docker's State.StartedAt), and exits
 * 0; 1 when time runs out; 2 for wrong usage or a system call that failed.
 *
 * -m asks for many names in turn, and prints for each the moment and the name. -g asks the C library (nsswitch.conf) instead of a server. -e takes
 * an error as an answer: there is nothing.
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_WAIT_MS 20 /* dnsmasq does not answer while it reads its files: ask again after this */

struct watch {
	const char *server;
	uint16_t port;
	unsigned interval_us;
	unsigned timeout_ms;
	bool present; /* wait for it to be there, else for it to go */
	bool library;
	bool believe; /* also an answer that is an error: nothing there */
	char **names;
	int nnames;
	bool any; /* any address will do */
	struct in_addr address;
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int open_socket(const struct watch *watch)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(watch->port) };
	int fd;

	if (inet_pton(AF_INET, watch->server, &to.sin_addr) != 1) {
		fprintf(stderr, "dnswatch: %s: not an IPv4 address\n", watch->server);
		return -1;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) == -1) {
		fprintf(stderr, "dnswatch: %s port %u: %s\n", watch->server, watch->port, strerror(errno));
		return -1;
	}
	return fd;
}

/* Whether an answer holds an A record that counts: 1, 0, or -1 if it is no answer to rely on (SERVFAIL, REFUSED, broken). */
static int judge(const struct watch *watch, const unsigned char *packet, int length)
{
	ns_msg message;
	ns_rr record;

	if (ns_initparse(packet, length, &message) == -1)
		return -1;
	if (ns_msg_getflag(message, ns_f_rcode) != ns_r_noerror && ns_msg_getflag(message, ns_f_rcode) != ns_r_nxdomain)
		return watch->believe ? 0 : -1;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &record) == -1)
			return -1;
		if (ns_rr_type(record) != ns_t_a || ns_rr_rdlen(record) != sizeof(watch->address))
			continue;
		if (watch->any || memcmp(ns_rr_rdata(record), &watch->address, sizeof(watch->address)) == 0)
			return 1;
	}
	return 0;
}

/* One question and its answer: as judge(). Answers to earlier questions, by their id, are passed over. */
static int ask(const struct watch *watch, int fd, unsigned char *query, int query_length, uint16_t id, int64_t *at_ns)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	unsigned char answer[4096];
	ssize_t length;

	ns_put16(id, query);
	if (send(fd, query, (size_t)query_length, 0) == -1)
		return -1;
	while (poll(&readable, 1, ANSWER_WAIT_MS) == 1) {
		length = recv(fd, answer, sizeof(answer), 0);
		*at_ns = clock_ns(CLOCK_REALTIME);
		if (length == -1)
			return -1;
		if (length >= NS_HFIXEDSZ && ns_get16(answer) == id)
			return judge(watch, answer, (int)length);
	}
	return -1;
}

/* The C library's answer: 1, 0, or -1 if it cannot tell. */
static int ask_library(const struct watch *watch, const char *name, int64_t *at_ns)
{
	const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int error = getaddrinfo(name, NULL, &hints, &found), result = 0;

	*at_ns = clock_ns(CLOCK_REALTIME);
	if (error == EAI_AGAIN || error == EAI_SYSTEM || error == EAI_MEMORY)
		return -1;
	for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
		const struct sockaddr_in *address = (const void *)one->ai_addr;

		if (watch->any || memcmp(&address->sin_addr, &watch->address, sizeof(watch->address)) == 0)
			result = 1;
	}
	if (found != NULL)
		freeaddrinfo(found);
	return result;
}

/* Whether name is as it is waited for; then also the moment. -1: it is not a name that DNS can ask for. */
static int seen(const struct watch *watch, int fd, const char *name, int64_t *at_ns)
{
	static uint16_t id;
	unsigned char query[NS_PACKETSZ];
	int length;

	if (watch->library)
		return ask_library(watch, name, at_ns) == watch->present;
	length = res_mkquery(ns_o_query, name, ns_c_in, ns_t_a, NULL, 0, NULL, query, sizeof(query));
	if (length == -1) {
		fprintf(stderr, "dnswatch: %s: not a name that DNS can ask for\n", name);
		return -1;
	}
	return ask(watch, fd, query, length, ++id, at_ns) == watch->present;
}

/* One turn over all names that have not been seen. Those that have are taken out. */
static int watch_turn(struct watch *watch, int fd, bool many)
{
	int64_t at_ns = 0;
	int i, found;

	for (i = watch->nnames - 1; i >= 0; i--) {
		found = seen(watch, fd, watch->names[i], &at_ns);
		if (found == -1)
			return -1;
		if (found == 0)
			continue;
		printf("%" PRId64 "%s%s\n", at_ns, many ? " " : "", many ? watch->names[i] : "");
		watch->names[i] = watch->names[--watch->nnames];
	}
	return 0;
}

static int watch_run(struct watch *watch, bool many)
{
	struct timespec interval = { .tv_sec = watch->interval_us / 1000000,
		                         .tv_nsec = (long)(watch->interval_us % 1000000) * 1000 };
	int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + (int64_t)watch->timeout_ms * 1000000;
	int fd = watch->library ? -1 : open_socket(watch), result;

	if (fd == -1 && !watch->library)
		return 2;
	while ((result = watch_turn(watch, fd, many)) == 0 && watch->nnames > 0) {
		if (clock_ns(CLOCK_MONOTONIC) > end_ns)
			break;
		nanosleep(&interval, NULL);
	}
	if (fd != -1)
		close(fd);
	return result == -1 ? 2 : watch->nnames > 0;
}

static bool parse_number(const char *text, unsigned max, unsigned *out)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || value > max)
		return false;
	*out = (unsigned)value;
	return true;
}

static bool parse_options(int argc, char **argv, struct watch *watch, bool *many)
{
	unsigned port = watch->port;
	int option;

	while ((option = getopt(argc, argv, "s:p:i:t:egm")) != -1) {
		bool good = false;

		if (option == 's') {
			watch->server = optarg;
			good = true;
		} else if (option == 'p') {
			good = parse_number(optarg, UINT16_MAX, &port);
		} else if (option == 'i') {
			good = parse_number(optarg, 10000000, &watch->interval_us);
		} else if (option == 't') {
			good = parse_number(optarg, 3600000, &watch->timeout_ms);
		} else if (option == 'e') {
			good = watch->believe = true;
		} else if (option == 'g') {
			good = watch->library = true;
		} else if (option == 'm') {
			good = *many = true;
		}
		if (!good)
			return false;
	}
	watch->port = (uint16_t)port;
	return true;
}

int main(int argc, char **argv)
{
	struct watch watch = { .server = "198.18.0.1", .port = 53, .interval_us = 200, .timeout_ms = 10000 };
	bool many = false;
	int operands;

	if (!parse_options(argc, argv, &watch, &many))
		goto usage;
	operands = argc - optind;
	if (operands < 2 || (operands > 3 && !many))
		goto usage;
	watch.present = strcmp(argv[optind], "present") == 0;
	if (!watch.present && strcmp(argv[optind], "absent") != 0)
		goto usage;
	watch.names = argv + optind + 1;
	watch.nnames = many ? operands - 1 : 1;
	watch.any = many || operands == 2;
	if (!watch.any && inet_pton(AF_INET, argv[optind + 2], &watch.address) != 1)
		goto usage;
	setvbuf(stdout, NULL, _IOLBF, 0);
	return watch_run(&watch, many);
usage:
	fprintf(stderr, "Usage: dnswatch [-s SERVER] [-p PORT] [-i INTERVAL_US] [-t TIMEOUT_MS] [-g] present|absent NAME [IPv4-ADDRESS]\n"
	                "       dnswatch [-s SERVER] [-p PORT] [-i INTERVAL_US] [-t TIMEOUT_MS] -m present|absent NAME...\n");
	return 2;
}
