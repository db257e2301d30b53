#include <config.h>

#include <string.h>

#include "bus_amqp.h"

/* What the broker answers and tells: method frames (AMQP 0-9-1, section 1.8 and on). A method that nobody asked for is passed over. */

void bus_set_blocked(struct bus *bus, bool blocked, const char *reason)
{
	uint64_t held = bus->held_ack;
	unsigned i;

	bus->blocked = blocked;
	if (!blocked) {
		for (i = 0; i < bus->nrequests; i++)
			bus->requests[(bus->first_request + i) % BUS_REQUESTS_MAX].sent_ms = bus->now_ms;
		confirms_restart(&bus->confirms, bus->now_ms);
		bus->held_ack = 0;
		if (held != 0)
			bus_ack(bus, held, true);
	}
	if (bus->callbacks->blocked != NULL)
		bus->callbacks->blocked(bus->arg, blocked, reason);
}

static void method_blocked(struct bus *bus, struct wire *wire)
{
	struct bus_text reason = wire_short(wire);
	char text[256] = "";

	memcpy(text, reason.data, reason.length);
	bus_set_blocked(bus, true, text);
}

/* An ack's or nack's: the tag, and whether it stands for all before. */
static void method_settle(struct bus *bus, struct wire *wire, bool good)
{
	uint64_t tag = wire_number(wire, 8);
	bool multiple = wire_number(wire, 1) & 1;
	struct confirm confirm;

	while (!wire->bad && confirms_settle(&bus->confirms, tag, multiple, &confirm)) {
		enum bus_confirm result = !good ? BUS_NACKED : confirm.returned ? BUS_RETURNED : BUS_CONFIRMED;

		if (bus->callbacks->confirm != NULL)
			bus->callbacks->confirm(bus->arg, confirm.sequence, result);
		if (bus->state != BUS_UP)
			return;
	}
}

static void method_answers(struct bus *bus, enum bus_request expected, uint32_t count)
{
	static const char astray[] = "an answer that fits no request";
	enum bus_request request = bus_request_pop(bus);

	if (request != expected)
		bus_break(bus, BUS_FAILED_LOCAL, 0, request, astray, sizeof astray - 1);
	else if (bus->callbacks->done != NULL)
		bus->callbacks->done(bus->arg, request, count);
}

static enum bus_request request_of(amqp_method_number_t method)
{
	switch (method) {
	case AMQP_EXCHANGE_DECLARE_METHOD:
		return BUS_REQUEST_EXCHANGE_DECLARE;
	case AMQP_QUEUE_DECLARE_METHOD:
		return BUS_REQUEST_QUEUE_DECLARE;
	case AMQP_QUEUE_UNBIND_METHOD:
		return BUS_REQUEST_QUEUE_UNBIND;
	case AMQP_QUEUE_BIND_METHOD:
		return BUS_REQUEST_QUEUE_BIND;
	case AMQP_QUEUE_DELETE_METHOD:
		return BUS_REQUEST_QUEUE_DELETE;
	case AMQP_QUEUE_PURGE_METHOD:
		return BUS_REQUEST_QUEUE_PURGE;
	case AMQP_BASIC_QOS_METHOD:
		return BUS_REQUEST_QOS;
	case AMQP_BASIC_CONSUME_METHOD:
		return BUS_REQUEST_CONSUME;
	case AMQP_CONFIRM_SELECT_METHOD:
		return BUS_REQUEST_CONFIRM_SELECT;
	default:
		return BUS_REQUEST_NONE;
	}
}

/* The broker ends the channel or the connection: why, in words, and which method of ours it was, if one. */
static void method_closed(struct bus *bus, struct wire *wire, enum bus_failure_kind kind)
{
	uint16_t code = (uint16_t)wire_number(wire, 2);
	struct bus_text why = wire_short(wire);
	amqp_method_number_t method = (amqp_method_number_t)wire_number(wire, 4);

	bus_break(bus, kind, code, request_of(method), why.data, why.length);
}

static void connection_closed(struct bus *bus, struct wire *wire)
{
	amqp_connection_close_ok_t ok = {.dummy = 0};

	method_closed(bus, wire, BUS_FAILED_CLOSED);
	if (bus_writable(bus))
		(void)amqp_send_method(bus->connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
}

static void queue_declared(struct bus *bus, struct wire *wire)
{
	wire_short(wire);
	method_answers(bus, BUS_REQUEST_QUEUE_DECLARE, (uint32_t)wire_number(wire, 4));
}

/* Answers that say nothing more. */
static enum bus_request answer_of(amqp_method_number_t method)
{
	switch (method) {
	case AMQP_CHANNEL_OPEN_OK_METHOD:
		return BUS_REQUEST_CHANNEL;
	case AMQP_CONFIRM_SELECT_OK_METHOD:
		return BUS_REQUEST_CONFIRM_SELECT;
	case AMQP_EXCHANGE_DECLARE_OK_METHOD:
		return BUS_REQUEST_EXCHANGE_DECLARE;
	case AMQP_QUEUE_UNBIND_OK_METHOD:
		return BUS_REQUEST_QUEUE_UNBIND;
	case AMQP_QUEUE_BIND_OK_METHOD:
		return BUS_REQUEST_QUEUE_BIND;
	case AMQP_BASIC_QOS_OK_METHOD:
		return BUS_REQUEST_QOS;
	case AMQP_BASIC_CONSUME_OK_METHOD:
		return BUS_REQUEST_CONSUME;
	default:
		return BUS_REQUEST_NONE;
	}
}

static void connection_method(struct bus *bus, amqp_method_number_t method, struct wire *wire)
{
	if (method == AMQP_CONNECTION_CLOSE_METHOD)
		connection_closed(bus, wire);
	else if (method == AMQP_CONNECTION_BLOCKED_METHOD)
		method_blocked(bus, wire);
	else if (method == AMQP_CONNECTION_UNBLOCKED_METHOD)
		bus_set_blocked(bus, false, "");
}

static void channel_method(struct bus *bus, amqp_method_number_t method, struct wire *wire)
{
	switch (method) {
	case AMQP_BASIC_DELIVER_METHOD:
		bus_content_deliver(bus, wire);
		break;
	case AMQP_BASIC_RETURN_METHOD:
		bus_content_returned(bus, wire);
		break;
	case AMQP_BASIC_ACK_METHOD:
		method_settle(bus, wire, true);
		break;
	case AMQP_BASIC_NACK_METHOD:
		method_settle(bus, wire, false);
		break;
	case AMQP_BASIC_CANCEL_METHOD:
		if (bus->callbacks->cancelled != NULL)
			bus->callbacks->cancelled(bus->arg);
		break;
	case AMQP_CHANNEL_CLOSE_METHOD:
		method_closed(bus, wire, BUS_FAILED_CHANNEL);
		break;
	case AMQP_QUEUE_DECLARE_OK_METHOD:
		queue_declared(bus, wire);
		break;
	case AMQP_QUEUE_DELETE_OK_METHOD:
		method_answers(bus, BUS_REQUEST_QUEUE_DELETE, (uint32_t)wire_number(wire, 4));
		break;
	case AMQP_QUEUE_PURGE_OK_METHOD:
		method_answers(bus, BUS_REQUEST_QUEUE_PURGE, (uint32_t)wire_number(wire, 4));
		break;
	default:
		if (answer_of(method) != BUS_REQUEST_NONE)
			method_answers(bus, answer_of(method), 0);
		break;
	}
}

bool bus_method(struct bus *bus, uint16_t channel, const unsigned char *payload, size_t length)
{
	struct wire wire = wire_at(payload, length);
	amqp_method_number_t method = (amqp_method_number_t)wire_number(&wire, 4);

	if (channel == 0)
		connection_method(bus, method, &wire);
	else
		channel_method(bus, method, &wire);
	return !wire.bad || bus->state != BUS_UP;
}
