#include <config.h>

#include "lograte.h"

#include "clock.h"

uint64_t lograte_tick(struct lograte *rate, int64_t now_ms)
{
	uint64_t suppressed = rate->suppressed;

	if (now_ms < rate->second_ms + 1000)
		return 0;
	rate->suppressed = 0;
	rate->logged = 0;
	rate->second_ms = now_ms;
	return suppressed;
}

bool lograte_take(struct lograte *rate)
{
	if (rate->logged < rate->per_s) {
		rate->logged++;
		return true;
	}
	rate->suppressed++;
	return false;
}

int64_t lograte_deadline_ms(const struct lograte *rate)
{
	return rate->suppressed > 0 ? rate->second_ms + 1000 : CLOCK_NEVER;
}
