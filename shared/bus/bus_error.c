#include <config.h>

#include "bus_error.h"

#include <stdio.h>
#include <string.h>

#include "bus_cause.h"
#include "busconf.h"
#include "shared/log.h"

/* AMQP 0-9-1, section 1.8 (reply codes). */
enum { CONNECTION_FORCED = 320, ACCESS_REFUSED = 403, NOT_FOUND = 404, NOT_ALLOWED = 530 };

const char *bus_error_request_name(enum bus_request request)
{
	static const char *const names[] = {
		[BUS_REQUEST_NONE] = "a publish, a bind or an ack",
		[BUS_REQUEST_CHANNEL] = "channel.open",
		[BUS_REQUEST_CONFIRM_SELECT] = "confirm.select",
		[BUS_REQUEST_EXCHANGE_DECLARE] = "exchange.declare",
		[BUS_REQUEST_QUEUE_DECLARE] = "queue.declare",
		[BUS_REQUEST_QUEUE_BIND] = "queue.bind",
		[BUS_REQUEST_QUEUE_UNBIND] = "queue.unbind",
		[BUS_REQUEST_QUEUE_DELETE] = "queue.delete",
		[BUS_REQUEST_QUEUE_PURGE] = "queue.purge",
		[BUS_REQUEST_QOS] = "basic.qos",
		[BUS_REQUEST_CONSUME] = "basic.consume",
	};

	return names[request];
}

static const char *bus_error_login_advice(uint16_t code, const struct bus_endpoint *endpoint)
{
	switch (code) {
	case ACCESS_REFUSED:
		/* A bus remembers its endpoint without password, but a refused login is described by the login itself. */
		return endpoint->password != NULL ? "wrong user or password"
		                                  : "no password is set, and the broker takes our client certificate for no user";
	case NOT_ALLOWED:
		return "the vhost does not exist, the user may not enter it, or a connection limit is reached";
	default:
		return NULL;
	}
}

static const char *bus_error_cause_advice(const struct bus_failure *failure, char *out, size_t size)
{
	const struct bus_cause *cause = &failure->cause;

	switch (cause->kind) {
	case BUS_CAUSE_DIFFERS:
		snprintf(out, size, "it exists already, with another %s", cause->word);
		return out;
	case BUS_CAUSE_ARGUMENT:
		snprintf(out, size, "this broker does not take the argument %s", cause->word);
		return out;
	case BUS_CAUSE_ACK_TIMEOUT:
		return "its consumer_timeout is shorter than a message may stay unacked here (docs/troubleshooting.md)";
	case BUS_CAUSE_MISSING:
		return "callsignd makes the exchanges when it connects to this vhost";
	case BUS_CAUSE_RIGHT:
		snprintf(out, size, "the user lacks the permission to %s it (docs/protocol.md, Who may do what)", cause->word);
		return out;
	default:
		return NULL;
	}
}

static const char *bus_error_channel_advice(const struct bus_failure *failure, char *out, size_t size)
{
	if (failure->cause.kind != BUS_CAUSE_UNKNOWN)
		return bus_error_cause_advice(failure, out, size);
	if (failure->code == NOT_FOUND)
		return "it is missing on the broker: callsignd makes the exchanges when it connects to this vhost";
	return failure->code == ACCESS_REFUSED ? "the user lacks a permission (docs/protocol.md, Who may do what)" : NULL;
}

static const char *bus_error_advice(const struct bus_failure *failure, const struct bus_endpoint *endpoint, char *out, size_t size)
{
	switch (failure->kind) {
	case BUS_FAILED_LOGIN:
		return bus_error_login_advice(failure->code, endpoint);
	case BUS_FAILED_CHANNEL:
		return bus_error_channel_advice(failure, out, size);
	case BUS_FAILED_CONNECT:
		return "is the broker running, and does it listen there?";
	case BUS_FAILED_HANDSHAKE:
		return "is it a RabbitMQ listener, and does amqp:// or amqps:// in the URL fit it?";
	case BUS_FAILED_CLOSED:
		return failure->code == CONNECTION_FORCED ? "it stops, or an operator closed the connection" : NULL;
	default:
		return NULL;
	}
}

static const char *bus_error_kind(enum bus_failure_kind kind)
{
	static const char *const words[] = {
		[BUS_FAILED_LOOKUP] = "cannot look up the host",
		[BUS_FAILED_CONNECT] = "cannot connect",
		[BUS_FAILED_TLS] = "TLS failed",
		[BUS_FAILED_HANDSHAKE] = "no AMQP answer",
		[BUS_FAILED_LOGIN] = "login refused",
		[BUS_FAILED_BROKER] = "cannot be used",
		[BUS_FAILED_CHANNEL] = "the broker refused",
		[BUS_FAILED_CLOSED] = "the broker closed the connection",
		[BUS_FAILED_LOST] = "connection lost",
		[BUS_FAILED_TIMEOUT] = "no answer in time",
		[BUS_FAILED_LOCAL] = "gave up",
	};

	return words[kind];
}

void bus_error_describe(struct bus_failure *failure, const struct bus_endpoint *endpoint, const char *text, size_t length)
{
	char where[128], what[200] = "", room[160];
	const char *advice;
	char code[16] = "";
	char request[48] = "";

	bus_cause_read(&failure->cause, failure->code, text, length);
	advice = bus_error_advice(failure, endpoint, room, sizeof room);
	busconf_endpoint_text(endpoint, where, sizeof where);
	if (length > 0)
		log_phrase(what, sizeof what, text, length);
	if (failure->code != 0)
		snprintf(code, sizeof code, " (%u)", (unsigned)failure->code);
	if (failure->kind == BUS_FAILED_CHANNEL && failure->request != BUS_REQUEST_NONE)
		snprintf(request, sizeof request, " %s", bus_error_request_name(failure->request));
	snprintf(failure->text, sizeof failure->text, "broker %s: %s%s%s%s%s%s%s", where, bus_error_kind(failure->kind), request,
	         what[0] != '\0' ? ": " : "", what, code, advice != NULL ? ": " : "", advice != NULL ? advice : "");
}

bool bus_failure_is_slowness(const struct bus_failure *failure)
{
	switch (failure->kind) {
	case BUS_FAILED_HANDSHAKE:
	case BUS_FAILED_TIMEOUT:
		return true;
	default: /* over TLS, too: librabbitmq has one timeout for connecting and the handshake, so it may just be out of reach */
		return false;
	}
}
