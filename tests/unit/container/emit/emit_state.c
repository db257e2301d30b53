#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "container/announce/faultlog.h"
#include "container/emit/oncestate.h"
#include "tests/unit/exact.h"

#define GOOD "callsign-once 1\nname web.dev\ninstance 0123456789abcdef0123456789abcdef\nseq 41\n"

static int parse(const char *text, size_t length, struct oncestate *state)
{
	char *copy = exact_copy(text, length);
	int result = oncestate_parse(copy, length, state);

	free(copy);
	return result;
}

static void a_state_file_is_read_back(void **unused)
{
	struct oncestate state;

	(void)unused;
	assert_int_equal(parse(GOOD, strlen(GOOD), &state), 0);
	assert_string_equal(state.name, "web.dev");
	assert_int_equal(state.seq, 41);
	assert_int_equal(state.instance.bytes[15], 0xef);
}

static void anything_else_is_refused(void **unused)
{
	static const char *const bad[] = {
		"callsign-once 2\nname a\ninstance 0123456789abcdef0123456789abcdef\nseq 1\n",
		"callsign-once 1\nname a b\ninstance 0123456789abcdef0123456789abcdef\nseq 1\n",
		"callsign-once 1\nname a\ninstance 0123456789abcdef0123456789abcde\nseq 1\n",
		"callsign-once 1\nname a\ninstance 0123456789abcdef0123456789abcdef\nseq 0\n",
		"callsign-once 1\nname a\ninstance 0123456789abcdef0123456789abcdef\nseq -1\n",
		"callsign-once 1\nname a\ninstance 0123456789abcdef0123456789abcdef\nseq 9999999999999999999\n",
		"callsign-once 1\nname a\ninstance 0123456789abcdef0123456789abcdef\nseq 1\nmore 1\n",
	};
	struct oncestate state;
	size_t i;

	(void)unused;
	for (i = 0; i < COUNT(bad); i++)
		assert_int_equal(parse(bad[i], strlen(bad[i]), &state), -1);
	for (i = 0; i < strlen(GOOD); i++) /* cut anywhere */
		assert_int_equal(parse(GOOD, i, &state), -1);
}

static void a_fault_is_logged_once_a_minute(void **unused)
{
	struct faultlog faultlog = {0};

	(void)unused;
	assert_true(faultlog_wants(&faultlog, "refused", 0));
	assert_false(faultlog_wants(&faultlog, "refused", FAULTLOG_QUIET_MS - 1));
	assert_true(faultlog_wants(&faultlog, "timed out", 1));
	assert_true(faultlog_wants(&faultlog, "refused", FAULTLOG_QUIET_MS));
	assert_false(faultlog_wants(&faultlog, "refused", FAULTLOG_QUIET_MS + 1));
	faultlog_reset(&faultlog);
	assert_true(faultlog_wants(&faultlog, "refused", FAULTLOG_QUIET_MS + 2));
}

static void the_oldest_fault_is_forgotten_first(void **unused)
{
	struct faultlog faultlog = {0};
	char text[] = "a";
	unsigned i;

	(void)unused;
	for (i = 0; i <= FAULTLOG_ENTRIES; i++, text[0]++)
		assert_true(faultlog_wants(&faultlog, text, (int64_t)i));
	assert_false(faultlog_wants(&faultlog, "b", 20));
	assert_true(faultlog_wants(&faultlog, "a", 21));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_file_is_read_back),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(a_fault_is_logged_once_a_minute),
		cmocka_unit_test(the_oldest_fault_is_forgotten_first),
	};

	return cmocka_run_group_tests_name("emit_state", tests, NULL, NULL);
}
