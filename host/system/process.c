#include <config.h>

#include "process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/log.h"
#include "shared/shortage.h"

#define PID_TEXT_MAX 10 /* digits of INT32_MAX */
#define COMM_SIZE    64 /* the kernel's own limit is 16; kernel threads may be longer */
#define STAT_SIZE    1024
#define STATUS_SIZE  4096
#define FIRST_BEHIND 3 /* of the fields of stat, from 1 as proc(5) counts: the first behind the name */
#define PARENT_FIELD 4
#define START_FIELD  22

int process_parse_pid(const char *text, size_t length, pid_t *pid)
{
	int64_t number = 0;

	if (length > 0 && text[length - 1] == '\n')
		length--;
	if (length == 0 || length > PID_TEXT_MAX || text[0] == '0')
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	if (number <= 1 || number > INT32_MAX)
		return -1;
	*pid = (pid_t)number;
	return 0;
}

/* Up to size bytes from the beginning of a file. The count, or -1 with errno. O_NONBLOCK: a FIFO must not hold us up.
 */
static ssize_t read_start(const char *path, bool regular_only, char *out, size_t size)
{
	struct stat status;
	ssize_t got = -1;
	int saved;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0) {
		if (!regular_only || S_ISREG(status.st_mode))
			got = read(fd, out, size);
		else
			errno = EINVAL;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return got;
}

static enum process_state read_pid_file(const char *path, pid_t *pid, char reason[PROCESS_REASON_SIZE])
{
	char text[64];
	ssize_t length = read_start(path, true, text, sizeof(text));

	if (length < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		snprintf(reason, PROCESS_REASON_SIZE, "pid file %s does not exist", path);
		return PROCESS_NO_FILE;
	}
	if (length < 0) {
		snprintf(reason, PROCESS_REASON_SIZE, "pid file %s cannot be read: %s", path,
			 errno == EINVAL ? "not a regular file" : strerror(errno));
		return shortage_is(errno) ? PROCESS_FAILED : PROCESS_UNREADABLE;
	}
	if (length == 0) {
		snprintf(reason, PROCESS_REASON_SIZE, "pid file %s is empty", path);
		return PROCESS_EMPTY;
	}
	if (process_parse_pid(text, (size_t)length, pid) < 0) {
		char shown[LOG_SAFE_MAX];

		snprintf(reason, PROCESS_REASON_SIZE, "pid file %s does not hold a process number but \"%s\"", path,
			 log_safe(shown, sizeof(shown), text, (size_t)length));
		return PROCESS_MALFORMED;
	}
	return PROCESS_FOUND;
}

/* 0, or -1 with errno. */
static int read_comm(pid_t pid, char comm[COMM_SIZE])
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	length = read_start(path, false, comm, COMM_SIZE - 1);
	if (length < 0)
		return -1;
	if (length > 0 && comm[length - 1] == '\n')
		length--;
	comm[length] = '\0';
	return 0;
}

/* The pidfd is opened before the name is read and asked again afterwards: had the process ended in between, the name
 * could be that of a new process with the same number. */
static enum process_state check(const char *pid_file, const char *name, struct process *process,
				char reason[PROCESS_REASON_SIZE])
{
	char comm[COMM_SIZE], shown[LOG_SAFE_MAX];
	int failed = read_comm(process->pid, comm);

	if (process_ended(process) || (failed != 0 && (errno == ENOENT || errno == ESRCH))) {
		snprintf(reason, PROCESS_REASON_SIZE, "pid file %s is stale: process %ld has ended", pid_file,
			 (long)process->pid);
		return PROCESS_STALE;
	}
	if (failed != 0) {
		snprintf(reason, PROCESS_REASON_SIZE, "/proc/%ld/comm: %s", (long)process->pid, strerror(errno));
		return PROCESS_FAILED;
	}
	if (strcmp(comm, name) != 0) {
		snprintf(reason, PROCESS_REASON_SIZE, "pid file %s names process %ld, which is %s, not %s", pid_file,
			 (long)process->pid, log_safe(shown, sizeof(shown), comm, strlen(comm)), name);
		return PROCESS_OTHER;
	}
	return PROCESS_FOUND;
}

enum process_state process_open(const char *pid_file, const char *name, struct process *out,
				char reason[PROCESS_REASON_SIZE])
{
	enum process_state state;

	out->pidfd = -1;
	out->pid = 0;
	state = read_pid_file(pid_file, &out->pid, reason);
	if (state != PROCESS_FOUND)
		return state;
	out->pidfd = pidfd_open(out->pid, 0); /* close-on-exec by itself */
	if (out->pidfd < 0 && errno == ESRCH) {
		snprintf(reason, PROCESS_REASON_SIZE, "pid file %s is stale: there is no process %ld", pid_file,
			 (long)out->pid);
		return PROCESS_STALE;
	}
	if (out->pidfd < 0) { /* EINVAL: the number is a thread's, not a process's */
		snprintf(reason, PROCESS_REASON_SIZE, "process %ld, named by %s, cannot be opened: %s", (long)out->pid,
			 pid_file, strerror(errno));
		return errno == EINVAL ? PROCESS_OTHER : PROCESS_FAILED;
	}
	state = check(pid_file, name, out, reason);
	if (state != PROCESS_FOUND)
		process_close(out);
	return state;
}

void process_close(struct process *process)
{
	if (process->pidfd >= 0)
		close(process->pidfd);
	process->pidfd = -1;
}

bool process_ended(const struct process *process)
{
	struct pollfd pollfd = {.fd = process->pidfd, .events = POLLIN};

	return process->pidfd < 0 || (poll(&pollfd, 1, 0) == 1 && pollfd.revents != 0);
}

int process_signal(const struct process *process, int signal)
{
	return pidfd_send_signal(process->pidfd, signal, NULL, 0);
}

/* ---- what the kernel says of a process ---- */

/* One of the numbers behind the name, none of which is negative where it is looked at. 0, or -1. */
static int number_field(const char *behind, int field, uint64_t *out)
{
	char *end;

	for (int i = FIRST_BEHIND; i <= field; i++) {
		behind = strchr(behind, ' ');
		if (behind == NULL)
			return -1;
		behind++;
	}
	if (!isdigit((unsigned char)*behind))
		return -1;
	*out = strtoull(behind, &end, 10);
	return *end == ' ' ? 0 : -1;
}

/* The name is in parentheses and may hold anything, parentheses and blanks too: the last one ends it. */
int process_parse_stat(const char *text, struct process_stat *out)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t parent;

	if (open == NULL || close == NULL || close < open || (size_t)(close - open) > sizeof(out->name))
		return -1;
	memcpy(out->name, open + 1, (size_t)(close - open - 1));
	out->name[close - open - 1] = '\0';
	if (number_field(close + 1, PARENT_FIELD, &parent) < 0 || number_field(close + 1, START_FIELD, &out->started) < 0)
		return -1;
	out->parent = (pid_t)parent;
	return 0;
}

/* key: a line's end, for it is never the first line and no name can say so; the mask's name; what is between. */
static bool has_signal(const char *status, const char *key, int signal)
{
	const char *line = strstr(status, key);
	unsigned long long mask;
	char *end;

	if (line == NULL)
		return false;
	line += strlen(key);
	mask = strtoull(line, &end, 16);
	return end != line && (mask >> (signal - 1) & 1) != 0;
}

bool process_parse_caught(const char *status, int signal)
{
	return has_signal(status, "\nSigCgt:\t", signal);
}

bool process_parse_pending(const char *status, int signal)
{
	return has_signal(status, "\nShdPnd:\t", signal);
}

/* One of its files in /proc as text. 0, or -1. */
static int read_about(pid_t pid, const char *file, char *out, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, file);
	length = read_start(path, false, out, size - 1);
	if (length < 0)
		return -1;
	out[length] = '\0';
	return 0;
}

int process_read_stat(pid_t pid, struct process_stat *out)
{
	char text[STAT_SIZE];

	return read_about(pid, "stat", text, sizeof(text)) == 0 ? process_parse_stat(text, out) : -1;
}

bool process_catches(pid_t pid, int signal)
{
	char text[STATUS_SIZE];

	return read_about(pid, "status", text, sizeof(text)) == 0 && process_parse_caught(text, signal);
}

bool process_awaits(pid_t pid, int signal)
{
	char text[STATUS_SIZE];

	return read_about(pid, "status", text, sizeof(text)) == 0 && process_parse_pending(text, signal);
}
