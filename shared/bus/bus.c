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

#define STEP_FRAMES 8192 /* where the caller sets no bound: what is sent for ever is not to keep it from all else */

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
	bus_input_end(&bus->input);
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
	bus->receive_max = (size_t)(options->receive_max > options->frame_max ? options->receive_max : options->frame_max);
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
		if (bus->more)
			return bus->now_ms;
		due = bus_overdue_ms(bus);
		beat = bus_beat_due_ms(bus);
		return due < beat ? due : beat;
	default:
		return CLOCK_NEVER;
	}
}

void bus_mute(struct bus *bus)
{
	static const char loopback[] = "lo"; /* no route over it leads to a broker elsewhere */

	if (bus->state == BUS_UP)
		(void)setsockopt(amqp_get_sockfd(bus->connection), SOL_SOCKET, SO_BINDTODEVICE, loopback, sizeof loopback);
}

/* From here on librabbitmq only writes. 0, or -1. */
static int bus_take_over(struct bus *bus, const struct bus_login_end *end)
{
	memset(&bus->content, 0, sizeof bus->content);
	bus->connection = end->connection;
	bus->broker = end->broker;
	bus->heartbeat_ms = (int64_t)end->heartbeat_s * 1000;
	bus_beat_begin(bus);
	return bus_input_begin(&bus->input, amqp_get_sockfd(bus->connection), end->ssl, bus->receive_max);
}

static void bus_login_step(struct bus *bus)
{
	static const char slow[] = "looking up and connecting takes too long";
	struct bus_login_end end;
	uint64_t done;

	if (read(bus->login->done_fd, &done, sizeof done) != sizeof done) {
		if (bus->now_ms >= bus->login_deadline_ms)
			bus_break(bus, BUS_FAILED_LOOKUP, 0, BUS_REQUEST_NONE, slow, sizeof slow - 1);
		return;
	}
	bus_login_finish(bus->login, &end);
	bus->login = NULL;
	bus->in_turns = end.in_turns;
	bus->failure = end.failure;
	if (end.connection == NULL) {
		bus->state = BUS_FAILING;
		return;
	}
	bus->state = BUS_UP;
	if (bus_take_over(bus, &end) == -1) {
		bus_fail(bus, "out of memory");
		return;
	}
	bus->login_us = clock_us() - bus->opened_us;
	bus_channel_open(bus);
	if (bus->callbacks->up != NULL)
		bus->callbacks->up(bus->arg);
	if (end.blocked && bus->state == BUS_UP)
		bus_set_blocked(bus, true, "");
}

static void bus_check_overdue(struct bus *bus)
{
	enum bus_request request = bus->nrequests > 0 ? bus->requests[bus->first_request].request : BUS_REQUEST_NONE;
	const char *what = bus_error_request_name(request);

	if (bus->state == BUS_UP && bus->now_ms >= bus_overdue_ms(bus))
		bus_break(bus, BUS_FAILED_TIMEOUT, 0, request, what, strlen(what));
}

bool bus_step(struct bus *bus, int64_t now_ms, unsigned max_frames)
{
	bool more = false;

	bus->now_ms = now_ms;
	bus->more = false;
	if (bus->state == BUS_LOGIN)
		bus_login_step(bus);
	if (bus->state == BUS_UP)
		bus_beat_step(bus);
	bus->stepped_ms = now_ms;
	if (bus->state == BUS_UP) {
		more = bus_read(bus, max_frames != 0 ? max_frames : STEP_FRAMES);
		if (!more)
			bus_check_overdue(bus);
	}
	if (bus->state == BUS_UP && !more)
		bus_beat_wait(bus);
	bus->more = more;
	if (bus->state != BUS_FAILING)
		return more && max_frames != 0;
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

const struct bus_broker *bus_broker(const struct bus *bus)
{
	return &bus->broker;
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
