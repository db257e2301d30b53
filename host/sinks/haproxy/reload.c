#include <config.h>

#include "reload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/process.h"

#define PROCESS_NAME "haproxy" /* /proc/PID/comm */
#define STATUS_SIZE  4096

int haproxy_reload_is_master(const char *status)
{
	static const char key[] = "\nSigCgt:\t";
	const char *line = strstr(status, key);
	unsigned long long caught;
	char *end;

	if (line == NULL)
		return 0;
	line += strlen(key);
	caught = strtoull(line, &end, 16);
	return end != line && (caught >> (SIGUSR2 - 1) & 1) != 0;
}

static int is_master(pid_t pid)
{
	char path[64], status[STATUS_SIZE];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	length = read(fd, status, sizeof(status) - 1);
	close(fd);
	if (length <= 0)
		return 0;
	status[length] = '\0';
	return haproxy_reload_is_master(status);
}

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
	if (!is_master(process.pid))
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
