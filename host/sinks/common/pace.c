#include <config.h>

#include "pace.h"

static int64_t saved_us(const struct pace *pace, int64_t now_us)
{
	int64_t saved = pace->saved_us + (now_us - pace->at_us) / pace->part;

	return saved < pace->saved_max_us ? saved : pace->saved_max_us;
}

void pace_init(struct pace *pace, unsigned part, int64_t saved_max_us, int64_t now_us)
{
	*pace = (struct pace){.part = part, .saved_max_us = saved_max_us, .saved_us = saved_max_us, .at_us = now_us};
}

void pace_spend(struct pace *pace, int64_t took_us, int64_t now_us)
{
	pace->saved_us = saved_us(pace, now_us) - took_us;
	pace->at_us = now_us;
}

int64_t pace_due_us(const struct pace *pace, int64_t now_us)
{
	int64_t saved = saved_us(pace, now_us);

	return saved >= 0 ? now_us : now_us - saved * pace->part;
}
