#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/registry/table.h"
#include "tests/unit/range.h"

#define ENTRIES 5000

struct entry {
	uint32_t number;
	struct table_link link;
	char text[12];
};

static struct entry entries[ENTRIES];
static bool no_memory;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

static const void *entry_key(const struct table_link *link, size_t *length)
{
	const struct entry *entry = TABLE_ENTRY(link, const struct entry, link);

	*length = strlen(entry->text);
	return entry->text;
}

static struct entry *find(const struct table *table, const char *text)
{
	struct table_link *link = table_find(table, text, strlen(text));

	return link != NULL ? TABLE_ENTRY(link, struct entry, link) : NULL;
}

static void assert_holds(const struct table *table, uint32_t from, uint32_t to)
{
	assert_int_equal(table->count, to - from);
	for (uint32_t i = 0; i < ENTRIES; i++)
		assert_ptr_equal(find(table, entries[i].text), i >= from && i < to ? &entries[i] : NULL);
}

static int setup(void **state)
{
	(void)state;
	no_memory = false;
	/* Of lengths from 1 to 4, so that some begin with others. */
	for (uint32_t i = 0; i < ENTRIES; i++) {
		entries[i].number = i;
		snprintf(entries[i].text, sizeof entries[i].text, "%x", i);
	}
	return 0;
}

static void an_empty_table_has_nothing(void **state)
{
	struct table table = TABLE_EMPTY(entry_key);

	(void)state;
	assert_null(find(&table, ""));
	assert_null(find(&table, "0"));
	table_clear(&table, NULL);
}

static void what_was_added_is_found_until_it_is_removed(void **state)
{
	struct table table = TABLE_EMPTY(entry_key);

	(void)state;
	for (uint32_t i = 0; i < ENTRIES; i++) {
		table_add(&table, &entries[i].link);
		if ((i & (i + 1)) == 0) /* around each growth */
			assert_holds(&table, 0, i + 1);
	}
	for (uint32_t i = 0; i < ENTRIES; i++) {
		table_remove(&table, &entries[i].link);
		if ((i & (i + 1)) == 0)
			assert_holds(&table, i + 1, ENTRIES);
	}
	assert_int_equal(table.count, 0);
	assert_null(table.buckets); /* nothing is left to be freed */
}

static void a_key_is_found_by_all_of_its_bytes(void **state)
{
	struct table table = TABLE_EMPTY(entry_key);

	(void)state;
	table_add(&table, &entries[0x12].link);
	assert_null(find(&table, "1"));
	assert_null(find(&table, "123"));
	assert_null(find(&table, ""));
	assert_ptr_equal(find(&table, "12"), &entries[0x12]);
	table_remove(&table, &entries[0x12].link);
}

static void without_memory_it_only_gets_fuller(void **state)
{
	struct table table = TABLE_EMPTY(entry_key);

	(void)state;
	no_memory = true;
	for (uint32_t i = 0; i < 100; i++)
		table_add(&table, &entries[i].link);
	assert_null(table.buckets);
	assert_holds(&table, 0, 100);
	no_memory = false;
	table_add(&table, &entries[100].link);
	assert_non_null(table.buckets);
	assert_holds(&table, 0, 101);
	no_memory = true;
	for (uint32_t i = 101; i < ENTRIES; i++)
		table_add(&table, &entries[i].link);
	assert_holds(&table, 0, ENTRIES);
	table_clear(&table, NULL);
	assert_holds(&table, 0, 0);
}

/* ---- keys that somebody has chosen ---- */

#define CHOSEN 1000

struct chosen {
	uint64_t key[2];
	struct table_link link;
};

static unsigned long looked_at;

static const void *chosen_key(const struct table_link *link, size_t *length)
{
	const struct chosen *entry = TABLE_ENTRY(link, const struct chosen, link);

	looked_at++;
	*length = sizeof entry->key;
	return entry->key;
}

/* Whoever knows that the factor is 1 makes keys whose second half takes back what the first has done. */
static void choose_second_half(struct chosen *entry, uint64_t i)
{
	entry->key[0] = i;
	entry->key[1] = sizeof entry->key ^ i ^ 0x5555;
}

/* In the lower half of a product these change no bit that tells the bucket, whatever the factor is. */
static void choose_top_bits(struct chosen *entry, uint64_t i)
{
	entry->key[0] = i << 48;
	entry->key[1] = 0;
}

/* How many entries are looked at to find each once, on average. */
static unsigned long looked_at_each(void (*choose)(struct chosen *entry, uint64_t i))
{
	static struct chosen chosen[CHOSEN];
	struct table table = TABLE_EMPTY(chosen_key);
	unsigned long sum = 0;

	for (uint64_t i = 0; i < CHOSEN; i++) {
		choose(&chosen[i], i);
		table_add(&table, &chosen[i].link);
	}
	for (unsigned i = 0; i < CHOSEN; i++) {
		looked_at = 0;
		assert_ptr_equal(table_find(&table, chosen[i].key, sizeof chosen[i].key), &chosen[i].link);
		sum += looked_at;
	}
	table_clear(&table, NULL);
	return sum / CHOSEN;
}

static void nobody_chooses_the_bucket(void **state)
{
	(void)state;
	table_seed(0, 1);
	assert_int_in_range(looked_at_each(choose_second_half), CHOSEN / 4, CHOSEN); /* or these keys show nothing */
	assert_int_in_range(looked_at_each(choose_top_bits), CHOSEN / 4, CHOSEN);
	table_seed(0x0123456789abcdef, 0xfedcba9876543210);
	assert_int_in_range(looked_at_each(choose_second_half), 1, 4);
	assert_int_in_range(looked_at_each(choose_top_bits), 1, 4);
}

static unsigned freed[ENTRIES];

static void note_freed(struct table_link *link)
{
	struct entry *entry = TABLE_ENTRY(link, struct entry, link);

	freed[entry->number]++;
	memset(entry, 0xff, sizeof *entry); /* as if it were freed: nobody may look at it again */
}

static void clearing_frees_each_entry_once(void **state)
{
	static const uint32_t counts[] = {0, 1, 2, 3, ENTRIES};

	for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
		struct table table = TABLE_EMPTY(entry_key);

		setup(state);
		memset(freed, 0, sizeof freed);
		for (uint32_t i = 0; i < counts[k]; i++)
			table_add(&table, &entries[i].link);
		table_clear(&table, note_freed);
		for (uint32_t i = 0; i < ENTRIES; i++)
			assert_int_equal(freed[i], i < counts[k]);
		assert_int_equal(table.count, 0);
		assert_null(table.buckets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_table_has_nothing, setup),
		cmocka_unit_test_setup(what_was_added_is_found_until_it_is_removed, setup),
		cmocka_unit_test_setup(a_key_is_found_by_all_of_its_bytes, setup),
		cmocka_unit_test_setup(without_memory_it_only_gets_fuller, setup),
		cmocka_unit_test_setup(nobody_chooses_the_bucket, setup),
		cmocka_unit_test_setup(clearing_frees_each_entry_once, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
