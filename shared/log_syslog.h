#ifndef CALLSIGN_LOG_SYSLOG_H
#define CALLSIGN_LOG_SYSLOG_H

#include <stdbool.h>

#include "log.h"

/*
 * The host's syslog, as RFC 3164 has it, facility daemon: what syslog(3) writes, but without ever waiting. A header of its own, for a program that never
 * mentions it is not linked with it (30 kB of a static emitter).
 */
extern const struct log_target log_to_syslog;

/* Whether each line goes to standard error, too: for whoever started the program. From any thread. */
void log_syslog_echo(bool on);

/* The socket, of datagrams or a stream: /dev/log, but for tests. Set before log_open(). */
extern const char *log_syslog_path;

#endif
