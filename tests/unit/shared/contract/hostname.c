#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "shared/contract/hostname.h"
#include "tests/unit/exact.h"

#define L63 "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz"
#define L8  "1234567."

static enum hostname_error fold(const char *text, size_t length, char out[HOSTNAME_NAME_SIZE])
{
	char *copy = exact_copy(text, length);
	enum hostname_error error = hostname_fold(copy, length, out);

	free(copy);
	return error;
}

static void folds_good_names(void **state)
{
	static const struct {
		const char *text, *folded;
	} rows[] = {
		{"my-cool-host", "my-cool-host"},
		{"My-COOL-Host", "my-cool-host"},
		{"elasticsearch.dev", "elasticsearch.dev"},
		{"a", "a"},
		{"0", "0"},
		{"123456789012", "123456789012"}, /* Docker's own: digits only happens */
		{"xn--bcher-kva", "xn--bcher-kva"},
		{"a--b", "a--b"},
		{"localhost", "localhost"},
		{L63, L63},
		{L63 "." L63, L63 "." L63},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[HOSTNAME_NAME_SIZE];

		assert_int_equal(fold(rows[i].text, strlen(rows[i].text), out), HOSTNAME_OK);
		assert_string_equal(out, rows[i].folded);
	}
}

static void refuses_bad_names(void **state)
{
	static const struct {
		const char *text;
		enum hostname_error error;
	} rows[] = {
		{"", HOSTNAME_EMPTY},
		{" ", HOSTNAME_BAD_CHARACTER},
		{"two words", HOSTNAME_BAD_CHARACTER},
		{"line\nbreak", HOSTNAME_BAD_CHARACTER},
		{"end\n", HOSTNAME_BAD_CHARACTER},
		{"tab\t", HOSTNAME_BAD_CHARACTER},
		{"a#b", HOSTNAME_BAD_CHARACTER},
		{"*", HOSTNAME_BAD_CHARACTER},
		{"*.example", HOSTNAME_BAD_CHARACTER},
		{"a/b", HOSTNAME_BAD_CHARACTER},
		{"../etc/passwd", HOSTNAME_LABEL_EMPTY},
		{"a_b", HOSTNAME_BAD_CHARACTER},
		{"a:b", HOSTNAME_BAD_CHARACTER},
		{"b\xc3\xbc"
		 "cher",
		 HOSTNAME_BAD_CHARACTER},
		{"\xff", HOSTNAME_BAD_CHARACTER},
		{"a\x7f", HOSTNAME_BAD_CHARACTER},
		{"a[", HOSTNAME_BAD_CHARACTER}, /* the neighbours of the allowed ranges */
		{"a@", HOSTNAME_BAD_CHARACTER},
		{"a`", HOSTNAME_BAD_CHARACTER},
		{"a{", HOSTNAME_BAD_CHARACTER},
		{".", HOSTNAME_LABEL_EMPTY},
		{".a", HOSTNAME_LABEL_EMPTY},
		{"a.", HOSTNAME_LABEL_EMPTY},
		{"a..b", HOSTNAME_LABEL_EMPTY},
		{"-", HOSTNAME_BAD_HYPHEN},
		{"-a", HOSTNAME_BAD_HYPHEN},
		{"a-", HOSTNAME_BAD_HYPHEN},
		{"a-.b", HOSTNAME_BAD_HYPHEN},
		{"a.-b", HOSTNAME_BAD_HYPHEN},
		{"a.b-", HOSTNAME_BAD_HYPHEN},
		{L63 "a", HOSTNAME_LABEL_TOO_LONG},
		{"a." L63 "a.b", HOSTNAME_LABEL_TOO_LONG},
		{L63 "." L63 "." L63 "." L8 "a", HOSTNAME_TOO_LONG}, /* 201 */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[HOSTNAME_NAME_SIZE] = "before";
		enum hostname_error error = fold(rows[i].text, strlen(rows[i].text), out);

		if (error != rows[i].error)
			fail_msg("\"%s\": %s, not: %s", rows[i].text, hostname_error_text(error),
				 hostname_error_text(rows[i].error));
		assert_string_equal(out, "");
	}
}

static void refuses_a_nul(void **state)
{
	char out[HOSTNAME_NAME_SIZE];

	(void)state;
	assert_int_equal(fold("a\0b", 3, out), HOSTNAME_BAD_CHARACTER);
	assert_int_equal(fold("a\0", 2, out), HOSTNAME_BAD_CHARACTER);
	assert_int_equal(fold("\0", 1, out), HOSTNAME_BAD_CHARACTER);
}

/* A name of so many bytes in labels of up to 63. */
static void fill_name(char *out, size_t length)
{
	for (size_t i = 0; i < length; i++)
		out[i] = i % 63 == 62 && i + 1 < length ? '.' : 'a';
	out[length] = '\0';
}

static void keeps_to_its_limits(void **state)
{
	char name[HOSTNAME_FQDN_MAX + 2], out[HOSTNAME_NAME_SIZE], fqdn[HOSTNAME_FQDN_SIZE];

	(void)state;
	fill_name(name, HOSTNAME_NAME_MAX);
	assert_int_equal(fold(name, HOSTNAME_NAME_MAX, out), HOSTNAME_OK);
	assert_string_equal(out, name);
	fill_name(name, HOSTNAME_NAME_MAX + 1);
	assert_int_equal(fold(name, HOSTNAME_NAME_MAX + 1, out), HOSTNAME_TOO_LONG);
	fill_name(name, HOSTNAME_FQDN_MAX);
	assert_int_equal(hostname_fold_fqdn(name, HOSTNAME_FQDN_MAX, fqdn), HOSTNAME_OK);
	assert_string_equal(fqdn, name);
	fill_name(name, HOSTNAME_FQDN_MAX + 1);
	assert_int_equal(hostname_fold_fqdn(name, HOSTNAME_FQDN_MAX + 1, fqdn), HOSTNAME_TOO_LONG);
	assert_string_equal(fqdn, "");
}

static void knows_localhost(void **state)
{
	static const struct {
		const char *name;
		bool is;
	} rows[] = {
		{"localhost", true},    {"a.localhost", true},  {"a.b.localhost", true}, {"LOCALHOST", true},
		{"mylocalhost", false}, {"localhost.a", false}, {"localhos", false},     {"", false},
		{"ocalhost", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (hostname_is_localhost(rows[i].name) != rows[i].is)
			fail_msg("\"%s\"", rows[i].name);
}

static void joins_name_and_domain(void **state)
{
	char name[HOSTNAME_NAME_SIZE], domain[HOSTNAME_FQDN_SIZE], out[HOSTNAME_FQDN_SIZE];

	(void)state;
	assert_int_equal(hostname_join("my-cool-host", "docker", out), HOSTNAME_OK);
	assert_string_equal(out, "my-cool-host.docker");
	fill_name(name, HOSTNAME_NAME_MAX);
	fill_name(domain, HOSTNAME_FQDN_MAX - HOSTNAME_NAME_MAX - 1);
	assert_int_equal(hostname_join(name, domain, out), HOSTNAME_OK);
	assert_int_equal(strlen(out), HOSTNAME_FQDN_MAX);
	fill_name(domain, HOSTNAME_FQDN_MAX - HOSTNAME_NAME_MAX);
	assert_int_equal(hostname_join(name, domain, out), HOSTNAME_TOO_LONG);
	assert_string_equal(out, "");
	fill_name(domain, HOSTNAME_FQDN_MAX);
	assert_int_equal(hostname_join("a", domain, out), HOSTNAME_TOO_LONG);
	assert_int_equal(hostname_join("", "docker", out), HOSTNAME_EMPTY);
	assert_int_equal(hostname_join("a", "", out), HOSTNAME_EMPTY);
}

static void judges_patterns(void **state)
{
	static const char *const good[] = {"*", "?", "web-*", "a.b", "A", "-", "***"};
	static const char *const bad[] = {"", " ", "a b", "[a]", "a/b", "a#", "a_b", "a\n", "\xff", "a,b", "\\*"};
	char longest[HOSTNAME_FQDN_MAX + 2];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(hostname_pattern_valid(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(hostname_pattern_valid(bad[i]));
	memset(longest, '*', sizeof(longest));
	longest[HOSTNAME_FQDN_MAX] = '\0';
	assert_true(hostname_pattern_valid(longest));
	longest[HOSTNAME_FQDN_MAX] = '*';
	longest[HOSTNAME_FQDN_MAX + 1] = '\0';
	assert_false(hostname_pattern_valid(longest));
}

static void matches_patterns(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} rows[] = {
		{"*", "a", true},
		{"*", "a.b.c", true},
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"ab", "a", false},
		{"web-*", "web-1", true},
		{"web-*", "web-", true},
		{"web-*", "web", false},
		{"web-*", "myweb-1", false},
		{"*.dev", "a.dev", true},
		{"*.dev", "a.b.dev", true},
		{"*.dev", ".dev", true},
		{"*.dev", "dev", false},
		{"?", "a", true},
		{"?", "ab", false},
		{"?", "", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"a*b*c", "axxbyyc", true},
		{"a*b*c", "axxcyyb", false},
		{"a*b*c", "abcbc", true},
		{"**a**", "bab", true},
		{"WEB-*", "web-1", true},
		{"*a", "aaab", false},
		{"*ab", "aab", true},
		{"*?", "a", true},
		{"?*", "a", true},
		{"*?", "", false},
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"*aab*", "aaaab", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (hostname_matches(rows[i].pattern, rows[i].name) != rows[i].matches)
			fail_msg("\"%s\" on \"%s\"", rows[i].pattern, rows[i].name);
}

/* A backtracking matcher would not come back from this before the machine is scrapped. */
static void matches_without_exploding(void **state)
{
	char pattern[HOSTNAME_FQDN_MAX + 1], name[HOSTNAME_FQDN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < HOSTNAME_FQDN_MAX; i++)
		pattern[i] = i % 2 == 0 ? 'a' : '*';
	pattern[HOSTNAME_FQDN_MAX - 1] = 'b';
	pattern[HOSTNAME_FQDN_MAX] = '\0';
	memset(name, 'a', HOSTNAME_FQDN_MAX);
	name[HOSTNAME_FQDN_MAX] = '\0';
	assert_true(hostname_pattern_valid(pattern));
	assert_false(hostname_matches(pattern, name));
	name[HOSTNAME_FQDN_MAX - 1] = 'b';
	assert_true(hostname_matches(pattern, name));
}

static void words_every_error(void **state)
{
	(void)state;
	for (int error = HOSTNAME_EMPTY; error <= HOSTNAME_LOCALHOST; error++) {
		assert_non_null(hostname_error_text((enum hostname_error)error));
		for (int other = HOSTNAME_OK; other < error; other++)
			assert_string_not_equal(hostname_error_text((enum hostname_error)error),
						hostname_error_text((enum hostname_error)other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folds_good_names),
		cmocka_unit_test(refuses_bad_names),
		cmocka_unit_test(refuses_a_nul),
		cmocka_unit_test(keeps_to_its_limits),
		cmocka_unit_test(knows_localhost),
		cmocka_unit_test(joins_name_and_domain),
		cmocka_unit_test(judges_patterns),
		cmocka_unit_test(matches_patterns),
		cmocka_unit_test(matches_without_exploding),
		cmocka_unit_test(words_every_error),
	};

	return cmocka_run_group_tests_name("hostname", tests, NULL, NULL);
}
