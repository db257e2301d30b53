#ifndef CALLSIGN_SUBSCRIBER_INTERNAL_H
#define CALLSIGN_SUBSCRIBER_INTERNAL_H

/*
 * The inside of the subscriber, shared by its files: subscriber.c (the connection's states, and deliveries), and what it calls, subscriber_call.c (roll
 * calls) and subscriber_queue.c (what is declared on the broker). Nobody else includes this.
 */

#include <stdio.h>

#include "answers.h"
#include "batches.h"
#include "intake.h"
#include "poison.h"
#include "shared/backoff.h"
#include "shared/bus/patience.h"
#include "subscriber.h"
#include "upkeep.h"

struct subscriber {
	const struct conf *conf;
	struct registry *registry;
	struct intake intake;
	struct bus *bus;
	struct answers *answers;
	struct backoff backoff;
	struct patience patience;
	struct poison poison;
	struct upkeep upkeep;
	enum subscriber_state state;
	int64_t since_ms, now_ms;
	int64_t due_ms;       /* waiting: the next try. consuming, marker awaited: when to give it up */
	size_t endpoint;      /* the one in use, or to be tried next */
	enum { QUEUE_KEEP, QUEUE_DELETE_IF_UNUSED, QUEUE_DELETE } recreate; /* the queue has other arguments: delete it first */
	bool awaiting_marker;
	bool refused;         /* some queue did not take the roll call */
	bool early;           /* some have announced themselves since the roll call, and before the marker */
	bool unheard;         /* the broker was asked whether it is there, and has not answered */
	uint64_t question;    /* that message's number; 0: it could not be sent yet */
	int64_t question_ms;  /* since when */
	int64_t heard_ms;     /* when it last answered */
	int32_t priority;
	struct bus_options options;
	char client_name[HOSTNAME_FQDN_SIZE + 16];
	/* deliveries */
	uint64_t last_tag;    /* taken in the current batch, 0: none */
	uint64_t batch_generation; /* of the batch that is being taken */
	struct batches batches; /* not acked yet */
	struct announcement message;
	/* for people */
	char trouble[BUS_FAILURE_TEXT];
	int64_t trouble_ms;   /* when it was last logged */
	uint64_t connects, deliveries, acked;
	uint64_t by_op[ANNOUNCEMENT_REFUSED + 1];
	uint32_t queue_depth;
	bool counted;         /* on this connection */
	bool legacy_refused;  /* the broker closed the channel over the older format's exchange: the next connection does without */
	char legacy_trouble[BUS_FAILURE_TEXT];
	int64_t depth_ms;     /* when it was counted; 0: not yet */
	int64_t count_ms;     /* when it may be counted next */
	int64_t asked_ms;     /* when somebody last wanted to know; 0: nobody yet */
};

/* subscriber_call.c. Our own roll call is back; whoever has not renewed in time may be gone, or the broker hears nobody. */
void subscriber_marker(struct subscriber *subscriber);
void subscriber_doubt(struct subscriber *subscriber);

/* Before anybody's silence is judged: is the broker heard? And its answer: whether that was one. */
void subscriber_listen(struct subscriber *subscriber);
bool subscriber_heard(struct subscriber *subscriber, uint64_t sequence);

/* subscriber_queue.c. declare: all that a session needs. emptied: so many messages were in the queue that broke connections. */
void subscriber_declare(struct subscriber *subscriber);
void subscriber_emptied(struct subscriber *subscriber, uint32_t messages);

/* Whether that is why the connection ended; then the next one does otherwise, and it was said. */
bool subscriber_queue_differs(struct subscriber *subscriber, const struct bus_failure *failure);
bool subscriber_legacy_failed(struct subscriber *subscriber, enum subscriber_state before, const struct bus_failure *failure);

void subscriber_bind_legacy(struct subscriber *subscriber);
void subscriber_change_legacy(struct subscriber *subscriber, bool had_legacy); /* after a reload */

#endif
