#include <config.h>

#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFIX 2
#define IN_SIZE (PREFIX + ZONE_MESSAGE_MAX)

void zone_stream_init(struct zone_stream *stream, int epoll)
{
	memset(stream, 0, sizeof *stream);
	stream->fd = -1;
	stream->epoll = epoll;
}

static socklen_t fill_address(const struct address *address, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof *out);
	if (address->family == 4) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		memcpy(&in4->sin_addr, address->bytes, 4);
		return sizeof *in4;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, address->bytes, 16);
	return sizeof *in6;
}

static int watch(struct zone_stream *stream, int operation)
{
	bool writes = !stream->connected || stream->out != NULL;
	struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0U), .data.ptr = stream};

	return epoll_ctl(stream->epoll, operation, stream->fd, &event);
}

int zone_stream_open(struct zone_stream *stream, const struct address *address, uint16_t port)
{
	struct sockaddr_storage target;
	socklen_t length = fill_address(address, port, &target);
	int one = 1;

	if (stream->in == NULL && (stream->in = malloc(IN_SIZE)) == NULL)
		return -1;
	stream->fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (stream->fd == -1)
		return -1;
	/* A change must not wait for the acknowledgement of the one before. */
	setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if ((connect(stream->fd, (const struct sockaddr *)&target, length) == -1 && errno != EINPROGRESS) || watch(stream, EPOLL_CTL_ADD) == -1) {
		int error = errno;

		zone_stream_close(stream);
		errno = error;
		return -1;
	}
	return 0;
}

void zone_stream_close(struct zone_stream *stream)
{
	if (stream->fd != -1)
		close(stream->fd); /* which takes it out of the epoll instance, too */
	free(stream->out);
	free(stream->in);
	zone_stream_init(stream, stream->epoll);
}

int zone_stream_send(struct zone_stream *stream, const uint8_t *message, size_t length)
{
	if (stream->out != NULL || length > ZONE_MESSAGE_MAX) {
		errno = stream->out != NULL ? EBUSY : EMSGSIZE;
		return -1;
	}
	stream->out = malloc(PREFIX + length);
	if (stream->out == NULL)
		return -1;
	stream->out[0] = (uint8_t)(length >> 8);
	stream->out[1] = (uint8_t)length;
	memcpy(stream->out + PREFIX, message, length);
	stream->out_length = PREFIX + length;
	stream->out_used = 0;
	stream->ready = true;
	return 0;
}

/* 0: all is written, or as much as goes. */
static int write_out(struct zone_stream *stream)
{
	while (stream->out != NULL) {
		ssize_t sent = send(stream->fd, stream->out + stream->out_used, stream->out_length - stream->out_used, MSG_NOSIGNAL);

		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1)
			return errno == EAGAIN ? watch(stream, EPOLL_CTL_MOD) : -1;
		stream->out_used += (size_t)sent;
		if (stream->out_used < stream->out_length)
			continue;
		free(stream->out);
		stream->out = NULL;
		return watch(stream, EPOLL_CTL_MOD);
	}
	return 0;
}

static int finish_connect(struct zone_stream *stream)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(int), peer_length = sizeof peer;
	int error = 0;

	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
		return -1;
	if (error != 0) {
		errno = error;
		return -1;
	}
	if (getpeername(stream->fd, (struct sockaddr *)&peer, &peer_length) == -1)
		return errno == ENOTCONN ? 0 : -1;
	stream->connected = true;
	return watch(stream, EPOLL_CTL_MOD);
}

static size_t message_length(const struct zone_stream *stream)
{
	return stream->in_used < PREFIX ? IN_SIZE : PREFIX + ((size_t)stream->in[0] << 8 | stream->in[1]);
}

/* No more than one message: what is behind it stays with the kernel. */
static enum zone_stream_result read_in(struct zone_stream *stream, const uint8_t **message, size_t *length)
{
	for (;;) {
		size_t goal = stream->in_used < PREFIX ? PREFIX : message_length(stream);
		ssize_t got;

		if (stream->in_used >= PREFIX && stream->in_used == goal) {
			*message = stream->in + PREFIX;
			*length = goal - PREFIX;
			stream->in_used = 0;
			return ZONE_STREAM_MESSAGE;
		}
		got = recv(stream->fd, stream->in + stream->in_used, goal - stream->in_used, 0);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return errno == EAGAIN ? ZONE_STREAM_NOTHING : ZONE_STREAM_FAILED;
		if (got == 0) {
			errno = ECONNRESET;
			return stream->in_used == 0 ? ZONE_STREAM_CLOSED : ZONE_STREAM_FAILED;
		}
		stream->in_used += (size_t)got;
	}
}

enum zone_stream_result zone_stream_step(struct zone_stream *stream, const uint8_t **message, size_t *length)
{
	if (stream->fd == -1)
		return ZONE_STREAM_NOTHING;
	if (!stream->connected && finish_connect(stream) == -1)
		return ZONE_STREAM_FAILED;
	if (!stream->connected)
		return ZONE_STREAM_NOTHING;
	if (write_out(stream) == -1)
		return ZONE_STREAM_FAILED;
	return read_in(stream, message, length);
}
