#include <config.h>

#include <string.h>

#include "bus_amqp.h"

/* Messages on their way in: a method frame, a header frame and body frames become one delivery, or one message that came back. */

#define CLASS_BASIC 60
#define DEATH_QUEUE "queue"

/* The header frame's flags (AMQP 0-9-1, section 4.2.6.1), from the highest bit on in the order of the properties. */
enum {
	FLAG_CONTENT_TYPE = 1 << 15, FLAG_CONTENT_ENCODING = 1 << 14, FLAG_HEADERS = 1 << 13, FLAG_DELIVERY_MODE = 1 << 12,
	FLAG_PRIORITY = 1 << 11, FLAG_CORRELATION_ID = 1 << 10, FLAG_REPLY_TO = 1 << 9, FLAG_EXPIRATION = 1 << 8,
	FLAG_MESSAGE_ID = 1 << 7, FLAG_TIMESTAMP = 1 << 6, FLAG_TYPE = 1 << 5, FLAG_USER_ID = 1 << 4
};

/* What is longer than a short string is no name of anything. */
static void word_keep(struct bus_word *word, struct bus_text text)
{
	word->present = text.length <= sizeof word->text;
	word->length = word->present ? (unsigned char)text.length : 0;
	memcpy(word->text, text.data, word->length);
}

static struct bus_text word_text(const struct bus_word *word)
{
	return word->present ? (struct bus_text){.data = word->text, .length = word->length} : (struct bus_text){.data = NULL};
}

/* RabbitMQ puts the newest death in front: an array of tables, each with the queue that the message died in. */
static void content_read_death(struct bus_content *content, char type, struct wire deaths)
{
	struct wire death, queue;

	content->dead_lettered = true;
	if (type != 'A' || wire_value(&deaths, &death) != 'F')
		return;
	if (wire_table_get(&death, DEATH_QUEUE, &queue) == 'S')
		word_keep(&content->death_queue, wire_bytes(&queue, queue.left));
}

/* Both are looked for from the beginning. Of headers that cannot be read to their end nobody knows what else they say. */
static void content_read_headers(struct bus_content *content, struct bus_text headers)
{
	struct wire table = wire_at(headers.data, headers.length), value;
	char type = wire_table_get(&table, "x-death", &value);

	if (type != 0)
		content_read_death(content, type, value);
	content->unreadable |= table.bad;
	table = wire_at(headers.data, headers.length);
	content->federated = wire_table_get(&table, "x-received-from", &value) != 0;
	content->unreadable |= table.bad;
}

static void wire_keep(struct wire *wire, struct bus_word *word)
{
	word_keep(word, wire_short(wire));
}

/* The properties, of which we want some. None of RabbitMQ's has a second word of flags. */
static void content_read_properties(struct bus_content *content, struct wire *wire)
{
	unsigned flags = (unsigned)wire_number(wire, 2);

	if (flags & FLAG_CONTENT_TYPE)
		wire_keep(wire, &content->content_type);
	if (flags & FLAG_CONTENT_ENCODING)
		wire_short(wire);
	if (flags & FLAG_HEADERS)
		content_read_headers(content, wire_long(wire));
	if (flags & FLAG_DELIVERY_MODE)
		wire_number(wire, 1);
	if (flags & FLAG_PRIORITY)
		wire_number(wire, 1);
	if (flags & FLAG_CORRELATION_ID)
		wire_keep(wire, &content->correlation_id);
	if (flags & FLAG_REPLY_TO)
		wire_keep(wire, &content->reply_to);
	if (flags & FLAG_EXPIRATION)
		wire_short(wire);
	if (flags & FLAG_MESSAGE_ID)
		wire_short(wire);
	if (flags & FLAG_TIMESTAMP)
		wire_number(wire, 8);
	if (flags & FLAG_TYPE)
		wire_keep(wire, &content->type);
	if (flags & FLAG_USER_ID)
		wire_keep(wire, &content->user_id);
	content->unreadable |= wire->bad || (flags & 1) != 0;
}

static void content_deliver(struct bus *bus, const struct bus_content *content)
{
	struct bus_delivery delivery = {
		.tag = content->tag,
		.redelivered = content->redelivered,
		.too_long = content->size > BUS_BODY_MAX,
		.unreadable = content->unreadable,
		.body_length = content->size < SIZE_MAX ? (size_t)content->size : SIZE_MAX,
		.consumer_tag = word_text(&content->consumer_tag),
		.exchange = word_text(&content->exchange),
		.routing_key = word_text(&content->routing_key),
		.content_type = word_text(&content->content_type),
		.type = word_text(&content->type),
		.user_id = word_text(&content->user_id),
		.reply_to = word_text(&content->reply_to),
		.correlation_id = word_text(&content->correlation_id),
		.dead_lettered = content->dead_lettered,
		.death_queue = word_text(&content->death_queue),
		.federated = content->federated,
	};

	if (!delivery.too_long)
		delivery.body = (struct bus_text){.data = content->body, .length = (size_t)content->size};
	if (bus->callbacks->delivery != NULL)
		bus->callbacks->delivery(bus->arg, &delivery);
}

bool bus_last_delivery(const struct bus *bus, struct bus_text *exchange, struct bus_text *routing_key)
{
	*exchange = word_text(&bus->content.exchange);
	*routing_key = word_text(&bus->content.routing_key);
	return bus->content.tag != 0;
}

static void content_return(struct bus *bus, const struct bus_content *content)
{
	if (content->size > BUS_BODY_MAX)
		return;
	confirms_returned(&bus->confirms, confirms_digest(content->exchange.text, content->exchange.length, content->routing_key.text,
	                                                  content->routing_key.length, content->body, (size_t)content->size));
}

static void content_complete(struct bus *bus)
{
	struct bus_content *content = &bus->content;

	if (!content->headed || content->received < content->size)
		return;
	if (content->kind == BUS_CONTENT_DELIVER)
		content_deliver(bus, content);
	else
		content_return(bus, content);
	content->kind = BUS_CONTENT_NONE;
}

static void content_begin(struct bus_content *content)
{
	memset(content, 0, offsetof(struct bus_content, body));
}

void bus_content_deliver(struct bus *bus, struct wire *arguments)
{
	struct bus_content *content = &bus->content;

	content_begin(content);
	content->kind = BUS_CONTENT_DELIVER;
	wire_keep(arguments, &content->consumer_tag);
	content->tag = wire_number(arguments, 8);
	content->redelivered = wire_number(arguments, 1) & 1;
	wire_keep(arguments, &content->exchange);
	wire_keep(arguments, &content->routing_key);
}

void bus_content_returned(struct bus *bus, struct wire *arguments)
{
	struct bus_content *content = &bus->content;

	content_begin(content);
	content->kind = BUS_CONTENT_RETURN;
	wire_number(arguments, 2);
	wire_short(arguments);
	wire_keep(arguments, &content->exchange);
	wire_keep(arguments, &content->routing_key);
}

/* class, weight (always 0), the body's size, and the properties. A message whose properties were too long to be kept is handed on without them. */
bool bus_content_header(struct bus *bus, const struct bus_raw *frame)
{
	struct bus_content *content = &bus->content;
	struct wire wire = wire_at(frame->payload, frame->length);
	uint64_t class = wire_number(&wire, 2);

	if (content->kind == BUS_CONTENT_NONE || content->headed)
		return false;
	wire_number(&wire, 2);
	content->size = wire_number(&wire, 8);
	if (wire.bad || class != CLASS_BASIC)
		return false;
	content->headed = true;
	if (frame->whole > frame->length)
		content->unreadable = true;
	else
		content_read_properties(content, &wire);
	content_complete(bus);
	return true;
}

bool bus_content_body(struct bus *bus, const struct bus_raw *frame)
{
	struct bus_content *content = &bus->content;

	/* More than the header said would leave what is handed on half unwritten: with what the message before had there. */
	if (content->kind == BUS_CONTENT_NONE || !content->headed || frame->whole > content->size - content->received)
		return false;
	if (content->received + frame->whole <= BUS_BODY_MAX)
		memcpy(content->body + content->received, frame->payload, frame->length);
	content->received += frame->whole;
	content_complete(bus);
	return true;
}
