#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "shared/contract/ident.h"
#include "tests/unit/exact.h"

static int parse(const char *text, size_t length, struct ident *out)
{
	char *copy = exact_copy(text, length);
	int result = ident_parse(copy, length, out);

	free(copy);
	return result;
}

static void goes_there_and_back(void **state)
{
	static const char text[] = "0123456789abcdeffedcba9876543210";
	char out[IDENT_TEXT_SIZE];
	struct ident ident;

	(void)state;
	assert_int_equal(parse(text, IDENT_TEXT_LENGTH, &ident), 0);
	assert_int_equal(ident.bytes[0], 0x01);
	assert_int_equal(ident.bytes[15], 0x10);
	assert_string_equal(ident_format(&ident, out), text);
}

static void refuses_other_spellings(void **state)
{
	static const char *const rows[] = {
		"",
		"0123456789abcdeffedcba987654321",
		"0123456789abcdeffedcba98765432100",
		"0123456789ABCDEFFEDCBA9876543210",
		"0123456789abcdeffedcba987654321g",
		"01234567-89ab-cdef-fedc-ba9876543",
		" 123456789abcdeffedcba9876543210",
		"0123456789abcdeffedcba987654321\n",
		"\xff_23456789abcdeffedcba9876543210",
	};
	struct ident ident, before;

	(void)state;
	memset(&ident, 0xa5, sizeof(ident));
	before = ident;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (parse(rows[i], strlen(rows[i]), &ident) != -1)
			fail_msg("\"%s\" was taken", rows[i]);
		assert_true(ident_equal(&ident, &before));
	}
	assert_int_equal(parse("0123456789abcdef\0edcba9876543210", 32, &ident), -1);
}

static void random_ones_differ(void **state)
{
	struct ident a, b;

	(void)state;
	assert_int_equal(ident_random(&a), 0);
	assert_int_equal(ident_random(&b), 0);
	assert_false(ident_equal(&a, &b));
	assert_int_not_equal(ident_compare(&a, &b), 0);
}

static void uuids_sort_by_time(void **state)
{
	static const uint64_t times_ms[] = {0, 1, 255, 256, 0x017f22e279b0, 0x017f22e279b1, 0xffffffffffff};
	struct ident last;

	(void)state;
	for (size_t i = 0; i < COUNT(times_ms); i++) {
		char text[IDENT_TEXT_SIZE], stamp[13];
		struct ident ident;

		assert_int_equal(ident_uuid7(&ident, times_ms[i]), 0);
		ident_format(&ident, text);
		snprintf(stamp, sizeof(stamp), "%012llx", (unsigned long long)times_ms[i]);
		assert_memory_equal(text, stamp, 12);
		assert_int_equal(text[12], '7');
		assert_non_null(strchr("89ab", text[16]));
		if (i > 0)
			assert_true(ident_compare(&last, &ident) < 0);
		last = ident;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_there_and_back),
		cmocka_unit_test(refuses_other_spellings),
		cmocka_unit_test(random_ones_differ),
		cmocka_unit_test(uuids_sort_by_time),
	};

	return cmocka_run_group_tests_name("ident", tests, NULL, NULL);
}
