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
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "shared/log_syslog.h"

/* A syslog of this test's own: a socket in a folder of its own, from which is read only when the test wants to. */
struct daemon {
	char folder[64], path[96];
	int fd;
};

static void listen_at(struct daemon *daemon, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	assert_true(strlen(daemon->path) < sizeof(address.sun_path));
	memcpy(address.sun_path, daemon->path, strlen(daemon->path));
	daemon->fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_true(daemon->fd >= 0);
	assert_int_equal(bind(daemon->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(daemon->fd, 1), 0);
}

static void stop_listening(struct daemon *daemon)
{
	close(daemon->fd);
	assert_int_equal(unlink(daemon->path), 0);
}

static int setup(void **state)
{
	static struct daemon daemon;

	snprintf(daemon.folder, sizeof(daemon.folder), "/tmp/callsign-syslog-XXXXXX");
	if (mkdtemp(daemon.folder) == NULL)
		return -1;
	snprintf(daemon.path, sizeof(daemon.path), "%s/log", daemon.folder);
	log_syslog_path = daemon.path;
	log_open(&log_to_syslog, "callsignd", LOG_LEVEL_INFO);
	*state = &daemon;
	alarm(60); /* a line that waits would wait for ever */
	return 0;
}

static int teardown(void **state)
{
	struct daemon *daemon = *state;

	alarm(0);
	unlink(daemon->path);
	return rmdir(daemon->folder);
}

/* One message, behind its time, which has to be one. */
static void assert_message(const char *message, int priority, const char *text)
{
	char expected[512], month[4];
	int found, day, hour, minute, second, used = 0;

	assert_int_equal(sscanf(message, "<%d>%3s %d %d:%d:%d %n", &found, month, &day, &hour, &minute, &second, &used), 6);
	assert_int_equal(found, LOG_DAEMON | priority);
	assert_int_equal(used, (int)strlen("<30>Jan 31 23:59:59 "));
	snprintf(expected, sizeof(expected), "callsignd[%ld]: %s", (long)getpid(), text);
	assert_string_equal(message + used, expected);
}

/* Without waiting: what was sent is there. */
static const char *receive(int fd)
{
	static char message[4096];
	ssize_t length = recv(fd, message, sizeof(message) - 1, MSG_DONTWAIT);

	if (length < 0)
		return NULL;
	message[length] = '\0';
	return message;
}

static void writes_datagrams(void **state)
{
	struct daemon *daemon = *state;

	listen_at(daemon, SOCK_DGRAM);
	errno = ENOENT;
	log_error("open file=%s", "a");
	assert_int_equal(errno, ENOENT);
	log_info("%s", "one\ntwo");
	log_debug("below the level");
	assert_message(receive(daemon->fd), LOG_ERR, "open file=a: No such file or directory");
	assert_message(receive(daemon->fd), LOG_INFO, "one?two");
	assert_null(receive(daemon->fd));
	stop_listening(daemon);
}

/* As syslog-ng may have it (unix-stream): a NUL ends each. */
static void writes_to_a_stream(void **state)
{
	struct daemon *daemon = *state;
	int fd;

	listen_at(daemon, SOCK_STREAM);
	log_info("one");
	fd = accept(daemon->fd, NULL, NULL);
	assert_true(fd >= 0);
	assert_message(receive(fd), LOG_INFO, "one");
	close(fd);
	stop_listening(daemon);
}

static void the_longest_line_fits(void **state)
{
	struct daemon *daemon = *state;
	char text[4096];
	const char *message;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	listen_at(daemon, SOCK_DGRAM);
	log_info("%s", text);
	message = receive(daemon->fd);
	assert_non_null(message);
	assert_string_equal(message + strlen(message) - 4, "a...");
	assert_true(strlen(message) > 2000);
	stop_listening(daemon);
}

/* Nobody reads: the writer does not wait, and nothing is missing that is not counted, once there is room. */
static void never_waits_for_a_reader(void **state)
{
	struct daemon *daemon = *state;
	unsigned long lines = 0, count = 0, one;
	const char *message, *dropped;

	listen_at(daemon, SOCK_DGRAM);
	for (int i = 0; i < 20000; i++)
		log_each(LOG_LEVEL_INFO, "line %d", i);
	while (receive(daemon->fd) != NULL)
		lines++;
	assert_true(lines > 0 && lines < 20000);
	log_each(LOG_LEVEL_WARNING, "the last");
	while ((message = receive(daemon->fd)) != NULL) {
		dropped = strstr(message, "dropped count=");
		if (dropped == NULL) {
			assert_message(message, LOG_WARNING, "the last");
			lines++;
			continue;
		}
		assert_int_equal(sscanf(dropped, "dropped count=%lu lines: syslog took nothing", &one), 1);
		count += one;
	}
	assert_int_equal(lines + count, 20000 + 1);
	stop_listening(daemon);
}

/* No syslog, and then one again: it is found, and told what it missed. */
static void finds_one_that_was_started_anew(void **state)
{
	struct daemon *daemon = *state;

	listen_at(daemon, SOCK_DGRAM);
	log_info("one");
	assert_message(receive(daemon->fd), LOG_INFO, "one");
	stop_listening(daemon);
	log_info("two");
	log_info("three");
	listen_at(daemon, SOCK_DGRAM);
	log_info("four");
	assert_message(receive(daemon->fd), LOG_INFO, "dropped count=2 lines: syslog took nothing");
	assert_message(receive(daemon->fd), LOG_INFO, "four");
	stop_listening(daemon);
}

/* What it writes while it is asked to goes to standard error, too, and says there who it is. */
static void echoes_to_standard_error(void **state)
{
	struct daemon *daemon = *state;
	char text[256], expected[128];
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t length;

	listen_at(daemon, SOCK_DGRAM);
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_syslog_echo(true);
	log_info("one");
	log_syslog_echo(false);
	log_info("two");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	length = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	assert_true(length > 0);
	text[length] = '\0';
	snprintf(expected, sizeof(expected), "callsignd[%ld]: one\n", (long)getpid());
	assert_string_equal(text, expected);
	assert_message(receive(daemon->fd), LOG_INFO, "one");
	assert_message(receive(daemon->fd), LOG_INFO, "two");
	stop_listening(daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_datagrams, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_to_a_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(the_longest_line_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(never_waits_for_a_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_one_that_was_started_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(echoes_to_standard_error, setup, teardown),
	};

	return cmocka_run_group_tests_name("log_syslog", tests, NULL, NULL);
}
