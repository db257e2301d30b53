#ifndef CALLSIGN_HOOK_H
#define CALLSIGN_HOOK_H

/*
 * The room host/sinks/hook/: commands that are told of changes. It uses host/sinks/common, and must not know other sinks.
 */

#include "sinks/common/sink.h"

/*
 * A sink that runs a command after each change: docs/hook.md. One run at a time; changes that come meanwhile wait for the next. The command gets the
 * whole table and what is new in it as JSON; a run that fails is repeated, more and more seldom, with what has changed since. A batch is stored and
 * served once a run that was told of it has succeeded.
 */

extern const struct sink_kind hook_kind;

#define HOOK_RETRY_FIRST_MS 1000
#define HOOK_KILL_MS 2000 /* from SIGTERM, at the deadline, to SIGKILL */

#endif
