#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "tests/unit/exact.h"
#include "tests/unit/range.h"

/* What log_*() wrote to stderr: into a pipe while it writes, put back before anything can fail. */
struct capture {
	int stderr_fd, read_fd;
	char text[8192];
};

static void capture_begin(struct capture *capture)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	capture->read_fd = fds[0];
	capture->stderr_fd = dup(STDERR_FILENO);
	assert_true(capture->stderr_fd >= 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
}

static const char *capture_end(struct capture *capture)
{
	size_t used = 0;
	ssize_t got;

	dup2(capture->stderr_fd, STDERR_FILENO); /* which closes the pipe's last writing end */
	close(capture->stderr_fd);
	while ((got = read(capture->read_fd, capture->text + used, sizeof(capture->text) - 1 - used)) > 0)
		used += (size_t)got;
	close(capture->read_fd);
	capture->text[used] = '\0';
	return capture->text;
}

static void writes_a_line_an_event(void **state)
{
	struct capture capture;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	capture_begin(&capture);
	log_open(&log_to_stderr, "callsignd", LOG_LEVEL_DEBUG);
	errno = ENOENT;
	log_error("open file=%s", "a");
	log_errorx("one %d", 1);
	errno = EACCES;
	log_warn("two");
	log_warnx("three");
	log_info("four");
	log_debug("five");
	assert_string_equal(capture_end(&capture), "callsignd: error: open file=a: No such file or directory\n"
						   "callsignd: error: one 1\n"
						   "callsignd: warning: two: Permission denied\n"
						   "callsignd: warning: three\n"
						   "callsignd: four\n"
						   "callsignd: debug: five\n");
}

static void prefixes_for_the_journal(void **state)
{
	struct capture capture;

	(void)state;
	setenv("JOURNAL_STREAM", "8:12345", 1);
	capture_begin(&capture);
	log_open(&log_to_stderr, "callsignd", LOG_LEVEL_DEBUG);
	log_errorx("one");
	log_warnx("two");
	log_info("three");
	log_debug("four");
	unsetenv("JOURNAL_STREAM");
	assert_string_equal(capture_end(&capture), "<3>one\n<4>two\n<6>three\n<7>four\n");
}

static void keeps_to_the_level(void **state)
{
	struct capture capture;

	(void)state;
	capture_begin(&capture);
	log_open(&log_to_stderr, "t", LOG_LEVEL_WARNING);
	log_info("no");
	log_warnx("yes");
	log_set_level(LOG_LEVEL_ERROR);
	log_warnx("no");
	log_errorx("yes");
	log_set_level(LOG_LEVEL_INFO);
	log_debug("no");
	log_info("yes");
	assert_string_equal(capture_end(&capture), "t: warning: yes\nt: error: yes\nt: yes\n");
	assert_true(log_enabled(LOG_LEVEL_INFO));
	assert_false(log_enabled(LOG_LEVEL_DEBUG));
}

static void keeps_errno(void **state)
{
	struct capture capture;
	int after[3];

	(void)state;
	capture_begin(&capture);
	log_open(&log_to_stderr, "t", LOG_LEVEL_INFO);
	errno = EEXIST;
	log_error("one");
	after[0] = errno;
	log_info("two");
	after[1] = errno;
	log_debug("not written");
	after[2] = errno;
	capture_end(&capture);
	for (size_t i = 0; i < COUNT(after); i++)
		assert_int_equal(after[i], EEXIST);
}

static void stays_one_line(void **state)
{
	struct capture capture;

	(void)state;
	capture_begin(&capture);
	log_open(&log_to_stderr, "t", LOG_LEVEL_INFO);
	log_info("%s", "a\nb\r\x1b[2J\x7f");
	log_info("%s", "%s%n");
	assert_string_equal(capture_end(&capture), "t: a?b??[2J?\nt: %s%n\n");
}

static void shows_what_it_cut(void **state)
{
	struct capture capture;
	char huge[5000];
	const char *text;
	size_t length;

	(void)state;
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	capture_begin(&capture);
	log_open(&log_to_stderr, "t", LOG_LEVEL_INFO);
	errno = ENOENT;
	log_error("%s", huge);
	text = capture_end(&capture);
	length = strlen(text);
	assert_int_in_range(length, 1000, 4096);
	assert_string_equal(text + length - 4, "...\n");
	assert_ptr_equal(strchr(text, '\n'), text + length - 1);
}

static void knows_its_levels(void **state)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	static const char *const others[] = {"", "Error", "warn", "info ", "3", "debugging"};
	enum log_level level = LOG_LEVEL_INFO;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(log_level_parse(names[i], &level), 0);
		assert_int_equal(level, i);
	}
	for (size_t i = 0; i < COUNT(others); i++)
		assert_int_equal(log_level_parse(others[i], &level), -1);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
}

static void escapes_untrusted_text(void **state)
{
	static const struct {
		const char *text;
		size_t length, size;
		const char *safe;
	} rows[] = {
		{"", 0, 10, ""},
		{"my-host", 7, 10, "my-host"},
		{"a b", 3, 10, "a\\x20b"},
		{"a\nb", 3, 10, "a\\x0ab"},
		{"\0", 1, 10, "\\x00"},
		{"\"'\\", 3, 20, "\\x22\\x27\\x5c"},
		{"\x1b[2J", 4, 20, "\\x1b[2J"},
		{"\xc3\xbc\x7f\x9b", 4, 20, "\\xc3\\xbc\\x7f\\x9b"},
		{"%s%n", 4, 20, "%s%n"},
		{"abcdefghi", 9, 10, "abcdefghi"},
		{"abcdefghij", 10, 10, "abcdef..."},
		{"abcdefgh\n", 9, 10, "abcdef..."},
		{"abcd\nefgh", 9, 10, "abcd..."}, /* an escape is kept whole or left out */
		{"\n\n\n", 3, 10, "\\x0a..."},
		{"abcdef", 6, 4, "..."},
		{"abcdef", 6, 3, ".."},
		{"abcdef", 6, 1, ""},
		{"abc", 3, 4, "abc"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = exact_copy(rows[i].text, rows[i].length);
		char *out = malloc(rows[i].size);

		assert_non_null(out);
		assert_ptr_equal(log_safe(out, rows[i].size, text, rows[i].length), out);
		assert_string_equal(out, rows[i].safe);
		free(out);
		free(text);
	}
	assert_null(log_safe(NULL, 0, "a", 1));
}

static size_t count_lines(const char *text, const char *line)
{
	size_t count = 0;

	for (; (text = strstr(text, line)) != NULL; text += strlen(line))
		count++;
	return count;
}

static void counts_repetitions(void **state)
{
	struct capture capture;
	const char *text;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	capture_begin(&capture);
	log_open(&log_to_stderr, "callsignd", LOG_LEVEL_INFO);
	for (int i = 0; i < LOG_REPEATS_FREE + 3; i++) {
		log_warnx("the same again name=%s", "a");
		log_info("another one i=%d", i);
	}
	text = capture_end(&capture);
	assert_int_equal(count_lines(text, "warning: the same again name=a\n"), LOG_REPEATS_FREE);
	assert_int_equal(count_lines(text, "another one i="), LOG_REPEATS_FREE + 3);
	assert_true(log_deadline_ms() <= clock_ms() + LOG_REPEATS_MS);

	capture_begin(&capture);
	log_tick(log_deadline_ms() - 1);
	log_tick(log_deadline_ms());
	text = capture_end(&capture);
	assert_string_equal(text, "callsignd: warning: repeated count=3 line: the same again name=a\n");
	assert_true(log_deadline_ms() == CLOCK_NEVER);

	capture_begin(&capture);
	log_warnx("the same again name=%s", "a");
	text = capture_end(&capture);
	assert_string_equal(text, "callsignd: warning: the same again name=a\n");
}

static void writes_each_where_each_matters(void **state)
{
	struct capture capture;
	const char *text;

	(void)state;
	capture_begin(&capture);
	log_open(&log_to_stderr, "callsignd", LOG_LEVEL_INFO);
	for (int i = 0; i < 20; i++)
		log_each(LOG_LEVEL_WARNING, "refused name=%s", "a");
	log_each(LOG_LEVEL_DEBUG, "below the level");
	text = capture_end(&capture);
	assert_int_equal(count_lines(text, "callsignd: warning: refused name=a\n"), 20);
	assert_null(strstr(text, "below"));
}

/* More different lines than there are places: what is pushed out is told of, nothing is lost without a number. */
static void counts_what_it_forgets(void **state)
{
	struct capture capture;
	const char *text;

	(void)state;
	capture_begin(&capture);
	log_open(&log_to_stderr, "callsignd", LOG_LEVEL_INFO);
	for (int i = 0; i < LOG_REPEATS_FREE + 2; i++)
		log_info("pushed out");
	for (int i = 0; i < 20 * (LOG_REPEATS_FREE + 3); i++)
		log_info("filler i=%d", i / (LOG_REPEATS_FREE + 3));
	text = capture_end(&capture);
	assert_int_equal(count_lines(text, "repeated count=2 line: pushed out\n"), 1);
}

static void writes_every_line_of_level_debug(void **state)
{
	struct capture capture;
	const char *text;

	(void)state;
	capture_begin(&capture);
	log_open(&log_to_stderr, "callsignd", LOG_LEVEL_DEBUG);
	for (int i = 0; i < 20; i++)
		log_debug("frame");
	text = capture_end(&capture);
	assert_int_equal(count_lines(text, "debug: frame\n"), 20);
}

/* A pipe that nobody reads: the writer does not wait for it, and what is missing is counted once there is room. */
static void never_waits_for_a_reader(void **state)
{
	struct capture capture;
	char text[65536], *dropped;
	size_t count = 0, one = 0, lines = 0, used = 0;
	ssize_t got;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	capture_begin(&capture);
	log_open(&log_to_stderr, "callsignd", LOG_LEVEL_INFO);
	alarm(20); /* a write that waits would wait for ever */
	for (unsigned i = 0; i < 3000; i++)
		log_each(LOG_LEVEL_INFO, "line %04u of many, which are long enough to fill a pipe of 64 kB before the last is written", i);
	alarm(0);
	/* The descriptor itself, which COMMAND has, too, waits as it did. */
	got = fcntl(STDERR_FILENO, F_GETFL);
	while (used < sizeof(text) / 2) {
		ssize_t n = read(capture.read_fd, text + used, sizeof(text) / 2 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	for (size_t i = 0; i < used; i++)
		lines += text[i] == '\n';
	log_each(LOG_LEVEL_INFO, "the last");
	dup2(capture.stderr_fd, STDERR_FILENO);
	close(capture.stderr_fd);
	assert_true((got & O_NONBLOCK) == 0);
	used = 0;
	while ((got = read(capture.read_fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)got;
	close(capture.read_fd);
	text[used] = '\0';
	for (size_t i = 0; i < used; i++)
		lines += text[i] == '\n';
	/* Being short, such a line may fit while the others do not: then there are several. */
	for (dropped = text; (dropped = strstr(dropped, "callsignd: dropped count=")) != NULL; dropped++) {
		assert_int_equal(sscanf(dropped, "callsignd: dropped count=%zu lines: standard error was full\n", &one), 1);
		count += one;
		lines--;
	}
	assert_true(count > 1000);
	assert_string_equal(text + used - strlen("\ncallsignd: the last\n"), "\ncallsignd: the last\n");
	assert_int_equal(lines + count, 3000 + 1); /* none is lost without being counted */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_line_an_event), cmocka_unit_test(prefixes_for_the_journal),
		cmocka_unit_test(keeps_to_the_level),     cmocka_unit_test(keeps_errno),
		cmocka_unit_test(stays_one_line),         cmocka_unit_test(shows_what_it_cut),
		cmocka_unit_test(knows_its_levels),       cmocka_unit_test(escapes_untrusted_text),
		cmocka_unit_test(counts_repetitions),     cmocka_unit_test(counts_what_it_forgets),
		cmocka_unit_test(writes_every_line_of_level_debug),
		cmocka_unit_test(writes_each_where_each_matters),
		cmocka_unit_test(never_waits_for_a_reader),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
