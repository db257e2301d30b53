#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "shared/footprint.h"
#include "tests/unit/range.h"

/* A line of /proc/self/status, in kB (proc(5)). */
static long status_kb(const char *key)
{
	FILE *in = fopen("/proc/self/status", "re");
	char line[128];
	long kb = -1;

	assert_non_null(in);
	while (kb == -1 && fgets(line, sizeof line, in) != NULL) {
		if (strncmp(line, key, strlen(key)) == 0)
			kb = strtol(line + strlen(key), NULL, 10);
	}
	fclose(in);
	assert_true(kb >= 0);
	return kb;
}

/* This program is linked with OpenSSL, whose relocations alone are 400 kB of its file. */
static void what_only_starting_needed_goes(void **state)
{
	long before, after;

	(void)state;
	before = status_kb("RssFile:");
	footprint_settle();
	after = status_kb("RssFile:");
	assert_int_in_range(after, 0, before * 3 / 4);
}

static int constant = 42;
static int *const relocated = &constant; /* written by the run-time linker, and read-only since */

static void code_and_what_was_relocated_are_as_before(void **state)
{
	int *const volatile *seen = &relocated;
	char text[32];
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		footprint_settle();
		assert_ptr_equal(*seen, &constant);
		assert_int_equal(**seen, 42);
		/* Code and tables of other libraries, through pointers that were relocated. */
		assert_int_equal(strftime(text, sizeof text, "%A", &(struct tm){.tm_wday = 4}), 8);
		assert_string_equal(text, "Thursday");
	}
}

#ifndef __SANITIZE_ADDRESS__ /* its heap is another one */
#define BLOCKS 100000

static void free_memory_goes_though_something_stands_behind_it(void **state)
{
	char **blocks = malloc(BLOCKS * sizeof *blocks);
	long before, after;
	int i;

	(void)state;
	assert_non_null(blocks);
	for (i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(200);
		assert_non_null(blocks[i]);
		memset(blocks[i], 1, 200);
	}
	before = status_kb("RssAnon:");
	for (i = 0; i < BLOCKS - 1; i++)
		free(blocks[i]);
	footprint_settle();
	after = status_kb("RssAnon:");
	assert_int_equal(blocks[BLOCKS - 1][199], 1);
	assert_int_in_range(after, 0, before - 15000);
	free(blocks[BLOCKS - 1]);
	free(blocks);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_only_starting_needed_goes),
		cmocka_unit_test(code_and_what_was_relocated_are_as_before),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(free_memory_goes_though_something_stands_behind_it),
#endif
	};

	footprint_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
