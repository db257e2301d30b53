#include <config.h>

#include <string.h>

#include "bus_amqp.h"

/* Messages on their way in: a method frame, a header frame and body frames become one delivery, or one message that came back. */

static struct bus_text text_of(amqp_bytes_t bytes)
{
	return (struct bus_text){.data = bytes.bytes != NULL ? bytes.bytes : "", .length = bytes.len};
}

static struct bus_text text_if(bool present, amqp_bytes_t bytes)
{
	return present ? text_of(bytes) : (struct bus_text){.data = NULL, .length = 0};
}

static const amqp_field_value_t *table_get(const amqp_table_t *table, const char *key)
{
	int i;

	for (i = 0; i < table->num_entries; i++) {
		const amqp_table_entry_t *entry = &table->entries[i];

		if (entry->key.len == strlen(key) && memcmp(entry->key.bytes, key, entry->key.len) == 0)
			return &entry->value;
	}
	return NULL;
}

/* RabbitMQ puts the newest death in front: an array of tables, each with the queue that the message died in. */
static void bus_read_death(const amqp_table_t *headers, struct bus_delivery *delivery)
{
	const amqp_field_value_t *deaths = table_get(headers, "x-death");
	const amqp_field_value_t *queue;

	if (deaths == NULL)
		return;
	delivery->dead_lettered = true;
	if (deaths->kind != AMQP_FIELD_KIND_ARRAY || deaths->value.array.num_entries < 1 ||
	    deaths->value.array.entries[0].kind != AMQP_FIELD_KIND_TABLE)
		return;
	queue = table_get(&deaths->value.array.entries[0].value.table, "queue");
	if (queue != NULL && queue->kind == AMQP_FIELD_KIND_UTF8)
		delivery->death_queue = text_of(queue->value.bytes);
}

static void bus_read_headers(const amqp_table_t *headers, struct bus_delivery *delivery)
{
	bus_read_death(headers, delivery);
	delivery->federated = table_get(headers, "x-received-from") != NULL;
}

static void bus_deliver(struct bus *bus, const struct bus_content *content)
{
	const amqp_basic_properties_t *properties = content->properties;
	amqp_flags_t flags = properties->_flags;
	struct bus_delivery delivery = {
		.tag = content->deliver.delivery_tag,
		.redelivered = content->deliver.redelivered,
		.too_long = content->size > BUS_BODY_MAX,
		.body_length = content->size,
		.consumer_tag = text_of(content->deliver.consumer_tag),
		.exchange = text_of(content->deliver.exchange),
		.routing_key = text_of(content->deliver.routing_key),
		.content_type = text_if(flags & AMQP_BASIC_CONTENT_TYPE_FLAG, properties->content_type),
		.type = text_if(flags & AMQP_BASIC_TYPE_FLAG, properties->type),
		.user_id = text_if(flags & AMQP_BASIC_USER_ID_FLAG, properties->user_id),
		.reply_to = text_if(flags & AMQP_BASIC_REPLY_TO_FLAG, properties->reply_to),
		.correlation_id = text_if(flags & AMQP_BASIC_CORRELATION_ID_FLAG, properties->correlation_id),
	};

	if (!delivery.too_long)
		delivery.body = (struct bus_text){.data = content->body, .length = content->size};
	if (flags & AMQP_BASIC_HEADERS_FLAG)
		bus_read_headers(&properties->headers, &delivery);
	if (bus->callbacks->delivery != NULL)
		bus->callbacks->delivery(bus->arg, &delivery);
}

static void bus_returned(struct bus *bus, const struct bus_content *content)
{
	const amqp_basic_return_t *returned = &content->returned;

	if (content->size > BUS_BODY_MAX)
		return;
	confirms_returned(&bus->confirms, confirms_digest(returned->exchange.bytes, returned->exchange.len, returned->routing_key.bytes,
	                                                  returned->routing_key.len, content->body, content->size));
}

static void bus_content_complete(struct bus *bus)
{
	struct bus_content *content = &bus->content;

	if (content->properties == NULL || content->received < content->size)
		return;
	if (content->kind == BUS_CONTENT_DELIVER)
		bus_deliver(bus, content);
	else
		bus_returned(bus, content);
	content->kind = BUS_CONTENT_NONE;
}

void bus_content_begin(struct bus *bus, const amqp_method_t *method)
{
	struct bus_content *content = &bus->content;

	content->properties = NULL;
	content->size = content->received = 0;
	if (method->id == AMQP_BASIC_DELIVER_METHOD) {
		content->kind = BUS_CONTENT_DELIVER;
		content->deliver = *(const amqp_basic_deliver_t *)method->decoded;
	} else {
		content->kind = BUS_CONTENT_RETURN;
		content->returned = *(const amqp_basic_return_t *)method->decoded;
	}
}

void bus_content_frame(struct bus *bus, const amqp_frame_t *frame)
{
	struct bus_content *content = &bus->content;
	amqp_bytes_t part;

	if (content->kind == BUS_CONTENT_NONE)
		return;
	if (frame->frame_type == AMQP_FRAME_HEADER) {
		content->properties = frame->payload.properties.decoded;
		content->size = frame->payload.properties.body_size;
	} else {
		part = frame->payload.body_fragment;
		if (content->received + part.len <= BUS_BODY_MAX)
			memcpy(content->body + content->received, part.bytes, part.len);
		content->received += part.len;
	}
	bus_content_complete(bus);
}
