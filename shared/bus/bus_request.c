#include <config.h>

#include <poll.h>
#include <string.h>

#include "bus_amqp.h"

/* What is sent to the broker. Nothing here waits for an answer: bus.c reads those. */

static amqp_bytes_t bytes_of(const char *text)
{
	return text == NULL ? amqp_empty_bytes : amqp_cstring_bytes(text);
}

static void bus_break_stuck(struct bus *bus)
{
	static const char stuck[] = "the broker reads nothing, and the socket is full";

	bus_break(bus, BUS_FAILED_LOST, 0, BUS_REQUEST_NONE, stuck, sizeof stuck - 1);
}

#define SEND_MS 1000

/*
 * librabbitmq would wait for a full socket for as long as the broker likes: it knows of no heartbeat by then (bus_login.c). What was published just before
 * may have filled it, which a broker that reads has taken soon.
 */
static bool bus_soon_writable(const struct bus *bus)
{
	struct pollfd fd = {.fd = amqp_get_sockfd(bus->connection), .events = POLLOUT};

	return bus_writable(bus) || poll(&fd, 1, SEND_MS) == 1;
}

static void bus_send(struct bus *bus, amqp_method_number_t method, void *arguments)
{
	int status;

	if (bus->state != BUS_UP)
		return;
	if (!bus_soon_writable(bus)) {
		bus_break_stuck(bus);
		return;
	}
	status = amqp_send_method(bus->connection, BUS_CHANNEL, method, arguments);
	if (status != AMQP_STATUS_OK)
		bus_break(bus, BUS_FAILED_LOST, 0, BUS_REQUEST_NONE, amqp_error_string2(status), strlen(amqp_error_string2(status)));
}

static void bus_request(struct bus *bus, enum bus_request request, amqp_method_number_t method, void *arguments)
{
	static const char full[] = "too many requests at once";
	unsigned last = (bus->first_request + bus->nrequests) % BUS_REQUESTS_MAX;

	if (bus->state != BUS_UP)
		return;
	if (bus->nrequests == BUS_REQUESTS_MAX) {
		bus_break(bus, BUS_FAILED_LOCAL, 0, request, full, sizeof full - 1);
		return;
	}
	bus->requests[last].request = request;
	bus->requests[last].sent_ms = bus->now_ms;
	bus->nrequests++;
	bus_send(bus, method, arguments);
}

enum bus_request bus_request_pop(struct bus *bus)
{
	enum bus_request request;

	if (bus->nrequests == 0)
		return BUS_REQUEST_NONE;
	request = bus->requests[bus->first_request].request;
	bus->first_request = (bus->first_request + 1) % BUS_REQUESTS_MAX;
	bus->nrequests--;
	return request;
}

void bus_channel_open(struct bus *bus)
{
	amqp_channel_open_t arguments = {.out_of_band = amqp_empty_bytes};

	bus_request(bus, BUS_REQUEST_CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &arguments);
}

void bus_confirm_select(struct bus *bus)
{
	amqp_confirm_select_t arguments = {.nowait = 0};

	bus_request(bus, BUS_REQUEST_CONFIRM_SELECT, AMQP_CONFIRM_SELECT_METHOD, &arguments);
}

void bus_exchange_declare(struct bus *bus, const char *exchange, const char *type, bool passive, bool durable)
{
	amqp_exchange_declare_t arguments = {
		.exchange = bytes_of(exchange),
		.type = bytes_of(type),
		.passive = passive,
		.durable = durable,
		.arguments = amqp_empty_table,
	};

	bus_request(bus, BUS_REQUEST_EXCHANGE_DECLARE, AMQP_EXCHANGE_DECLARE_METHOD, &arguments);
}

void bus_exchange_declare_own(struct bus *bus, const char *exchange)
{
	amqp_exchange_declare_t arguments = {
		.exchange = bytes_of(exchange),
		.type = amqp_cstring_bytes("fanout"),
		.durable = 1,
		.auto_delete = 1,
		.arguments = amqp_empty_table,
	};

	bus_request(bus, BUS_REQUEST_EXCHANGE_DECLARE, AMQP_EXCHANGE_DECLARE_METHOD, &arguments);
}

static void add_number(amqp_table_t *table, const char *key, int64_t value)
{
	amqp_table_entry_t *entry = &table->entries[table->num_entries++];

	entry->key = amqp_cstring_bytes(key);
	entry->value.kind = AMQP_FIELD_KIND_I64;
	entry->value.value.i64 = value;
}

static void add_text(amqp_table_t *table, const char *key, const char *value)
{
	amqp_table_entry_t *entry = &table->entries[table->num_entries++];

	entry->key = amqp_cstring_bytes(key);
	entry->value.kind = AMQP_FIELD_KIND_UTF8;
	entry->value.value.bytes = amqp_cstring_bytes(value);
}

/* RabbitMQ: x-consumer-timeout is without effect before 3.12, and refused from here on, since classic queues have no such timeout any more. */
#define VERSION_WITHOUT_TIMEOUT BUS_VERSION(4, 3, 0)

void bus_queue_declare(struct bus *bus, const char *queue, bool passive, const struct bus_queue_arguments *wanted)
{
	amqp_table_entry_t entries[8];
	amqp_queue_declare_t arguments = {
		.queue = bytes_of(queue),
		.passive = passive,
		.durable = 1,
		.arguments = {.num_entries = 0, .entries = entries},
	};
	amqp_table_t *table = &arguments.arguments;

	if (wanted->type != NULL)
		add_text(table, "x-queue-type", wanted->type);
	if (wanted->expires_ms != 0)
		add_number(table, "x-expires", wanted->expires_ms);
	if (wanted->message_ttl_zero)
		add_number(table, "x-message-ttl", 0);
	if (wanted->max_length != 0)
		add_number(table, "x-max-length", wanted->max_length);
	if (wanted->overflow != NULL)
		add_text(table, "x-overflow", wanted->overflow);
	if (wanted->dead_letter_exchange != NULL)
		add_text(table, "x-dead-letter-exchange", wanted->dead_letter_exchange);
	if (wanted->dead_letter_routing_key != NULL)
		add_text(table, "x-dead-letter-routing-key", wanted->dead_letter_routing_key);
	if (wanted->consumer_timeout_ms != 0 && bus->broker.number < VERSION_WITHOUT_TIMEOUT)
		add_number(table, "x-consumer-timeout", wanted->consumer_timeout_ms);
	bus_request(bus, BUS_REQUEST_QUEUE_DECLARE, AMQP_QUEUE_DECLARE_METHOD, &arguments);
}

bool bus_writable(const struct bus *bus)
{
	struct pollfd fd = {.fd = amqp_get_sockfd(bus->connection), .events = POLLOUT};

	return poll(&fd, 1, 0) == 1;
}

bool bus_takes(const struct bus *bus)
{
	return bus->state == BUS_UP && !bus->blocked && bus_writable(bus);
}

bool bus_queue_count(struct bus *bus, const char *queue)
{
	amqp_queue_declare_t arguments = {.queue = bytes_of(queue), .passive = 1, .arguments = amqp_empty_table};
	unsigned at = (bus->first_request + bus->nrequests) % BUS_REQUESTS_MAX;

	if (bus->state != BUS_UP || bus->blocked || bus->nrequests > 0 || !bus_writable(bus))
		return false;
	bus_request(bus, BUS_REQUEST_QUEUE_DECLARE, AMQP_QUEUE_DECLARE_METHOD, &arguments);
	/* A figure for people is no reason to give up a broker that is busy: heartbeats tell whether it lives. */
	bus->requests[at].sent_ms += BUS_COUNT_MS - bus->request_ms;
	return true;
}

void bus_queue_bind(struct bus *bus, const char *queue, const char *exchange, const char *routing_key)
{
	amqp_queue_bind_t arguments = {
		.queue = bytes_of(queue),
		.exchange = bytes_of(exchange),
		.routing_key = bytes_of(routing_key),
		.arguments = amqp_empty_table,
	};

	bus_request(bus, BUS_REQUEST_QUEUE_BIND, AMQP_QUEUE_BIND_METHOD, &arguments);
}

void bus_queue_unbind(struct bus *bus, const char *queue, const char *exchange, const char *routing_key)
{
	amqp_queue_unbind_t arguments = {
		.queue = bytes_of(queue),
		.exchange = bytes_of(exchange),
		.routing_key = bytes_of(routing_key),
		.arguments = amqp_empty_table,
	};

	bus_request(bus, BUS_REQUEST_QUEUE_UNBIND, AMQP_QUEUE_UNBIND_METHOD, &arguments);
}

void bus_queue_delete(struct bus *bus, const char *queue, bool if_unused)
{
	amqp_queue_delete_t arguments = {.queue = bytes_of(queue), .if_unused = if_unused};

	bus_request(bus, BUS_REQUEST_QUEUE_DELETE, AMQP_QUEUE_DELETE_METHOD, &arguments);
}

void bus_queue_purge(struct bus *bus, const char *queue)
{
	amqp_queue_purge_t arguments = {.queue = bytes_of(queue)};

	bus_request(bus, BUS_REQUEST_QUEUE_PURGE, AMQP_QUEUE_PURGE_METHOD, &arguments);
}

void bus_qos(struct bus *bus, uint16_t prefetch)
{
	amqp_basic_qos_t arguments = {.prefetch_count = prefetch};

	bus_request(bus, BUS_REQUEST_QOS, AMQP_BASIC_QOS_METHOD, &arguments);
}

void bus_consume(struct bus *bus, const char *queue, bool exclusive, bool no_ack, int32_t priority)
{
	amqp_table_entry_t entries[1];
	amqp_basic_consume_t arguments = {
		.queue = bytes_of(queue),
		.consumer_tag = amqp_empty_bytes,
		.no_ack = no_ack,
		.exclusive = exclusive,
		.arguments = {.num_entries = 0, .entries = entries},
	};

	if (priority != 0)
		add_number(&arguments.arguments, "x-priority", priority);
	bus_request(bus, BUS_REQUEST_CONSUME, AMQP_BASIC_CONSUME_METHOD, &arguments);
}

void bus_ack(struct bus *bus, uint64_t tag, bool multiple)
{
	amqp_basic_ack_t arguments = {.delivery_tag = tag, .multiple = multiple};

	/* A broker in alarm does not read from us: acks would fill the socket until a send blocks. The newest multiple one says it all. */
	if (bus->blocked && multiple) {
		bus->held_ack = tag;
		return;
	}
	bus_send(bus, AMQP_BASIC_ACK_METHOD, &arguments);
}

static amqp_basic_properties_t properties_of(const struct bus_properties *wanted)
{
	amqp_basic_properties_t out = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = wanted->persistent ? 2 : 1};

	if (wanted->content_type != NULL) {
		out._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
		out.content_type = bytes_of(wanted->content_type);
	}
	if (wanted->type != NULL) {
		out._flags |= AMQP_BASIC_TYPE_FLAG;
		out.type = bytes_of(wanted->type);
	}
	if (wanted->user_id != NULL) {
		out._flags |= AMQP_BASIC_USER_ID_FLAG;
		out.user_id = bytes_of(wanted->user_id);
	}
	if (wanted->reply_to != NULL) {
		out._flags |= AMQP_BASIC_REPLY_TO_FLAG;
		out.reply_to = bytes_of(wanted->reply_to);
	}
	if (wanted->correlation_id != NULL) {
		out._flags |= AMQP_BASIC_CORRELATION_ID_FLAG;
		/* librabbitmq only reads through it. */
		memcpy(&out.correlation_id.bytes, &wanted->correlation_id, sizeof out.correlation_id.bytes);
		out.correlation_id.len = wanted->correlation_id_length;
	}
	return out;
}

uint64_t bus_publish(struct bus *bus, const char *exchange, const char *routing_key, bool mandatory,
                     const struct bus_properties *properties, const void *body, size_t length)
{
	amqp_basic_properties_t wire = properties_of(properties);
	amqp_bytes_t content = {.len = length};
	uint64_t digest, sequence;
	int status;

	if (bus->state != BUS_UP)
		return 0;
	if (!bus_writable(bus)) {
		bus_break_stuck(bus);
		return 0;
	}
	memcpy(&content.bytes, &body, sizeof content.bytes);
	digest = confirms_digest(exchange, strlen(exchange), routing_key, strlen(routing_key), body, length);
	sequence = confirms_add(&bus->confirms, digest, bus->now_ms);
	if (sequence == 0) {
		bus_break(bus, BUS_FAILED_LOCAL, 0, BUS_REQUEST_NONE, "out of memory", strlen("out of memory"));
		return 0;
	}
	status = amqp_basic_publish(bus->connection, BUS_CHANNEL, bytes_of(exchange), bytes_of(routing_key), mandatory, 0, &wire, content);
	if (status == AMQP_STATUS_OK)
		return sequence;
	bus_break(bus, BUS_FAILED_LOST, 0, BUS_REQUEST_NONE, amqp_error_string2(status), strlen(amqp_error_string2(status)));
	return 0;
}
