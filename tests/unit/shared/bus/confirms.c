#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "shared/bus/confirms.h"
#include "tests/unit/exact.h"
#include "tests/unit/range.h"

static struct confirms confirms;

static int setup(void **state)
{
	(void)state;
	confirms_init(&confirms);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	confirms_clear(&confirms);
	return 0;
}

static void settles_one_by_one_in_any_order(void **state)
{
	struct confirm out;

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(confirms_add(&confirms, 100 + i, (int64_t)i), i);
	assert_true(confirms_settle(&confirms, 2, false, &out));
	assert_int_equal(out.sequence, 2);
	assert_int_equal(out.digest, 102);
	assert_false(out.returned);
	assert_false(confirms_settle(&confirms, 2, false, &out));
	assert_int_equal(confirms.waiting, 2);
	assert_int_equal(confirms_oldest_ms(&confirms), 1);
	assert_true(confirms_settle(&confirms, 1, false, &out));
	assert_int_equal(confirms_oldest_ms(&confirms), 3);
	assert_true(confirms_settle(&confirms, 3, false, &out));
	assert_int_equal(confirms_oldest_ms(&confirms), -1);
	assert_int_equal(confirms.waiting, 0);
	assert_int_equal(confirms.count, 0);
}

static void settles_all_up_to_a_tag_each_once(void **state)
{
	struct confirm out;
	uint64_t expected[] = {1, 3, 4};
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 6; i++)
		confirms_add(&confirms, 7, 0);
	confirms_settle(&confirms, 2, false, &out);
	while (confirms_settle(&confirms, 4, true, &out)) {
		assert_true(n < COUNT(expected));
		assert_int_equal(out.sequence, expected[n++]);
	}
	assert_int_equal(n, COUNT(expected));
	assert_int_equal(confirms.waiting, 2);
}

static void ignores_tags_that_it_never_gave_out(void **state)
{
	struct confirm out;

	(void)state;
	assert_false(confirms_settle(&confirms, 1, true, &out));
	confirms_add(&confirms, 7, 0);
	assert_false(confirms_settle(&confirms, 0, false, &out));
	assert_false(confirms_settle(&confirms, 0, true, &out));
	assert_false(confirms_settle(&confirms, 9, false, &out));
	assert_int_equal(confirms.waiting, 1);
	assert_true(confirms_settle(&confirms, UINT64_MAX, true, &out));
	assert_false(confirms_settle(&confirms, UINT64_MAX, true, &out));
}

static void finds_what_came_back_by_its_digest(void **state)
{
	struct confirm out;

	(void)state;
	confirms_add(&confirms, 5, 0);
	confirms_add(&confirms, 6, 0);
	confirms_add(&confirms, 5, 0);
	confirms_returned(&confirms, 5);
	confirms_returned(&confirms, 99);
	assert_true(confirms_settle(&confirms, 1, false, &out));
	assert_true(out.returned);
	/* The same message again: the second of the two now. */
	confirms_returned(&confirms, 5);
	assert_true(confirms_settle(&confirms, 3, true, &out));
	assert_int_equal(out.sequence, 2);
	assert_false(out.returned);
	assert_true(confirms_settle(&confirms, 3, true, &out));
	assert_true(out.returned);
}

static void keeps_order_while_it_grows_and_goes_round(void **state)
{
	struct confirm out;
	uint64_t next = 1;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++) {
		assert_int_equal(confirms_add(&confirms, i * 3, (int64_t)i), i);
		if (i % 3 == 0) {
			assert_true(confirms_settle(&confirms, next, false, &out));
			assert_int_equal(out.digest, next * 3);
			next++;
		}
	}
	while (confirms_settle(&confirms, 1000, true, &out)) {
		assert_int_equal(out.sequence, next);
		assert_int_equal(out.digest, next * 3);
		next++;
	}
	assert_int_equal(next, 1001);
}

static void the_ring_does_not_grow_with_what_is_settled(void **state)
{
	struct confirm out;

	(void)state;
	for (uint64_t i = 1; i <= 10000; i++) {
		confirms_add(&confirms, i, 0);
		assert_true(confirms_settle(&confirms, i, false, &out));
	}
	assert_int_in_range(confirms.size, 1, 16);
}

static void counts_time_anew(void **state)
{
	(void)state;
	confirms_add(&confirms, 1, 10);
	confirms_add(&confirms, 2, 20);
	confirms_restart(&confirms, 500);
	assert_int_equal(confirms_oldest_ms(&confirms), 500);
}

static void digests_tell_messages_apart(void **state)
{
	uint64_t digest = confirms_digest("callsign", 8, "up.web", 6, "{}", 2);

	(void)state;
	assert_true(digest == confirms_digest("callsign", 8, "up.web", 6, "{}", 2));
	assert_true(digest != confirms_digest("callsign", 8, "up.web", 6, "{}x", 3));
	/* A byte moved from one field to the next. */
	assert_true(digest != confirms_digest("callsignu", 9, "p.web", 5, "{}", 2));
	assert_true(digest != confirms_digest("callsign", 8, "up.we", 5, "b{}", 3));
	assert_true(confirms_digest("", 0, "", 0, "", 0) != 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(settles_one_by_one_in_any_order),       TEST(settles_all_up_to_a_tag_each_once),
		TEST(ignores_tags_that_it_never_gave_out),   TEST(finds_what_came_back_by_its_digest),
		TEST(keeps_order_while_it_grows_and_goes_round), TEST(the_ring_does_not_grow_with_what_is_settled),
		TEST(counts_time_anew),                      TEST(digests_tell_messages_apart),
	};

	return cmocka_run_group_tests_name("confirms", tests, NULL, NULL);
}
