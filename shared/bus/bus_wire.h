#ifndef CALLSIGN_BUS_WIRE_H
#define CALLSIGN_BUS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus.h"

/*
 * What the broker says, byte for byte (AMQP 0-9-1, section 4.2). Pure, and our own: a message's headers are its sender's, as deep and as long as
 * a frame has room for, RabbitMQ hands them on as they are, and a library that will not read one of them loses its connection to it, again at each
 * redelivery. Here nothing is taken apart that is not asked for: each value says how long it is, so that one is stepped over whatever is inside.
 */
struct wire {
	const unsigned char *at;
	size_t left;
	bool bad; /* something was missing: what was read since is 0 or empty */
};

static inline struct wire wire_at(const void *bytes, size_t length)
{
	return (struct wire){.at = bytes, .left = length};
}

uint64_t wire_number(struct wire *wire, unsigned bytes); /* big-endian */
struct bus_text wire_bytes(struct wire *wire, size_t length);
struct bus_text wire_short(struct wire *wire); /* a short string: up to 255 bytes */
struct bus_text wire_long(struct wire *wire);

/*
 * A field table's value, from the inside of the table (its length not included): its type (RabbitMQ's letters, which are the 0-9-1 errata's) and, as a
 * cursor, what is in it. 0: there is none. table->bad: it was not found, and what follows cannot be read, so that it may be there.
 */
char wire_table_get(struct wire *table, const char *key, struct wire *value);

/* The next value of an array, likewise; 0: there is none. */
char wire_value(struct wire *wire, struct wire *value);

#endif
