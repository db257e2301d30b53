#include <config.h>

#include "reload.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "system/process.h"

#define PROCESS_NAME "haproxy" /* /proc/PID/comm */

pid_t haproxy_reload(const char *pid_file, char *reason, size_t size)
{
	char why[PROCESS_REASON_SIZE];
	struct process process;
	pid_t pid = -1;

	if (process_open(pid_file, PROCESS_NAME, &process, why) != PROCESS_FOUND) {
		snprintf(reason, size, "%s", why);
		return -1;
	}
	/* Looked at while the pidfd holds it: the number cannot have become another process's. */
	if (!process_catches(process.pid, SIGUSR2))
		snprintf(reason, size, "process %ld in pid file %s is no master (haproxy -W), which alone can reload",
			 (long)process.pid, pid_file);
	else if (process_signal(&process, SIGUSR2) == 0)
		pid = process.pid;
	else if (errno == EPERM)
		snprintf(reason, size,
			 "process %ld in pid file %s may not be signalled: callsignd needs CAP_KILL for it, which it keeps if this "
			 "section is there at its start: restart it",
			 (long)process.pid, pid_file);
	else
		snprintf(reason, size, "process %ld in pid file %s cannot be signalled: %s", (long)process.pid,
			 pid_file, strerror(errno));
	process_close(&process);
	return pid;
}
