#include <config.h>

#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/process.h"

static int open_file(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);
}

/* The directory is on a tmpfs and gone after each boot. */
static int open_making_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd = open_file(path);

	if (fd >= 0 || errno != ENOENT || slash == NULL || slash == path || slash - path >= PATH_MAX)
		return fd;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -1;
	return open_file(path);
}

/* Whether path is still the file that is locked: its last holder may have removed it in between. */
static bool still_there(const char *path, int fd)
{
	struct stat locked, now;

	return fstat(fd, &locked) == 0 && lstat(path, &now) == 0 && locked.st_dev == now.st_dev &&
	       locked.st_ino == now.st_ino;
}

static pid_t read_holder(int fd)
{
	char text[32];
	pid_t pid;
	ssize_t length = pread(fd, text, sizeof(text), 0);

	return length > 0 && process_parse_pid(text, (size_t)length, &pid) == 0 ? pid : 0;
}

static int write_number(int fd)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	/* Written over the old number, then cut: a reader never finds it empty. */
	if (pwrite(fd, text, (size_t)length, 0) != length || ftruncate(fd, length) < 0 || fchmod(fd, 0644) < 0)
		return -1;
	return 0;
}

enum pidfile_result pidfile_take(const char *path, int *fd, pid_t *holder)
{
	int saved;

	*holder = 0;
	for (;;) {
		*fd = open_making_directory(path);
		if (*fd < 0)
			return PIDFILE_FAILED;
		if (flock(*fd, LOCK_EX | LOCK_NB) < 0)
			break;
		if (!still_there(path, *fd)) {
			close(*fd);
			continue;
		}
		if (write_number(*fd) == 0)
			return PIDFILE_TAKEN;
		errno = errno != 0 ? errno : EIO;
		break;
	}
	saved = errno;
	if (saved == EWOULDBLOCK)
		*holder = read_holder(*fd);
	close(*fd);
	*fd = -1;
	errno = saved;
	return saved == EWOULDBLOCK ? PIDFILE_HELD : PIDFILE_FAILED;
}

void pidfile_drop(const char *path, int fd)
{
	unlink(path);
	close(fd);
}
