#include <config.h>

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

int process_open(pid_t pid)
{
	return pidfd_open(pid, 0);
}

/* A file of /proc, from its beginning; false with errno if it is not there. */
static bool read_proc(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	int error;

	if (fd == -1)
		return false;
	got = read(fd, out, size - 1);
	error = got == 0 ? ESRCH : errno;
	close(fd);
	out[got > 0 ? got : 0] = '\0';
	errno = error;
	return got > 0;
}

pid_t process_pid(int pidfd)
{
	char path[64], text[1024], *line;
	long pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (!read_proc(path, text, sizeof(text)))
		return 0;
	errno = ESRCH;
	line = strstr(text, "\nPid:");
	if (line == NULL)
		return 0;
	pid = strtol(line + strlen("\nPid:"), NULL, 10);
	return pid > 0 ? (pid_t)pid : 0;
}

bool process_lives(int pidfd)
{
	struct pollfd one = {.fd = pidfd, .events = POLLIN};

	return poll(&one, 1, 0) == 0;
}

uint64_t process_start(pid_t pid)
{
	char path[64], text[1024], *at;
	int field = 2;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (!read_proc(path, text, sizeof(text)))
		return 0;
	errno = EINVAL;
	at = strrchr(text, ')');
	if (at == NULL)
		return 0;
	while (field < 22 && (at = strchr(at + 1, ' ')) != NULL)
		field++;
	return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

static uint64_t namespace_of(const char *process, const char *kind)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, kind);
	return stat(path, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

uint64_t process_network(pid_t pid)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", (long)pid);
	return namespace_of(text, "net");
}

/* 1, 0, or -1 with errno. */
static int is_all_root(const char *process)
{
	char path[64], text[4096], *line;

	snprintf(path, sizeof(path), "/proc/%s/status", process);
	if (!read_proc(path, text, sizeof(text)))
		return -1;
	line = strstr(text, "\nUid:");
	if (line == NULL)
		return 0;
	line += strlen("\nUid:");
	for (int i = 0; i < 4; i++) {
		char *end;

		if (strtoul(line, &end, 10) != 0 || end == line)
			return 0;
		line = end;
	}
	return 1;
}

int process_is_host_root(pid_t pid)
{
	char text[24];
	int root;

	snprintf(text, sizeof(text), "%ld", (long)pid);
	root = is_all_root(text);
	return root != 1 ? root : namespace_of(text, "pid") != 0 && namespace_of(text, "pid") == namespace_of("self", "pid") &&
	       namespace_of(text, "user") == namespace_of("self", "user");
}
