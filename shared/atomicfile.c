#include <config.h>

#include "atomicfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct atomicfile {
	char *path;
	char *dot_path; /* .NAME.XXXXXX in the same directory */
	int fd;
	int error; /* the first errno, 0 while all is well */
	size_t used;
	char buffer[64 * 1024];
};

static char *make_dot_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t directory = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	size_t size = strlen(path) + sizeof("..XXXXXX");
	char *dot_path;

	if (path[directory] == '\0') {
		errno = *path == '\0' ? ENOENT : EISDIR;
		return NULL;
	}
	dot_path = malloc(size);
	if (dot_path != NULL)
		snprintf(dot_path, size, "%.*s.%s.XXXXXX", (int)directory, path, path + directory);
	return dot_path;
}

static void discard(struct atomicfile *file)
{
	if (file == NULL)
		return;
	free(file->path);
	free(file->dot_path);
	free(file);
}

struct atomicfile *atomicfile_open(const char *path, mode_t mode)
{
	struct atomicfile *file = malloc(sizeof(*file));
	int saved;

	if (file == NULL)
		return NULL;
	file->error = 0;
	file->used = 0;
	file->path = strdup(path);
	file->dot_path = file->path == NULL ? NULL : make_dot_path(path);
	if (file->dot_path == NULL)
		goto fail;
	file->fd = mkostemp(file->dot_path, O_CLOEXEC);
	if (file->fd == -1)
		goto fail;
	if (fchmod(file->fd, mode) == -1)
		goto fail_created;
	return file;

fail_created:
	saved = errno;
	close(file->fd);
	unlink(file->dot_path);
	errno = saved;
fail:
	saved = errno;
	discard(file);
	errno = saved;
	return NULL;
}

static int write_all(struct atomicfile *file, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(file->fd, data, length);

		if (written == -1 && errno == EINTR)
			continue;
		if (written == -1) {
			file->error = errno;
			return -1;
		}
		data += written;
		length -= (size_t)written;
	}
	return 0;
}

static int flush(struct atomicfile *file)
{
	size_t used = file->used;

	file->used = 0;
	return write_all(file, file->buffer, used);
}

int atomicfile_write(struct atomicfile *file, const void *data, size_t length)
{
	if (file->error == 0 && length > sizeof(file->buffer) - file->used)
		(void)flush(file);
	if (file->error == 0 && length > sizeof(file->buffer))
		(void)write_all(file, data, length);
	else if (file->error == 0 && length > 0) {
		memcpy(file->buffer + file->used, data, length);
		file->used += length;
	}
	if (file->error == 0)
		return 0;
	errno = file->error;
	return -1;
}

/* A tmpfs loses everything with the machine, synced or not; elsewhere a rename may reach the disk before the data does.
 */
static int sync_if_on_disk(int fd)
{
	struct statfs statistics;

	if (fstatfs(fd, &statistics) == 0 &&
	    (statistics.f_type == TMPFS_MAGIC || statistics.f_type == (__fsword_t)RAMFS_MAGIC))
		return 0;
	return fsync(fd);
}

int atomicfile_commit(struct atomicfile *file)
{
	int error;

	if (file->error == 0)
		(void)flush(file);
	if (file->error == 0 && sync_if_on_disk(file->fd) == -1)
		file->error = errno;
	if (close(file->fd) == -1 && file->error == 0)
		file->error = errno;
	if (file->error == 0 && rename(file->dot_path, file->path) == -1)
		file->error = errno;
	error = file->error;
	if (error != 0)
		unlink(file->dot_path);
	discard(file);
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

void atomicfile_abort(struct atomicfile *file)
{
	int saved = errno;

	if (file == NULL)
		return;
	close(file->fd);
	unlink(file->dot_path);
	discard(file);
	errno = saved;
}

int atomicfile_replace(const char *path, mode_t mode, const void *data, size_t length)
{
	struct atomicfile *file = atomicfile_open(path, mode);

	if (file == NULL)
		return -1;
	(void)atomicfile_write(file, data, length); /* the commit tells */
	return atomicfile_commit(file);
}

void atomicfile_sweep(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
	size_t length = strlen(name);
	char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
	DIR *all = folder != NULL ? opendir(folder) : NULL;
	const struct dirent *entry;

	free(folder);
	while (all != NULL && (entry = readdir(all)) != NULL) {
		const char *one = entry->d_name;

		if (one[0] == '.' && strncmp(one + 1, name, length) == 0 && one[1 + length] == '.' && strlen(one + 2 + length) == 6)
			(void)unlinkat(dirfd(all), one, 0);
	}
	if (all != NULL)
		closedir(all);
}
