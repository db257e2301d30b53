#ifndef CALLSIGN_ONCESTATE_H
#define CALLSIGN_ONCESTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/contract/hostname.h"
#include "shared/contract/ident.h"

/*
 * What --once up must remember for the next --once: the instance, and the seq of its last message. A small text file of lines KEY VALUE, replaced
 * as a whole, and locked (through FILE.lock) against two at once.
 */
struct oncestate {
	char name[HOSTNAME_NAME_SIZE];
	struct ident instance;
	uint64_t seq;
};

#define ONCESTATE_DIRECTORY "/run/callsign"
#define ONCESTATE_PATH_SIZE 512

enum oncestate_result { ONCESTATE_FOUND, ONCESTATE_NONE, ONCESTATE_ERROR };

/* The default path for a name into out. */
const char *oncestate_path(const char *name, char out[ONCESTATE_PATH_SIZE]);

/* Take the lock, making the directory (only the last part of its path) if need be; waits until deadline_ms. A descriptor, or -1 after logging why. */
int oncestate_lock(const char *path, int64_t deadline_ms);
void oncestate_unlock(const char *path, int lock);

/* With the lock held. Errors are logged. */
enum oncestate_result oncestate_load(const char *path, struct oncestate *state);
int oncestate_save(const char *path, const struct oncestate *state);
int oncestate_remove(const char *path);

/* The file's content, length bytes, not terminated: 0, or -1 if it is not one that we wrote. Pure. */
int oncestate_parse(const char *text, size_t length, struct oncestate *state);

#endif
