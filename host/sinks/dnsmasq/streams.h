#ifndef CALLSIGN_STREAMS_H
#define CALLSIGN_STREAMS_H

#include <stdint.h>

#include "system/process.h"

/*
 * Connections over TCP that dnsmasq answers. For each it starts a process of its own, with the names as they are then, and that process never hears
 * of a SIGHUP: whoever keeps a connection (a resolver does, once an answer did not fit into a datagram) is told for up to 150 s that the dead live
 * and that the new do not exist (2.90, 2.91, 2.93; findings/dnsmasq-tcp-kept.sh). dnsmasq ends such a process after that time by SIGALRM, and so do we,
 * as soon as it is known that dnsmasq has read the file again. The client finds its connection closed, which it must expect at any time (RFC 7766,
 * section 6.2.4), and opens another.
 *
 * One that has just been opened is left its time for a question and the answer, from a server further up too.
 */
#define STREAMS_GRACE_MS 1000

struct streams {
	int64_t stale_ms; /* what was opened before knows other names */
	int64_t due_ms;   /* when the next of those is old enough; CLOCK_NEVER: none is left */
	uint64_t ended;   /* ever */
};

void streams_init(struct streams *streams);

/* dnsmasq has read its files again: the connections of before are old. */
void streams_reloaded(struct streams *streams, const struct process *dnsmasq, int64_t now_ms);

/* It has ended, or is another one. */
void streams_forget(struct streams *streams);

/* Call when due_ms has come; at any other time it does nothing. */
void streams_step(struct streams *streams, const struct process *dnsmasq, int64_t now_ms);

#endif
