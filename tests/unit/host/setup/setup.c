#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/doctor/rights.h"
#include "host/setup/daemonjson.h"
#include "host/setup/setup.h"
#include "shared/reverse.h"

static const struct setup setup = {.root = "", .vhost = "callsign", .hostname = "h.lan", .host_user = SETUP_HOST_USER, .connections = 7};

static const json_t *at(const json_t *definitions, const char *kind, size_t i)
{
	return json_array_get(json_object_get(definitions, kind), i);
}

static void assert_text(const json_t *object, const char *key, const char *expected)
{
	assert_string_equal(json_string_value(json_object_get(object, key)), expected);
}

static void test_escape(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(rights_escape("web-", out), "web-");
	assert_string_equal(rights_escape("a.b*c", out), "a\\.b\\*c");
	assert_string_equal(rights_escape("", out), "");
}

/* docs/protocol.md, word for word. */
static void test_rights_of_the_host(void **state)
{
	json_t *all = setup_rights_host(&setup, "secret");

	(void)state;
	assert_text(at(all, "permissions", 0), "configure", "^callsign(\\.will|\\.rollcall|\\.host\\.h\\.lan)?$");
	assert_text(at(all, "permissions", 0), "write", "^(callsign|callsign\\.rollcall|callsign\\.host\\.h\\.lan|amq\\.default)$");
	assert_text(at(all, "permissions", 0), "read", "^callsign(\\.rollcall|\\.host\\.h\\.lan)?$");
	assert_int_equal(json_array_size(json_object_get(all, "exchanges")), 3);
	assert_int_equal(json_object_size(json_object_get(at(all, "users", 0), "limits")), 0);
	json_decref(all);
}

/* docs/legacy.md, "Rights on the broker", word for word. */
static void test_rights_of_a_host_with_the_older_format(void **state)
{
	struct setup old = setup;
	json_t *all;

	(void)state;
	old.legacy = true;
	all = setup_rights_host(&old, "secret");
	assert_text(at(all, "permissions", 0), "configure", "^(my-docker-network|callsign(\\.will|\\.rollcall|\\.host\\.h\\.lan)?)$");
	assert_text(at(all, "permissions", 0), "write", "^(callsign|callsign\\.rollcall|callsign\\.host\\.h\\.lan|amq\\.default)$");
	assert_text(at(all, "permissions", 0), "read", "^(my-docker-network|callsign(\\.rollcall|\\.host\\.h\\.lan)?)$");
	json_decref(all);
}

static void test_rights_of_a_tenant(void **state)
{
	json_t *all = setup_rights_emitter(&setup, "web", "w.b-", "secret");

	(void)state;
	assert_text(at(all, "permissions", 0), "configure", "^callsign\\.will\\.w\\.b-.*");
	assert_text(at(all, "permissions", 0), "write", "^(callsign|callsign\\.will|callsign\\.will\\.w\\.b-.*)$");
	assert_text(at(all, "permissions", 0), "read", "^(callsign\\.will\\.w\\.b-.*|callsign\\.will|callsign\\.rollcall)$");
	assert_text(at(all, "topic_permissions", 0), "write", "^(up|down)\\.w\\.b-.*");
	assert_text(at(all, "topic_permissions", 0), "read", "^$");
	assert_text(at(all, "topic_permissions", 1), "write", "^callsign\\.will\\.w\\.b-.*");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(at(all, "users", 0), "limits"), "max-connections")), 7);
	json_decref(all);
}

static void assert_runtime(const char *settings, bool changed, const char *path)
{
	json_t *all = json_loads(settings, 0, NULL);
	const json_t *runtime;

	assert_int_equal(daemonjson_add_runtime(all), changed);
	runtime = json_object_get(json_object_get(all, "runtimes"), "callsign");
	assert_string_equal(json_string_value(json_object_get(runtime, "path")), path);
	assert_false(daemonjson_add_runtime(all));
	json_decref(all);
}

static void assert_without(const char *settings, const char *rest)
{
	bool empty;
	char *text = daemonjson_without(settings, "192.0.2.1", NULL, &empty);
	json_t *all = json_loads(text, 0, NULL), *expected = json_loads(rest, 0, NULL);

	assert_true(json_equal(all, expected));
	json_decref(all);
	json_decref(expected);
	free(text);
}

#define LEFT "\"runtimes\":{\"callsign\":{\"path\":\"runc\"}}"
#define OTHER "\"runtimes\":{\"callsign\":{\"path\":\"runc\",\"runtimeArgs\":[]}}"

/* With Docker's own in its place, as the package leaves it when it goes, it is ours still; with an administrator's it is not. */
static void test_runtime(void **state)
{
	(void)state;
	assert_runtime("{}", true, CALLSIGN_RUNTIME_PATH);
	assert_runtime("{" LEFT ",\"default-runtime\":\"callsign\"}", true, CALLSIGN_RUNTIME_PATH);
	assert_runtime("{" OTHER "}", false, "runc");
	assert_without("{\"dns\":[\"192.0.2.1\"]," LEFT ",\"default-runtime\":\"callsign\"}", "{}");
	assert_without("{\"dns\":[\"192.0.2.1\"]," OTHER "}", "{" OTHER "}");
}

static void test_comments_say_nothing(void **state)
{
	(void)state;
	assert_true(setup_conf_says("user \"callsign-agent\" { agent = true }\n", "\"callsign-agent\""));
	assert_false(setup_conf_says("# user \"callsign-agent\" { agent = true }\n", "\"callsign-agent\""));
	assert_false(setup_conf_says("/* user \"callsign-agent\" */ domain = \"docker\"", "\"callsign-agent\""));
	assert_true(setup_conf_says("urls = {\"amqp://host@127.0.0.1/v\"}", "//host@"));
}

static void test_passwords(void **state)
{
	json_t *one = setup_rights_emitter(&setup, "web", "", "secret"), *two = setup_rights_emitter(&setup, "web", "", "secret");
	const char *stored = json_string_value(json_object_get(at(one, "users", 0), "password_hash"));

	(void)state;
	assert_true(setup_rights_password_is(stored, "secret"));
	assert_false(setup_rights_password_is(stored, "Secret"));
	assert_false(setup_rights_password_is("", "secret"));
	assert_false(setup_rights_password_is("not base64 at all, but of the right size", "secret"));
	/* RabbitMQ's documentation of password hashes: "test12", salt 908DC60A. */
	assert_true(setup_rights_password_is("kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "test12"));
	assert_string_not_equal(stored, json_string_value(json_object_get(at(two, "users", 0), "password_hash")));
	json_decref(one);
	json_decref(two);
}

static void test_compare(void **state)
{
	json_t *wanted = setup_rights_host(&setup, "secret"), *have = json_deep_copy(wanted);
	json_t *missing = json_object(), *replaced = json_object(), *made = json_object();

	(void)state;
	setup_definitions_compare(have, wanted, missing, replaced, made);
	assert_int_equal(json_object_size(missing), 0);
	/* What a broker adds of its own is no difference; another right is. */
	json_object_set_new(json_array_get(json_object_get(have, "vhosts"), 0), "metadata", json_object());
	json_object_set_new(json_array_get(json_object_get(have, "permissions"), 0), "write", json_string(".*"));
	json_array_remove(json_object_get(have, "exchanges"), 1);
	setup_definitions_compare(have, wanted, missing, replaced, made);
	assert_int_equal(json_object_size(missing), 2);
	assert_text(at(replaced, "permissions", 0), "write", ".*");
	assert_text(at(made, "exchanges", 0), "name", "callsign.will");
	json_decref(wanted);
	json_decref(have);
	json_decref(missing);
	json_decref(replaced);
	json_decref(made);
}

/* Host and emitter name the same exchanges: one of each is imported. */
static void test_compare_takes_an_object_once(void **state)
{
	json_t *wanted = setup_rights_host(&setup, "secret"), *emit = setup_rights_emitter(&setup, "web", "web-", "secret");
	json_t *have = json_object(), *missing = json_object(), *replaced = json_object(), *made = json_object();

	(void)state;
	json_array_extend(json_object_get(wanted, "exchanges"), json_object_get(emit, "exchanges"));
	assert_int_equal(json_array_size(json_object_get(wanted, "exchanges")), 5);
	setup_definitions_compare(have, wanted, missing, replaced, made);
	assert_int_equal(json_array_size(json_object_get(missing, "exchanges")), 3);
	assert_int_equal(json_array_size(json_object_get(made, "exchanges")), 3);
	json_decref(wanted);
	json_decref(emit);
	json_decref(have);
	json_decref(missing);
	json_decref(replaced);
	json_decref(made);
}

static void assert_zones(const char *address, unsigned prefix, const char *expected)
{
	struct address parsed;
	char lines[128 * (REVERSE_ZONE + 16)];

	assert_int_equal(address_parse(address, strlen(address), &parsed), 0);
	reverse_zones(&parsed, prefix, "local=/", "/\n", lines, sizeof lines);
	assert_string_equal(lines, expected);
}

static unsigned count_zones(const char *address, unsigned prefix)
{
	struct address parsed;
	char lines[128 * (REVERSE_ZONE + 16)];
	unsigned count = 0;

	assert_int_equal(address_parse(address, strlen(address), &parsed), 0);
	reverse_zones(&parsed, prefix, "local=/", "/\n", lines, sizeof lines);
	for (const char *at = lines; *at != '\0'; at++)
		count += *at == '\n';
	return count;
}

/* What is beside the network is somebody else's to answer. */
static void test_reverse_zones(void **state)
{
	(void)state;
	assert_zones("172.17.0.1", 16, "local=/17.172.in-addr.arpa/\n");
	assert_zones("192.168.77.1", 24, "local=/77.168.192.in-addr.arpa/\n");
	assert_zones("10.1.2.3", 8, "local=/10.in-addr.arpa/\n");
	assert_zones("10.9.6.1", 22, "local=/4.9.10.in-addr.arpa/\nlocal=/5.9.10.in-addr.arpa/\nlocal=/6.9.10.in-addr.arpa/\n"
	                             "local=/7.9.10.in-addr.arpa/\n");
	assert_zones("192.0.2.9", 31, "local=/8.2.0.192.in-addr.arpa/\nlocal=/9.2.0.192.in-addr.arpa/\n");
	assert_zones("192.0.2.9", 32, "local=/9.2.0.192.in-addr.arpa/\n");
	assert_zones("172.16.0.1", 12, "local=/16.172.in-addr.arpa/\nlocal=/17.172.in-addr.arpa/\nlocal=/18.172.in-addr.arpa/\n"
	                               "local=/19.172.in-addr.arpa/\nlocal=/20.172.in-addr.arpa/\nlocal=/21.172.in-addr.arpa/\n"
	                               "local=/22.172.in-addr.arpa/\nlocal=/23.172.in-addr.arpa/\nlocal=/24.172.in-addr.arpa/\n"
	                               "local=/25.172.in-addr.arpa/\nlocal=/26.172.in-addr.arpa/\nlocal=/27.172.in-addr.arpa/\n"
	                               "local=/28.172.in-addr.arpa/\nlocal=/29.172.in-addr.arpa/\nlocal=/30.172.in-addr.arpa/\n"
	                               "local=/31.172.in-addr.arpa/\n");
	assert_int_equal(count_zones("172.17.0.1", 17), 128);
	assert_int_equal(count_zones("172.17.0.1", 25), 128);
	assert_zones("fd00:c5::1", 64, "local=/0.0.0.0.0.0.0.0.5.c.0.0.0.0.d.f.ip6.arpa/\n");
	assert_zones("fd00::1", 7, "local=/c.f.ip6.arpa/\nlocal=/d.f.ip6.arpa/\n");
	assert_int_equal(count_zones("fd00::1", 61), 8);
	assert_int_equal(count_zones("fd00::1", 128), 1);
	assert_zones("10.0.0.1", 0, "");
}

static void test_docker_without(void **state)
{
	bool empty;
	char *text = daemonjson_without("{\"debug\": true, \"dns\": [\"192.0.2.1\", \"172.17.0.1\"]}", "172.17.0.1", NULL, &empty);
	json_t *settings = json_loads(text, 0, NULL);

	(void)state;
	assert_false(empty);
	assert_int_equal(json_array_size(json_object_get(settings, "dns")), 1);
	json_decref(settings);
	free(text);
	text = daemonjson_without("{\"dns\": [\"172.17.0.1\"]}", "172.17.0.1", NULL, &empty);
	assert_true(empty);
	free(text);
	text = daemonjson_without("{\"debug\": true, \"dns\": [\"172.17.0.1\"]}", "172.17.0.1", "{\"dns\": [\"192.0.2.1\", \"192.0.2.2\"]}", &empty);
	assert_string_equal(text, "{\n    \"debug\": true,\n    \"dns\": [\n        \"192.0.2.1\",\n        \"192.0.2.2\"\n    ]\n}\n");
	free(text);
	assert_null(daemonjson_without("{\"dns\": 1}", "172.17.0.1", NULL, &empty));
	assert_null(daemonjson_without("{", "172.17.0.1", NULL, &empty));
	assert_true(daemonjson_is_left("{\"a\": \"" CALLSIGN_RUNTIME_PATH "\"}", "{\"a\": \"runc\"}"));
	assert_true(daemonjson_is_left("{}", "{}"));
	assert_false(daemonjson_is_left("{\"a\": \"" CALLSIGN_RUNTIME_PATH "\"}", "{\"a\": \"runc\", \"b\": 1}"));
	assert_false(daemonjson_is_left("{\"a\": \"" CALLSIGN_RUNTIME_PATH "\"}", "{\"a\": \"run"));
	assert_false(daemonjson_is_left("{\"a\": \"" CALLSIGN_RUNTIME_PATH "\"}", ""));
}

/* docs/agent.md has people make it the default, and Docker does not start with one that it does not know. */
static void test_a_default_runtime_goes_with_the_runtime(void **state)
{
	bool empty;
	char *text = daemonjson_without("{\"dns\":[\"172.17.0.1\"],\"default-runtime\":\"callsign\",\"runtimes\":{\"callsign\":"
	                                  "{\"path\":\"" CALLSIGN_RUNTIME_PATH "\"},\"crun\":{\"path\":\"crun\"}}}", "172.17.0.1", NULL, &empty);
	json_t *settings = json_loads(text, 0, NULL);

	(void)state;
	assert_null(json_object_get(settings, "default-runtime"));
	assert_int_equal(json_object_size(json_object_get(settings, "runtimes")), 1);
	json_decref(settings);
	free(text);
	text = daemonjson_without("{\"dns\":[\"172.17.0.1\"],\"default-runtime\":\"callsign\",\"runtimes\":{\"callsign\":{\"path\":\"/own\"}}}",
	                            "172.17.0.1", NULL, &empty);
	settings = json_loads(text, 0, NULL);
	assert_text(settings, "default-runtime", "callsign");
	json_decref(settings);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape), cmocka_unit_test(test_rights_of_the_host), cmocka_unit_test(test_rights_of_a_host_with_the_older_format), cmocka_unit_test(test_rights_of_a_tenant),
		cmocka_unit_test(test_runtime), cmocka_unit_test(test_comments_say_nothing),
		cmocka_unit_test(test_passwords), cmocka_unit_test(test_compare), cmocka_unit_test(test_compare_takes_an_object_once),
		cmocka_unit_test(test_reverse_zones),
		cmocka_unit_test(test_docker_without), cmocka_unit_test(test_a_default_runtime_goes_with_the_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
