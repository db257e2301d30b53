#include <config.h>

#include "view.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/*
 * Two indexes in one: what each fact claims (an entry with a claim for each name and address), and who claims each name or address
 * (a key with its claims). A change of facts marks the keys it touches; view_refresh() decides those keys anew, and tells
 * of the entries for which that made a difference.
 */
struct claim {
	struct key *key;
	struct entry *entry;
	uint64_t order; /* when this user began to claim this key, without a gap since: the lowest keeps it */
	bool allowed;   /* by the policy */
	bool listed;
	bool waiting;   /* told of already */
	bool served;    /* counted in key->served */
	struct claim *prev, *next;
};

struct key {
	struct claim *claims;
	size_t served; /* claims that make a record of it; for names */
	bool is_name;
	bool dirty;
	struct key *next_dirty;
	UT_hash_handle hh;
	size_t length;
	char bytes[]; /* a name, or a struct address */
};

struct entry {
	struct listing listing;
	bool fresh;   /* never told of */
	bool content; /* its announcement changed since it was told of */
	bool dirty;
	struct entry *next_dirty, **dirty_link; /* the next one, and what points to this one */
	struct entry *prev, *next; /* all, in the order of the facts */
	unsigned nnames, naddresses;
	struct claim *claims; /* names, then addresses */
};

struct view {
	enum view_conflict conflict;
	struct view_policy policy;
	struct view_watcher watcher;
	struct key *keys;
	struct entry *entries;
	struct key *dirty_keys;
	struct entry *dirty_entries, **dirty_entries_end;
	uint64_t next_order;
	size_t names;
};

struct view *view_new(enum view_conflict conflict, const struct view_policy *policy)
{
	struct view *view = calloc(1, sizeof *view);

	if (view == NULL)
		return NULL;
	view->conflict = conflict;
	view->policy = *policy;
	view->dirty_entries_end = &view->dirty_entries;
	return view;
}

void view_set_watcher(struct view *view, const struct view_watcher *watcher)
{
	view->watcher = *watcher;
}

/* Without memory the table in people's hands would silently be wrong: end here, be restarted and read it back. */
static void *view_allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL)
		abort();
	return memory;
}

/* ---- keys ---- */

static void key_mark(struct view *view, struct key *key)
{
	if (key->dirty)
		return;
	key->dirty = true;
	key->next_dirty = view->dirty_keys;
	view->dirty_keys = key;
}

static struct key *key_find(struct view *view, const void *bytes, size_t length)
{
	struct key *key;

	/* Names are printable and an address begins with 4 or 6, so that the two never meet. */
	HASH_FIND(hh, view->keys, bytes, length, key);
	return key;
}

static struct key *key_get(struct view *view, const void *bytes, size_t length, bool is_name)
{
	struct key *key = key_find(view, bytes, length);

	if (key != NULL)
		return key;
	key = view_allocate(1, sizeof *key + length + 1);
	key->is_name = is_name;
	key->length = length;
	memcpy(key->bytes, bytes, length);
	HASH_ADD_KEYPTR(hh, view->keys, key->bytes, key->length, key);
	return key;
}

static bool same_user(const struct claim *a, const struct claim *b)
{
	const char *one = a->entry->listing.fact->user;
	const char *other = b->entry->listing.fact->user;

	return one == other || strcmp(one, other) == 0;
}

/* ---- claims ---- */

static bool claim_allowed(struct view *view, const struct claim *claim)
{
	const char *user = claim->entry->listing.fact->user;
	struct address address;

	if (claim->key->is_name)
		return view->policy.name_allowed(view->policy.arg, user, claim->key->bytes);
	memcpy(&address, claim->key->bytes, sizeof address);
	return view->policy.address_allowed(view->policy.arg, user, &address);
}

/*
 * Its place among the rivals. A user's claim goes on as long as one of its instances makes it: a restarted container keeps its place. What
 * the policy did not allow held nothing, so it is no claim to go on with.
 */
static uint64_t claim_place(struct view *view, const struct claim *claim)
{
	const struct claim *other;

	DL_FOREACH(claim->key->claims, other) {
		if (other != claim && other->allowed && same_user(claim, other))
			return other->order;
	}
	return ++view->next_order;
}

static void claim_open(struct view *view, struct entry *entry, struct claim *claim, const void *bytes, size_t length, bool is_name)
{
	claim->entry = entry;
	claim->key = key_get(view, bytes, length, is_name);
	claim->allowed = claim_allowed(view, claim);
	claim->order = claim_place(view, claim);
	DL_PREPEND(claim->key->claims, claim);
	key_mark(view, claim->key);
}

static void claim_set_served(struct view *view, struct claim *claim, bool served)
{
	if (served == claim->served)
		return;
	claim->served = served;
	view->names -= claim->key->served > 0;
	claim->key->served += served ? 1 : (size_t)-1;
	view->names += claim->key->served > 0;
}

static void claim_close(struct view *view, struct claim *claim)
{
	if (claim->key->is_name)
		claim_set_served(view, claim, false);
	DL_DELETE(claim->key->claims, claim);
	key_mark(view, claim->key);
}

static struct claim *claims_open(struct view *view, struct entry *entry)
{
	const struct fact *fact = entry->listing.fact;
	struct claim *claims = view_allocate(1 + fact->naliases + fact->naddresses, sizeof *claims);
	unsigned i;

	claim_open(view, entry, &claims[0], fact->name, strlen(fact->name), true);
	for (i = 0; i < fact->naliases; i++)
		claim_open(view, entry, &claims[1 + i], fact->aliases[i], strlen(fact->aliases[i]), true);
	for (i = 0; i < fact->naddresses; i++)
		claim_open(view, entry, &claims[1 + fact->naliases + i], &fact->addresses[i], sizeof fact->addresses[i], false);
	return claims;
}

static void claims_close(struct view *view, struct claim *claims, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		claim_close(view, &claims[i]);
	free(claims);
}

/* ---- entries ---- */

static void entry_mark(struct view *view, struct entry *entry)
{
	if (entry->dirty)
		return;
	entry->dirty = true;
	entry->next_dirty = NULL;
	entry->dirty_link = view->dirty_entries_end;
	*view->dirty_entries_end = entry;
	view->dirty_entries_end = &entry->next_dirty;
}

static void entry_unmark(struct view *view, struct entry *entry)
{
	if (!entry->dirty)
		return;
	entry->dirty = false;
	*entry->dirty_link = entry->next_dirty;
	if (entry->next_dirty != NULL)
		entry->next_dirty->dirty_link = entry->dirty_link;
	else
		view->dirty_entries_end = entry->dirty_link;
}

static bool entry_claims_the_same(const struct entry *entry)
{
	const struct fact *fact = entry->listing.fact;
	unsigned i;

	if (entry->nnames != 1 + fact->naliases || entry->naddresses != fact->naddresses)
		return false;
	for (i = 0; i < fact->naliases; i++) {
		if (strcmp(entry->claims[1 + i].key->bytes, fact->aliases[i]) != 0)
			return false;
	}
	for (i = 0; i < fact->naddresses; i++) {
		if (memcmp(entry->claims[entry->nnames + i].key->bytes, &fact->addresses[i], sizeof fact->addresses[i]) != 0)
			return false;
	}
	return true;
}

static void view_fact_changed(void *arg, struct fact *fact)
{
	struct view *view = arg;
	struct entry *entry = fact->view;
	struct claim *before = NULL;
	unsigned count = 0;

	if (entry == NULL) {
		entry = view_allocate(1, sizeof *entry);
		entry->listing.fact = fact;
		entry->fresh = true;
		fact->view = entry;
		DL_APPEND(view->entries, entry);
	} else if (entry_claims_the_same(entry)) {
		entry_mark(view, entry);
		return;
	} else {
		before = entry->claims;
		count = entry->nnames + entry->naddresses;
		entry->content = true;
	}
	/* The new claims come before the old ones go, so that what is claimed still keeps its place. */
	entry->claims = claims_open(view, entry);
	entry->nnames = 1 + fact->naliases;
	entry->naddresses = fact->naddresses;
	if (before != NULL)
		claims_close(view, before, count);
	entry_mark(view, entry);
}

static void view_fact_gone(void *arg, struct fact *fact, const char *why)
{
	struct view *view = arg;
	struct entry *entry = fact->view;

	(void)why;
	entry->listing.names = 0;
	entry->listing.addresses = 0;
	if (view->watcher.gone != NULL && !entry->fresh)
		view->watcher.gone(view->watcher.arg, &entry->listing);
	claims_close(view, entry->claims, entry->nnames + entry->naddresses);
	entry_unmark(view, entry);
	DL_DELETE(view->entries, entry);
	free(entry);
	fact->view = NULL;
}

struct registry_watcher view_registry_watcher(struct view *view)
{
	return (struct registry_watcher){.changed = view_fact_changed, .gone = view_fact_gone, .arg = view};
}

void view_set_policy(struct view *view, enum view_conflict conflict, const struct view_policy *policy)
{
	struct entry *entry;
	unsigned i;

	view->conflict = conflict;
	view->policy = *policy;
	DL_FOREACH(view->entries, entry) {
		for (i = 0; i < entry->nnames + entry->naddresses; i++) {
			struct claim *claim = &entry->claims[i];
			bool before = claim->allowed;

			claim->allowed = claim_allowed(view, claim);
			/* Whoever is listed by now keeps it. */
			if (claim->allowed && !before)
				claim->order = claim_place(view, claim);
			key_mark(view, claim->key);
		}
	}
}

/* ---- deciding ---- */

/* The user who came first, among those whom the policy allows it. */
static const struct claim *key_holder(const struct key *key)
{
	const struct claim *claim, *holder = NULL;

	DL_FOREACH(key->claims, claim) {
		if (claim->allowed && (holder == NULL || claim->order < holder->order))
			holder = claim;
	}
	return holder;
}

/* Of the holder's instances the one that stands alone (newest or first), or NULL where all of them stand. */
static const struct claim *key_choice(const struct view *view, const struct key *key, const struct claim *holder)
{
	const struct claim *claim, *choice = NULL;
	/* An address is in one place: whoever got it last. */
	enum view_conflict conflict = key->is_name ? view->conflict : VIEW_NEWEST;
	int order;

	if (conflict == VIEW_ALL)
		return NULL;
	DL_FOREACH(key->claims, claim) {
		if (!claim->allowed || !same_user(claim, holder))
			continue;
		if (choice == NULL) {
			choice = claim;
			continue;
		}
		order = ident_compare(&claim->entry->listing.fact->instance, &choice->entry->listing.fact->instance);
		if (conflict == VIEW_NEWEST ? order > 0 : order < 0)
			choice = claim;
	}
	return choice;
}

static void claim_tell_waiting(struct view *view, struct claim *claim, const struct claim *holder)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address address;
	bool waiting = claim->allowed && holder != NULL && !same_user(claim, holder);
	const char *what = claim->key->bytes;

	if (waiting && !claim->waiting && view->watcher.waits != NULL) {
		if (!claim->key->is_name) {
			memcpy(&address, claim->key->bytes, sizeof address);
			what = address_format(&address, text);
		}
		view->watcher.waits(view->watcher.arg, claim->entry->listing.fact, what, holder->entry->listing.fact->user);
	}
	claim->waiting = waiting;
}

static void key_decide(struct view *view, struct key *key)
{
	const struct claim *holder = key_holder(key);
	const struct claim *choice = holder != NULL ? key_choice(view, key, holder) : NULL;
	struct claim *claim;

	DL_FOREACH(key->claims, claim) {
		bool listed = claim->allowed && holder != NULL && same_user(claim, holder) && (choice == NULL || choice == claim);

		if (listed != claim->listed) {
			claim->listed = listed;
			entry_mark(view, claim->entry);
		}
		claim_tell_waiting(view, claim, holder);
	}
}

static void view_decide_keys(struct view *view)
{
	struct key *key;

	while ((key = view->dirty_keys) != NULL) {
		view->dirty_keys = key->next_dirty;
		key->dirty = false;
		if (key->claims != NULL) {
			key_decide(view, key);
			continue;
		}
		HASH_DEL(view->keys, key);
		free(key);
	}
}

static void entry_refresh(struct view *view, struct entry *entry)
{
	struct listing before = entry->listing;
	struct listing *listing = &entry->listing;
	bool records;
	unsigned i;

	listing->names = 0;
	listing->addresses = 0;
	for (i = 0; i < entry->naddresses; i++)
		listing->addresses |= (uint32_t)entry->claims[entry->nnames + i].listed << i;
	for (i = 0; i < entry->nnames; i++) {
		listing->names |= (uint64_t)entry->claims[i].listed << i;
		claim_set_served(view, &entry->claims[i], entry->claims[i].listed && listing->addresses != 0);
	}
	records = entry->fresh || entry->content || listing->names != before.names || listing->addresses != before.addresses;
	entry->fresh = false;
	entry->content = false;
	if (view->watcher.listing != NULL)
		view->watcher.listing(view->watcher.arg, listing, records);
}

void view_refresh(struct view *view)
{
	struct entry *entry;

	view_decide_keys(view);
	while ((entry = view->dirty_entries) != NULL) {
		entry_unmark(view, entry);
		entry_refresh(view, entry);
	}
}

/* ---- looking ---- */

void view_each(struct view *view, bool (*visit)(void *arg, const struct listing *listing), void *arg)
{
	struct entry *entry;

	DL_FOREACH(view->entries, entry) {
		if (entry->listing.names != 0 && entry->listing.addresses != 0 && !visit(arg, &entry->listing))
			return;
	}
}

void view_each_claim(struct view *view, const char *name, bool (*visit)(void *arg, const struct listing *listing, bool listed), void *arg)
{
	struct key *key = key_find(view, name, strlen(name));
	struct claim *claim;
	int pass;

	if (key == NULL)
		return;
	for (pass = 1; pass >= 0; pass--) {
		DL_FOREACH(key->claims, claim) {
			if (claim->listed == (pass == 1) && !visit(arg, &claim->entry->listing, claim->listed))
				return;
		}
	}
}

bool view_listed(const struct fact *fact)
{
	const struct entry *entry = fact->view;

	return entry != NULL && (entry->listing.names & 1) != 0 && entry->listing.addresses != 0;
}

const struct listing *view_listing(const struct fact *fact)
{
	const struct entry *entry = fact->view;

	return entry != NULL && !entry->fresh ? &entry->listing : NULL;
}

size_t view_names(const struct view *view)
{
	return view->names;
}

void view_free(struct view *view)
{
	struct entry *entry, *next;
	struct key *key, *next_key;

	if (view == NULL)
		return;
	DL_FOREACH_SAFE(view->entries, entry, next) {
		free(entry->claims);
		free(entry);
	}
	HASH_ITER(hh, view->keys, key, next_key) {
		HASH_DEL(view->keys, key);
		free(key);
	}
	free(view);
}
