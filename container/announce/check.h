#ifndef CALLSIGN_CHECK_H
#define CALLSIGN_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When a container counts as ready, and when it is asked: a state machine over the results of one probe after the other. Pure: it is given the
 * time and the results; readiness.c carries it out. All times are on one monotonic clock.
 *
 * Until the first pass it asks often, so that a program that is ready is noticed at once: every CHECK_QUICK_MS, later after a part of the time
 * that it has taken already. From then on every interval.
 */
enum check_state {
	CHECK_STARTING, /* it has not passed yet */
	CHECK_PASSING,
	CHECK_FAILING
};

#define CHECK_QUICK_MS 100
#define CHECK_QUICK_PART 16 /* of the time since the start */

struct check_rules {
	uint32_t interval_s;
	uint32_t timeout_s; /* of one probe */
	uint32_t rise;      /* so many passes in a row */
	uint32_t fall;      /* so many failures in a row */
};

struct check {
	struct check_rules rules;
	enum check_state state;
	uint32_t in_a_row;  /* results that speak against the state */
	int64_t began_ms;
	int64_t since_ms;   /* the state */
	int64_t asked_ms;   /* the last probe */
	int64_t next_ms;    /* the next one; CLOCK_NEVER while one runs */
};

void check_init(struct check *check, const struct check_rules *rules, int64_t now_ms);

/* A probe is wanted now, or when: CLOCK_NEVER while one runs. */
bool check_due(const struct check *check, int64_t now_ms);
int64_t check_deadline_ms(const struct check *check);

void check_asked(struct check *check, int64_t now_ms);

/* The probe's result. Returns whether the state is another one now. */
bool check_answered(struct check *check, bool good, int64_t now_ms);

#endif
