#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/notify.h"
#include "shared/clock.h"

/* What systemd would hear. notify_open() once: it takes its variables out of the environment. */
static int systemd;

static const char *heard(void)
{
	static char text[1024];
	ssize_t got = recv(systemd, text, sizeof text - 1, MSG_DONTWAIT);

	text[got > 0 ? got : 0] = '\0';
	return text;
}

static void without_systemd_nothing_is_said(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_open();
	assert_false(notify_wanted());
	notify_ready();
	notify_status("%d", 1);
	notify_watchdog(clock_ms());
	assert_true(notify_deadline_ms() == CLOCK_NEVER);
}

static void odd_sockets_are_left_alone(void **state)
{
	static const char *const rows[] = {"", "/", "@", "vsock:1:2", "relative/path"};
	char endless[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		setenv("NOTIFY_SOCKET", rows[i], 1);
		notify_open();
		assert_false(notify_wanted());
	}
	memset(endless, 'a', sizeof endless - 1);
	endless[0] = '/';
	endless[sizeof endless - 1] = '\0';
	setenv("NOTIFY_SOCKET", endless, 1);
	notify_open();
	assert_false(notify_wanted());
}

static void systemd_is_told(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char variable[64], number[32];
	int64_t due_ms;
	int length;

	(void)state;
	length = snprintf(variable, sizeof variable, "@callsign-notify-test-%ld", (long)getpid());
	memcpy(address.sun_path + 1, variable + 1, (size_t)length - 1);
	systemd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(systemd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)), 0);
	snprintf(number, sizeof number, "%ld", (long)getpid());
	setenv("NOTIFY_SOCKET", variable, 1);
	setenv("WATCHDOG_USEC", "20000000", 1);
	setenv("WATCHDOG_PID", number, 1);
	notify_open();
	assert_true(notify_wanted());
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));

	notify_ready();
	assert_string_equal(heard(), "READY=1");
	notify_reloading();
	assert_int_equal(strncmp(heard(), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	notify_status("%d names", 3);
	assert_string_equal(heard(), "STATUS=3 names");
	notify_status("%d names", 3);
	assert_string_equal(heard(), "");
	notify_status("%d names", 4);
	assert_string_equal(heard(), "STATUS=4 names");
	due_ms = notify_deadline_ms();
	notify_watchdog(due_ms - 1);
	assert_string_equal(heard(), "");
	notify_watchdog(due_ms);
	assert_string_equal(heard(), "WATCHDOG=1");
	assert_true(notify_deadline_ms() == due_ms + 10000);
	notify_stopping();
	assert_string_equal(heard(), "STOPPING=1");
	close(systemd);
	notify_ready(); /* nobody is there any more: no harm */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_systemd_nothing_is_said),
		cmocka_unit_test(odd_sockets_are_left_alone),
		cmocka_unit_test(systemd_is_told),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
