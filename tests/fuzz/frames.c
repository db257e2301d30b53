#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "shared/bus/bus_amqp.h"

/*
 * What a broker sends once the login is over, any bytes in pieces of any size: cut into frames, methods, and messages with their properties and
 * headers, by a whole bus that acks, publishes and declares meanwhile. Input: two bytes of choices, then pieces, a length of two bytes before each.
 */

#define LARGEST     5000 /* a frame, so that a piece of the input may be a longer one */
#define DELIVERIES  1024 /* that are acked: their bytes have to fit into a socket */
#define PUBLISHED   4

static struct {
	unsigned downs, deliveries, confirmed; /* confirmed: a bit each */
} seen;

static void check_text(const struct bus_text *text, size_t most)
{
	volatile char last = 0;

	fuzz_check(text->length <= most && (text->data != NULL || text->length == 0));
	for (size_t i = 0; i < text->length; i++)
		last = text->data[i];
	(void)last;
}

static void on_down(void *arg, const struct bus_failure *failure)
{
	(void)arg;
	seen.downs++;
	fuzz_check(fuzz_is_line(failure->text) && memchr(failure->text, '\0', sizeof failure->text) != NULL);
	fuzz_check(memchr(failure->cause.word, '\0', sizeof failure->cause.word) != NULL);
	fuzz_check(memchr(failure->cause.object, '\0', sizeof failure->cause.object) != NULL);
}

static void on_done(void *arg, enum bus_request request, uint32_t count)
{
	(void)arg;
	(void)count;
	fuzz_check(request > BUS_REQUEST_NONE && request <= BUS_REQUEST_CONSUME);
}

static void on_delivery(void *arg, const struct bus_delivery *delivery)
{
	struct bus **bus = arg;

	fuzz_check(seen.downs == 0 && bus_is_up(*bus));
	seen.deliveries++;
	check_text(&delivery->consumer_tag, 255);
	check_text(&delivery->exchange, 255);
	check_text(&delivery->routing_key, 255);
	check_text(&delivery->content_type, 255);
	check_text(&delivery->type, 255);
	check_text(&delivery->user_id, 255);
	check_text(&delivery->reply_to, 255);
	check_text(&delivery->correlation_id, 255);
	check_text(&delivery->death_queue, 255);
	check_text(&delivery->body, BUS_BODY_MAX);
	fuzz_check(delivery->too_long ? delivery->body.data == NULL && delivery->body_length > BUS_BODY_MAX
	                              : delivery->body.length == delivery->body_length);
	fuzz_check(delivery->death_queue.data == NULL || delivery->dead_lettered);
	if (seen.deliveries < DELIVERIES)
		bus_ack(*bus, delivery->tag, (delivery->tag & 1) != 0);
}

static void on_confirm(void *arg, uint64_t sequence, enum bus_confirm result)
{
	(void)arg;
	fuzz_check(sequence >= 1 && sequence <= PUBLISHED && result <= BUS_NACKED);
	fuzz_check((seen.confirmed & 1U << sequence) == 0);
	seen.confirmed |= 1U << sequence;
}

static void on_cancelled(void *arg)
{
	struct bus **bus = arg;

	bus_fail(*bus, "cancelled");
}

static void on_blocked(void *arg, bool blocked, const char *reason)
{
	struct bus **bus = arg;

	fuzz_check(strlen(reason) <= 255 && bus_is_blocked(*bus) == blocked);
}

/* As after a login, with what the choice has in its lower bits asked for already. The descriptor is the bus's. */
static struct bus *begin(struct bus **arg, int fd, uint8_t choice)
{
	static const struct bus_callbacks callbacks = {.down = on_down, .done = on_done, .delivery = on_delivery, .confirm = on_confirm,
	                                               .cancelled = on_cancelled, .blocked = on_blocked};
	struct bus_properties properties = {.type = "t"};
	struct bus_queue_arguments arguments = {.max_length = 1};
	struct bus *bus = bus_new(&callbacks, arg);
	amqp_socket_t *sock;

	*arg = bus;
	fuzz_check(bus != NULL);
	bus->where = (struct bus_endpoint){.host = strdup("broker"), .vhost = strdup("v"), .user = strdup("u")};
	bus->connection = amqp_new_connection();
	sock = amqp_tcp_socket_new(bus->connection);
	fuzz_check(sock != NULL);
	amqp_tcp_socket_set_sockfd(sock, fd);
	bus->request_ms = BUS_REQUEST_MS;
	fuzz_check(bus_input_begin(&bus->input, fd, NULL, LARGEST) == 0);
	bus->state = BUS_UP;
	bus_channel_open(bus);
	if (choice & 1)
		bus_confirm_select(bus);
	for (unsigned i = 0; (choice & 2) && i < PUBLISHED; i++)
		bus_publish(bus, "x", "k", true, &properties, "abc", i);
	if (choice & 4)
		bus_queue_declare(bus, "q", false, &arguments);
	if (choice & 8)
		bus_consume(bus, "q", false, false, 1);
	return bus;
}

/* What it says to the broker is not looked at. */
static void drain(int fd)
{
	static char dropped[65536];

	while (recv(fd, dropped, sizeof dropped, MSG_DONTWAIT) > 0)
		continue;
}

static void give(struct bus *bus, int fd, struct fuzz_input part, unsigned max_frames)
{
	ssize_t sent = part.size > 0 ? send(fd, part.data, part.size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	fuzz_check(sent == (ssize_t)part.size || seen.downs > 0);
	for (unsigned turns = 0; seen.downs == 0; turns++) {
		bool more = bus_step(bus, 1000, max_frames);

		/* Else the loop would turn for ever, or sleep though there is something. */
		fuzz_check(turns <= part.size + 2);
		fuzz_check(!more || bus_deadline_ms(bus) <= 1000);
		if (!more && (bus->state != BUS_UP || bus_deadline_ms(bus) > 1000))
			break;
	}
	drain(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	uint8_t choice = fuzz_byte(&input);
	unsigned max_frames = fuzz_byte(&input) % 8;
	struct bus *bus;
	int ends[2];

	memset(&seen, 0, sizeof seen);
	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	bus = begin(&bus, ends[1], choice);
	while (input.size > 0 && seen.downs == 0)
		give(bus, ends[0], fuzz_long(&input), max_frames);
	close(ends[0]);
	if (seen.downs == 0) {
		(void)bus_step(bus, 1000, 0);
		fuzz_check(seen.downs == 1);
	}
	bus_free(bus);
	return 0;
}
