#ifndef CALLSIGN_DETACH_H
#define CALLSIGN_DETACH_H

#include <stdbool.h>

#include "shared/log.h"

/*
 * Becoming a daemon (libdaemon), and the pid file. The starting process ends only when the daemon is ready or has
 * failed, with one of these codes; in the foreground the daemon itself ends with them.
 */
enum detach_exit {
	DETACH_OK = 0,
	DETACH_FAILED = 1,  /* something that has no code of its own, while running too */
	DETACH_USAGE = 2,   /* command line or configuration */
	DETACH_RUNNING = 3, /* another callsignd holds the pid file */
	DETACH_PID_FILE = 4,
	DETACH_FORK = 5,
	DETACH_HOSTS = 6,  /* the first hosts file could not be written (loop_run's code for that) */
	DETACH_TIMEOUT = 7 /* not ready within DETACH_READY_TIMEOUT_S */
};

#define DETACH_READY_TIMEOUT_S 60
#define DETACH_CONTINUE        (-1)

/*
 * Fork (unless foreground) and take the pid file, which stays locked until the process ends: a daemon is known to run
 * by the lock, never by the number in the file, which may belong to another process by now. Returns DETACH_CONTINUE in
 * the process that is to go on as the daemon, else the code with which this process is to end. Errors are logged. Also
 * opens the log: standard error in the foreground; else the system's log, and until the daemon is ready the terminal
 * too. pid_file is borrowed until detach_end().
 */
int detach_start(const char *pid_file, bool foreground, enum log_level level);

/* Ready: the starting process ends with 0. Does nothing the second time, or in the foreground. */
void detach_ready(void);

/* The end: the pid file goes; if detach_ready was not called the starting process ends with code. */
void detach_end(int code);

#endif
