#ifndef CALLSIGN_RUN_H
#define CALLSIGN_RUN_H

#include <stdint.h>

#include "announce/conf.h"

#define RUN_EXIT_WAIT_RAN_OUT 75 /* EX_TEMPFAIL */

/*
 * The emitter at work, until a signal ends it or COMMAND does; then it withdraws. command NULL: none. wait_s 0: COMMAND starts at once. name:
 * what is announced; without a URL in conf there is nothing to announce and COMMAND is just run. Returns the exit code.
 */
int run(const struct conf *conf, const char *name, char *const command[], uint32_t wait_s);

#endif
