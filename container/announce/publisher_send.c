#include <config.h>

#include "publisher_parts.h"

#define REPLY_QUEUE "amq.rabbitmq.reply-to" /* RabbitMQ's direct reply-to: no queue, answers come straight to our channel */
#define MAILBOX_EXPIRES_MS 60000
#define MAILBOX_MAX_LENGTH 16
#define MAILBOX_CONSUMER_TIMEOUT_MS 86400000

/* Only until COMMAND runs: renewals and roll calls go on for ever, and each answer costs every host one more message. */
static bool asks(const struct publisher *p)
{
	return p->want_answer && p->answer == PUBLISHER_NO_ANSWER;
}

static void bind_mailbox(struct publisher *p)
{
	bus_queue_bind(p->bus, p->mailbox, EXCHANGE_WILL, p->mailbox);
	bus_queue_bind(p->bus, p->mailbox, EXCHANGE_ROLLCALL, "");
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
		.consumer_timeout_ms = p->plain & PLAIN_BIT(p) ? 0 : MAILBOX_CONSUMER_TIMEOUT_MS,
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
	bind_mailbox(p);
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

void publisher_carry_out(struct publisher *p, const struct announcer_action *action)
{
	switch (action->type) {
	case ACTION_PUBLISH:
		publish(p, action);
		break;
	case ACTION_OPEN_MAILBOX:
		open_mailbox(p);
		break;
	case ACTION_BIND_MAILBOX:
		log_warnx("our mailbox has lost its bindings: somebody has made the exchanges anew. Binding it again");
		bind_mailbox(p);
		break;
	case ACTION_ACK:
		bus_ack(p->bus, action->tag, false);
		break;
	case ACTION_DELETE_MAILBOX:
		bus_queue_delete(p->bus, p->mailbox, false);
		break;
	case ACTION_NEW_INSTANCE: /* publisher_feed.c's: an event comes of it */
		break;
	case ACTION_FAIL:
		bus_fail(p->bus, action->text);
		break;
	case ACTION_CLOSE:
		p->close_wanted = true;
		break;
	}
}
