/*
 * bare: the least that any program must do to publish one message: connect, log in, open a channel, publish. What callsign-emit needs beyond
 * it is its own. librabbitmq is used as directly as it can be, so this is the one program beside those in shared/bus/ that knows it.
 *
 *   bare [-s | -o] [-t CA] ADDRESS PORT VHOST USER PASSWORD-FILE ROUTING-KEY
 *
 * Publishes an announcement-sized body to the exchange callsign. Exits 0 without saying goodbye.
 *
 *   -s     stays until it is ended, and does what heartbeats ask for: the least that a connection at rest takes
 *   -o     only sends them: one each interval, and nothing is read, so that no connection that keeps itself alive takes less
 *   -t CA  over TLS
 */
#include <config.h>

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#ifdef HAVE_RABBITMQ_C_AMQP_H
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#ifdef WITH_TLS
#include <rabbitmq-c/ssl_socket.h>
#endif
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#ifdef WITH_TLS
#include <amqp_ssl_socket.h>
#endif
#endif

#define HEARTBEAT_S 10

static int read_password(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd == -1 ? -1 : read(fd, out, size - 1);

	if (fd != -1)
		close(fd);
	if (got == -1)
		return -1;
	out[got] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

static int fail(const char *what)
{
	fprintf(stderr, "bare: %s failed\n", what);
	return 1;
}

/* Until it is ended, or sending fails. */
static int send_only(amqp_connection_state_t connection)
{
	const amqp_frame_t beat = {.frame_type = AMQP_FRAME_HEARTBEAT};

	while (amqp_send_frame(connection, &beat) == AMQP_STATUS_OK)
		(void)poll(NULL, 0, HEARTBEAT_S * 1000);
	return fail("sending heartbeats");
}

/* Until the connection ends. librabbitmq sends our heartbeats when it is asked for a frame; the broker sends one each 5 s. */
static int stay(amqp_connection_state_t connection)
{
	struct pollfd fd = {.fd = amqp_get_sockfd(connection), .events = POLLIN};
	struct timeval none = {0, 0};
	amqp_frame_t frame;
	int status = AMQP_STATUS_TIMEOUT;

	while (status == AMQP_STATUS_TIMEOUT || status == AMQP_STATUS_OK) {
		poll(&fd, 1, -1);
		status = amqp_simple_wait_frame_noblock(connection, &frame, &none);
	}
	return fail("staying connected");
}

static amqp_socket_t *new_socket(amqp_connection_state_t connection, const char *ca)
{
#ifdef WITH_TLS
	amqp_socket_t *socket = ca != NULL ? amqp_ssl_socket_new(connection) : amqp_tcp_socket_new(connection);

	if (socket == NULL || ca == NULL)
		return socket;
	amqp_ssl_socket_set_verify_hostname(socket, 0); /* it is called by its address, with which librabbitmq cannot do that */
	return amqp_ssl_socket_set_cacert(socket, ca) == AMQP_STATUS_OK ? socket : NULL;
#else
	return ca == NULL ? amqp_tcp_socket_new(connection) : NULL;
#endif
}

int main(int argc, char **argv)
{
	static char body[] = "{\"v\":1,\"op\":\"none\",\"name\":\"as-long-as-an-announcement\",\"instance\":\"0123456789abcdef0123456789abcdef\","
	                     "\"session\":\"0123456789abcdef0123456789abcdef\",\"seq\":1,\"addresses\":[\"198.18.0.2\"],\"lease\":10}";
	const char *ca = NULL;
	amqp_connection_state_t connection;
	amqp_socket_t *socket;
	char password[256];
	amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
	bool stays = false, only = false;
	int option;

	while ((option = getopt(argc, argv, "sot:")) != -1) {
		stays |= option == 's';
		only |= option == 'o';
		if (option == 't')
			ca = optarg;
	}
	argc -= optind;
	argv += optind;
	if (argc != 6) {
		fprintf(stderr, "Usage: bare [-s | -o] [-t CA] ADDRESS PORT VHOST USER PASSWORD-FILE ROUTING-KEY\n");
		return 2;
	}
	if (read_password(argv[4], password, sizeof(password)) == -1)
		return fail("reading the password");
	connection = amqp_new_connection();
	socket = new_socket(connection, ca);
	if (socket == NULL || amqp_socket_open(socket, argv[0], (int)strtol(argv[1], NULL, 10)) != AMQP_STATUS_OK)
		return fail("connecting");
	if (amqp_login(connection, argv[2], 0, 16384, HEARTBEAT_S, AMQP_SASL_METHOD_PLAIN, argv[3], password).reply_type != AMQP_RESPONSE_NORMAL)
		return fail("the login");
	if (amqp_channel_open(connection, 1) == NULL)
		return fail("opening a channel");
	if (amqp_basic_publish(connection, 1, amqp_cstring_bytes("callsign"), amqp_cstring_bytes(argv[5]), 0, 0, &properties,
	                       amqp_cstring_bytes(body)) != AMQP_STATUS_OK)
		return fail("publishing");
	if (only)
		return send_only(connection);
	if (stays)
		return stay(connection);
	/* Data that the peer has not read yet is not lost by an orderly close of the socket. */
	amqp_destroy_connection(connection);
	return 0;
}
