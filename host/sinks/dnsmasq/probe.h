#ifndef CALLSIGN_PROBE_H
#define CALLSIGN_PROBE_H

#include <stdint.h>

#include "dnsquery.h"
#include "shared/address.h"
#include "shared/contract/hostname.h"

/*
 * Asking a DNS server for one name's A record, over UDP from a socket that is connected to it: the kernel drops
 * whatever anyone else sends. Each opening has a source port and an id of its own.
 */
struct probe {
	int fd; /* polls readable when there is something for probe_read(); -1: closed */
	uint16_t id;
	char name[HOSTNAME_FQDN_SIZE];
};

/* 0, or -1 with errno. Closes what was open. */
int probe_open(struct probe *probe, const struct address *server, uint16_t port, const char *name);
void probe_close(struct probe *probe);

/* Send the question (again). 0, or -1 with errno. */
int probe_ask(struct probe *probe);

enum probe_result {
	PROBE_NOTHING,     /* nothing (more) to read */
	PROBE_CLOSED_PORT, /* the server's machine says that nobody listens there */
	PROBE_ANSWER       /* *result and *answer are set */
};

/* Call until PROBE_NOTHING. */
enum probe_result probe_read(struct probe *probe, enum dnsquery_result *result, struct dnsquery_answer *answer);

#endif
