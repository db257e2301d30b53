#ifndef CALLSIGN_ADDRWATCH_H
#define CALLSIGN_ADDRWATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "addrselect.h"

/*
 * What the kernel knows about a network namespace's links, addresses and default route, kept current over one netlink socket
 * (rtnetlink(7)). A lost message (ENOBUFS) and an inconsistent dump both mean: scan again. What fails for want of something (descriptors, memory, a
 * thread) is tried again for ever, after a second at first and at last after a minute; meanwhile the facts stay as they were. What is forbidden (a sandbox
 * without netlink) or gone is not: whoever sleeps for minutes is not woken for that.
 */
struct addrwatch;

/* A non-blocking socket of rtnetlink_open() that hears these groups, in the network namespace that is meant; -1 with errno. */
typedef int (*addrwatch_opener)(void *arg, uint32_t groups);

/* opener: NULL for our own namespace. Nothing is done before the first step. NULL: no memory; every function below takes that as a watch that knows nothing. */
struct addrwatch *addrwatch_new(addrwatch_opener opener, void *arg);
void addrwatch_free(struct addrwatch *watch);

/* Readable: the kernel has answered, or something changed. -1: there is nothing to poll. May be another one after a step. */
int addrwatch_fd(const struct addrwatch *watch);
int64_t addrwatch_deadline_ms(const struct addrwatch *watch);

/*
 * Whenever fd is readable, and at the deadline. Never waits. 1: the facts have changed (a route alone counts too: a broker may be reachable now); 0: not,
 * or not yet; -1 with errno: from now on changes are not seen, said once until addrwatch_is_lost() is false again.
 */
int addrwatch_step(struct addrwatch *watch, bool readable, int64_t now_ms);

/* It failed, and no scan has been completed since; with a deadline of CLOCK_NEVER none will be. */
bool addrwatch_is_lost(const struct addrwatch *watch);

/* For whoever cannot poll the socket: it is given up, and another one opened in a while, as after a failure of its own. */
void addrwatch_lose(struct addrwatch *watch, int64_t now_ms);

/* Whether a scan was ever completed, or none ever will be; before that there are no facts. */
bool addrwatch_ready(const struct addrwatch *watch);

/* Valid until the next addrwatch_step(). */
const struct addrselect_facts *addrwatch_facts(const struct addrwatch *watch);

#endif
