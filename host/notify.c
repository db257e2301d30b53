#include <config.h>

#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/clock.h"

#define STATUS_MAX 256

static struct {
	int fd; /* 0: nobody asks */
	struct sockaddr_un address;
	socklen_t address_length;
	int64_t period_ms; /* between two signs of life; 0: none wanted */
	int64_t due_ms;
	char status[STATUS_MAX];
} notify;

/* A path, or with @ the name of an abstract socket (unix(7)). */
static bool notify_address(const char *text)
{
	size_t length = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || length < 2 || length >= sizeof notify.address.sun_path)
		return false;
	notify.address.sun_family = AF_UNIX;
	memcpy(notify.address.sun_path, text, length);
	if (text[0] == '@')
		notify.address.sun_path[0] = '\0';
	notify.address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (text[0] == '/'));
	return true;
}

static bool notify_number(const char *text, uint64_t *out)
{
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static void notify_open_watchdog(void)
{
	const char *pid_text = getenv("WATCHDOG_PID");
	uint64_t usec, pid;

	if (!notify_number(getenv("WATCHDOG_USEC"), &usec) || usec < 2000 || usec > (uint64_t)INT64_MAX)
		return;
	if (pid_text != NULL && (!notify_number(pid_text, &pid) || pid != (uint64_t)getpid()))
		return;
	notify.period_ms = (int64_t)(usec / 2000);
	notify.due_ms = clock_ms();
}

void notify_open(void)
{
	const char *text = getenv("NOTIFY_SOCKET");

	if (text == NULL || !notify_address(text))
		return;
	notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify.fd <= 0) {
		notify.fd = 0;
		return;
	}
	notify_open_watchdog();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

bool notify_wanted(void)
{
	return notify.fd != 0;
}

static bool notify_send(const char *text)
{
	return notify.fd != 0 && sendto(notify.fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&notify.address,
	                                notify.address_length) != -1;
}

void notify_ready(void)
{
	notify_send("READY=1");
}

void notify_reloading(void)
{
	char text[64];

	/* Type=notify-reload wants the time, to tell this reload from an earlier one. */
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_us());
	notify_send(text);
}

void notify_stopping(void)
{
	notify_send("STOPPING=1");
}

void notify_status(const char *format, ...)
{
	char text[sizeof "STATUS=" + STATUS_MAX] = "STATUS=";
	char *status = text + strlen(text);
	va_list arguments;

	if (notify.fd == 0)
		return;
	va_start(arguments, format);
	vsnprintf(status, STATUS_MAX, format, arguments);
	va_end(arguments);
	if (strcmp(status, notify.status) != 0 && notify_send(text))
		memcpy(notify.status, status, strlen(status) + 1);
}

int64_t notify_deadline_ms(void)
{
	return notify.period_ms != 0 ? notify.due_ms : CLOCK_NEVER;
}

void notify_watchdog(int64_t now_ms)
{
	if (now_ms < notify_deadline_ms())
		return;
	notify.due_ms = now_ms + notify.period_ms;
	notify_send("WATCHDOG=1");
}
