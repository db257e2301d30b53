#include <config.h>

#include "children.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN_SIZE 8192 /* some thousand processes; who has more is looked at in part */

/* The beginning of a file of /proc as text. 0, or -1. */
static int read_text(const char *path, char *out, size_t size)
{
	size_t length = 0;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	while (length < size - 1 && (got = read(fd, out + length, size - 1 - length)) > 0)
		length += (size_t)got;
	close(fd);
	out[length] = '\0';
	return got < 0 ? -1 : 0;
}

static int64_t age_ms(uint64_t started)
{
	struct timespec now;
	int64_t ticks = sysconf(_SC_CLK_TCK);

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - (int64_t)started * 1000 / ticks;
}

/* The age of one that could be signalled, else -1. */
static int64_t candidate_ms(const struct process *parent, pid_t pid, const char *name, int signal)
{
	struct process_stat stat;

	if (process_read_stat(pid, &stat) < 0 || stat.parent != parent->pid || strcmp(stat.name, name) != 0 || !process_catches(pid, signal))
		return -1;
	return age_ms(stat.started);
}

/* 1 if it was signalled; else 0, and oldest_ms has taken its age, if it only was too young. */
static size_t signal_one(const struct process *parent, pid_t pid, const char *name, int signal, int64_t min_age_ms, int64_t *oldest_ms)
{
	struct process child = {.pidfd = pidfd_open(pid, 0), .pid = pid};
	size_t signalled = 0;
	int64_t age;

	if (child.pidfd < 0)
		return 0;
	age = candidate_ms(parent, pid, name, signal);
	if (age >= min_age_ms)
		signalled = !process_ended(&child) && !process_awaits(pid, signal) && process_signal(&child, signal) == 0;
	else if (age > *oldest_ms)
		*oldest_ms = age;
	process_close(&child);
	return signalled;
}

size_t children_signal(const struct process *parent, int signal, int64_t min_age_ms, int64_t *oldest_ms)
{
	char path[64], text[CHILDREN_SIZE];
	char *at = text, *end;
	struct process_stat own;
	size_t signalled = 0;
	long pid;

	*oldest_ms = -1;
	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)parent->pid, (long)parent->pid);
	if (read_text(path, text, sizeof(text)) < 0 || text[0] == '\0' || process_read_stat(parent->pid, &own) < 0)
		return 0;
	/* Each number has a blank behind it: one without may be cut off. */
	for (; pid = strtol(at, &end, 10), end != at && *end == ' '; at = end)
		signalled += signal_one(parent, (pid_t)pid, own.name, signal, min_age_ms, oldest_ms);
	return signalled;
}
