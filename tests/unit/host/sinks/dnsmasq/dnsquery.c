#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/sinks/dnsmasq/dnsquery.h"
#include "tests/unit/exact.h"

#define ID   0x1234
#define NAME "serial.callsign.docker"

/* An answer under construction. */
struct packet {
	uint8_t bytes[2048];
	size_t length;
};

static void put(struct packet *packet, const void *bytes, size_t length)
{
	assert_true(packet->length + length <= sizeof(packet->bytes));
	memcpy(packet->bytes + packet->length, bytes, length);
	packet->length += length;
}

static void put16(struct packet *packet, unsigned value)
{
	uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	put(packet, bytes, 2);
}

/* The question of NAME as a server sends it back, with these flags and this many answers to come. */
static struct packet reply(unsigned flags, unsigned answers)
{
	struct packet packet = {.length = 0};
	int length = dnsquery_build(ID, NAME, packet.bytes);

	assert_true(length > 0);
	packet.length = 2;
	put16(&packet, flags);
	put16(&packet, 1);
	put16(&packet, answers);
	packet.length = (size_t)length;
	return packet;
}

/* A record whose owner is a pointer to the question's name (offset 12). */
static void put_record(struct packet *packet, unsigned type, const void *data, unsigned length)
{
	put16(packet, 0xc00c);
	put16(packet, type);
	put16(packet, 1);
	put16(packet, 0);
	put16(packet, 0);
	put16(packet, length);
	put(packet, data, length);
}

static enum dnsquery_result parse(const struct packet *packet, struct dnsquery_answer *answer)
{
	char *copy = exact_copy(packet->bytes, packet->length);
	enum dnsquery_result result = dnsquery_parse((const uint8_t *)copy, packet->length, ID, NAME, answer);

	free(copy);
	return result;
}

static enum dnsquery_result parse_only(const struct packet *packet)
{
	struct dnsquery_answer answer;
	enum dnsquery_result result = parse(packet, &answer);

	assert_int_equal(answer.naddresses, 0);
	return result;
}

static void a_query_is_what_rfc_1035_says(void **state)
{
	static const uint8_t expected[] = "\x12\x34\0\0\0\1\0\0\0\0\0\0\6serial\x08"
					  "callsign\6docker\0\0\1\0\1";
	uint8_t query[DNSQUERY_SIZE];

	(void)state;
	assert_int_equal(dnsquery_build(ID, NAME, query), sizeof(expected) - 1);
	assert_memory_equal(query, expected, sizeof(expected) - 1);
}

static void names_that_do_not_fit_are_refused(void **state)
{
	char label64[65], name253[254], name255[256];
	uint8_t query[DNSQUERY_SIZE];

	(void)state;
	memset(label64, 'a', 64);
	label64[64] = '\0';
	memset(name255, 'a', 255);
	for (size_t i = 1; i < 255; i += 2)
		name255[i] = '.';
	name255[255] = '\0';
	memcpy(name253, name255, 253);
	name253[253] = '\0';
	assert_int_equal(dnsquery_build(ID, label64, query), -1);
	assert_int_equal(dnsquery_build(ID, name255, query), -1);
	assert_int_equal(dnsquery_build(ID, name253, query), 12 + 255 + 4);
	assert_int_equal(dnsquery_build(ID, "", query), -1);
	assert_int_equal(dnsquery_build(ID, "a..b", query), -1);
	assert_int_equal(dnsquery_build(ID, ".a", query), -1);
	assert_int_equal(dnsquery_build(ID, "a.", query), -1);
}

static void answers_are_read(void **state)
{
	struct packet packet = reply(0x8580, 3);
	struct dnsquery_answer answer;

	(void)state;
	put_record(&packet, 1, "\x7f\x80\0\1", 4);
	put_record(&packet, 28, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16); /* another type */
	put_record(&packet, 1, "\x7f\xff\xff\xff", 4);
	assert_int_equal(parse(&packet, &answer), DNSQUERY_ANSWERED);
	assert_int_equal(answer.naddresses, 2);
	assert_int_equal(answer.addresses[0], 0x7f800001);
	assert_int_equal(answer.addresses[1], 0x7fffffff);
}

/* What an authority adds: its server's name. */
static void what_stands_behind_the_addresses_is_counted(void **state)
{
	struct packet packet = reply(0x8580, 1);
	struct dnsquery_answer answer;

	(void)state;
	put_record(&packet, 1, "\x7f\x80\0\1", 4);
	assert_int_equal(parse(&packet, &answer), DNSQUERY_ANSWERED);
	assert_int_equal(answer.besides, 0);
	packet.bytes[9] = 1; /* one in the authority section */
	put_record(&packet, 2, "\2ns\6docker", 11);
	assert_int_equal(parse(&packet, &answer), DNSQUERY_ANSWERED);
	assert_int_equal(answer.naddresses, 1);
	assert_int_equal(answer.besides, 12 + 11);
}

static void more_addresses_than_fit_are_left_out(void **state)
{
	struct packet packet = reply(0x8580, DNSQUERY_ADDRESSES_MAX + 2);
	struct dnsquery_answer answer;

	(void)state;
	for (int i = 0; i < DNSQUERY_ADDRESSES_MAX + 2; i++)
		put_record(&packet, 1, "\x7f\x80\0\1", 4);
	assert_int_equal(parse(&packet, &answer), DNSQUERY_ANSWERED);
	assert_int_equal(answer.naddresses, DNSQUERY_ADDRESSES_MAX);
}

static void an_answer_without_address_says_which_kind(void **state)
{
	struct packet nothing = reply(0x8580, 0), no_name = reply(0x8583, 0), refused = reply(0x8585, 0),
		      failed = reply(0x8582, 0);
	struct packet odd = reply(0x8580, 1);

	(void)state;
	assert_int_equal(parse_only(&nothing), DNSQUERY_NO_DATA);
	assert_int_equal(parse_only(&no_name), DNSQUERY_NO_NAME);
	assert_int_equal(parse_only(&refused), DNSQUERY_REFUSED);
	assert_int_equal(parse_only(&failed), DNSQUERY_REFUSED);
	put_record(&odd, 1, "\x7f\x80\0", 3); /* an A record of three bytes is none */
	assert_int_equal(parse_only(&odd), DNSQUERY_NO_DATA);
}

static void letters_may_change_their_case(void **state)
{
	struct packet packet = reply(0x8580, 1);
	struct dnsquery_answer answer;

	(void)state;
	packet.bytes[13] = 'S';
	put_record(&packet, 1, "\x7f\x80\0\1", 4);
	assert_int_equal(parse(&packet, &answer), DNSQUERY_ANSWERED);
}

static void what_answers_another_question_is_not_ours(void **state)
{
	struct packet other_id = reply(0x8580, 0), query = reply(0x0100, 0), other_name = reply(0x8580, 0),
		      other_type = reply(0x8580, 0);

	(void)state;
	other_id.bytes[0] ^= 1;
	assert_int_equal(parse_only(&other_id), DNSQUERY_NOT_OURS);
	assert_int_equal(parse_only(&query), DNSQUERY_NOT_OURS);
	other_name.bytes[14] = 'x';
	assert_int_equal(parse_only(&other_name), DNSQUERY_NOT_OURS);
	other_type.bytes[other_type.length - 3] = 28;
	assert_int_equal(parse_only(&other_type), DNSQUERY_NOT_OURS);
}

static void a_record_of_another_name_is_not_taken(void **state)
{
	struct packet packet = reply(0x8580, 1);

	(void)state;
	put(&packet, "\4evil\0", 6);
	put16(&packet, 1);
	put16(&packet, 1);
	put16(&packet, 0);
	put16(&packet, 0);
	put16(&packet, 4);
	put(&packet, "\x7f\x80\0\1", 4);
	assert_int_equal(parse_only(&packet), DNSQUERY_NO_DATA);
}

/* Every prefix, and every single byte changed to a few others: no over-read (ASan), and never an answer out of nothing.
 */
static void damaged_answers_do_no_harm(void **state)
{
	static const uint8_t values[] = {0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff};
	struct packet packet = reply(0x8580, 1), damaged;
	struct dnsquery_answer answer;

	(void)state;
	put_record(&packet, 1, "\x7f\x80\0\1", 4);
	for (size_t length = 0; length < packet.length; length++) {
		damaged = packet;
		damaged.length = length;
		assert_int_equal(parse_only(&damaged), DNSQUERY_NOT_OURS);
	}
	for (size_t i = 0; i < packet.length; i++)
		for (size_t j = 0; j < COUNT(values); j++) {
			damaged = packet;
			damaged.bytes[i] = values[j];
			parse(&damaged, &answer);
			assert_true(answer.naddresses <= 1);
		}
}

static void names_that_point_in_circles_end(void **state)
{
	struct packet packet = reply(0x8580, 1);

	(void)state;
	packet.bytes[12] = 0xc0; /* the question's name points to itself */
	packet.bytes[13] = 12;
	assert_int_equal(parse_only(&packet), DNSQUERY_NOT_OURS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_what_rfc_1035_says),
		cmocka_unit_test(names_that_do_not_fit_are_refused),
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(what_stands_behind_the_addresses_is_counted),
		cmocka_unit_test(more_addresses_than_fit_are_left_out),
		cmocka_unit_test(an_answer_without_address_says_which_kind),
		cmocka_unit_test(letters_may_change_their_case),
		cmocka_unit_test(what_answers_another_question_is_not_ours),
		cmocka_unit_test(a_record_of_another_name_is_not_taken),
		cmocka_unit_test(damaged_answers_do_no_harm),
		cmocka_unit_test(names_that_point_in_circles_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
