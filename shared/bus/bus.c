#include <config.h>

#include "bus.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus_amqp.h"
#include "bus_error.h"
#include "bus_tls.h"
#include "shared/clock.h"

/* Frames between two returns of librabbitmq's buffers: it never does so by itself. Long headers count as many. */
#define RELEASE_EVERY 64
#define RELEASE_BYTES 4096

struct bus *bus_new(const struct bus_callbacks *callbacks, void *arg)
{
	struct bus *bus = calloc(1, sizeof *bus);

	if (bus == NULL)
		return NULL;
#ifdef WITH_TLS
	bus_tls_begin();
#endif
	bus->callbacks = callbacks;
	bus->arg = arg;
	confirms_init(&bus->confirms);
	return bus;
}

static void bus_forget_where(struct bus *bus)
{
	free(bus->where.host);
	free(bus->where.vhost);
	free(bus->where.user);
	memset(&bus->where, 0, sizeof bus->where);
}

/* Whatever the state, nothing of the connection is left afterwards. */
static void bus_tear_down(struct bus *bus)
{
	if (bus->login != NULL)
		bus_login_abandon(bus->login);
	bus->login = NULL;
	if (bus->connection != NULL)
		amqp_destroy_connection(bus->connection);
	bus->connection = NULL;
	confirms_clear(&bus->confirms);
	bus->first_request = bus->nrequests = 0;
	bus->content.kind = BUS_CONTENT_NONE;
	bus->blocked = false;
	bus->held_ack = 0;
	bus->state = BUS_DOWN;
}

void bus_free(struct bus *bus)
{
	if (bus == NULL)
		return;
	bus_tear_down(bus);
	bus_forget_where(bus);
	free(bus);
}

static int bus_remember_where(struct bus *bus, const struct bus_endpoint *endpoint)
{
	bus_forget_where(bus);
	bus->where.host = strdup(endpoint->host);
	bus->where.vhost = strdup(endpoint->vhost);
	bus->where.user = strdup(endpoint->user);
	bus->where.port = endpoint->port;
	bus->where.tls = endpoint->tls;
	if (bus->where.host == NULL || bus->where.vhost == NULL || bus->where.user == NULL)
		return -1;
	return 0;
}

int bus_open(struct bus *bus, const struct bus_endpoint *endpoint, const struct bus_options *options, int64_t now_ms)
{
	if (bus->state != BUS_DOWN) {
		errno = EISCONN;
		return -1;
	}
	if (bus_remember_where(bus, endpoint) == -1)
		return -1;
	bus->opened_us = clock_us();
	bus->login = bus_login_start(endpoint, options, bus->in_turns);
	if (bus->login == NULL)
		return -1;
	/* The thread bounds all but the name server, whose patience is the resolver's. */
	bus->login_deadline_ms = now_ms + 2 * (int64_t)options->connect_ms + 2 * (int64_t)options->handshake_ms;
	bus->request_ms = options->request_ms != 0 ? options->request_ms : BUS_REQUEST_MS;
	bus->now_ms = bus->stepped_ms = now_ms;
	bus->state = BUS_LOGIN;
	return 0;
}

int bus_fd(const struct bus *bus)
{
	switch (bus->state) {
	case BUS_LOGIN:
		return bus->login->done_fd;
	case BUS_UP:
		return amqp_get_sockfd(bus->connection);
	default:
		return -1;
	}
}

/* When the oldest unanswered request or publish is overdue. While the broker's alarm holds us up, nothing is. */
static int64_t bus_overdue_ms(const struct bus *bus)
{
	int64_t due = CLOCK_NEVER;
	int64_t oldest = confirms_oldest_ms(&bus->confirms);

	if (bus->blocked)
		return CLOCK_NEVER;
	if (bus->nrequests > 0)
		due = bus->requests[bus->first_request].sent_ms + bus->request_ms;
	if (oldest != -1 && oldest + bus->request_ms < due)
		due = oldest + bus->request_ms;
	return due;
}

int64_t bus_deadline_ms(const struct bus *bus)
{
	int64_t due, beat;

	switch (bus->state) {
	case BUS_LOGIN:
		return bus->login_deadline_ms;
	case BUS_FAILING:
		return bus->now_ms;
	case BUS_UP:
		due = bus_overdue_ms(bus);
		beat = bus_beat_due_ms(bus);
		return due < beat ? due : beat;
	default:
		return CLOCK_NEVER;
	}
}

void bus_break(struct bus *bus, enum bus_failure_kind kind, uint16_t code, enum bus_request request, const char *text, size_t length)
{
	if (bus->state == BUS_FAILING || bus->state == BUS_DOWN)
		return;
	bus->failure.kind = kind;
	bus->failure.code = code;
	bus->failure.request = request;
	bus_error_describe(&bus->failure, &bus->where, text, length);
	bus->state = BUS_FAILING;
}

void bus_fail(struct bus *bus, const char *text)
{
	bus_break(bus, BUS_FAILED_LOCAL, 0, BUS_REQUEST_NONE, text, strlen(text));
}

static void bus_login_step(struct bus *bus)
{
	static const char slow[] = "looking up and connecting takes too long";
	uint64_t done;
	amqp_connection_state_t connection;

	if (read(bus->login->done_fd, &done, sizeof done) != sizeof done) {
		if (bus->now_ms >= bus->login_deadline_ms)
			bus_break(bus, BUS_FAILED_LOOKUP, 0, BUS_REQUEST_NONE, slow, sizeof slow - 1);
		return;
	}
	connection = bus_login_finish(bus->login, &bus->in_turns, &bus->failure);
	bus->login = NULL;
	if (connection == NULL) {
		bus->state = BUS_FAILING;
		return;
	}
	bus->connection = connection;
	bus->state = BUS_UP;
	bus_beat_begin(bus);
	bus->login_us = clock_us() - bus->opened_us;
	bus_channel_open(bus);
	if (bus->callbacks->up != NULL)
		bus->callbacks->up(bus->arg);
}

static void bus_settle(struct bus *bus, uint64_t tag, bool multiple, bool good)
{
	struct confirm confirm;

	while (confirms_settle(&bus->confirms, tag, multiple, &confirm)) {
		enum bus_confirm result = !good ? BUS_NACKED : confirm.returned ? BUS_RETURNED : BUS_CONFIRMED;

		if (bus->callbacks->confirm != NULL)
			bus->callbacks->confirm(bus->arg, confirm.sequence, result);
		if (bus->state != BUS_UP)
			return;
	}
}

static void bus_answered(struct bus *bus, enum bus_request expected, uint32_t count)
{
	static const char astray[] = "an answer that fits no request";
	enum bus_request request = bus_request_pop(bus);

	if (request != expected)
		bus_break(bus, BUS_FAILED_LOCAL, 0, request, astray, sizeof astray - 1);
	else if (bus->callbacks->done != NULL)
		bus->callbacks->done(bus->arg, request, count);
}

static enum bus_request request_of(uint16_t class_id, uint16_t method_id)
{
	switch ((amqp_method_number_t)class_id << 16 | method_id) {
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

static void bus_channel_closed(struct bus *bus, const amqp_channel_close_t *closed)
{
	bus_break(bus, BUS_FAILED_CHANNEL, closed->reply_code, request_of(closed->class_id, closed->method_id), closed->reply_text.bytes,
	          closed->reply_text.len);
}

static void bus_set_blocked(struct bus *bus, bool blocked, amqp_bytes_t reason)
{
	char text[128] = "";
	uint64_t held = bus->held_ack;
	unsigned i;

	bus->blocked = blocked;
	if (reason.len < sizeof text)
		memcpy(text, reason.bytes, reason.len);
	if (!blocked) {
		for (i = 0; i < bus->nrequests; i++)
			bus->requests[(bus->first_request + i) % BUS_REQUESTS_MAX].sent_ms = bus->now_ms;
		confirms_restart(&bus->confirms, bus->now_ms);
		bus->held_ack = 0;
		if (held != 0)
			bus_ack(bus, held, true);
	}
	if (bus->callbacks->blocked != NULL)
		bus->callbacks->blocked(bus->arg, blocked, text);
}

static void bus_connection_method(struct bus *bus, const amqp_method_t *method)
{
	const amqp_connection_close_t *closed;
	amqp_connection_close_ok_t ok = {.dummy = 0};

	switch (method->id) {
	case AMQP_CONNECTION_CLOSE_METHOD:
		closed = method->decoded;
		bus_break(bus, BUS_FAILED_CLOSED, closed->reply_code, request_of(closed->class_id, closed->method_id),
		          closed->reply_text.bytes, closed->reply_text.len);
		(void)amqp_send_method(bus->connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
		break;
	case AMQP_CONNECTION_BLOCKED_METHOD:
		bus_set_blocked(bus, true, ((const amqp_connection_blocked_t *)method->decoded)->reason);
		break;
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		bus_set_blocked(bus, false, amqp_empty_bytes);
		break;
	default:
		break;
	}
}

static void bus_channel_method(struct bus *bus, const amqp_method_t *method)
{
	const amqp_basic_ack_t *ack;
	const amqp_basic_nack_t *nack;

	switch (method->id) {
	case AMQP_BASIC_DELIVER_METHOD:
	case AMQP_BASIC_RETURN_METHOD:
		bus_content_begin(bus, method);
		break;
	case AMQP_BASIC_ACK_METHOD:
		ack = method->decoded;
		bus_settle(bus, ack->delivery_tag, ack->multiple, true);
		break;
	case AMQP_BASIC_NACK_METHOD:
		nack = method->decoded;
		bus_settle(bus, nack->delivery_tag, nack->multiple, false);
		break;
	case AMQP_BASIC_CANCEL_METHOD:
		if (bus->callbacks->cancelled != NULL)
			bus->callbacks->cancelled(bus->arg);
		break;
	case AMQP_CHANNEL_CLOSE_METHOD:
		bus_channel_closed(bus, method->decoded);
		break;
	case AMQP_CHANNEL_OPEN_OK_METHOD:
		bus_answered(bus, BUS_REQUEST_CHANNEL, 0);
		break;
	case AMQP_CONFIRM_SELECT_OK_METHOD:
		bus_answered(bus, BUS_REQUEST_CONFIRM_SELECT, 0);
		break;
	case AMQP_EXCHANGE_DECLARE_OK_METHOD:
		bus_answered(bus, BUS_REQUEST_EXCHANGE_DECLARE, 0);
		break;
	case AMQP_QUEUE_DECLARE_OK_METHOD:
		bus_answered(bus, BUS_REQUEST_QUEUE_DECLARE, ((const amqp_queue_declare_ok_t *)method->decoded)->message_count);
		break;
	case AMQP_QUEUE_UNBIND_OK_METHOD:
		bus_answered(bus, BUS_REQUEST_QUEUE_UNBIND, 0);
		break;
	case AMQP_QUEUE_BIND_OK_METHOD:
		bus_answered(bus, BUS_REQUEST_QUEUE_BIND, 0);
		break;
	case AMQP_QUEUE_DELETE_OK_METHOD:
		bus_answered(bus, BUS_REQUEST_QUEUE_DELETE, ((const amqp_queue_delete_ok_t *)method->decoded)->message_count);
		break;
	case AMQP_BASIC_QOS_OK_METHOD:
		bus_answered(bus, BUS_REQUEST_QOS, 0);
		break;
	case AMQP_BASIC_CONSUME_OK_METHOD:
		bus_answered(bus, BUS_REQUEST_CONSUME, 0);
		break;
	default:
		break;
	}
}

static void bus_frame(struct bus *bus, const amqp_frame_t *frame)
{
	if (frame->frame_type == AMQP_FRAME_METHOD && frame->channel == 0)
		bus_connection_method(bus, &frame->payload.method);
	else if (frame->frame_type == AMQP_FRAME_METHOD)
		bus_channel_method(bus, &frame->payload.method);
	else
		bus_content_frame(bus, frame);
	if (frame->frame_type == AMQP_FRAME_HEADER)
		bus->since_release += (unsigned)(frame->payload.properties.raw.len / RELEASE_BYTES);
	/* Not in the middle of a message: its properties live in the library's buffers. */
	if (++bus->since_release >= RELEASE_EVERY && bus->content.kind == BUS_CONTENT_NONE) {
		amqp_maybe_release_buffers(bus->connection);
		bus->since_release = 0;
	}
}

static void bus_check_overdue(struct bus *bus)
{
	enum bus_request request = bus->nrequests > 0 ? bus->requests[bus->first_request].request : BUS_REQUEST_NONE;
	const char *what = bus_error_request_name(request);

	if (bus->state == BUS_UP && bus->now_ms >= bus_overdue_ms(bus))
		bus_break(bus, BUS_FAILED_TIMEOUT, 0, request, what, strlen(what));
}

/* Returns whether max_frames stopped it. */
static bool bus_read(struct bus *bus, unsigned max_frames)
{
	struct timeval none = {.tv_sec = 0, .tv_usec = 0};
	amqp_frame_t frame;
	unsigned count = 0;
	int status;

	while (bus->state == BUS_UP && (max_frames == 0 || count++ < max_frames)) {
		status = amqp_simple_wait_frame_noblock(bus->connection, &frame, &none);
		if (status == AMQP_STATUS_TIMEOUT) {
			if (bus->content.kind == BUS_CONTENT_NONE && bus->since_release > 0) {
				amqp_maybe_release_buffers(bus->connection);
				bus->since_release = 0;
			}
			return false;
		}
		if (status == AMQP_STATUS_OK)
			bus_frame(bus, &frame);
		else
			bus_break(bus, BUS_FAILED_LOST, 0, BUS_REQUEST_NONE, amqp_error_string2(status), strlen(amqp_error_string2(status)));
	}
	return bus->state == BUS_UP;
}

bool bus_step(struct bus *bus, int64_t now_ms, unsigned max_frames)
{
	bool more = false;

	bus->now_ms = now_ms;
	if (bus->state == BUS_LOGIN)
		bus_login_step(bus);
	if (bus->state == BUS_UP)
		bus_beat_step(bus);
	bus->stepped_ms = now_ms;
	if (bus->state == BUS_UP) {
		more = bus_read(bus, max_frames);
		if (!more)
			bus_check_overdue(bus);
	}
	if (bus->state == BUS_UP && !more)
		bus_beat_wait(bus);
	if (bus->state != BUS_FAILING)
		return more;
	bus_tear_down(bus);
	if (bus->callbacks->down != NULL)
		bus->callbacks->down(bus->arg, &bus->failure);
	return false;
}

bool bus_is_up(const struct bus *bus)
{
	return bus->state == BUS_UP;
}

bool bus_is_blocked(const struct bus *bus)
{
	return bus->blocked;
}

int bus_local_address(const struct bus *bus, struct address *out)
{
	struct sockaddr_storage local;
	socklen_t length = sizeof local;

	if (bus->state != BUS_UP || getsockname(amqp_get_sockfd(bus->connection), (struct sockaddr *)&local, &length) == -1)
		return -1;
	return address_from_sockaddr((const struct sockaddr *)&local, out);
}

size_t bus_peer(const struct bus *bus, struct sockaddr_storage *out)
{
	socklen_t length = sizeof *out;

	if (bus->state != BUS_UP || getpeername(amqp_get_sockfd(bus->connection), (struct sockaddr *)out, &length) == -1)
		return 0;
	return length;
}

const char *bus_user(const struct bus *bus)
{
	return bus->where.user != NULL ? bus->where.user : "";
}

int64_t bus_login_us(const struct bus *bus)
{
	return bus->login_us;
}

size_t bus_unconfirmed(const struct bus *bus)
{
	return bus->confirms.waiting;
}

void bus_close(struct bus *bus)
{
	amqp_connection_close_t goodbye = {.reply_code = AMQP_REPLY_SUCCESS, .reply_text = amqp_cstring_bytes("goodbye")};

	if (bus->state == BUS_UP && bus_writable(bus))
		(void)amqp_send_method(bus->connection, 0, AMQP_CONNECTION_CLOSE_METHOD, &goodbye);
	bus_tear_down(bus);
}
