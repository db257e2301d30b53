#ifndef CALLSIGN_PORTS_H
#define CALLSIGN_PORTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/address.h"

/* Who listens on a port of this host, in this network namespace: proc(5), net/udp and net/tcp. */
struct ports_listener {
	struct address address;
	bool wildcard;        /* on every address */
	pid_t pid;            /* 0: not known (another user's, and we are not root) */
	char program[16];     /* its /proc/PID/comm, or "?" */
};

/* 0, or -1 with errno. */
int ports_each(uint16_t port, void (*visit)(void *arg, const struct ports_listener *listener), void *arg);

#endif
