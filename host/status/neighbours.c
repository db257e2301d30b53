#include <config.h>

#include "neighbours.h"

struct walk {
	const struct fact *fact;
	const struct address *address;
	bool has_it; /* fact is served with the address */
	neighbours_visit *visit;
	void *arg;
	unsigned left;
	bool stopped;
};

static bool walk_claim(void *arg, const struct listing *listing, bool listed)
{
	struct walk *walk = arg;
	const struct fact *other = listing->fact;
	enum neighbour how = NEIGHBOUR_HOLDS;

	if (!listed)
		return false; /* the listed ones come first */
	if (other == walk->fact)
		return true;
	if (walk->has_it)
		how = place_equal(&other->place, &walk->fact->place) ? NEIGHBOUR_SHARES : NEIGHBOUR_AWAY;
	walk->stopped = walk->left-- == 0 || !walk->visit(walk->arg, how, other, walk->address);
	return !walk->stopped;
}

void neighbours_each(struct view *view, const struct listing *listing, neighbours_visit *visit, void *arg)
{
	struct walk walk = {.fact = listing->fact, .visit = visit, .arg = arg, .left = NEIGHBOURS_MAX};
	unsigned i;

	for (i = 0; i < listing->fact->naddresses && !walk.stopped; i++) {
		walk.address = &listing->fact->addresses[i];
		walk.has_it = (listing->addresses >> i & 1) != 0;
		view_each_address_claim(view, walk.address, walk_claim, &walk);
	}
}
