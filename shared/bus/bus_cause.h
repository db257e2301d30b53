#ifndef CALLSIGN_BUS_CAUSE_H
#define CALLSIGN_BUS_CAUSE_H

#include <stddef.h>
#include <stdint.h>

#include "bus.h"

/*
 * Why the broker refused. A reply code (AMQP 0-9-1, section 1.2) has several causes, 406 above all, and only RabbitMQ's words tell which it is; what of them
 * is looked for here has been the same from 3.8 to 4.3. Words that are not known are no cause. Pure.
 */
void bus_cause_read(struct bus_cause *cause, uint16_t code, const char *text, size_t length);

/* Which broker it is, from what it says of itself (connection.start). Either may be NULL with length 0. */
void bus_broker_read(struct bus_broker *broker, const struct bus_text *product, const struct bus_text *version);

#endif
