#include <config.h>

#include "subscriber_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/jitter.h"
#include "shared/log.h"

#define STEP_FRAMES 8192    /* so that a full queue does not keep the loop from its other work */
#define SAME_FAILURE_MS 60000
#define REFUSED_MARKER_MS 1000 /* for a roll call that some queue did not take; it may have been another one than ours */

static void subscriber_set_state(struct subscriber *subscriber, enum subscriber_state state)
{
	subscriber->state = state;
	subscriber->since_ms = subscriber->now_ms;
}

/* ---- deliveries ---- */

static void subscriber_delivery(void *arg, const struct bus_delivery *delivery)
{
	struct subscriber *subscriber = arg;
	struct intake_outcome outcome;

	subscriber->last_tag = delivery->tag;
	subscriber->deliveries++;
	if (upkeep_is_probe(&subscriber->upkeep, delivery))
		return;
	intake_take(&subscriber->intake, delivery, &subscriber->message, subscriber->now_ms, &outcome);
	if (outcome.understood)
		subscriber->by_op[subscriber->message.op]++;
	if (outcome.result == INTAKE_MARKER) {
		subscriber_marker(subscriber);
	} else if (subscriber->awaiting_marker) {
		/* A long queue before the marker: as long as something comes, it may yet come. */
		if (!subscriber->refused)
			subscriber->due_ms = subscriber->now_ms + SUBSCRIBER_MARKER_MS;
		subscriber->early |= outcome.understood && !outcome.legacy && subscriber->message.op == ANNOUNCEMENT_UP;
	}
	answers_taken(subscriber->answers, delivery, &subscriber->message, &outcome, subscriber->batch_generation, subscriber->now_ms);
}

bool subscriber_end_batch(struct subscriber *subscriber, uint64_t generation)
{
	if (subscriber->last_tag == 0)
		return false;
	/* A lost that somebody still looks into changes nothing yet. Acked now it would be forgotten by a daemon that is killed before it does. */
	if (registry_asks(subscriber->registry) != 0)
		return true;
	batches_add(&subscriber->batches, generation, subscriber->last_tag);
	subscriber->last_tag = 0;
	return true;
}

void subscriber_settle(struct subscriber *subscriber, uint64_t stored, uint64_t served, int64_t now_ms)
{
	uint64_t tag = batches_take(&subscriber->batches, stored);

	if (tag != 0) {
		bus_ack(subscriber->bus, tag, true);
		subscriber->acked = tag;
	}
	answers_served(subscriber->answers, served, now_ms);
}

/* ---- connection ---- */

static void subscriber_up(void *arg)
{
	struct subscriber *subscriber = arg;

	subscriber_set_state(subscriber, SUBSCRIBER_DECLARING);
	subscriber->counted = false;
	subscriber_declare(subscriber);
}

static void subscriber_done(void *arg, enum bus_request request, uint32_t count)
{
	struct subscriber *subscriber = arg;
	char where[128];

	if (request == BUS_REQUEST_QUEUE_DECLARE) {
		subscriber->queue_depth = count;
		subscriber->counted = true;
		subscriber->depth_ms = subscriber->now_ms;
		subscriber->count_ms = subscriber->now_ms + SUBSCRIBER_COUNT_MS;
	}
	if (request == BUS_REQUEST_QUEUE_PURGE)
		subscriber_emptied(subscriber, count);
	if (request != BUS_REQUEST_CONSUME)
		return;
	subscriber_set_state(subscriber, SUBSCRIBER_CONSUMING);
	patience_reset(&subscriber->patience);
	subscriber->connects++;
	upkeep_begin(&subscriber->upkeep, subscriber->bus, subscriber->now_ms);
	subscriber->trouble[0] = '\0';
	log_info("connected broker=%s queue=%s depth=%" PRIu32,
	         busconf_endpoint_text(&subscriber->conf->bus.endpoints[subscriber->endpoint], where, sizeof where),
	         subscriber->conf->queue.name, subscriber->queue_depth);
	subscriber_rollcall(subscriber, subscriber->now_ms);
	subscriber_bind_legacy(subscriber);
}

static void subscriber_note_trouble(struct subscriber *subscriber, const char *text)
{
	/* The same again and again is one line a minute. */
	if (strcmp(text, subscriber->trouble) == 0 && subscriber->now_ms < subscriber->trouble_ms + SAME_FAILURE_MS) {
		log_debug("%s", text);
		return;
	}
	snprintf(subscriber->trouble, sizeof subscriber->trouble, "%s", text);
	subscriber->trouble_ms = subscriber->now_ms;
	log_warnx("%s; names stay as they are, and it is tried again", text);
}

static void subscriber_down(void *arg, const struct bus_failure *failure)
{
	struct subscriber *subscriber = arg;
	enum subscriber_state before = subscriber->state;
	bool missing = upkeep_missing(&subscriber->upkeep, failure);

	if (before == SUBSCRIBER_CONSUMING || before == SUBSCRIBER_DECLARING)
		poison_broke(&subscriber->poison, subscriber->bus, failure, before == SUBSCRIBER_CONSUMING && !subscriber->awaiting_marker,
		             !subscriber->counted || subscriber->queue_depth > 0);
	registry_disconnected(subscriber->registry, subscriber->now_ms);
	answers_down(subscriber->answers, failure, subscriber->now_ms);
	subscriber->last_tag = 0;
	batches_clear(&subscriber->batches);
	subscriber->awaiting_marker = subscriber->unheard = false;
	subscriber_set_state(subscriber, SUBSCRIBER_WAITING);
	if (!missing && !subscriber_legacy_failed(subscriber, before, failure) && !subscriber_queue_differs(subscriber, failure))
		subscriber_note_trouble(subscriber, failure->text);
	if (bus_failure_is_slowness(failure))
		patience_grow(&subscriber->patience, failure->kind == BUS_FAILED_TIMEOUT);
	/* What worked until now is tried again at once, at the same place, unless it stopped answering; else the next one is. */
	if (before == SUBSCRIBER_CONSUMING)
		backoff_reset(&subscriber->backoff);
	if ((before != SUBSCRIBER_CONSUMING || failure->kind == BUS_FAILED_TIMEOUT) && !missing)
		subscriber->endpoint = (subscriber->endpoint + 1) % subscriber->conf->bus.nendpoints;
	subscriber->due_ms = missing ? subscriber->now_ms : subscriber->now_ms + backoff_next(&subscriber->backoff, jitter_bits());
}

static void subscriber_confirm(void *arg, uint64_t sequence, enum bus_confirm result)
{
	struct subscriber *subscriber = arg;

	answers_confirmed(subscriber->answers, sequence);
	if (subscriber_heard(subscriber, sequence))
		return;
	if (sequence == subscriber->upkeep.probe) {
		if (upkeep_confirm(&subscriber->upkeep, subscriber->bus, subscriber->conf->queue.name, sequence, result))
			subscriber_rollcall(subscriber, subscriber->now_ms);
		return;
	}
	/* Answers to emitters are not mandatory and never come back: this is the roll call. */
	if (result == BUS_RETURNED)
		bus_fail(subscriber->bus, "the roll call reached no queue, not even our own: its bindings are gone");
	/* A quorum queue without a leader, which this channel will never reach again (see container/announce/announcer.c). */
	if (result == BUS_NACKED && subscriber->awaiting_marker && !subscriber->refused) {
		subscriber->refused = true;
		subscriber->due_ms = subscriber->now_ms + REFUSED_MARKER_MS;
	}
}

static void subscriber_cancelled(void *arg)
{
	struct subscriber *subscriber = arg;

	bus_fail(subscriber->bus, "the broker cancelled our consumer: was the queue deleted?");
}

static void subscriber_blocked(void *arg, bool blocked, const char *reason)
{
	struct subscriber *subscriber = arg;
	char text[LOG_SAFE_MAX];

	registry_blocked(subscriber->registry, blocked, subscriber->now_ms);
	/* An alarm is an answer, too: the question waits for its end. */
	subscriber->unheard = subscriber->unheard && !blocked;
	/* Our roll call was not read either: its time begins anew. */
	if (!blocked && subscriber->awaiting_marker)
		subscriber->due_ms = subscriber->now_ms + SUBSCRIBER_MARKER_MS;
	if (blocked)
		log_warnx("the broker is in alarm and takes no messages: reason=\"%s\"", log_phrase(text, sizeof text, reason, strlen(reason)));
	else
		log_info("the broker's alarm is over");
}

static const struct bus_callbacks subscriber_callbacks = {
	.up = subscriber_up,
	.down = subscriber_down,
	.done = subscriber_done,
	.delivery = subscriber_delivery,
	.confirm = subscriber_confirm,
	.cancelled = subscriber_cancelled,
	.blocked = subscriber_blocked,
};

static void subscriber_connect(struct subscriber *subscriber)
{
	const struct busconf *conf = &subscriber->conf->bus;

	subscriber->options = (struct bus_options){
		.client_name = subscriber->client_name,
		.heartbeat_s = conf->heartbeat_s,
		.connect_ms = BUS_CONNECT_MS,
		.handshake_ms = patience_ms(&subscriber->patience, BUS_HANDSHAKE_MS),
		.request_ms = patience_request_ms(&subscriber->patience, BUS_REQUEST_MS, conf->nendpoints > 1),
		.user_timeout_ms = BUS_USER_TIMEOUT_MS,
		.frame_max = BUS_FRAME_MAX_HOST,
		.receive_max = BUS_RECEIVE_MAX_HOST,
		.tls = &conf->tls,
	};
	if (bus_open(subscriber->bus, &conf->endpoints[subscriber->endpoint], &subscriber->options, subscriber->now_ms) == 0) {
		subscriber_set_state(subscriber, SUBSCRIBER_CONNECTING);
		return;
	}
	log_warn("cannot start to connect");
	subscriber->due_ms = subscriber->now_ms + backoff_next(&subscriber->backoff, jitter_bits());
}

/* ---- how much waits in the queue ---- */

/* CLOCK_NEVER: nobody wants to know, or it cannot be asked now. */
static int64_t subscriber_count_ms(const struct subscriber *subscriber)
{
	bool wanted = subscriber->conf->metrics.on ||
	              (subscriber->asked_ms != 0 && subscriber->now_ms < subscriber->asked_ms + SUBSCRIBER_ASKED_MS);

	if (!wanted || subscriber->state != SUBSCRIBER_CONSUMING || bus_is_blocked(subscriber->bus))
		return CLOCK_NEVER;
	return subscriber->count_ms;
}

static void subscriber_count(struct subscriber *subscriber)
{
	if (subscriber->now_ms < subscriber_count_ms(subscriber))
		return;
	/* Whether or not it could be asked: the next time is as good. */
	subscriber->count_ms = subscriber->now_ms + SUBSCRIBER_COUNT_MS;
	bus_queue_count(subscriber->bus, subscriber->conf->queue.name);
}

void subscriber_asked(struct subscriber *subscriber, int64_t now_ms)
{
	subscriber->asked_ms = now_ms;
}

/* ---- outside ---- */

static void subscriber_use(struct subscriber *subscriber, const struct conf *conf)
{
	subscriber->conf = conf;
	subscriber->intake.policy = &conf->policy;
	subscriber->intake.legacy = conf->legacy;
	upkeep_host(&subscriber->upkeep, conf->hostname);
	snprintf(subscriber->client_name, sizeof subscriber->client_name, "callsignd@%s", conf->hostname);
}

struct subscriber *subscriber_new(const struct conf *conf, struct registry *registry, struct refusals *refusals, int64_t now_ms)
{
	struct subscriber *subscriber = calloc(1, sizeof *subscriber);

	if (subscriber == NULL)
		return NULL;
	subscriber->registry = registry;
	subscriber->intake.registry = registry;
	subscriber->intake.refusals = refusals;
	subscriber->now_ms = subscriber->since_ms = subscriber->due_ms = now_ms;
	/* Seconds since 2020, so that a restarted daemon has a higher one than its past life. Should the clock go back: see subscriber_declare. */
	subscriber->priority = (int32_t)(time(NULL) - 1577836800);
	subscriber_use(subscriber, conf);
	backoff_init(&subscriber->backoff, SUBSCRIBER_BACKOFF_FIRST_MS, SUBSCRIBER_BACKOFF_MAX_MS);
	subscriber->intake.rates = rates_new();
	subscriber->bus = bus_new(&subscriber_callbacks, subscriber);
	subscriber->answers = answers_new(subscriber->bus, registry, conf);
	if (subscriber->answers == NULL || subscriber->intake.rates == NULL || subscriber->bus == NULL) {
		subscriber_free(subscriber);
		return NULL;
	}
	return subscriber;
}

void subscriber_free(struct subscriber *subscriber)
{
	if (subscriber == NULL)
		return;
	if (subscriber->bus != NULL)
		bus_close(subscriber->bus);
	bus_free(subscriber->bus);
	answers_free(subscriber->answers);
	rates_free(subscriber->intake.rates);
	free(subscriber);
}

void subscriber_configure(struct subscriber *subscriber, const struct conf *conf, int64_t now_ms)
{
	bool same = conf_same_bus(subscriber->conf, conf), had_legacy = subscriber->conf->legacy;

	subscriber->now_ms = now_ms;
	subscriber_use(subscriber, conf);
	answers_configure(subscriber->answers, conf);
	subscriber->legacy_refused = false;
	if (same && subscriber->state == SUBSCRIBER_CONSUMING)
		subscriber_change_legacy(subscriber, had_legacy);
	if (same)
		return;
	log_info("the bus is configured otherwise: connecting anew");
	bus_close(subscriber->bus);
	registry_disconnected(subscriber->registry, now_ms);
	answers_clear(subscriber->answers);
	subscriber->last_tag = 0;
	batches_clear(&subscriber->batches);
	subscriber->awaiting_marker = subscriber->unheard = false;
	subscriber->endpoint = 0;
	backoff_reset(&subscriber->backoff);
	patience_reset(&subscriber->patience);
	/* What was found out is about another broker, or another queue: this one is not to be emptied for it. */
	poison_passed(&subscriber->poison);
	upkeep_forget(&subscriber->upkeep);
	subscriber->recreate = QUEUE_KEEP;
	subscriber_set_state(subscriber, SUBSCRIBER_WAITING);
	subscriber->due_ms = now_ms;
}

int subscriber_fd(const struct subscriber *subscriber)
{
	return bus_fd(subscriber->bus);
}

/* Not while the broker is in alarm: it may never come back then, and a deadline that nobody acts on would keep the loop turning. */
static bool subscriber_expects_marker(const struct subscriber *subscriber)
{
	return subscriber->awaiting_marker && !bus_is_blocked(subscriber->bus);
}

int64_t subscriber_deadline_ms(const struct subscriber *subscriber)
{
	int64_t due = bus_deadline_ms(subscriber->bus);
	int64_t doubt = registry_doubt_ms(subscriber->registry), count = subscriber_count_ms(subscriber);

	due = count < due ? count : due;
	if (subscriber->state == SUBSCRIBER_CONSUMING && doubt < due)
		due = doubt;
	if (subscriber->state == SUBSCRIBER_CONSUMING && !subscriber->awaiting_marker && !bus_is_blocked(subscriber->bus) && subscriber->upkeep.due_ms < due)
		due = subscriber->upkeep.due_ms;
	if ((subscriber->state == SUBSCRIBER_WAITING || subscriber_expects_marker(subscriber)) && subscriber->due_ms < due)
		return subscriber->due_ms;
	return due;
}

bool subscriber_step(struct subscriber *subscriber, uint64_t generation, int64_t now_ms)
{
	bool more;

	subscriber->now_ms = now_ms;
	subscriber->batch_generation = generation;
	if (subscriber->state == SUBSCRIBER_WAITING) {
		if (now_ms >= subscriber->due_ms)
			subscriber_connect(subscriber);
		return false;
	}
	more = bus_step(subscriber->bus, now_ms, STEP_FRAMES);
	if (subscriber_expects_marker(subscriber) && now_ms >= subscriber->due_ms)
		bus_fail(subscriber->bus, "our own roll call did not come back");
	if (subscriber->state == SUBSCRIBER_CONSUMING && registry_doubts(subscriber->registry, now_ms))
		subscriber_doubt(subscriber);
	if (subscriber->state == SUBSCRIBER_CONSUMING && !bus_is_blocked(subscriber->bus))
		subscriber_listen(subscriber);
	if (subscriber->state == SUBSCRIBER_CONSUMING && !subscriber->awaiting_marker && !bus_is_blocked(subscriber->bus))
		upkeep_step(&subscriber->upkeep, subscriber->bus, subscriber->conf->queue.name, now_ms);
	subscriber_count(subscriber);
	return more;
}

size_t subscriber_peer(const struct subscriber *subscriber, struct sockaddr_storage *out)
{
	return bus_peer(subscriber->bus, out);
}

void subscriber_status(const struct subscriber *subscriber, struct subscriber_status *out)
{
	memset(out, 0, sizeof *out);
	out->state = subscriber->state;
	busconf_endpoint_text(&subscriber->conf->bus.endpoints[subscriber->endpoint], out->endpoint, sizeof out->endpoint);
	memcpy(out->trouble, subscriber->trouble, sizeof out->trouble);
	out->blocked = bus_is_blocked(subscriber->bus);
	out->since_ms = subscriber->since_ms;
	out->connects = subscriber->connects;
	out->deliveries = subscriber->deliveries;
	out->acked = subscriber->acked;
	memcpy(out->by_op, subscriber->by_op, sizeof out->by_op);
	memcpy(out->refused, subscriber->intake.refused, sizeof out->refused);
	out->queue_depth = subscriber->queue_depth;
	memcpy(out->legacy_trouble, subscriber->legacy_trouble, sizeof out->legacy_trouble);
	out->depth_ms = subscriber->depth_ms;
	out->poisoned = subscriber->poison.emptied;
	out->poisoned_ms = subscriber->poison.emptied_ms;
	memcpy(out->poison_key, subscriber->poison.key, sizeof out->poison_key);
	out->bindings_lost = subscriber->upkeep.bindings_lost;
	out->exchanges_made = subscriber->upkeep.exchanges_made;
	if (bus_is_up(subscriber->bus))
		out->broker = *bus_broker(subscriber->bus);
}
