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
	if (entry->listing.mark == 0)
		entry->listing.mark = dirty_add(&view->dirty_entries, entry);
}

void entry_unmark(struct view *view, struct entry *entry)
{
	if (entry->listing.mark == 0)
		return;
	view->dirty_entries.list[entry->listing.mark - 1] = NULL;
	entry->listing.mark = 0;
}

void entry_mark_instead(struct view *view, const struct entry *before, struct entry *entry)
{
	entry->listing.mark = before->listing.mark;
	if (entry->listing.mark != 0)
		view->dirty_entries.list[entry->listing.mark - 1] = entry;
}

/* ---- keys ---- */

static size_t address_length(bool is_ipv4)
{
	return is_ipv4 ? 4 : sizeof(((struct address *)NULL)->bytes);
}

static const void *name_bytes(const struct table_link *link, size_t *length)
{
	const struct key *key = TABLE_ENTRY(link, const struct key, link);

	*length = strlen(key->bytes);
	return key->bytes;
}

static const void *address_bytes(const struct table_link *link, size_t *length)
{
	const struct key *key = TABLE_ENTRY(link, const struct key, link);

	*length = address_length(key->is_ipv4);
	return key->bytes;
}

static void key_free(struct table_link *link)
{
	free(TABLE_ENTRY(link, struct key, link));
}

void keys_begin(struct view *view)
{
	view->name_keys = (struct table)TABLE_EMPTY(name_bytes);
	view->address_keys = (struct table)TABLE_EMPTY(address_bytes);
}

void keys_clear(struct view *view)
{
	table_clear(&view->name_keys, key_free);
	table_clear(&view->address_keys, key_free);
}

void key_mark(struct view *view, struct key *key)
{
	if (key->dirty)
		return;
	key->dirty = true;
	dirty_add(&view->dirty_keys, key);
}

static struct key *key_find(const struct table *keys, const void *bytes, size_t length)
{
	struct table_link *link = table_find(keys, bytes, length);

	return link != NULL ? TABLE_ENTRY(link, struct key, link) : NULL;
}

struct key *key_find_name(const struct view *view, const char *name)
{
	return key_find(&view->name_keys, name, strlen(name));
}

struct key *key_find_address(const struct view *view, const struct address *address)
{
	return key_find(&view->address_keys, address->bytes, address_length(address->family == 4));
}

struct address key_address(const struct key *key)
{
	struct address address = {.family = key->is_ipv4 ? 4 : 6};

	memcpy(address.bytes, key->bytes, address_length(key->is_ipv4));
	return address;
}

static bool key_in_own_network(const struct view *view, const struct key *key)
{
	struct address address;

	if (key->is_name || view->policy.own_network == NULL)
		return false;
	address = key_address(key);
	return view->policy.own_network(view->policy.arg, &address);
}

static struct key *key_new(const void *bytes, size_t length, size_t room)
{
	struct key *key = view_allocate(1, offsetof(struct key, bytes) + room);

	memcpy(key->bytes, bytes, length);
	return key;
}

static struct key *key_get_name(struct view *view, const char *name)
{
	size_t length = strlen(name);
	struct key *key = key_find(&view->name_keys, name, length);

	if (key != NULL)
		return key;
	key = key_new(name, length, length + 1);
	key->is_name = true;
	table_add(&view->name_keys, &key->link);
	return key;
}

static struct key *key_get_address(struct view *view, const struct address *address)
{
	size_t length = address_length(address->family == 4);
	struct key *key = key_find(&view->address_keys, address->bytes, length);

	if (key != NULL)
		return key;
	key = key_new(address->bytes, length, length);
	key->is_ipv4 = address->family == 4;
	key->own_network = key_in_own_network(view, key);
	table_add(&view->address_keys, &key->link);
	return key;
}

void key_drop(struct view *view, struct key *key)
{
	table_remove(key->is_name ? &view->name_keys : &view->address_keys, &key->link);
	free(key);
}

bool claim_same_user(const struct claim *a, const struct claim *b)
{
	const char *one = claim_entry(a)->listing.fact->user;
	const char *other = claim_entry(b)->listing.fact->user;

	return one == other || strcmp(one, other) == 0;
}

/* ---- claims ---- */

static uint16_t claim_allowed(struct view *view, const struct claim *claim)
{
	const char *user = claim_entry(claim)->listing.fact->user;
	struct address address;

	if (claim->key->is_name)
		return (uint16_t)view->policy.name_domains(view->policy.arg, user, claim->key->bytes);
	address = key_address(claim->key);
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

static void claim_open(struct view *view, struct entry *entry, unsigned number, struct key *key)
{
	struct claim *claim = &entry->claims[number];

	claim->number = (uint8_t)number;
	claim->key = key;
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
	if (served)
		claim->key->served++;
	else
		claim->key->served--;
	view->names += claim->key->served > 0;
}

static void claim_close(struct view *view, struct claim *claim)
{
	if (claim->key->is_name)
		claim_set_served(view, claim, false);
	DL_DELETE(claim->key->claims, claim);
	key_mark(view, claim->key);
}

struct entry *entry_new(struct fact *fact)
{
	size_t count = 1 + (size_t)fact->naliases + fact->naddresses;
	struct entry *entry = view_allocate(1, offsetof(struct entry, claims) + count * (sizeof *entry->claims + sizeof *entry->listing.in));

	entry->listing.fact = fact;
	entry->listing.in = (const uint16_t *)(const void *)(entry->claims + count);
	entry->nnames = (uint8_t)(1 + fact->naliases);
	entry->naddresses = fact->naddresses;
	entry->revision = fact->revision;
	return entry;
}

void claims_open(struct view *view, struct entry *entry)
{
	const struct fact *fact = entry->listing.fact;
	unsigned i, number = 0;

	claim_open(view, entry, number++, key_get_name(view, fact->name));
	for (i = 0; i < fact->naliases; i++)
		claim_open(view, entry, number++, key_get_name(view, fact->aliases[i]));
	for (i = 0; i < fact->naddresses; i++)
		claim_open(view, entry, number++, key_get_address(view, &fact->addresses[i]));
}

void claims_close(struct view *view, struct entry *entry)
{
	unsigned i;

	for (i = 0; i < entry->nnames + entry->naddresses; i++)
		claim_close(view, &entry->claims[i]);
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
