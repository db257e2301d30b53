#include <config.h>

#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t to_sockaddr(const struct address *address, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (address->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, address->bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, address->bytes, 16);
	return sizeof(*in6);
}

int probe_open(struct probe *probe, const struct address *server, uint16_t port, const char *name)
{
	struct sockaddr_storage where;
	socklen_t length = to_sockaddr(server, port, &where);
	int saved;

	probe_close(probe);
	snprintf(probe->name, sizeof(probe->name), "%s", name);
	if (getrandom(&probe->id, sizeof(probe->id), 0) != sizeof(probe->id))
		return -1;
	probe->fd = socket(where.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe->fd < 0)
		return -1;
	if (connect(probe->fd, (const struct sockaddr *)&where, length) == 0)
		return 0;
	saved = errno;
	probe_close(probe);
	errno = saved;
	return -1;
}

void probe_close(struct probe *probe)
{
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
}

int probe_ask(struct probe *probe)
{
	uint8_t query[DNSQUERY_SIZE];
	int length = dnsquery_build(probe->id, probe->name, query);

	if (length < 0) {
		errno = EINVAL;
		return -1;
	}
	return send(probe->fd, query, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -1;
}

enum probe_result probe_read(struct probe *probe, enum dnsquery_result *result, struct dnsquery_answer *answer)
{
	uint8_t packet[DNSQUERY_ANSWER_SIZE + 1]; /* one more: longer ones are seen to be */
	ssize_t length;

	while ((length = recv(probe->fd, packet, sizeof(packet), 0)) >= 0) {
		*result = dnsquery_parse(packet, (size_t)length, probe->id, probe->name, answer);
		if (*result != DNSQUERY_NOT_OURS)
			return PROBE_ANSWER;
	}
	return errno == ECONNREFUSED ? PROBE_CLOSED_PORT : PROBE_NOTHING;
}
