#ifndef CALLSIGN_ONCE_H
#define CALLSIGN_ONCE_H

#include <stdbool.h>
#include <stdint.h>

#include "announce/conf.h"

#define ONCE_TIMEOUT_MS 5000
#define ONCE_EXIT_STATE 1        /* no state file to withdraw by, or it cannot be read, written or locked */
#define ONCE_EXIT_UNAVAILABLE 69 /* EX_UNAVAILABLE: no broker, or no host that listens */

/*
 * One up (or down) without a will and without a session, for hook scripts: only its lease bounds it. Says on standard output what it did. state_path
 * NULL: the default. Returns the exit code.
 */
int once(const struct conf *conf, const char *name, bool up, uint32_t lease_s, const char *state_path);

#endif
