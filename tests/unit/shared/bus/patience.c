#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/bus/patience.h"
#include "tests/unit/exact.h"

static void waits_twice_as_long_after_each_turn_that_was_too_short(void **state)
{
	static const uint32_t waits_ms[] = {3000, 6000, 12000, 24000, 24000, 24000};
	struct patience patience = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(waits_ms); i++) {
		assert_int_equal(patience_ms(&patience, 3000), waits_ms[i]);
		patience_grow(&patience, false);
	}
}

static void begins_anew_once_served(void **state)
{
	struct patience patience = {0};

	(void)state;
	patience_grow(&patience, false);
	patience_grow(&patience, false);
	patience_reset(&patience);
	assert_int_equal(patience_ms(&patience, 60000), 60000);
	patience_grow(&patience, false);
	assert_int_equal(patience_ms(&patience, 60000), 120000);
}

static void a_slow_login_makes_no_request_wait_where_another_broker_may_serve(void **state)
{
	struct patience patience = {0};

	(void)state;
	patience_grow(&patience, false);
	patience_grow(&patience, false);
	assert_int_equal(patience_request_ms(&patience, 60000, true), 60000);
	assert_int_equal(patience_request_ms(&patience, 60000, false), 240000);
	patience_grow(&patience, true);
	assert_int_equal(patience_request_ms(&patience, 60000, true), 120000);
	assert_int_equal(patience_request_ms(&patience, 60000, false), 480000);
	assert_int_equal(patience_ms(&patience, 3000), 24000);
	patience_reset(&patience);
	assert_int_equal(patience_request_ms(&patience, 60000, true), 60000);
}

static void does_not_overflow(void **state)
{
	struct patience patience = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		patience_grow(&patience, true);
	assert_int_equal(patience_ms(&patience, UINT32_C(1) << 28), UINT32_C(1) << 31);
	assert_int_equal(patience_request_ms(&patience, UINT32_C(1) << 28, true), UINT32_C(1) << 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_twice_as_long_after_each_turn_that_was_too_short),
		cmocka_unit_test(begins_anew_once_served),
		cmocka_unit_test(a_slow_login_makes_no_request_wait_where_another_broker_may_serve),
		cmocka_unit_test(does_not_overflow),
	};

	return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
