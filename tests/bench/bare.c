/*
 * bare: the least that any program must do to publish one message: connect, log in, open a channel, publish. What callsign-emit needs beyond
 * it is its own. librabbitmq is used as directly as it can be, so this is the one program beside those in shared/bus/ that knows it.
 *
 *   bare [-s] ADDRESS PORT VHOST USER PASSWORD-FILE ROUTING-KEY
 *
 * Publishes an announcement-sized body to the exchange callsign. Exits 0 without saying goodbye. With -s it stays until it is ended, and does what
 * heartbeats ask for: the least that a connection at rest takes.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

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

int main(int argc, char **argv)
{
	static char body[] = "{\"v\":1,\"op\":\"none\",\"name\":\"as-long-as-an-announcement\",\"instance\":\"0123456789abcdef0123456789abcdef\","
	                     "\"session\":\"0123456789abcdef0123456789abcdef\",\"seq\":1,\"addresses\":[\"198.18.0.2\"],\"lease\":10}";
	amqp_connection_state_t connection;
	amqp_socket_t *socket;
	char password[256];
	amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};

	bool stays = argc > 1 && strcmp(argv[1], "-s") == 0;

	argc -= stays;
	argv += stays;
	if (argc != 7) {
		fprintf(stderr, "Usage: bare [-s] ADDRESS PORT VHOST USER PASSWORD-FILE ROUTING-KEY\n");
		return 2;
	}
	if (read_password(argv[5], password, sizeof(password)) == -1)
		return fail("reading the password");
	connection = amqp_new_connection();
	socket = amqp_tcp_socket_new(connection);
	if (socket == NULL || amqp_socket_open(socket, argv[1], (int)strtol(argv[2], NULL, 10)) != AMQP_STATUS_OK)
		return fail("connecting");
	if (amqp_login(connection, argv[3], 0, 16384, 10, AMQP_SASL_METHOD_PLAIN, argv[4], password).reply_type != AMQP_RESPONSE_NORMAL)
		return fail("the login");
	if (amqp_channel_open(connection, 1) == NULL)
		return fail("opening a channel");
	if (amqp_basic_publish(connection, 1, amqp_cstring_bytes("callsign"), amqp_cstring_bytes(argv[6]), 0, 0, &properties,
	                       amqp_cstring_bytes(body)) != AMQP_STATUS_OK)
		return fail("publishing");
	if (stays)
		return stay(connection);
	/* Data that the peer has not read yet is not lost by an orderly close of the socket. */
	amqp_destroy_connection(connection);
	return 0;
}
