#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus_amqp.h"
#include "bus_error.h"
#include "bus_tls.h"
#include "shared/clock.h"
#include "shared/gateway.h"

#define LOGIN_STACK ((size_t)256 * 1024)

/* Looking up, connecting and logging in: librabbitmq blocks in all three, so a short-lived thread does them. */

static char *copy_text(const char *text, bool *failed)
{
	char *copy = text == NULL ? NULL : strdup(text);

	if (text != NULL && copy == NULL)
		*failed = true;
	return copy;
}

static void login_free(struct bus_login *login)
{
	if (login->endpoint.password != NULL)
		explicit_bzero(login->endpoint.password, strlen(login->endpoint.password));
	free(login->endpoint.host);
	free(login->endpoint.vhost);
	free(login->endpoint.user);
	free(login->endpoint.password);
	free(login->tls.ca);
	free(login->tls.cert);
	free(login->tls.key);
	free(login->tls.server_name);
	free(login->client_name);
	if (login->connection != NULL)
		amqp_destroy_connection(login->connection);
	if (login->done_fd != -1)
		close(login->done_fd);
	free(login);
}

static struct bus_login *login_new(const struct bus_endpoint *endpoint, const struct bus_options *options)
{
	struct bus_login *login = calloc(1, sizeof *login);
	bool failed = false;

	if (login == NULL)
		return NULL;
	login->options = *options;
	login->endpoint = *endpoint;
	login->endpoint.host = copy_text(endpoint->host, &failed);
	login->endpoint.vhost = copy_text(endpoint->vhost, &failed);
	login->endpoint.user = copy_text(endpoint->user, &failed);
	login->endpoint.password = copy_text(endpoint->password, &failed);
	if (options->tls != NULL) {
		login->tls = *options->tls;
		login->tls.ca = copy_text(options->tls->ca, &failed);
		login->tls.cert = copy_text(options->tls->cert, &failed);
		login->tls.key = copy_text(options->tls->key, &failed);
		login->tls.server_name = copy_text(options->tls->server_name, &failed);
	}
	login->client_name = copy_text(options->client_name, &failed);
	login->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (failed || login->done_fd == -1) {
		login_free(login);
		return NULL;
	}
	return login;
}

static int login_failed(struct bus_login *login, enum bus_failure_kind kind, uint16_t code, const char *text, size_t length)
{
	login->failure.kind = kind;
	login->failure.code = code;
	login->failure.request = BUS_REQUEST_NONE;
	bus_error_describe(&login->failure, &login->endpoint, text, length);
	return -1;
}

static int login_failed_text(struct bus_login *login, enum bus_failure_kind kind, const char *text)
{
	return login_failed(login, kind, 0, text, strlen(text));
}

static struct timeval timeval_of(uint32_t ms)
{
	return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static amqp_socket_t *login_socket(struct bus_login *login, const char *host)
{
	amqp_socket_t *sock = NULL;
	char text[160] = "this callsign-emit was built without TLS: use amqp://, or a build that has it";

	if (!login->endpoint.tls) {
		sock = amqp_tcp_socket_new(login->connection);
		if (sock == NULL)
			login_failed_text(login, BUS_FAILED_LOCAL, "out of memory");
		return sock;
	}
#ifdef WITH_TLS
	sock = amqp_ssl_socket_new(login->connection);
	if (sock == NULL) {
		login_failed_text(login, BUS_FAILED_TLS, "OpenSSL cannot be set up");
		return NULL;
	}
	/* OpenSSL does the verifying, with a better check of names and a reason for each failure: see bus_tls.h. */
	amqp_ssl_socket_set_verify_peer(sock, login->tls.verify);
	amqp_ssl_socket_set_verify_hostname(sock, 0);
	login->ssl = NULL;
	bus_tls_watch(amqp_ssl_socket_get_context(sock), &login->ssl);
	if (bus_tls_prepare(amqp_ssl_socket_get_context(sock), &login->tls, host, text, sizeof text) == 0)
		return sock;
#else
	(void)host;
#endif
	login_failed_text(login, BUS_FAILED_TLS, text);
	return NULL;
}

#ifdef WITH_TLS
static bool is_tls_error(const struct bus_login *login, int status)
{
	return login->endpoint.tls && status <= AMQP_STATUS_SSL_ERROR && status > AMQP_STATUS_SSL_ERROR - 0x100;
}

static int login_tls_failed(struct bus_login *login, const char *otherwise)
{
	char why[200];

	return login_failed_text(login, BUS_FAILED_TLS, bus_tls_failure(otherwise, why, sizeof why));
}
#endif

static int login_timed_out(struct bus_login *login, uint32_t ms)
{
	char text[80];

	/* With TLS, librabbitmq has one timeout for connecting and for the handshake. */
	snprintf(text, sizeof text, "%s within %u ms", login->endpoint.tls ? "no connection, or no answer to the TLS handshake," : "no answer",
	         (unsigned)ms);
	return login_failed_text(login, login->endpoint.tls ? BUS_FAILED_TLS : BUS_FAILED_CONNECT, text);
}

static int login_connect_failed(struct bus_login *login, int status, uint32_t ms)
{
	const char *text = amqp_error_string2(status);

	switch (status) {
	case AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED:
		return login_failed_text(login, BUS_FAILED_LOOKUP, "no such host, or no name server answers");
	case AMQP_STATUS_TIMEOUT:
		return login_timed_out(login, ms);
	case AMQP_STATUS_SOCKET_ERROR:
		/* A connection that was refused later than connect() returned: librabbitmq keeps the reason to itself. */
		if (errno == EINPROGRESS)
			text = "refused, or out of reach";
		else if (errno != 0)
			text = strerror(errno);
		return login_failed_text(login, BUS_FAILED_CONNECT, text);
	default:
		break;
	}
#ifdef WITH_TLS
	if (is_tls_error(login, status))
		return login_tls_failed(login, "the connection was closed during the handshake: is it a TLS port?");
#endif
	return login_failed_text(login, BUS_FAILED_CONNECT, text);
}

/* "gateway" becomes the address that it stands for now: that is what a certificate and a message should name. */
static int login_find_gateway(struct bus_login *login)
{
	char gateway[GATEWAY_TEXT_SIZE];
	char *host;

	if (strcmp(login->endpoint.host, "gateway") != 0)
		return 0;
	if (gateway_find(gateway) == -1)
		return login_failed_text(login, BUS_FAILED_LOOKUP, "there is no default route, so no gateway (a network that is --internal may have none: name the broker by its address there)");
	host = strdup(gateway);
	if (host == NULL)
		return login_failed_text(login, BUS_FAILED_LOCAL, "out of memory");
	free(login->endpoint.host);
	login->endpoint.host = host;
	return 0;
}

static int login_connect(struct bus_login *login)
{
	uint32_t ms = login->endpoint.tls ? login->options.handshake_ms : login->options.connect_ms;
	struct timeval timeout = timeval_of(ms);
	unsigned user_timeout = login->options.user_timeout_ms;
	amqp_socket_t *sock;
	int status, fd;

	if (login_find_gateway(login) == -1)
		return -1;
	sock = login_socket(login, login->endpoint.host);
	if (sock == NULL)
		return -1;
	errno = 0;
	status = amqp_socket_open_noblock(sock, login->endpoint.host, login->endpoint.port, &timeout);
	if (status != AMQP_STATUS_OK)
		return login_connect_failed(login, status, ms);
	fd = amqp_get_sockfd(login->connection);
	/* Both are refinements: without them a dead peer is noticed by the heartbeat, and a child could inherit the socket. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

/* What is not AMQP: silence, another protocol, an end. */
static int login_unanswered(struct bus_login *login, int status)
{
	switch (status) {
	case AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD:
		return login_failed_text(login, BUS_FAILED_LOGIN, login->endpoint.password == NULL
			? "it does not take client certificates (EXTERNAL), and no password is set"
			: "it does not take passwords (PLAIN)");
	case AMQP_STATUS_TIMEOUT:
		return login_failed_text(login, BUS_FAILED_HANDSHAKE, "connected, but it is silent");
	case AMQP_STATUS_SOCKET_ERROR:
	case AMQP_STATUS_CONNECTION_CLOSED:
		return login_failed_text(login, BUS_FAILED_HANDSHAKE, "it closed the connection");
	default:
		break;
	}
#ifdef WITH_TLS
	/* With TLS 1.3 the broker's opinion of our certificate comes after the handshake. */
	if (is_tls_error(login, status))
		return login_tls_failed(login, login->tls.cert == NULL
			? "it closed the connection after the handshake: does it ask for a client certificate (tls cert and key)?"
			: "it closed the connection after the handshake: does it accept our tls cert?");
#endif
	return login_failed_text(login, BUS_FAILED_HANDSHAKE, amqp_error_string2(status));
}

static int login_refused(struct bus_login *login, const amqp_rpc_reply_t *reply)
{
	const amqp_connection_close_t *closed;

	if (reply->reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply->reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
		closed = reply->reply.decoded;
		return login_failed(login, BUS_FAILED_LOGIN, closed->reply_code, closed->reply_text.bytes, closed->reply_text.len);
	}
	if (reply->reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
		return login_unanswered(login, reply->library_error);
	return login_failed_text(login, BUS_FAILED_HANDSHAKE, "unexpected answer");
}

/* The login may take what connecting and the TLS handshake have left of handshake_ms. */
static int login_set_timeout(struct bus_login *login, int64_t begun_ms)
{
	int64_t left = login->options.handshake_ms - (clock_ms() - begun_ms);
	struct timeval timeout = timeval_of(left > 1 ? (uint32_t)left : 1);

	if (amqp_set_handshake_timeout(login->connection, &timeout) == AMQP_STATUS_OK)
		return 0;
	return login_failed_text(login, BUS_FAILED_LOCAL, "out of memory");
}

/* RabbitMQ has always said what it is. Of one that says nothing nobody knows, and it may do. */
static int login_judge(struct bus_login *login)
{
	const struct bus_broker *broker = &login->broker;
	char text[200];

	if (broker->product[0] == '\0' || broker->number >= BUS_VERSION_OLDEST)
		return 0;
	snprintf(text, sizeof text, "it is %s %s, and this needs RabbitMQ 3.8 or newer: its last wills and direct answers are RabbitMQ's own",
	         broker->product, broker->version[0] != '\0' ? broker->version : "of no known version");
	return login_failed_text(login, BUS_FAILED_BROKER, text);
}

/* With its own words, as when it closes later: a login that was taken is no wrong address. */
static void login_closed(struct bus_login *login, const amqp_connection_close_t *closed)
{
	login_failed(login, BUS_FAILED_CLOSED, closed->reply_code, closed->reply_text.bytes, closed->reply_text.len);
}

/* Something that came together with the login's end, or half of it. Returns an AMQP_STATUS_. */
static int login_take_leftover(struct bus_login *login, int64_t deadline_ms, bool *closed)
{
	int64_t left = deadline_ms - clock_ms();
	struct timeval timeout = timeval_of(left > 0 ? (uint32_t)left : 0);
	amqp_frame_t frame;
	int status;

	/* Whoever has always something more to say would have us listen for ever. */
	if (left <= 0)
		return AMQP_STATUS_TIMEOUT;
	status = amqp_simple_wait_frame_noblock(login->connection, &frame, &timeout);
	if (status != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_METHOD || frame.channel != 0)
		return status;
	if (frame.payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD)
		login->blocked = true;
	*closed = frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD;
	if (*closed)
		login_closed(login, frame.payload.method.decoded);
	return status;
}

/*
 * librabbitmq only writes from here on, so that it must have nothing in its buffers, and watch no heartbeats: it would read the connection to find out about
 * theirs, and send ours when it likes (bus_beat.c).
 */
static int login_hand_over(struct bus_login *login)
{
	amqp_connection_state_t connection = login->connection;
	int64_t deadline_ms = clock_ms() + login->options.connect_ms;
	int status = AMQP_STATUS_OK;
	bool closed = false;

	while (status == AMQP_STATUS_OK && !closed && (amqp_frames_enqueued(connection) || amqp_data_in_buffer(connection) || !amqp_release_buffers_ok(connection)))
		status = login_take_leftover(login, deadline_ms, &closed);
	if (closed)
		return -1;
	if (status != AMQP_STATUS_OK)
		return login_failed_text(login, BUS_FAILED_LOST, status == AMQP_STATUS_TIMEOUT ? "what it sent behind the login has no end" : "it closed the connection");
	amqp_release_buffers(connection);
	if (amqp_tune_connection(connection, amqp_get_channel_max(connection), amqp_get_frame_max(connection), 0) == AMQP_STATUS_OK)
		return 0;
	return login_failed_text(login, BUS_FAILED_LOCAL, "out of memory");
}

/* A connection as it is before the login. */
static int login_begin(struct bus_login *login)
{
	if (login->connection != NULL)
		amqp_destroy_connection(login->connection);
	login->connection = amqp_new_connection();
	if (login->connection == NULL)
		return login_failed_text(login, BUS_FAILED_LOCAL, "out of memory");
	return login_connect(login);
}

#ifdef WITH_TLS
static void login_settle_tls(struct bus_login *login)
{
	bus_tls_unwatch(login->ssl);
	bus_tls_settle(amqp_ssl_socket_get_context(amqp_get_socket(login->connection)));
}
#endif

static int login_run(struct bus_login *login)
{
	int64_t begun_ms = clock_ms();
	bool at_once = !login->in_turns && bus_handshake_fits_at_once(login);
	enum bus_handshake_end end = BUS_HANDSHAKE_AGAIN;
	amqp_rpc_reply_t reply;

	if (login_begin(login) == -1)
		return -1;
	if (at_once) {
		end = bus_handshake_at_once(login, begun_ms + login->options.handshake_ms, &reply);
		login->in_turns = end != BUS_HANDSHAKE_ANSWERED;
		if (end == BUS_HANDSHAKE_AGAIN && login_begin(login) == -1)
			return -1;
	}
	if (end == BUS_HANDSHAKE_AGAIN) {
		if (login_set_timeout(login, begun_ms) == -1)
			return -1;
		reply = bus_handshake_in_turns(login);
	}
	if (reply.reply_type != AMQP_RESPONSE_NORMAL)
		return login_refused(login, &reply);
#ifdef WITH_TLS
	if (login->endpoint.tls)
		login_settle_tls(login);
#endif
	if (login_judge(login) == -1)
		return -1;
	return login_hand_over(login);
}

static void login_release(struct bus_login *login)
{
	if (atomic_exchange(&login->released, true))
		login_free(login);
}

static void *login_thread(void *arg)
{
	struct bus_login *login = arg;
	const uint64_t one = 1;

	if (login_run(login) == -1 && login->connection != NULL) {
		amqp_destroy_connection(login->connection);
		login->connection = NULL;
	}
	/* An eventfd that was just made takes a 1 always. */
	if (write(login->done_fd, &one, sizeof one) == -1)
		abort();
	login_release(login);
	return NULL;
}

struct bus_login *bus_login_start(const struct bus_endpoint *endpoint, const struct bus_options *options, bool in_turns)
{
	struct bus_login *login = login_new(endpoint, options);
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	int error;

	if (login == NULL)
		return NULL;
	login->in_turns = in_turns;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, LOGIN_STACK);
	/* Signals are the main thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &attributes, login_thread, login);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (error != 0) {
		login_free(login);
		errno = error;
		return NULL;
	}
	return login;
}

void bus_login_finish(struct bus_login *login, struct bus_login_end *out)
{
	*out = (struct bus_login_end){
		.connection = login->connection,
		.ssl = login->ssl,
		.heartbeat_s = login->heartbeat_s,
		.blocked = login->blocked,
		.in_turns = login->in_turns,
		.broker = login->broker,
		.failure = login->failure,
	};
	login->connection = NULL;
	login_release(login);
}

void bus_login_abandon(struct bus_login *login)
{
	login_release(login);
}
