#include <config.h>

#include "backoff.h"

/* jitter's 32 bits spread evenly over 0..limit. */
static uint32_t spread(uint32_t jitter, uint32_t limit)
{
	return (uint32_t)((uint64_t)jitter * ((uint64_t)limit + 1) >> 32);
}

void backoff_init(struct backoff *backoff, uint32_t first_ms, uint32_t max_ms)
{
	/* A delay of 0 would double to 0 for ever: a busy loop against a broker that is down. */
	backoff->first_ms = first_ms == 0 ? 1 : first_ms;
	backoff->max_ms = max_ms == 0 ? 1 : max_ms;
	if (backoff->first_ms > backoff->max_ms)
		backoff->first_ms = backoff->max_ms;
	backoff->next_ms = 0;
}

void backoff_reset(struct backoff *backoff)
{
	backoff->next_ms = 0;
}

static uint32_t doubled(const struct backoff *backoff, uint32_t ms)
{
	return ms > backoff->max_ms / 2 ? backoff->max_ms : ms * 2;
}

uint32_t backoff_next(struct backoff *backoff, uint32_t jitter)
{
	uint32_t delay_ms = backoff->next_ms;

	if (delay_ms == 0) {
		backoff->next_ms = doubled(backoff, backoff->first_ms);
		return spread(jitter, backoff->first_ms);
	}
	backoff->next_ms = doubled(backoff, delay_ms);
	return delay_ms - spread(jitter, delay_ms / 4);
}
