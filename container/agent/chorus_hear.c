#include <config.h>

#include "chorus_parts.h"

#include <stdio.h>
#include <string.h>

#include "shared/log.h"

static void on_up(void *arg)
{
	struct chorus *c = arg;
	struct announcer_event event = {.type = EVENT_CONNECTED};
	char where[256];

	log_debug("connected to %s in %lld us", busconf_endpoint_text(&c->options.bus->endpoints[c->endpoint], where, sizeof(where)),
	          (long long)bus_login_us(c->bus));
	if (ident_random(&c->session) == -1) {
		bus_fail(c->bus, "no random numbers");
		return;
	}
	c->consuming = false;
	outbox_clear(&c->outbox);
	c->wills_out = 0;
	chorus_declare(c);
	event.session = c->session;
	chorus_feed_all(c, &event);
}

/*
 * RabbitMQ 4.3 refuses x-consumer-timeout on a classic queue (which has no such timeout there), 4.0 needs it where its own is short, and 3.10 does not care.
 * So whoever is refused comes back at once, and goes without from then on.
 */
static bool learn(struct chorus *c, const struct bus_failure *failure)
{
	if (c->spare_timeout || failure->kind != BUS_FAILED_CHANNEL || failure->code != 406 || failure->request != BUS_REQUEST_QUEUE_DECLARE)
		return false;
	log_debug("%s; once more without x-consumer-timeout", failure->text);
	c->spare_timeout = true;
	return true;
}

/* For those who are there, and whoever joins later. */
static void learn_timeout(struct chorus *c, uint32_t timeout_ms)
{
	c->hold_timeout_ms = timeout_ms;
	for (size_t i = 0; i < c->nslots; i++) {
		if (c->singers[i] != NULL)
			announcer_set_hold(&c->singers[i]->announcer, timeout_ms);
	}
	log_warnx("the broker lets nobody hold a message for longer than %u ms (its consumer_timeout): from now on wills are renewed in half of that",
	          (unsigned)timeout_ms);
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct chorus *c = arg;
	bool stood = chorus_announced(c) > 0, learned = learn(c, failure);

	c->open = c->consuming = false;
	if (!learned && faultlog_wants(&c->faultlog, failure->text, c->now_ms))
		log_warnx("%s; retrying", failure->text);
	else
		log_debug("%s; retrying", failure->text);
	if (failure->cause.kind == BUS_CAUSE_ACK_TIMEOUT)
		learn_timeout(c, failure->cause.timeout_ms);
	if (bus_failure_is_slowness(failure))
		patience_grow(&c->patience, failure->kind == BUS_FAILED_TIMEOUT);
	flights_clear(&c->flights);
	outbox_clear(&c->outbox);
	chorus_feed_all(c, &(struct announcer_event){.type = EVENT_DISCONNECTED});
	if (learned)
		c->retry_at_ms = c->now_ms;
	else
		chorus_retry_later(c, stood);
}

static void on_done(void *arg, enum bus_request request, uint32_t count)
{
	struct chorus *c = arg;

	(void)count;
	if (request == BUS_REQUEST_QUEUE_BIND && c->binds_due > 0)
		c->binds_due--;
	if (request != BUS_REQUEST_CONSUME || --c->consumers_due != 0)
		return;
	c->consuming = true;
	chorus_feed_all(c, &(struct announcer_event){.type = EVENT_CONSUMING});
}

static void take_answer(struct chorus *c, const struct bus_delivery *delivery)
{
	static struct announcement answer;
	char error[ANNOUNCEMENT_ERROR_SIZE];
	struct singer *singer = chorus_tagged(c, &delivery->correlation_id);

	if (singer == NULL)
		return; /* of one that has left */
	if (delivery->too_long || announcement_decode(delivery->body.data, delivery->body.length, &answer, error) == -1) {
		log_warnx("answer from a host is not understood: %s", delivery->too_long ? "too long" : error);
	} else if (answer.op == ANNOUNCEMENT_REFUSED) {
		log_warnx("refused name=%s host=%s: %s", answer.name, answer.host, answer.reason);
	} else if (answer.op == ANNOUNCEMENT_RESOLVES && strcmp(answer.name, singer->announcer.self.name) == 0) {
		singer->asks = false;
		if (c->watcher.resolves != NULL)
			c->watcher.resolves(c->watcher.arg, singer);
	}
}

/* One ack, and everybody hears of it: each answers at a time of its own within the spread. */
static void take_rollcall(struct chorus *c, const struct bus_delivery *delivery)
{
	static struct announcement call;
	char error[ANNOUNCEMENT_ERROR_SIZE];
	struct announcer_event event = {.type = EVENT_ROLLCALL};

	chorus_ack(c, delivery->tag);
	if (delivery->too_long || announcement_decode(delivery->body.data, delivery->body.length, &call, error) == -1 ||
	    call.op != ANNOUNCEMENT_ROLLCALL) {
		log_warnx("roll call is not understood: ignored");
		return;
	}
	event.spread_ms = call.spread_ms;
	chorus_feed_all(c, &event);
}

/* Only what we have sent ourselves is a will of ours: another user's would be refused by every host when it fires. */
static void take_will(struct chorus *c, const struct bus_delivery *delivery)
{
	struct announcer_event event = {.type = EVENT_WILL_DELIVERED, .tag = delivery->tag};
	bool ours = bus_text_is(&delivery->user_id, bus_user(c->bus));
	struct singer *singer = ours ? chorus_tagged(c, &delivery->correlation_id) : NULL;

	if (ours && c->wills_out > 0)
		c->wills_out--;
	if (singer != NULL)
		chorus_feed(singer, &event);
	else
		chorus_ack(c, delivery->tag);
}

static void on_delivery(void *arg, const struct bus_delivery *delivery)
{
	struct chorus *c = arg;

	if (bus_text_is(&delivery->exchange, c->mailbox))
		take_will(c, delivery);
	else if (bus_text_is(&delivery->exchange, EXCHANGE_ROLLCALL))
		take_rollcall(c, delivery);
	else if (bus_text_is(&delivery->exchange, "") && c->options.ask)
		take_answer(c, delivery); /* no_ack */
	else
		chorus_ack(c, delivery->tag); /* nobody should write here; never let it pile up */
}

static void on_confirm(void *arg, uint64_t sequence, enum bus_confirm result)
{
	static const enum announcer_result results[] = {
		[BUS_CONFIRMED] = RESULT_CONFIRMED, [BUS_RETURNED] = RESULT_RETURNED, [BUS_NACKED] = RESULT_NACKED};
	struct chorus *c = arg;
	struct announcer_event event = {.type = EVENT_CONFIRM, .result = results[result]};
	struct singer *singer;
	struct flight flight;

	if (!flights_take(&c->flights, sequence, &flight))
		return;
	if (flight.message == MESSAGE_WILL && result != BUS_CONFIRMED && c->wills_out > 0)
		c->wills_out--; /* it does not come any more */
	if ((singer = chorus_singer(c, flight.slot, flight.number)) == NULL)
		return;
	event.message = flight.message;
	event.seq = flight.seq;
	chorus_feed(singer, &event);
}

static void on_cancelled(void *arg)
{
	struct chorus *c = arg;

	bus_fail(c->bus, "our mailbox was deleted or taken away");
}

static void on_blocked(void *arg, bool blocked, const char *reason)
{
	char safe[LOG_SAFE_MAX];

	if (blocked)
		log_warnx("the broker holds publishing up: %s", log_phrase(safe, sizeof(safe), reason, strlen(reason)));
	else
		log_info("the broker takes messages again");
	chorus_feed_all(arg, &(struct announcer_event){.type = blocked ? EVENT_BLOCKED : EVENT_UNBLOCKED});
}

const struct bus_callbacks chorus_callbacks = {
	.up = on_up,
	.down = on_down,
	.done = on_done,
	.delivery = on_delivery,
	.confirm = on_confirm,
	.cancelled = on_cancelled,
	.blocked = on_blocked,
};
