#include <config.h>

#include "view_internal.h"

#include <stdlib.h>
#include <string.h>

#include "served.h"

/* The listings: what the facts say becomes claims, and what was decided of those is told. */

/* ---- entries ---- */

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
		struct address address = key_address(entry->claims[entry->nnames + i].key);

		if (!address_equal(&address, &fact->addresses[i]))
			return false;
	}
	return true;
}

/* A domain that takes none of the addresses has no use for the names. */
static void entry_reach(struct view *view, struct entry *entry)
{
	const struct fact *fact = entry->listing.fact;
	unsigned i;

	entry->reach = 0;
	for (i = 0; i < fact->naddresses; i++)
		entry->reach |= (uint16_t)view->policy.address_domains(view->policy.arg, fact->user, &fact->addresses[i]);
}

/* The same names and addresses, but other ports, or another place: then others may share them. */
static void entry_take_revision(struct view *view, struct entry *entry)
{
	unsigned i;

	if (entry->revision == entry->listing.fact->revision)
		return;
	entry->revision = entry->listing.fact->revision;
	entry->content = true;
	for (i = 0; i < entry->nnames + entry->naddresses; i++) {
		if (entry->claims[i].key->claims->next != NULL)
			key_mark(view, entry->claims[i].key);
	}
}

/* In the place of the one that claims what the fact says no more. */
static void entry_replace(struct view *view, struct entry *before, struct entry *entry)
{
	entry->listing.names = before->listing.names;
	entry->listing.addresses = before->listing.addresses;
	entry->listing.later = before->listing.later;
	entry->listing.crowded = before->listing.crowded;
	entry->fresh = before->fresh;
	entry->content = true;
	DL_REPLACE_ELEM(view->entries, before, entry);
	entry_mark_instead(view, before, entry);
}

static void view_fact_changed(void *arg, struct fact *fact)
{
	struct view *view = arg;
	struct entry *before = fact->view, *entry;

	if (before != NULL && entry_claims_the_same(before)) {
		entry_take_revision(view, before);
		entry_mark(view, before);
		return;
	}
	entry = entry_new(fact);
	if (before != NULL) {
		entry_replace(view, before, entry);
	} else {
		entry->fresh = true;
		DL_APPEND(view->entries, entry);
	}
	fact->view = entry;
	entry_reach(view, entry);
	/* The new claims come before the old ones go, so that what is claimed still keeps its place. */
	claims_open(view, entry);
	if (before != NULL)
		claims_close(view, before);
	free(before);
	entry_mark(view, entry);
}

static void view_fact_gone(void *arg, struct fact *fact, const char *why, const char *reason)
{
	struct view *view = arg;
	struct entry *entry = fact->view;

	(void)why;
	(void)reason;
	entry->listing.names = 0;
	entry->listing.addresses = 0;
	if (view->watcher.gone != NULL && !entry->fresh)
		view->watcher.gone(view->watcher.arg, &entry->listing);
	claims_close(view, entry);
	entry_unmark(view, entry);
	DL_DELETE(view->entries, entry);
	free(entry);
	fact->view = NULL;
}

struct registry_watcher view_registry_watcher(struct view *view)
{
	return (struct registry_watcher){.changed = view_fact_changed, .gone = view_fact_gone, .doubted = view_fact_changed, .arg = view};
}

void view_hold(const struct fact *fact, const struct view_held *held)
{
	struct entry *entry = fact->view;
	unsigned i;

	for (i = 0; i < entry->nnames; i++)
		entry->claims[i].held |= (uint16_t)held->names[i];
	for (i = 0; i < entry->naddresses; i++) {
		if ((held->addresses >> i & 1) != 0)
			entry->claims[entry->nnames + i].held = HELD_ANYWHERE | HELD_HERE;
	}
}

/* ---- another policy ---- */

static bool same_domains(const struct view_policy *a, const struct view_policy *b)
{
	unsigned i;

	if (a->ndomains != b->ndomains)
		return false;
	for (i = 0; i < a->ndomains; i++) {
		if (strcmp(a->domains[i].name, b->domains[i].name) != 0)
			return false;
	}
	return true;
}

/* What was held below a domain that has another place now, or none. */
static uint16_t move_held(const struct view_policy *before, const struct view_policy *after, uint16_t held)
{
	uint16_t moved = 0;
	unsigned i, j;

	if (before->ndomains == 0 || after->ndomains == 0)
		return held;
	for (i = 0; i < before->ndomains; i++) {
		for (j = 0; (held >> i & 1) != 0 && j < after->ndomains; j++) {
			if (strcmp(before->domains[i].name, after->domains[j].name) == 0)
				moved |= (uint16_t)(1U << j);
		}
	}
	return moved;
}

void view_set_policy(struct view *view, enum view_conflict conflict, const struct view_policy *policy)
{
	struct view_policy before = view->policy;
	bool renamed = !same_domains(&before, policy);
	struct entry *entry;
	unsigned i;

	view->conflict = conflict;
	view->policy = *policy;
	DL_FOREACH(view->entries, entry) {
		for (i = 0; renamed && i < entry->nnames; i++)
			entry->claims[i].held = move_held(&before, policy, entry->claims[i].held);
	}
	DL_FOREACH(view->entries, entry) {
		for (i = 0; i < entry->nnames + entry->naddresses; i++)
			claim_set_policy(view, &entry->claims[i]);
		entry_reach(view, entry);
		if (!renamed)
			continue;
		entry->content = true; /* the same names mean others by now */
		entry_mark(view, entry);
	}
}

/* ---- deciding ---- */

static void view_decide_keys(struct view *view)
{
	for (uint32_t i = 0; i < view->dirty_keys.count; i++) {
		struct key *key = view->dirty_keys.list[i];

		key->dirty = false;
		if (key->claims != NULL) {
			key_decide(view, key);
			continue;
		}
		key_drop(view, key);
	}
	dirty_clear(&view->dirty_keys);
}

/* The same as listing.in, which others may only read. */
static uint16_t *entry_in(const struct entry *entry)
{
	return (uint16_t *)(void *)(entry->claims + entry->nnames + entry->naddresses);
}

/* Where each name and address is listed. Returns whether that is not what it was. */
static bool entry_copy_listed(struct entry *entry, uint16_t *reach)
{
	uint16_t *in = entry_in(entry);
	bool changed = false;
	unsigned i;

	*reach = 0;
	for (i = 0; i < entry->nnames + entry->naddresses; i++) {
		changed = changed || in[i] != entry->claims[i].listed;
		in[i] = entry->claims[i].listed;
		if (i >= entry->nnames)
			*reach |= in[i];
	}
	return changed;
}

static void entry_refresh(struct view *view, struct entry *entry)
{
	struct listing *listing = &entry->listing;
	uint16_t reach;
	bool records = entry_copy_listed(entry, &reach) || entry->fresh || entry->content;
	uint32_t later = listing->later;
	unsigned i;

	listing->names = listing->crowded = 0;
	listing->addresses = listing->later = 0;
	for (i = 0; i < entry->naddresses; i++) {
		listing->addresses |= (uint16_t)((listing->in[entry->nnames + i] != 0) << i);
		listing->later |= (uint16_t)(entry->claims[entry->nnames + i].later << i);
	}
	records = records || later != listing->later;
	for (i = 0; i < entry->nnames; i++) {
		listing->names |= (uint64_t)(listing->in[i] != 0) << i;
		listing->crowded |= (uint64_t)entry->claims[i].crowded << i;
		claim_set_served(view, &entry->claims[i], (listing->in[i] & reach) != 0);
	}
	entry->fresh = false;
	entry->content = false;
	if (view->watcher.listing != NULL)
		view->watcher.listing(view->watcher.arg, listing, records);
}

void view_refresh(struct view *view)
{
	view_decide_keys(view);
	for (uint32_t i = 0; i < view->dirty_entries.count; i++) {
		struct entry *entry = view->dirty_entries.list[i];

		if (entry == NULL)
			continue;
		entry->listing.mark = 0;
		entry_refresh(view, entry);
	}
	dirty_clear(&view->dirty_entries);
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

static void each_claim(const struct key *key, bool (*visit)(void *arg, const struct listing *listing, bool listed), void *arg)
{
	const struct claim *claim;
	int pass;

	if (key == NULL)
		return;
	for (pass = 1; pass >= 0; pass--) {
		DL_FOREACH(key->claims, claim) {
			if ((claim->listed != 0) == (pass == 1) && !visit(arg, &claim_entry(claim)->listing, claim->listed != 0))
				return;
		}
	}
}

void view_each_claim(struct view *view, const char *name, bool (*visit)(void *arg, const struct listing *listing, bool listed), void *arg)
{
	each_claim(key_find_name(view, name), visit, arg);
}

void view_each_address_claim(struct view *view, const struct address *address, bool (*visit)(void *arg, const struct listing *listing, bool listed), void *arg)
{
	each_claim(key_find_address(view, address), visit, arg);
}

bool view_listed(const struct fact *fact)
{
	const struct entry *entry = fact->view;

	return entry != NULL && served_domains(&entry->listing, 0) != 0;
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

/* ---- beginning and end ---- */

struct view *view_new(enum view_conflict conflict, const struct view_policy *policy)
{
	struct view *view = calloc(1, sizeof *view);

	if (view == NULL)
		return NULL;
	view->conflict = conflict;
	view->policy = *policy;
	keys_begin(view);
	return view;
}

void view_set_watcher(struct view *view, const struct view_watcher *watcher)
{
	view->watcher = *watcher;
}

void view_free(struct view *view)
{
	struct entry *entry, *next;

	if (view == NULL)
		return;
	DL_FOREACH_SAFE(view->entries, entry, next)
		free(entry);
	keys_clear(view);
	free(view->dirty_keys.list);
	free(view->dirty_entries.list);
	free(view);
}
