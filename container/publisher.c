#include <config.h>

#include "publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "announcer.h"
#include "faultlog.h"
#include "shared/bus.h"
#include "shared/clock.h"
#include "shared/patience.h"

#define REPLY_QUEUE "amq.rabbitmq.reply-to" /* RabbitMQ's direct reply-to: no queue, answers come straight to our channel */
#define MAILBOX_EXPIRES_MS 60000
#define MAILBOX_MAX_LENGTH 16
#define MAILBOX_CONSUMER_TIMEOUT_MS 86400000
#define IN_FLIGHT_MAX 8

struct in_flight {
	uint64_t sequence; /* the bus's; 0: free */
	enum announcer_message message;
	uint64_t seq;
};

struct publisher {
	const struct conf *conf;
	const struct addrwatch *watch;
	struct announcer announcer;
	struct bus *bus;
	struct bus_options options;
	char client_name[sizeof("callsign-emit ") + HOSTNAME_NAME_MAX];
	size_t endpoint;        /* the next one to try */
	size_t failures;        /* since the backoff was last asked */
	bool open;              /* bus_open() was called and `down` was not */
	bool own_address;       /* the connection's local address was seen on an interface */
	bool hurry;             /* the connection ends because our own network has changed: no pause before the next */
	unsigned hurried;       /* tries given up for that, since the last login */
	bool close_wanted;      /* the announcer is done; the bus may not be closed inside its callbacks */
	struct backoff backoff;
	struct patience patience;
	int64_t tried_ms, retry_at_ms;
	struct faultlog faultlog;
	const char *status;     /* as last logged */
	char mailbox[QUEUE_WILL_SIZE];
	unsigned consumers_due; /* consume-oks to come */
	unsigned sessions;      /* how many there were */
	struct in_flight in_flight[IN_FLIGHT_MAX];
	const char *withheld;   /* why nothing is to be announced now; NULL: it is */
	bool want_answer;
	bool answers_come;      /* this connection consumes them: a second time would be an error that ends the channel */
	enum publisher_answer answer;
	char why_not[ANNOUNCEMENT_REASON_MAX + HOSTNAME_FQDN_SIZE + 32];
	int64_t now_ms;
};

static void feed(struct publisher *p, struct announcer_event *event);

static uint32_t random_bits(void)
{
	uint32_t bits = 0;

	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) == -1)
		bits = (uint32_t)clock_us(); /* jitter only: nothing secret hangs on it */
	return bits;
}

/* ---- carrying out what the announcer wants ---- */

/* Only until COMMAND runs: renewals and roll calls go on for ever, and each answer costs every host one more message. */
static bool asks(const struct publisher *p)
{
	return p->want_answer && p->answer == PUBLISHER_NO_ANSWER;
}

static void open_mailbox(struct publisher *p)
{
	char dead_key[ANNOUNCEMENT_KEY_MAX + 1];
	const struct bus_queue_arguments arguments = {
		.type = "classic",
		.expires_ms = MAILBOX_EXPIRES_MS,
		.message_ttl_zero = true,
		.max_length = MAILBOX_MAX_LENGTH,
		.dead_letter_exchange = EXCHANGE_ANNOUNCE,
		.dead_letter_routing_key = dead_key,
		.consumer_timeout_ms = MAILBOX_CONSUMER_TIMEOUT_MS,
	};

	announcement_key(ANNOUNCEMENT_LOST, p->announcer.self.name, dead_key);
	announcement_will_queue(p->announcer.self.name, &p->announcer.self.session, p->mailbox);
	/*
	 * An exchange that is missing ends the channel. The first session learns it by its provisional up; later ones ask before they leave
	 * one more mailbox behind at each try.
	 */
	if (p->sessions > 1) {
		bus_exchange_declare(p->bus, EXCHANGE_ANNOUNCE, "topic", true, true);
		bus_exchange_declare(p->bus, EXCHANGE_WILL, "topic", true, true);
		bus_exchange_declare(p->bus, EXCHANGE_ROLLCALL, "fanout", true, true);
	}
	bus_queue_declare(p->bus, p->mailbox, false, &arguments);
	bus_queue_bind(p->bus, p->mailbox, EXCHANGE_WILL, p->mailbox);
	bus_queue_bind(p->bus, p->mailbox, EXCHANGE_ROLLCALL, "");
	p->consumers_due = 1;
	if (asks(p) && !p->answers_come) {
		bus_consume(p->bus, REPLY_QUEUE, false, true, 0);
		p->answers_come = true;
		p->consumers_due++;
	}
	bus_consume(p->bus, p->mailbox, true, false, 0);
}

static void remember(struct publisher *p, uint64_t sequence, const struct announcer_action *action)
{
	unsigned i;

	for (i = 0; i < IN_FLIGHT_MAX; i++) {
		if (p->in_flight[i].sequence != 0)
			continue;
		p->in_flight[i] = (struct in_flight){sequence, action->message, action->seq};
		return;
	}
	bus_fail(p->bus, "too many messages without an answer");
}

static void publish(struct publisher *p, const struct announcer_action *action)
{
	static struct announcement announcement;
	static char body[ANNOUNCEMENT_BODY_MAX];
	char key[ANNOUNCEMENT_KEY_MAX + 1], session[IDENT_TEXT_SIZE];
	struct bus_properties properties = {
		.persistent = action->message != MESSAGE_WILL, /* a persistent will fires when the broker restarts */
		.content_type = ANNOUNCEMENT_CONTENT_TYPE,
		.type = ANNOUNCEMENT_TYPE,
		.user_id = bus_user(p->bus),
	};
	bool will = action->message == MESSAGE_WILL;
	uint64_t sequence;
	int length;

	announcer_compose(&p->announcer, action, &announcement);
	length = announcement_encode(&announcement, body);
	if (length == -1) {
		bus_fail(p->bus, "the announcement does not fit into one message");
		return;
	}
	if (action->message == MESSAGE_UP && asks(p) && p->answers_come) {
		properties.reply_to = REPLY_QUEUE;
		properties.correlation_id = ident_format(&p->announcer.self.session, session);
		properties.correlation_id_length = IDENT_TEXT_LENGTH;
	}
	announcement_key(announcement.op, announcement.name, key);
	sequence = bus_publish(p->bus, will ? EXCHANGE_WILL : EXCHANGE_ANNOUNCE, will ? p->mailbox : key, true, &properties, body,
	                       (size_t)length);
	if (sequence != 0)
		remember(p, sequence, action);
}

static void new_instance(struct publisher *p)
{
	struct announcer_event event = {.type = EVENT_IDENTITY};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ident_uuid7(&event.instance, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) == -1 ||
	    ident_random(&event.session) == -1) {
		bus_fail(p->bus, "no random numbers");
		return;
	}
	feed(p, &event);
}

static void carry_out(struct publisher *p, const struct announcer_action *action)
{
	switch (action->type) {
	case ACTION_PUBLISH:
		publish(p, action);
		break;
	case ACTION_OPEN_MAILBOX:
		open_mailbox(p);
		break;
	case ACTION_ACK:
		bus_ack(p->bus, action->tag, false);
		break;
	case ACTION_DELETE_MAILBOX:
		bus_queue_delete(p->bus, p->mailbox, false);
		break;
	case ACTION_NEW_INSTANCE:
		new_instance(p);
		break;
	case ACTION_FAIL:
		bus_fail(p->bus, action->text);
		break;
	case ACTION_CLOSE:
		p->close_wanted = true;
		break;
	}
}

static void log_announced(const struct publisher *p)
{
	const struct announcement *self = &p->announcer.self;
	char list[ANNOUNCEMENT_ADDRESSES_MAX * (ADDRESS_TEXT_SIZE + 1)] = "", text[ADDRESS_TEXT_SIZE];
	size_t length = 0;
	unsigned i;

	for (i = 0; i < self->naddresses; i++)
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", i > 0 ? "," : "",
		                           address_format(&self->addresses[i], text));
	log_info("announced name=%s addresses=%s seq=%llu lease=%u", self->name, list,
	         (unsigned long long)p->announcer.up_seq, announcer_lease_s(&p->announcer));
}

static void log_status(struct publisher *p)
{
	const char *status = announcer_status(&p->announcer);

	if (status == p->status)
		return;
	p->status = status;
	if (p->announcer.withdrawing)
		log_debug("withdrawing name=%s", p->announcer.self.name);
	else if (announcer_is_announced(&p->announcer))
		log_announced(p);
	else if (p->announcer.unheard || p->announcer.refused || p->announcer.blocked)
		log_warnx("not announced name=%s: %s; retrying", p->announcer.self.name, status);
	else if (p->announcer.state == ANNOUNCER_IDLE && p->withheld == NULL)
		log_warnx("not announced name=%s: %s; waiting for one", p->announcer.self.name, status);
	else
		log_debug("%s name=%s", status, p->announcer.self.name);
}

static void feed(struct publisher *p, struct announcer_event *event)
{
	struct announcer_actions actions;
	unsigned i;

	event->random = random_bits();
	announcer_handle(&p->announcer, event, p->now_ms, &actions);
	for (i = 0; i < actions.count; i++)
		carry_out(p, &actions.list[i]);
	if (announcer_is_announced(&p->announcer)) {
		backoff_reset(&p->backoff);
		patience_reset(&p->patience);
		p->failures = 0;
		faultlog_reset(&p->faultlog);
	}
	log_status(p);
}

static void feed_type(struct publisher *p, enum announcer_event_type type)
{
	struct announcer_event event = {.type = type};

	feed(p, &event);
}

/*
 * A connection whose local address is gone is dead, but nothing says so before a timeout: what we send leaves under an address that
 * is nobody's any more, or somebody else's. An address that never was on an interface (a local route) proves nothing.
 */
static bool connection_is_cut(struct publisher *p, const struct address *local)
{
	bool had = p->own_address;
	char text[ADDRESS_TEXT_SIZE], why[ADDRESS_TEXT_SIZE + 64];

	p->own_address = addrselect_has(addrwatch_facts(p->watch), local);
	if (p->own_address || !had)
		return false;
	snprintf(why, sizeof(why), "the connection's own address %s is gone", address_format(local, text));
	p->hurry = true; /* nobody else's is: this is no herd */
	bus_fail(p->bus, why);
	return true;
}

static void feed_addresses(struct publisher *p)
{
	struct address list[ANNOUNCEMENT_ADDRESSES_MAX], local;
	struct announcer_event event = {.type = EVENT_ADDRESSES, .addresses = list, .withheld = p->withheld};
	bool connected = bus_local_address(p->bus, &local) == 0;

	/* Without a connection there is nothing to go by, as a rule, and what was announced stands until there is one. */
	if (!connected || connection_is_cut(p, &local))
		return;
	memset(list, 0, sizeof(list));
	if (p->withheld == NULL)
		event.naddresses = addrselect(addrwatch_facts(p->watch), &p->conf->wish, &local, list);
	feed(p, &event);
}

/* ---- what the bus tells ---- */

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
	feed_addresses(p);
	feed(p, &event);
}

/* One URL after the other without a pause; after each round, and after a connection that stood, the backoff's delay. */
static void schedule_retry(struct publisher *p, bool stood)
{
	p->endpoint = (p->endpoint + 1) % p->conf->bus.nendpoints;
	p->failures++;
	if (stood || p->failures % p->conf->bus.nendpoints == 0)
		p->retry_at_ms = p->now_ms + backoff_next(&p->backoff, random_bits());
	else
		p->retry_at_ms = p->now_ms;
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct publisher *p = arg;
	bool stood = announcer_is_announced(&p->announcer);

	p->open = false;
	if (faultlog_wants(&p->faultlog, failure->text, p->now_ms))
		log_warnx("%s; retrying", failure->text);
	else
		log_debug("%s; retrying", failure->text);
	if (bus_failure_is_slowness(failure))
		patience_grow(&p->patience);
	feed_type(p, EVENT_DISCONNECTED);
	schedule_retry(p, stood);
	if (p->hurry)
		p->retry_at_ms = p->now_ms;
	p->hurry = false;
}

static void on_done(void *arg, enum bus_request request, uint32_t count)
{
	struct publisher *p = arg;

	(void)count;
	if (request == BUS_REQUEST_CONSUME && --p->consumers_due == 0)
		feed_type(p, EVENT_CONSUMING);
	else if (request == BUS_REQUEST_QUEUE_DELETE)
		feed_type(p, EVENT_DELETED);
}

static bool text_is(const struct bus_text *text, const char *wanted)
{
	return text->data != NULL && text->length == strlen(wanted) && memcmp(text->data, wanted, text->length) == 0;
}

static void take_answer(struct publisher *p, const struct bus_delivery *delivery)
{
	static struct announcement answer;
	char error[ANNOUNCEMENT_ERROR_SIZE], session[IDENT_TEXT_SIZE];

	if (!text_is(&delivery->correlation_id, ident_format(&p->announcer.self.session, session)))
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
	feed(p, &event);
}

static void on_delivery(void *arg, const struct bus_delivery *delivery)
{
	struct publisher *p = arg;
	struct announcer_event event = {.type = EVENT_WILL_DELIVERED, .tag = delivery->tag};

	if (text_is(&delivery->exchange, EXCHANGE_WILL) && text_is(&delivery->routing_key, p->mailbox))
		feed(p, &event);
	else if (text_is(&delivery->exchange, EXCHANGE_ROLLCALL))
		take_rollcall(p, delivery);
	else if (text_is(&delivery->exchange, "") && p->want_answer)
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
		feed(p, &event);
		return;
	}
}

static void on_cancelled(void *arg)
{
	feed_type(arg, EVENT_CANCELLED);
}

static void on_blocked(void *arg, bool blocked, const char *reason)
{
	char safe[LOG_SAFE_MAX];

	if (blocked)
		log_warnx("the broker holds publishing up: %s", log_phrase(safe, sizeof(safe), reason, strlen(reason)));
	else
		log_info("the broker takes messages again");
	feed_type(arg, blocked ? EVENT_BLOCKED : EVENT_UNBLOCKED);
}

/* ---- the connection ---- */

static void connect_next(struct publisher *p)
{
	p->tried_ms = p->now_ms;
	p->options.handshake_ms = patience_ms(&p->patience, BUS_HANDSHAKE_MS);
	p->options.request_ms = patience_ms(&p->patience, BUS_REQUEST_MS);
	if (bus_open(p->bus, &p->conf->bus.endpoints[p->endpoint], &p->options, p->now_ms) == 0) {
		p->open = true;
		return;
	}
	log_warn("connecting");
	schedule_retry(p, false);
	if (p->retry_at_ms <= p->now_ms)
		p->retry_at_ms = p->now_ms + PUBLISHER_RETRY_FIRST_MS;
}

struct publisher *publisher_new(const struct conf *conf, const char *name, const struct addrwatch *watch, bool want_answer,
                                int64_t now_ms)
{
	static const struct bus_callbacks callbacks = {
		.up = on_up,
		.down = on_down,
		.done = on_done,
		.delivery = on_delivery,
		.confirm = on_confirm,
		.cancelled = on_cancelled,
		.blocked = on_blocked,
	};
	struct publisher *p = calloc(1, sizeof(*p));
	struct ident instance;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (p == NULL || (p->bus = bus_new(&callbacks, p)) == NULL ||
	    ident_uuid7(&instance, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) == -1) {
		log_error("starting");
		publisher_free(p);
		return NULL;
	}
	p->conf = conf;
	p->watch = watch;
	p->want_answer = want_answer;
	snprintf(p->client_name, sizeof(p->client_name), "callsign-emit %s", name);
	p->options = (struct bus_options){.client_name = p->client_name, .heartbeat_s = conf->bus.heartbeat_s,
	                                  .connect_ms = BUS_CONNECT_MS, .user_timeout_ms = BUS_USER_TIMEOUT_MS,
	                                  .frame_max = BUS_FRAME_MAX_EMITTER, .tls = &conf->bus.tls};
	announcer_init(&p->announcer, name, conf->aliases, conf->naliases, conf->renew_s, &instance);
	announcer_set_ports(&p->announcer, conf->ports, conf->nports);
	backoff_init(&p->backoff, PUBLISHER_RETRY_FIRST_MS, PUBLISHER_RETRY_MAX_MS);
	p->now_ms = now_ms;
	connect_next(p);
	return p;
}

void publisher_free(struct publisher *p)
{
	if (p == NULL)
		return;
	bus_free(p->bus);
	free(p);
}

int publisher_fd(const struct publisher *p)
{
	return bus_fd(p->bus);
}

int64_t publisher_deadline_ms(const struct publisher *p)
{
	int64_t deadline_ms = announcer_deadline_ms(&p->announcer);
	int64_t bus_ms = p->open ? bus_deadline_ms(p->bus) : p->retry_at_ms;

	if (publisher_ended(p))
		return CLOCK_NEVER;
	return bus_ms < deadline_ms ? bus_ms : deadline_ms;
}

static void close_if_wanted(struct publisher *p)
{
	if (!p->close_wanted)
		return;
	bus_close(p->bus);
	p->open = false;
	p->close_wanted = false;
}

void publisher_step(struct publisher *p, int64_t now_ms)
{
	p->now_ms = now_ms;
	if (publisher_ended(p))
		return;
	/* First the bus: what it has to tell may well be what the announcer's deadline is waiting for. */
	if (p->open)
		while (bus_step(p->bus, now_ms, 0) && p->open)
			continue;
	if (!publisher_ended(p) && now_ms >= announcer_deadline_ms(&p->announcer))
		feed_type(p, EVENT_TIMER);
	close_if_wanted(p);
	if (!p->open && !publisher_ended(p) && now_ms >= p->retry_at_ms)
		connect_next(p);
}

/*
 * A try that began with the wrong address, or none of the routes, would be waited for until it times out. Not so early, and not so often,
 * that a slow login among flapping routes never comes to its end.
 */
static void give_up_if_stuck(struct publisher *p)
{
	struct address local;

	if (bus_local_address(p->bus, &local) == 0 || p->hurried >= 8 || p->now_ms - p->tried_ms < (PUBLISHER_STUCK_MS << p->hurried))
		return;
	p->hurried++;
	p->hurry = true;
	bus_fail(p->bus, "the network has changed");
}

void publisher_network_changed(struct publisher *p, int64_t now_ms)
{
	p->now_ms = now_ms;
	if (publisher_ended(p))
		return;
	if (p->open) {
		give_up_if_stuck(p);
		feed_addresses(p);
	} else if (p->retry_at_ms > p->tried_ms + PUBLISHER_NEWS_MS) {
		p->retry_at_ms = p->tried_ms + PUBLISHER_NEWS_MS;
	}
	close_if_wanted(p);
}

void publisher_withhold(struct publisher *p, const char *why, int64_t now_ms)
{
	p->withheld = why;
	p->now_ms = now_ms;
	if (p->open && !publisher_ended(p))
		feed_addresses(p);
	close_if_wanted(p);
}

void publisher_withdraw(struct publisher *p, int64_t now_ms)
{
	p->now_ms = now_ms;
	feed_type(p, EVENT_WITHDRAW);
	close_if_wanted(p);
}

bool publisher_ended(const struct publisher *p)
{
	return p->announcer.state == ANNOUNCER_ENDED;
}

enum publisher_answer publisher_answer(const struct publisher *p)
{
	return p->answer;
}

const char *publisher_why_not(const struct publisher *p)
{
	if (p->why_not[0] != '\0')
		return p->why_not;
	return announcer_is_announced(&p->announcer) ? "announced, but no host has answered" : announcer_status(&p->announcer);
}

bool publisher_is_announced(const struct publisher *p)
{
	return announcer_is_announced(&p->announcer);
}

const char *publisher_status(const struct publisher *p)
{
	return announcer_status(&p->announcer);
}
