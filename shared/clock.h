#ifndef CALLSIGN_CLOCK_H
#define CALLSIGN_CLOCK_H

#include <stdint.h>

/* "Never": a deadline that does not come. */
#define CLOCK_NEVER INT64_MAX

/*
 * Milliseconds on CLOCK_MONOTONIC. Every deadline and lease of this project is counted on this clock: the wall clock
 * may jump by a day without touching any of them. Pure modules never call this; they are given the time.
 */
int64_t clock_ms(void);

/* The same clock in microseconds, for measuring. */
int64_t clock_us(void);

/* Milliseconds from now_ms until deadline_ms as poll(2) wants them: -1 for CLOCK_NEVER, 0 if past, else rounded to fit. */
int clock_poll_timeout(int64_t now_ms, int64_t deadline_ms);

#endif
