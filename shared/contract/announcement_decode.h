#ifndef CALLSIGN_ANNOUNCEMENT_DECODE_H
#define CALLSIGN_ANNOUNCEMENT_DECODE_H

#include "announcement.h"

/*
 * What a message need not say is not said, whatever *out was, until it is: the way that gave up half-way leaves nothing behind to the one that
 * follows it, nor does the message before.
 */
static inline void announcement_decode_begin(struct announcement *out)
{
	out->naddresses = out->naliases = out->nports = 0;
	out->agent[0] = out->reason[0] = '\0';
	out->place = (struct place){0};
}

/*
 * The two ways of announcement_decode(), private to this room and its tests. Nearly every message is an up, down or lost as our own programs write it:
 * without blanks, escapes, or keys of others. Such a one is taken by announcement_decode_plain(), at a fifteenth of what a JSON library takes for it.
 */

/* Whether it was taken, exactly as announcement_decode_any() would take it. false says nothing about the message, and leaves anything in *out. */
bool announcement_decode_plain(const char *body, size_t length, struct announcement *out);

/* Any JSON, and the reason why it is refused. */
int announcement_decode_any(const void *body, size_t length, struct announcement *out, char error[ANNOUNCEMENT_ERROR_SIZE]);

#endif
