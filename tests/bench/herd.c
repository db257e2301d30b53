/*
 * herd: many containers that carry nothing, as callsign-agent sees them: a process each in a network namespace of its own, with an address there. The
 * running agent adopts them. As root.
 *
 *   herd [-n CONTAINERS] [-p PREFIX]
 *
 * They are called PREFIX0, PREFIX1 …; from 198.18.64.1 on each has an address. Prints `herded N in MS ms`, and then obeys lines on standard input:
 *   die    kill all of them at once; prints `died N in MS ms`
 * The end of the input kills all, too, and ends it.
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container/agent/door.h"
#include "container/agent/hookwire.h"
#include "container/agent/process.h"
#include "shared/clock.h"

#define CONTAINERS_MAX 20000
#define FIRST_ADDRESS 0xc6124001u /* 198.18.64.1: the lab has those before it, and 198.19.0.0/16 */

/* On the loopback: it is there in any namespace, and an address of it that is none of 127.0.0.0/8 counts as any other. */
static int set_address(uint32_t number)
{
	struct ifreq wish = {.ifr_name = "lo:1"}, up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(FIRST_ADDRESS + number)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	memcpy(&wish.ifr_addr, &address, sizeof(address));
	result = fd == -1 || ioctl(fd, SIOCSIFFLAGS, &up) == -1 ? -1 : ioctl(fd, SIOCSIFADDR, &wish);
	if (fd != -1)
		close(fd);
	return result;
}

static _Noreturn void be_container(uint32_t number, int ready)
{
	char good = '+';

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) == -1 || set_address(number) == -1) {
		perror("herd: a network namespace with an address");
		good = '-';
	}
	if (write(ready, &good, 1) == 1 && good == '+') {
		close(ready);
		for (;;)
			pause();
	}
	_exit(1);
}

static pid_t make_container(uint32_t number)
{
	int ready[2];
	char good = '-';
	pid_t pid;

	if (pipe(ready) == -1)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		be_container(number, ready[1]);
	}
	close(ready[1]);
	if (pid > 0 && (read(ready[0], &good, 1) != 1 || good != '+')) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(ready[0]);
	return pid;
}

static int adopt(const char *prefix, uint32_t number, pid_t pid)
{
	static char answer[DOOR_ANSWER_SIZE];
	char text[256];
	int pidfd = process_open(pid), length;

	snprintf(text, sizeof(text), "{\"pid\":%ld,\"name\":\"%s%u\"}", (long)pid, prefix, (unsigned)number);
	length = pidfd == -1 ? -1 : door_ask(HOOKWIRE_SOCKET, HOOKWIRE_ADOPT, text, pidfd, answer);
	if (pidfd != -1)
		close(pidfd);
	if (length > 0 && answer[0] == '+')
		return 0;
	fprintf(stderr, "herd: %s%u: %s\n", prefix, (unsigned)number, length > 0 ? answer + 1 : strerror(errno));
	return -1;
}

static void kill_all(const pid_t *pids, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (unsigned i = 0; i < count; i++)
		waitpid(pids[i], NULL, 0);
}

static unsigned herd(const char *prefix, unsigned count, pid_t *pids)
{
	unsigned made;

	for (made = 0; made < count; made++) {
		pids[made] = make_container(made);
		if (pids[made] == -1)
			break;
		if (adopt(prefix, made, pids[made]) == -1) {
			kill_all(&pids[made], 1);
			break;
		}
	}
	return made;
}

static void obey(pid_t *pids, unsigned *left)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		int64_t begun_ms = clock_ms();

		if (strcmp(line, "die\n") != 0)
			break;
		kill_all(pids, *left);
		printf("died %u in %" PRId64 " ms\n", *left, clock_ms() - begun_ms);
		*left = 0;
	}
}

int main(int argc, char **argv)
{
	const char *prefix = "herd";
	unsigned count = 100, made, left;
	int64_t begun_ms = clock_ms();
	pid_t *pids;
	int option;

	while ((option = getopt(argc, argv, "n:p:")) != -1) {
		if (option == 'n')
			count = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'p' && strlen(optarg) <= 50)
			prefix = optarg;
		else
			count = 0;
	}
	if (optind != argc || count == 0 || count > CONTAINERS_MAX) {
		fprintf(stderr, "Usage: herd [-n CONTAINERS] [-p PREFIX]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	pids = calloc(count, sizeof(*pids));
	made = left = pids != NULL ? herd(prefix, count, pids) : 0;
	if (made == count) {
		printf("herded %u in %" PRId64 " ms\n", count, clock_ms() - begun_ms);
		obey(pids, &left);
	}
	if (pids != NULL)
		kill_all(pids, left);
	free(pids);
	return made == count ? 0 : 1;
}
