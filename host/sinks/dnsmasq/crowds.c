#include <config.h>

#include "crowds.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "registry/table.h"

#define HEADER   12
#define QUESTION 4 /* behind its name */
#define RECORD   12 /* a pointer to that name, type, class, time to live, length */

struct entry {
	struct table_link link;
	struct entry *prev, *next;
	size_t count, seen;
	size_t start; /* the number of the first one that is served */
	size_t room;
	bool told;
	size_t length;
	char key[1 + HOSTNAME_FQDN_SIZE]; /* the family's digit, and the name */
};

struct crowds {
	struct table table;
	struct entry *entries;
	size_t besides, over;
};

size_t crowds_room(size_t length, unsigned family, size_t besides)
{
	size_t used = HEADER + length + 2 + QUESTION + besides, each = RECORD + (family == 4 ? 4 : 16);

	return used + each > CROWDS_ANSWER ? 1 : (CROWDS_ANSWER - used) / each;
}

static const void *entry_key(const struct table_link *link, size_t *length)
{
	const struct entry *entry = TABLE_ENTRY(link, const struct entry, link);

	*length = entry->length;
	return entry->key;
}

struct crowds *crowds_new(void)
{
	struct crowds *crowds = calloc(1, sizeof(*crowds));

	if (crowds != NULL)
		crowds->table = (struct table)TABLE_EMPTY(entry_key);
	return crowds;
}

static void entry_forget(struct crowds *crowds, struct entry *entry)
{
	table_remove(&crowds->table, &entry->link);
	DL_DELETE(crowds->entries, entry);
	free(entry);
}

void crowds_free(struct crowds *crowds)
{
	struct entry *entry, *next;

	if (crowds == NULL)
		return;
	DL_FOREACH_SAFE (crowds->entries, entry, next)
		entry_forget(crowds, entry);
	free(crowds);
}

void crowds_set_besides(struct crowds *crowds, size_t besides)
{
	crowds->besides = besides;
}

/* The key's length; 0: no name is as long. */
static size_t make_key(char key[1 + HOSTNAME_FQDN_SIZE], unsigned family, const char *name, size_t length)
{
	if (length >= HOSTNAME_FQDN_SIZE)
		return 0;
	key[0] = family == 4 ? '4' : '6';
	memcpy(key + 1, name, length);
	key[1 + length] = '\0';
	return 1 + length;
}

static struct entry *entry_find(const struct crowds *crowds, unsigned family, const char *name, size_t length)
{
	char key[1 + HOSTNAME_FQDN_SIZE];
	size_t key_length = make_key(key, family, name, length);
	struct table_link *link = key_length > 0 ? table_find(&crowds->table, key, key_length) : NULL;

	return link != NULL ? TABLE_ENTRY(link, struct entry, link) : NULL;
}

/* NULL: without memory for it all of the name is served, which is what nobody asks to be kept from. */
static struct entry *entry_add(struct crowds *crowds, unsigned family, const char *name, size_t length)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return NULL;
	entry->length = make_key(entry->key, family, name, length);
	if (entry->length == 0) {
		free(entry);
		return NULL;
	}
	table_add(&crowds->table, &entry->link);
	DL_APPEND(crowds->entries, entry);
	return entry;
}

void crowds_begin(struct crowds *crowds)
{
	struct entry *entry;

	DL_FOREACH (crowds->entries, entry)
		entry->count = entry->seen = 0;
}

void crowds_count(struct crowds *crowds, unsigned family, const char *name, size_t length)
{
	struct entry *entry = entry_find(crowds, family, name, length);

	if (entry == NULL)
		entry = entry_add(crowds, family, name, length);
	if (entry != NULL)
		entry->count++;
}

/* How much longer than the first domain's the name's own is, where that counts. */
static size_t further(const char *name, size_t length, const char (*domains)[HOSTNAME_FQDN_SIZE], size_t ndomains)
{
	size_t first = strlen(domains[0]);

	for (size_t i = 1; i < ndomains; i++) {
		size_t own = strlen(domains[i]);

		if (length > own && name[length - own - 1] == '.' && memcmp(name + length - own, domains[i], own) == 0)
			return own - first; /* may be less: unsigned, and it wraps back in the sum */
	}
	return 0;
}

static size_t entry_room(const struct crowds *crowds, const struct entry *entry, const char (*domains)[HOSTNAME_FQDN_SIZE], size_t ndomains)
{
	const char *name = entry->key + 1;
	size_t length = entry->length - 1, besides = crowds->besides;

	if (besides == CROWDS_ENDLESS)
		return CROWDS_ENDLESS;
	if (besides > 0)
		besides += further(name, length, domains, ndomains);
	return crowds_room(length, entry->key[0] == '4' ? 4 : 6, besides);
}

void crowds_counted(struct crowds *crowds, const char (*domains)[HOSTNAME_FQDN_SIZE], size_t ndomains)
{
	struct entry *entry, *next;

	crowds->over = 0;
	DL_FOREACH_SAFE (crowds->entries, entry, next) {
		if (entry->count == 0) {
			entry_forget(crowds, entry);
			continue;
		}
		entry->room = entry_room(crowds, entry, domains, ndomains);
		crowds->over += entry->count > entry->room;
		if (entry->count <= entry->room || entry->start >= entry->count)
			entry->start = 0;
	}
}

bool crowds_serve(struct crowds *crowds, unsigned family, const char *name, size_t length)
{
	struct entry *entry = entry_find(crowds, family, name, length);

	if (entry == NULL || entry->count <= entry->room)
		return true;
	return (entry->seen++ + entry->count - entry->start) % entry->count < entry->room;
}

void crowds_turn(struct crowds *crowds)
{
	struct entry *entry;

	DL_FOREACH (crowds->entries, entry)
		if (entry->count > entry->room)
			entry->start = (entry->start + entry->room) % entry->count;
}

size_t crowds_over(const struct crowds *crowds)
{
	return crowds->over;
}

static struct crowd crowd_of(const struct entry *entry)
{
	return (struct crowd){.name = entry->key + 1, .family = entry->key[0] == '4' ? 4 : 6, .count = entry->count, .room = entry->room};
}

bool crowds_find(const struct crowds *crowds, unsigned family, const char *name, struct crowd *out)
{
	const struct entry *entry = entry_find(crowds, family, name, strlen(name));

	if (entry == NULL || entry->count <= entry->room)
		return false;
	*out = crowd_of(entry);
	return true;
}

void crowds_news(struct crowds *crowds, void (*visit)(void *arg, const struct crowd *crowd, bool over), void *arg)
{
	struct entry *entry;

	DL_FOREACH (crowds->entries, entry) {
		struct crowd crowd = crowd_of(entry);
		bool over = entry->count > entry->room;

		/* One that comes and goes at the bound is told of once. */
		if (over == entry->told || (!over && entry->count > entry->room / 4 * 3))
			continue;
		entry->told = over;
		visit(arg, &crowd, over);
	}
}
