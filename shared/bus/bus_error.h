#ifndef CALLSIGN_BUS_ERROR_H
#define CALLSIGN_BUS_ERROR_H

#include <stddef.h>

#include "bus.h"

/*
 * What went wrong on the bus as one line of text: where, what, and what to do about it. text (length bytes, not terminated) is the
 * broker's or the library's own words; it is escaped. Writes failure->text.
 */
void bus_error_describe(struct bus_failure *failure, const struct bus_endpoint *endpoint, const char *text, size_t length);

/* "queue.declare" and the like, for messages. */
const char *bus_error_request_name(enum bus_request request);

#endif
