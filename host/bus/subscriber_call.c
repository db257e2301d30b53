#include <config.h>

#include "subscriber_internal.h"

#include "shared/log.h"

/* Calling the emitters: all of them, each that is missing, and the broker itself. */

/* Call everyone on the bus: its nonce into *nonce. Whether it was sent. */
static bool subscriber_call(struct subscriber *subscriber, struct ident *nonce)
{
	struct announcement *call = &subscriber->message;
	struct bus_properties properties = {
		.content_type = ANNOUNCEMENT_CONTENT_TYPE,
		.type = ANNOUNCEMENT_TYPE,
		.user_id = bus_user(subscriber->bus),
	};
	struct registry_counts counts;
	char body[ANNOUNCEMENT_BODY_MAX];
	int length;

	registry_count(subscriber->registry, &counts);
	call->op = ANNOUNCEMENT_ROLLCALL;
	snprintf(call->host, sizeof call->host, "%s", subscriber->conf->hostname);
	call->spread_ms = (uint32_t)(counts.facts / 10);
	if (call->spread_ms < SUBSCRIBER_SPREAD_MIN_MS)
		call->spread_ms = SUBSCRIBER_SPREAD_MIN_MS;
	if (call->spread_ms > ANNOUNCEMENT_SPREAD_MAX_MS)
		call->spread_ms = ANNOUNCEMENT_SPREAD_MAX_MS;
	if (ident_random(&call->nonce) == -1 || (length = announcement_encode(call, body)) == -1) {
		bus_fail(subscriber->bus, "no roll call can be made");
		return false;
	}
	*nonce = call->nonce;
	return bus_publish(subscriber->bus, EXCHANGE_ROLLCALL, "", true, &properties, body, (size_t)length) != 0;
}

bool subscriber_rollcall(struct subscriber *subscriber, int64_t now_ms)
{
	if (subscriber->state != SUBSCRIBER_CONSUMING)
		return false;
	registry_connected(subscriber->registry, now_ms);
	subscriber->awaiting_marker = true;
	subscriber->refused = false;
	subscriber->early = false;
	subscriber->due_ms = now_ms + SUBSCRIBER_MARKER_MS;
	return subscriber_call(subscriber, &subscriber->intake.nonce);
}

/*
 * Our own roll call is back. A broker hands it to one queue after the other, thousands of them, and ours may be the last: whoever answered before
 * has confirmed nothing and would not say it again. A second call asks them to; those who have yet to answer the first answer both at once.
 */
void subscriber_marker(struct subscriber *subscriber)
{
	struct ident unused;

	subscriber->awaiting_marker = false;
	poison_passed(&subscriber->poison);
	registry_marker(subscriber->registry, subscriber->now_ms);
	if (subscriber->early)
		subscriber_call(subscriber, &unused);
	subscriber->early = false;
}

/*
 * A broker in alarm reads from nobody who publishes, and tells only those: whoever has published since. So when renewals stay away, publish
 * something that goes nowhere; if it is the alarm we are told (subscriber_blocked), and leases stand still.
 */
static uint64_t subscriber_probe(struct subscriber *subscriber)
{
	struct bus_properties properties = {.type = ANNOUNCEMENT_TYPE};

	return bus_publish(subscriber->bus, "", "callsign.probe", false, &properties, "", 0);
}

/* ---- is the broker heard? ---- */

#define HEARD_MS 500     /* an answer is good for so long */

/*
 * A connection over which nothing comes, of which TCP and heartbeats have yet to find out, is as silent as emitters that are gone. So before they are
 * believed to be gone the broker is asked for a confirm, behind all that it has sent before.
 */
void subscriber_listen(struct subscriber *subscriber)
{
	if (!subscriber->unheard) {
		if (!registry_judges(subscriber->registry, subscriber->now_ms) || subscriber->now_ms < subscriber->heard_ms + HEARD_MS)
			return;
		subscriber->unheard = true;
		subscriber->question = 0;
		subscriber->question_ms = subscriber->now_ms;
		registry_unheard(subscriber->registry, true, subscriber->now_ms);
	}
	if (subscriber->question == 0)
		subscriber->question = subscriber_probe(subscriber);
}

bool subscriber_heard(struct subscriber *subscriber, uint64_t sequence)
{
	int64_t away_ms = subscriber->now_ms - subscriber->question_ms;

	if (!subscriber->unheard || subscriber->question == 0 || sequence != subscriber->question)
		return false;
	subscriber->unheard = false;
	subscriber->heard_ms = subscriber->now_ms;
	registry_unheard(subscriber->registry, false, subscriber->now_ms);
	if (away_ms >= REGISTRY_UNHEARD_MS)
		log_info("the broker was not heard for %lld.%lld s: nobody's silence in that time counts", (long long)(away_ms / 1000),
		         (long long)(away_ms % 1000 / 100));
	return true;
}

/* ---- those who do not answer ---- */

#define CALLS_MAX 500 /* at one time */
#define CALL_SPREAD_MS 200

struct calls {
	struct subscriber *subscriber;
	unsigned count;
};

static bool subscriber_call_one(void *arg, struct fact *fact)
{
	struct calls *calls = arg;
	struct subscriber *subscriber = calls->subscriber;
	struct bus_properties properties = {.content_type = ANNOUNCEMENT_CONTENT_TYPE, .type = ANNOUNCEMENT_TYPE, .user_id = bus_user(subscriber->bus)};
	char mailbox[QUEUE_WILL_SIZE], body[ANNOUNCEMENT_BODY_MAX];
	int length;

	if (fact->state != FACT_UNCONFIRMED || !fact->has_session)
		return true;
	subscriber->message.op = ANNOUNCEMENT_ROLLCALL;
	subscriber->message.spread_ms = CALL_SPREAD_MS;
	snprintf(subscriber->message.host, sizeof subscriber->message.host, "%s", subscriber->conf->hostname);
	if (calls->count == CALLS_MAX || !bus_takes(subscriber->bus) || ident_random(&subscriber->message.nonce) == -1 ||
	    (length = announcement_encode(&subscriber->message, body)) == -1)
		return false;
	calls->count++;
	return bus_publish(subscriber->bus, "", announcement_will_queue(fact->name, &fact->session, mailbox), false, &properties, body,
	                   (size_t)length) != 0;
}

/*
 * Half of a resync's silence is over. Somebody may have deleted the exchange of roll calls and made it anew, with which the mailboxes' bindings have gone, and its
 * emitters hear no roll call: so each that is missing is called by its mailbox's name, where the dead do not hear it, and older emitters pass over it.
 */
static void subscriber_call_the_silent(struct subscriber *subscriber)
{
	struct calls calls = {.subscriber = subscriber};
	struct registry_counts counts;

	registry_count(subscriber->registry, &counts);
	if (counts.resync != REGISTRY_RESYNC || counts.unconfirmed == 0)
		return;
	registry_each(subscriber->registry, subscriber_call_one, &calls);
	log_debug("%u did not answer the roll call yet: each is called alone", calls.count);
}

void subscriber_doubt(struct subscriber *subscriber)
{
	if (subscriber_probe(subscriber) != 0)
		log_debug("renewals are late: probing the broker");
	subscriber_call_the_silent(subscriber);
}
