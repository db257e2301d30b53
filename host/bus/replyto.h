#ifndef CALLSIGN_REPLYTO_H
#define CALLSIGN_REPLYTO_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The address of a direct reply-to, as RabbitMQ writes it into a message that it passes on:
 *
 *   amq.rabbitmq.reply-to.PROCESS.KEY
 *
 * PROCESS is the base64 (RFC 4648, section 4) of one Erlang process identifier in the external term format (PID_EXT or NEW_PID_EXT with its node as
 * an atom), and KEY is base64, too. The broker decodes whatever stands there and, where that fails (3.10.8), ends the connection of the one who
 * answers; and each new atom in it stays in the broker's memory for ever. So nothing but this form may ever be handed to it. Pure.
 */
#define REPLYTO_PREFIX "amq.rabbitmq.reply-to."

bool replyto_valid(const char *text, size_t length);

#endif
