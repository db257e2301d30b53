#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "shared/conflint.h"
#include "shared/conftext.h"
#include "tests/unit/exact.h"

/* As conftext_parse() has it: comments first. */
static int lint(const char *text, struct conflint_fault *fault)
{
	char *copy = exact_copy(text, strlen(text) + 1);
	int result;

	*fault = (struct conflint_fault){0};
	conftext_blank(copy);
	result = conflint(copy, fault);
	free(copy);
	return result;
}

static void takes_what_means_what_it_says(void **state)
{
	static const char *const good[] = {
		"",
		"\n\n",
		"a = 1\nb = \"x\"\nc = 'y'\n",
		"a=1 b=2",
		"a = {\"x\", 'y', z}\nb += {\"x\"}\nb += {\"y\"}\n",
		"a = {\n\t\"x\",\t# one\n\t\"y\"\n}\n",
		"bus {\n\turls = {\"amqp://a@h\"}\n}\nqueue {\n\turls = 1\n}\n",
		"user \"a\" { names = {\"x\"} }\nuser \"b\" { names = {\"y\"} }\nuser c { names = z }\n",
		"a = \"it's\"\nb = 'say \"x\"'\nc = \"say \\\"x\\\"\"\nd = \"back\\\\\"\n",
		"a = \"\"\nb = ''\n",
		"# an open \" in a comment, and it's fine\na = 1 // \"\n/* \" ' */\n",
		"name = \"${HOSTNAME}\"\npassword_file = \"${X}\"\n",
		"password = 'pa${HOME}x'\nurls = {'amqp://a:${X}@h'}\n",
		"password = \"a$b\"\n",
		"password = \"a\\${X}\"\n",
		"password = \"s\xc3\xbc\xc3\x9f\"\nuser = s\xc3\xbc\xc3\x9f\n",
		"password = \"\xe2\x80\x9cquoted\xe2\x80\x9d\"\n",
		"u = amqp://host/v # c\n",
		"ports {\n\t\"http\" = 80\n\t\"db\" = 5432\n}\n",
		"\"user\" \"a\" { rate = 1 }\n\"user\" \"b\" { rate = 1 }\n",
		"a = \"\\\"\\\\\\$\\'\"\nb = 'a\\sb'\nc = a\\sb\n",
		"command = {\"printf 'a\\tb\\n'\", 'grep -E \\d+'}\n",
		"names = {\"web*\", '*.lab'}\nb = \"a+b\"\n",
		"a = 1 # c\nb = \"x\"#c\nd = {1}#c\n",
		"a = \"x\ty\"\n# a\tb\n",
		"a = 1\r\r\nb = 2\r",
		"a {\n\tb = 1\n}\nb = 1\nc {\n\tb = 1\n}\n",
		"a = 1\r\nb = \"x\"\r\n",
	};
	struct conflint_fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		if (lint(good[i], &fault) == -1)
			fail_msg("row %zu: line %d: %s", i, fault.line, fault.text);
}

static void names_what_does_not(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *word;
	} bad[] = {
		{"log_level = \"info\"\"\npolicy { }\n", 1, "right behind a closing quote (\")"},
		{"a = 1\n\"\nb = 2\n", 2, "a quote (\") without its end"},
		{"\npassword = a\"b\nname = x\n", 2, "within a word"},
		{"password = \"ab\nname = \"x\"\n", 1, "without its end on this line"},
		{"a = 'b\n", 1, "a quote (') without its end"},
		{"a = \"b\\\nc\"\n", 1, "without its end"},
		{"a = \"b\\\"\nc = 1\n", 1, "without its end"},
		{"a = \"b", 1, "without its end"},
		{"a = \"b\\", 1, "without its end"},
		{"a = it's\n", 1, "a quote (') within a word"},
		{"a = {\"x\", \"y}\nb = 1\n", 1, "without its end"},
		{"a = \"x\"y\n", 1, "right behind"},
		{"a = \"x\"\"y\"\n", 1, "right behind"},
		{"user \"x {\n}\n", 1, "without its end"},
		{"a = 1\n/* b\nc = 2\n", 2, "a comment without its end"},
		{"a = 1\nb = 2\na = 3\n", 3, "a: given twice, in line 1 already"},
		{"bus {\n\ta = 1\n\ta = 2\n}\n", 3, "a: given twice, in line 2"},
		{"bus {\n}\n\nbus {\n}\n", 4, "bus: given twice, in line 1"},
		{"a = {1, 2}\na = {3}\n", 2, "a: given twice"},
		{"user \"x\" {\n\tnames = a\n\tnames = b\n}\n", 3, "names: given twice"},
		{"\xef\xbb\xbfurls = \"\"\n", 1, "a byte order mark (U+FEFF)"},
		{"a = 1\nb = \xe2\x80\x9cinfo\xe2\x80\x9d\n", 2, "a typographic quote (U+201C)"},
		{"a = \xe2\x80\x98info\xe2\x80\x99\n", 1, "a typographic quote (U+2018)"},
		{"a = \"info\xe2\x80\x9d\n", 1, "without its end"},
		{"a\xc2\xa0= 1\n", 1, "a no-break space (U+00A0)"},
		{"a =\xc2\xa0" "1\n", 1, "a no-break space (U+00A0)"},
		{"password = \"pa${HOME}x\"\n", 1, "password: ${...}"},
		{"password = pa${HOME}x\n", 1, "password: ${...}"},
		{"bus {\n\turls = {\"amqp://h\",\n\t\t\"amqp://a:${NOSUCH}@h\"}\n}\n", 3, "urls: ${...}"},
		{"urls = \"amqp://a:${X:-d}@h\"\n", 1, "single quotes"},
		{"\"password\" = \"pa${HOME}x\"\n", 1, "password: ${...}"},
		{"'urls' = {\"${X}\"}\n", 1, "urls: ${...}"},
		{"a = 1\n\"a\" = 2\n", 2, "a: given twice, in line 1"},
		{"\"x\" = 1\na = 1\na = 2\n", 3, "a: given twice"},
		{"\"x\" { }\n'x' { }\n", 2, "x: given twice"},
		{"pass${X}word = a\n", 1, "a key is written"},
		{"\"pass\\word\" = a\n", 1, "a key is written"},
		{"bus { urls = a }\nbus|urls = b\n", 2, "urls: belongs into its section"},
		{"\"check|tcp\" = 80\n", 1, "tcp: belongs"},
		{"bus { tls { verify = true } }\nbus|tls { verify = false }\n", 2, "tls: belongs into its section"},
		{"a|user 'x' { }\n", 1, "user: belongs"},
		{"a += {1}\na = {2}\n", 2, "a: given twice"},
		{"password = \"pa\\ssword\"\n", 1, "password: a backslash"},
		{"password = \"C:\\temp\\new\"\n", 1, "password: a backslash"},
		{"a = \"x\\101\"\n", 1, "a: a backslash"},
		{"a = {\"x\",\n\"\\x01\"}\n", 2, "a: a backslash"},
		{"user \"a\\tb\" { }\n", 1, "user: a backslash"},
		{"command = \"grep -E \\d+\"\n", 1, "command: a backslash"},
		{"command = \"tr '\\0' x\"\n", 1, "command: a backslash"},
		{"password = \"a\tb\"\n", 1, "password: a control character"},
		{"a = \"x\x1b\"\n", 1, "a control character within quotes"},
		{"a = 'x\r'\n", 1, "a control character within quotes"},
		{"a = x\x01y\n", 1, "a control character"},
		{"password = a#b\n", 1, "a # right behind a word"},
		{"names = {web*}\n", 1, "a * outside of quotes"},
		{"names = {*}\n", 1, "a * outside of quotes"},
		{"a = b/*c\n", 1, "a * outside of quotes"},
		{"password = a+\n", 1, "a + outside of quotes"},
		{"a = +20\n", 1, "a + outside of quotes"},
		{"a { b = 1 }\r# c\rnonsense = 3\r", 1, "a carriage return that ends no line"},
		{"# c\rnonsense = 3\n", 1, "a carriage return that ends no line"},
		{"a = \xe2\x80\xb9x\xe2\x80\xba\n", 1, "(U+2039)"},
		{"a = \xef\xbc\x82x\xef\xbc\x82\n", 1, "(U+FF02)"},
		{"a{b{c{d{e{f{g{h{i{j{k{l{m{n{o{p{q{}", 1, "deep"},
	};
	struct conflint_fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (lint(bad[i].text, &fault) == 0)
			fail_msg("row %zu is taken", i);
		if (fault.line != bad[i].line || strstr(fault.text, bad[i].word) == NULL)
			fail_msg("row %zu: line %d: %s", i, fault.line, fault.text);
	}
}

/* Part of a password is never shown, whatever is wrong with it. */
static void shows_no_value(void **state)
{
	static const char *const bad[] = {
		"password = ses\"ame\n", "password = \"sesame\n", "password = \"sesame\"x\n", "password = \"sesame${X}\"\n",
		"urls = {\"amqp://u:sesame@h/${X}\"}\n", "password = sesame\xe2\x80\x9d\n",
		"password = \"ses\\ame\"\n", "password = sesame#x\n", "password = sesame+\n", "password = \"ses\tame\"\n", "password = \"sesame\"\npassword = \"sesame\"\n",
	};
	struct conflint_fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(lint(bad[i], &fault), -1);
		assert_null(strstr(fault.text, "same"));
	}
}

/* Every beginning of a file, and every file with one byte of it changed, ends in an answer. */
static void survives_every_cut_and_byte(void **state)
{
	static const char text[] = "a = \"b\\\"c\"\nbus {\n\turls = {'x', \"${y}\"}\n}\nuser \"z\" { k += 1 }\n/* c */";
	struct conflint_fault fault;
	char copy[sizeof(text)];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		(void)lint(copy, &fault);
		for (int byte = 1; byte < 256; byte++) {
			memcpy(copy, text, sizeof(text));
			copy[i] = (char)byte;
			copy[sizeof(text) - 1] = '\0';
			(void)lint(copy, &fault);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_means_what_it_says),
		cmocka_unit_test(names_what_does_not),
		cmocka_unit_test(shows_no_value),
		cmocka_unit_test(survives_every_cut_and_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
