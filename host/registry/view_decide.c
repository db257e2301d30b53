#include <config.h>

#include "view_internal.h"

#include <string.h>

/*
 * Who gets a name or an address. A name is decided in each domain by itself: where two users may not have it in the same domain, both have it. An
 * address is in one place, whatever the domains.
 */

#define EVERYWHERE UINT16_MAX

/* One decision: on a name in the domain of one bit, or on an address (bits: EVERYWHERE). */
struct decision {
	const struct key *key;
	uint16_t bits;
	uint16_t held; /* the bit of claim->held that goes with it */
	enum view_conflict conflict;
	const struct claim *holder;
	const struct claim *choice; /* NULL: all of the holder's stand */
};

static bool takes_part(const struct decision *decision, const struct claim *claim)
{
	uint16_t allowed = claim->allowed & decision->bits;

	return (claim->key->is_name ? allowed & claim->entry->reach : allowed) != 0;
}

/* Whoever has it keeps it; else the user who came first, among those whom the policy allows it. */
static const struct claim *find_holder(const struct decision *decision)
{
	const struct claim *claim, *holder = NULL;
	bool held, holder_held = false;

	DL_FOREACH(decision->key->claims, claim) {
		if (!takes_part(decision, claim))
			continue;
		held = (claim->held & decision->held) != 0;
		if (holder != NULL && (held != holder_held ? holder_held : claim->order >= holder->order))
			continue;
		holder = claim;
		holder_held = held;
	}
	return holder;
}

/* Of the holder's instances the one that stands alone (newest or first), or NULL where all of them stand. */
static const struct claim *find_choice(const struct decision *decision)
{
	const struct claim *claim, *choice = NULL;
	int order;

	if (decision->conflict == VIEW_ALL || decision->holder == NULL)
		return NULL;
	DL_FOREACH(decision->key->claims, claim) {
		if (!takes_part(decision, claim) || !claim_same_user(claim, decision->holder))
			continue;
		if (choice == NULL) {
			choice = claim;
			continue;
		}
		order = ident_compare(&claim->entry->listing.fact->instance, &choice->entry->listing.fact->instance);
		if (decision->conflict == VIEW_NEWEST ? order > 0 : order < 0)
			choice = claim;
	}
	return choice;
}

/* What the decision means for one claim. rival: who has what it wants, if that is somebody else. */
static void apply(const struct decision *decision, struct claim *claim, uint16_t *listed, const struct claim **rival)
{
	bool takes = takes_part(decision, claim);
	bool holds = takes && claim_same_user(claim, decision->holder);

	claim->held = (uint16_t)(holds ? claim->held | decision->held : claim->held & ~decision->held);
	if (holds && (decision->choice == NULL || decision->choice == claim))
		*listed |= claim->allowed & decision->bits;
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
			memcpy(&address, claim->key->bytes, sizeof address);
			what = address_format(&address, text);
		}
		view->watcher.waits(view->watcher.arg, claim->entry->listing.fact, what, rival->entry->listing.fact->user);
	}
	claim->waiting = rival != NULL;
}

static unsigned decide_all(const struct view *view, const struct key *key, struct decision decisions[POLICY_DOMAINS_MAX])
{
	unsigned i, count = key->is_name && view->policy.ndomains > 0 ? view->policy.ndomains : 1;

	for (i = 0; i < count; i++) {
		uint16_t bit = (uint16_t)(1U << i);

		decisions[i] = (struct decision){.key = key, .bits = key->is_name ? bit : EVERYWHERE, .held = bit, .conflict = view->conflict};
		if (!key->is_name)
			decisions[i].conflict = VIEW_NEWEST; /* whoever got it last */
		else if (view->policy.ndomains > 0)
			decisions[i].conflict = view->policy.domains[i].conflict;
		decisions[i].holder = find_holder(&decisions[i]);
		decisions[i].choice = find_choice(&decisions[i]);
	}
	return count;
}

void key_decide(struct view *view, struct key *key)
{
	struct decision decisions[POLICY_DOMAINS_MAX];
	unsigned i, count = decide_all(view, key, decisions);
	struct claim *claim;

	DL_FOREACH(key->claims, claim) {
		const struct claim *rival = NULL;
		uint16_t listed = 0;

		for (i = 0; i < count; i++)
			apply(&decisions[i], claim, &listed, &rival);
		if (listed != claim->listed) {
			claim->listed = listed;
			entry_mark(view, claim->entry);
		}
		tell_waiting(view, claim, rival);
	}
}
