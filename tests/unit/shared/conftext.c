#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/conftext.h"
#include "tests/unit/exact.h"

static void blanks_comments_and_nothing_else(void **state)
{
	static const struct {
		const char *text, *blanked;
	} rows[] = {
		{"", ""},
		{"#", " "},
		{"# a\nb = 1 # c\n", "   \nb = 1    \n"},
		{"a = 1#b", "a = 1#b"},
		{"a = {1}#b", "a = {1}  "},
		{"// a\nb", "    \nb"},
		{"/* a\n b */ c", "    \n      c"},
		{"/*/ */c", "      c"},
		{"a = {1, # b\n2}", "a = {1,    \n2}"},
		{"a = \"#b // c /* d */\"", "a = \"#b // c /* d */\""},
		{"a = '#b'#c", "a = '#b'  "},
		{"a = \"\\\"#b\" #c", "a = \"\\\"#b\"   "},
		{"a = '\\\\'#c", "a = '\\\\'  "},
		{"u = amqp://host/v # c", "u = amqp://host/v    "},
		{"a = b/*c", "a = b/*c"},
		{"a = 1 /* b", "a = 1 /* b"},
		{"a = \"#b", "a = \"#b"},
		{"a = \"b\\", "a = \"b\\"},
		{"#a\r\nb", "  \r\nb"},
		{"/", "/"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = exact_copy(rows[i].text, strlen(rows[i].text) + 1);

		conftext_blank(text);
		assert_string_equal(text, rows[i].blanked);
		free(text);
	}
}

static int complained_line;

static void complain(cfg_t *cfg, const char *format, va_list arguments)
{
	(void)format;
	(void)arguments;
	complained_line = cfg->line;
}

/* Parse text from a file. What libconfuse returned, the line it complained about (0: none), and errno. */
static int parse(const char *text, size_t length, int *line, int *error)
{
	cfg_opt_t options[] = {CFG_STR_LIST("list", NULL, CFGF_NONE), CFG_INT("number", 0, CFGF_NONE), CFG_END()};
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	FILE *file = tmpfile();
	int result;

	assert_non_null(cfg);
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	rewind(file);
	cfg_set_error_function(cfg, complain);
	complained_line = 0;
	errno = 0;
	result = conftext_parse(cfg, file);
	*error = errno;
	*line = complained_line;
	if (result == CFG_SUCCESS && cfg_size(cfg, "list") > 0)
		assert_string_equal(cfg_getnstr(cfg, "list", 0), "a");
	fclose(file);
	cfg_free(cfg);
	return result;
}

/* libconfuse alone counts two lines more for each comment. */
static void names_the_right_line_behind_comments(void **state)
{
	static const char text[] = "# one\n# two\n// three\nlist = {a}\nnonsense = 1\n";
	int line, error;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &line, &error), CFG_PARSE_ERROR);
	assert_int_equal(line, 5);
}

/* libconfuse alone takes the comment for a value. */
static void allows_a_comment_inside_a_list(void **state)
{
	static const char text[] = "list = {\n\ta, # the first\n\tb\n}\n";
	int line, error;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &line, &error), CFG_SUCCESS);
	assert_int_equal(line, 0);
}

/* libconfuse alone reads nothing behind it, and is content. */
static void refuses_what_would_not_be_read(void **state)
{
	static const char text[] = "number = 1\n\"\nnonsense = 1\n";
	int line, error;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &line, &error), CFG_PARSE_ERROR);
	assert_int_equal(line, 2);
}

static void takes_an_empty_file(void **state)
{
	int line, error;

	(void)state;
	assert_int_equal(parse("", 0, &line, &error), CFG_SUCCESS);
}

static void refuses_what_would_be_cut(void **state)
{
	static char large[CONFTEXT_SIZE_MAX + 1];
	int line, error;

	(void)state;
	assert_int_equal(parse("number = 1\n\0number = 2\n", 23, &line, &error), CFG_FILE_ERROR);
	assert_int_equal(error, EILSEQ);
	memset(large, ' ', sizeof(large));
	assert_int_equal(parse(large, sizeof(large), &line, &error), CFG_FILE_ERROR);
	assert_int_equal(error, EFBIG);
	assert_int_equal(parse(large, sizeof(large) - 1, &line, &error), CFG_SUCCESS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_comments_and_nothing_else),
		cmocka_unit_test(names_the_right_line_behind_comments),
		cmocka_unit_test(allows_a_comment_inside_a_list),
		cmocka_unit_test(refuses_what_would_not_be_read),
		cmocka_unit_test(takes_an_empty_file),
		cmocka_unit_test(refuses_what_would_be_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
