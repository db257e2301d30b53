#include <config.h>

#include "clock.h"

#include <limits.h>
#include <time.h>

int64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock and a valid pointer */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

/*
 * clock_ms() cuts the fraction off, so now_ms is never ahead of the true time: a poll(2) that waits the whole
 * difference cannot wake before the deadline.
 */
int clock_poll_timeout(int64_t now_ms, int64_t deadline_ms)
{
	uint64_t wait_ms;

	if (deadline_ms == CLOCK_NEVER)
		return -1;
	if (deadline_ms <= now_ms)
		return 0;
	wait_ms = (uint64_t)deadline_ms - (uint64_t)now_ms;
	return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}
