#include <config.h>

#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "haproxy.h"
#include "shared/atomicfile.h"
#include "shared/clock.h"
#include "shared/log.h"

int64_t haproxy_file_due_ms(const struct haproxy_file *file)
{
	return file->dirty ? file->next_ms : CLOCK_NEVER;
}

static void write_entry(void *arg, const char *key, const char *value)
{
	char line[ROUTES_KEY_SIZE + HAPROXY_MARKER_SIZE + ROUTES_VALUE_SIZE];
	int length = snprintf(line, sizeof(line), "%s %s\n", key, value);

	atomicfile_write(arg, line, (size_t)length); /* what fails here fails the commit, too */
}

static int write_all(const char *path, struct routes *routes, const char *marker)
{
	static const char notice[] = "# Written by callsignd, which replaces it whole: do not edit.\n";
	struct atomicfile *out = atomicfile_open(path, 0644);

	if (out == NULL)
		return -1;
	atomicfile_write(out, notice, strlen(notice));
	write_entry(out, HAPROXY_MARKER_KEY, marker);
	routes_each(routes, false, write_entry, out);
	return atomicfile_commit(out);
}

void haproxy_file_write(struct haproxy_file *file, const char *path, struct routes *routes, const char *marker,
			uint64_t content, uint64_t generation, int64_t now_ms)
{
	char before[sizeof(file->trouble)];
	int64_t began_us = clock_us(), pause_ms;

	file->next_ms = now_ms + HAPROXY_FILE_AGAIN_MS;
	if (write_all(path, routes, marker) == -1) {
		memcpy(before, file->trouble, sizeof(before));
		snprintf(file->trouble, sizeof(file->trouble),
			 "map_file=%s cannot be written: %s; a HAProxy that starts begins with an old one until "
			 "callsignd tells it better",
			 path, strerror(errno));
		if (strcmp(before, file->trouble) != 0)
			log_warnx("haproxy: %s", file->trouble);
		return;
	}
	if (file->trouble[0] != '\0')
		log_info("haproxy: map_file=%s is written again", path);
	file->trouble[0] = '\0';
	pause_ms = (clock_us() - began_us) / 100; /* ten times what it took */
	file->next_ms = now_ms + (pause_ms > HAPROXY_FILE_PAUSE_MIN_MS ? pause_ms : HAPROXY_FILE_PAUSE_MIN_MS);
	file->dirty = false;
	file->content = content;
	file->generation = generation;
}
