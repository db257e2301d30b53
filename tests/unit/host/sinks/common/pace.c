#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/sinks/common/pace.h"
#include "tests/unit/range.h"

#define PART      20
#define SAVED_US  50000
#define BEGIN_US  INT64_C(1000000000)
#define LONG_US   (INT64_C(365) * 24 * 3600 * 1000000)

static void what_was_saved_is_used_at_once(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, PART, SAVED_US, BEGIN_US);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(pace_due_us(&pace, BEGIN_US), BEGIN_US);
		pace_spend(&pace, 1001, BEGIN_US);
	}
	assert_int_equal(pace_due_us(&pace, BEGIN_US), BEGIN_US + INT64_C(50) * PART);
}

static void one_that_overdraws_makes_the_next_one_wait(void **state)
{
	struct pace pace;
	int64_t due_us;

	(void)state;
	pace_init(&pace, PART, SAVED_US, BEGIN_US);
	pace_spend(&pace, SAVED_US + 100000, BEGIN_US);
	due_us = pace_due_us(&pace, BEGIN_US);
	assert_int_equal(due_us, BEGIN_US + INT64_C(100000) * PART);
	assert_int_equal(pace_due_us(&pace, due_us - 1), due_us - 1 + PART);
	assert_int_equal(pace_due_us(&pace, due_us), due_us);
}

static void in_the_long_run_it_is_one_part(void **state)
{
	struct pace pace;
	int64_t now_us = BEGIN_US, spent_us = 0;

	(void)state;
	pace_init(&pace, PART, SAVED_US, now_us);
	while (now_us < BEGIN_US + 60000000) {
		now_us = pace_due_us(&pace, now_us) + 13000;
		pace_spend(&pace, 13000, now_us);
		spent_us += 13000;
	}
	assert_int_in_range(spent_us, 60000000 / PART, 60000000 / PART + SAVED_US + 2 * 13000);
}

static void no_more_is_saved_than_may_be(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace, PART, SAVED_US, BEGIN_US);
	pace_spend(&pace, SAVED_US + 1, BEGIN_US + LONG_US);
	assert_int_equal(pace_due_us(&pace, BEGIN_US + LONG_US), BEGIN_US + LONG_US + PART);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_saved_is_used_at_once),
		cmocka_unit_test(one_that_overdraws_makes_the_next_one_wait),
		cmocka_unit_test(in_the_long_run_it_is_one_part),
		cmocka_unit_test(no_more_is_saved_than_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
