#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/bus/refusals.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "tests/unit/exact.h"

static struct refusals *refusals;
static int saved = -1;
static FILE *caught;

/* The log goes to stderr: catch it. */
static int setup(void **state)
{
	(void)state;
	refusals = refusals_new();
	caught = tmpfile();
	assert_non_null(refusals);
	assert_non_null(caught);
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	assert_true(dup2(fileno(caught), STDERR_FILENO) != -1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	close(saved);
	fclose(caught);
	refusals_free(refusals);
	return 0;
}

static unsigned lines(const char *words)
{
	char line[1024];
	unsigned count = 0;

	fflush(stderr);
	rewind(caught);
	while (fgets(line, sizeof(line), caught) != NULL)
		count += strstr(line, words) != NULL;
	return count;
}

static void note(const char *user, const char *key, const char *reason, int64_t now_ms)
{
	char *user_copy = exact_copy(user, strlen(user)), *key_copy = exact_copy(key, strlen(key));

	refusals_note(refusals, user_copy, strlen(user), key_copy, strlen(key), NULL, reason, now_ms);
	free(user_copy);
	free(key_copy);
}

static bool collect(void *arg, const struct refusal *refusal)
{
	struct refusal **next = arg;

	*(*next)++ = *refusal;
	return true;
}

static bool collect_two(void *arg, const struct refusal *refusal)
{
	struct refusal **next = arg;
	size_t when = (size_t)refusal->when_ms;

	*(*next)++ = *refusal;
	return when != 2;
}

static void logs_one_line_that_names_user_key_and_reason(void **state)
{
	(void)state;
	note("red", "up.blue-web", "because", 1);
	assert_int_equal(lines("refused user=red key=up.blue-web reason=\"because\""), 1);
	assert_int_equal(refusals_total(refusals), 1);
}

static void lets_no_sender_write_the_log(void **state)
{
	(void)state;
	note("r\ned", "up.x\" reason=\"fine\nrefused user=blue \x1b]0;owned\x07 %s%n%s", "because", 1);
	assert_int_equal(lines("refused user="), 1);
	assert_int_equal(lines("user=r\\x0aed "), 1);
	assert_int_equal(lines("\x1b"), 0);
	assert_int_equal(lines("%s%n%s"), 1);
	assert_int_equal(lines("key=up.x\\x22\\x20reason=\\x22fine\\x0arefused\\x20user=blue"), 1);
}

static void takes_what_has_no_user_and_no_key(void **state)
{
	(void)state;
	refusals_note(refusals, NULL, 0, NULL, 0, "web", "because", 1);
	assert_int_equal(lines("refused user= key= reason=\"because\""), 1);
}

static void a_flood_is_counted_not_logged(void **state)
{
	(void)state;
	assert_true(refusals_deadline_ms(refusals) == CLOCK_NEVER);
	for (int i = 0; i < 10000; i++) {
		char key[16]; /* each another one: the log by itself holds back lines that repeat */

		snprintf(key, sizeof(key), "up.x%d", i);
		note("red", key, "because", 5000 + i / 100);
	}
	assert_int_equal(lines("because"), REFUSALS_LOG_PER_S);
	assert_int_equal(refusals_total(refusals), 10000);
	assert_int_equal(refusals_deadline_ms(refusals), 6000);
	refusals_tick(refusals, 5999);
	assert_int_equal(lines("count="), 0);
	refusals_tick(refusals, 6000);
	assert_int_equal(lines("count=9980 "), 1);
	assert_true(refusals_deadline_ms(refusals) == CLOCK_NEVER);
	/* The next second has room again. */
	note("red", "up.x", "because", 6001);
	assert_int_equal(lines("because"), REFUSALS_LOG_PER_S + 1);
}

static void keeps_the_last_ones_newest_first(void **state)
{
	struct refusal kept[REFUSALS_KEPT + 1], *next = kept;

	(void)state;
	refusals_each(refusals, collect, &next);
	assert_ptr_equal(next, kept);
	for (int i = 1; i <= 3; i++)
		note("red", "up.x", "because", i);
	refusals_each(refusals, collect, &next);
	assert_int_equal(next - kept, 3);
	assert_int_equal(kept[0].when_ms, 3);
	assert_int_equal(kept[2].when_ms, 1);
	next = kept;
	refusals_each(refusals, collect_two, &next);
	assert_int_equal(next - kept, 2);
	for (int i = 4; i <= REFUSALS_KEPT + 10; i++)
		note("red", "up.x", "because", i);
	next = kept;
	refusals_each(refusals, collect, &next);
	assert_int_equal(next - kept, REFUSALS_KEPT);
	assert_int_equal(kept[0].when_ms, REFUSALS_KEPT + 10);
	assert_int_equal(kept[REFUSALS_KEPT - 1].when_ms, 11);
}

static void holds_the_longest_texts(void **state)
{
	char user[255], key[255], reason[1000];
	struct refusal kept[REFUSALS_KEPT], *next = kept;

	(void)state;
	memset(user, '\n', sizeof(user));
	memset(key, 0xff, sizeof(key));
	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	refusals_note(refusals, user, sizeof(user), key, sizeof(key), "web", reason, 1);
	refusals_each(refusals, collect, &next);
	assert_int_equal(strlen(kept[0].reason), REFUSALS_REASON_SIZE - 1);
	assert_true(strlen(kept[0].user) < REFUSALS_TEXT_SIZE);
	assert_string_equal(kept[0].user + strlen(kept[0].user) - 3, "...");
	assert_string_equal(kept[0].name, "web");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(logs_one_line_that_names_user_key_and_reason), TEST(lets_no_sender_write_the_log),
		TEST(takes_what_has_no_user_and_no_key),            TEST(a_flood_is_counted_not_logged),
		TEST(keeps_the_last_ones_newest_first),             TEST(holds_the_longest_texts),
	};

	return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
