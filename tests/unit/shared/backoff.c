#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>

#include "shared/backoff.h"
#include "shared/clock.h"
#include "tests/unit/exact.h"
#include "tests/unit/range.h"

static void doubles_up_to_its_bound(void **state)
{
	static const uint32_t longest[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
	struct backoff least, most;

	(void)state;
	backoff_init(&least, 100, 5000);
	backoff_init(&most, 100, 5000);
	for (size_t i = 0; i < COUNT(longest); i++) {
		uint32_t by_none = backoff_next(&least, i == 0 ? UINT32_MAX : 0);
		uint32_t by_most = backoff_next(&most, i == 0 ? 0 : UINT32_MAX);

		assert_int_equal(by_none, longest[i]);
		assert_int_equal(by_most, i == 0 ? 0 : longest[i] - longest[i] / 4);
	}
}

static void begins_with_a_part_of_the_first_step(void **state)
{
	struct backoff backoff;

	(void)state;
	backoff_init(&backoff, 100, 5000);
	assert_int_in_range(backoff_next(&backoff, UINT32_MAX / 2), 49, 51);
	assert_int_equal(backoff_next(&backoff, 0), 200);
	backoff_reset(&backoff);
	assert_int_equal(backoff_next(&backoff, UINT32_MAX), 100);
}

static void survives_odd_limits(void **state)
{
	static const struct {
		uint32_t first_ms, max_ms;
	} rows[] = {{0, 0}, {0, 10}, {10, 0}, {10, 5}, {UINT32_MAX, UINT32_MAX}, {1, UINT32_MAX}, {3, UINT32_MAX}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t bound = rows[i].max_ms == 0 ? 1 : rows[i].max_ms, last = 0;
		struct backoff backoff;

		backoff_init(&backoff, rows[i].first_ms, rows[i].max_ms);
		for (int n = 0; n < 40; n++) {
			uint32_t delay_ms = backoff_next(&backoff, n == 0 ? UINT32_MAX : 0);

			assert_true(delay_ms >= 1);
			assert_true(delay_ms <= bound);
			assert_true(delay_ms >= last);
			last = delay_ms;
		}
		assert_int_equal(last, bound);
	}
}

static void turns_deadlines_into_poll_timeouts(void **state)
{
	static const struct {
		int64_t now_ms, deadline_ms;
		int timeout_ms;
	} rows[] = {
		{1000, CLOCK_NEVER, -1},
		{1000, 1000, 0},
		{1000, 999, 0},
		{1000, INT64_MIN, 0},
		{1000, 1001, 1},
		{1000, 1000 + (int64_t)INT_MAX, INT_MAX},
		{1000, 1001 + (int64_t)INT_MAX, INT_MAX},
		{0, CLOCK_NEVER - 1, INT_MAX},
		{INT64_MIN, CLOCK_NEVER - 1, INT_MAX},
		{-5, 5, 10},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(clock_poll_timeout(rows[i].now_ms, rows[i].deadline_ms), rows[i].timeout_ms);
}

static void reads_one_clock_in_two_units(void **state)
{
	int64_t before_us, ms, after_us;

	(void)state;
	before_us = clock_us();
	ms = clock_ms();
	after_us = clock_us();
	assert_true(before_us > 0);
	assert_true(before_us / 1000 <= ms);
	assert_true(ms <= after_us / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_up_to_its_bound),      cmocka_unit_test(begins_with_a_part_of_the_first_step),
		cmocka_unit_test(survives_odd_limits),          cmocka_unit_test(turns_deadlines_into_poll_timeouts),
		cmocka_unit_test(reads_one_clock_in_two_units),
	};

	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
