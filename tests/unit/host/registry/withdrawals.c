#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/registry/withdrawals.h"

struct seen {
	size_t count;
	char first[HOSTNAME_NAME_SIZE], reason[ANNOUNCEMENT_REASON_MAX + 1];
	int64_t when_ms;
};

static bool see(void *arg, const struct withdrawal *withdrawal)
{
	struct seen *seen = arg;

	if (seen->count++ == 0) {
		snprintf(seen->first, sizeof seen->first, "%s", withdrawal->name);
		snprintf(seen->reason, sizeof seen->reason, "%s", withdrawal->reason);
		seen->when_ms = withdrawal->when_ms;
	}
	return true;
}

static struct seen look(const struct withdrawals *withdrawals)
{
	struct seen seen;

	memset(&seen, 0, sizeof seen);
	withdrawals_each(withdrawals, see, &seen);
	return seen;
}

static struct fact fact(const char *name, const char *user)
{
	return (struct fact){.name = name, .user = user};
}

static void the_last_word_of_each_name_and_user_is_kept_until_it_is_back(void **state)
{
	struct withdrawals *withdrawals = withdrawals_new();
	struct fact web = fact("web", "blue"), other = fact("web", "red");

	(void)state;
	assert_non_null(withdrawals);
	withdrawals_note(withdrawals, &web, "said \"no\"", 1000);
	assert_string_equal(look(withdrawals).reason, "said 'no'");
	withdrawals_note(withdrawals, &other, "b", 2000);
	withdrawals_note(withdrawals, &web, "c", 3000);
	assert_int_equal(look(withdrawals).count, 2);
	assert_string_equal(look(withdrawals).reason, "c");
	assert_int_equal(look(withdrawals).when_ms, 3000);
	withdrawals_forget(withdrawals, &web);
	assert_int_equal(look(withdrawals).count, 1);
	assert_string_equal(look(withdrawals).reason, "b");
	withdrawals_forget(withdrawals, &other);
	assert_int_equal(look(withdrawals).count, 0);
	withdrawals_free(withdrawals);
	withdrawals_free(NULL);
}

static void of_too_many_the_oldest_go(void **state)
{
	struct withdrawals *withdrawals = withdrawals_new();
	char name[32];
	int i;

	(void)state;
	assert_non_null(withdrawals);
	for (i = 0; i < 3 * WITHDRAWALS_KEPT + 1; i++) {
		struct fact one = fact(name, "u");

		snprintf(name, sizeof name, "n%d", i);
		withdrawals_note(withdrawals, &one, "r", i);
	}
	assert_int_equal(look(withdrawals).count, WITHDRAWALS_KEPT);
	assert_string_equal(look(withdrawals).first, name);
	withdrawals_free(withdrawals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_word_of_each_name_and_user_is_kept_until_it_is_back),
		cmocka_unit_test(of_too_many_the_oldest_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
