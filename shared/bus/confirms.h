#ifndef CALLSIGN_CONFIRMS_H
#define CALLSIGN_CONFIRMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Messages that were published and not confirmed yet, in order. RabbitMQ acks single messages or everything up to one, and sends
 * basic.return before the ack of the message it returns, but does not say which that was: it is found by a
 * digest of what was sent. Pure.
 */
struct confirm {
	uint64_t sequence;
	uint64_t digest;
	int64_t sent_ms;
	bool returned;
	bool settled;
};

struct confirms {
	struct confirm *ring; /* [first, first + count) modulo size */
	size_t size, first, count;
	uint64_t next_sequence;
	size_t waiting; /* not settled */
};

void confirms_init(struct confirms *confirms); /* the next sequence is 1 */
void confirms_clear(struct confirms *confirms);

/* Returns the sequence number, or 0 when memory is out. */
uint64_t confirms_add(struct confirms *confirms, uint64_t digest, int64_t now_ms);

/* The oldest one with this digest that is waiting came back. */
void confirms_returned(struct confirms *confirms, uint64_t digest);

/* Take the next one that an ack or nack of tag (multiple: all up to it) settles: true and *out, or false when there is none left. */
bool confirms_settle(struct confirms *confirms, uint64_t tag, bool multiple, struct confirm *out);

/* When the oldest waiting one was sent, or -1. */
int64_t confirms_oldest_ms(const struct confirms *confirms);

/* Start counting the waiting ones' time anew (after the broker's alarm is over). */
void confirms_restart(struct confirms *confirms, int64_t now_ms);

/* FNV-1a over the parts that identify a message. */
uint64_t confirms_digest(const void *exchange, size_t exchange_length, const void *key, size_t key_length, const void *body,
                         size_t body_length);

#endif
