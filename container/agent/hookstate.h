#ifndef CALLSIGN_AGENT_HOOKSTATE_H
#define CALLSIGN_AGENT_HOOKSTATE_H

#include <stddef.h>

/* The state that a runtime gives its hooks on standard input (OCI runtime specification, runtime.md, "State"). Pure, and without a libc. */

#define HOOKSTATE_SIZE_MAX (64 * 1024)

/* The container's process 1, as the runtime counts it: 0 if none is named, -1 if this is not a state. */
int hookstate_pid(const char *text, size_t length);

#endif
