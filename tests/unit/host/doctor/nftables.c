#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/doctor/nftables.h"

static const struct firewall_packet dns = {"docker0", "udp", 53}, amqp = {"docker0", "tcp", 5672};
static struct nftables_place place;

/* What `nft --json list ruleset` prints, with ' for ". */
static enum firewall_verdict judge_as(const char *objects, const struct firewall_packet *packet, bool without_iptables)
{
	char text[8192];
	enum firewall_verdict verdict;
	json_t *ruleset;
	json_error_t error;

	snprintf(text, sizeof text, "{'nftables':[{'metainfo':{'json_schema_version':1}},%s]}", objects);
	for (char *at = text; *at != '\0'; at++)
		if (*at == '\'')
			*at = '"';
	ruleset = json_loads(text, 0, &error);
	if (ruleset == NULL)
		fail_msg("%s: %s", error.text, text);
	verdict = nftables_input(ruleset, packet, without_iptables, &place);
	json_decref(ruleset);
	return verdict;
}

static enum firewall_verdict judge(const char *objects, const struct firewall_packet *packet)
{
	return judge_as(objects, packet, false);
}

#define BASE(policy) "{'chain':{'family':'inet','table':'t','name':'in','type':'filter','hook':'input','prio':0,'policy':'" policy "'}}"
#define SUB "{'chain':{'family':'inet','table':'t','name':'sub'}}"
#define IN(chain, expr) ",{'rule':{'family':'inet','table':'t','chain':'" chain "','handle':7,'expr':[" expr "]}}"
#define RULE(expr) IN("in", expr)
#define MATCH(op, left, right) "{'match':{'op':'" op "','left':" left ",'right':" right "}}"
#define META(key) "{'meta':{'key':'" key "'}}"
#define FIELD(protocol, field) "{'payload':{'protocol':'" protocol "','field':'" field "'}}"
#define DOCKER MATCH("==", META("iifname"), "'docker0'")
#define DNS MATCH("==", FIELD("udp", "dport"), "53")
#define DROP "{'drop':null}"
#define ACCEPT "{'accept':null}"

static void test_policy(void **state)
{
	(void)state;
	assert_int_equal(judge("{}", &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("accept"), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("drop"), &dns), FIREWALL_DROPS);
	assert_string_equal(place.chain, "inet t in");
	assert_string_equal(place.rule, "policy drop");
}

static void test_rules(void **state)
{
	(void)state;
	assert_int_equal(judge(BASE("accept") RULE(DOCKER "," DNS "," DROP), &dns), FIREWALL_DROPS);
	assert_string_equal(place.rule, "the rule with handle 7 of inet t in");
	assert_int_equal(judge(BASE("accept") RULE(DOCKER "," DNS "," DROP), &amqp), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("accept") RULE(DNS ",{'reject':{'type':'icmp'}}"), &dns), FIREWALL_DROPS);
	assert_int_equal(judge(BASE("drop") RULE(DOCKER ",{'counter':{'packets':0,'bytes':0}}," ACCEPT), &amqp), FIREWALL_ACCEPTS);
	/* The first that decides. */
	assert_int_equal(judge(BASE("drop") RULE(DNS "," ACCEPT) RULE(DROP), &dns), FIREWALL_ACCEPTS);
}

static void test_values(void **state)
{
	(void)state;
	assert_int_equal(judge(BASE("drop") RULE(MATCH("==", META("iifname"), "'docker*'") "," ACCEPT), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("drop") RULE(MATCH("==", META("iif"), "{'set':['lo','docker0']}") "," ACCEPT), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("accept") RULE(MATCH("!=", META("iifname"), "'lo'") "," DROP), &dns), FIREWALL_DROPS);
	assert_int_equal(judge(BASE("accept") RULE(MATCH("!=", META("iifname"), "'docker0'") "," DROP), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("drop") RULE(MATCH("==", FIELD("tcp", "dport"), "{'set':[22,{'range':[5000,6000]}]}") "," ACCEPT), &amqp),
	                 FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("drop") RULE(MATCH("==", FIELD("tcp", "dport"), "{'range':[1,5671]}") "," ACCEPT), &amqp), FIREWALL_DROPS);
	/* Another protocol's port is not this one's, negated or not. */
	assert_int_equal(judge(BASE("accept") RULE(MATCH("!=", FIELD("tcp", "dport"), "22") "," DROP), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("accept") RULE(MATCH("==", META("l4proto"), "{'set':['tcp','udp']}") ","
	                                           MATCH("==", FIELD("th", "dport"), "53") "," DROP), &dns), FIREWALL_DROPS);
	assert_int_equal(judge(BASE("accept") RULE(MATCH("==", FIELD("ip", "protocol"), "'tcp'") "," DROP), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("accept") RULE(MATCH("==", META("nfproto"), "'ipv6'") "," DROP), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("accept") RULE(MATCH("==", FIELD("ip6", "saddr"), "'fd00::1'") "," DROP), &dns), FIREWALL_ACCEPTS);
}

static void test_named_set(void **state)
{
#define SET ",{'set':{'family':'inet','table':'t','name':'ports','type':'inet_service','elem':[53,{'elem':{'val':5672,'comment':'x'}}]}}"
	(void)state;
	assert_int_equal(judge(BASE("drop") SET RULE(MATCH("==", FIELD("tcp", "dport"), "'@ports'") "," ACCEPT), &amqp), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("drop") SET RULE(MATCH("==", FIELD("udp", "dport"), "'@ports'") "," ACCEPT), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("drop") SET RULE(MATCH("==", FIELD("udp", "dport"), "'@gone'") "," ACCEPT), &dns), FIREWALL_UNSURE);
}

/* The packet opens a connection. */
static void test_connections(void **state)
{
	(void)state;
	assert_int_equal(judge(BASE("drop") RULE(MATCH("in", "{'ct':{'key':'state'}}", "['established','related']") "," ACCEPT), &dns),
	                 FIREWALL_DROPS);
	assert_int_equal(judge(BASE("drop") RULE(MATCH("in", "{'ct':{'key':'state'}}", "['established','new']") "," ACCEPT), &dns),
	                 FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("drop") RULE("{'vmap':{'key':{'ct':{'key':'state'}},'data':{'set':[['established',{'accept':null}],"
	                                         "['new',{'accept':null}]]}}}"), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("accept") RULE("{'vmap':{'key':" FIELD("udp", "dport") ",'data':{'set':[[53,{'jump':{'target':'sub'}}]]}}}") ","
	                       SUB IN("sub", DROP), &dns), FIREWALL_DROPS);
	assert_int_equal(judge(BASE("accept") RULE("{'vmap':{'key':" FIELD("udp", "dport") ",'data':'@map'}}"), &dns), FIREWALL_UNSURE);
}

static void test_chains(void **state)
{
	(void)state;
	assert_int_equal(judge(BASE("drop") "," SUB RULE("{'jump':{'target':'sub'}}") RULE(ACCEPT) IN("sub", "{'return':null}") IN("sub", DROP),
	                       &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("drop") "," SUB RULE("{'goto':{'target':'sub'}}") RULE(ACCEPT) IN("sub", "{'return':null}"), &dns),
	                 FIREWALL_DROPS);
	assert_string_equal(place.rule, "policy drop");
	/* Chains that call one another for ever, which the kernel does not take. */
	assert_int_equal(judge(BASE("accept") "," SUB RULE("{'jump':{'target':'in'}},{'jump':{'target':'in'}}"), &dns), FIREWALL_ACCEPTS);
	assert_int_equal(judge(BASE("accept") "," SUB RULE("{'jump':{'target':'sub'}}") IN("sub", DROP), &dns), FIREWALL_DROPS);
	assert_string_equal(place.chain, "inet t in");
	assert_string_equal(place.rule, "the rule with handle 7 of inet t sub");
}

static void test_not_known(void **state)
{
	(void)state;
	assert_int_equal(judge(BASE("drop") RULE(MATCH("==", META("mark"), "1") "," ACCEPT), &dns), FIREWALL_UNSURE);
	assert_int_equal(judge(BASE("accept") RULE(MATCH("==", FIELD("ip", "saddr"), "{'prefix':{'addr':'172.17.0.0','len':16}}") "," DROP), &dns),
	                 FIREWALL_UNSURE);
	assert_string_equal(place.rule, "the rule with handle 7 of inet t in");
	assert_int_equal(judge(BASE("accept") RULE("{'limit':{'rate':5}}," DROP), &dns), FIREWALL_UNSURE);
	assert_int_equal(judge(BASE("accept") RULE("{'queue':{'num':0}}"), &dns), FIREWALL_UNSURE);
	assert_int_equal(judge(BASE("drop") RULE(MATCH("==", META("mark"), "1") "," ACCEPT) RULE(ACCEPT), &dns), FIREWALL_ACCEPTS);
	/* Nonsense is no reason to fall over. */
	assert_int_equal(judge("1,{'rule':3},{'chain':[]},{'chain':{'hook':'input','type':'filter','family':'ip','policy':7}}", &dns),
	                 FIREWALL_ACCEPTS);
}

/* Accepting is the matter of one chain, dropping of all. */
static void test_every_base_chain(void **state)
{
#define PRE "{'chain':{'family':'ip','table':'raw','name':'pre','type':'filter','hook':'prerouting','prio':-300,'policy':'accept'}}"
#define COMPAT "{'chain':{'family':'ip','table':'filter','name':'INPUT','type':'filter','hook':'input','prio':0,'policy':'drop'}}"
	(void)state;
	assert_int_equal(judge(BASE("accept") "," PRE ",{'rule':{'family':'ip','table':'raw','chain':'pre','handle':1,'expr':[" DNS "," DROP "]}}",
	                       &dns), FIREWALL_DROPS);
	assert_string_equal(place.chain, "ip raw pre");
	assert_int_equal(judge("{'chain':{'family':'inet','table':'t','name':'f','type':'filter','hook':'forward','policy':'drop'}}", &dns),
	                 FIREWALL_ACCEPTS);
	assert_int_equal(judge("{'chain':{'family':'ip6','table':'t','name':'f','type':'filter','hook':'input','policy':'drop'}}", &dns),
	                 FIREWALL_ACCEPTS);
	assert_int_equal(judge_as(COMPAT, &dns, false), FIREWALL_DROPS);
	assert_int_equal(judge_as(COMPAT, &dns, true), FIREWALL_ACCEPTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy), cmocka_unit_test(test_rules), cmocka_unit_test(test_values), cmocka_unit_test(test_named_set),
		cmocka_unit_test(test_connections), cmocka_unit_test(test_chains), cmocka_unit_test(test_not_known),
		cmocka_unit_test(test_every_base_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
