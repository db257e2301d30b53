#ifndef CALLSIGN_ADDRWATCH_H
#define CALLSIGN_ADDRWATCH_H

#include <stdbool.h>

#include "addrselect.h"

/*
 * What the kernel knows about this network namespace's links, addresses and default route, kept current over one netlink socket
 * (rtnetlink(7)). A lost message (ENOBUFS) and an inconsistent dump both mean: scan again.
 */
struct addrwatch;

/* Subscribes. NULL with errno; every function below takes that as a watch that knows nothing. */
struct addrwatch *addrwatch_open(void);
void addrwatch_close(struct addrwatch *watch);

/* Asks the kernel for everything; the answers are read by addrwatch_read(). 0, or -1 with errno. */
int addrwatch_scan(struct addrwatch *watch);

/* Readable: the kernel has answered, or something changed. -1: there is nothing to poll. */
int addrwatch_fd(const struct addrwatch *watch);

/*
 * Never waits. 1: the facts have changed (a route alone counts too: a broker may be reachable now); 0: not, or not yet; -1 with errno: the
 * socket is of no use any more and was closed, the facts stay as they were.
 */
int addrwatch_read(struct addrwatch *watch);

/* Whether the first scan is complete, or never will be; before that there are no facts. */
bool addrwatch_ready(const struct addrwatch *watch);

/* Valid until the next addrwatch_read(). */
const struct addrselect_facts *addrwatch_facts(const struct addrwatch *watch);

#endif
