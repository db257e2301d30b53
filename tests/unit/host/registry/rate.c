#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "host/registry/rate.h"
#include "tests/unit/exact.h"
#include "tests/unit/range.h"

#define START_MS 7000000

static struct rates *rates;

static int setup(void **state)
{
	(void)state;
	rates = rates_new();
	assert_non_null(rates);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rates_free(rates);
	return 0;
}

static enum rate_verdict take(const char *user, uint32_t per_s, uint32_t burst, int64_t now_ms)
{
	struct rate_limit limit = {.per_s = per_s, .burst = burst};
	char *copy = exact_copy(user, strlen(user));
	enum rate_verdict verdict = rates_take(rates, copy, strlen(user), &limit, now_ms);

	free(copy);
	return verdict;
}

/* How many of n messages at one moment pass. */
static unsigned passed(const char *user, uint32_t per_s, uint32_t burst, unsigned n, int64_t now_ms)
{
	unsigned count = 0;

	while (n-- > 0)
		count += take(user, per_s, burst, now_ms) == RATE_WITHIN;
	return count;
}

static void no_limit_lets_everything_pass_and_remembers_nothing(void **state)
{
	(void)state;
	assert_int_equal(passed("red", 0, 1, 100000, START_MS), 100000);
	assert_int_equal(rates_count(rates), 0);
}

static void a_burst_passes_then_the_rate(void **state)
{
	(void)state;
	assert_int_equal(passed("red", 10, 50, 200, START_MS), 50);
	assert_int_equal(passed("red", 10, 50, 200, START_MS + 99), 0);
	assert_int_equal(passed("red", 10, 50, 200, START_MS + 100), 1);
	assert_int_equal(passed("red", 10, 50, 200, START_MS + 1100), 10);
	/* No more than a burst is saved up, however long the pause. */
	assert_int_equal(passed("red", 10, 50, 200, START_MS + INT64_C(1000000000000)), 50);
}

static void over_a_long_time_the_rate_is_exact(void **state)
{
	unsigned count = 0;

	(void)state;
	for (int64_t ms = 0; ms < 60000; ms++)
		count += passed("red", 7, 1, 3, START_MS + ms);
	assert_int_in_range(count, 7 * 60 - 1, 7 * 60 + 1);
}

static void one_users_flood_is_not_anothers(void **state)
{
	(void)state;
	passed("red", 10, 50, 10000, START_MS);
	assert_int_equal(passed("blue", 10, 50, 50, START_MS), 50);
	/* Names are whole: neither a prefix nor an empty one is another's. */
	assert_int_equal(passed("re", 10, 50, 50, START_MS), 50);
	assert_int_equal(passed("", 10, 50, 60, START_MS), 50);
}

static void tells_once_a_second(void **state)
{
	(void)state;
	passed("red", 1, 1, 1, START_MS);
	assert_int_equal(take("red", 1, 1, START_MS), RATE_OVER_TELL);
	assert_int_equal(take("red", 1, 1, START_MS + 1), RATE_OVER);
	assert_int_equal(take("red", 1, 1, START_MS + 999), RATE_OVER);
	assert_int_equal(take("red", 1, 1, START_MS + 1000), RATE_WITHIN);
	assert_int_equal(take("red", 1, 1, START_MS + 1000), RATE_OVER_TELL);
	/* Another user is another matter. */
	passed("blue", 1, 1, 1, START_MS + 1000);
	assert_int_equal(take("blue", 1, 1, START_MS + 1000), RATE_OVER_TELL);
}

static void a_changed_limit_holds_at_once(void **state)
{
	(void)state;
	assert_int_equal(passed("red", 10, 1000, 100, START_MS), 100);
	assert_int_equal(passed("red", 10, 5, 100, START_MS), 5);
	/* A larger burst is not filled by being allowed. */
	assert_int_equal(passed("red", 10, 1000, 100, START_MS), 0);
	assert_int_equal(passed("red", 1000, 1000, 100, START_MS + 50), 50);
}

static void a_clock_that_goes_back_gives_nothing(void **state)
{
	(void)state;
	passed("red", 10, 5, 5, START_MS);
	assert_int_equal(passed("red", 10, 5, 5, START_MS - 10000), 0);
	assert_int_equal(passed("red", 10, 5, 5, START_MS - 10000 + 100), 1);
}

static void the_largest_limits_do_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(passed("red", UINT32_MAX, UINT32_MAX, 10, 0), 10);
	assert_int_equal(passed("red", UINT32_MAX, UINT32_MAX, 10, INT64_MAX / 2), 10);
}

static void full_buckets_are_forgotten(void **state)
{
	char user[32];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(user, sizeof(user), "user-%d", i);
		take(user, 10, 50, START_MS + i * 1000);
	}
	assert_int_in_range(rates_count(rates), 1, 100);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_limit_lets_everything_pass_and_remembers_nothing),
		TEST(a_burst_passes_then_the_rate),
		TEST(over_a_long_time_the_rate_is_exact),
		TEST(one_users_flood_is_not_anothers),
		TEST(tells_once_a_second),
		TEST(a_changed_limit_holds_at_once),
		TEST(a_clock_that_goes_back_gives_nothing),
		TEST(the_largest_limits_do_not_overflow),
		TEST(full_buckets_are_forgotten),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
