#ifndef CALLSIGN_ZONE_STREAM_H
#define CALLSIGN_ZONE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/address.h"

/*
 * A TCP connection to a name server, without ever waiting: messages with their length before them (RFC 1035, section 4.2.2), one on its way
 * there at a time. It watches itself in the epoll instance it is given, which is level-triggered: when its data.ptr (the stream) turns up there, call
 * zone_stream_step().
 */
#define ZONE_MESSAGE_MAX 65535

struct zone_stream {
	int fd; /* -1: closed */
	int epoll;
	bool connected;
	bool ready; /* by the owner of the epoll instance: something happened */
	uint8_t *out; /* with its length before it; NULL: nothing to send */
	size_t out_length, out_used;
	uint8_t *in;
	size_t in_used;
};

void zone_stream_init(struct zone_stream *stream, int epoll);

/* Begin to connect. 0, or -1 with errno. */
int zone_stream_open(struct zone_stream *stream, const struct address *address, uint16_t port);
void zone_stream_close(struct zone_stream *stream);

/* Copies. 0, or -1 with errno (EBUSY: the one before is not gone yet). Also before it is connected. */
int zone_stream_send(struct zone_stream *stream, const uint8_t *message, size_t length);

enum zone_stream_result {
	ZONE_STREAM_NOTHING, /* nothing (more) to read */
	ZONE_STREAM_MESSAGE, /* *message and *length: valid until the next call; call again */
	ZONE_STREAM_CLOSED,  /* by the server, between two messages */
	ZONE_STREAM_FAILED   /* errno */
};
enum zone_stream_result zone_stream_step(struct zone_stream *stream, const uint8_t **message, size_t *length);

#endif
