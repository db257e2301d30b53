#ifndef CALLSIGN_AGENT_ENGINES_H
#define CALLSIGN_AGENT_ENGINES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The containers that run, from the state that runc and crun keep of each: for those that began while nobody listened. A root is a folder with a
 * folder for each container, where --root of the runtime points; patterns as in glob(7).
 */
struct engines_container {
	const char *id; /* all of them valid during the visit only */
	const char *bundle;
	pid_t pid;
	uint64_t start; /* as process_start() */
};

/* 0, or -1 with errno if something was lacking for now (shortage.h): there may be more than were visited. */
int engines_each(char *const *roots, size_t nroots, void (*visit)(void *arg, const struct engines_container *container), void *arg);

#endif
