#include <config.h>

#include "bus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus_amqp.h"
#include "bus_tls.h"

/* What the broker sends, frame by frame. */

static void bus_lose(struct bus *bus, const char *text)
{
	bus_break(bus, BUS_FAILED_LOST, 0, BUS_REQUEST_NONE, text, strlen(text));
}

static void bus_lose_for(struct bus *bus, int error)
{
	char why[200];

#ifdef WITH_TLS
	if (error == 0) {
		bus_lose(bus, bus_tls_failure("TLS failed", why, sizeof why));
		return;
	}
#endif
	snprintf(why, sizeof why, "%s", strerror(error));
	bus_lose(bus, why);
}

static bool bus_frame(struct bus *bus, const struct bus_raw *frame)
{
	switch (frame->type) {
	case AMQP_FRAME_METHOD:
		return frame->whole == frame->length && bus_method(bus, frame->channel, frame->payload, frame->length);
	case AMQP_FRAME_HEADER:
		return bus_content_header(bus, frame);
	case AMQP_FRAME_BODY:
		return bus_content_body(bus, frame);
	case AMQP_FRAME_HEARTBEAT:
		return true;
	default:
		return false;
	}
}

bool bus_read(struct bus *bus, unsigned max_frames)
{
	struct bus_raw frame;
	unsigned count = 0;
	bool heard = false;

	while (bus->state == BUS_UP && count++ < max_frames) {
		enum bus_input_result result = bus_input_next(&bus->input, &frame, &heard);

		if (heard)
			bus->read_ms = bus->now_ms;
		if (result == BUS_INPUT_EMPTY)
			return false;
		if (result == BUS_INPUT_MORE)
			continue;
		if (result == BUS_INPUT_END)
			bus_lose(bus, "it closed the connection without a word");
		else if (result == BUS_INPUT_FAILED)
			bus_lose_for(bus, errno);
		else if (result == BUS_INPUT_ASTRAY || !bus_frame(bus, &frame))
			bus_lose(bus, "what it sent is not AMQP");
	}
	return bus->state == BUS_UP;
}
