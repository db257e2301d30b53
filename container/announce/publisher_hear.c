#include <config.h>

#include "publisher_parts.h"

#include <stdio.h>
#include <string.h>

static void on_up(void *arg)
{
	struct publisher *p = arg;
	struct announcer_event event = {.type = EVENT_CONNECTED};
	char where[256];

	memset(p->in_flight, 0, sizeof(p->in_flight));
	p->sessions++;
	p->hurried = 0;
	p->answers_come = false;
	log_debug("connected to %s in %lld us", busconf_endpoint_text(&p->conf->bus.endpoints[p->endpoint], where, sizeof(where)),
	          (long long)bus_login_us(p->bus));
	if (ident_random(&event.session) == -1) {
		bus_fail(p->bus, "no random numbers");
		return;
	}
	bus_confirm_select(p->bus);
	p->own_address = false;
	publisher_feed_addresses(p);
	publisher_feed(p, &event);
}

/* What the broker's words teach for the next connections to it. Whether there is nothing to wait for before the next. */
static bool learn(struct publisher *p, const struct bus_failure *failure)
{
	const struct bus_cause *cause = &failure->cause;
	bool argument = cause->kind == BUS_CAUSE_ARGUMENT && strcmp(cause->word, "x-consumer-timeout") == 0;

	if (cause->kind == BUS_CAUSE_ACK_TIMEOUT)
		log_warnx("the broker lets nobody hold a message for longer than %u ms (its consumer_timeout): from now on our will is renewed each %lld ms",
		          (unsigned)cause->timeout_ms, (long long)announcer_set_hold(&p->announcer, cause->timeout_ms));
	if (!argument || p->plain & PLAIN_BIT(p))
		return false;
	log_info("the broker does not take %s: going on without it", cause->word);
	p->plain |= PLAIN_BIT(p);
	p->same = true;
	return true;
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct publisher *p = arg;
	bool stood = announcer_is_announced(&p->announcer);

	p->open = false;
	p->hurry |= learn(p, failure);
	if (faultlog_wants(&p->faultlog, failure->text, p->now_ms))
		log_warnx("%s; retrying", failure->text);
	else
		log_debug("%s; retrying", failure->text);
	if (bus_failure_is_slowness(failure))
		patience_grow(&p->patience, failure->kind == BUS_FAILED_TIMEOUT);
	publisher_feed_type(p, EVENT_DISCONNECTED);
	publisher_retry_later(p, stood);
	if (p->hurry)
		p->retry_at_ms = p->now_ms;
	p->hurry = false;
}

static void on_done(void *arg, enum bus_request request, uint32_t count)
{
	struct publisher *p = arg;

	(void)count;
	if (request == BUS_REQUEST_CONSUME && --p->consumers_due == 0)
		publisher_feed_type(p, EVENT_CONSUMING);
	else if (request == BUS_REQUEST_QUEUE_DELETE)
		publisher_feed_type(p, EVENT_DELETED);
}

static void take_answer(struct publisher *p, const struct bus_delivery *delivery)
{
	static struct announcement answer;
	char error[ANNOUNCEMENT_ERROR_SIZE], session[IDENT_TEXT_SIZE];

	if (!bus_text_is(&delivery->correlation_id, ident_format(&p->announcer.self.session, session)))
		return;
	if (delivery->too_long || announcement_decode(delivery->body.data, delivery->body.length, &answer, error) == -1) {
		log_warnx("answer from a host is not understood: %s", delivery->too_long ? "too long" : error);
		return;
	}
	if (strcmp(answer.name, p->announcer.self.name) != 0)
		return;
	if (answer.op == ANNOUNCEMENT_RESOLVES) {
		p->answer = PUBLISHER_RESOLVES;
		log_info("resolves name=%s fqdn=%s host=%s", answer.name, answer.fqdn, answer.host);
	} else if (answer.op == ANNOUNCEMENT_REFUSED) {
		snprintf(p->why_not, sizeof(p->why_not), "refused by host %s: %s", answer.host, answer.reason);
		log_warnx("refused name=%s host=%s: %s", answer.name, answer.host, answer.reason);
	}
}

static void take_rollcall(struct publisher *p, const struct bus_delivery *delivery)
{
	static struct announcement call;
	char error[ANNOUNCEMENT_ERROR_SIZE];
	struct announcer_event event = {.type = EVENT_ROLLCALL, .tag = delivery->tag};

	if (delivery->too_long || announcement_decode(delivery->body.data, delivery->body.length, &call, error) == -1 ||
	    call.op != ANNOUNCEMENT_ROLLCALL) {
		log_warnx("roll call is not understood: ignored");
		bus_ack(p->bus, delivery->tag, false);
		return;
	}
	event.spread_ms = call.spread_ms;
	publisher_feed(p, &event);
}

/*
 * A host calls us alone, through the default exchange, where only hosts may write: we did not answer its roll call, so that it did not reach us, and our
 * mailbox's bindings are gone.
 */
static void take_direct_call(struct publisher *p, const struct bus_delivery *delivery)
{
	struct announcer_action bind = {.type = ACTION_BIND_MAILBOX};

	if (p->announcer.state == ANNOUNCER_LIVE || p->announcer.state == ANNOUNCER_RENEWING)
		publisher_carry_out(p, &bind);
	take_rollcall(p, delivery);
}

static void on_delivery(void *arg, const struct bus_delivery *delivery)
{
	struct publisher *p = arg;
	struct announcer_event event = {.type = EVENT_WILL_DELIVERED, .tag = delivery->tag};

	if (bus_text_is(&delivery->exchange, EXCHANGE_WILL) && bus_text_is(&delivery->routing_key, p->mailbox))
		publisher_feed(p, &event);
	else if (bus_text_is(&delivery->exchange, EXCHANGE_ROLLCALL))
		take_rollcall(p, delivery);
	else if (bus_text_is(&delivery->exchange, "") && bus_text_is(&delivery->routing_key, p->mailbox))
		take_direct_call(p, delivery);
	else if (bus_text_is(&delivery->exchange, "") && p->want_answer)
		take_answer(p, delivery); /* no_ack */
	else
		bus_ack(p->bus, delivery->tag, false); /* nobody should write here; never let it pile up */
}

static void on_confirm(void *arg, uint64_t sequence, enum bus_confirm result)
{
	static const enum announcer_result results[] = {
		[BUS_CONFIRMED] = RESULT_CONFIRMED, [BUS_RETURNED] = RESULT_RETURNED, [BUS_NACKED] = RESULT_NACKED};
	struct publisher *p = arg;
	struct announcer_event event = {.type = EVENT_CONFIRM, .result = results[result]};
	unsigned i;

	for (i = 0; i < IN_FLIGHT_MAX; i++) {
		if (p->in_flight[i].sequence != sequence)
			continue;
		p->in_flight[i].sequence = 0;
		event.message = p->in_flight[i].message;
		event.seq = p->in_flight[i].seq;
		publisher_feed(p, &event);
		return;
	}
}

static void on_cancelled(void *arg)
{
	publisher_feed_type(arg, EVENT_CANCELLED);
}

static void on_blocked(void *arg, bool blocked, const char *reason)
{
	char safe[LOG_SAFE_MAX];

	if (blocked)
		log_warnx("the broker holds publishing up: %s", log_phrase(safe, sizeof(safe), reason, strlen(reason)));
	else
		log_info("the broker takes messages again");
	publisher_feed_type(arg, blocked ? EVENT_BLOCKED : EVENT_UNBLOCKED);
}

const struct bus_callbacks publisher_callbacks = {
	.up = on_up,
	.down = on_down,
	.done = on_done,
	.delivery = on_delivery,
	.confirm = on_confirm,
	.cancelled = on_cancelled,
	.blocked = on_blocked,
};
