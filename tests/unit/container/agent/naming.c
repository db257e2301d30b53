/* What a container is called. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "container/agent/naming.h"
#include "tests/unit/exact.h"

#define ID "bfec3f37b203456c4c07687570350bc5b460d574e969008103ae72e613ff816d"

static struct naming naming;
static char reason[NAMING_REASON_SIZE];

/* facts: {"hostname":…,"container":…,"env":[…],"annotations":{…},"labels":{…},"host_uts":true,"joins":true} */
static enum naming_verdict decide_by(const struct naming_rules *rules, const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	struct naming_facts facts = {.id = ID};
	enum naming_verdict verdict;

	assert_non_null(json);
	facts.hostname = json_string_value(json_object_get(json, "hostname"));
	facts.own_hostname = !json_is_true(json_object_get(json, "host_uts"));
	facts.joins_network = json_is_true(json_object_get(json, "joins"));
	facts.container = json_string_value(json_object_get(json, "container"));
	facts.env = json_object_get(json, "env");
	facts.annotations = json_object_get(json, "annotations");
	facts.labels = json_object_get(json, "labels");
	verdict = naming_decide(rules, &facts, &naming, reason);
	json_decref(json);
	return verdict;
}

static enum naming_verdict decide(const char *text)
{
	static char hostname[] = "{hostname}";
	static char *const names[] = {hostname};
	const struct naming_rules rules = {.names = names, .nnames = 1};

	return decide_by(&rules, text);
}

static void named(const char *facts, const char *name)
{
	if (decide(facts) != NAMING_NAMED)
		fail_msg("%s: not named: %s", facts, reason);
	assert_string_equal(naming.name, name);
}

static void unnamed(const char *facts, enum naming_verdict verdict, const char *words)
{
	assert_int_equal(decide(facts), verdict);
	if (strstr(reason, words) == NULL)
		fail_msg("%s: %s", facts, reason);
}

static void a_hostname_that_somebody_chose(void **state)
{
	(void)state;
	named("{\"hostname\":\"my-cool-host\"}", "my-cool-host");
	named("{\"hostname\":\"WEB.Shop\"}", "web.shop");
	named("{\"hostname\":\"bfec3f37b203x\"}", "bfec3f37b203x");
	named("{\"hostname\":\"bfec\"}", "bfec");
	assert_int_equal(naming.naliases, 0);
}

static void not_one_that_an_engine_made_up(void **state)
{
	(void)state;
	unnamed("{\"hostname\":\"bfec3f37b203\"}", NAMING_NONE, "nobody gave it a name");
	unnamed("{\"hostname\":\"" ID "\"}", NAMING_NONE, "nobody gave it a name");
	unnamed("{\"hostname\":\"myhost\",\"host_uts\":true}", NAMING_NONE, "nobody gave it a name");
	unnamed("{\"hostname\":\"\"}", NAMING_NONE, "nobody gave it a name");
	unnamed("{}", NAMING_NONE, "nobody gave it a name");
	/* docker run --network container:OTHER has the other's hostname. */
	unnamed("{\"hostname\":\"0d6c5b3fa17e\",\"joins\":true}", NAMING_NONE, "nobody gave it a name");
	named("{\"hostname\":\"0d6c5b3fa17e\"}", "0d6c5b3fa17e");
	named("{\"hostname\":\"0d6c5b3fa17\",\"joins\":true}", "0d6c5b3fa17");
	named("{\"hostname\":\"0d6c5b3fa17g\",\"joins\":true}", "0d6c5b3fa17g");
	named("{\"hostname\":\"web\",\"joins\":true}", "web");
}

static void one_that_breaks_the_rules_is_said_to(void **state)
{
	(void)state;
	unnamed("{\"hostname\":\"my_app\"}", NAMING_WRONG, "my_app");
	unnamed("{\"hostname\":\"-web\"}", NAMING_WRONG, "hyphen");
	unnamed("{\"hostname\":\"localhost\"}", NAMING_WRONG, "localhost");
	unnamed("{\"hostname\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", NAMING_WRONG, "63 characters");
	unnamed("{\"hostname\":\"a\\u0007b\"}", NAMING_WRONG, "\\x07");
}

static void what_is_said_of_it_goes_before(void **state)
{
	(void)state;
	named("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_NAME=web\"]}", "web");
	named("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_NAME=web\"],\"labels\":{\"callsign.name\":\"shop\"}}", "shop");
	named("{\"env\":[\"CALLSIGN_NAME=web\"],\"labels\":{\"callsign.name\":\"shop\"},\"annotations\":{\"callsign.name\":\"first\"}}", "first");
	named("{\"env\":[\"CALLSIGN_NAME=a\",\"CALLSIGN_NAME=b\"]}", "b");
	named("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_NAME=\"]}", "h");
	named("{\"hostname\":\"h\",\"env\":[\"XCALLSIGN_NAME=web\",\"CALLSIGN_NAMES=web\"]}", "h");
	named("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_NAME={hostname}.{env:STAGE}\",\"STAGE=dev\"]}", "h.dev");
	unnamed("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_NAME={env:STAGE}\"]}", NAMING_WRONG, "no value");
	unnamed("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_NAME={x}\"]}", NAMING_WRONG, "no variable");
	unnamed("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_NAME=a b\"]}", NAMING_WRONG, "a\\x20b");
}

static void off_is_off(void **state)
{
	(void)state;
	unnamed("{\"hostname\":\"h\",\"env\":[\"CALLSIGN=off\"]}", NAMING_NONE, "switched off");
	unnamed("{\"hostname\":\"h\",\"labels\":{\"callsign\":\"off\"}}", NAMING_NONE, "switched off");
	unnamed("{\"hostname\":\"h\",\"annotations\":{\"callsign\":\"false\"}}", NAMING_NONE, "switched off");
	named("{\"hostname\":\"h\",\"env\":[\"CALLSIGN=off\"],\"labels\":{\"callsign\":\"on\"}}", "h");
	unnamed("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_URLS=amqp://emit@gateway/callsign\"]}", NAMING_NONE, "announces itself");
}

static void aliases_and_ports(void **state)
{
	(void)state;
	named("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_ALIASES=www, API.shop ,h,www\",\"CALLSIGN_PORTS=http=80, ws=81\"]}", "h");
	assert_int_equal(naming.naliases, 2);
	assert_string_equal(naming.aliases[0], "www");
	assert_string_equal(naming.aliases[1], "api.shop");
	assert_int_equal(naming.nports, 2);
	assert_string_equal(naming.ports[1].name, "ws");
	assert_int_equal(naming.ports[1].port, 81);
	named("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_ALIASES=x\"],\"labels\":{\"callsign.aliases\":\"y\",\"callsign.ports\":\"http=8080\"}}", "h");
	assert_string_equal(naming.aliases[0], "y");
	assert_int_equal(naming.ports[0].port, 8080);
	unnamed("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_ALIASES=a_b\"]}", NAMING_WRONG, "a_b");
	unnamed("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_PORTS=http\"]}", NAMING_WRONG, "NAME=NUMBER");
	unnamed("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_PORTS=http=0\"]}", NAMING_WRONG, "1 to 65535");
	unnamed("{\"hostname\":\"h\",\"env\":[\"CALLSIGN_PORTS=http=1,http=2\"]}", NAMING_WRONG, "twice");
}

static void no_more_aliases_than_a_message_has_room_for(void **state)
{
	char text[1024] = "{\"hostname\":\"h\",\"env\":[\"CALLSIGN_ALIASES=";

	(void)state;
	for (int i = 0; i < ANNOUNCEMENT_ALIASES_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "a%d,", i);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "\"]}");
	named(text, "h");
	assert_int_equal(naming.naliases, ANNOUNCEMENT_ALIASES_MAX);
	snprintf(text + strlen(text) - 3, 16, "one-more\"]}");
	unnamed(text, NAMING_WRONG, "more than");
}

static void templates_in_order(void **state)
{
	static char hostname[] = "{hostname}", service[] = "{label:com.docker.compose.service}", container[] = "{container}.box",
	            both[] = "{label:com.docker.compose.service}.{label:com.docker.compose.project:-none}";
	static char *const names[] = {hostname, service, both, container};
	const struct naming_rules rules = {.names = names, .nnames = 4};

	(void)state;
	assert_int_equal(decide_by(&rules, "{\"hostname\":\"bfec3f37b203\",\"labels\":{\"com.docker.compose.service\":\"web\",\"com.docker.compose.project\":"
	                                   "\"shop\"}}"), NAMING_NAMED);
	assert_string_equal(naming.name, "web");
	assert_int_equal(naming.naliases, 1);
	assert_string_equal(naming.aliases[0], "web.shop");
	assert_int_equal(decide_by(&rules, "{\"hostname\":\"h\",\"container\":\"c1\",\"labels\":{\"com.docker.compose.service\":\"web\"}}"), NAMING_NAMED);
	assert_string_equal(naming.name, "h");
	assert_int_equal(naming.naliases, 3);
	assert_string_equal(naming.aliases[1], "web.none");
	assert_string_equal(naming.aliases[2], "c1.box");
	/* One that cannot be a name costs the others nothing. */
	assert_int_equal(decide_by(&rules, "{\"hostname\":\"h\",\"container\":\"cool_jones\"}"), NAMING_NAMED);
	assert_string_equal(naming.name, "h");
	assert_int_equal(naming.naliases, 0);
	assert_int_equal(decide_by(&rules, "{\"container\":\"cool_jones\"}"), NAMING_WRONG);
}

static void include_and_exclude(void **state)
{
	static char hostname[] = "{hostname}", web[] = "web*", db[] = "db", secret[] = "*secret*";
	static char *const names[] = {hostname}, *const include[] = {web, db}, *const exclude[] = {secret};
	const struct naming_rules rules = {names, 1, include, 2, exclude, 1};

	(void)state;
	assert_int_equal(decide_by(&rules, "{\"hostname\":\"web-1\"}"), NAMING_NAMED);
	assert_int_equal(decide_by(&rules, "{\"hostname\":\"db\"}"), NAMING_NAMED);
	assert_int_equal(decide_by(&rules, "{\"hostname\":\"mail\"}"), NAMING_NONE);
	assert_non_null(strstr(reason, "include"));
	assert_int_equal(decide_by(&rules, "{\"hostname\":\"web-secret\"}"), NAMING_NONE);
	assert_non_null(strstr(reason, "exclude"));
}

static void no_alias_that_policy_keeps_from_names(void **state)
{
	static char hostname[] = "{hostname}", made[] = "{env:MADE}", web[] = "web*", secret[] = "*secret*";
	static char *const names[] = {hostname, made}, *const include[] = {web}, *const exclude[] = {secret};
	const struct naming_rules rules = {names, 2, include, 1, exclude, 1};

	(void)state;
	assert_int_equal(decide_by(&rules, "{\"hostname\":\"web\",\"env\":[\"CALLSIGN_ALIASES=web-1,bank,web-secret,web-2\"]}"), NAMING_NAMED);
	assert_string_equal(naming.name, "web");
	assert_int_equal(naming.naliases, 2);
	assert_string_equal(naming.aliases[0], "web-1");
	assert_string_equal(naming.aliases[1], "web-2");
	assert_string_equal(reason, "without the alias web-secret: in a pattern of exclude");
	assert_int_equal(decide_by(&rules, "{\"hostname\":\"web\",\"env\":[\"MADE=bank\"]}"), NAMING_NAMED);
	assert_int_equal(naming.naliases, 0);
	assert_string_equal(reason, "without the alias bank: in none of the patterns of include");
}

static void facts_of_odd_kinds_are_none(void **state)
{
	(void)state;
	named("{\"hostname\":\"h\",\"env\":{\"CALLSIGN\":\"off\"},\"labels\":[\"callsign\"],\"annotations\":1}", "h");
	named("{\"hostname\":\"h\",\"env\":[1,null,{},\"CALLSIGN\",\"=\"],\"labels\":{\"callsign\":1}}", "h");
}

static void templates_are_checked(void **state)
{
	static const char *const good[] = {"web", "{hostname}", "a.{label:x.y/z}-{env:A:-b}.{container:-}", "{env:A:-:-}"};
	static const char *const bad[] = {"", "{", "}", "{}", "{host}", "{hostname", "{label:}", "{env:}", "{label}", "a}b", "{{hostname}}", "{hostname}}"};
	char longest[NAMING_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_null(naming_check_template(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		if (naming_check_template(bad[i]) == NULL)
			fail_msg("taken: %s", bad[i]);
	memset(longest, 'a', NAMING_TEXT_MAX);
	longest[NAMING_TEXT_MAX] = '\0';
	assert_non_null(naming_check_template(longest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hostname_that_somebody_chose),
		cmocka_unit_test(not_one_that_an_engine_made_up),
		cmocka_unit_test(one_that_breaks_the_rules_is_said_to),
		cmocka_unit_test(what_is_said_of_it_goes_before),
		cmocka_unit_test(off_is_off),
		cmocka_unit_test(aliases_and_ports),
		cmocka_unit_test(no_more_aliases_than_a_message_has_room_for),
		cmocka_unit_test(templates_in_order),
		cmocka_unit_test(include_and_exclude),
		cmocka_unit_test(no_alias_that_policy_keeps_from_names),
		cmocka_unit_test(facts_of_odd_kinds_are_none),
		cmocka_unit_test(templates_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
