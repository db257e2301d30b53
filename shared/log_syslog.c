#include <config.h>

#include <syslog.h>

#include "log.h"

static void syslog_open(const char *ident)
{
	openlog(ident, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

static void syslog_send(int priority, const char *line, size_t length)
{
	syslog(priority, "%.*s", (int)length, line);
}

const struct log_target log_to_syslog = {.open = syslog_open, .send = syslog_send, .close = closelog, .prefixed = false};
