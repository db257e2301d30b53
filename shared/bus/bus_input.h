#ifndef CALLSIGN_BUS_INPUT_H
#define CALLSIGN_BUS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The broker's bytes, cut into frames (AMQP 0-9-1, section 4.2.3). From the login's end on it is this that reads the connection, and librabbitmq only
 * writes: it will not take a frame that is longer than agreed on, and RabbitMQ sends those (BUS_RECEIVE_MAX_HOST).
 *
 * A frame whose payload is longer than `largest` is read to its end, of which only the beginning is kept: its message is refused, not the connection.
 */
struct bus_input {
	int fd;
	void *ssl; /* OpenSSL's, or NULL without TLS */
	size_t largest;
	unsigned char *buffer; /* what was read and not handed out: from begin to end */
	size_t size, begin, end;
	unsigned fills; /* in this call */
	size_t skip_whole;
	uint64_t skip; /* this many bytes of a frame that is too long are still to come, its last one included */
	unsigned char head[16]; /* such a frame's beginning */
	unsigned char skip_type;
	uint16_t skip_channel;
	/* with TLS: how much of the transport a lone heartbeat takes, once it was seen twice; else 0 */
	uint64_t beat_seen, beat_length;
};

struct bus_raw {
	unsigned char type; /* section 4.2.3: 1 method, 2 header, 3 body, 8 heartbeat */
	uint16_t channel;
	const unsigned char *payload; /* until the next call */
	size_t length; /* of what is there of it */
	size_t whole;  /* of what there was: more, if it was too long */
};

enum bus_input_result {
	BUS_INPUT_FRAME,
	BUS_INPUT_EMPTY,  /* nothing more now */
	BUS_INPUT_MORE,   /* much was read and no frame is whole yet; there may be more: whoever sends for ever is not to be read for ever */
	BUS_INPUT_END,    /* the broker has closed the connection */
	BUS_INPUT_FAILED, /* errno; or 0, and OpenSSL knows */
	BUS_INPUT_ASTRAY  /* these are no frames */
};

/* 0, or -1 with errno. */
int bus_input_begin(struct bus_input *input, int fd, void *ssl, size_t largest);
void bus_input_end(struct bus_input *input); /* of one that has begun, or is all zeros */

/* *heard is set if anything was read. */
enum bus_input_result bus_input_next(struct bus_input *input, struct bus_raw *frame, bool *heard);

/* After BUS_INPUT_EMPTY: how many bytes have to wait at the socket until there is more than a heartbeat. 1: any may be something. */
int bus_input_low_water(const struct bus_input *input);

#endif
