#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/contract/place.h"
#include "shared/sha256.h"
#include "tests/unit/exact.h"

#define BOOT "16692684-f0b5-440c-a9eb-8f78f531f7bb"

/* ---- SHA-256: FIPS 180-4's own examples, and every length around the ends of blocks ---- */

static const char *sum(const char *text, size_t length)
{
	static char out[2 * SHA256_SIZE + 1];
	char *copy = exact_copy(text, length);
	uint8_t bytes[SHA256_SIZE];

	sha256(copy, length, bytes);
	free(copy);
	for (unsigned i = 0; i < SHA256_SIZE; i++)
		snprintf(out + (size_t)2 * i, 3, "%02x", bytes[i]);
	return out;
}

static void hashes_as_the_standard_says(void **state)
{
	static const char longer[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	char *million = malloc(1000000);

	(void)state;
	assert_string_equal(sum("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_string_equal(sum("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(sum(longer, sizeof(longer) - 1), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	assert_non_null(million);
	memset(million, 'a', 1000000);
	assert_string_equal(sum(million, 1000000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

/* As sha256sum says of so many letters x. */
static void hashes_at_the_ends_of_blocks(void **state)
{
	static const struct {
		size_t length;
		const char *begins;
	} rows[] = {
		{1, "2d711642b726b044"},
		{54, "45f316e10b2c99ab"},
		{55, "d5e285683cd4efc0"},
		{56, "04c26261370ee754"},
		{57, "ae14a2563ccf969d"},
		{63, "75220b47218278e6"},
		{64, "7ce100971f64e700"},
		{65, "9537c5fdf120482f"},
		{119, "000b48d4edf0fa7b"},
		{120, "13f05a0b594787f5"},
		{127, "70156a14adbabf98"},
		{128, "24da1b81d0b16df6"},
		{129, "0ec9eb33e74510bc"},
	};
	char text[129];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < COUNT(rows); i++)
		if (strncmp(sum(text, rows[i].length), rows[i].begins, 16) != 0)
			fail_msg("%zu bytes", rows[i].length);
}

/* ---- places ---- */

static int parse(const char *text, struct place *out)
{
	char *copy = exact_copy(text, strlen(text));
	int result = place_parse(copy, strlen(text), out);

	free(copy);
	return result;
}

static void goes_there_and_back(void **state)
{
	static const char *const rows[] = {"0123456789abcdef/fedcba9876543210", "0000000000000001/0000000000000000", "ffffffffffffffff/ffffffffffffffff"};
	char out[PLACE_TEXT_SIZE];
	struct place place;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(parse(rows[i], &place), 0);
		assert_true(place_known(&place));
		assert_string_equal(place_format(&place, out), rows[i]);
	}
	assert_int_equal(parse("0000000000000000/0000000000000000", &place), 0);
	assert_false(place_known(&place));
}

static void refuses_other_spellings(void **state)
{
	static const char *const rows[] = {
		"", "/", "0123456789abcdef", "0123456789abcdef/", "0123456789abcdef/fedcba987654321", "0123456789abcdef/fedcba98765432100",
		"0123456789abcdef/FEDCBA9876543210", "0123456789abcdef-fedcba9876543210", "0123456789abcde/ffedcba9876543210",
		"0123456789abcdeg/fedcba9876543210", " 123456789abcdef/fedcba9876543210", "0123456789abcdef/fedcba987654321\n",
		"0x23456789abcdef/fedcba9876543210", "+123456789abcdef/fedcba9876543210", "0123456789abcdef/fedcba987654321\xff",
	};
	struct place place = {1, 2};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (parse(rows[i], &place) != -1 || place.host != 1 || place.netns != 2)
			fail_msg("\"%s\"", rows[i]);
}

/* docs/protocol.md shows these, for people who write an emitter in another language. */
static void is_made_as_the_protocol_says(void **state)
{
	char out[PLACE_TEXT_SIZE];
	struct place place, older;

	(void)state;
	place_make(BOOT, 4026532318, 4118, &place);
	assert_string_equal(place_format(&place, out), "713c2c7ca61b8e7f/58401abbd3868d16");
	place_make(BOOT, 4026532318, 0, &older);
	assert_string_equal(place_format(&older, out), "713c2c7ca61b8e7f/8c350b27309f2162");
}

static void a_namespace_with_another_ones_inode_is_another_place(void **state)
{
	struct place one, other;

	(void)state;
	place_make(BOOT, 4026532318, 4118, &one);
	place_make(BOOT, 4026532318, 4122, &other);
	assert_true(one.host == other.host);
	assert_false(place_equal(&one, &other));
	place_make("26692684-f0b5-440c-a9eb-8f78f531f7bb", 4026532318, 4118, &other);
	assert_false(one.host == other.host);
}

static void reads_its_own(void **state)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char boot_id[PLACE_BOOT_SIZE];
	struct place place, again;

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(strlen(place_read_boot_id(boot_id)), PLACE_BOOT_SIZE - 1);
	assert_int_equal(place_read(&place), 0);
	assert_true(place_known(&place));
	/* Whatever the socket is for. */
	assert_int_equal(place_of("/proc/self/ns/net", fd, &again), 0);
	assert_true(place_equal(&place, &again));
	close(fd);
	assert_int_equal(place_of("/proc/self/ns/none", -1, &again), -1);
	assert_false(place_known(&again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_as_the_standard_says),
		cmocka_unit_test(hashes_at_the_ends_of_blocks),
		cmocka_unit_test(goes_there_and_back),
		cmocka_unit_test(refuses_other_spellings),
		cmocka_unit_test(is_made_as_the_protocol_says),
		cmocka_unit_test(a_namespace_with_another_ones_inode_is_another_place),
		cmocka_unit_test(reads_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
