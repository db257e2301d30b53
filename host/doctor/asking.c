#include <config.h>

#include "asking.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"

#define AGAIN_MS 400
#define RECURSION_DESIRED 1 /* in the third byte: RFC 1035, 4.1.1 */

static int connect_to(const struct address *server, uint16_t port, int type)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const struct sockaddr *to = server->family == 4 ? (const void *)&four : (const void *)&six;
	int fd = socket(server->family == 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(&four.sin_addr, server->bytes, 4);
	memcpy(&six.sin6_addr, server->bytes, 16);
	if (fd != -1 && connect(fd, to, server->family == 4 ? sizeof four : sizeof six) == -1 && errno != EINPROGRESS) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static bool await(int fd, short events, int64_t until_ms)
{
	struct pollfd pollfd = {.fd = fd, .events = events};

	return poll(&pollfd, 1, clock_poll_timeout(clock_ms(), until_ms)) == 1;
}

/* false: another question's, so wait on. */
static bool take(struct asking *asking, const uint8_t *packet, size_t length, uint16_t id, const char *name)
{
	asking->kind = dnsquery_parse(packet, length, id, name, &asking->answer);
	if (asking->kind == DNSQUERY_NOT_OURS)
		return false;
	asking->result = asking->kind == DNSQUERY_REFUSED ? ASKING_REFUSED : ASKING_ANSWERED;
	return true;
}

static void ask_udp(struct asking *asking, int fd, const uint8_t *query, size_t length, uint16_t id, const char *name, int64_t until_ms)
{
	uint8_t packet[DNSQUERY_ANSWER_SIZE];

	while (clock_ms() < until_ms) {
		int64_t again_ms = clock_ms() + AGAIN_MS;

		if (send(fd, query, length, MSG_NOSIGNAL) == -1 && errno == ECONNREFUSED)
			asking->result = ASKING_CLOSED;
		while (await(fd, POLLIN, again_ms < until_ms ? again_ms : until_ms)) {
			ssize_t got = recv(fd, packet, sizeof packet, 0);

			if (got > 0 && take(asking, packet, (size_t)got, id, name))
				return;
			if (got == -1 && errno == ECONNREFUSED)
				asking->result = ASKING_CLOSED;
		}
	}
}

/* Two bytes of length stand before each message (RFC 1035, 4.2.2). */
static void ask_tcp(struct asking *asking, int fd, const uint8_t *query, size_t length, uint16_t id, const char *name, int64_t until_ms)
{
	uint8_t packet[2 + DNSQUERY_ANSWER_SIZE];
	int error = 0;
	socklen_t size = sizeof error;
	size_t used = 0;

	if (!await(fd, POLLOUT, until_ms) || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1 || error != 0) {
		asking->result = error == ECONNREFUSED ? ASKING_CLOSED : ASKING_NOTHING;
		return;
	}
	packet[0] = (uint8_t)(length >> 8);
	packet[1] = (uint8_t)length;
	memcpy(packet + 2, query, length);
	if (send(fd, packet, length + 2, MSG_NOSIGNAL) != (ssize_t)length + 2)
		return;
	while (used < sizeof packet && await(fd, POLLIN, until_ms)) {
		ssize_t got = recv(fd, packet + used, sizeof packet - used, 0);

		if (got <= 0)
			return;
		used += (size_t)got;
		if (used >= 2 && used >= 2U + ((unsigned)packet[0] << 8 | packet[1])) {
			(void)take(asking, packet + 2, used - 2, id, name);
			return;
		}
	}
}

void asking_ask(struct asking *asking, const struct address *server, uint16_t port, bool tcp, const char *name, unsigned timeout_ms)
{
	int64_t until_ms = clock_ms() + timeout_ms;
	uint8_t query[DNSQUERY_SIZE];
	uint16_t id = 0;
	int length, fd;

	asking->result = ASKING_NOTHING;
	if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
		return;
	length = dnsquery_build(id, name, query);
	fd = length > 0 ? connect_to(server, port, tcp ? SOCK_STREAM : SOCK_DGRAM) : -1;
	if (fd == -1) {
		asking->result = errno == ECONNREFUSED ? ASKING_CLOSED : ASKING_NOTHING;
		return;
	}
	query[2] |= RECURSION_DESIRED;
	(tcp ? ask_tcp : ask_udp)(asking, fd, query, (size_t)length, id, name, until_ms);
	close(fd);
}
