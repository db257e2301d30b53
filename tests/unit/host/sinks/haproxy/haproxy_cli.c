#include <config.h>

#include "host/sinks/haproxy/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A copy that ends where its bytes do, so that AddressSanitizer sees whoever reads further. */
static char *take(const char *text, size_t length, size_t *used, char **copy)
{
	*copy = malloc(length > 0 ? length : 1);
	assert_non_null(*copy);
	memcpy(*copy, text, length);
	return haproxy_cli_take(*copy, length, used);
}

static void check_taken(const char *text, const char *reply, size_t used)
{
	char *copy, *found;
	size_t got = 0;

	/* Whatever piece of it has come: nothing before it is whole. */
	for (size_t length = 0; length < used; length++) {
		assert_null(take(text, length, &got, &copy));
		free(copy);
	}
	found = take(text, strlen(text), &got, &copy);
	assert_non_null(found);
	assert_string_equal(found, reply);
	assert_int_equal(got, used);
	free(copy);
}

/* As HAProxy 2.6 writes them. */
static void test_replies(void **state)
{
	(void)state;
	check_taken("\n> ", "", 3);
	check_taken("\n> \n> ", "", 3);
	check_taken("New version created: 12\n\n> ", "New version created: 12", 27);
	check_taken("+ + + \n> ", "", 9);
	check_taken("Key not found.\n\n> more", "Key not found.", 18);
	check_taken("+ Unknown map identifier. Please use #<id> or <file>.\n\n> ",
		    "Unknown map identifier. Please use #<id> or <file>.", 57);
	check_taken("two\nlines\n\n> ", "two\nlines", 13);
}

static void test_value(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(haproxy_cli_value("type=str, case=sensitive, found=yes, idx=tree, key=\"@generation\", "
					   "value=\"a.1\", type=\"str\"",
					   out, sizeof(out)),
			 1);
	assert_string_equal(out, "a.1");
	assert_int_equal(haproxy_cli_value("type=str, case=sensitive, found=no", out, sizeof(out)), 0);
	assert_int_equal(haproxy_cli_value("found=yes, value=\"12345678\"", out, sizeof(out)), -1);
	assert_int_equal(haproxy_cli_value("found=yes, value=\"123", out, sizeof(out)), -1);
	assert_int_equal(haproxy_cli_value("found=yes", out, sizeof(out)), -1);
	assert_int_equal(haproxy_cli_value("Unknown map identifier. Please use #<id> or <file>.", out, sizeof(out)),
			 -1);
	assert_int_equal(haproxy_cli_value("", out, sizeof(out)), -1);
}

static void test_version(void **state)
{
	unsigned version = 0;

	(void)state;
	assert_int_equal(haproxy_cli_version("New version created: 4294967295", &version), 0);
	assert_int_equal(version, 4294967295U);
	assert_int_equal(haproxy_cli_version("New version created: 4294967296", &version), -1);
	assert_int_equal(haproxy_cli_version("New version created: -1", &version), -1);
	assert_int_equal(haproxy_cli_version("New version created: ", &version), -1);
	assert_int_equal(haproxy_cli_version("New version created: 1x", &version), -1);
	assert_int_equal(haproxy_cli_version("Unknown map", &version), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests_name("haproxy_cli", tests, NULL, NULL);
}
