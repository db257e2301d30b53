#ifndef CALLSIGN_DOCTOR_SERVERS_H
#define CALLSIGN_DOCTOR_SERVERS_H

#include <stddef.h>

/*
 * Name servers and caches that stand between this host's programs and dnsmasq: what each is to be told so that it asks for the domain there, and keeps
 * nothing for longer than it is true (docs/resolvers.md has the measurements). Pure.
 */
struct servers_way {
	const char *domain;  /* "docker" */
	const char *reverse; /* "17.172.in-addr.arpa", or "": not known */
	const char *address; /* whom to ask: IPv4, as text */
	unsigned port;
};

/* program: as /proc/PID/comm has it. The lines and where they go, one below the other; or NULL: it is not known here. Returns out. */
const char *servers_lines(const char *program, const struct servers_way *way, char *out, size_t size);

#endif
