#ifndef CALLSIGN_LOGRATE_H
#define CALLSIGN_LOGRATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * At most so many lines of one kind in a second; what is more is counted, and told of in one line when the second is over: a flood must not fill
 * the disk, and must not go unseen. Pure: the time is an argument. Begins with all but per_s zero.
 */
struct lograte {
	unsigned per_s;
	int64_t second_ms; /* when the current second began */
	unsigned logged;   /* in it */
	uint64_t suppressed;
};

/* How many were suppressed in a second that is over by now, once; else 0. Before each lograte_take(), and at the deadline. */
uint64_t lograte_tick(struct lograte *rate, int64_t now_ms);

/* Whether this one may be logged; if not it is counted. */
bool lograte_take(struct lograte *rate);

/* When lograte_tick() has something to tell: CLOCK_NEVER for nothing. */
int64_t lograte_deadline_ms(const struct lograte *rate);

#endif
