#ifndef CALLSIGN_VIEW_INTERNAL_H
#define CALLSIGN_VIEW_INTERNAL_H

/*
 * The inside of the view, shared by its files, each of which calls those behind it alone: view.c (facts, and the listings that come of them),
 * view_decide.c (who gets a name or an address), view_place.c (an address, by where its claims are) and view_claims.c (the index of claims). Nobody else
 * includes this.
 */

#include <utlist.h>

#include "table.h"
#include "view.h"

/*
 * Two indexes in one: what each fact claims (an entry with a claim for each name and address), and who claims each name or address
 * (a key with its claims). A change of facts marks the keys it touches; view_refresh() decides those keys anew, and tells
 * of the entries for which that made a difference.
 */
struct claim {
	struct key *key;
	struct claim *prev, *next; /* on that key */
	uint64_t order; /* when this user began to claim this key, without a gap since: the lowest keeps it */
	uint16_t allowed; /* by the policy, a bit for each domain */
	uint16_t listed;  /* likewise */
	uint16_t held;    /* where its user keeps the key; an address: HELD_… */
	bool waiting : 1; /* told of already */
	bool served : 1;  /* counted in key->served */
	bool stands : 1;  /* an address: its user's other claims leave it to this one */
	bool later : 1;   /* an address: another claim that is listed comes first */
	bool was_later : 1; /* as told of */
	bool crowded : 1; /* a name: it leads to more than VIEW_CROWD addresses */
	uint8_t number;   /* in its entry: see claim_entry() */
};

/* How a user keeps an address: as everybody does, and for what is on this host. */
#define HELD_ANYWHERE 1
#define HELD_HERE     2

/* There are two for each name that is served: what stands in it counts. */
struct key {
	struct table_link link;
	struct claim *claims;
	uint32_t served : 28; /* claims that make a record of it; for names */
	bool is_name : 1;
	bool is_ipv4 : 1; /* else an address is IPv6 */
	bool dirty : 1;
	bool own_network : 1; /* an address: in a subnet of one of this host's bridges */
	char bytes[]; /* a name, terminated, or the 4 or 16 bytes of an address */
};

/* A fact that claims something else gets another one, in the place of the one before it. */
struct entry {
	struct listing listing; /* mark: its place in the view's list of what has to be looked at, from 1 on; 0: it is not */
	struct entry *prev, *next; /* all, in the order of the facts */
	uint16_t revision; /* of the fact, when its claims were looked at last */
	uint16_t reach;    /* domains that take at least one of the addresses */
	uint8_t nnames, naddresses;
	bool fresh;   /* never told of */
	bool content; /* its announcement changed since it was told of */
	struct claim claims[]; /* names, then addresses; behind them what listing.in points to: entry_in() */
};

static inline struct entry *claim_entry(const struct claim *claim)
{
	return (struct entry *)(void *)((char *)(claim - claim->number) - offsetof(struct entry, claims));
}

/* Pointers to what has to be looked at. Most of the time there are few, so that these need no place in each of what they point to. */
struct dirty {
	void **list;
	uint32_t count, room;
};

struct view {
	enum view_conflict conflict;
	struct view_policy policy;
	struct view_watcher watcher;
	struct table name_keys, address_keys; /* apart: a name may have the bytes of an address */
	struct entry *entries;
	struct dirty dirty_keys;
	struct dirty dirty_entries; /* NULL for one that is gone */
	uint64_t next_order;
	size_t names;
};

/* view_decide.c: which of the claims on key are listed, and where. Marks the entries for which that made a difference. */
void key_decide(struct view *view, struct key *key);

/* view_place.c: the same for an address that is claimed more than once. */
struct holders {
	const struct claim *anywhere, *here; /* NULL: nobody */
};
void address_share(const struct view *view, struct key *key, struct holders *holders);
const struct claim *address_holder(const struct view *view, const struct holders *holders, const struct claim *claim);

bool entry_here(const struct view *view, const struct entry *entry);
bool entry_elsewhere(const struct view *view, const struct entry *entry);
bool entry_astray(const struct view *view, const struct entry *entry);

/* view_claims.c. Ends the program without memory. */
void *view_allocate(size_t count, size_t size);

/* What has to be looked at anew. */
void key_mark(struct view *view, struct key *key);
void entry_mark(struct view *view, struct entry *entry);
void entry_unmark(struct view *view, struct entry *entry); /* it goes */
void entry_mark_instead(struct view *view, const struct entry *before, struct entry *entry); /* as the one whose place it takes */
void dirty_clear(struct dirty *dirty);

void keys_begin(struct view *view);
void keys_clear(struct view *view);
/* NULL: nobody claims it. */
struct key *key_find_name(const struct view *view, const char *name);
struct key *key_find_address(const struct view *view, const struct address *address);
struct address key_address(const struct key *key);
void key_drop(struct view *view, struct key *key); /* nobody claims it any more */

bool claim_same_user(const struct claim *a, const struct claim *b);
void claim_set_served(struct view *view, struct claim *claim, bool served);
void claim_set_policy(struct view *view, struct claim *claim); /* the view's, which is another one now */

/* With room for all that the fact names, and nothing claimed yet. claims_open() claims it, claims_close() ends that. */
struct entry *entry_new(struct fact *fact);
void claims_open(struct view *view, struct entry *entry);
void claims_close(struct view *view, struct entry *entry);

#endif
