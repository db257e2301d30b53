#ifndef CALLSIGN_AGENT_RUNTIMEARGS_H
#define CALLSIGN_AGENT_RUNTIMEARGS_H

#include <stdbool.h>

/*
 * What an engine asks of an OCI runtime, as far as we must know: runc's command line, which crun and the others share. Pure.
 *
 * Before the engine's own arguments may stand ours (Docker's runtimeArgs): --callsign-runtime=NAME or PATH, --callsign-hook=PATH,
 * --callsign-timeout=MS. They are not passed on.
 */
struct runtimeargs {
	const char *runtime; /* NULL: not said */
	const char *hook;
	const char *timeout;
	int first;           /* the index of the first argument that is the engine's */
	bool creates;        /* `create`, `run` or `restore`: there is a bundle */
	const char *bundle;  /* "." if it is not named */
};

/* 0, or -1: one of ours is wrong, and *error says which rule it breaks. */
int runtimeargs_read(int argc, const char *const argv[], struct runtimeargs *out, const char **error);

#endif
