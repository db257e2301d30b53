#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/web/microhttpd.h"

static void all_functions_are_found(void **state)
{
	struct microhttpd mhd;
	char error[256];

	(void)state;
	memset(&mhd, 0, sizeof mhd);
	assert_int_equal(microhttpd_load(MICROHTTPD_SONAME, &mhd, error, sizeof error), 0);
#define CHECK(name) assert_non_null(mhd.name);
	MICROHTTPD_FUNCTIONS(CHECK)
#undef CHECK
	/* Another time: a reload that sets metrics again. */
	assert_int_equal(microhttpd_load(MICROHTTPD_SONAME, &mhd, error, sizeof error), 0);
}

static void refused(const char *soname, const char *reason)
{
	struct microhttpd mhd, before;
	char error[256] = "";

	memset(&mhd, 0, sizeof mhd);
	before = mhd;
	assert_int_equal(microhttpd_load(soname, &mhd, error, sizeof error), -1);
	assert_memory_equal(&mhd, &before, sizeof mhd);
	assert_non_null(strstr(error, reason));
	assert_non_null(strstr(error, soname));
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	refused("libmicrohttpd.so.0", "cannot open");
	/* Another version of it, say. */
	refused("libc.so.6", "MHD_add_response_header");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_functions_are_found),
		cmocka_unit_test(what_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
