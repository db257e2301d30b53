#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared/address.h"
#include "tests/unit/exact.h"

static int parse(const char *text, size_t length, struct address *out)
{
	char *copy = exact_copy(text, length);
	int result = address_parse(copy, length, out);

	free(copy);
	return result;
}

static void accepts_and_formats(void **state)
{
	static const struct {
		const char *text, *canonical;
		uint8_t family;
	} rows[] = {
		{"0.0.0.0", "0.0.0.0", 4},
		{"198.18.0.1", "198.18.0.1", 4},
		{"255.255.255.255", "255.255.255.255", 4},
		{"::", "::", 6},
		{"::1", "::1", 6},
		{"FD00:0:0:0:0:0:0:2", "fd00::2", 6},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 6}, /* RFC 5952, 4.2.2: one zero is not shortened */
		{"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1", 6}, /* 4.2.3: the first of two runs */
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4", 6},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char out[ADDRESS_TEXT_SIZE];
		struct address address;

		memset(&address, 0xa5, sizeof(address));
		assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &address), 0);
		assert_int_equal(address.family, rows[i].family);
		assert_string_equal(address_format(&address, out), rows[i].canonical);
	}
}

static void leaves_no_rest_behind_ipv4(void **state)
{
	static const uint8_t zeros[12];
	struct address address;

	(void)state;
	memset(&address, 0xa5, sizeof(address));
	assert_int_equal(parse("10.1.2.3", 8, &address), 0);
	assert_memory_equal(address.bytes + 4, zeros, sizeof(zeros));
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const rows[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"01.2.3.4",
		"1.2.3.04",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.4\n",
		"1.2.3.4/32",
		"1.2.3.4:5672",
		"0x7f.0.0.1",
		"127.1",
		"1.2.3.-4",
		":",
		":::",
		"1::2::3",
		"fe80::1%eth0",
		"[::1]",
		"12345::",
		"::g",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"::1.2.3.4.5",
		"localhost",
		"1111:2222:3333:4444:5555:6666:255.255.255.2550",
		"\xff",
		"1.2.3.4\xc2\xa0",
	};
	struct address address, before;

	(void)state;
	memset(&address, 0xa5, sizeof(address));
	before = address;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (parse(rows[i], strlen(rows[i]), &address) != -1)
			fail_msg("\"%s\" was taken", rows[i]);
		assert_memory_equal(&address, &before, sizeof(address));
	}
	assert_int_equal(parse("10.0.0.1\0", 9, &address), -1);
	assert_int_equal(parse("10.0.0.1\0junk", 13, &address), -1);
	/* A longer buffer counts as far as it was said to. */
	assert_int_equal(parse("10.0.0.12", 8, &address), 0);
	assert_int_equal(address.bytes[3], 1);
}

static void takes_a_sockets_view(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(5672)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3};
	struct sockaddr_un other = {.sun_family = AF_UNIX};
	char text[ADDRESS_TEXT_SIZE];
	struct address address;

	(void)state;
	inet_pton(AF_INET, "198.18.0.7", &in.sin_addr);
	assert_int_equal(address_from_sockaddr((struct sockaddr *)&in, &address), 0);
	assert_string_equal(address_format(&address, text), "198.18.0.7");
	inet_pton(AF_INET6, "fd00::7", &in6.sin6_addr);
	assert_int_equal(address_from_sockaddr((struct sockaddr *)&in6, &address), 0);
	assert_string_equal(address_format(&address, text), "fd00::7");
	inet_pton(AF_INET6, "::ffff:198.18.0.9", &in6.sin6_addr);
	assert_int_equal(address_from_sockaddr((struct sockaddr *)&in6, &address), 0);
	assert_int_equal(address.family, 4);
	assert_string_equal(address_format(&address, text), "198.18.0.9");
	assert_int_equal(address_from_sockaddr((struct sockaddr *)&other, &address), -1);
}

static struct address make(const char *text)
{
	struct address address;

	if (address_parse(text, strlen(text), &address) == -1)
		fail_msg("\"%s\" is not an address", text);
	return address;
}

static void compares(void **state)
{
	struct address low = make("10.0.0.1"), high = make("10.0.0.2"), six = make("::a00:1"), same = make("10.0.0.1");

	(void)state;
	assert_true(address_equal(&low, &same));
	assert_false(address_equal(&low, &high));
	assert_false(address_equal(&low, &six));
	assert_int_equal(address_compare(&low, &same), 0);
	assert_true(address_compare(&low, &high) < 0);
	assert_true(address_compare(&high, &low) > 0);
	assert_true(address_compare(&high, &six) < 0);
}

static void says_what_may_not_be_announced(void **state)
{
	static const struct {
		const char *text, *word; /* NULL: may be announced */
	} rows[] = {
		{"0.0.0.0", "this network"},
		{"0.255.255.255", "this network"},
		{"1.0.0.0", NULL},
		{"126.255.255.255", NULL},
		{"127.0.0.1", "loopback"},
		{"127.255.255.255", "loopback"},
		{"128.0.0.0", NULL},
		{"169.253.255.255", NULL},
		{"169.254.0.0", "link-local"},
		{"169.254.255.255", "link-local"},
		{"169.255.0.0", NULL},
		{"10.0.0.1", NULL},
		{"172.17.0.2", NULL},
		{"192.168.0.1", NULL},
		{"100.64.0.1", NULL},
		{"198.18.0.1", NULL},
		{"223.255.255.255", NULL},
		{"224.0.0.1", "multicast"},
		{"239.255.255.255", "multicast"},
		{"240.0.0.0", "reserved"},
		{"255.255.255.254", "reserved"},
		{"255.255.255.255", "broadcast"},
		{"::", "unspecified"},
		{"::1", "loopback"},
		{"::2", "IPv4-compatible"},
		{"::10.0.0.1", "IPv4-compatible"},
		{"::1:0:0", NULL},
		{"::ffff:10.0.0.1", "IPv4-mapped"},
		{"fe7f::1", NULL},
		{"fe80::1", "link-local"},
		{"febf::1", "link-local"},
		{"fec0::1", "site-local"},
		{"feff::1", "site-local"},
		{"ff02::1", "multicast"},
		{"fd00::1", NULL},
		{"2001:db8::1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address address = make(rows[i].text);
		const char *why = address_unusable(&address);

		if ((why == NULL) != (rows[i].word == NULL) || (why != NULL && strstr(why, rows[i].word) == NULL))
			fail_msg("%s: %s", rows[i].text, why == NULL ? "usable" : why);
	}
}

static int parse_prefix(const char *text, struct prefix *out)
{
	char *copy = exact_copy(text, strlen(text));
	int result = prefix_parse(copy, strlen(text), out);

	free(copy);
	return result;
}

static void parses_prefixes(void **state)
{
	static const struct {
		const char *text;
		int length; /* -1: refused */
	} rows[] = {
		{"10.0.0.0/8", 8},
		{"0.0.0.0/0", 0},
		{"::/0", 0},
		{"10.1.2.3", 32},
		{"10.1.2.3/32", 32},
		{"fd00::/8", 8},
		{"fd00::1", 128},
		{"fd00::1/128", 128},
		{"10.128.0.0/9", 9},
		{"10.64.0.0/9", -1},
		{"10.0.0.1/8", -1},
		{"fd00::1/64", -1},
		{"10.0.0.0/33", -1},
		{"fd00::/129", -1},
		{"10.0.0.0/", -1},
		{"10.0.0.0/08", -1},
		{"10.0.0.0/-1", -1},
		{"10.0.0.0/+8", -1},
		{"10.0.0.0/8 ", -1},
		{"10.0.0.0/8/8", -1},
		{"/8", -1},
		{"", -1},
		{"10.0.0.0/0008", -1},
		{"10.0.0.0/4294967304", -1},
		{"10/8", -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prefix prefix;
		int result = parse_prefix(rows[i].text, &prefix);

		if (result != (rows[i].length == -1 ? -1 : 0) || (result == 0 && prefix.length != rows[i].length))
			fail_msg("\"%s\": %d", rows[i].text, result);
	}
}

static void matches_prefixes(void **state)
{
	static const struct {
		const char *prefix, *address;
		bool inside;
	} rows[] = {
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"172.16.0.0/12", "172.31.255.255", true},
		{"172.16.0.0/12", "172.32.0.0", false},
		{"0.0.0.0/0", "198.18.0.1", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "198.18.0.1", false},
		{"::/0", "fd00::1", true},
		{"10.1.2.3", "10.1.2.3", true},
		{"10.1.2.3", "10.1.2.2", false},
		{"fd00::1", "fd00::1", true},
		{"fd00::1", "fd00::2", false},
		{"fe80::/10", "febf::", true},
		{"fe80::/10", "fec0::", false},
		{"2001:db8::/33", "2001:db8:7fff::", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
		{"10.0.0.0/31", "10.0.0.1", true},
		{"10.0.0.0/31", "10.0.0.2", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address address = make(rows[i].address);
		struct prefix prefix;

		assert_int_equal(parse_prefix(rows[i].prefix, &prefix), 0);
		if (prefix_contains(&prefix, &address) != rows[i].inside)
			fail_msg("%s in %s", rows[i].address, rows[i].prefix);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_and_formats),
		cmocka_unit_test(leaves_no_rest_behind_ipv4),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(takes_a_sockets_view),
		cmocka_unit_test(compares),
		cmocka_unit_test(says_what_may_not_be_announced),
		cmocka_unit_test(parses_prefixes),
		cmocka_unit_test(matches_prefixes),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
