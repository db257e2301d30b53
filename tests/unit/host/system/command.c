#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/system/command.h"
#include "shared/clock.h"

static void test_output_and_status(void **state)
{
	const char *const argv[] = {"sh", "-c", "cat; echo oops >&2; exit 3", NULL}, *const none[] = {"callsign-no-such-program", NULL};
	char *output = NULL, *errors = NULL;

	(void)state;
	assert_int_equal(command_run(argv, "text", 4, &output, &errors, 20), 3);
	assert_string_equal(output, "text");
	assert_string_equal(errors, "oops\n");
	free(output);
	free(errors);
	assert_int_equal(command_run(none, NULL, 0, &output, NULL, 20), -1);
	assert_int_equal(errno, ENOENT);
}

/* Processes with that word among their arguments; one that has ended and was not waited for has none. */
static unsigned count_with(const char *word)
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	unsigned count = 0;

	assert_non_null(proc);
	while ((entry = readdir(proc)) != NULL) {
		char path[300], text[4096];
		ssize_t length;
		int fd;

		snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
		fd = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		if (fd == -1)
			continue;
		length = read(fd, text, sizeof text);
		close(fd);
		count += length > 0 && memmem(text, (size_t)length, word, strlen(word)) != NULL;
	}
	closedir(proc);
	return count;
}

/* A wrapper that changes user puts what it runs into a session of its own: su -c does. */
static void test_all_that_it_started_is_ended_with_it(void **state)
{
	char script[400], word[64];
	const char *const argv[] = {"sh", "-c", script, NULL};
	int64_t begun_ms = clock_ms();
	char *output = NULL;

	(void)state;
	snprintf(word, sizeof word, "1000.%ld", (long)getpid());
	snprintf(script, sizeof script, "sleep %s & setsid sleep %s & setsid -w sh -c 'sleep %s & setsid sleep %s & wait' & wait", word, word, word,
	         word);
	assert_int_equal(command_run(argv, NULL, 0, &output, NULL, 1), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_null(output);
	assert_true(clock_ms() - begun_ms < 10000);
	while (count_with(word) > 0 && clock_ms() - begun_ms < 10000)
		usleep(1000);
	assert_int_equal(count_with(word), 0);
}

/* What a command left behind on purpose is nobody's business: an init script starts daemons. */
static void test_a_daemon_stays(void **state)
{
	char script[128], word[64], end[128], *pid = NULL;
	const char *const argv[] = {"sh", "-c", script, NULL}, *const over[] = {"sh", "-c", end, NULL};

	(void)state;
	snprintf(word, sizeof word, "1001.%ld", (long)getpid());
	snprintf(script, sizeof script, "setsid sleep %s </dev/null >/dev/null 2>&1 & echo $!", word);
	snprintf(end, sizeof end, "sleep 1000");
	assert_int_equal(command_run(argv, NULL, 0, &pid, NULL, 20), 0);
	assert_int_equal(command_run(over, NULL, 0, NULL, NULL, 1), -1);
	assert_int_equal(count_with(word), 1);
	snprintf(end, sizeof end, "kill %ld", strtol(pid, NULL, 10));
	assert_int_equal(command_run(over, NULL, 0, NULL, NULL, 20), 0);
	free(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_status),
		cmocka_unit_test(test_all_that_it_started_is_ended_with_it),
		cmocka_unit_test(test_a_daemon_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
