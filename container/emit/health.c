#include <config.h>

#include "health.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX 768 /* '+' or '-', then words */

/* A name of 200 bytes would not fit into an address of 107: its digest (FNV-1a) does. */
static uint64_t digest_of(const char *name)
{
	uint64_t digest = 0xcbf29ce484222325u;

	for (; *name != '\0'; name++)
		digest = (digest ^ (uint8_t)*name) * 0x100000001b3u;
	return digest;
}

static socklen_t address_of(const char *name, struct sockaddr_un *address)
{
	struct stat pid_namespace;
	int length;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (stat("/proc/self/ns/pid", &pid_namespace) == -1)
		pid_namespace.st_ino = 0; /* no /proc: the network namespace alone keeps containers apart */
	length = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "callsign-emit.%llu.%016llx",
	                  (unsigned long long)pid_namespace.st_ino, (unsigned long long)digest_of(name));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

int health_listen(const char *name)
{
	struct sockaddr_un address;
	socklen_t length = address_of(name, &address);
	int saved, fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	if (bind(fd, (const struct sockaddr *)&address, length) == 0 && listen(fd, 8) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void health_answer(int fd, struct accepting *accepting, int64_t now_ms, bool good, const char *text)
{
	char answer[ANSWER_MAX];
	int client, length = snprintf(answer, sizeof(answer), "%c%s", good ? '+' : '-', text);

	while ((client = accepting_take(accepting, fd, "health checks", now_ms)) != -1) {
		/* Whoever does not take it at once does without. */
		(void)!send(client, answer, (size_t)length < sizeof(answer) ? (size_t)length : sizeof(answer) - 1, MSG_NOSIGNAL);
		close(client);
	}
}

int health_ask(const char *name)
{
	const struct timeval patience = {.tv_sec = HEALTH_TIMEOUT_MS / 1000, .tv_usec = HEALTH_TIMEOUT_MS % 1000 * 1000};
	struct sockaddr_un address;
	socklen_t address_length = address_of(name, &address);
	char answer[ANSWER_MAX + 1] = "-no answer in time";
	ssize_t length;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == -1) {
		printf("cannot ask: %s\n", strerror(errno));
	} else if (connect(fd, (const struct sockaddr *)&address, address_length) == -1) {
		printf("no emitter is running here for this name\n");
	} else {
		length = recv(fd, answer, sizeof(answer) - 1, 0);
		if (length > 0)
			answer[length] = '\0';
		printf("%s\n", answer + 1);
		close(fd);
		return length > 0 && answer[0] == '+' ? 0 : 1;
	}
	if (fd != -1)
		close(fd);
	return 1;
}
