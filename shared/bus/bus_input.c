#include <config.h>

#include "bus_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bus_tls.h"

#define FRAME_HEAD 7 /* type, channel, size */
#define FRAME_OVER 8 /* these and the end */
#define FRAME_END  0xCE
#define FRAME_BEAT 8 /* the type of a heartbeat, and all its bytes */

/* Room for what comes at once, as a rule; a longer frame gets its own, and gives it back. Only what is used of it becomes resident. */
#define BUFFER_SIZE ((size_t)64 * 1024)

#define FILLS_MAX 64 /* reads in one call */

int bus_input_begin(struct bus_input *input, int fd, void *ssl, size_t largest)
{
	memset(input, 0, sizeof *input);
	input->fd = fd;
	input->ssl = ssl;
	input->largest = largest;
	input->buffer = malloc(BUFFER_SIZE);
	input->size = BUFFER_SIZE;
	return input->buffer != NULL ? 0 : -1;
}

void bus_input_end(struct bus_input *input)
{
	free(input->buffer);
	memset(input, 0, sizeof *input);
}

static uint32_t number_at(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What is left of the transport's bytes, from the buffer's beginning on, and room behind it. */
static enum bus_input_result input_make_room(struct bus_input *input, size_t wanted)
{
	size_t size = wanted > BUFFER_SIZE ? wanted : BUFFER_SIZE, kept = input->end - input->begin;
	unsigned char *fresh;

	if (input->begin > 0) {
		memmove(input->buffer, input->buffer + input->begin, kept);
		input->begin = 0;
		input->end = kept;
	}
	if (size == input->size || (size < input->size && kept > size))
		return BUS_INPUT_FRAME;
	fresh = realloc(input->buffer, size);
	if (fresh == NULL)
		return BUS_INPUT_FAILED;
	input->buffer = fresh;
	input->size = size;
	return BUS_INPUT_FRAME;
}

static ssize_t input_receive(struct bus_input *input, void *to, size_t size)
{
#ifdef WITH_TLS
	if (input->ssl != NULL)
		return bus_tls_read(input->ssl, to, size);
#endif
	return recv(input->fd, to, size, MSG_DONTWAIT);
}

#ifdef WITH_TLS
/*
 * A record of TLS is longer than what is in it, by how much depends on what was agreed on: it is learned from heartbeats that come alone. One that came
 * together with something else of TLS's own looks longer, so it takes two that are as long.
 */
static void input_learn_beat(struct bus_input *input, uint64_t transport, ssize_t got)
{
	bool alone = got == FRAME_BEAT && input->end - input->begin == FRAME_BEAT && input->buffer[input->begin] == FRAME_BEAT;

	if (!alone || transport <= FRAME_BEAT || transport > FRAME_BEAT + 128)
		return;
	if (transport == input->beat_seen)
		input->beat_length = transport;
	input->beat_seen = transport;
}
#endif

/* FRAME: there is something new. */
static enum bus_input_result input_fill_once(struct bus_input *input, size_t wanted, bool *heard)
{
	enum bus_input_result room = input_make_room(input, wanted);
#ifdef WITH_TLS
	uint64_t before;
#endif
	ssize_t got;

	if (room != BUS_INPUT_FRAME)
		return room;
#ifdef WITH_TLS
	before = input->ssl != NULL ? bus_tls_transported(input->ssl) : 0;
#endif
	do
		got = input_receive(input, input->buffer + input->end, input->size - input->end);
	while (got == -1 && errno == EINTR);
	if (got == 0)
		return BUS_INPUT_END;
	if (got == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? BUS_INPUT_EMPTY : BUS_INPUT_FAILED;
	input->end += (size_t)got;
	*heard = true;
#ifdef WITH_TLS
	if (input->ssl != NULL)
		input_learn_beat(input, bus_tls_transported(input->ssl) - before, got);
#endif
	return BUS_INPUT_FRAME;
}

/* Read once, unless that was done often enough in this call. FRAME: there is something new. */
static enum bus_input_result input_fill(struct bus_input *input, size_t wanted, bool *heard)
{
	if (input->fills++ >= FILLS_MAX)
		return BUS_INPUT_MORE;
	return input_fill_once(input, wanted, heard);
}

/* A frame that is too long goes by. FRAME: it has, and *frame has its beginning. */
static enum bus_input_result input_skip(struct bus_input *input, struct bus_raw *frame, bool *heard)
{
	enum bus_input_result result;
	size_t part;

	for (;;) {
		part = input->end - input->begin < input->skip ? input->end - input->begin : (size_t)input->skip;
		input->begin += part;
		input->skip -= part;
		if (input->skip == 0)
			break;
		result = input_fill(input, 0, heard);
		if (result != BUS_INPUT_FRAME)
			return result;
	}
	if (input->buffer[input->begin - 1] != FRAME_END)
		return BUS_INPUT_ASTRAY;
	*frame = (struct bus_raw){.type = input->skip_type, .channel = input->skip_channel, .payload = input->head,
	                          .length = sizeof input->head, .whole = input->skip_whole};
	return BUS_INPUT_FRAME;
}

static void input_begin_skip(struct bus_input *input, const unsigned char *at, uint32_t length)
{
	input->skip_whole = length;
	input->skip_type = at[0];
	input->skip_channel = (uint16_t)(at[1] << 8 | at[2]);
	memcpy(input->head, at + FRAME_HEAD, sizeof input->head);
	input->begin += FRAME_HEAD + sizeof input->head;
	input->skip = (uint64_t)length - sizeof input->head + 1;
}

/* What is wanted in the buffer before the next frame, or the beginning of one that is too long, can be had. */
static size_t input_wanted(const struct bus_input *input)
{
	uint32_t length;

	if (input->end - input->begin < FRAME_HEAD)
		return FRAME_HEAD;
	length = number_at(input->buffer + input->begin + 3);
	return length > input->largest ? FRAME_HEAD + sizeof input->head : FRAME_OVER + (size_t)length;
}

enum bus_input_result bus_input_next(struct bus_input *input, struct bus_raw *frame, bool *heard)
{
	enum bus_input_result result;
	const unsigned char *at;
	uint32_t length;
	size_t wanted;

	input->fills = 0;
	if (input->skip > 0)
		return input_skip(input, frame, heard);
	while ((wanted = input_wanted(input)) > input->end - input->begin) {
		result = input_fill(input, wanted, heard);
		if (result != BUS_INPUT_FRAME)
			return result;
	}
	at = input->buffer + input->begin;
	length = number_at(at + 3);
	if (length > input->largest) {
		input_begin_skip(input, at, length);
		return input_skip(input, frame, heard);
	}
	if (at[FRAME_HEAD + (size_t)length] != FRAME_END)
		return BUS_INPUT_ASTRAY;
	input->begin += wanted;
	*frame = (struct bus_raw){.type = at[0], .channel = (uint16_t)(at[1] << 8 | at[2]), .payload = at + FRAME_HEAD,
	                          .length = length, .whole = length};
	return BUS_INPUT_FRAME;
}

int bus_input_low_water(const struct bus_input *input)
{
	if (input->end != input->begin || input->skip > 0)
		return 1;
#ifdef WITH_TLS
	if (input->ssl != NULL)
		return input->beat_length != 0 && !bus_tls_holds(input->ssl) ? (int)input->beat_length + 1 : 1;
#endif
	return FRAME_BEAT + 1;
}
