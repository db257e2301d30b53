#ifndef CALLSIGN_RUN_H
#define CALLSIGN_RUN_H

/*
 * The room container/emit/: callsign-emit, from its options to its exit status: process 1 of a container, --once, its health and its voice. It uses
 * container/announce; only once.c knows the wire. It must not know the agent.
 */

#include <stdint.h>

#include "announce/conf.h"

#define RUN_EXIT_WAIT_RAN_OUT 75 /* EX_TEMPFAIL */

/*
 * The emitter at work, until a signal ends it or COMMAND does; then it withdraws. command NULL: none. wait_s 0: COMMAND starts at once. name:
 * what is announced; without a URL in conf there is nothing to announce and COMMAND is just run. When the machine is given another hostname, and the
 * name is made of that, it is withdrawn and the new one announced. Returns the exit code.
 */
int run(struct conf *conf, const char *name, char *const command[], uint32_t wait_s);

/* COMMAND without a name, and why: --healthcheck is told. Nothing is announced. */
int run_nameless(const char *why, char *const command[]);

#endif
