#ifndef CALLSIGN_BACKOFF_H
#define CALLSIGN_BACKOFF_H

#include <stdint.h>

/*
 * Capped exponential backoff. The first delay is short (a random part of first_ms: a thousand emitters that lose their
 * broker together must not all come back in the same millisecond), each further one twice the last, up to max_ms. Jitter
 * takes up to a quarter off, never adds, so that max_ms is a bound.
 */
struct backoff {
	uint32_t first_ms;
	uint32_t max_ms;
	uint32_t next_ms; /* 0: nothing has failed yet */
};

void backoff_init(struct backoff *backoff, uint32_t first_ms, uint32_t max_ms);

/* Something worked: start again from the beginning. */
void backoff_reset(struct backoff *backoff);

/* Milliseconds to wait before the next try. jitter: 32 random bits, given by the caller. */
uint32_t backoff_next(struct backoff *backoff, uint32_t jitter);

#endif
