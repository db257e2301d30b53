#include <config.h>

#include "view_internal.h"

#include <stdlib.h>
#include <string.h>

/* The index of claims: who claims which name and address, and which of them have to be looked at. */

/* Without memory the table in people's hands would silently be wrong: end here, be restarted and read it back. */
void *view_allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL)
		abort();
	return memory;
}

/* ---- what has to be looked at ---- */

#define DIRTY_KEPT 64 /* room for so many is not given back */

/* Returns its place, from 1 on. */
static uint32_t dirty_add(struct dirty *dirty, void *what)
{
	if (dirty->count == dirty->room) {
		dirty->room = dirty->room > 0 ? dirty->room * 2 : DIRTY_KEPT;
		dirty->list = realloc(dirty->list, dirty->room * sizeof *dirty->list);
		if (dirty->list == NULL)
			abort();
	}
	dirty->list[dirty->count] = what;
	return ++dirty->count;
}

void dirty_clear(struct dirty *dirty)
{
	dirty->count = 0;
	if (dirty->room <= DIRTY_KEPT)
		return;
	free(dirty->list);
	*dirty = (struct dirty){0};
}

void entry_mark(struct view *view, struct entry *entry)
{
	if (entry->dirty == 0)
		entry->dirty = dirty_add(&view->dirty_entries, entry);
}

void entry_unmark(struct view *view, struct entry *entry)
{
	if (entry->dirty == 0)
		return;
	view->dirty_entries.list[entry->dirty - 1] = NULL;
	entry->dirty = 0;
}

/* ---- keys ---- */

const void *key_bytes(const struct table_link *link, size_t *length)
{
	const struct key *key = TABLE_ENTRY(link, const struct key, link);

	/* Names are printable and an address begins with 4 or 6, so that the two never meet. */
	*length = key->is_name ? strlen(key->bytes) : sizeof(struct address);
	return key->bytes;
}

void key_mark(struct view *view, struct key *key)
{
	if (key->dirty)
		return;
	key->dirty = true;
	dirty_add(&view->dirty_keys, key);
}

struct key *key_find(struct view *view, const void *bytes, size_t length)
{
	struct table_link *link = table_find(&view->keys, bytes, length);

	return link != NULL ? TABLE_ENTRY(link, struct key, link) : NULL;
}

static bool key_in_own_network(const struct view *view, const struct key *key)
{
	struct address address;

	if (key->is_name || view->policy.own_network == NULL)
		return false;
	memcpy(&address, key->bytes, sizeof address);
	return view->policy.own_network(view->policy.arg, &address);
}

static struct key *key_get(struct view *view, const void *bytes, size_t length, bool is_name)
{
	struct key *key = key_find(view, bytes, length);

	if (key != NULL)
		return key;
	key = view_allocate(1, offsetof(struct key, bytes) + length + is_name);
	key->is_name = is_name;
	memcpy(key->bytes, bytes, length);
	key->own_network = key_in_own_network(view, key);
	table_add(&view->keys, &key->link);
	return key;
}

void key_free(struct table_link *link)
{
	free(TABLE_ENTRY(link, struct key, link));
}

bool claim_same_user(const struct claim *a, const struct claim *b)
{
	const char *one = a->entry->listing.fact->user;
	const char *other = b->entry->listing.fact->user;

	return one == other || strcmp(one, other) == 0;
}

/* ---- claims ---- */

static uint16_t claim_allowed(struct view *view, const struct claim *claim)
{
	const char *user = claim->entry->listing.fact->user;
	struct address address;

	if (claim->key->is_name)
		return (uint16_t)view->policy.name_domains(view->policy.arg, user, claim->key->bytes);
	memcpy(&address, claim->key->bytes, sizeof address);
	return (uint16_t)view->policy.address_domains(view->policy.arg, user, &address);
}

/*
 * Its place among the rivals. A user's claim goes on as long as one of its instances makes it: a restarted container keeps its place. What
 * the policy did not allow held nothing, so it is no claim to go on with.
 */
static void claim_place(struct view *view, struct claim *claim)
{
	const struct claim *other;

	DL_FOREACH(claim->key->claims, other) {
		if (other == claim || other->allowed == 0 || !claim_same_user(claim, other))
			continue;
		claim->order = other->order;
		claim->held = other->held;
		return;
	}
	claim->order = ++view->next_order;
	claim->held = 0;
}

static void claim_open(struct view *view, struct entry *entry, struct claim *claim, const void *bytes, size_t length, bool is_name)
{
	claim->entry = entry;
	claim->key = key_get(view, bytes, length, is_name);
	claim->allowed = claim_allowed(view, claim);
	claim_place(view, claim);
	DL_PREPEND(claim->key->claims, claim);
	key_mark(view, claim->key);
}

void claim_set_served(struct view *view, struct claim *claim, bool served)
{
	if (served == claim->served)
		return;
	claim->served = served;
	view->names -= claim->key->served > 0;
	claim->key->served += served ? 1 : (uint32_t)-1;
	view->names += claim->key->served > 0;
}

static void claim_close(struct view *view, struct claim *claim)
{
	if (claim->key->is_name)
		claim_set_served(view, claim, false);
	DL_DELETE(claim->key->claims, claim);
	key_mark(view, claim->key);
}

struct claim *claims_open(struct view *view, struct entry *entry)
{
	const struct fact *fact = entry->listing.fact;
	size_t count = 1 + (size_t)fact->naliases + fact->naddresses;
	struct claim *claims = view_allocate(count, sizeof *claims + sizeof *entry->listing.in);
	unsigned i;

	entry->listing.in = (const uint16_t *)(const void *)(claims + count);
	claim_open(view, entry, &claims[0], fact->name, strlen(fact->name), true);
	for (i = 0; i < fact->naliases; i++)
		claim_open(view, entry, &claims[1 + i], fact->aliases[i], strlen(fact->aliases[i]), true);
	for (i = 0; i < fact->naddresses; i++)
		claim_open(view, entry, &claims[1 + fact->naliases + i], &fact->addresses[i], sizeof fact->addresses[i], false);
	return claims;
}

void claims_close(struct view *view, struct claim *claims, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		claim_close(view, &claims[i]);
	free(claims);
}

void claim_set_policy(struct view *view, struct claim *claim)
{
	bool was_allowed = claim->allowed != 0;

	claim->allowed = claim_allowed(view, claim);
	claim->key->own_network = key_in_own_network(view, claim->key);
	/* Whoever is listed by now keeps it. */
	if (claim->allowed != 0 && !was_allowed)
		claim_place(view, claim);
	key_mark(view, claim->key);
}
