#ifndef CALLSIGN_UPKEEP_H
#define CALLSIGN_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/bus/bus.h"

/*
 * What a host needs on the broker may go while it is connected, and nobody tells it: with an exchange go its bindings, and whoever declares it anew (another
 * host, an operator) makes one that leads nowhere. So once in a while the exchanges are asked for passively, which a missing one answers with the channel's end,
 * and a message goes through the exchange `callsign` with a key that only this host's queue is bound to. It comes back if that binding is gone, and with it
 * all others. Each tenth time everything is bound again: that mends a single binding that somebody has taken away.
 */
struct upkeep {
	uint8_t make;      /* exchanges that were found missing, a bit each: to be made with the next connection */
	uint8_t made;      /* with this one */
	uint64_t probe;    /* the message's number on the bus; 0: none on its way */
	unsigned checks;
	int64_t due_ms;    /* the next check; it may come UPKEEP_EARLY_MS sooner, when something else wakes us */
	uint64_t exchanges_made, bindings_lost;
	char key[300];     /* "probe.HOST" */
};

#define UPKEEP_MS 60000
#define UPKEEP_EARLY_MS 10000
#define UPKEEP_BIND_EACH 10
#define UPKEEP_AGAIN_MS 1000 /* when it cannot be done now */

void upkeep_host(struct upkeep *upkeep, const char *hostname);

/* With each connection: the exchanges are asked for, or made where they were found missing; the queue is bound to them. */
void upkeep_exchanges(struct upkeep *upkeep, struct bus *bus);
void upkeep_bind(const struct upkeep *upkeep, struct bus *bus, const char *queue);

/* Whether the connection ended over an exchange that is missing: it will be made. If we may not make it, it is asked for again: who may has made it, perhaps. */
bool upkeep_missing(struct upkeep *upkeep, const struct bus_failure *failure);

/* Of another broker: nothing is known to be missing there. */
void upkeep_forget(struct upkeep *upkeep);

/* All is declared: what was made for it is said, loudly where rights may have gone with it. */
void upkeep_begin(struct upkeep *upkeep, const struct bus *bus, int64_t now_ms);

/* The check, when it is due. */
void upkeep_step(struct upkeep *upkeep, struct bus *bus, const char *queue, int64_t now_ms);

/* Whether that was the probe, as a delivery; and whether it has come back (its bindings are bound again then: a resync is needed). */
bool upkeep_is_probe(const struct upkeep *upkeep, const struct bus_delivery *delivery);
bool upkeep_confirm(struct upkeep *upkeep, struct bus *bus, const char *queue, uint64_t sequence, enum bus_confirm result);

#endif
