/* agent.conf: taken whole, or refused with every mistake's line. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "container/agent/agentconf.h"
#include "tests/unit/exact.h"

static char folder[] = "/tmp/callsign-agentconf.XXXXXX";
static char conf_path[sizeof(folder) + 16], password_path[sizeof(folder) + 16];
static char said[4096];

static bool collect(int priority, const char *line, size_t length)
{
	size_t used = strlen(said);

	(void)priority;
	if (used + length + 2 < sizeof(said))
		snprintf(said + used, sizeof(said) - used, "%.*s\n", (int)length, line);
	return true;
}

static const struct log_target target = {.send = collect};

static void put(const char *path, mode_t mode, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static int make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(conf_path, sizeof(conf_path), "%s/agent.conf", folder);
	snprintf(password_path, sizeof(password_path), "%s/password", folder);
	put(password_path, 0600, "secret\n");
	log_open(&target, "test", LOG_LEVEL_WARNING);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(conf_path);
	unlink(password_path);
	return rmdir(folder);
}

static struct agentconf *load(const char *text)
{
	char *whole = NULL;
	struct agentconf *conf;

	said[0] = '\0';
	/* A section may be there once. */
	if (strncmp(text, "bus", 3) == 0)
		assert_true(asprintf(&whole, "\n%s\n", text) > 0);
	else
		assert_true(asprintf(&whole, "bus { password_file = \"%s\" }\n%s\n", password_path, text) > 0);
	put(conf_path, 0600, whole);
	free(whole);
	conf = agentconf_load(conf_path);
	return conf;
}

static void a_password_is_all_it_needs(void **state)
{
	struct agentconf *conf = load("");

	(void)state;
	assert_non_null(conf);
	assert_string_equal(conf->bus.endpoints[0].host, "127.0.0.1");
	assert_string_equal(conf->bus.endpoints[0].user, "callsign-agent");
	assert_string_equal(conf->bus.endpoints[0].password, "secret");
	assert_int_equal(conf->names.count, 1);
	assert_string_equal(conf->names.texts[0], "{hostname}");
	assert_true(conf->roots.count >= 4);
	assert_true(conf->adopt && !conf->wait);
	assert_int_equal(conf->renew_s, 120);
	assert_true(conf->host[0] != '\0');
	agentconf_free(conf);
}

static void every_key(void **state)
{
	struct agentconf *conf = load("host = \"Box.Lan\" names = {\"{hostname}\", \"{label:a.b}\"} include = {\"web*\"} exclude = {\"x\", \"y\"}\n"
	                              "interfaces = {\"eth0\"} subnets = {\"10.0.0.0/8\"} roots = {\"/run/x\"} wait = true adopt = false renew = 060\n"
	                              "log_level = \"debug\"");
	struct naming_rules rules;

	(void)state;
	assert_non_null(conf);
	rules = agentconf_rules(conf);
	assert_string_equal(conf->host, "box.lan");
	assert_int_equal(rules.nnames, 2);
	assert_string_equal(rules.names[1], "{label:a.b}");
	assert_int_equal(rules.ninclude, 1);
	assert_int_equal(rules.nexclude, 2);
	assert_int_equal(conf->wish.ninterfaces, 1);
	assert_int_equal(conf->wish.nsubnets, 1);
	assert_int_equal(conf->roots.count, 1);
	assert_true(conf->wait && !conf->adopt);
	assert_int_equal(conf->renew_s, 60);
	assert_int_equal(conf->log_level, LOG_LEVEL_DEBUG);
	agentconf_free(conf);
}

static void a_mistake_is_named_with_its_line(void **state)
{
	static const struct {
		const char *line, *words;
	} mistakes[] = {
		{"names = {\"{host}\"}", ":2: names: variables are"},
		{"host = \"a\"\"\nnames = {}", ":2: something right behind a closing quote"},
		{"renew = 5\nrenew = 6", ":3: renew: given twice"},
		{"password = \"pa${HOME}x\"", ":2: password: ${...}"},
		{"names = {\"{hostname}\", \"\"}", ":2: names: it is empty"},
		{"include = {\"a_b\"}", ":2: include: "},
		{"exclude = {\"\"}", ":2: exclude: "},
		{"subnets = {\"10.0.0.1/8\"}", ":2: subnets: not a network"},
		{"interfaces = {\"an-interface-name\"}", ":2: interfaces: "},
		{"roots = {\"run\"}", ":2: roots: not an absolute path"},
		{"host = \"a_b\"", ":2: host: "},
		{"renew = 0", ":2: renew: "},
		{"renew = 601", ":2: renew: "},
		{"renew = 0x20", ":2: renew: "},
		{"renew = 20s", ":2: renew: "},
		{"renew = \"\"", ":2: renew: "},
		{"renew = 9999999999", ":2: renew: "},
		{"bus { heartbeat = -1 }", ":2: heartbeat: "},
		{"log_level = \"loud\"", ":2: log_level: one of"},
		{"wait = perhaps", ":2: "},
		{"nmaes = {\"x\"}", ":2: "},
		{"bus { urls = {\"http://x\"} }", ":2: urls: "},
		{"bus { heartbeat = 0 }", ":2: heartbeat: "},
		{"bus { password_file = \"secret\" }", ":2: password_file: not an absolute path"},
		{"bus { tls { cert = \"/c\" } }", "cert and key go together"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		if (load(mistakes[i].line) != NULL || strstr(said, mistakes[i].words) == NULL)
			fail_msg("%s: said: %s", mistakes[i].line, said);
	}
}

static void all_mistakes_are_said_at_once(void **state)
{
	(void)state;
	assert_null(load("names = {\"{x}\"}\nrenew = 0\nlog_level = \"x\""));
	assert_non_null(strstr(said, ":2: names"));
	assert_non_null(strstr(said, ":3: renew"));
	assert_non_null(strstr(said, ":4: log_level"));
}

static void passwords_are_kept_from_others(void **state)
{
	(void)state;
	assert_int_equal(chmod(password_path, 0644), 0);
	assert_null(load(""));
	assert_non_null(strstr(said, "password_file: "));
	assert_int_equal(chmod(password_path, 0600), 0);
	put(conf_path, 0644, "bus { urls = {\"amqp://a:secret@h/v\"} }\n");
	said[0] = '\0';
	assert_null(agentconf_load(conf_path));
	assert_non_null(strstr(said, "chmod o="));
	assert_null(strstr(said, "secret"));
	put(conf_path, 0600, "bus { urls = {\"amqp://a@h/v\"} }\n");
	said[0] = '\0';
	assert_null(agentconf_load(conf_path));
	assert_non_null(strstr(said, "no password is known"));
}

static void what_is_no_file_is_not_read(void **state)
{
	(void)state;
	said[0] = '\0';
	assert_null(agentconf_load(folder));
	assert_non_null(strstr(said, "not a regular file"));
	assert_null(agentconf_load("/nonexistent/agent.conf"));
	assert_non_null(strstr(said, "cannot be read"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_all_it_needs),
		cmocka_unit_test(every_key),
		cmocka_unit_test(a_mistake_is_named_with_its_line),
		cmocka_unit_test(all_mistakes_are_said_at_once),
		cmocka_unit_test(passwords_are_kept_from_others),
		cmocka_unit_test(what_is_no_file_is_not_read),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
