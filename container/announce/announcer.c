#include <config.h>

#include "announcer.h"

#include <string.h>

#include "shared/clock.h"

#define HOLD_LEAST_MS 1000

typedef void handler(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                     struct announcer_actions *out);

static struct announcer_action *add(struct announcer_actions *out, enum announcer_action_type type)
{
	struct announcer_action *action = &out->list[out->count++];

	memset(action, 0, sizeof(*action));
	action->type = type;
	return action;
}

static void publish(struct announcer *a, enum announcer_message message, struct announcer_actions *out)
{
	struct announcer_action *action = add(out, ACTION_PUBLISH);

	action->message = message;
	if (message != MESSAGE_WILL)
		action->seq = ++a->seq;
}

static void ack(uint64_t tag, struct announcer_actions *out)
{
	if (tag != 0)
		add(out, ACTION_ACK)->tag = tag;
}

static void fail(const char *text, struct announcer_actions *out)
{
	add(out, ACTION_FAIL)->text = text;
}

static void due(struct announcer *a, int64_t at_ms)
{
	if (at_ms < a->up_at_ms)
		a->up_at_ms = at_ms;
}

/* Everything that belongs to one connection. */
static void session_reset(struct announcer *a)
{
	a->mailbox = false;
	a->will_tag = a->new_will_tag = 0;
	a->will_confirmed = false;
	a->hold_until_ms = CLOCK_NEVER;
	a->will_by_ms = a->renew_at_ms = a->up_at_ms = a->up_by_ms = a->fresh_at_ms = CLOCK_NEVER;
	a->up_on_way = a->announced = a->unheard = a->refused = a->blocked = false;
}

static void end(struct announcer *a, struct announcer_actions *out)
{
	add(out, ACTION_CLOSE);
	a->state = ANNOUNCER_ENDED;
}

static void publish_will(struct announcer *a, int64_t by_ms, struct announcer_actions *out)
{
	a->new_will_tag = 0;
	a->will_confirmed = false;
	a->will_by_ms = by_ms;
	publish(a, MESSAGE_WILL, out);
}

static void first_will(struct announcer *a, bool renewal, int64_t by_ms, struct announcer_actions *out)
{
	a->renewal = renewal;
	a->bound_again = false;
	publish_will(a, by_ms, out);
}

static void publish_down(struct announcer *a, int64_t now_ms, struct announcer_actions *out)
{
	a->state = ANNOUNCER_LEAVING;
	a->announced = false;
	a->up_at_ms = a->renew_at_ms = a->hold_until_ms = a->will_by_ms = CLOCK_NEVER;
	a->up_by_ms = now_ms + ANNOUNCER_CONFIRM_MS;
	publish(a, MESSAGE_DOWN, out);
	a->up_seq = a->seq;
}

/*
 * Steps 1 to 5. The name resolves by the provisional up; the full one waits until the will is in our hands. The will goes out with what it needs, and not
 * after it: who is killed while the answers are on their way has one. Its time begins when the mailbox stands.
 */
static void begin(struct announcer *a, int64_t now_ms, struct announcer_actions *out)
{
	if (a->self.naddresses == 0 && a->begun) {
		/* It went while we were not heard: without a word the hosts would keep the name until the lease, or a resync, ends. */
		publish_down(a, now_ms, out);
		return;
	}
	if (a->self.naddresses == 0) {
		a->state = ANNOUNCER_IDLE;
		return;
	}
	if (!a->begun)
		publish(a, MESSAGE_PROVISIONAL, out);
	a->begun = true;
	a->mailbox = true;
	a->state = ANNOUNCER_SETUP;
	add(out, ACTION_OPEN_MAILBOX);
	first_will(a, true, CLOCK_NEVER, out);
}

static void publish_up(struct announcer *a, int64_t now_ms, struct announcer_actions *out)
{
	a->up_at_ms = CLOCK_NEVER;
	if (a->self.naddresses == 0) {
		/* An up cannot say "no address". The instance ends, and another begins when there is an address again. */
		publish_down(a, now_ms, out);
		return;
	}
	publish(a, MESSAGE_UP, out);
	a->up_on_way = true;
	a->up_seq = a->seq;
	a->up_by_ms = now_ms + ANNOUNCER_CONFIRM_MS;
}

static void on_connected(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                         struct announcer_actions *out)
{
	session_reset(a);
	a->self.session = event->session;
	if (a->withdrawing)
		publish_down(a, now_ms, out);
	else
		begin(a, now_ms, out);
}

static void on_disconnected(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                            struct announcer_actions *out)
{
	bool said_down = a->state == ANNOUNCER_LEAVING || a->state == ANNOUNCER_CLOSING;

	(void)event;
	(void)now_ms;
	session_reset(a);
	if (a->withdrawing && (a->state == ANNOUNCER_CLOSING || a->seq == 0)) {
		end(a, out);
		return;
	}
	a->state = ANNOUNCER_OFFLINE;
	/* After its down nothing more may be said for an instance, and whether it arrived we cannot know. */
	if (said_down && !a->withdrawing)
		add(out, ACTION_NEW_INSTANCE);
}

static void on_identity(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                        struct announcer_actions *out)
{
	a->self.instance = event->instance;
	a->self.session = event->session;
	a->seq = 0;
	a->begun = false;
	if (a->state == ANNOUNCER_FRESH)
		begin(a, now_ms, out);
}

static void on_addresses(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                         struct announcer_actions *out)
{
	unsigned count = event->naddresses;

	if (count > ANNOUNCEMENT_ADDRESSES_MAX)
		return;
	a->withheld = event->withheld;
	if (count == a->self.naddresses && (count == 0 || memcmp(event->addresses, a->self.addresses,
	                                                         count * sizeof(struct address)) == 0))
		return;
	memset(a->self.addresses, 0, sizeof(a->self.addresses));
	if (count > 0)
		memcpy(a->self.addresses, event->addresses, count * sizeof(struct address));
	a->self.naddresses = count;
	if (a->state == ANNOUNCER_IDLE)
		begin(a, now_ms, out);
	else if (a->state == ANNOUNCER_LIVE || a->state == ANNOUNCER_RENEWING)
		a->up_at_ms = now_ms + (count > 0 ? ANNOUNCER_SETTLE_MS : ANNOUNCER_EMPTY_MS);
}

static void on_consuming(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                         struct announcer_actions *out)
{
	(void)event;
	(void)out;
	a->state = ANNOUNCER_WILL;
	a->will_by_ms = now_ms + ANNOUNCER_CONFIRM_MS;
}

/* Steps 5 and 6: the new will is delivered and confirmed, so the one before it may go, and the full lease be promised. */
static void will_held(struct announcer *a, int64_t now_ms, struct announcer_actions *out)
{
	if (a->new_will_tag == 0 || !a->will_confirmed)
		return;
	ack(a->will_tag, out);
	a->will_tag = a->new_will_tag;
	a->new_will_tag = 0;
	a->will_by_ms = CLOCK_NEVER;
	a->state = ANNOUNCER_LIVE;
	a->hold_until_ms = a->hold_ms == CLOCK_NEVER ? CLOCK_NEVER : now_ms + a->hold_ms;
	if (!a->renewal)
		return;
	a->renew_at_ms = now_ms + (int64_t)a->renew_s * 1000;
	due(a, now_ms);
	if (!a->up_on_way)
		publish_up(a, now_ms, out);
}

static void on_will_delivered(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                              struct announcer_actions *out)
{
	if (a->new_will_tag != 0) { /* not one of ours: we send one at a time */
		ack(event->tag, out);
		return;
	}
	a->new_will_tag = event->tag;
	will_held(a, now_ms, out);
}

static void on_stray(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                     struct announcer_actions *out)
{
	(void)a;
	(void)now_ms;
	ack(event->tag, out);
}

/*
 * A broker hands a roll call to one mailbox after the other, thousands of them, and the host's own queue may come last. What reaches the
 * host before its own copy does not count as an answer: so none in the first eighth of the time, which grows with their number.
 */
static int64_t answer_after_ms(uint32_t spread_ms, uint32_t random)
{
	uint32_t least_ms = spread_ms / ANNOUNCER_ANSWER_PART;

	return (int64_t)least_ms + random % (spread_ms - least_ms + 1);
}

/* Any up that goes out from now on answers it, so that several roll calls cost one answer. */
static void on_rollcall(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                        struct announcer_actions *out)
{
	uint32_t spread_ms = event->spread_ms < ANNOUNCEMENT_SPREAD_MAX_MS ? event->spread_ms : ANNOUNCEMENT_SPREAD_MAX_MS;

	ack(event->tag, out);
	due(a, now_ms + answer_after_ms(spread_ms, event->random));
}

/*
 * Seen on RabbitMQ 3.10.8: a channel whose first message to a quorum queue came while that queue had no leader (its node had just died) refuses
 * every further one, for ever, though the queue has a leader again after half a second; a new channel is fine. So a broker that refuses gets a fresh
 * connection, soon, and then less and less often: our will fires each time, and it may be a queue of some other host's that is broken for good.
 */
static void up_refused(struct announcer *a, uint32_t random, int64_t now_ms)
{
	if (a->fresh_at_ms == CLOCK_NEVER)
		a->fresh_at_ms = now_ms + backoff_next(&a->fresh, random);
}

static void up_settled(struct announcer *a, const struct announcer_event *event, int64_t now_ms)
{
	if (event->seq != a->up_seq)
		return;
	a->up_on_way = false;
	a->up_by_ms = CLOCK_NEVER;
	a->announced = event->result == RESULT_CONFIRMED;
	a->unheard = event->result == RESULT_RETURNED;
	a->refused = event->result == RESULT_NACKED;
	if (a->refused)
		up_refused(a, event->random, now_ms);
	else
		a->fresh_at_ms = CLOCK_NEVER;
	if (a->announced) {
		backoff_reset(&a->retry);
		backoff_reset(&a->fresh);
	} else {
		due(a, now_ms + backoff_next(&a->retry, event->random));
	}
}

/*
 * It comes back when its exchange was deleted and made anew, and the bindings went with the old one. Held is still the will before it, which fires as
 * ever, so that the session need not end over it.
 */
static void will_returned(struct announcer *a, int64_t now_ms, struct announcer_actions *out)
{
	if (a->state != ANNOUNCER_RENEWING || a->bound_again) {
		fail("the broker did not take our will", out);
		return;
	}
	a->bound_again = true;
	add(out, ACTION_BIND_MAILBOX);
	publish_will(a, now_ms + ANNOUNCER_CONFIRM_MS, out);
}

static void on_confirm(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                       struct announcer_actions *out)
{
	if (event->message == MESSAGE_UP) {
		up_settled(a, event, now_ms);
	} else if (event->message == MESSAGE_WILL) {
		if (event->result == RESULT_CONFIRMED) {
			a->will_confirmed = true;
			will_held(a, now_ms, out);
		} else if (event->result == RESULT_RETURNED) {
			will_returned(a, now_ms, out);
		} else {
			fail("the broker did not take our will", out);
		}
	}
	/* What becomes of the provisional up is only a hint: the full one follows in any case. */
}

/* All is said for this instance; unless we go, another begins. */
static void left(struct announcer *a, struct announcer_actions *out)
{
	if (a->withdrawing) {
		end(a, out);
		return;
	}
	session_reset(a);
	a->state = ANNOUNCER_FRESH;
	add(out, ACTION_NEW_INSTANCE);
}

/* Step 8. Closing without the ack would fire the will. */
static void leave_mailbox(struct announcer *a, struct announcer_actions *out)
{
	if (!a->mailbox) {
		left(a, out);
		return;
	}
	ack(a->will_tag, out);
	ack(a->new_will_tag, out);
	a->will_tag = a->new_will_tag = 0;
	a->state = ANNOUNCER_CLOSING;
	add(out, ACTION_DELETE_MAILBOX);
}

static void on_leaving_confirm(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                               struct announcer_actions *out)
{
	(void)now_ms;
	if (event->message != MESSAGE_DOWN || event->seq != a->up_seq)
		return;
	a->up_on_way = false;
	a->up_by_ms = CLOCK_NEVER;
	if (event->result != RESULT_NACKED) { /* returned: no host is there to be told */
		leave_mailbox(a, out);
		return;
	}
	/* The will says it for us, if we close without taking it back. */
	if (a->withdrawing)
		end(a, out);
	else
		fail("the broker refused our down", out);
}

static void on_deleted(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                       struct announcer_actions *out)
{
	(void)event;
	(void)now_ms;
	left(a, out);
}

static void on_cancelled(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                         struct announcer_actions *out)
{
	(void)a;
	(void)event;
	(void)now_ms;
	fail("our mailbox was deleted or taken away", out);
}

static void on_blocked(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                       struct announcer_actions *out)
{
	(void)event;
	(void)out;
	if (!a->blocked)
		a->blocked_since_ms = now_ms;
	a->blocked = true;
}

static void on_unblocked(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                         struct announcer_actions *out)
{
	(void)event;
	(void)out;
	if (!a->blocked)
		return;
	a->blocked = false;
	if (a->will_by_ms != CLOCK_NEVER)
		a->will_by_ms += now_ms - a->blocked_since_ms;
	if (a->up_by_ms != CLOCK_NEVER)
		a->up_by_ms += now_ms - a->blocked_since_ms;
}

/* A renewal has time: this much earlier it may as well take a wake-up that comes anyway. */
static int64_t renew_from_ms(const struct announcer *a)
{
	return a->renew_at_ms - (int64_t)a->renew_s * 1000 / ANNOUNCER_EARLY_PART;
}

static void on_timer(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                     struct announcer_actions *out)
{
	bool live = a->state == ANNOUNCER_LIVE || a->state == ANNOUNCER_RENEWING;

	(void)event;
	if (a->withdrawing && now_ms >= a->end_by_ms) {
		end(a, out);
	} else if (a->blocked) {
		return;
	} else if (now_ms >= a->will_by_ms || now_ms >= a->up_by_ms) {
		a->will_by_ms = a->up_by_ms = CLOCK_NEVER; /* once is enough; the connection is over */
		fail("the broker confirmed nothing for 10 s", out);
	} else if (live && now_ms >= a->fresh_at_ms && !a->up_on_way) {
		a->fresh_at_ms = CLOCK_NEVER;
		backoff_reset(&a->retry);
		fail("the broker refuses announcements on this connection", out);
	} else if (live && now_ms >= a->up_at_ms && !a->up_on_way) {
		publish_up(a, now_ms, out);
	} else if (a->state == ANNOUNCER_LIVE && now_ms >= renew_from_ms(a)) {
		a->state = ANNOUNCER_RENEWING;
		first_will(a, true, now_ms + ANNOUNCER_CONFIRM_MS, out);
	} else if (a->state == ANNOUNCER_LIVE && now_ms >= a->hold_until_ms) {
		a->state = ANNOUNCER_RENEWING;
		first_will(a, false, now_ms + ANNOUNCER_CONFIRM_MS, out);
	}
}

static void on_withdraw(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                        struct announcer_actions *out)
{
	(void)event;
	if (a->withdrawing)
		return;
	a->withdrawing = true;
	a->end_by_ms = now_ms + ANNOUNCER_WITHDRAW_MS;
	if (a->state == ANNOUNCER_LEAVING || a->state == ANNOUNCER_CLOSING)
		return; /* on the way already */
	if (a->seq == 0)
		end(a, out); /* nobody ever heard of us */
	else if (a->state != ANNOUNCER_OFFLINE)
		publish_down(a, now_ms, out);
}

/*
 * The whole machine at a glance; an empty field: the event means nothing there. In SETUP and WILL a roll call needs no answer: the full
 * up follows. While LEAVING and CLOSING nothing more is said for the instance, and what is in the mailbox goes with it.
 */
static handler *const table[ANNOUNCER_STATES][ANNOUNCER_EVENTS] = {
	[ANNOUNCER_OFFLINE] = {
		[EVENT_CONNECTED] = on_connected, [EVENT_IDENTITY] = on_identity, [EVENT_ADDRESSES] = on_addresses,
		[EVENT_DISCONNECTED] = on_disconnected, [EVENT_TIMER] = on_timer, [EVENT_WITHDRAW] = on_withdraw,
	},
	[ANNOUNCER_FRESH] = {
		[EVENT_DISCONNECTED] = on_disconnected, [EVENT_IDENTITY] = on_identity, [EVENT_ADDRESSES] = on_addresses,
		[EVENT_BLOCKED] = on_blocked, [EVENT_UNBLOCKED] = on_unblocked, [EVENT_WITHDRAW] = on_withdraw,
	},
	[ANNOUNCER_IDLE] = {
		[EVENT_DISCONNECTED] = on_disconnected, [EVENT_ADDRESSES] = on_addresses, [EVENT_BLOCKED] = on_blocked,
		[EVENT_UNBLOCKED] = on_unblocked, [EVENT_WITHDRAW] = on_withdraw,
	},
	[ANNOUNCER_SETUP] = {
		[EVENT_DISCONNECTED] = on_disconnected, [EVENT_ADDRESSES] = on_addresses, [EVENT_CONSUMING] = on_consuming,
		[EVENT_WILL_DELIVERED] = on_will_delivered, [EVENT_ROLLCALL] = on_stray, [EVENT_CONFIRM] = on_confirm,
		[EVENT_CANCELLED] = on_cancelled, [EVENT_BLOCKED] = on_blocked, [EVENT_UNBLOCKED] = on_unblocked,
		[EVENT_TIMER] = on_timer, [EVENT_WITHDRAW] = on_withdraw,
	},
	[ANNOUNCER_WILL] = {
		[EVENT_DISCONNECTED] = on_disconnected, [EVENT_ADDRESSES] = on_addresses,
		[EVENT_WILL_DELIVERED] = on_will_delivered, [EVENT_ROLLCALL] = on_stray, [EVENT_CONFIRM] = on_confirm,
		[EVENT_CANCELLED] = on_cancelled, [EVENT_BLOCKED] = on_blocked, [EVENT_UNBLOCKED] = on_unblocked,
		[EVENT_TIMER] = on_timer, [EVENT_WITHDRAW] = on_withdraw,
	},
	[ANNOUNCER_LIVE] = {
		[EVENT_DISCONNECTED] = on_disconnected, [EVENT_ADDRESSES] = on_addresses, [EVENT_WILL_DELIVERED] = on_stray,
		[EVENT_ROLLCALL] = on_rollcall, [EVENT_CONFIRM] = on_confirm, [EVENT_CANCELLED] = on_cancelled,
		[EVENT_BLOCKED] = on_blocked, [EVENT_UNBLOCKED] = on_unblocked, [EVENT_TIMER] = on_timer,
		[EVENT_WITHDRAW] = on_withdraw,
	},
	[ANNOUNCER_RENEWING] = {
		[EVENT_DISCONNECTED] = on_disconnected, [EVENT_ADDRESSES] = on_addresses,
		[EVENT_WILL_DELIVERED] = on_will_delivered, [EVENT_ROLLCALL] = on_rollcall, [EVENT_CONFIRM] = on_confirm,
		[EVENT_CANCELLED] = on_cancelled, [EVENT_BLOCKED] = on_blocked, [EVENT_UNBLOCKED] = on_unblocked,
		[EVENT_TIMER] = on_timer, [EVENT_WITHDRAW] = on_withdraw,
	},
	[ANNOUNCER_LEAVING] = {
		[EVENT_DISCONNECTED] = on_disconnected, [EVENT_ADDRESSES] = on_addresses,
		[EVENT_CONFIRM] = on_leaving_confirm, [EVENT_BLOCKED] = on_blocked, [EVENT_UNBLOCKED] = on_unblocked,
		[EVENT_TIMER] = on_timer, [EVENT_WITHDRAW] = on_withdraw,
	},
	[ANNOUNCER_CLOSING] = {
		[EVENT_DISCONNECTED] = on_disconnected, [EVENT_ADDRESSES] = on_addresses, [EVENT_DELETED] = on_deleted,
		[EVENT_BLOCKED] = on_blocked, [EVENT_UNBLOCKED] = on_unblocked, [EVENT_TIMER] = on_timer,
		[EVENT_WITHDRAW] = on_withdraw,
	},
};

void announcer_init(struct announcer *a, const char *name, const char (*aliases)[HOSTNAME_NAME_SIZE],
                    unsigned naliases, uint32_t renew_s, const struct ident *instance)
{
	memset(a, 0, sizeof(*a));
	session_reset(a);
	a->end_by_ms = CLOCK_NEVER;
	a->renew_s = renew_s;
	a->hold_ms = CLOCK_NEVER;
	backoff_init(&a->retry, ANNOUNCER_RETRY_FIRST_MS, ANNOUNCER_RETRY_MAX_MS);
	backoff_init(&a->fresh, ANNOUNCER_RETRY_FIRST_MS, ANNOUNCER_FRESH_MAX_MS);
	memcpy(a->self.name, name, strlen(name) + 1);
	a->self.aliases = aliases;
	a->self.naliases = naliases;
	a->self.instance = *instance;
}

void announcer_resume(struct announcer *a, uint64_t seq)
{
	a->seq = seq;
	a->begun = true;
}

int64_t announcer_set_hold(struct announcer *a, uint32_t timeout_ms)
{
	int64_t half_ms = timeout_ms > 2 * HOLD_LEAST_MS ? timeout_ms / 2 : HOLD_LEAST_MS, renew_ms = (int64_t)a->renew_s * 1000;

	a->hold_ms = half_ms < renew_ms ? half_ms : CLOCK_NEVER;
	return half_ms < renew_ms ? half_ms : renew_ms;
}

void announcer_handle(struct announcer *a, const struct announcer_event *event, int64_t now_ms,
                      struct announcer_actions *actions)
{
	handler *handle = table[a->state][event->type];

	actions->count = 0;
	if (handle != NULL)
		handle(a, event, now_ms, actions);
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

int64_t announcer_deadline_ms(const struct announcer *a)
{
	int64_t deadline_ms = a->withdrawing ? a->end_by_ms : CLOCK_NEVER;

	if (a->state == ANNOUNCER_ENDED)
		return CLOCK_NEVER;
	if (a->blocked)
		return deadline_ms;
	deadline_ms = earlier(deadline_ms, earlier(a->will_by_ms, a->up_by_ms));
	if ((a->state == ANNOUNCER_LIVE || a->state == ANNOUNCER_RENEWING) && !a->up_on_way)
		deadline_ms = earlier(deadline_ms, earlier(a->up_at_ms, a->fresh_at_ms));
	if (a->state == ANNOUNCER_LIVE)
		deadline_ms = earlier(deadline_ms, earlier(a->renew_at_ms, a->hold_until_ms));
	return deadline_ms;
}

bool announcer_takes_timer(const struct announcer *a, int64_t now_ms)
{
	return now_ms >= announcer_deadline_ms(a) || (a->state == ANNOUNCER_LIVE && !a->blocked && now_ms >= renew_from_ms(a));
}
