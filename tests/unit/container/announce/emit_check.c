#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "container/announce/check.h"
#include "container/announce/checktarget.h"
#include "shared/clock.h"
#include "tests/unit/exact.h"
#include "tests/unit/range.h"

/* ---- when it is asked, and what the answers mean ---- */

static struct check begun(uint32_t interval_s, uint32_t rise, uint32_t fall)
{
	const struct check_rules rules = {.interval_s = interval_s, .timeout_s = 2, .rise = rise, .fall = fall};
	struct check check;

	check_init(&check, &rules, 1000);
	return check;
}

/* Ask at the deadline and have the answer after took_ms. Returns the time of the answer. */
static int64_t ask(struct check *check, bool good, int64_t took_ms, bool *changed)
{
	int64_t now_ms = check_deadline_ms(check);

	assert_true(check_due(check, now_ms));
	check_asked(check, now_ms);
	assert_true(check_deadline_ms(check) == CLOCK_NEVER);
	*changed = check_answered(check, good, now_ms + took_ms);
	return now_ms + took_ms;
}

static void it_is_asked_at_once_and_often_until_it_passes(void **state)
{
	struct check check = begun(5, 1, 3);
	int64_t before_ms = 0, now_ms = 1000;
	bool changed;
	unsigned asked = 0;

	(void)state;
	assert_true(check_due(&check, 1000));
	while (now_ms < 301000) {
		int64_t pause_ms = check_deadline_ms(&check) - before_ms;

		if (asked++ > 0)
			assert_int_in_range(pause_ms, CHECK_QUICK_MS, 5000);
		/* Never later than a sixteenth of the time that it took. */
		if (asked > 1)
			assert_true(pause_ms <= (before_ms - 1000) / CHECK_QUICK_PART || pause_ms == CHECK_QUICK_MS);
		before_ms = check_deadline_ms(&check);
		now_ms = ask(&check, false, 0, &changed);
		assert_false(changed);
		assert_int_equal(check.state, CHECK_STARTING);
	}
	assert_int_in_range(asked, 20, 200);
	ask(&check, true, 0, &changed);
	assert_true(changed);
	assert_int_equal(check.state, CHECK_PASSING);
	assert_int_equal(check_deadline_ms(&check) - check.asked_ms, 5000);
}

static void it_takes_rise_passes_and_fall_failures_in_a_row(void **state)
{
	struct check check = begun(5, 2, 3);
	static const struct {
		bool good, changed;
		enum check_state state;
	} steps[] = {
		{true, false, CHECK_STARTING},  {false, false, CHECK_STARTING}, {true, false, CHECK_STARTING},
		{true, true, CHECK_PASSING},    {false, false, CHECK_PASSING},  {false, false, CHECK_PASSING},
		{true, false, CHECK_PASSING},   {false, false, CHECK_PASSING},  {false, false, CHECK_PASSING},
		{false, true, CHECK_FAILING},   {false, false, CHECK_FAILING},  {true, false, CHECK_FAILING},
		{false, false, CHECK_FAILING},  {true, false, CHECK_FAILING},   {true, true, CHECK_PASSING},
	};
	bool changed;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(steps); i++) {
		ask(&check, steps[i].good, 1, &changed);
		assert_int_equal(changed, steps[i].changed);
		assert_int_equal(check.state, steps[i].state);
	}
}

static void the_interval_is_from_question_to_question_but_never_two_at_once(void **state)
{
	struct check check = begun(5, 1, 1);
	int64_t now_ms;
	bool changed;

	(void)state;
	ask(&check, true, 0, &changed);
	ask(&check, true, 1500, &changed);
	assert_int_equal(check_deadline_ms(&check) - check.asked_ms, 5000);
	now_ms = ask(&check, true, 7000, &changed);
	assert_int_equal(check_deadline_ms(&check), now_ms);
}

/* ---- what is asked ---- */

static void a_command_is_words_or_a_line_for_the_shell(void **state)
{
	struct checktarget target = {.kind = CHECK_NONE};
	char many[2 * CHECKTARGET_WORDS_MAX + 4] = "a";
	const char *why;
	unsigned i;

	(void)state;
	assert_int_equal(checktarget_command(&target, "/bin/true", &why), 0);
	assert_int_equal(target.kind, CHECK_COMMAND);
	assert_string_equal(target.words[0], "/bin/true");
	assert_null(target.words[1]);
	assert_int_equal(checktarget_command(&target, "test -e /ready, or not", &why), 0);
	assert_string_equal(target.words[0], "/bin/sh");
	assert_string_equal(target.words[1], "-c");
	assert_string_equal(target.words[2], "test -e /ready, or not");
	assert_null(target.words[3]);
	assert_int_equal(checktarget_command(&target, "/bin/test\x1f-e\x1f/a b,c\x1f", &why), 0);
	assert_string_equal(target.words[0], "/bin/test");
	assert_string_equal(target.words[2], "/a b,c");
	assert_string_equal(target.words[3], "");
	assert_null(target.words[4]);
	for (i = 1; i <= CHECKTARGET_WORDS_MAX; i++) {
		assert_int_equal(checktarget_command(&target, many, &why), 0);
		memcpy(many + strlen(many), "\x1f""a", 3);
	}
	assert_int_equal(checktarget_command(&target, many, &why), -1);
	/* What is refused leaves what was there. */
	assert_int_equal(target.kind, CHECK_COMMAND);
	assert_int_equal(checktarget_command(&target, " \t", &why), -1);
	assert_int_equal(checktarget_command(&target, "\x1f-e", &why), -1);
	checktarget_clear(&target);
}

static void tcp_is_a_port_or_an_address_with_one(void **state)
{
	static const struct {
		const char *text, *address; /* NULL: refused */
		uint16_t port;
	} cases[] = {
		{"8080", "127.0.0.1", 8080},   {"1", "127.0.0.1", 1},       {"65535", "127.0.0.1", 65535},
		{"10.0.0.1:80", "10.0.0.1", 80}, {"[::1]:80", "::1", 80},   {"localhost:80", "127.0.0.1", 80},
		{"0", NULL, 0},                {"65536", NULL, 0},          {"99999999999", NULL, 0},
		{"127.0.0.1", NULL, 0},        {"127.0.0.1:", NULL, 0},     {"127.0.0.1:0", NULL, 0},
		{":80", NULL, 0},              {"::1:80", NULL, 0},         {"[::1]", NULL, 0},
		{"[127.0.0.1]:80", NULL, 0},   {"db:5432", NULL, 0},        {"localhost", NULL, 0},
		{"127.0.0.1:80 ", NULL, 0},    {"+80", NULL, 0},            {"[", NULL, 0},
		{"]", NULL, 0},                {"[]:80", NULL, 0},          {"127.0.0.1:8o", NULL, 0},
	};
	char text[ADDRESS_TEXT_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct checktarget target = {.kind = CHECK_NONE};
		const char *why = NULL;
		int result = checktarget_tcp(&target, cases[i].text, &why);

		assert_int_equal(result, cases[i].address != NULL ? 0 : -1);
		if (result == -1) {
			assert_non_null(why);
			assert_int_equal(target.kind, CHECK_NONE);
			continue;
		}
		assert_int_equal(target.kind, CHECK_TCP);
		assert_int_equal(target.port, cases[i].port);
		assert_string_equal(address_format(&target.address, text), cases[i].address);
	}
}

static void http_is_a_url_without_look_ups(void **state)
{
	static const struct {
		const char *text, *line, *host; /* NULL: refused */
		uint16_t port;
	} cases[] = {
		{"http://127.0.0.1:8080/health", "GET /health HTTP/1.1\r\n", "\r\nHost: 127.0.0.1:8080\r\n", 8080},
		{"http://localhost", "GET / HTTP/1.1\r\n", "\r\nHost: localhost\r\n", 80},
		{"http://[::1]:81?a=b&c", "GET /?a=b&c HTTP/1.1\r\n", "\r\nHost: [::1]:81\r\n", 81},
		{"http://[::1]/a", "GET /a HTTP/1.1\r\n", "\r\nHost: [::1]\r\n", 80},
		{"https://127.0.0.1/", NULL, NULL, 0}, {"127.0.0.1/", NULL, NULL, 0}, {"http://", NULL, NULL, 0},
		{"http:///x", NULL, NULL, 0}, {"http://web/x", NULL, NULL, 0}, {"http://127.0.0.1:/", NULL, NULL, 0},
		{"http://127.0.0.1/a b", NULL, NULL, 0}, {"http://127.0.0.1/a\r\nX: y", NULL, NULL, 0},
		{"http://127.0.0.1/#a", NULL, NULL, 0}, {"http://u:p@127.0.0.1/", NULL, NULL, 0}, {"http://127.0.0.1/\xc3\xa4", NULL, NULL, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct checktarget target = {.kind = CHECK_NONE};
		const char *why = NULL;
		int result = checktarget_http(&target, cases[i].text, &why);

		assert_int_equal(result, cases[i].line != NULL ? 0 : -1);
		if (result == -1) {
			assert_non_null(why);
			continue;
		}
		assert_int_equal(target.port, cases[i].port);
		assert_memory_equal(target.text, cases[i].line, strlen(cases[i].line));
		assert_non_null(strstr(target.text, cases[i].host));
		assert_string_equal(target.text + strlen(target.text) - 4, "\r\n\r\n");
		checktarget_clear(&target);
	}
}

static void the_kinds_take_each_others_place(void **state)
{
	struct checktarget target = {.kind = CHECK_NONE};
	const char *why;

	(void)state;
	assert_int_equal(checktarget_http(&target, "http://127.0.0.1/", &why), 0);
	assert_int_equal(checktarget_command(&target, "true", &why), 0);
	assert_int_equal(checktarget_tcp(&target, "80", &why), 0);
	assert_int_equal(target.kind, CHECK_TCP);
	assert_null(target.text);
	assert_null(target.words[0]);
}

static void a_status_line_is_read_and_nothing_else(void **state)
{
	static const struct {
		const char *bytes;
		unsigned status;
	} cases[] = {
		{"HTTP/1.1 200 ", 200}, {"HTTP/1.0 404 ", 404}, {"HTTP/1.1 204\r", 204}, {"HTTP/1.1 200\n", 200}, {"HTTP/1.1 2000", 0},
		{"HTTP/1.1 20  ", 0},   {"HTTP/2.0 200 ", 0},   {"SSH-2.0-Open.", 0},    {"HTTP/1.1  200", 0},    {"http/1.1 200 ", 0},
		{"HTTP/1.1 -12 ", 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		char *bytes = exact_copy(cases[i].bytes, CHECKTARGET_STATUS_LINE);

		assert_int_equal(checktarget_http_status(bytes), cases[i].status);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_asked_at_once_and_often_until_it_passes),
		cmocka_unit_test(it_takes_rise_passes_and_fall_failures_in_a_row),
		cmocka_unit_test(the_interval_is_from_question_to_question_but_never_two_at_once),
		cmocka_unit_test(a_command_is_words_or_a_line_for_the_shell),
		cmocka_unit_test(tcp_is_a_port_or_an_address_with_one),
		cmocka_unit_test(http_is_a_url_without_look_ups),
		cmocka_unit_test(the_kinds_take_each_others_place),
		cmocka_unit_test(a_status_line_is_read_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
