/* Frames from a socket, cut anywhere and of any length; and what is in a message's header frame. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/bus/bus_amqp.h"
#include "tests/unit/exact.h"

#define LARGEST 200000

struct line {
	struct bus_input input;
	int broker;
};

/* In the socket's place: a broker that has always more to say, all of it zeros. */
static bool endless;
static size_t received;

ssize_t __real_recv(int fd, void *to, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t size, int flags);

ssize_t __wrap_recv(int fd, void *to, size_t size, int flags)
{
	if (!endless)
		return __real_recv(fd, to, size, flags);
	memset(to, 0, size);
	received += size;
	return (ssize_t)size;
}

static int line_open(void **state)
{
	static struct line line;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(bus_input_begin(&line.input, ends[1], NULL, LARGEST), 0);
	line.broker = ends[0];
	*state = &line;
	return 0;
}

static int line_close(void **state)
{
	struct line *line = *state;

	close(line->input.fd);
	close(line->broker);
	bus_input_end(&line->input);
	return 0;
}

/* A frame of that type whose payload counts up. Returns its size; free it. */
static size_t frame_make(unsigned char **out, unsigned char type, size_t length)
{
	unsigned char *frame = (unsigned char *)exact_copy("", 0);

	frame = realloc(frame, length + 8);
	assert_non_null(frame);
	memcpy(frame, (unsigned char[]){type, 0, 1, (unsigned char)(length >> 24), (unsigned char)(length >> 16), (unsigned char)(length >> 8),
	                                (unsigned char)length}, 7);
	for (size_t i = 0; i < length; i++)
		frame[7 + i] = (unsigned char)i;
	frame[7 + length] = 0xCE;
	*out = frame;
	return length + 8;
}

/* As the broker writes and the loop reads, in turns: a socket takes only so much. */
static enum bus_input_result pass(struct line *line, const unsigned char *bytes, size_t size, size_t step, struct bus_raw *frame)
{
	enum bus_input_result result = BUS_INPUT_EMPTY;
	bool heard = false;
	size_t done, part;
	ssize_t sent;

	for (done = 0; done < size; done += (size_t)sent) {
		assert_int_equal(result, BUS_INPUT_EMPTY);
		part = size - done < step ? size - done : step;
		sent = send(line->broker, bytes + done, part, MSG_DONTWAIT);
		assert_true(sent > 0);
		result = bus_input_next(&line->input, frame, &heard);
		assert_true(heard);
	}
	return result;
}

static void a_frame_cut_anywhere_is_whole(void **state)
{
	struct line *line = *state;
	unsigned char *bytes;
	struct bus_raw frame;
	size_t size = frame_make(&bytes, 1, 40);

	for (size_t step = 1; step <= size; step++) {
		assert_int_equal(pass(line, bytes, size, step, &frame), BUS_INPUT_FRAME);
		assert_int_equal(frame.type, 1);
		assert_int_equal(frame.channel, 1);
		assert_int_equal(frame.length, 40);
		assert_int_equal(frame.whole, 40);
		assert_memory_equal(frame.payload, bytes + 7, 40);
	}
	free(bytes);
}

static void several_come_at_once(void **state)
{
	struct line *line = *state;
	bool heard = false;
	unsigned char *bytes;
	struct bus_raw frame;
	size_t size = frame_make(&bytes, 3, 10);

	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(send(line->broker, bytes, size, 0), size);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(bus_input_next(&line->input, &frame, &heard), BUS_INPUT_FRAME);
	assert_int_equal(bus_input_next(&line->input, &frame, &heard), BUS_INPUT_EMPTY);
	assert_int_equal(bus_input_low_water(&line->input), 9);
	close(line->broker);
	assert_int_equal(bus_input_next(&line->input, &frame, &heard), BUS_INPUT_END);
	free(bytes);
}

/* Longer than the buffer, and than what was agreed on with the broker. */
static void a_long_frame_is_whole(void **state)
{
	struct line *line = *state;
	unsigned char *bytes;
	struct bus_raw frame;
	size_t size = frame_make(&bytes, 2, LARGEST);

	assert_int_equal(pass(line, bytes, size, 10000, &frame), BUS_INPUT_FRAME);
	assert_int_equal(frame.length, LARGEST);
	assert_memory_equal(frame.payload, bytes + 7, LARGEST);
	free(bytes);
	/* Its memory is given back with the next one. */
	size = frame_make(&bytes, 1, 4);
	assert_int_equal(pass(line, bytes, size, size, &frame), BUS_INPUT_FRAME);
	assert_true(line->input.size < LARGEST);
	free(bytes);
}

static void of_one_that_is_too_long_the_beginning_is_kept_and_the_next_is_whole(void **state)
{
	struct line *line = *state;
	unsigned char *bytes;
	struct bus_raw frame;

	for (size_t step = 3000; step < 10000; step += 1111) {
		size_t size = frame_make(&bytes, 2, LARGEST + 1);

		assert_int_equal(pass(line, bytes, size, step, &frame), BUS_INPUT_FRAME);
		assert_int_equal(frame.whole, LARGEST + 1);
		assert_true(frame.length >= 12 && frame.length < 100);
		assert_memory_equal(frame.payload, bytes + 7, frame.length);
		free(bytes);
		size = frame_make(&bytes, 1, 4);
		assert_int_equal(pass(line, bytes, size, size, &frame), BUS_INPUT_FRAME);
		assert_int_equal(frame.length, 4);
		free(bytes);
	}
}

/* A fast broker kept the loop for as long as 4 GiB take. */
static void of_a_frame_that_is_too_long_only_so_much_is_read_at_once(void **state)
{
	struct line *line = *state;
	struct bus_raw frame;
	bool heard = false;

	assert_int_equal(pass(line, (const unsigned char *)"\2\0\1\xFF\xFF\xFF\xFF", 7, 7, &frame), BUS_INPUT_EMPTY);
	endless = true;
	received = 0;
	assert_int_equal(bus_input_next(&line->input, &frame, &heard), BUS_INPUT_MORE);
	assert_true(heard && received <= (size_t)8 << 20);
	assert_int_equal(bus_input_next(&line->input, &frame, &heard), BUS_INPUT_MORE);
	assert_true(received > (size_t)1 << 20);
	endless = false;
	assert_int_equal(bus_input_next(&line->input, &frame, &heard), BUS_INPUT_EMPTY);
}

static void what_does_not_end_as_a_frame_does_is_none(void **state)
{
	struct line *line = *state;
	unsigned char *bytes;
	struct bus_raw frame;
	size_t size = frame_make(&bytes, 1, 4);

	bytes[size - 1] = 0;
	assert_int_equal(pass(line, bytes, size, size, &frame), BUS_INPUT_ASTRAY);
	free(bytes);
}

/* In the middle of a frame its rest may be as short as a heartbeat. */
static void a_part_of_a_frame_wants_its_rest_at_once(void **state)
{
	struct line *line = *state;
	struct bus_raw frame;

	assert_int_equal(pass(line, (const unsigned char *)"\x01", 1, 1, &frame), BUS_INPUT_EMPTY);
	assert_int_equal(bus_input_low_water(&line->input), 1);
}

/* ---- what is in it ---- */

struct taken {
	unsigned count;
	bool unreadable, dead_lettered, federated;
	char user[256], queue[256];
};

static void word(char *out, const struct bus_text *text)
{
	memcpy(out, text->data != NULL ? text->data : "", text->length);
	out[text->length] = '\0';
}

static void on_delivery(void *arg, const struct bus_delivery *delivery)
{
	struct taken *taken = arg;

	taken->count++;
	taken->unreadable = delivery->unreadable;
	taken->dead_lettered = delivery->dead_lettered;
	taken->federated = delivery->federated;
	word(taken->user, &delivery->user_id);
	word(taken->queue, &delivery->death_queue);
}

/* A message with these headers (a table's inside), sent by `red`, without a body. */
static struct taken take(const void *headers, size_t length)
{
	static const struct bus_callbacks callbacks = {.delivery = on_delivery};
	static const unsigned char arguments[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
	struct taken taken = {.count = 0};
	struct bus *bus = bus_new(&callbacks, &taken);
	size_t size = 14 + 4 + length + 4;
	unsigned char *payload = (unsigned char *)exact_copy("", 0);
	struct wire wire = wire_at(arguments, sizeof arguments);
	struct bus_raw frame;

	payload = realloc(payload, size);
	assert_non_null(payload);
	memset(payload, 0, 14);
	payload[1] = 60;
	payload[12] = 0x20; /* headers, and user_id */
	payload[13] = 0x10;
	memcpy(payload + 14, (unsigned char[]){(unsigned char)(length >> 24), (unsigned char)(length >> 16), (unsigned char)(length >> 8),
	                                       (unsigned char)length}, 4);
	memcpy(payload + 18, headers, length);
	memcpy(payload + 18 + length, "\x03red", 4);
	frame = (struct bus_raw){.type = 2, .channel = 1, .payload = payload, .length = size, .whole = size};
	bus_content_deliver(bus, &wire);
	assert_true(bus_content_header(bus, &frame));
	assert_int_equal(taken.count, 1);
	free(payload);
	bus_free(bus);
	return taken;
}

#define TAKE(text) take(text, sizeof(text) - 1)
#define DEATH "\x07x-deathA\0\0\0\x11" "F\0\0\0\x0C\x05queueS\0\0\0\x01q"

static void the_newest_death_is_found(void **state)
{
	static const char kinds[] = "\x01" "aV\x01" "bt\1\x01" "cs\0\1\x01" "dI\0\0\0\1\x01" "el\0\0\0\0\0\0\0\1\x01" "fD\1\0\0\0\1\x01" "gx\0\0\0\2ab";
	char headers[sizeof kinds - 1 + sizeof DEATH - 1];
	struct taken taken = TAKE(DEATH);

	(void)state;
	assert_true(taken.dead_lettered);
	assert_false(taken.unreadable);
	assert_string_equal(taken.queue, "q");
	assert_string_equal(taken.user, "red");
	memcpy(headers, kinds, sizeof kinds - 1);
	memcpy(headers + sizeof kinds - 1, DEATH, sizeof DEATH - 1);
	taken = take(headers, sizeof headers);
	assert_true(taken.dead_lettered && !taken.unreadable);
	assert_string_equal(taken.queue, "q");
}

static void a_death_that_is_none_still_is_one(void **state)
{
	(void)state;
	assert_true(TAKE("\x07x-deathS\0\0\0\1a").dead_lettered);
	assert_true(TAKE("\x07x-deathA\0\0\0\0").dead_lettered);
	assert_true(TAKE("\x07x-deathA\0\0\0\2I\0").dead_lettered);
	assert_string_equal(TAKE("\x07x-deathV").queue, "");
	assert_true(TAKE("\x0Fx-received-fromA\0\0\0\0").federated);
	assert_false(TAKE("\1aV").dead_lettered);
}

/* Behind what cannot be read there may be one. */
static void headers_that_cannot_be_read_say_so(void **state)
{
	(void)state;
	assert_true(TAKE("\1aZ\0\0\0\0" DEATH).unreadable);
	assert_true(TAKE("\1aS\xFF\xFF\xFF\xFF" DEATH).unreadable);
	assert_true(TAKE("\xFF" "a").unreadable);
	assert_true(TAKE("\1").unreadable);
	assert_false(TAKE("").unreadable);
}

/* librabbitmq 0.15 gives the connection up over these. */
static void headers_nested_as_deep_as_there_is_room_for_are_stepped_over(void **state)
{
	size_t depth = 26000, size = 2 + 5 * depth + sizeof DEATH - 1;
	unsigned char *headers = calloc(1, size);
	struct taken taken;

	(void)state;
	assert_non_null(headers);
	memcpy(headers, "\1n", 2);
	for (size_t i = 0; i < depth; i++) {
		size_t inside = 5 * (depth - 1 - i);

		memcpy(headers + 2 + 5 * i, (unsigned char[]){'A', (unsigned char)(inside >> 24), (unsigned char)(inside >> 16),
		                                              (unsigned char)(inside >> 8), (unsigned char)inside}, 5);
	}
	memcpy(headers + 2 + 5 * depth, DEATH, sizeof DEATH - 1);
	taken = take(headers, size);
	assert_true(taken.dead_lettered && !taken.unreadable);
	assert_string_equal(taken.queue, "q");
	free(headers);
}

/* It was handed on with the end of the message before it in its place. */
static void a_body_that_is_longer_than_its_header_said_is_none(void **state)
{
	static const struct bus_callbacks callbacks = {.delivery = on_delivery};
	static const unsigned char arguments[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
	static const unsigned char header[] = {0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0};
	static const unsigned char body[9000];
	const struct bus_raw head = {.type = 2, .channel = 1, .payload = header, .length = sizeof header, .whole = sizeof header};
	struct bus_raw part = {.type = 3, .channel = 1, .payload = body, .length = 6, .whole = 6};
	struct taken taken = {.count = 0};
	struct bus *bus = bus_new(&callbacks, &taken);
	struct wire wire = wire_at(arguments, sizeof arguments);

	(void)state;
	bus_content_deliver(bus, &wire);
	assert_true(bus_content_header(bus, &head));
	assert_true(bus_content_body(bus, &part));
	part.length = part.whole = sizeof body;
	assert_false(bus_content_body(bus, &part));
	part.length = part.whole = 5;
	assert_false(bus_content_body(bus, &part));
	assert_int_equal(taken.count, 0);
	part.length = part.whole = 4;
	assert_true(bus_content_body(bus, &part));
	assert_int_equal(taken.count, 1);
	bus_free(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_frame_cut_anywhere_is_whole, line_open, line_close),
		cmocka_unit_test_setup_teardown(several_come_at_once, line_open, line_close),
		cmocka_unit_test_setup_teardown(a_long_frame_is_whole, line_open, line_close),
		cmocka_unit_test_setup_teardown(of_one_that_is_too_long_the_beginning_is_kept_and_the_next_is_whole, line_open, line_close),
		cmocka_unit_test_setup_teardown(of_a_frame_that_is_too_long_only_so_much_is_read_at_once, line_open, line_close),
		cmocka_unit_test_setup_teardown(what_does_not_end_as_a_frame_does_is_none, line_open, line_close),
		cmocka_unit_test_setup_teardown(a_part_of_a_frame_wants_its_rest_at_once, line_open, line_close),
		cmocka_unit_test(the_newest_death_is_found),
		cmocka_unit_test(a_death_that_is_none_still_is_one),
		cmocka_unit_test(headers_that_cannot_be_read_say_so),
		cmocka_unit_test(a_body_that_is_longer_than_its_header_said_is_none),
		cmocka_unit_test(headers_nested_as_deep_as_there_is_room_for_are_stepped_over),
	};

	return cmocka_run_group_tests_name("bus_input", tests, NULL, NULL);
}
