#ifndef CALLSIGN_JITTER_H
#define CALLSIGN_JITTER_H

#include <stdint.h>

/*
 * 32 random bits to spread delays by (backoff.h), or for an id that nobody gains anything by guessing: never waits for the kernel's pool, so nothing
 * secret may hang on them.
 */
uint32_t jitter_bits(void);

#endif
