/* Logins at a broker that plays one part for each connection, over loopback. What a real one makes of them is for tests/e2e. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/bus/bus_amqp.h"
#include "shared/clock.h"
#include "tests/unit/range.h"

#define HANDSHAKE_MS 600
#define PARTS_MAX    4

enum part {
	PART_AT_ONCE,     /* says nothing before it has been told everything */
	PART_IN_TURNS,    /* closes the connection if something comes that it did not ask for yet */
	PART_STRICT,      /* the same, and says why */
	PART_SMALLER,     /* agrees on smaller frames than it is asked for */
	PART_REFUSES,     /* the password */
	PART_CERTIFICATES, /* takes no passwords */
	PART_QPID,        /* another product */
	PART_OLD,         /* RabbitMQ 3.7 */
	PART_NEW,         /* RabbitMQ 4.3, which takes turns */
	PART_CLOSES,      /* takes the login, and stops */
	PART_SILENT
};

struct broker {
	int listener;
	uint16_t port;
	pthread_t thread;
	enum part parts[PARTS_MAX];
	unsigned nparts, connections;
	uint32_t frame_max; /* of the last tune-ok */
	char response[64];  /* of the last start-ok, with NULs as '|' */
};

struct guest {
	struct bus *bus;
	bool up, down;
	struct bus_failure failure;
};

/* ---- the broker ---- */

static bool take(int fd, void *out, size_t size)
{
	return recv(fd, out, size, MSG_WAITALL) == (ssize_t)size;
}

/* The payload's size, or 0. */
static uint32_t take_frame(int fd, unsigned char *payload, size_t max)
{
	unsigned char head[7], end;
	uint32_t size;

	if (!take(fd, head, sizeof head))
		return 0;
	memcpy(&size, head + 3, sizeof size);
	size = ntohl(size);
	if (head[0] != 1 || size > max || !take(fd, payload, size) || !take(fd, &end, 1) || end != 0xCE)
		return 0;
	return size;
}

static void say(int fd, const void *method, size_t size)
{
	unsigned char head[7] = {1, 0, 0, 0, 0, 0, (unsigned char)size}, end = 0xCE;

	(void)send(fd, head, sizeof head, MSG_NOSIGNAL);
	(void)send(fd, method, size, MSG_NOSIGNAL);
	(void)send(fd, &end, 1, MSG_NOSIGNAL);
}

/* A field of server-properties, a text. Returns its end. */
static unsigned char *add_property(unsigned char *at, const char *key, const char *value)
{
	size_t length = strlen(key);

	*at++ = (unsigned char)length;
	memcpy(at, key, length);
	at += length;
	memcpy(at, (unsigned char[]){'S', 0, 0, 0, (unsigned char)strlen(value)}, 5);
	memcpy(at + 5, value, strlen(value));
	return at + 5 + strlen(value);
}

/* product NULL: it says nothing of itself. */
static void say_start_as(int fd, const char *mechanisms, const char *product, const char *version)
{
	static const char locale[] = {0, 0, 0, 5, 'e', 'n', '_', 'U', 'S'};
	unsigned char text[160] = {0, 10, 0, 10, 0, 9}, *at = text + 10;

	if (product != NULL)
		at = add_property(add_property(at, "product", product), "version", version);
	text[9] = (unsigned char)(at - text - 10);
	memcpy(at, (unsigned char[]){0, 0, 0, (unsigned char)strlen(mechanisms)}, 4);
	memcpy(at + 4, mechanisms, strlen(mechanisms));
	at += 4 + strlen(mechanisms);
	memcpy(at, locale, sizeof locale);
	say(fd, text, (size_t)(at - text) + sizeof locale);
}

static void say_start(int fd, const char *mechanisms)
{
	say_start_as(fd, mechanisms, NULL, NULL);
}

static void say_tune(int fd, uint32_t frame_max)
{
	unsigned char tune[12] = {0, 10, 0, 30, 0x07, 0xFF, 0, 0, 0, 0, 0, 60};

	frame_max = htonl(frame_max);
	memcpy(tune + 6, &frame_max, sizeof frame_max);
	say(fd, tune, sizeof tune);
}

static void say_open_ok(int fd)
{
	say(fd, "\0\x0A\0\x29", 5);
}

static void say_close(int fd, uint16_t code, const char *why)
{
	unsigned char text[64] = {0, 10, 0, 50, (unsigned char)(code >> 8), (unsigned char)code, (unsigned char)strlen(why)};

	memcpy(text + 7, why, strlen(why));
	say(fd, text, 7 + strlen(why) + 4);
}

/* class 2, method 2, the table, the mechanism (a short string), the response (a long one). */
static bool take_start_ok(int fd, struct broker *broker)
{
	unsigned char payload[1024];
	uint32_t size = take_frame(fd, payload, sizeof payload), table, response;
	unsigned char *at = payload + 8;
	uint32_t i;

	if (size < 8 || payload[1] != 10 || payload[3] != 11)
		return false;
	memcpy(&table, payload + 4, sizeof table);
	at += ntohl(table);
	at += 1 + *at;
	memcpy(&response, at, sizeof response);
	response = ntohl(response);
	at += 4;
	if (response >= sizeof broker->response)
		return false;
	for (i = 0; i < response; i++)
		broker->response[i] = at[i] != '\0' ? (char)at[i] : '|';
	broker->response[i] = '\0';
	return true;
}

static bool take_tune_ok_and_open(int fd, struct broker *broker)
{
	unsigned char payload[1024];

	if (take_frame(fd, payload, sizeof payload) != 12 || payload[3] != 31)
		return false;
	memcpy(&broker->frame_max, payload + 6, sizeof broker->frame_max);
	broker->frame_max = ntohl(broker->frame_max);
	return take_frame(fd, payload, sizeof payload) > 0 && payload[3] == 40;
}

/* What comes at once is there after a moment; who takes turns waits for an answer. */
static bool more_waits(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, 50) != 0;
}

static void play_at_once(int fd, struct broker *broker)
{
	if (!take_start_ok(fd, broker) || !take_tune_ok_and_open(fd, broker))
		return;
	say_start(fd, "AMQPLAIN PLAIN");
	say_tune(fd, 131072);
	say_open_ok(fd);
}

static void play_as(int fd, struct broker *broker, const char *product, const char *version)
{
	say_start_as(fd, "PLAIN", product, version);
	if (!take_start_ok(fd, broker))
		return;
	say_tune(fd, 131072);
	if (take_tune_ok_and_open(fd, broker))
		say_open_ok(fd);
}

static void play_in_turns(int fd, struct broker *broker, bool says_why)
{
	if (more_waits(fd)) {
		if (says_why) {
			say_start(fd, "PLAIN");
			say_close(fd, 505, "UNEXPECTED_FRAME");
		}
		return;
	}
	say_start(fd, "PLAIN");
	if (!take_start_ok(fd, broker) || more_waits(fd))
		return;
	say_tune(fd, 131072);
	if (take_tune_ok_and_open(fd, broker))
		say_open_ok(fd);
}

static void play_smaller(int fd, struct broker *broker)
{
	say_start(fd, "PLAIN");
	if (!take_start_ok(fd, broker))
		return;
	say_tune(fd, 8192);
	if (!take_tune_ok_and_open(fd, broker))
		return;
	if (broker->frame_max > 8192)
		say_close(fd, 530, "negotiated frame_max too high");
	else
		say_open_ok(fd);
}

/* In one piece, so that the end is there when the login is over. */
static void play_closing(int fd, struct broker *broker)
{
	int on = 1, off = 0;

	say_start(fd, "PLAIN");
	if (!take_start_ok(fd, broker))
		return;
	say_tune(fd, 131072);
	if (!take_tune_ok_and_open(fd, broker))
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
	say_open_ok(fd);
	say_close(fd, 320, "shutdown");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
}

static void play(int fd, struct broker *broker, enum part part)
{
	char wanted[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1}, header[8], rest;

	if (!take(fd, header, sizeof header) || memcmp(header, wanted, sizeof header) != 0)
		return;
	switch (part) {
	case PART_AT_ONCE:
		play_at_once(fd, broker);
		break;
	case PART_IN_TURNS:
	case PART_STRICT:
		play_in_turns(fd, broker, part == PART_STRICT);
		break;
	case PART_SMALLER:
		play_smaller(fd, broker);
		break;
	case PART_REFUSES:
		say_start(fd, "PLAIN");
		if (take_start_ok(fd, broker))
			say_close(fd, 403, "ACCESS_REFUSED");
		break;
	case PART_CERTIFICATES:
		say_start(fd, "EXTERNAL PLAINER");
		break;
	case PART_QPID:
		play_as(fd, broker, "qpid-cpp", "1.39.0");
		break;
	case PART_OLD:
		play_as(fd, broker, "RabbitMQ", "3.7.28");
		break;
	case PART_NEW:
		play_as(fd, broker, "RabbitMQ", "4.3.6");
		break;
	case PART_CLOSES:
		play_closing(fd, broker);
		break;
	case PART_SILENT:
	default:
		break;
	}
	/* Those who were content leave by themselves; the others must not lose what we said last. */
	if (part != PART_IN_TURNS || broker->frame_max != 0)
		while (recv(fd, &rest, 1, 0) == 1)
			continue;
}

static void *broker_run(void *arg)
{
	struct broker *broker = arg;
	int fd;

	while (broker->connections < broker->nparts) {
		fd = accept(broker->listener, NULL, NULL);
		if (fd == -1)
			break;
		broker->connections++;
		play(fd, broker, broker->parts[broker->connections - 1]);
		close(fd);
	}
	return NULL;
}

static void broker_start(struct broker *broker, const enum part *parts, unsigned nparts)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;

	*broker = (struct broker){.nparts = nparts, .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	memcpy(broker->parts, parts, nparts * sizeof *parts);
	assert_int_not_equal(broker->listener, -1);
	assert_int_equal(bind(broker->listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(broker->listener, PARTS_MAX), 0);
	assert_int_equal(getsockname(broker->listener, (struct sockaddr *)&address, &length), 0);
	broker->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&broker->thread, NULL, broker_run, broker), 0);
}

/* Returns how many connections came. */
static unsigned broker_end(struct broker *broker)
{
	shutdown(broker->listener, SHUT_RDWR);
	pthread_join(broker->thread, NULL);
	close(broker->listener);
	return broker->connections;
}

/* ---- who logs in ---- */

static void on_up(void *arg)
{
	((struct guest *)arg)->up = true;
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	struct guest *guest = arg;

	guest->down = true;
	guest->failure = *failure;
}

static const struct bus_callbacks callbacks = {.up = on_up, .down = on_down};

static void guest_login(struct guest *guest, uint16_t port)
{
	const struct bus_options options = {.client_name = "test", .heartbeat_s = 10, .connect_ms = 1000, .handshake_ms = HANDSHAKE_MS,
	                                    .user_timeout_ms = 1000, .frame_max = BUS_FRAME_MAX_EMITTER};
	char host[] = "127.0.0.1", vhost[] = "callsign", user[] = "emitter", password[] = "secret";
	const struct bus_endpoint endpoint = {.host = host, .port = port, .vhost = vhost, .user = user, .password = password};
	struct pollfd poller = {.events = POLLIN};

	guest->up = guest->down = false;
	assert_int_equal(bus_open(guest->bus, &endpoint, &options, clock_ms()), 0);
	while (!guest->up && !guest->down) {
		poller.fd = bus_fd(guest->bus);
		assert_int_not_equal(poll(&poller, 1, 4 * HANDSHAKE_MS), 0);
		bus_step(guest->bus, clock_ms(), 1);
	}
}

static void guest_new(struct guest *guest)
{
	*guest = (struct guest){.bus = bus_new(&callbacks, guest)};
	assert_non_null(guest->bus);
}

static void says_all_at_once(void **state)
{
	static const enum part parts[] = {PART_AT_ONCE};
	struct broker broker;
	struct guest guest;

	(void)state;
	broker_start(&broker, parts, 1);
	guest_new(&guest);
	guest_login(&guest, broker.port);
	assert_true(guest.up);
	assert_int_equal(amqp_get_frame_max(guest.bus->connection), BUS_FRAME_MAX_EMITTER);
	assert_int_equal(amqp_get_channel_max(guest.bus->connection), BUS_CHANNEL + 1);
	assert_int_equal(guest.bus->heartbeat_ms, 10000);
	bus_free(guest.bus);
	assert_int_equal(broker_end(&broker), 1);
	assert_string_equal(broker.response, "|emitter|secret");
	assert_int_equal(broker.frame_max, BUS_FRAME_MAX_EMITTER);
}

/* Its wills and direct answers would not work there, or not as they must: it is said in one line that names what is there. */
static void a_broker_that_cannot_be_used_is_named(void **state)
{
	static const enum part parts[] = {PART_QPID, PART_OLD};
	static const char *const words[] = {"cannot be used: it is qpid-cpp 1.39.0", "cannot be used: it is RabbitMQ 3.7.28"};
	struct broker broker;
	struct guest guest;

	(void)state;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		broker_start(&broker, &parts[i], 1);
		guest_new(&guest);
		guest_login(&guest, broker.port);
		assert_true(guest.down);
		assert_int_equal(guest.failure.kind, BUS_FAILED_BROKER);
		assert_non_null(strstr(guest.failure.text, words[i]));
		assert_non_null(strstr(guest.failure.text, "RabbitMQ 3.8 or newer"));
		bus_free(guest.bus);
		broker_end(&broker);
	}
}

static void the_version_is_known_whichever_way_the_login_went(void **state)
{
	static const enum part at_once[] = {PART_NEW};
	static const enum part in_turns[] = {PART_STRICT, PART_NEW};
	struct broker broker;
	struct guest guest;

	(void)state;
	broker_start(&broker, at_once, 1);
	guest_new(&guest);
	guest_login(&guest, broker.port);
	assert_true(guest.up);
	assert_int_equal(bus_broker(guest.bus)->number, BUS_VERSION(4, 3, 6));
	bus_free(guest.bus);
	broker_end(&broker);
	broker_start(&broker, in_turns, 2);
	guest_new(&guest);
	guest_login(&guest, broker.port);
	assert_true(guest.up);
	assert_int_equal(bus_broker(guest.bus)->number, BUS_VERSION(4, 3, 6));
	bus_free(guest.bus);
	assert_int_equal(broker_end(&broker), 2);
}

/* Connects again, and remembers that. */
static void takes_turns_where_it_must(enum part first)
{
	const enum part parts[] = {first, PART_IN_TURNS, PART_IN_TURNS};
	struct broker broker;
	struct guest guest;

	broker_start(&broker, parts, 3);
	guest_new(&guest);
	guest_login(&guest, broker.port);
	assert_true(guest.up);
	assert_string_equal(broker.response, "|emitter|secret");
	bus_close(guest.bus);
	guest_login(&guest, broker.port);
	assert_true(guest.up);
	bus_free(guest.bus);
	assert_int_equal(broker_end(&broker), 3);
}

static void takes_turns_with_one_that_hangs_up(void **state)
{
	(void)state;
	takes_turns_where_it_must(PART_IN_TURNS);
}

static void takes_turns_with_one_that_complains(void **state)
{
	(void)state;
	takes_turns_where_it_must(PART_STRICT);
}

static void agrees_on_less(void **state)
{
	static const enum part parts[] = {PART_SMALLER, PART_SMALLER};
	struct broker broker;
	struct guest guest;

	(void)state;
	broker_start(&broker, parts, 2);
	guest_new(&guest);
	guest_login(&guest, broker.port);
	assert_true(guest.up);
	assert_int_equal(amqp_get_frame_max(guest.bus->connection), 8192);
	bus_free(guest.bus);
	assert_int_equal(broker_end(&broker), 2);
	assert_int_equal(broker.frame_max, 8192);
}

/* A login that failed, and how often it connected for that. */
static unsigned fails(enum part part, struct guest *guest)
{
	const enum part parts[] = {part, part};
	struct broker broker;

	broker_start(&broker, parts, 2);
	guest_new(guest);
	guest_login(guest, broker.port);
	assert_true(guest->down);
	bus_free(guest->bus);
	return broker_end(&broker);
}

static void a_refusal_is_final(void **state)
{
	struct guest guest;

	(void)state;
	assert_int_equal(fails(PART_REFUSES, &guest), 1);
	assert_int_equal(guest.failure.kind, BUS_FAILED_LOGIN);
	assert_int_equal(guest.failure.code, 403);
	assert_non_null(strstr(guest.failure.text, "ACCESS_REFUSED"));
}

/* It was asked whether it is a RabbitMQ listener at all, and nothing was said of its reason. */
static void a_broker_that_stops_just_then_is_understood(void **state)
{
	struct guest guest;

	(void)state;
	assert_int_equal(fails(PART_CLOSES, &guest), 1);
	assert_int_equal(guest.failure.kind, BUS_FAILED_CLOSED);
	assert_int_equal(guest.failure.code, 320);
	assert_non_null(strstr(guest.failure.text, "shutdown"));
}

static void passwords_must_be_taken(void **state)
{
	struct guest guest;

	(void)state;
	assert_int_equal(fails(PART_CERTIFICATES, &guest), 1);
	assert_int_equal(guest.failure.kind, BUS_FAILED_LOGIN);
	assert_non_null(strstr(guest.failure.text, "it does not take passwords (PLAIN)"));
}

/* Within one login. But it may have been the broker's way to mind, so the next one takes turns. */
static void silence_is_not_tried_twice(void **state)
{
	static const enum part parts[] = {PART_SILENT, PART_IN_TURNS};
	struct broker broker;
	struct guest guest;
	int64_t begun_ms = clock_ms();

	(void)state;
	broker_start(&broker, parts, 2);
	guest_new(&guest);
	guest_login(&guest, broker.port);
	assert_true(guest.down);
	assert_int_equal(guest.failure.kind, BUS_FAILED_HANDSHAKE);
	assert_non_null(strstr(guest.failure.text, "connected, but it is silent"));
	assert_int_in_range(clock_ms() - begun_ms, HANDSHAKE_MS - 2, 4 * HANDSHAKE_MS); /* each reading leaves out what is no whole millisecond */
	assert_int_equal(broker.connections, 1);
	guest_login(&guest, broker.port);
	assert_true(guest.up);
	bus_free(guest.bus);
	assert_int_equal(broker_end(&broker), 2);
}

/* Whatever becomes of the second connection. */
static void remembers_what_it_has_learned(void **state)
{
	static const enum part parts[] = {PART_SMALLER, PART_REFUSES, PART_IN_TURNS};
	struct broker broker;
	struct guest guest;

	(void)state;
	broker_start(&broker, parts, 3);
	guest_new(&guest);
	guest_login(&guest, broker.port);
	assert_true(guest.down);
	assert_int_equal(guest.failure.code, 403);
	guest_login(&guest, broker.port);
	assert_true(guest.up);
	bus_free(guest.bus);
	assert_int_equal(broker_end(&broker), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_all_at_once),
		cmocka_unit_test(a_broker_that_cannot_be_used_is_named),
		cmocka_unit_test(the_version_is_known_whichever_way_the_login_went),
		cmocka_unit_test(takes_turns_with_one_that_hangs_up),
		cmocka_unit_test(takes_turns_with_one_that_complains),
		cmocka_unit_test(agrees_on_less),
		cmocka_unit_test(a_refusal_is_final),
		cmocka_unit_test(a_broker_that_stops_just_then_is_understood),
		cmocka_unit_test(passwords_must_be_taken),
		cmocka_unit_test(silence_is_not_tried_twice),
		cmocka_unit_test(remembers_what_it_has_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
