#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "shared/gateway.h"
#include "tests/unit/exact.h"

/* /proc prints addresses as this machine's number of the bytes in network order. */
static const char *route4(char line[256], const char *gateway, const char *flags, const char *metric, const char *destination,
                          const char *mask)
{
	struct in_addr address;

	assert_int_equal(inet_pton(AF_INET, gateway, &address), 1);
	snprintf(line, 256, "eth0\t%s\t%08X\t%s\t0\t0\t%s\t%s\t0\t0\t0\n", destination, address.s_addr, flags, metric, mask);
	return line;
}

static int parse4(const char *line, unsigned long *metric, char out[GATEWAY_TEXT_SIZE])
{
	char *copy = exact_copy(line, strlen(line) + 1);
	int result = gateway_parse_ipv4(copy, metric, out);

	free(copy);
	return result;
}

static int parse6(const char *line, unsigned long *metric, char out[GATEWAY_TEXT_SIZE])
{
	char *copy = exact_copy(line, strlen(line) + 1);
	int result = gateway_parse_ipv6(copy, metric, out);

	free(copy);
	return result;
}

static void reads_the_default_route(void **state)
{
	char line[256], out[GATEWAY_TEXT_SIZE];
	unsigned long metric;

	(void)state;
	assert_int_equal(parse4(route4(line, "172.17.0.1", "0003", "100", "00000000", "00000000"), &metric, out), 0);
	assert_string_equal(out, "172.17.0.1");
	assert_int_equal(metric, 100);
}

static void passes_over_other_routes(void **state)
{
	char line[256], out[GATEWAY_TEXT_SIZE];
	unsigned long metric;

	(void)state;
	/* A network, half of a default route, one that is down, one without a gateway, the heading, nonsense. */
	assert_int_equal(parse4(route4(line, "172.17.0.1", "0003", "0", "000011AC", "0000FFFF"), &metric, out), -1);
	assert_int_equal(parse4(route4(line, "172.17.0.1", "0003", "0", "00000000", "00000080"), &metric, out), -1);
	assert_int_equal(parse4(route4(line, "172.17.0.1", "0002", "0", "00000000", "00000000"), &metric, out), -1);
	assert_int_equal(parse4(route4(line, "0.0.0.0", "0001", "0", "00000000", "00000000"), &metric, out), -1);
	assert_int_equal(parse4("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n", &metric, out), -1);
	assert_int_equal(parse4("", &metric, out), -1);
	assert_int_equal(parse4("eth0\t00000000\t0101\n", &metric, out), -1);
}

#define ZERO "00000000000000000000000000000000"

static void reads_the_ipv6_default_route(void **state)
{
	char out[GATEWAY_TEXT_SIZE];
	unsigned long metric;

	(void)state;
	assert_int_equal(parse6(ZERO " 00 " ZERO " 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n",
	                        &metric, out),
	                 0);
	assert_string_equal(out, "fd00::1");
	assert_int_equal(metric, 0x400);
	assert_int_equal(parse6(ZERO " 00 " ZERO " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n",
	                        &metric, out),
	                 0);
	assert_string_equal(out, "fe80::1%eth0");
}

static void a_link_local_gateway_on_the_longest_name_fits(void **state)
{
	char out[GATEWAY_TEXT_SIZE];
	unsigned long metric;

	(void)state;
	assert_int_equal(parse6(ZERO " 00 " ZERO " 00 fe801111222233334444555566667777 00000400 00000001 00000000 00000003 "
	                             "abcdefghijklmno\n",
	                        &metric, out),
	                 0);
	assert_string_equal(out, "fe80:1111:2222:3333:4444:5555:6666:7777%abcdefghijklmno");
}

static void passes_over_other_ipv6_routes(void **state)
{
	static const char *const lines[] = {
		/* a network; the kernel's own default without a gateway; one that is down; cut; nonsense */
		"fd000000000000000000000000000000 40 " ZERO " 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n",
		"20010000000000000000000000000000 00 " ZERO " 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n",
		ZERO " 00 " ZERO " 00 " ZERO " ffffffff 00000001 00000000 00200200       lo\n",
		ZERO " 00 " ZERO " 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000002 eth0\n",
		ZERO " 00 " ZERO " 00 fd00 00000400 00000001 00000000 00000003 eth0\n",
		ZERO " 00 " ZERO " 00 fd000000000000000000000000000001\n",
		"",
		"what\n",
	};
	char out[GATEWAY_TEXT_SIZE];
	unsigned long metric;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++)
		assert_int_equal(parse6(lines[i], &metric, out), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_default_route),
		cmocka_unit_test(passes_over_other_routes),
		cmocka_unit_test(reads_the_ipv6_default_route),
		cmocka_unit_test(a_link_local_gateway_on_the_longest_name_fits),
		cmocka_unit_test(passes_over_other_ipv6_routes),
	};

	return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
