/* A JSON text, looked into where it lies. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "container/agent/hookstate.h"
#include "container/agent/jsontext.h"
#include "tests/unit/exact.h"

static bool reads(const char *text)
{
	char *copy = exact_copy(text, strlen(text));
	struct jsontext_span value;
	bool result = jsontext_read(copy, strlen(text), &value);

	free(copy);
	return result;
}

static void takes_what_rfc_8259_allows(void **state)
{
	static const char *const texts[] = {
		"{}", "[]", " [ ] ", "null", "true", "false", "0", "-0", "-1.5e+10", "1E9", "18446744073709551615", "\"\"", "\"\\u00e9\\n\\\"\"",
		"{\"a\":[1,{\"b\":null}],\"c\":\"\"}", "\t{ \"a\" : 1 , \"b\" : [ 2 , 3 ] }\r\n", "\"\x7f\xc3\xa9\"",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_true(reads(texts[i]));
}

static void refuses_everything_else(void **state)
{
	static const char *const texts[] = {
		"", " ", "{", "}", "[", "[1", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "nul", "nulll", "01", "1.", ".5", "+1",
		"1e", "1e+", "-", "\"", "\"\\", "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "\"\n\"", "{} {}", "[1 2]", "'a'", "{\"a\":1]", "[1}", "tru",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		if (reads(texts[i]))
			fail_msg("taken: %s", texts[i]);
}

static void refuses_a_nul_and_what_is_too_deep(void **state)
{
	char text[2 * JSONTEXT_DEPTH_MAX + 2];
	struct jsontext_span value;

	(void)state;
	assert_false(jsontext_read("{\0}", 3, &value));
	assert_false(jsontext_read("1\0", 2, &value));
	memset(text, '[', JSONTEXT_DEPTH_MAX);
	memset(text + JSONTEXT_DEPTH_MAX, ']', JSONTEXT_DEPTH_MAX);
	assert_true(jsontext_read(text, sizeof(text) - 2, &value));
	memset(text, '[', JSONTEXT_DEPTH_MAX + 1);
	memset(text + JSONTEXT_DEPTH_MAX + 1, ']', JSONTEXT_DEPTH_MAX + 1);
	assert_false(jsontext_read(text, sizeof(text), &value));
}

static void every_cut_of_a_text_is_refused(void **state)
{
	static const char text[] = "{\"a\":[true,false,null,-1.5e3,\"\\u0041\\\\x\"],\"b\":{\"c\":[]}}";

	(void)state;
	for (size_t length = 0; length < sizeof(text) - 1; length++) {
		char *copy = exact_copy(text, length);
		struct jsontext_span value;

		assert_false(jsontext_read(copy, length, &value));
		free(copy);
	}
	assert_true(reads(text));
}

static void walks_members_and_elements(void **state)
{
	static const char text[] = " { \"a\" : 1 , \"b\":[ 2,\"x\" ], \"c\" : {} } ";
	struct jsontext_span whole, b, value;
	struct jsontext_member member;
	size_t at = 0, count = 0;

	(void)state;
	assert_true(jsontext_read(text, sizeof(text) - 1, &whole));
	while (jsontext_next(text, &whole, &at, &member)) {
		assert_int_equal(text[member.key.from], "abc"[count]);
		assert_int_equal(member.key.to - member.key.from, 1);
		count++;
	}
	assert_int_equal(count, 3);
	assert_int_equal(jsontext_find(text, &whole, "b", &b), 1);
	at = 0;
	assert_true(jsontext_next(text, &b, &at, &member));
	assert_int_equal(text[member.value.from], '2');
	assert_true(jsontext_next(text, &b, &at, &member));
	assert_true(jsontext_is(text, &member.value, "x"));
	assert_false(jsontext_is(text, &member.value, "xy"));
	assert_false(jsontext_next(text, &b, &at, &member));
	assert_int_equal(jsontext_find(text, &whole, "c", &value), 1);
	at = 0;
	assert_false(jsontext_next(text, &value, &at, &member));
	assert_int_equal(jsontext_find(text, &b, "a", &value), -1);
	assert_int_equal(jsontext_find(text, &whole, "ab", &value), 0);
}

static void says_when_a_key_is_there_twice(void **state)
{
	static const char text[] = "{\"a\":1,\"b\":2,\"a\":3}";
	struct jsontext_span whole, value;

	(void)state;
	assert_true(jsontext_read(text, sizeof(text) - 1, &whole));
	assert_int_equal(jsontext_find(text, &whole, "a", &value), -1);
	assert_int_equal(jsontext_find(text, &whole, "b", &value), 1);
}

static int pid_of(const char *text)
{
	char *copy = exact_copy(text, strlen(text));
	int pid = hookstate_pid(copy, strlen(text));

	free(copy);
	return pid;
}

/* What runc 1.1.5 and crun 1.8.1 give to their hooks; the second of them has line breaks. */
static void finds_the_pid_in_a_runtimes_state(void **state)
{
	(void)state;
	assert_int_equal(pid_of("{\"ociVersion\":\"1.0.2-dev\",\"id\":\"c1\",\"status\":\"creating\",\"pid\":4194304,\"bundle\":\"/b\"}"), 4194304);
	assert_int_equal(pid_of("{\n  \"ociVersion\": \"1.0\",\n  \"id\": \"c1\",\n  \"pid\": 17,\n  \"root\": \"/\",\n  \"bundle\": \"/b\"\n}\n"), 17);
	assert_int_equal(pid_of("{\"annotations\":{\"pid\":5},\"id\":\"pid\",\"pid\":6}"), 6);
	assert_int_equal(pid_of("{\"id\":\"c1\",\"status\":\"stopped\",\"bundle\":\"/b\"}"), 0);
	assert_int_equal(pid_of("{\"id\":\"c1\",\"pid\":0}"), 0);
}

static void takes_no_other_thing_for_a_state(void **state)
{
	static const char *const texts[] = {
		"", "1", "[]", "{\"pid\":1", "{\"pid\":-1}", "{\"pid\":1.5}", "{\"pid\":\"1\"}", "{\"pid\":null}", "{\"pid\":1e3}", "{\"pid\":12345678}",
		"{\"pid\":1,\"pid\":2}", "{\"pid\":[1]}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(pid_of(texts[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_rfc_8259_allows),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(refuses_a_nul_and_what_is_too_deep),
		cmocka_unit_test(every_cut_of_a_text_is_refused),
		cmocka_unit_test(walks_members_and_elements),
		cmocka_unit_test(says_when_a_key_is_there_twice),
		cmocka_unit_test(finds_the_pid_in_a_runtimes_state),
		cmocka_unit_test(takes_no_other_thing_for_a_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
