#ifndef CALLSIGN_POISON_H
#define CALLSIGN_POISON_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/bus/bus.h"

/*
 * A message over which the connection breaks comes again with the next connection, and that breaks, too: for ever, and nobody's names change any more.
 * What the bus reads for itself has no such message that we know of; a proxy, a filter or a broker that gives up over one may. Pure.
 *
 * The same message twice is: the connection broke while consuming, the last delivery that had begun on it was the same one as on the connection before, and
 * the host's own roll call, which stands behind all that was in the queue, had not come. Who empties the queue then loses what was in it; the roll call brings back
 * what is true.
 */
struct poison {
	uint64_t message; /* where the last connection broke; 0: nowhere yet */
	unsigned times;   /* in a row */
	unsigned row;     /* how often it broke at whichever message, without a roll call in between */
	uint64_t emptied; /* how often the queue was emptied for it */
	int64_t emptied_ms;
	char key[128];    /* of the last one, for people: its sender had to be allowed it, or it was dead-lettered */
};

#define POISON_TIMES 2
#define POISON_TIMES_UNSEEN 3 /* where no delivery had begun that could be recognized, though some wait: a bad network may be as unlucky */

/*
 * Several such messages may take turns at being the last: while the broker takes an old connection for alive, what it had been given is not in the queue,
 * and the next one breaks at another.
 */
#define POISON_ROW 8

/* The connection broke while consuming, or about to. marked: our roll call had come. waiting: there is something in the queue, or that is not known. */
void poison_broke(struct poison *poison, const struct bus *bus, const struct bus_failure *failure, bool marked, bool waiting);

/* Our roll call has come: all that stood before it could be read. */
void poison_passed(struct poison *poison);

bool poison_is_due(const struct poison *poison);

/* The queue was emptied of so many messages. 0: what was delivered to the last connection is not back yet, and it is due again. */
void poison_emptied(struct poison *poison, uint32_t messages, int64_t now_ms);

#endif
