#ifndef CALLSIGN_AGENT_CHORUS_PARTS_H
#define CALLSIGN_AGENT_CHORUS_PARTS_H

#include "announce/faultlog.h"
#include "chorus.h"
#include "shared/backoff.h"
#include "shared/bus/bus.h"
#include "shared/bus/patience.h"

/*
 * What the parts of the chorus share, and nobody else. Each calls those behind it alone: chorus.c has the singers and what others ask for, chorus_hear.c
 * is told by the bus, chorus_feed.c lets announcers hear of it, chorus_send.c carries out what they want, chorus_connect.c decides when and where to connect,
 * chorus_outbox.c keeps what may not go yet, and chorus_flights.c remembers what is on its way.
 */

/* A message without its confirm: sequence numbers of the bus's are consecutive, so its place in a ring is known. */
struct flight {
	uint32_t slot;
	uint64_t number; /* the singer's; 0: settled */
	enum announcer_message message;
	uint64_t seq;
};

struct flights {
	struct flight *ring;
	size_t size, first, count; /* size: a power of two */
	uint64_t first_sequence;
};

/* A message, or the ack of one. What it points to is borrowed. */
struct parcel {
	uint64_t ack; /* a delivery tag; 0: it is a message */
	struct flight flight;
	bool asks;
	const char *key, *body;
	size_t length;
};

/*
 * What a broker reads more slowly than we write, in order: hundreds of names that come back at once fill any socket, and what is published into a full
 * one ends the connection. As it was said, and not as it would be said by then: a down is still a down once its singer has left.
 */
struct outbox {
	struct outbox_entry *first, *last;
};

/*
 * A classic queue hands a channel no more while 200 of its messages have not reached the socket (RabbitMQ, rabbit_queue_consumers.erl); what comes then
 * waits in the queue, and in ours, where nothing may wait, it is a dead letter: the will of somebody who lives has fired.
 */
#define CHORUS_WILLS_OUT_MAX 64

struct chorus {
	struct chorus_options options;
	struct chorus_watcher watcher;
	struct bus *bus;
	struct bus_options bus_options;
	char client_name[sizeof("callsign-agent ") + QUEUE_AGENT_HOST_MAX];
	struct singer **singers; /* NULL: a free slot */
	size_t nslots, nsingers;
	uint64_t last_number;
	struct flights flights;
	struct outbox outbox;
	unsigned wills_out; /* published, and not delivered to us yet: at most CHORUS_WILLS_OUT_MAX */
	unsigned binds_due; /* asked for, and not answered yet */
	uint32_t hold_timeout_ms; /* this broker's consumer_timeout, once it has said so; else 0 */
	struct ident session;
	char mailbox[QUEUE_AGENT_SIZE]; /* and the exchange of the same name */
	unsigned consumers_due;
	bool consuming;
	bool spare_timeout; /* this broker takes no x-consumer-timeout on a classic queue */
	bool open; /* bus_open() was called and `down` was not */
	size_t endpoint, failures;
	struct backoff backoff;
	struct patience patience;
	struct faultlog faultlog;
	int64_t retry_at_ms;
	int64_t now_ms;
};

/* chorus_hear.c: their argument is the struct chorus. */
extern const struct bus_callbacks chorus_callbacks;

/* chorus_feed.c */
void chorus_feed(struct singer *singer, struct announcer_event *event);
void chorus_feed_all(struct chorus *chorus, const struct announcer_event *event);

/* chorus_send.c */
void chorus_carry_out(struct singer *singer, const struct announcer_action *action);
void chorus_declare(struct chorus *chorus);
struct singer *chorus_singer(const struct chorus *chorus, uint32_t slot, uint64_t number); /* NULL: it has left */
void chorus_ack(struct chorus *chorus, uint64_t tag);
void chorus_flush(struct chorus *chorus); /* as much of the outbox as may go now */
bool chorus_waits_for_will(const struct chorus *chorus); /* and not for the socket */

/* By SLOT.NUMBER a will or an answer is known again. */
#define CHORUS_TAG_SIZE 32
struct singer *chorus_tagged(const struct chorus *chorus, const struct bus_text *tag);

/* chorus_connect.c. stood: the connection that has just ended had worked. */
void chorus_retry_later(struct chorus *chorus, bool stood);
void chorus_connect_next(struct chorus *chorus);

/* chorus_flights.c: 0, or -1 (no memory). */
int flights_add(struct flights *flights, uint64_t sequence, const struct flight *flight);
bool flights_take(struct flights *flights, uint64_t sequence, struct flight *out);
void flights_clear(struct flights *flights);

/* chorus_outbox.c: a copy is kept. 0, or -1 (no memory). */
int outbox_add(struct outbox *outbox, const struct parcel *parcel);
bool outbox_first(const struct outbox *outbox, struct parcel *out); /* false: it is empty. Valid until outbox_drop_first() */
void outbox_drop_first(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);

#endif
