#include <config.h>

#include "bus.h"

#include <string.h>

#include "bus_amqp.h"
#include "bus_error.h"

void bus_break(struct bus *bus, enum bus_failure_kind kind, uint16_t code, enum bus_request request, const char *text, size_t length)
{
	if (bus->state == BUS_FAILING || bus->state == BUS_DOWN)
		return;
	bus->failure.kind = kind;
	bus->failure.code = code;
	bus->failure.request = request;
	bus_error_describe(&bus->failure, &bus->where, text, length);
	bus->state = BUS_FAILING;
}

void bus_fail(struct bus *bus, const char *text)
{
	bus_break(bus, BUS_FAILED_LOCAL, 0, BUS_REQUEST_NONE, text, strlen(text));
}
