#ifndef CALLSIGN_SUBSCRIBER_H
#define CALLSIGN_SUBSCRIBER_H

/*
 * The room host/bus/: what this host hears from the broker, what of it is believed to be somebody's word (intake), and what is answered. It uses the
 * registry and must not know sinks: how far they are it is told.
 */

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "intake.h"
#include "refusals.h"
#include "registry/registry.h"

/*
 * The host's side of the bus: connects and comes back, declares exchanges and queue, sends the roll call, takes each delivery through decoding,
 * the broker's properties and the policy into the registry, acks what is stored and answers those who wait for what is served.
 *
 *   state       event                                       next
 *   waiting     the delay is over                           connecting (the next URL)
 *   connecting  logged in                                   declaring: exchanges, queue, bindings, consumer, in one go
 *   declaring   consuming                                   consuming: registry_connected(), roll call
 *   declaring   queue has other arguments (406)             waiting, at once; then the queue is deleted if unused, and declared anew
 *   consuming   own roll call comes back                    consuming: registry_marker()
 *   any         down, cancelled, no marker, not confirmed   waiting: registry_disconnected()
 */
struct subscriber;

#define SUBSCRIBER_PREFETCH 4096
#define SUBSCRIBER_MARKER_MS 30000 /* without any delivery, until the roll call is given up */
#define SUBSCRIBER_BACKOFF_FIRST_MS 50
#define SUBSCRIBER_BACKOFF_MAX_MS 2000
#define SUBSCRIBER_SPREAD_MIN_MS 500

enum subscriber_state { SUBSCRIBER_WAITING, SUBSCRIBER_CONNECTING, SUBSCRIBER_DECLARING, SUBSCRIBER_CONSUMING };

/* NULL with errno. conf is borrowed until subscriber_configure() gives another. */
struct subscriber *subscriber_new(const struct conf *conf, struct registry *registry, struct refusals *refusals, int64_t now_ms);
void subscriber_free(struct subscriber *subscriber); /* says goodbye to the broker; what was not acked comes again */

/* After a reload: connects anew if the bus or the queue are configured otherwise. */
void subscriber_configure(struct subscriber *subscriber, const struct conf *conf, int64_t now_ms);

/* The descriptor to poll for reading, or -1; the next deadline; work when either fires. What step takes belongs to the batch with that
 * generation. It returns true if it stopped before everything was read: call again without waiting. */
int subscriber_fd(const struct subscriber *subscriber);
int64_t subscriber_deadline_ms(const struct subscriber *subscriber);
bool subscriber_step(struct subscriber *subscriber, uint64_t generation, int64_t now_ms);

/* Whether there are deliveries that belong to no batch; they belong to the one with this generation now. Not while the registry asks about a lost among
 * them (registry_asks): what that changes is in a later generation. */
bool subscriber_end_batch(struct subscriber *subscriber, uint64_t generation);

/* Ack all batches up to stored; answer those who wait for one up to served. */
void subscriber_settle(struct subscriber *subscriber, uint64_t stored, uint64_t served, int64_t now_ms);

/* Ask everyone to announce again, as after a reconnect. false if there is no connection. */
bool subscriber_rollcall(struct subscriber *subscriber, int64_t now_ms);

/* The address that the broker was reached at, while there is a connection: its length, or 0. */
size_t subscriber_peer(const struct subscriber *subscriber, struct sockaddr_storage *out);

/* Somebody wants to know how many messages wait in the queue: count them now and then for a while. With metrics on it is done all the time. */
void subscriber_asked(struct subscriber *subscriber, int64_t now_ms);

#define SUBSCRIBER_COUNT_MS 10000  /* between two counts */
#define SUBSCRIBER_ASKED_MS 60000  /* how long it goes on after the last question */

struct subscriber_status {
	enum subscriber_state state;
	char endpoint[128];   /* without password */
	char trouble[BUS_FAILURE_TEXT]; /* the last failure while not consuming, else "" */
	bool blocked;
	int64_t since_ms;     /* in this state */
	uint64_t connects, deliveries, acked;
	uint64_t by_op[ANNOUNCEMENT_REFUSED + 1];
	uint64_t refused[INTAKE_REFUSALS];
	char legacy_trouble[BUS_FAILURE_TEXT]; /* why the older format is not taken though it is configured; else "" */
	uint32_t queue_depth; /* messages that waited in the queue, not delivered yet, at depth_ms */
	int64_t depth_ms;     /* 0: not counted yet */
	uint64_t poisoned;    /* how often the queue was emptied of a message that broke the connection (poison.h), when last, and its key */
	int64_t poisoned_ms;
	char poison_key[128];
	uint64_t bindings_lost, exchanges_made; /* upkeep.h */
	struct bus_broker broker; /* while connected */
};

void subscriber_status(const struct subscriber *subscriber, struct subscriber_status *out);

#endif
