#include <config.h>

#include "throwaway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "system/command.h"

#define IP_S 10
#define NETWORKS 16    /* that are tried */
#define PREFIX6 "fdca:115e:d0c:70"

/* ---- addresses ---- */

/* Where the private block of near ends. */
static uint32_t block_end(const struct address *near)
{
	const uint8_t *byte = near->bytes;

	if (byte[0] == 10)
		return 0x0affffff;
	if (byte[0] == 192 && byte[1] == 168)
		return 0xc0a8ffff;
	if (byte[0] == 198 && (byte[1] & 0xfe) == 18)
		return 0xc613ffff;
	return 0xac1fffff; /* 172.16.0.0/12, which Docker takes its networks from */
}

/* Whether a line of /proc/net/route (network and mask in the machine's own byte order) is about it; the default route is about nothing. */
static bool is_routed(const char *routes, uint32_t network)
{
	for (const char *line = routes; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
		unsigned base, mask;

		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own words */
		if (sscanf(line, "%*s %x %*x %*x %*d %*d %*d %x", &base, &mask) == 2 && mask != 0 &&
		    ((htonl(network) & mask) == base || (base & htonl(0xfffffffcU)) == htonl(network)))
			return true;
	}
	return false;
}

int throwaway_network(const struct address *near, const char *routes, char out[ADDRESS_TEXT_SIZE])
{
	uint32_t end = block_end(near) - 3;

	for (unsigned i = 0; i < NETWORKS; i++) {
		uint32_t network = end - 4 * i;

		if (is_routed(routes, network))
			continue;
		snprintf(out, ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", network >> 24, network >> 16 & 255, network >> 8 & 255, network & 255);
		return 0;
	}
	return -1;
}

static char *read_routes(void)
{
	size_t size = 1 << 20, length;
	char *text = calloc(1, size);
	FILE *file = fopen("/proc/self/net/route", "re");

	length = file != NULL && text != NULL ? fread(text, 1, size - 1, file) : 0;
	if (text != NULL)
		text[length] = '\0';
	if (file != NULL)
		fclose(file);
	return text;
}

/* ---- ip(8) ---- */

/* Its commands, one a line. 0, or -1 with why. */
static int ip(struct throwaway *throwaway, const char *commands)
{
	const char *const argv[] = {"ip", "-batch", "-", NULL};
	char *output = NULL, *errors = NULL;
	int status = command_run(argv, commands, strlen(commands), &output, &errors, IP_S);

	if (status == -1)
		snprintf(throwaway->why, sizeof throwaway->why, "ip: %s", strerror(errno));
	else if (status != 0)
		snprintf(throwaway->why, sizeof throwaway->why, "ip: %.*s", (int)(errors != NULL ? strcspn(errors, "\n") : 0),
		         errors != NULL ? errors : "");
	free(output);
	free(errors);
	return status == 0 ? 0 : -1;
}

/* ---- the guard ---- */

/* Until the last writer of hold is gone, that is until we have closed it or have ended. */
static void guard(const char *bridge, const int hold[2])
{
	const char *const argv[] = {"ip", "-force", "-batch", "-", NULL};
	char commands[128], *output, *errors, byte;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	close(hold[1]);
	while (read(hold[0], &byte, 1) == -1 && errno == EINTR)
		;
	/* Both: a namespace that has no process any more takes a while to go, and the pair with it. */
	snprintf(commands, sizeof commands, "link delete cs-%s\nlink delete %s\n", bridge + 3, bridge);
	(void)command_run(argv, commands, strlen(commands), &output, &errors, IP_S);
	_exit(0);
}

/* The n-th address of a network that throwaway_network() has found. 0, or -1. */
static int nth_address(const char *network, uint8_t n, char out[ADDRESS_TEXT_SIZE])
{
	struct address address;

	if (address_parse(network, strlen(network), &address) == -1)
		return -1;
	address.bytes[3] = (uint8_t)(address.bytes[3] + n);
	address_format(&address, out);
	return 0;
}

/* ---- inside ---- */

struct meeting {
	int up[2], down[2]; /* one byte each: the namespace is there; the bridge is there */
};

static void set_up_inside(const char *network, bool has_six)
{
	char commands[512], own[ADDRESS_TEXT_SIZE], bridge[ADDRESS_TEXT_SIZE];
	struct throwaway ignored = {.why = ""};

	if (nth_address(network, 2, own) == -1 || nth_address(network, 1, bridge) == -1)
		return;
	snprintf(commands, sizeof commands, "link set lo up\naddr add %s/30 dev eth0\nlink set eth0 up\nroute add default via %s\n", own, bridge);
	(void)ip(&ignored, commands);
	if (has_six)
		(void)ip(&ignored, "addr add " PREFIX6 "::2/64 dev eth0 nodad\nroute add ::/0 via " PREFIX6 "::1\n");
}

static void child(const struct meeting *meeting, const char *network, void (*work)(void *arg), void *arg)
{
	char byte = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && unshare(CLONE_NEWNET) == 0 ? 'u' : 'f';

	if (write(meeting->up[1], &byte, 1) != 1 || byte != 'u' || read(meeting->down[0], &byte, 1) != 1)
		_exit(1);
	set_up_inside(network, byte == '6');
	work(arg);
	_exit(0);
}

/* ---- outside ---- */

static bool await_byte(int fd, char *byte)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, IP_S * 1000) == 1 && read(fd, byte, 1) == 1;
}

/* 0: there, perhaps with IPv6. *made: it was there, whatever became of it. */
static int make_bridge(struct throwaway *throwaway, const char *network, pid_t pid, bool *made)
{
	char commands[1024], address[ADDRESS_TEXT_SIZE];

	if (nth_address(network, 1, address) == -1)
		return -1;
	snprintf(commands, sizeof commands, "link add %s type bridge\n", throwaway->bridge);
	if (ip(throwaway, commands) == -1)
		return -1;
	*made = true;
	snprintf(commands, sizeof commands,
	         "addr add %s/30 dev %s\nlink set %s up\n"
	         "link add cs-%s type veth peer name eth0 netns %ld\nlink set cs-%s master %s up\n",
	         address, throwaway->bridge, throwaway->bridge, throwaway->bridge + 3, (long)pid, throwaway->bridge + 3, throwaway->bridge);
	if (ip(throwaway, commands) == -1)
		return -1;
	snprintf(commands, sizeof commands, "addr add " PREFIX6 "::1/64 dev %s nodad\n", throwaway->bridge);
	throwaway->six = ip(throwaway, commands) == 0;
	return 0;
}

static int await_end(struct throwaway *throwaway, pid_t pid)
{
	int64_t until_ms = clock_ms() + throwaway->timeout_ms + (int64_t)IP_S * 1000;
	int status = 1;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_ms() >= until_ms) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		poll(NULL, 0, 5);
	}
	if (status == 0)
		return 0;
	/* If something went wrong before, it was ended for that. */
	if (throwaway->why[0] == '\0')
		snprintf(throwaway->why, sizeof throwaway->why, "no end in the namespace on %s", throwaway->bridge);
	return -1;
}

static int meet(struct throwaway *throwaway, const char *network, const struct meeting *meeting, pid_t pid, bool *made)
{
	char byte;

	if (!await_byte(meeting->up[0], &byte) || byte != 'u') {
		snprintf(throwaway->why, sizeof throwaway->why, "no network namespace can be made: it takes root");
		return -1;
	}
	if (make_bridge(throwaway, network, pid, made) == -1)
		return -1;
	byte = throwaway->six ? '6' : '4';
	return write(meeting->down[1], &byte, 1) == 1 ? 0 : -1;
}

/* Both processes, and their ends. */
static int run(struct throwaway *throwaway, const char *network, void (*work)(void *arg), void *arg)
{
	struct meeting meeting;
	int hold[2], result = -1;
	pid_t guardian, pid;
	bool made = false;

	if (pipe2(hold, O_CLOEXEC) == -1 || pipe2(meeting.up, O_CLOEXEC) == -1 || pipe2(meeting.down, O_CLOEXEC) == -1)
		return -1;
	fflush(NULL);
	guardian = fork();
	if (guardian == 0)
		guard(throwaway->bridge, hold);
	close(hold[0]);
	pid = guardian != -1 ? fork() : -1;
	if (pid == 0) {
		close(hold[1]);
		child(&meeting, network, work, arg);
	}
	if (pid != -1) {
		result = meet(throwaway, network, &meeting, pid, &made);
		if (result == -1)
			kill(pid, SIGKILL);
		result = await_end(throwaway, pid) == 0 && result == 0 ? 0 : -1;
		throwaway->gone = made && if_nametoindex(throwaway->bridge) == 0;
	}
	close(hold[1]);
	for (int i = 0; i < 2; i++) {
		close(meeting.up[i]);
		close(meeting.down[i]);
	}
	while (guardian != -1 && waitpid(guardian, NULL, 0) == -1 && errno == EINTR)
		;
	return result;
}

int throwaway_run(struct throwaway *throwaway, const struct address *near, void (*work)(void *arg), void *arg, size_t size)
{
	char network[ADDRESS_TEXT_SIZE], *routes = read_routes();
	int result = -1;
	void *shared;

	throwaway->why[0] = '\0';
	throwaway->gone = throwaway->six = false;
	snprintf(throwaway->bridge, sizeof throwaway->bridge, "br-doctor%u", (unsigned)getpid() % 1000000);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || routes == NULL) {
		snprintf(throwaway->why, sizeof throwaway->why, "out of memory");
	} else if (throwaway_network(near, routes, network) == -1) {
		snprintf(throwaway->why, sizeof throwaway->why, "no network is free for a throw-away bridge");
	} else {
		memcpy(shared, arg, size);
		result = run(throwaway, network, work, shared);
		memcpy(arg, shared, size);
	}
	if (shared != MAP_FAILED)
		munmap(shared, size);
	free(routes);
	return result;
}
