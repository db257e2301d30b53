#include <config.h>

#include "log_syslog.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 2304 /* a line of log.c's and what stands before it */
#define STAMP_SIZE  sizeof("Jan 31 23:59:59")

const char *log_syslog_path = _PATH_LOG;

static const char *current_ident = "callsign";
static atomic_bool echo;

static void syslog_open(const char *ident)
{
	current_ident = ident;
}

void log_syslog_echo(bool on)
{
	atomic_store_explicit(&echo, on, memory_order_relaxed);
}

/* RFC 3164, section 5.4, example 1: "Oct 11 22:14:15", which is local time. Empty where there is none. */
static void stamp(char out[STAMP_SIZE])
{
	time_t now = time(NULL);
	struct tm local;

	if (localtime_r(&now, &local) == NULL || strftime(out, STAMP_SIZE, "%b %e %H:%M:%S", &local) == 0)
		out[0] = '\0';
}

/* 0, or -1 with errno: EPROTOTYPE if it is a socket of the other type. */
static int deliver(int type, const char *message, size_t length)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int saved, result, fd;

	if (strlen(log_syslog_path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, log_syslog_path, strlen(log_syslog_path));
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	result = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	if (result == 0 && send(fd, message, length, MSG_NOSIGNAL) != (ssize_t)length)
		result = -1;
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}

/*
 * syslog(3) waits for as long as nobody reads (a syslog that is stopped, or whose disk stands still), and our heartbeats with it. A socket for each line
 * needs no lock, which another thread could hold at a fork, and finds a syslog that was started anew.
 */
static bool syslog_send(int priority, const char *line, size_t length)
{
	char message[MESSAGE_MAX], time_text[STAMP_SIZE];
	int text = (int)(length > 0 && line[length - 1] == '\n' ? length - 1 : length);
	int start, used;

	stamp(time_text);
	start = snprintf(message, sizeof(message), "<%d>%s ", LOG_DAEMON | priority, time_text);
	used = start + snprintf(message + start, sizeof(message) - (size_t)start, "%s[%ld]: %.*s\n", current_ident, (long)getpid(), text, line);
	if ((size_t)used >= sizeof(message))
		return false;
	if (atomic_load_explicit(&echo, memory_order_relaxed))
		log_to_stderr.send(priority, message + start, (size_t)(used - start));
	message[--used] = '\0'; /* the newline is a terminal's */
	if (deliver(SOCK_DGRAM, message, (size_t)used) == 0)
		return true;
	/* In a stream a NUL ends each. */
	return errno == EPROTOTYPE && deliver(SOCK_STREAM, message, (size_t)used + 1) == 0;
}

const struct log_target log_to_syslog = {.open = syslog_open, .send = syslog_send, .full = "syslog took nothing", .prefixed = false};
