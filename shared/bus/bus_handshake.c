#include <config.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "bus_amqp.h"
#include "bus_cause.h"
#include "shared/clock.h"

/*
 * The AMQP part of a login (AMQP 0-9-1, section 2.2.4): the header, start-ok, tune-ok, open. Each but the first answers something of the broker's, so
 * that taking turns costs three times the way there and back, and on a busy machine the wait for a processor each time. But RabbitMQ says nothing there
 * that we do not know already, and reads what has come before it was asked for. So all is sent at once, and its answers are read afterwards: if they
 * turn out to be others than expected, or if it does not like that at all, we start again in turns.
 */

#define PORT_AMQPS 5671
#define PLAIN_MAX  2048 /* user and password, for a new socket to take it all without waiting */

static const char header[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1}; /* section 4.2.2 */

static amqp_table_entry_t property(const char *key, const char *value)
{
	amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};

	entry.value.kind = AMQP_FIELD_KIND_UTF8;
	entry.value.value.bytes = amqp_cstring_bytes(value);
	return entry;
}

static amqp_table_entry_t capability(const char *key)
{
	amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};

	entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
	entry.value.value.boolean = 1;
	return entry;
}

/* What we say of ourselves. */
struct properties {
	amqp_table_entry_t capabilities[5];
	amqp_table_entry_t entries[4];
	amqp_table_t table;
};

static void properties_fill(struct properties *out, const char *client_name)
{
	/* Without these the broker tells nothing of a cancelled consumer or of an alarm, and a wrong password is just a closed socket. */
	out->capabilities[0] = capability("authentication_failure_close");
	out->capabilities[1] = capability("basic.nack");
	out->capabilities[2] = capability("connection.blocked");
	out->capabilities[3] = capability("consumer_cancel_notify");
	out->capabilities[4] = capability("publisher_confirms");
	out->entries[0] = property("product", "callsign");
	out->entries[1] = property("version", PACKAGE_VERSION);
	out->entries[2] = property("connection_name", client_name != NULL ? client_name : "callsign");
	out->entries[3].key = amqp_cstring_bytes("capabilities");
	out->entries[3].value.kind = AMQP_FIELD_KIND_TABLE;
	out->entries[3].value.value.table.num_entries = sizeof out->capabilities / sizeof *out->capabilities;
	out->entries[3].value.value.table.entries = out->capabilities;
	out->table.num_entries = sizeof out->entries / sizeof *out->entries;
	out->table.entries = out->entries;
}

static struct bus_text table_text(const amqp_table_t *table, const char *key)
{
	int i;

	for (i = 0; i < table->num_entries; i++) {
		const amqp_table_entry_t *entry = &table->entries[i];

		if (entry->value.kind == AMQP_FIELD_KIND_UTF8 && entry->key.len == strlen(key) && memcmp(entry->key.bytes, key, entry->key.len) == 0)
			return (struct bus_text){.data = entry->value.value.bytes.bytes, .length = entry->value.value.bytes.len};
	}
	return (struct bus_text){.data = NULL};
}

/* What the other side says of itself. */
static void handshake_note_broker(struct bus_login *login, const amqp_table_t *properties)
{
	struct bus_text product = table_text(properties, "product"), version = table_text(properties, "version");

	bus_broker_read(&login->broker, &product, &version);
}

static amqp_rpc_reply_t login_in_turns(struct bus_login *login)
{
	const struct bus_endpoint *to = &login->endpoint;
	struct properties properties;

	properties_fill(&properties, login->client_name);
	if (to->password == NULL)
		return amqp_login_with_properties(login->connection, to->vhost, BUS_CHANNEL + 1, login->options.frame_max,
		                                  login->options.heartbeat_s, &properties.table, AMQP_SASL_METHOD_EXTERNAL, to->user);
	return amqp_login_with_properties(login->connection, to->vhost, BUS_CHANNEL + 1, login->options.frame_max,
	                                  login->options.heartbeat_s, &properties.table, AMQP_SASL_METHOD_PLAIN, to->user, to->password);
}

amqp_rpc_reply_t bus_handshake_in_turns(struct bus_login *login)
{
	amqp_rpc_reply_t reply = login_in_turns(login);

	if (reply.reply_type == AMQP_RESPONSE_NORMAL)
		handshake_note_broker(login, amqp_get_server_properties(login->connection));
	login->heartbeat_s = (uint16_t)amqp_get_heartbeat(login->connection);
	return reply;
}

bool bus_handshake_fits_at_once(const struct bus_login *login)
{
	const struct bus_endpoint *to = &login->endpoint;

	/*
	 * librabbitmq gives nobody else a way to write the header to a TLS connection. And where TLS is spoken an s was forgotten in amqps://, so that what
	 * answers there is not to have the password before it has said a word of AMQP.
	 */
	return !to->tls && to->port != PORT_AMQPS && to->password != NULL && strlen(to->user) + strlen(to->password) <= PLAIN_MAX;
}

/* RFC 4616: no authorization identity, then user and password, each behind a NUL. */
static int send_plain(struct bus_login *login)
{
	const struct bus_endpoint *to = &login->endpoint;
	size_t user = strlen(to->user), password = strlen(to->password);
	char response[PLAIN_MAX + 2];
	struct properties properties;
	amqp_connection_start_ok_t start_ok = {
		.mechanism = amqp_cstring_bytes("PLAIN"),
		.response = {.len = user + password + 2, .bytes = response},
		.locale = amqp_cstring_bytes("en_US"),
	};
	int status;

	properties_fill(&properties, login->client_name);
	start_ok.client_properties = properties.table;
	response[0] = response[user + 1] = '\0';
	memcpy(response + 1, to->user, user);
	memcpy(response + user + 2, to->password, password);
	status = amqp_send_method(login->connection, 0, AMQP_CONNECTION_START_OK_METHOD, &start_ok);
	explicit_bzero(response, sizeof response);
	return status;
}

/* In one segment. Returns an AMQP_STATUS_. */
static int send_all(struct bus_login *login)
{
	amqp_connection_tune_ok_t tune_ok = {
		.channel_max = BUS_CHANNEL + 1,
		.frame_max = (uint32_t)login->options.frame_max,
		.heartbeat = login->options.heartbeat_s,
	};
	amqp_connection_open_t open = {.virtual_host = amqp_cstring_bytes(login->endpoint.vhost), .insist = 1};
	int fd = amqp_get_sockfd(login->connection);
	int on = 1, off = 0, status;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
	if (send(fd, header, sizeof header, MSG_NOSIGNAL) != sizeof header)
		return AMQP_STATUS_SOCKET_ERROR;
	status = send_plain(login);
	if (status == AMQP_STATUS_OK)
		status = amqp_send_method(login->connection, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &tune_ok);
	if (status == AMQP_STATUS_OK)
		status = amqp_send_method(login->connection, 0, AMQP_CONNECTION_OPEN_METHOD, &open);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
	return status;
}

/* The next method, which is to be `expected` or connection.close. Returns an AMQP_STATUS_. */
static int await(struct bus_login *login, amqp_method_number_t expected, int64_t deadline_ms, amqp_method_t *out)
{
	int64_t left = deadline_ms - clock_ms();
	struct timeval timeout = {.tv_sec = (time_t)(left / 1000), .tv_usec = (suseconds_t)(left % 1000) * 1000};
	amqp_frame_t frame;
	int status;

	if (left <= 0)
		return AMQP_STATUS_TIMEOUT;
	status = amqp_simple_wait_frame_noblock(login->connection, &frame, &timeout);
	if (status != AMQP_STATUS_OK)
		return status;
	if (frame.frame_type != AMQP_FRAME_METHOD || frame.channel != 0 ||
	    (frame.payload.method.id != expected && frame.payload.method.id != AMQP_CONNECTION_CLOSE_METHOD))
		return AMQP_STATUS_WRONG_METHOD;
	*out = frame.payload.method;
	return AMQP_STATUS_OK;
}

static bool takes_plain(const amqp_connection_start_t *start)
{
	static const char name[] = "PLAIN";
	const char *list = start->mechanisms.bytes, *space;
	size_t left = start->mechanisms.len, length;

	while (left > 0) {
		space = memchr(list, ' ', left);
		length = space != NULL ? (size_t)(space - list) : left;
		if (length == sizeof name - 1 && memcmp(list, name, length) == 0)
			return true;
		length += space != NULL;
		list += length;
		left -= length;
	}
	return false;
}

/* Whether it is content with what we have told it already. 0 means no limit. */
static bool agrees(const struct bus_login *login, const amqp_connection_tune_t *tune)
{
	return (tune->channel_max == 0 || tune->channel_max >= BUS_CHANNEL + 1) &&
	       (tune->frame_max == 0 || tune->frame_max >= (uint32_t)login->options.frame_max) &&
	       (tune->heartbeat == 0 || tune->heartbeat >= login->options.heartbeat_s);
}

/* One answer after the other. *method: the last one, open-ok or connection.close. Returns an AMQP_STATUS_. */
static int read_answers(struct bus_login *login, int64_t deadline_ms, amqp_method_t *method)
{
	int status = await(login, AMQP_CONNECTION_START_METHOD, deadline_ms, method);

	if (status != AMQP_STATUS_OK || method->id == AMQP_CONNECTION_CLOSE_METHOD)
		return status;
	handshake_note_broker(login, &((const amqp_connection_start_t *)method->decoded)->server_properties);
	if (!takes_plain(method->decoded))
		return AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD;
	status = await(login, AMQP_CONNECTION_TUNE_METHOD, deadline_ms, method);
	if (status != AMQP_STATUS_OK || method->id == AMQP_CONNECTION_CLOSE_METHOD)
		return status;
	if (!agrees(login, method->decoded))
		return AMQP_STATUS_WRONG_METHOD;
	status = await(login, AMQP_CONNECTION_OPEN_OK_METHOD, deadline_ms, method);
	if (status != AMQP_STATUS_OK || method->id == AMQP_CONNECTION_CLOSE_METHOD)
		return status;
	amqp_maybe_release_buffers(login->connection);
	login->heartbeat_s = login->options.heartbeat_s;
	return amqp_tune_connection(login->connection, BUS_CHANNEL + 1, login->options.frame_max, login->options.heartbeat_s);
}

/* Whether it says that we have broken the protocol: 501 (frame error) to 505 (unexpected frame). A refusal is 403 or 530. */
static bool is_about_protocol(const amqp_method_t *closed)
{
	uint16_t code = ((const amqp_connection_close_t *)closed->decoded)->reply_code;

	return code >= AMQP_FRAME_ERROR && code <= AMQP_UNEXPECTED_FRAME;
}

enum bus_handshake_end bus_handshake_at_once(struct bus_login *login, int64_t deadline_ms, amqp_rpc_reply_t *reply)
{
	amqp_method_t method = {.id = 0};
	int64_t begun_ms = clock_ms();
	int status = send_all(login);

	memset(reply, 0, sizeof *reply);
	if (status == AMQP_STATUS_OK)
		status = read_answers(login, deadline_ms, &method);
	if (status == AMQP_STATUS_OK && method.id == AMQP_CONNECTION_CLOSE_METHOD) {
		reply->reply_type = AMQP_RESPONSE_SERVER_EXCEPTION;
		reply->reply = method;
		return is_about_protocol(&method) ? BUS_HANDSHAKE_AGAIN : BUS_HANDSHAKE_ANSWERED;
	}
	reply->reply_type = status == AMQP_STATUS_OK ? AMQP_RESPONSE_NORMAL : AMQP_RESPONSE_LIBRARY_EXCEPTION;
	reply->library_error = status;
	if (status == AMQP_STATUS_OK || status == AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD)
		return BUS_HANDSHAKE_ANSWERED;
	/* One that gives us up after seconds, or that we give up, has too much to do more likely than it minds our way: it is not to have it all twice. */
	if (status == AMQP_STATUS_TIMEOUT || clock_ms() - begun_ms >= login->options.connect_ms)
		return BUS_HANDSHAKE_UNCLEAR;
	return BUS_HANDSHAKE_AGAIN;
}
