#include <config.h>

#include "view_internal.h"

#include <string.h>

/*
 * Who gets a name or an address. A name is decided in each domain by itself: where two users may not have it in the same domain, both have it. An
 * address is in one place, or in one on each host (view_place.c), whatever the domains.
 */

#define EVERYWHERE UINT16_MAX

/* One decision: on a name in the domain of one bit. */
struct decision {
	const struct key *key;
	uint16_t bit; /* of claim->held too */
	enum view_conflict conflict;
	bool prefers_here; /* one of the holder's leads to this host: those that only seem to, stand back */
	const struct claim *holder;
	const struct claim *choice; /* NULL: all of the holder's stand */
};

static bool takes_part(const struct decision *decision, const struct claim *claim)
{
	return (claim->allowed & claim_entry(claim)->reach & decision->bit) != 0;
}

/* Whoever has it keeps it; else the user who came first, among those whom the policy allows it. */
static const struct claim *find_holder(const struct decision *decision)
{
	const struct claim *claim, *holder = NULL;
	bool held, holder_held = false;

	DL_FOREACH(decision->key->claims, claim) {
		if (!takes_part(decision, claim))
			continue;
		held = (claim->held & decision->bit) != 0;
		if (holder != NULL && (held != holder_held ? holder_held : claim->order >= holder->order))
			continue;
		holder = claim;
		holder_held = held;
	}
	return holder;
}

/* Whether it is served in this domain with any address. */
static bool leads_somewhere(const struct decision *decision, const struct claim *claim)
{
	const struct entry *entry = claim_entry(claim);
	unsigned i;

	for (i = 0; i < entry->naddresses; i++) {
		if ((entry->claims[entry->nnames + i].listed & decision->bit) != 0)
			return true;
	}
	return false;
}

/* A host prefers what is on itself, where the other one's address is in the range of a bridge of its own: there it would find somebody else. */
static bool prefers_here(const struct view *view, const struct decision *decision)
{
	const struct claim *claim;

	if (view->policy.host == 0 || decision->holder == NULL)
		return false;
	DL_FOREACH(decision->key->claims, claim) {
		if (takes_part(decision, claim) && claim_same_user(claim, decision->holder) && entry_here(view, claim_entry(claim)) &&
		    leads_somewhere(decision, claim))
			return true;
	}
	return false;
}

static bool stands_back(const struct view *view, const struct decision *decision, const struct claim *claim)
{
	return decision->prefers_here && entry_astray(view, claim_entry(claim));
}

/* Of the holder's instances the one that stands alone (newest or first), or NULL where all of them stand. */
static const struct claim *find_choice(const struct view *view, const struct decision *decision)
{
	const struct claim *claim, *choice = NULL;
	int order;

	if (decision->conflict == VIEW_ALL || decision->holder == NULL)
		return NULL;
	DL_FOREACH(decision->key->claims, claim) {
		if (!takes_part(decision, claim) || !claim_same_user(claim, decision->holder) || stands_back(view, decision, claim))
			continue;
		if (choice == NULL) {
			choice = claim;
			continue;
		}
		order = ident_compare(&claim_entry(claim)->listing.fact->instance, &claim_entry(choice)->listing.fact->instance);
		if (decision->conflict == VIEW_NEWEST ? order > 0 : order < 0)
			choice = claim;
	}
	return choice;
}

/* What the decision means for one claim. rival: who has what it wants, if that is somebody else. */
static void apply(const struct view *view, const struct decision *decision, struct claim *claim, uint16_t *listed, const struct claim **rival)
{
	bool takes = takes_part(decision, claim);
	bool holds = takes && claim_same_user(claim, decision->holder);

	claim->held = (uint16_t)(holds ? claim->held | decision->bit : claim->held & ~decision->bit);
	if (holds && (decision->choice == NULL || decision->choice == claim) && !stands_back(view, decision, claim))
		*listed |= claim->allowed & decision->bit;
	if (takes && !holds)
		*rival = decision->holder;
}

static void tell_waiting(struct view *view, struct claim *claim, const struct claim *rival)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address address;
	const char *what = claim->key->bytes;

	if (rival != NULL && !claim->waiting && view->watcher.waits != NULL) {
		if (!claim->key->is_name) {
			address = key_address(claim->key);
			what = address_format(&address, text);
		}
		view->watcher.waits(view->watcher.arg, claim_entry(claim)->listing.fact, what, claim_entry(rival)->listing.fact->user);
	}
	claim->waiting = rival != NULL;
}

static unsigned decide_all(const struct view *view, const struct key *key, struct decision decisions[POLICY_DOMAINS_MAX])
{
	unsigned i, count = view->policy.ndomains > 0 ? view->policy.ndomains : 1;

	for (i = 0; i < count; i++) {
		decisions[i] = (struct decision){.key = key, .bit = (uint16_t)(1U << i), .conflict = view->conflict};
		if (view->policy.ndomains > 0)
			decisions[i].conflict = view->policy.domains[i].conflict;
		decisions[i].holder = find_holder(&decisions[i]);
		decisions[i].prefers_here = prefers_here(view, &decisions[i]);
		decisions[i].choice = find_choice(view, &decisions[i]);
	}
	return count;
}

/* Where a name is claimed by others too, it may be another one's that leads somewhere now. */
static void mark_names(struct view *view, const struct entry *entry)
{
	unsigned i;

	for (i = 0; i < entry->nnames; i++) {
		if (entry->claims[i].key->claims->next != NULL)
			key_mark(view, entry->claims[i].key);
	}
}

static void claim_set_listed(struct view *view, struct claim *claim, uint16_t listed)
{
	if (listed == claim->listed && claim->later == claim->was_later)
		return;
	if (!claim->key->is_name && (listed == 0) != (claim->listed == 0) && entry_here(view, claim_entry(claim)))
		mark_names(view, claim_entry(claim));
	claim->listed = listed;
	claim->was_later = claim->later;
	entry_mark(view, claim_entry(claim));
}

/* An address that is claimed more than once. */
static void address_decide(struct view *view, struct key *key)
{
	struct holders holders;
	struct claim *claim;

	address_share(view, key, &holders);
	DL_FOREACH(key->claims, claim) {
		const struct claim *holder = address_holder(view, &holders, claim);
		const struct claim *rival = claim->allowed != 0 && !claim_same_user(claim, holder) ? holder : NULL;

		claim->held = claim->allowed != 0 && claim_same_user(claim, holders.anywhere) ? HELD_ANYWHERE : 0;
		if (claim->allowed != 0 && holders.here != NULL && claim_same_user(claim, holders.here))
			claim->held |= HELD_HERE;
		claim_set_listed(view, claim, claim->stands ? claim->allowed : 0);
		tell_waiting(view, claim, rival);
	}
}

static void claim_set_crowded(struct view *view, struct claim *claim, bool crowded)
{
	if (crowded == claim->crowded)
		return;
	claim->crowded = crowded;
	entry_mark(view, claim_entry(claim));
}

/* An upper bound: of an address that is somebody else's it is not asked here. */
static bool is_crowded(const struct key *key)
{
	const struct claim *claim;
	size_t count = 0;

	DL_FOREACH(key->claims, claim) {
		if (claim->listed != 0)
			count += claim_entry(claim)->naddresses;
	}
	return count > VIEW_CROWD;
}

/* A name that is claimed more than once. */
static void name_decide(struct view *view, struct key *key)
{
	struct decision decisions[POLICY_DOMAINS_MAX];
	unsigned i, count = decide_all(view, key, decisions);
	struct claim *claim;
	bool crowded;

	DL_FOREACH(key->claims, claim) {
		const struct claim *rival = NULL;
		uint16_t listed = 0;

		for (i = 0; i < count; i++)
			apply(view, &decisions[i], claim, &listed, &rival);
		claim_set_listed(view, claim, listed);
		tell_waiting(view, claim, rival);
	}
	crowded = is_crowded(key);
	DL_FOREACH(key->claims, claim)
		claim_set_crowded(view, claim, crowded);
}

/* Nearly all: a name or an address that is claimed once. */
static void alone_decide(struct view *view, struct key *key)
{
	unsigned domains = view->policy.ndomains > 0 ? view->policy.ndomains : 1;
	uint16_t decided = (uint16_t)(key->is_name ? (1U << domains) - 1 : EVERYWHERE);
	struct claim *claim = key->claims;
	uint16_t listed = (uint16_t)(claim->allowed & decided);

	if (key->is_name) {
		listed &= claim_entry(claim)->reach;
		claim->held = (uint16_t)((claim->held & ~decided) | listed);
		claim_set_crowded(view, claim, claim_entry(claim)->naddresses > VIEW_CROWD);
	} else {
		claim->held = listed != 0 ? claim->held | HELD_ANYWHERE : 0;
	}
	claim->later = false;
	claim_set_listed(view, claim, listed);
	claim->waiting = false;
}

void key_decide(struct view *view, struct key *key)
{
	if (key->claims->next == NULL)
		alone_decide(view, key);
	else if (key->is_name)
		name_decide(view, key);
	else
		address_decide(view, key);
}
