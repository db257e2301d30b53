#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/doctor/firewall.h"

static const struct firewall_packet dns = {"docker0", "udp", 53}, amqp = {"docker0", "tcp", 5672};
static char rule[300];

static enum firewall_verdict judge(const char *rules, const struct firewall_packet *packet)
{
	return firewall_input(rules, packet, rule, sizeof rule);
}

#define HEAD "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n"
#define HEAD_DROP "*filter\n:INPUT DROP [12:34]\n:FORWARD ACCEPT [0:0]\n"

static void test_policy(void **state)
{
	(void)state;
	assert_int_equal(judge("", &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(HEAD "COMMIT\n", &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(HEAD_DROP "COMMIT\n", &dns), FIREWALL_DROPS);
	assert_string_equal(rule, "-P INPUT DROP");
}

static void test_first_rule_decides(void **state)
{
	(void)state;
	assert_int_equal(judge(HEAD_DROP "-A INPUT -i docker0 -p udp -m udp --dport 53 -j ACCEPT\n", &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(HEAD_DROP "-A INPUT -i docker0 -p udp -m udp --dport 53 -j ACCEPT\n", &amqp), FIREWALL_DROPS);
	assert_int_equal(judge(HEAD "-A INPUT -p tcp -j DROP\n-A INPUT -j ACCEPT\n", &amqp), FIREWALL_DROPS);
	assert_string_equal(rule, "-A INPUT -p tcp -j DROP");
	assert_int_equal(judge(HEAD "-A INPUT -p tcp -m tcp --dport 5672 -j REJECT --reject-with tcp-reset\n", &amqp), FIREWALL_DROPS);
	assert_int_equal(judge(HEAD "-A INPUT -p tcp -j DROP\n", &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(HEAD "-A FORWARD -j DROP\n", &dns), FIREWALL_ACCEPTS);
}

static void test_interfaces(void **state)
{
	(void)state;
	assert_int_equal(judge(HEAD "-A INPUT -i docker+ -j DROP\n", &dns), FIREWALL_DROPS);
	assert_int_equal(judge(HEAD "-A INPUT -i docker1 -j DROP\n", &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(HEAD "-A INPUT ! -i lo -j DROP\n", &dns), FIREWALL_DROPS);
	assert_int_equal(judge(HEAD "-A INPUT ! -i docker0 -j DROP\n", &dns), FIREWALL_ACCEPTS);
}

static void test_ports(void **state)
{
	(void)state;
	assert_int_equal(judge(HEAD "-A INPUT -p tcp -m multiport --dports 22,5000:6000 -j DROP\n", &amqp), FIREWALL_DROPS);
	assert_int_equal(judge(HEAD "-A INPUT -p tcp -m multiport --dports 22,6000:7000 -j DROP\n", &amqp), FIREWALL_ACCEPTS);
	assert_int_equal(judge(HEAD "-A INPUT -p udp -m udp --dport 1: -j DROP\n", &dns), FIREWALL_DROPS);
	assert_int_equal(judge(HEAD "-A INPUT -p udp -m udp ! --dport 53 -j DROP\n", &dns), FIREWALL_ACCEPTS);
}

static void test_states(void **state)
{
	(void)state;
	assert_int_equal(judge(HEAD_DROP "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n", &dns), FIREWALL_DROPS);
	assert_int_equal(judge(HEAD_DROP "-A INPUT -m state --state NEW,ESTABLISHED -j ACCEPT\n", &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(HEAD "-A INPUT -m conntrack --ctstate INVALID -j DROP\n", &dns), FIREWALL_ACCEPTS);
}

static void test_chains(void **state)
{
	static const char rules[] = HEAD_DROP ":mine - [0:0]\n-A INPUT -j mine\n-A INPUT -p udp -j ACCEPT\n"
	                                      "-A mine -p tcp --dport 22 -j ACCEPT\n-A mine -i docker0 -p udp -j RETURN\n-A mine -j DROP\n";

	(void)state;
	assert_int_equal(judge(rules, &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(rules, &amqp), FIREWALL_DROPS);
	assert_string_equal(rule, "-A mine -j DROP");
	/* A goto does not come back: the policy decides. */
	assert_int_equal(judge(HEAD_DROP "-A INPUT -g mine\n-A INPUT -j ACCEPT\n-A mine -p tcp -j RETURN\n", &amqp), FIREWALL_DROPS);
	assert_int_equal(judge(HEAD "-A INPUT -j LOG --log-prefix \"-j DROP\"\n", &dns), FIREWALL_ACCEPTS);
	/* A chain that calls itself (the kernel refuses it) ends all the same. */
	assert_int_equal(judge(HEAD "-A INPUT -j mine\n-A mine -j mine\n", &dns), FIREWALL_ACCEPTS);
}

static void test_unknown_conditions_are_unsure(void **state)
{
	(void)state;
	assert_int_equal(judge(HEAD "-A INPUT -s 172.17.0.0/16 -j DROP\n", &dns), FIREWALL_UNSURE);
	assert_string_equal(rule, "-A INPUT -s 172.17.0.0/16 -j DROP");
	assert_int_equal(judge(HEAD "-A INPUT -s 172.17.0.0/16 -p tcp -j DROP\n", &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(HEAD_DROP "-A INPUT -m mark --mark 0x1 -j ACCEPT\n", &dns), FIREWALL_UNSURE);
	assert_int_equal(judge(HEAD "-A INPUT -m comment --comment \"no -p tcp\" -j DROP\n", &dns), FIREWALL_DROPS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy), cmocka_unit_test(test_first_rule_decides), cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_ports), cmocka_unit_test(test_states), cmocka_unit_test(test_chains),
		cmocka_unit_test(test_unknown_conditions_are_unsure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
