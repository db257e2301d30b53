#include <config.h>

#include "check.h"

#include <string.h>

#include "shared/clock.h"

void check_init(struct check *check, const struct check_rules *rules, int64_t now_ms)
{
	memset(check, 0, sizeof(*check));
	check->rules = *rules;
	check->began_ms = check->since_ms = check->next_ms = now_ms;
}

bool check_due(const struct check *check, int64_t now_ms)
{
	return now_ms >= check->next_ms;
}

int64_t check_deadline_ms(const struct check *check)
{
	return check->next_ms;
}

void check_asked(struct check *check, int64_t now_ms)
{
	check->asked_ms = now_ms;
	check->next_ms = CLOCK_NEVER;
}

/* A program that takes a minute to start is noticed four seconds late, at most; one that never starts is not asked ten times a second for ever. */
static int64_t pause_ms(const struct check *check, int64_t now_ms)
{
	int64_t interval_ms = (int64_t)check->rules.interval_s * 1000;
	int64_t quick_ms = (now_ms - check->began_ms) / CHECK_QUICK_PART;

	if (check->state != CHECK_STARTING)
		return interval_ms;
	if (quick_ms < CHECK_QUICK_MS)
		quick_ms = CHECK_QUICK_MS;
	return quick_ms < interval_ms ? quick_ms : interval_ms;
}

static bool turned(struct check *check, bool good)
{
	if (good == (check->state == CHECK_PASSING)) {
		check->in_a_row = 0;
		return false;
	}
	check->in_a_row++;
	return good ? check->in_a_row >= check->rules.rise : check->in_a_row >= check->rules.fall;
}

bool check_answered(struct check *check, bool good, int64_t now_ms)
{
	bool change = turned(check, good);

	if (change) {
		check->state = good ? CHECK_PASSING : CHECK_FAILING;
		check->since_ms = now_ms;
		check->in_a_row = 0;
	}
	check->next_ms = check->asked_ms + pause_ms(check, now_ms);
	if (check->next_ms < now_ms)
		check->next_ms = now_ms;
	return change;
}
