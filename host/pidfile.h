#ifndef CALLSIGN_PIDFILE_H
#define CALLSIGN_PIDFILE_H

#include <sys/types.h>

/*
 * Our own pid file, locked for as long as the process lives. The lock tells whether a daemon runs; the number is for
 * people and init scripts, and after a kill -9 it may be any process's.
 */
enum pidfile_result { PIDFILE_TAKEN, PIDFILE_HELD, PIDFILE_FAILED };

/*
 * Create or take over path (and its directory, if only that is missing), lock it and write our number. PIDFILE_HELD:
 * another process has the lock; *holder is the number it wrote, 0 if there is none. PIDFILE_FAILED: errno. Closing *fd
 * gives the lock up.
 */
enum pidfile_result pidfile_take(const char *path, int *fd, pid_t *holder);

/* Remove and unlock. */
void pidfile_drop(const char *path, int fd);

#endif
