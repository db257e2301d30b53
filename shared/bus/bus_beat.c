#include <config.h>

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "bus_amqp.h"
#include "shared/clock.h"

/*
 * Heartbeats (AMQP 0-9-1, section 4.2.7), with as few wake-ups as will do: at rest they are all that a process does. The broker sends one each half
 * of the interval, and we have to send one in each: so every second of theirs wakes us, and ours goes out then. Ours are sent here, since librabbitmq sends
 * one only once a whole interval is over, and a wake-up that comes a moment before that would leave two intervals between them.
 */

#define FRAME_BEAT     8 /* bytes: type, channel, size, end */
#define FRAME_SMALLEST 9 /* of all others: a body of one byte (a method has four at least) */

static int64_t beat_patience_ms(const struct bus *bus)
{
	return bus->heartbeat_ms + bus->heartbeat_ms / 20;
}

void bus_beat_begin(struct bus *bus)
{
	bus->beat_ms = bus->heard_ms = bus->read_ms = bus->now_ms;
	bus->late = false;
	bus->low_water = 1;
}

static int64_t beat_silence_ms(const struct bus *bus)
{
	return bus->heartbeat_ms * 3 / 2;
}

/* The broker's second heartbeat comes first. If not, it may have gone silent, and each further half of the interval is looked at. */
int64_t bus_beat_due_ms(const struct bus *bus)
{
	int64_t look_ms = bus->stepped_ms + bus->heartbeat_ms / 2, over_ms = bus->heard_ms + beat_silence_ms(bus);

	if (bus->heartbeat_ms == 0)
		return CLOCK_NEVER;
	if (!bus->late)
		return bus->beat_ms + beat_patience_ms(bus);
	return look_ms < over_ms ? look_ms : over_ms;
}

/* A socket that is full has enough of ours that the broker has yet to read. */
static void beat_send(struct bus *bus)
{
	const amqp_frame_t beat = {.frame_type = AMQP_FRAME_HEARTBEAT};
	int status = bus_writable(bus) ? amqp_send_frame(bus->connection, &beat) : AMQP_STATUS_OK;

	bus->beat_ms = bus->now_ms;
	if (status != AMQP_STATUS_OK)
		bus_break(bus, BUS_FAILED_LOST, 0, BUS_REQUEST_NONE, amqp_error_string2(status), strlen(amqp_error_string2(status)));
}

/*
 * A broker is given up when nothing was read for two intervals. But what is read now may have come long ago, so that once we are late, three halves of an
 * interval in which nothing came, which are three heartbeats of the broker's, are as long.
 *
 * Whoever has sent something else leaves a heartbeat out, so that after a renewal only one waits for us: that is not late, and the next two are in step
 * again.
 */
static bool beat_is_silent(const struct bus *bus, int waiting)
{
	return bus->now_ms - bus->heard_ms >= beat_silence_ms(bus) || (waiting == 0 && bus->now_ms - bus->read_ms >= 2 * bus->heartbeat_ms);
}

void bus_beat_step(struct bus *bus)
{
	const char *text = amqp_error_string2(AMQP_STATUS_HEARTBEAT_TIMEOUT);
	int waiting = 0;

	if (bus->heartbeat_ms == 0)
		return;
	if (ioctl(amqp_get_sockfd(bus->connection), FIONREAD, &waiting) == -1)
		waiting = 1;
	bus->late = bus->now_ms >= bus_beat_due_ms(bus) && waiting == 0;
	if (!bus->late)
		bus->heard_ms = bus->now_ms;
	if (beat_is_silent(bus, waiting))
		bus_break(bus, BUS_FAILED_LOST, 0, BUS_REQUEST_NONE, text, strlen(text));
	else if (bus->now_ms - bus->beat_ms >= bus->heartbeat_ms * 3 / 4)
		beat_send(bus);
}

/*
 * A heartbeat alone is too little for poll() to come back: its bytes wait for the next one, and whatever else comes is more. Not in the middle of a frame,
 * the rest of which may be as short as a heartbeat.
 */
void bus_beat_wait(struct bus *bus)
{
	int least = bus->heartbeat_ms != 0 ? bus_input_low_water(&bus->input) : 1;

	_Static_assert(FRAME_BEAT + 1 <= FRAME_SMALLEST, "each other frame wakes us");
	if (least == bus->low_water)
		return;
	/* Failing costs nothing but wake-ups, unless it stays too high. */
	if (setsockopt(amqp_get_sockfd(bus->connection), SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least) == 0)
		bus->low_water = least;
}
