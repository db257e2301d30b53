#ifndef CALLSIGN_HAPROXY_RELOAD_H
#define CALLSIGN_HAPROXY_RELOAD_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The way without the runtime socket: HAProxy's master process (-W or -Ws) reads everything anew on SIGUSR2, and hands
 * its listening sockets to the new worker (management guide, section 4). Any other HAProxy would end by that signal:
 * only a process that catches it gets it.
 *
 * The process's number, or -1 and the reason.
 */
pid_t haproxy_reload(const char *pid_file, char *reason, size_t size);

#endif
