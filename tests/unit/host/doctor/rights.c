#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/doctor/rights_review.h"
#include "tests/unit/range.h"

static struct rights_finding found[8];
static size_t nfound;
static json_t *definitions;

static void keep(void *arg, const struct rights_finding *finding)
{
	(void)arg;
	assert_int_in_range(nfound, 0, 7);
	found[nfound++] = *finding;
}

static void add(const char *kind, json_t *object)
{
	json_t *list = json_object_get(definitions, kind);

	if (list == NULL) {
		list = json_array();
		json_object_set_new(definitions, kind, list);
	}
	json_array_append_new(list, object);
}

static void add_permission(const char *user, const char *configure, const char *write, const char *read)
{
	add("permissions", json_pack("{s:s, s:s, s:s, s:s, s:s}", "user", user, "vhost", "callsign", "configure", configure, "write", write, "read",
	                             read));
}

static void add_topic(const char *user, const char *exchange, const char *write, const char *read)
{
	add("topic_permissions", json_pack("{s:s, s:s, s:s, s:s, s:s}", "user", user, "vhost", "callsign", "exchange", exchange, "write", write,
	                                   "read", read));
}

static void add_emitter(const char *user, const char *prefix)
{
	struct rights_topic topic;
	struct rights rights;

	rights_emitter(prefix, &rights, &topic);
	add_permission(user, rights.configure, rights.write, rights.read);
	add_topic(user, "callsign", topic.announce_write, topic.announce_read);
	add_topic(user, "callsign.will", topic.will, topic.will);
}

static void add_agent(const char *user, const char *host)
{
	struct rights_topic topic;
	struct rights rights;

	rights_agent(host, &rights, &topic);
	add_permission(user, rights.configure, rights.write, rights.read);
	add_topic(user, "callsign", topic.announce_write, topic.announce_read);
}

static void add_host(const char *user, const char *host)
{
	struct rights rights;

	rights_host(host, false, &rights);
	add_permission(user, rights.configure, rights.write, rights.read);
}

static bool own_legacy;

static void review(void)
{
	nfound = 0;
	rights_review(definitions, "callsign", "callsign-host", "h.lan", own_legacy, keep, NULL);
}

static int begin(void **state)
{
	(void)state;
	definitions = json_object();
	own_legacy = false;
	return 0;
}

static int end(void **state)
{
	(void)state;
	json_decref(definitions);
	return 0;
}

static void assert_good(size_t i)
{
	assert_string_equal(found[i].few, "");
	assert_string_equal(found[i].many, "");
	assert_string_equal(found[i].unclear, "");
	assert_int_equal(found[i].wrong, 0);
}

/* What callsign-setup gives is what the doctor wants. */
static void test_as_designed(void **state)
{
	(void)state;
	add_host("callsign-host", "h.lan");
	add_host("second", "other");
	add_emitter("callsign-emit", "");
	add_emitter("web", "web-");
	add_emitter("dots", "w.b-");
	add("users", json_pack("{s:s, s:[s]}", "name", "root", "tags", "administrator"));
	add_permission("root", ".*", ".*", ".*");
	review();
	assert_int_equal(nfound, 6);
	for (size_t i = 0; i < nfound; i++)
		assert_good(i);
	assert_int_equal(found[0].kind, RIGHTS_HOST);
	assert_string_equal(found[0].name, "h.lan");
	assert_string_equal(found[1].name, "other");
	assert_int_equal(found[2].kind, RIGHTS_EMITTER);
	assert_string_equal(found[2].name, "");
	assert_string_equal(found[4].name, "w.b-");
	assert_int_equal(found[5].kind, RIGHTS_ADMINISTRATOR);
}

static void test_agents(void **state)
{
	char commands[2048];

	(void)state;
	add_agent("agent", "h.lan");
	add_agent("wide", "h");
	json_object_set_new(json_array_get(json_object_get(definitions, "permissions"), 1), "configure", json_string("^callsign\\.will\\..*"));
	add_permission("bare", "^callsign\\.will\\.@agent\\.x\\..*", "^(callsign|callsign\\.will\\.@agent\\.x\\..*)$",
	               "^(callsign\\.will\\.@agent\\.x\\..*|callsign\\.rollcall)$");
	review();
	assert_int_equal(nfound, 3);
	assert_good(0);
	assert_int_equal(found[0].kind, RIGHTS_AGENT);
	assert_string_equal(found[0].name, "h.lan");
	assert_int_equal(found[1].kind, RIGHTS_AGENT);
	assert_non_null(strstr(found[1].many, "configure callsign.will.x."));
	assert_string_equal(rights_commands(&found[1], "callsign", commands, sizeof commands),
	                    "rabbitmqctl set_permissions -p callsign wide '^callsign\\.will\\.@agent\\.h\\..*' "
	                    "'^(callsign|callsign\\.will\\.@agent\\.h\\..*)$' '^(callsign\\.will\\.@agent\\.h\\..*|callsign\\.rollcall)$'");
	/* Without a topic permission it could say lost in anybody's name. */
	assert_int_equal(found[2].kind, RIGHTS_AGENT);
	assert_string_equal(found[2].many, "use every key on callsign: it has no topic permission there");
	assert_string_equal(rights_commands(&found[2], "callsign", commands, sizeof commands),
	                    "rabbitmqctl set_topic_permissions -p callsign bare callsign '^(up|down)\\..*' '^$'");
}

/* The same said otherwise is the same. */
static void test_another_spelling(void **state)
{
	(void)state;
	add_permission("web", "^callsign[.]will[.]web[-]", "^(callsign|callsign[.]will([.]web-.*)?)$",
	               "^(callsign\\.will\\.web\\-.*|callsign\\.will|callsign\\.rollcall)$");
	add_topic("web", "callsign", "^(up|down)\\.web\\-.*", "^$");
	add_topic("web", "callsign.will", "^callsign\\.will\\.web\\-.*", "^callsign\\.will\\.web\\-");
	review();
	assert_int_equal(nfound, 1);
	assert_string_equal(found[0].name, "web-");
	assert_good(0);
}

static void test_too_few(void **state)
{
	char commands[2048];

	(void)state;
	add_permission("web", "^$", "^(callsign|callsign\\.will|callsign\\.will\\.web-.*)$", "^callsign\\.will\\.web-.*");
	add_topic("web", "callsign", "^up\\.web-.*", "^$");
	add_topic("web", "callsign.will", "^callsign\\.will\\.web-.*", "^callsign\\.will\\.web-.*");
	review();
	assert_string_equal(found[0].name, "web-");
	assert_non_null(strstr(found[0].few, "configure callsign.will.web-x."));
	assert_non_null(strstr(found[0].few, "read callsign.will, read callsign.rollcall"));
	assert_non_null(strstr(found[0].few, "topic callsign write down.web-x"));
	assert_string_equal(found[0].many, "");
	assert_int_equal(found[0].wrong, RIGHTS_WRONG_PERMISSIONS | RIGHTS_WRONG_ANNOUNCE);
	assert_string_equal(rights_commands(&found[0], "callsign", commands, sizeof commands),
	                    "rabbitmqctl set_permissions -p callsign web '^callsign\\.will\\.web-.*' "
	                    "'^(callsign|callsign\\.will|callsign\\.will\\.web-.*)$' '^(callsign\\.will\\.web-.*|callsign\\.will|callsign\\.rollcall)$'\n"
	                    "rabbitmqctl set_topic_permissions -p callsign web callsign '^(up|down)\\.web-.*' '^$'");
}

static void test_too_many(void **state)
{
	static const char will[] = "^callsign\\.will\\.web-.*", read[] = "^(callsign\\.will\\.web-.*|callsign\\.will|callsign\\.rollcall)$";

	(void)state;
	add_permission("web", will, "^(callsign|callsign\\.will|callsign\\.will\\.web-.*|amq\\.default|callsign\\.host\\.h\\.lan)$", read);
	add_topic("web", "callsign", "^(up|down)\\.web-.*", "^$");
	add_topic("web", "callsign.will", will, will);
	/* Without topic permissions every key goes. */
	add_permission("wob", "^callsign\\.will\\.wob-.*", "^(callsign|callsign\\.will|callsign\\.will\\.wob-.*)$",
	               "^(callsign\\.will\\.wob-.*|callsign\\.will|callsign\\.rollcall)$");
	/* A dot without its backslash. */
	add_emitter("dots", "a.b-");
	json_object_set_new(json_array_get(json_object_get(definitions, "topic_permissions"), 2), "write", json_string("^(up|down)\\.a.b-.*"));
	add_permission("all", ".*", ".*", ".*");
	review();
	assert_int_equal(nfound, 4);
	assert_int_equal(found[0].kind, RIGHTS_EMITTER);
	assert_string_equal(found[0].many, "write amq.default");
	assert_int_equal(found[0].wrong, RIGHTS_WRONG_PERMISSIONS);
	assert_string_equal(found[1].name, "wob-");
	assert_string_equal(found[1].many, "use every key on callsign: it has no topic permission there, use every key on callsign.will: it has no topic "
	                                   "permission there");
	assert_int_equal(found[1].wrong, RIGHTS_WRONG_ANNOUNCE | RIGHTS_WRONG_WILL);
	assert_string_equal(found[2].name, "a.b-");
	assert_string_equal(found[2].many, "topic callsign write up.axb-");
	assert_int_equal(found[3].kind, RIGHTS_OTHER);
	assert_non_null(strstr(found[3].many, "configure callsign"));
}

/* The containers' own user, whose prefix is empty: deleted and declared anew, RabbitMQ 4.3's exchange has nobody's topic permissions any more. */
static void test_topics_gone_with_their_exchange(void **state)
{
	struct rights_topic topic;
	struct rights rights;

	(void)state;
	rights_emitter("", &rights, &topic);
	add_permission("callsign-emit", rights.configure, rights.write, rights.read);
	add_topic("callsign-emit", "callsign", topic.announce_write, topic.announce_read);
	review();
	assert_int_equal(nfound, 1);
	assert_int_equal(found[0].kind, RIGHTS_EMITTER);
	assert_string_equal(found[0].many, "use every key on callsign.will: it has no topic permission there");
	assert_int_equal(found[0].wrong, RIGHTS_WRONG_WILL);
}

/* Our own daemon's user is measured by this host's name, whatever its rights say. */
static void test_our_own(void **state)
{
	(void)state;
	add_host("callsign-host", "hxlan");
	review();
	assert_string_equal(found[0].name, "h.lan");
	assert_non_null(strstr(found[0].few, "configure callsign.host.h.lan"));
	assert_non_null(strstr(found[0].many, "read callsign.host.hxlan"));
}

/* Rights that are gone altogether: the topic permissions tell who it was. */
/* The exchange of the older format. */
static void test_legacy(void **state)
{
	struct rights rights;
	char commands[2048];

	(void)state;
	own_legacy = true;
	add_host("callsign-host", "h.lan");
	rights_host("other", true, &rights);
	add_permission("other-host", rights.configure, rights.write, rights.read);
	add_permission("half-host", "^callsign(\\.will|\\.rollcall|\\.host\\.half)?$", rights.write, rights.read);
	add_permission("old", "^my-docker-network$", "^my-docker-network$", "");
	add_permission("old-half", "", "^my-docker-network$", "");
	/* Everything is no sign of the older format. */
	add_permission("other", "^callsign\\.will\\.web-.*", ".*", ".*");
	add_permission("wide-host", "^callsign(\\.will|\\.rollcall|\\.host\\.wide)?$", ".*", ".*");
	review();
	assert_string_equal(found[0].few, "configure my-docker-network, read my-docker-network");
	rights_commands(&found[0], "callsign", commands, sizeof commands);
	assert_non_null(strstr(commands, "'^(my-docker-network|callsign(\\.will|\\.rollcall|\\.host\\.h\\.lan)?)$'"));
	assert_good(1);
	assert_true(found[1].legacy);
	assert_non_null(strstr(found[2].few, "configure my-docker-network"));
	assert_good(3);
	assert_string_equal(found[4].few, "configure my-docker-network");
	assert_string_equal(rights_commands(&found[4], "callsign", commands, sizeof commands), "");
	assert_null(strstr(found[5].few, "my-docker-network"));
	assert_null(strstr(found[6].few, "my-docker-network"));
	/* As set-up gives them; and none for who does not take it. */
	json_decref(definitions);
	definitions = json_object();
	rights_host("h.lan", true, &rights);
	add_permission("callsign-host", rights.configure, rights.write, rights.read);
	review();
	assert_good(0);
	own_legacy = false;
	review();
	assert_good(0);
}

static void test_nothing_left(void **state)
{
	(void)state;
	add_topic("web", "callsign", "^(up|down)\\.web-.*", "^$");
	review();
	assert_int_equal(nfound, 1);
	assert_int_equal(found[0].kind, RIGHTS_EMITTER);
	assert_non_null(strstr(found[0].few, "write callsign.will"));
}

static void test_not_understood(void **state)
{
	static const char *const patterns[] = {"^(?i)callsign", "\\w+", "a*?", "("};

	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		begin(state);
		add_emitter("web", "web-");
		json_object_set_new(json_array_get(json_object_get(definitions, "permissions"), 0), "read", json_string(patterns[i]));
		review();
		assert_non_null(strstr(found[0].unclear, patterns[i]));
		assert_string_equal(found[0].few, "");
		end(state);
	}
}

static void test_hostile_names(void **state)
{
	char commands[512];

	(void)state;
	add_permission("it's $(x)\n;", ".*", "", "");
	review();
	assert_string_equal(rights_commands(&found[0], "/", commands, sizeof commands),
	                    "rabbitmqctl clear_permissions -p / 'it'\\''s $(x)\n;'");
	assert_string_equal(rights_commands(&found[0], "/", commands, 12), "rabbitmqctl");
}

static void test_overlap(void **state)
{
	char prefix[RIGHTS_PREFIX_SIZE];

	(void)state;
	assert_true(rights_overlap("web-", "web-a-"));
	assert_true(rights_overlap("web-a-", "web-"));
	assert_true(rights_overlap("web-", "web-"));
	assert_false(rights_overlap("web-", "wob-"));
	assert_false(rights_overlap("", "web-"));
	assert_int_equal(rights_prefix("^(up|down)\\.o\\.ne-.*", prefix), 0);
	assert_string_equal(prefix, "o.ne-");
	assert_int_equal(rights_prefix("^(up|down)\\..*", prefix), 0);
	assert_string_equal(prefix, "");
	assert_int_equal(rights_prefix("^(up|down)\\.(a|b).*", prefix), -1);
	assert_int_equal(rights_prefix(".*", prefix), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_as_designed, begin, end),
		cmocka_unit_test_setup_teardown(test_agents, begin, end),
		cmocka_unit_test_setup_teardown(test_another_spelling, begin, end),
		cmocka_unit_test_setup_teardown(test_too_few, begin, end),
		cmocka_unit_test_setup_teardown(test_too_many, begin, end),
		cmocka_unit_test_setup_teardown(test_topics_gone_with_their_exchange, begin, end),
		cmocka_unit_test_setup_teardown(test_our_own, begin, end),
		cmocka_unit_test_setup_teardown(test_legacy, begin, end),
		cmocka_unit_test_setup_teardown(test_nothing_left, begin, end),
		cmocka_unit_test(test_not_understood),
		cmocka_unit_test_setup_teardown(test_hostile_names, begin, end),
		cmocka_unit_test(test_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
