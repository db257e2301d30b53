#include <config.h>

#include "view_internal.h"

/*
 * Whose an address is that is claimed more than once, by where the claims say that they are. A tenant can say any place. What that may do: among its own
 * instances, what it likes; among those of others, nothing but what the first of them on this host could have by saying so first.
 */

static const struct place *place_of_claim(const struct claim *claim)
{
	return &claim_entry(claim)->listing.fact->place;
}

bool entry_here(const struct view *view, const struct entry *entry)
{
	return view->policy.host != 0 && entry->listing.fact->place.host == view->policy.host;
}

bool entry_elsewhere(const struct view *view, const struct entry *entry)
{
	return view->policy.host != 0 && place_known(&entry->listing.fact->place) && entry->listing.fact->place.host != view->policy.host;
}

/* On another host, with an address that leads to this host's own containers. */
bool entry_astray(const struct view *view, const struct entry *entry)
{
	unsigned i;

	if (!entry_elsewhere(view, entry))
		return false;
	for (i = 0; i < entry->naddresses; i++) {
		if (entry->claims[entry->nnames + i].key->own_network)
			return true;
	}
	return false;
}

/* ---- which user's ---- */

/* Whoever has it keeps it; then who has it here; else the user who came first. */
static int rank(const struct view *view, const struct claim *claim)
{
	if ((claim->held & HELD_ANYWHERE) != 0)
		return 2;
	return (claim->held & HELD_HERE) != 0 && entry_here(view, claim_entry(claim)) ? 1 : 0;
}

static const struct claim *find_anywhere(const struct view *view, const struct key *key)
{
	const struct claim *claim, *holder = NULL;
	int best = 0;

	DL_FOREACH(key->claims, claim) {
		int own = rank(view, claim);

		if (claim->allowed == 0 || (holder != NULL && (own != best ? own < best : claim->order >= holder->order)))
			continue;
		holder = claim;
		best = own;
	}
	return holder;
}

/* Whether this user may be here with any of its claims: one without place may be anywhere. */
static bool may_be_here(const struct view *view, const struct key *key, const struct claim *user)
{
	const struct claim *claim;

	DL_FOREACH(key->claims, claim) {
		if (claim->allowed != 0 && claim_same_user(claim, user) && !entry_elsewhere(view, claim_entry(claim)))
			return true;
	}
	return false;
}

/*
 * Of those who are here. In the range of a bridge of this host an instance of another host has no container that this host could reach; whoever has one here
 * does. Where the bridge goes on beyond this host it is not among its own (see localnet.h), and all are as everywhere.
 */
static const struct claim *find_here(const struct view *view, const struct key *key, const struct claim *anywhere)
{
	const struct claim *claim, *holder = NULL;
	bool held, holder_held = false;

	if (!key->own_network)
		return NULL;
	DL_FOREACH(key->claims, claim) {
		if (claim->allowed == 0 || !entry_here(view, claim_entry(claim)))
			continue;
		held = (claim->held & HELD_HERE) != 0;
		if (holder != NULL && (held != holder_held ? holder_held : claim->order >= holder->order))
			continue;
		holder = claim;
		holder_held = held;
	}
	if (holder == NULL || holder_held || claim_same_user(holder, anywhere) || !may_be_here(view, key, anywhere))
		return holder;
	return NULL;
}

const struct claim *address_holder(const struct view *view, const struct holders *holders, const struct claim *claim)
{
	return holders->here != NULL && entry_here(view, claim_entry(claim)) ? holders->here : holders->anywhere;
}

/* ---- which of its instances' ---- */

static bool belongs(const struct view *view, const struct holders *holders, const struct claim *claim, const struct claim *holder)
{
	return claim->allowed != 0 && claim_same_user(claim, holder) && address_holder(view, holders, claim) == holder;
}

static int newest_first(const struct claim *a, const struct claim *b)
{
	return ident_compare(&claim_entry(b)->listing.fact->instance, &claim_entry(a)->listing.fact->instance);
}

/* By host, and those of a host the newest first. */
static int by_host(const struct claim *a, const struct claim *b)
{
	uint64_t one = place_of_claim(a)->host, other = place_of_claim(b)->host;

	return one != other ? (one > other) - (one < other) : newest_first(a, b);
}

static const struct claim *find_newest(const struct view *view, const struct key *key, const struct holders *holders, const struct claim *holder)
{
	const struct claim *claim, *newest = NULL;

	DL_FOREACH(key->claims, claim) {
		if (belongs(view, holders, claim, holder) && (newest == NULL || newest_first(claim, newest) < 0))
			newest = claim;
	}
	return newest;
}

/* The claims are in the order of by_host(). */
static void stand(const struct view *view, struct key *key, const struct holders *holders, const struct claim *holder)
{
	const struct claim *newest = find_newest(view, key, holders, holder), *first = NULL;
	struct claim *claim;

	DL_FOREACH(key->claims, claim) {
		if (!belongs(view, holders, claim, holder))
			continue;
		if (!place_known(place_of_claim(newest)) || !place_known(place_of_claim(claim))) {
			claim->stands = claim == newest;
			continue;
		}
		if (first == NULL || place_of_claim(first)->host != place_of_claim(claim)->host)
			first = claim;
		claim->stands = place_equal(place_of_claim(first), place_of_claim(claim));
	}
}

/* ---- which comes first ---- */

/* The one who holds it anywhere, of his instances one here, and of those the oldest. */
static bool comes_before(const struct view *view, const struct holders *holders, const struct claim *a, const struct claim *b)
{
	bool one = claim_same_user(a, holders->anywhere), other = claim_same_user(b, holders->anywhere);

	if (one != other)
		return one;
	one = entry_here(view, claim_entry(a));
	other = entry_here(view, claim_entry(b));
	return one != other ? one : newest_first(a, b) > 0;
}

static void find_first(const struct view *view, struct key *key, const struct holders *holders)
{
	const struct claim *first = NULL;
	struct claim *claim;

	DL_FOREACH(key->claims, claim) {
		if (claim->stands && (first == NULL || comes_before(view, holders, claim, first)))
			first = claim;
	}
	DL_FOREACH(key->claims, claim)
		claim->later = claim->stands && claim != first;
}

void address_share(const struct view *view, struct key *key, struct holders *holders)
{
	struct claim *claim;

	DL_FOREACH(key->claims, claim)
		claim->stands = claim->later = false;
	holders->anywhere = find_anywhere(view, key);
	holders->here = holders->anywhere != NULL ? find_here(view, key, holders->anywhere) : NULL;
	if (holders->anywhere == NULL)
		return;
	/* One and the same user's are one. */
	if (holders->here != NULL && claim_same_user(holders->here, holders->anywhere))
		holders->here = holders->anywhere;
	DL_SORT(key->claims, by_host);
	stand(view, key, holders, holders->anywhere);
	if (holders->here != NULL && holders->here != holders->anywhere)
		stand(view, key, holders, holders->here);
	find_first(view, key, holders);
}
