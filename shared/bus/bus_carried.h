#ifndef CALLSIGN_BUS_CARRIED_H
#define CALLSIGN_BUS_CARRIED_H

#include <stddef.h>
#include <stdio.h>

/*
 * What both programs carry of others: which release of a library runs. A static program has it in itself, and no update of the system's reaches it; a
 * distribution's security updates do not show in a release's number, so that the package that a static one was linked from is told, too.
 */
#define BUS_CARRIED_MAX  4
#define BUS_CARRIED_SIZE 64

struct bus_carried {
	const char *library;
	char version[BUS_CARRIED_SIZE]; /* "0.11.0", "0.15.0 (package 0.15.0-1+deb13u2)" */
};

/* librabbitmq, OpenSSL (only with TLS), jansson, libconfuse. Returns how many. */
size_t bus_carried(struct bus_carried out[BUS_CARRIED_MAX]);

/* program, and the librabbitmq that it carries: "callsign-emit/0.2 librabbitmq/0.18.1", of a static one the package: "… librabbitmq/0.15.0-1+deb13u2". */
const char *bus_carried_agent(const char *program, char *out, size_t size);

/* One line each: "librabbitmq 0.11.0". */
void bus_carried_print(FILE *out);

#endif
