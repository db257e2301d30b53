#ifndef CALLSIGN_CHILDREN_H
#define CALLSIGN_CHILDREN_H

#include <stddef.h>
#include <stdint.h>

#include "process.h"

/*
 * The children of somebody else's daemon: the processes that its first thread has started and not waited for, as
 * /proc/PID/task/PID/children lists them (proc(5); a kernel without CONFIG_PROC_CHILDREN has none of it).
 *
 * Send signal to each that is called as its parent is (/proc/PID/comm), is min_age_ms old or older, and has a handler of its own for that signal: any
 * other would be ended by it, or would never notice. Each is held by a pidfd while it is looked at, so nobody else is signalled who has its number by then.
 *
 * Returns how many were signalled; one that has not taken it since the last time is not signalled, or counted, again. *oldest_ms: the age of the oldest
 * such one that is younger than min_age_ms; -1: there is none. Ages count from fork(2), in ticks of the kernel's (10 ms) and rounded up, and go on while
 * the machine sleeps.
 */
size_t children_signal(const struct process *parent, int signal, int64_t min_age_ms, int64_t *oldest_ms);

#endif
