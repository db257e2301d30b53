#ifndef CALLSIGN_ATOMICFILE_H
#define CALLSIGN_ATOMICFILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Replace a file as a whole: readers see the old one or the new one, never a part. The new content is written to a dot
 * file in the same directory (dnsmasq skips those), which is given its mode with fchmod (a umask of 077 would hide it from
 * dnsmasq's user), synced where the directory is not on a tmpfs, and renamed. On any failure the old file stays as it was, the
 * dot file is gone, and errno tells why.
 */
struct atomicfile; /* buffers 64 KiB */

/* NULL with errno. path is copied. */
struct atomicfile *atomicfile_open(const char *path, mode_t mode);

/* Buffered. 0, or -1 with errno; after a failure every later call fails too, so that only the commit need be checked. */
int atomicfile_write(struct atomicfile *file, const void *data, size_t length);

/* Flush, sync, close and rename; frees file whatever happens. 0, or -1 with errno. */
int atomicfile_commit(struct atomicfile *file);

/* Leaves the old file alone; frees file. NULL is allowed. */
void atomicfile_abort(struct atomicfile *file);

/* open, write, commit in one. */
int atomicfile_replace(const char *path, mode_t mode, const void *data, size_t length);

/* Remove what replacements of path left behind that were ended half-way, by a signal or with the machine. None may be under way. */
void atomicfile_sweep(const char *path);

#endif
