#include <config.h>

#include "chorus_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/log.h"

#define REPLY_QUEUE "amq.rabbitmq.reply-to" /* RabbitMQ's direct reply-to: no queue, answers come straight to our channel */
#define MAILBOX_EXPIRES_MS 60000
#define MAILBOX_MAX_LENGTH 16
#define MAILBOX_CONSUMER_TIMEOUT_MS 86400000

static void chorus_bind(struct chorus *c)
{
	bus_queue_bind(c->bus, c->mailbox, c->mailbox, "");
	bus_queue_bind(c->bus, c->mailbox, EXCHANGE_ROLLCALL, "");
	c->binds_due = 2;
}

/*
 * The mailbox has no x-dead-letter-routing-key, so each will keeps its own key, lost.NAME; and an exchange of its own, so that nobody else's key can be
 * the same. Both are gone a minute after the connection: the queue expires, and the exchange goes with it.
 */
void chorus_declare(struct chorus *c)
{
	const struct bus_queue_arguments arguments = {
		.type = "classic",
		.expires_ms = MAILBOX_EXPIRES_MS,
		.message_ttl_zero = true,
		.max_length = MAILBOX_MAX_LENGTH,
		.dead_letter_exchange = EXCHANGE_ANNOUNCE,
		.consumer_timeout_ms = c->spare_timeout ? 0 : MAILBOX_CONSUMER_TIMEOUT_MS,
	};

	announcement_agent_queue(c->options.host, &c->session, c->mailbox);
	bus_confirm_select(c->bus);
	bus_exchange_declare_own(c->bus, c->mailbox);
	bus_queue_declare(c->bus, c->mailbox, false, &arguments);
	chorus_bind(c);
	c->consumers_due = 1;
	if (c->options.ask) {
		bus_consume(c->bus, REPLY_QUEUE, false, true, 0);
		c->consumers_due++;
	}
	bus_consume(c->bus, c->mailbox, true, false, 0);
}

struct singer *chorus_singer(const struct chorus *c, uint32_t slot, uint64_t number)
{
	struct singer *singer = slot < c->nslots ? c->singers[slot] : NULL;

	return singer != NULL && singer->number == number ? singer : NULL;
}

static int write_tag(uint32_t slot, uint64_t number, char out[CHORUS_TAG_SIZE])
{
	return snprintf(out, CHORUS_TAG_SIZE, "%lx.%llx", (unsigned long)slot, (unsigned long long)number);
}

struct singer *chorus_tagged(const struct chorus *c, const struct bus_text *tag)
{
	char text[CHORUS_TAG_SIZE], *end;
	unsigned long slot;

	if (tag->data == NULL || tag->length == 0 || tag->length >= sizeof(text))
		return NULL;
	memcpy(text, tag->data, tag->length);
	text[tag->length] = '\0';
	slot = strtoul(text, &end, 16);
	return *end == '.' && slot <= UINT32_MAX ? chorus_singer(c, (uint32_t)slot, strtoull(end + 1, NULL, 16)) : NULL;
}

/* ---- what goes out ---- */

static void send_message(struct chorus *c, const struct parcel *parcel)
{
	bool will = parcel->flight.message == MESSAGE_WILL;
	char tag[CHORUS_TAG_SIZE];
	struct bus_properties properties = {
		.persistent = !will, /* a persistent will fires when the broker restarts */
		.content_type = ANNOUNCEMENT_CONTENT_TYPE,
		.type = ANNOUNCEMENT_TYPE,
		.user_id = bus_user(c->bus),
		.reply_to = parcel->asks ? REPLY_QUEUE : NULL,
	};
	uint64_t sequence;

	if (will || parcel->asks) {
		properties.correlation_id = tag;
		properties.correlation_id_length = (size_t)write_tag(parcel->flight.slot, parcel->flight.number, tag);
	}
	c->wills_out += will;
	sequence = bus_publish(c->bus, will ? c->mailbox : EXCHANGE_ANNOUNCE, parcel->key, true, &properties, parcel->body, parcel->length);
	if (sequence != 0 && flights_add(&c->flights, sequence, &parcel->flight) == -1)
		bus_fail(c->bus, "no memory");
}

static void send_parcel(struct chorus *c, const struct parcel *parcel)
{
	if (parcel->ack != 0)
		bus_ack(c->bus, parcel->ack, false);
	else
		send_message(c, parcel);
}

static bool is_will(const struct parcel *parcel)
{
	return parcel->ack == 0 && parcel->flight.message == MESSAGE_WILL;
}

static bool may_go(const struct chorus *c, const struct parcel *parcel)
{
	return bus_takes(c->bus) && (!is_will(parcel) || c->wills_out < CHORUS_WILLS_OUT_MAX);
}

/* In order: what comes later never overtakes what waits. */
static void post(struct chorus *c, const struct parcel *parcel)
{
	if (c->outbox.first == NULL && may_go(c, parcel))
		send_parcel(c, parcel);
	else if (outbox_add(&c->outbox, parcel) == -1)
		bus_fail(c->bus, "no memory");
}

void chorus_flush(struct chorus *c)
{
	struct parcel parcel;

	while (outbox_first(&c->outbox, &parcel) && may_go(c, &parcel)) {
		send_parcel(c, &parcel);
		outbox_drop_first(&c->outbox);
	}
}

bool chorus_waits_for_will(const struct chorus *c)
{
	struct parcel parcel;

	return outbox_first(&c->outbox, &parcel) && is_will(&parcel) && c->wills_out >= CHORUS_WILLS_OUT_MAX;
}

void chorus_ack(struct chorus *c, uint64_t tag)
{
	post(c, &(struct parcel){.ack = tag});
}

static void publish(struct singer *singer, const struct announcer_action *action)
{
	static struct announcement announcement;
	static char body[ANNOUNCEMENT_BODY_MAX];
	struct chorus *c = singer->chorus;
	bool up = action->message == MESSAGE_UP || action->message == MESSAGE_PROVISIONAL;
	char key[ANNOUNCEMENT_KEY_MAX + 1];
	struct parcel parcel = {
		.flight = {singer->slot, singer->number, action->message, action->seq},
		.asks = up && singer->asks && c->options.ask,
		.key = key,
		.body = body,
	};
	int length;

	announcer_compose(&singer->announcer, action, &announcement);
	length = announcement_encode(&announcement, body);
	if (length == -1) { /* checked when it joined */
		bus_fail(c->bus, "an announcement does not fit into one message");
		return;
	}
	parcel.length = (size_t)length;
	announcement_key(announcement.op, announcement.name, key);
	post(c, &parcel);
}

void chorus_carry_out(struct singer *singer, const struct announcer_action *action)
{
	struct bus *bus = singer->chorus->bus;

	switch (action->type) {
	case ACTION_PUBLISH:
		publish(singer, action);
		break;
	case ACTION_OPEN_MAILBOX:
		singer->opens = true;
		break;
	case ACTION_BIND_MAILBOX: /* it is everybody's, and everybody's will comes back: once is enough */
		if (singer->chorus->binds_due == 0)
			chorus_bind(singer->chorus);
		break;
	case ACTION_ACK:
		chorus_ack(singer->chorus, action->tag);
		break;
	case ACTION_DELETE_MAILBOX:
		singer->deletes = true;
		break;
	case ACTION_NEW_INSTANCE: /* chorus_feed.c's: an event comes of it */
		break;
	case ACTION_FAIL:
		bus_fail(bus, action->text);
		break;
	case ACTION_CLOSE: /* of this name: the connection is the others', too */
		break;
	}
}
