#ifndef CALLSIGN_RATE_H
#define CALLSIGN_RATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * How many messages a user may send: a token bucket for each. A bucket holds `burst` messages at most, begins full, and fills
 * with `per_s` a second. Pure: the time is an argument.
 */
struct rate_limit {
	uint32_t per_s; /* 0: no limit */
	uint32_t burst; /* at least 1 */
};

enum rate_verdict {
	RATE_WITHIN,
	RATE_OVER_TELL, /* over, and nobody was told of this user in the last second */
	RATE_OVER
};

struct rates;

struct rates *rates_new(void); /* NULL with errno */
void rates_free(struct rates *rates);

/*
 * One message of user (length bytes of any kind). The limit may be another one each time. Users without a limit and those
 * whose bucket is full take no memory for long. Out of memory: within.
 */
enum rate_verdict rates_take(struct rates *rates, const char *user, size_t length, const struct rate_limit *limit, int64_t now_ms);

/* Users with a bucket now. */
size_t rates_count(const struct rates *rates);

#endif
