#ifndef CALLSIGN_ANSWERED_H
#define CALLSIGN_ANSWERED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whose answer does the broker fail over? RabbitMQ (3.10.8) ends our connection with an internal error (541) when an answer goes to a direct reply-to
 * that is well formed and yet none of its own: one that somebody made up (what came by federation says so, and is not answered at all). What it has
 * confirmed did no harm, so it was the oldest answer that it has not confirmed; and that user, and nobody else, is not answered for a while. Pure.
 */
struct answered;

#define ANSWERED_MUTE_MS 600000

struct answered *answered_new(void); /* NULL with errno */
void answered_free(struct answered *answered);

/* An answer to user was published with this sequence number, or has been confirmed. */
void answered_sent(struct answered *answered, const char *user, uint64_t sequence);
void answered_confirmed(struct answered *answered, uint64_t sequence);

/* The connection is gone; failed: over an answer. Returns the user who is not answered for ANSWERED_MUTE_MS, or NULL. Valid until the next call. */
const char *answered_down(struct answered *answered, bool failed, int64_t now_ms);

/* Whether user is not to be answered now. */
bool answered_muted(const struct answered *answered, const char *user, int64_t now_ms);

#endif
