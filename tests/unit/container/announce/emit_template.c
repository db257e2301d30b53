#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "container/announce/template.h"
#include "tests/unit/exact.h"

/* NAME, VALUE, NAME, VALUE, … */
static const char *const environment[] = {
	"hostname", "Box-1", "SERVICE", "Web", "environment", "prod", "ENVIRONMENT", "never", "empty", "", "EMPTY", "full", "NOTHING", "",
	"LABEL_com_docker_compose_service", "db", "DOTS", "a.b", "BLANK", "two words", "_x1", "under",
};

static const char *look_up(void *arg, const char *name)
{
	size_t i;

	++*(unsigned *)arg;
	for (i = 0; i < COUNT(environment); i += 2) {
		if (strcmp(environment[i], name) == 0)
			return environment[i + 1];
	}
	return NULL;
}

static char error[320];
static unsigned asked;

/* The name, or "" with error. */
static const char *expand(const char *text)
{
	static char out[HOSTNAME_NAME_SIZE];
	char *copy = exact_copy(text, strlen(text));
	int result = template_expand(copy, strlen(text), look_up, &asked, out, error, sizeof(error));

	assert_int_equal(result == 0, out[0] != '\0');
	free(copy);
	return out;
}

static void variables_are_filled_in(void **state)
{
	static const char *const rows[][2] = {
		{"{hostname}.{service}.{environment}", "box-1.web.prod"},
		{"plain", "plain"},
		{"Plain.{SERVICE}", "plain.web"},
		{"{service}-{service}", "web-web"},
		{"{empty}", "full"},
		{"{LABEL_com_docker_compose_service}", "db"},
		{"{dots}.c", "a.b.c"},
		{"{_x1}", "under"},
		{"{nope:-Default}", "default"},
		{"{service:-other}", "web"},
		{"{nothing:-some.thing}.x", "some.thing.x"},
		{"{service}{nope:-}", "web"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(expand(rows[i][0]), rows[i][1]);
}

static void what_cannot_be_a_name_is_refused_with_words(void **state)
{
	static const char *const rows[][2] = {
		{"{nope}", "{nope}: neither nope nor NOPE is set"},
		{"{Nope}", "{Nope}: Nope is not set"},
		{"{SERVIC}", "{SERVIC}: SERVIC is not set"},
		{"{nothing}", "neither nothing nor NOTHING is set"},
		{"{service", "a '{' without its '}'"},
		{"service}", "a '}' without its '{'"},
		{"{}", "a variable is written"},
		{"{1a}", "a variable is written"},
		{"{a b}", "a variable is written"},
		{"{a-b}", "a variable is written"},
		{"{a:}", "a variable is written"},
		{"{a:b}", "a variable is written"},
		{"{a:-b c}", "a variable is written"},
		{"{a:-b_c}", "a variable is written"},
		{"{a:-{service}}", "a variable is written"},
		{"{{service}}", "a variable is written"},
		{"{blank}", "\"{blank}\" is \"two words\": "},
		{"{service}.", "\"Web.\": "},
		{".{service}", "\".Web\": "},
		{"{nope:-}", "it is empty"},
		{"-{service}", "hyphen"},
		{"{nope:-localhost}", "localhost"},
		{"", "it is empty"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_string_equal(expand(rows[i][0]), "");
		if (strstr(error, rows[i][1]) == NULL)
			fail_msg("\"%s\": %s", rows[i][0], error);
	}
}

/* Nothing is cut: what does not fit is no name. */
static void what_is_too_long_is_refused(void **state)
{
	char text[TEMPLATE_TEXT_MAX + 8], name[140] = "{";

	(void)state;
	memset(text, 'a', sizeof(text));
	text[TEMPLATE_TEXT_MAX + 1] = '\0';
	assert_string_equal(expand(text), "");
	assert_int_equal(template_check(text, strlen(text), error, sizeof(error)), -1);
	text[HOSTNAME_NAME_MAX + 1] = '\0';
	text[60] = text[120] = text[180] = '.';
	assert_string_equal(expand(text), "");
	text[HOSTNAME_NAME_MAX] = '\0';
	assert_int_equal(strlen(expand(text)), HOSTNAME_NAME_MAX);
	memset(text, 0, sizeof(text));
	for (size_t i = 0; i < 100; i++)
		memcpy(text + i * 9, "{service}", 9);
	assert_string_equal(expand(text), "");
	memset(name + 1, 'b', 129);
	name[130] = '}';
	assert_string_equal(expand(name), "");
	assert_non_null(strstr(error, "a variable is written"));
}

static void the_syntax_is_checked_without_values(void **state)
{
	(void)state;
	asked = 0;
	assert_int_equal(template_check("{nope}.{x:-y}", 13, error, sizeof(error)), 0);
	assert_int_equal(template_check("{nope", 5, error, sizeof(error)), -1);
	assert_int_equal(asked, 0);
	assert_true(template_has_variables("a{b}", 4) && template_has_variables("}", 1));
	assert_false(template_has_variables("plain", 5) || template_has_variables("a{b}", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_are_filled_in),
		cmocka_unit_test(what_cannot_be_a_name_is_refused_with_words),
		cmocka_unit_test(what_is_too_long_is_refused),
		cmocka_unit_test(the_syntax_is_checked_without_values),
	};

	return cmocka_run_group_tests_name("emit_template", tests, NULL, NULL);
}
