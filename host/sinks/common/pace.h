#ifndef CALLSIGN_PACE_H
#define CALLSIGN_PACE_H

#include <stdint.h>

/*
 * A budget of time for work that holds up somebody else: a token bucket whose tokens are microseconds. In the long run the work may take
 * one part in `part` of the time; what was not used is saved, up to saved_max_us, so that a few in a row need not wait. Pure: all
 * times are given, on one monotonic clock.
 */
struct pace {
	unsigned part;
	int64_t saved_max_us;
	int64_t saved_us; /* at at_us; negative: overdrawn */
	int64_t at_us;
};

void pace_init(struct pace *pace, unsigned part, int64_t saved_max_us, int64_t now_us);

/* The work took so long. It may overdraw the budget: then the next one waits. */
void pace_spend(struct pace *pace, int64_t took_us, int64_t now_us);

/* When the next one may begin: now_us, or later. */
int64_t pace_due_us(const struct pace *pace, int64_t now_us);

#endif
