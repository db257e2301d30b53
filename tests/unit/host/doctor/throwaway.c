#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/doctor/bridges.h"
#include "host/doctor/throwaway.h"

#define HEAD "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
#define DEFAULT_ROUTE "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"

static void assert_network(const char *near, const char *routes, const char *expected)
{
	char out[ADDRESS_TEXT_SIZE] = "";
	struct address address;

	assert_int_equal(address_parse(near, strlen(near), &address), 0);
	assert_int_equal(throwaway_network(&address, routes, out), expected[0] != '\0' ? 0 : -1);
	assert_string_equal(out, expected);
}

/* Beside the containers' own, so that a rule for their addresses means it, too. */
static void test_in_the_same_block(void **state)
{
	(void)state;
	assert_network("172.17.0.1", HEAD DEFAULT_ROUTE, "172.31.255.252");
	assert_network("192.168.77.1", HEAD, "192.168.255.252");
	assert_network("10.9.0.1", "", "10.255.255.252");
	assert_network("198.18.0.1", HEAD, "198.19.255.252");
	assert_network("203.0.113.1", HEAD, "172.31.255.252");
}

/* As x86-64 prints them: the bytes of an address from the last to the first. */
static void test_what_somebody_has_is_left_alone(void **state)
{
	(void)state;
	if (*(const uint8_t *)&(const uint16_t){1} != 1)
		skip();
	assert_network("172.17.0.1", HEAD DEFAULT_ROUTE "eth1\tFCFF1FAC\t00000000\t0001\t0\t0\t0\tFCFFFFFF\t0\t0\t0\n", "172.31.255.248");
	assert_network("172.17.0.1", HEAD "eth1\tFEFF1FAC\t00000000\t0001\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n", "172.31.255.248");
	assert_network("172.17.0.1", HEAD "eth1\t00FF1FAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", "");
	assert_network("172.17.0.1", HEAD "eth1\t000010AC\t00000000\t0001\t0\t0\t0\t0000F0FF\t0\t0\t0\n", "");
}

static void test_patterns_of_interfaces(void **state)
{
	(void)state;
	assert_true(bridges_match("br-*", "br-0123456789ab"));
	assert_true(bridges_match("docker0", "docker0"));
	assert_true(bridges_match("*", "docker0"));
	assert_false(bridges_match("br-*", "br0"));
	assert_false(bridges_match("docker", "docker0"));
	assert_false(bridges_match("", "docker0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_the_same_block),
		cmocka_unit_test(test_what_somebody_has_is_left_alone),
		cmocka_unit_test(test_patterns_of_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
