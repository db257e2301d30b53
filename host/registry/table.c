#include <config.h>

#include "table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 16 /* a power of two */
#define BUCKET_FULL 2  /* entries in each on average: with more of them there are more buckets */

/* Below this many there are four times as many then, so that what grows at once is seldom spread anew; from it on (megabytes), twice as many. */
#define LEAP_BELOW 65536

/* Until table_seed(): the same in each process, for tests. */
static struct {
	uint64_t start, factor;
} secret = {0, 0xbf58476d1ce4e5b9U};

void table_seed(uint64_t start, uint64_t factor)
{
	secret.start = start;
	secret.factor = factor | 1;
}

/* The upper half of a product: one instruction where the compiler has a type for all of it, which those for 32 bits have not. */
#if defined(__SIZEOF_INT128__) && !defined(TABLE_IN_HALVES)
__extension__ typedef unsigned __int128 product;

static uint64_t upper(uint64_t a, uint64_t b)
{
	return (uint64_t)((product)a * b >> 64);
}
#else
static uint64_t upper(uint64_t a, uint64_t b)
{
	uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
	uint64_t middle = a_high * b_low + (a_low * b_low >> 32);
	uint64_t other = a_low * b_high + (uint32_t)middle;

	return a_high * b_high + (middle >> 32) + (other >> 32);
}
#endif

/* The halves of a product, folded: each bit of the word changes about half of the result, which ones is for the secret factor to say. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	return (hash ^ word) * secret.factor ^ upper(hash ^ word, secret.factor);
}

/* Eight bytes at a time. Keys are short, and looked for several times in each message. */
static size_t index_of(const struct table *table, const void *key, size_t length)
{
	const char *at = key;
	uint64_t hash = secret.start ^ length, word;

	for (; length >= sizeof word; length -= sizeof word, at += sizeof word) {
		memcpy(&word, at, sizeof word);
		hash = mix(hash, word);
	}
	word = 0;
	for (size_t i = 0; i < length; i++)
		word = word << 8 | (unsigned char)at[i];
	return mix(hash, word) & table->mask;
}

static struct table_link **bucket_of(struct table *table, const struct table_link *link)
{
	size_t length;
	const void *key = table->key(link, &length);

	return table->buckets != NULL ? &table->buckets[index_of(table, key, length)] : &table->first;
}

static void push(struct table_link **bucket, struct table_link *link)
{
	link->next = *bucket;
	*bucket = link;
}

static struct table_link *pop(struct table_link **bucket)
{
	struct table_link *link = *bucket;

	if (link != NULL)
		*bucket = link->next;
	return link;
}

static size_t buckets(const struct table *table)
{
	return table->buckets != NULL ? table->mask + 1 : 1;
}

static void table_grow(struct table *table)
{
	struct table old = *table;
	struct table_link *link;

	table->mask = (old.buckets != NULL ? buckets(&old) * (buckets(&old) < LEAP_BELOW ? 4 : 2) : BUCKETS_MIN) - 1;
	table->buckets = calloc(table->mask + 1, sizeof *table->buckets);
	if (table->buckets == NULL) {
		*table = old;
		return;
	}
	table->first = NULL;
	for (size_t i = 0; i < buckets(&old); i++) {
		while ((link = pop(old.buckets != NULL ? &old.buckets[i] : &old.first)) != NULL)
			push(bucket_of(table, link), link);
	}
	free(old.buckets);
}

struct table_link *table_find(const struct table *table, const void *key, size_t length)
{
	struct table_link *link = table->buckets != NULL ? table->buckets[index_of(table, key, length)] : table->first;
	const void *other;
	size_t other_length;

	for (; link != NULL; link = link->next) {
		other = table->key(link, &other_length);
		if (other_length == length && memcmp(other, key, length) == 0)
			return link;
	}
	return NULL;
}

void table_add(struct table *table, struct table_link *link)
{
	if (table->count >= BUCKET_FULL * buckets(table))
		table_grow(table);
	push(bucket_of(table, link), link);
	table->count++;
}

void table_remove(struct table *table, struct table_link *link)
{
	struct table_link **at = bucket_of(table, link);

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	if (--table->count == 0)
		table_clear(table, NULL);
}

void table_clear(struct table *table, void (*free_entry)(struct table_link *link))
{
	struct table_link *link;

	for (size_t i = 0; free_entry != NULL && i < buckets(table); i++) {
		while ((link = pop(table->buckets != NULL ? &table->buckets[i] : &table->first)) != NULL)
			free_entry(link);
	}
	free(table->buckets);
	*table = (struct table)TABLE_EMPTY(table->key);
}
