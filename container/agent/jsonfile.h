#ifndef CALLSIGN_AGENT_JSONFILE_H
#define CALLSIGN_AGENT_JSONFILE_H

#include <jansson.h>
#include <stdint.h>

/*
 * A file of some engine's or runtime's, whole. NULL with errno: not there, not a regular file (a link is none), over 16 MiB, or no JSON (EINVAL). Integers are read as
 * reals: those beyond 63 bits (limits, seccomp arguments) are not ours to look at, and must not make the rest unreadable.
 */
json_t *jsonfile_read(const char *path);

/* The text of a member; NULL if it is none, or empty. */
const char *jsonfile_text(const json_t *object, const char *key);

/* The number of a member, 0 to 2^53; 0 if it is none. */
uint64_t jsonfile_number(const json_t *object, const char *key);

#endif
