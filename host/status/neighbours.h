#ifndef CALLSIGN_NEIGHBOURS_H
#define CALLSIGN_NEIGHBOURS_H

#include <stdbool.h>

#include "registry/view.h"

/* Who else has an instance's addresses, for people. */
enum neighbour {
	NEIGHBOUR_SHARES, /* it is in the same network namespace: they share one network */
	NEIGHBOUR_AWAY,   /* it is on another host, which has the same range */
	NEIGHBOUR_HOLDS   /* it has the address instead of this one */
};

/* One for each address and whoever else is served with it, of which none is passed on to visit more than NEIGHBOURS_MAX. visit returns false to stop. */
#define NEIGHBOURS_MAX 32

typedef bool neighbours_visit(void *arg, enum neighbour how, const struct fact *other, const struct address *address);
void neighbours_each(struct view *view, const struct listing *listing, neighbours_visit *visit, void *arg);

#endif
