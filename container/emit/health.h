#ifndef CALLSIGN_HEALTH_H
#define CALLSIGN_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/accepting.h"

/*
 * How --healthcheck asks the running emitter: an abstract Unix socket (unix(7)), which needs no writable directory. Its name holds our pid
 * namespace, since with --network host the containers of a host share their abstract sockets, and the announced name.
 */
#define HEALTH_TIMEOUT_MS 2000

/* name: "" where nothing is configured, or there is no name to announce. Returns a descriptor; readable: somebody asks. -1 with errno. */
int health_listen(const char *name);

/* Answer all who ask, without waiting for any of them. */
void health_answer(int fd, struct accepting *accepting, int64_t now_ms, bool good, const char *text);

/* Ask, print the answer on standard output. Returns the exit code: 0 good, 1 not good, not there, or silent. */
int health_ask(const char *name);

#endif
