#ifndef CALLSIGN_HAPROXY_FILE_H
#define CALLSIGN_HAPROXY_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "routes.h"
#include "shared/contract/ident.h"

/*
 * The map's file, which HAProxy reads when it starts or reloads: "KEY VALUE" a line (configuration manual, section 7.1,
 * "map"). Written whole and at once, since a reload may come at any moment; but it takes no more than a tenth of the
 * daemon's time. Zeroed and dirty to begin with.
 */
struct haproxy_file {
	bool dirty;       /* the routes are others than the file's */
	uint64_t content; /* the state of the routes that it has, and the generation; 0: none yet */
	uint64_t generation;
	int64_t next_ms;              /* not before */
	char trouble[PATH_MAX + 512]; /* "": well */
};

#define HAPROXY_FILE_PAUSE_MIN_MS 5
#define HAPROXY_FILE_AGAIN_MS     1000 /* after a failure */
#define HAPROXY_MARKER_SIZE   (IDENT_TEXT_SIZE + 21) /* a dot and 64 bits in decimal */

/* When to write it next; CLOCK_NEVER: there is nothing new. */
int64_t haproxy_file_due_ms(const struct haproxy_file *file);

/* If it fails, trouble says why, and it stays dirty. */
void haproxy_file_write(struct haproxy_file *file, const char *path, struct routes *routes, const char *marker,
			uint64_t content, uint64_t generation, int64_t now_ms);

#endif
