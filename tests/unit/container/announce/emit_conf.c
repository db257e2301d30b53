#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "container/announce/conf.h"
#include "container/announce/settings.h"
#include "container/emit/options.h"
#include "tests/unit/exact.h"

static char path[] = "/tmp/callsign-emit-conf-XXXXXX";
static const char *const variables[] = {"CALLSIGN_URLS",    "CALLSIGN_PASSWORD",  "CALLSIGN_PASSWORD_FILE", "CALLSIGN_NAME",
                                        "CALLSIGN_ALIASES", "CALLSIGN_INTERFACE", "CALLSIGN_SUBNETS",       "CALLSIGN_RENEW",
                                        "CALLSIGN_HEARTBEAT", "CALLSIGN_PORTS",     "CALLSIGN_LOG_LEVEL", "CALLSIGN_TLS_CA",
                                        "CALLSIGN_CHECK_COMMAND", "CALLSIGN_CHECK_TCP", "CALLSIGN_CHECK_HTTP", "CALLSIGN_CHECK_FALL",
                                        "CALLSIGN_ADDRESSES"};

static int clean(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(variables); i++)
		unsetenv(variables[i]);
	return 0;
}

/* What conf_load() says goes to standard error, which is a file while it runs. */
static char said[4096];

static int load(struct conf *conf, const char *content)
{
	FILE *file = fopen(path, "w"), *capture = tmpfile();
	int result, saved = dup(STDERR_FILENO);
	size_t length;

	assert_non_null(file);
	assert_non_null(capture);
	fputs(content, file);
	assert_int_equal(fclose(file), 0);
	assert_int_not_equal(dup2(fileno(capture), STDERR_FILENO), -1);
	result = conf_load(conf, path);
	assert_int_not_equal(dup2(saved, STDERR_FILENO), -1);
	close(saved);
	rewind(capture);
	length = fread(said, 1, sizeof(said) - 1, capture);
	said[length] = '\0';
	fclose(capture);
	return result;
}

static void every_key_is_read(void **state)
{
	struct conf conf;

	(void)state;
	assert_int_equal(load(&conf, "urls = {\"amqp://a:b@h\", \"amqps://c@[::1]:1234/v\"}\npassword = \"p\"\nname = \"Web.Dev\"\n"
	                             "aliases = {\"www\", \"CDN\"}\ninterface = \"eth0\"\nsubnets = {\"10.0.0.0/8\", \"fd00::/8\"}\n"
	                             "renew = 30\nheartbeat = 20\nlog_level = \"debug\"\ntls {\n\tca = \"/ca\"\n\tverify = false\n"
	                             "\tserver_name = \"b.example\"\n}\n"),
	                 0);
	assert_int_equal(conf.bus.nendpoints, 2);
	assert_string_equal(conf.bus.endpoints[0].password, "b");
	assert_string_equal(conf.bus.endpoints[1].password, "p");
	assert_null(conf.password);
	assert_string_equal(conf.name, "web.dev");
	assert_int_equal(conf.naliases, 2);
	assert_string_equal(conf.aliases[1], "cdn");
	assert_string_equal(conf.wish.interfaces[0], "eth0");
	assert_int_equal(conf.wish.nsubnets, 2);
	assert_int_equal(conf.renew_s, 30);
	assert_int_equal(conf.bus.heartbeat_s, 20);
	assert_int_equal(conf.log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(conf.bus.tls.ca, "/ca");
	assert_false(conf.bus.tls.verify);
	assert_string_equal(conf.bus.tls.server_name, "b.example");
	conf_clear(&conf);
}

static void variables_go_before_the_file(void **state)
{
	struct conf conf;

	(void)state;
	setenv("CALLSIGN_URLS", "amqp://x:y@z , amqp://x:y@w", 1);
	setenv("CALLSIGN_RENEW", "60", 1);
	setenv("CALLSIGN_ALIASES", "", 1);
	assert_int_equal(load(&conf, "urls = \"amqp://a:b@h\"\nrenew = 30\naliases = {\"www\"}\n"), 0);
	assert_int_equal(conf.bus.nendpoints, 2);
	assert_string_equal(conf.bus.endpoints[1].host, "w");
	assert_int_equal(conf.renew_s, 60);
	assert_int_equal(conf.naliases, 0);
	conf_clear(&conf);
}

static void a_check_is_one_of_three(void **state)
{
	struct conf conf;

	(void)state;
	assert_int_equal(load(&conf, "check {\n\tcommand = {\"/bin/test\", \"-e\", \"/a, b\"}\n\tinterval = 10\n\ttimeout = 3\n\trise = 2\n"
	                             "\tfall = 4\n}\n"), 0);
	assert_int_equal(conf.check.kind, CHECK_COMMAND);
	assert_string_equal(conf.check.words[2], "/a, b");
	assert_int_equal(conf.check_rules.interval_s, 10);
	assert_int_equal(conf.check_rules.timeout_s, 3);
	assert_int_equal(conf.check_rules.rise, 2);
	assert_int_equal(conf.check_rules.fall, 4);
	conf_clear(&conf);
	/* Another kind of a variable takes the file's place, an option the variable's; the rules stay. */
	setenv("CALLSIGN_CHECK_HTTP", "http://localhost:8080/health", 1);
	setenv("CALLSIGN_CHECK_TCP", "", 1);
	setenv("CALLSIGN_CHECK_FALL", "9", 1);
	assert_int_equal(load(&conf, "check {\n\tcommand = \"true\"\n\tfall = 4\n}\n"), 0);
	assert_int_equal(conf.check.kind, CHECK_HTTP);
	assert_int_equal(conf.check_rules.fall, 9);
	assert_int_equal(conf_set_check(&conf, "tcp", "80"), 0);
	assert_int_equal(conf.check.kind, CHECK_TCP);
	conf_clear(&conf);
	setenv("CALLSIGN_CHECK_TCP", "80", 1);
	assert_int_equal(load(&conf, ""), -1);
	assert_non_null(strstr(said, "give one of them"));
	conf_clear(&conf);
	/* An empty one undoes what the image says. */
	unsetenv("CALLSIGN_CHECK_HTTP");
	setenv("CALLSIGN_CHECK_TCP", "", 1);
	assert_int_equal(load(&conf, "check {\n\tcommand = \"true\"\n}\n"), 0);
	assert_int_equal(conf.check.kind, CHECK_NONE);
	conf_clear(&conf);
}

static void secrets_leave_the_environment(void **state)
{
	struct conf conf;
	const char *url, *password;

	(void)state;
	setenv("CALLSIGN_URLS", "amqp://x@z", 1);
	setenv("CALLSIGN_PASSWORD", "hush", 1);
	url = getenv("CALLSIGN_URLS");
	password = getenv("CALLSIGN_PASSWORD");
	assert_int_equal(load(&conf, ""), 0);
	assert_null(getenv("CALLSIGN_URLS"));
	assert_null(getenv("CALLSIGN_PASSWORD"));
	assert_int_equal(url[0], '\0'); /* where /proc/PID/environ would show it */
	assert_int_equal(password[0], '\0');
	assert_string_equal(conf.bus.endpoints[0].password, "hush");
	conf_clear(&conf);
}

/* content and what the message must hold. */
static void errors_name_file_line_and_key(void **state)
{
	static const char *const bad[][2] = {
		{"\nrenew = 0\n", ":2: renew: \"0\" is not a whole number of seconds from 1 to 600"},
		{"renew = 601\n", ":1: renew: "},
		{"renew = 1e2\n", ":1: renew: "},
		{"\n\nfoo = 1\n", ":3: no such option 'foo'"},
		{"log_level = \"info\"\"\ncheck {\n}\n", ":1: something right behind a closing quote"},
		{"renew = 5\n\"\n", ":2: a quote (\") without its end"},
		{"password = \"pa${HOME}x\"\n", ":1: password: ${...}"},
		{"renew = 5\nrenew = 6\n", ":2: renew: given twice"},
		{"\xef\xbb\xbfrenew = 5\n", ":1: a byte order mark (U+FEFF)"},
		{"heartbeat = 0\n", ":1: heartbeat: "},
		{"log_level = \"loud\"\n", ":1: log_level: \"loud\": not one of error, warning, info, debug"},
		{"subnets = {\"10.0.0.1/8\"}\n", ":1: subnets: \"10.0.0.1/8\": "},
		{"interface = {\"a/b\"}\n", ":1: interface: "},
		{"tls {\n\tverify = maybe\n}\n", ":2: verify: \"maybe\": not true or false"},
		{"tls {\n\tfoo = 1\n}\n", ":2: no such option 'foo'"},
		{"tls {\n\tcert = \"/c\"\n}\n", "tls: cert and key"},
		{"check {\n\ttcp = web\n}\n", ":2: tcp: \"web\": not a port"},
		{"check {\n\thttp = \"https://127.0.0.1\"\n}\n", ":2: http: \"https://127.0.0.1\": not a URL"},
		{"check {\n\tcommand = \" \"\n}\n", ":2: command: "},
		{"check {\n\ttcp = 80\n\tcommand = {\"true\"}\n}\n", "check: command, tcp and http: give one of them"},
		{"check {\n\trise = 0\n}\n", ":2: rise: "},
		{"\ncheck|tcp = 80\n", ":2: tcp: belongs into its section"},
		{"\ncheck|command = {\"true\"}\n", ":2: command: belongs into its section"},
		{"urls = {\"http://h\"}\n", ":1: urls: "},
		{"urls = {\"amqp://a@h\"}\n", "has no password"},
		{"password = \"a\"\npassword_file = \"/b\"\n", "give one of them"},
		{"renew = \n", ":"},
	};
	struct conf conf;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(load(&conf, bad[i][0]), -1);
		if (strstr(said, bad[i][1]) == NULL)
			fail_msg("\"%s\" is not in: %s", bad[i][1], said);
		if (strstr(bad[i][1], ":1:") != NULL || strstr(bad[i][1], ":2:") != NULL)
			assert_non_null(strstr(said, path));
		conf_clear(&conf);
	}
}

static void errors_name_the_variable_and_never_a_secret(void **state)
{
	struct conf conf;

	(void)state;
	setenv("CALLSIGN_RENEW", "soon", 1);
	setenv("CALLSIGN_URLS", "amqp://a:topsecret@h:0", 1);
	assert_int_equal(load(&conf, ""), -1);
	assert_non_null(strstr(said, "CALLSIGN_RENEW: \"soon\""));
	assert_non_null(strstr(said, "CALLSIGN_URLS: "));
	assert_null(strstr(said, "topsecret"));
	assert_null(getenv("CALLSIGN_URLS"));
	conf_clear(&conf);
}

static void a_missing_file_is_an_error_only_if_named(void **state)
{
	struct conf conf;

	(void)state;
	assert_int_equal(conf_load(&conf, "/nonexistent/emit.conf"), -1);
	conf_clear(&conf);
	assert_int_equal(conf_load(&conf, "/"), -1);
	conf_clear(&conf);
}

static void the_alias_that_is_the_name_is_dropped(void **state)
{
	struct conf conf;
	char name[HOSTNAME_NAME_SIZE], why[CONF_MISNOMER_SIZE];

	(void)state;
	assert_int_equal(load(&conf, "name = \"b\"\naliases = {\"a\", \"b\", \"c\"}\n"), 0);
	assert_int_equal(conf_choose_name(&conf, name, why), 0);
	assert_string_equal(name, "b");
	assert_int_equal(conf.naliases, 2);
	assert_string_equal(conf.aliases[1], "c");
	conf_clear(&conf);
}

static void what_never_fits_into_a_message_is_refused_at_once(void **state)
{
	struct conf conf;
	char name[HOSTNAME_NAME_SIZE], why[CONF_MISNOMER_SIZE], label[] = "l00-", text[SETTING_ERROR_SIZE];
	unsigned i;

	(void)state;
	conf_init(&conf);
	assert_int_equal(setting_find(NULL, "name")->set(&conf, "n", text), 0);
	for (i = 0; i < ANNOUNCEMENT_ALIASES_MAX; i++) {
		unsigned part;

		label[1] = (char)('0' + i / 10);
		label[2] = (char)('0' + i % 10);
		for (part = 0; part < 3; part++)
			memset(conf.aliases[i] + part * 60, 'x', 59), conf.aliases[i][part * 60 + 59] = '.';
		memcpy(conf.aliases[i], label, 4);
		conf.aliases[i][179] = '\0';
	}
	conf.naliases = ANNOUNCEMENT_ALIASES_MAX;
	assert_int_equal(conf_choose_name(&conf, name, why), -1);
	conf.naliases = 4;
	assert_int_equal(conf_choose_name(&conf, name, why), 0);
	conf_clear(&conf);
}

static void names_with_variables_are_filled_in(void **state)
{
	char name[HOSTNAME_NAME_SIZE], why[CONF_MISNOMER_SIZE];
	struct conf conf;

	(void)state;
	setenv("SERVICE", "Elastic", 1);
	unsetenv("ENVIRONMENT");
	assert_int_equal(load(&conf, "name = \"one.{service}.{environment:-dev}\"\naliases = {\"{service}.dev\", \"plain\", \"elastic.dev\", "
	                             "\"one.{service}.dev\"}\n"), 0);
	assert_int_equal(conf_choose_name(&conf, name, why), 0);
	assert_string_equal(name, "one.elastic.dev");
	assert_int_equal(conf.naliases, 2); /* one came out twice, another as the name itself */
	assert_string_equal(conf.aliases[0], "plain");
	assert_string_equal(conf.aliases[1], "elastic.dev");
	/* Once more, as when the hostname has changed. */
	setenv("SERVICE", "Kibana", 1);
	assert_int_equal(conf_choose_name(&conf, name, why), 0);
	assert_string_equal(name, "one.kibana.dev");
	assert_int_equal(conf.naliases, 3);
	assert_string_equal(conf.aliases[1], "elastic.dev");
	assert_string_equal(conf.aliases[2], "kibana.dev");
	conf_clear(&conf);
	/* The variable's list takes the place of the file's, templates and all. */
	setenv("CALLSIGN_ALIASES", "x", 1);
	assert_int_equal(load(&conf, "name = \"{environment}\"\naliases = {\"{nope}\"}\n"), 0);
	assert_int_equal(conf.ntemplates, 0);
	assert_int_equal(conf_choose_name(&conf, name, why), -1);
	conf_clear(&conf);
	assert_int_equal(load(&conf, "\nname = \"{service\"\n"), 0);
	assert_int_equal(conf_choose_name(&conf, name, why), -1);
	assert_non_null(strstr(why, ":2: name: a '{' without its '}'"));
	conf_clear(&conf);
	unsetenv("SERVICE");
}

/* content, the rule that is broken, and where. COMMAND is to run all the same, so the configuration as such is taken. */
static void a_misnomer_is_kept_and_not_an_error(void **state)
{
	static const char *const bad[][2] = {
		{"\nname = \"localhost\"\n", ":2: name: \"localhost\": "},
		{"name = \"a b\"\n", ":1: name: \"a\\x20b\": "},
		{"name = \"my_app\"\n", ":1: name: \"my_app\": "},
		{"name = \"trailing-\"\n", ":1: name: \"trailing-\": "},
		{"name = \"a..b\"\n", ":1: name: \"a..b\": "},
		{"name = \"0123456789012345678901234567890123456789012345678901234567890123\"\n", "longer than 63"},
		{"name = \"\"\n", ":1: name: \"\": "},
		{"name = \"good\"\naliases = {\"a\", \"A\"}\n", ":2: aliases: \"A\": given twice"},
		{"name = \"good\"\naliases = {\"a\", \"b_c\"}\n", ":2: aliases: \"b_c\": "},
		{"name = \"good\"\naliases = {\"{nope}\"}\n", "aliases: {nope}: neither nope nor NOPE is set"},
	};
	char name[HOSTNAME_NAME_SIZE], why[CONF_MISNOMER_SIZE];
	struct conf conf;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(load(&conf, bad[i][0]), 0);
		assert_string_equal(said, "");
		assert_int_equal(conf_choose_name(&conf, name, why), -1);
		if (strstr(why, bad[i][1]) == NULL)
			fail_msg("\"%s\" is not in: %s", bad[i][1], why);
		conf_clear(&conf);
	}
}

/* What three dialects of env files make of one line. */
static void variables_tell_what_env_files_did_to_them(void **state)
{
	static const struct {
		const char *variable, *value, *error; /* error NULL: taken */
	} rows[] = {
		{"CALLSIGN_PASSWORD", "sesame\r", "CALLSIGN_PASSWORD: ends in a carriage return"},
		{"CALLSIGN_PASSWORD", "ses\name", "CALLSIGN_PASSWORD: holds a control character"},
		{"CALLSIGN_PASSWORD", "\"sesame\"", "CALLSIGN_PASSWORD: stands in quotes"},
		{"CALLSIGN_PASSWORD", "'sesame'", "CALLSIGN_PASSWORD: stands in quotes"},
		{"CALLSIGN_PASSWORD", " sesame", "CALLSIGN_PASSWORD: has a blank at an end"},
		{"CALLSIGN_PASSWORD", "sesame ", "CALLSIGN_PASSWORD: has a blank at an end"},
		{"CALLSIGN_PASSWORD", "ses ame", NULL},
		{"CALLSIGN_PASSWORD", "\"sesame", NULL},
		{"CALLSIGN_PASSWORD", "\"", NULL},
		{"CALLSIGN_URLS", "amqp://a:b@h\r", "CALLSIGN_URLS: ends in a carriage return"},
		{"CALLSIGN_URLS", "\"amqp://a:b@h\"", "CALLSIGN_URLS: stands in quotes"},
		{"CALLSIGN_URLS", " amqp://a:b@h , amqp://a:b@i ", NULL},
		{"CALLSIGN_RENEW", "5\r", "CALLSIGN_RENEW: ends in a carriage return"},
		{"CALLSIGN_PASSWORD", "ses\tame", "CALLSIGN_PASSWORD: holds a control character"},
		{"CALLSIGN_CHECK_COMMAND", "\"/bin/a b\"", NULL},
		{"CALLSIGN_CHECK_COMMAND", "a |\n\tb", NULL},
		{"CALLSIGN_CHECK_COMMAND", "true\r", "CALLSIGN_CHECK_COMMAND: ends in a carriage return"},
		{"CALLSIGN_CHECK_COMMAND", "tr\033ue", "CALLSIGN_CHECK_COMMAND: holds a control character"},
	};
	struct conf conf;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		setenv(rows[i].variable, rows[i].value, 1);
		assert_int_equal(load(&conf, ""), rows[i].error == NULL ? 0 : -1);
		if (rows[i].error != NULL && strstr(said, rows[i].error) == NULL)
			fail_msg("\"%s\" is not in: %s", rows[i].error, said);
		assert_null(strstr(said, "same"));
		unsetenv(rows[i].variable);
		conf_clear(&conf);
	}
	setenv("export CALLSIGN_NAME", "shop", 1);
	assert_int_equal(load(&conf, "urls = {\"amqp://a@h\"}\npassword = b\n"), 0);
	assert_non_null(strstr(said, "the variable \"export CALLSIGN_NAME\" is not read: leave export out of the env file"));
	conf_clear(&conf);
	assert_int_equal(load(&conf, "urls = {\"amqp://a@h\"}\n"), -1);
	assert_non_null(strstr(said, "has no password"));
	assert_non_null(strstr(said, "\"export CALLSIGN_...\""));
	unsetenv("export CALLSIGN_NAME");
	conf_clear(&conf);
	setenv("INVOCATION_ID", "1", 1);
	assert_int_equal(load(&conf, "urls = {\"amqp://a@h\"}\n"), -1);
	assert_non_null(strstr(said, "in a unit's Environment= a % is written %%"));
	unsetenv("INVOCATION_ID");
	conf_clear(&conf);
	setenv("CALLSIGN_NAME", "\"web\"", 1);
	assert_int_equal(load(&conf, ""), 0);
	assert_non_null(strstr(conf.misnomers[CONF_NAME], "CALLSIGN_NAME: stands in quotes"));
	unsetenv("CALLSIGN_NAME");
	conf_clear(&conf);
}

static void addresses_stands_for_the_two_older_keys(void **state)
{
	static const struct {
		const char *content, *variable; /* NULL: not set */
		bool all;
		unsigned ninterfaces, nsubnets;
	} rows[] = {
		{"addresses = bus\n", NULL, false, 0, 0},
		{"addresses = \"all\"\n", NULL, true, 0, 0},
		{"addresses = \"interface eth0 eth1\"\n", NULL, false, 2, 0},
		{"addresses = 'interface eth0, eth1,eth2'\n", NULL, false, 3, 0},
		{"addresses = \"interface eth0\"\n", NULL, false, 1, 0},
		{"addresses = \"subnets 10.0.0.0/8, fd00::/8\"\n", NULL, false, 0, 2},
		{"addresses = all\nsubnets = {\"10.0.0.0/8\"}\n", NULL, true, 0, 1},
		{"interface = {\"eth0\"}\n", "bus", false, 0, 0},
		{"interface = {\"eth0\"}\nsubnets = {\"10.0.0.0/8\"}\n", "all", true, 0, 0},
		{"addresses = all\n", "interface eth1", false, 1, 0},
		{"addresses = all\n", "", false, 0, 0},
	};
	static const char *const bad[][2] = {
		{"addresses = some\n", ":1: addresses: \"some\": not bus, all, interface"},
		{"addresses = \"bus eth0\"\n", ":1: addresses: "},
		{"addresses = \"all bus\"\n", ":1: addresses: "},
		{"addresses = interface\n", ":1: addresses: interface needs names"},
		{"addresses = \"subnets eth0\"\n", ":1: addresses: \"eth0\": not a subnet"},
		{"addresses = \"interface a/b\"\n", ":1: addresses: \"a/b\": an interface's name"},
		{"addresses = \"interfaces eth0\"\n", ":1: addresses: "},
	};
	struct conf conf;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		if (rows[i].variable != NULL)
			setenv("CALLSIGN_ADDRESSES", rows[i].variable, 1);
		if (load(&conf, rows[i].content) == -1)
			fail_msg("row %zu: %s", i, said);
		assert_int_equal(conf.wish.all, rows[i].all);
		assert_int_equal(conf.wish.ninterfaces, rows[i].ninterfaces);
		assert_int_equal(conf.wish.nsubnets, rows[i].nsubnets);
		unsetenv("CALLSIGN_ADDRESSES");
		conf_clear(&conf);
	}
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(load(&conf, bad[i][0]), -1);
		if (strstr(said, bad[i][1]) == NULL)
			fail_msg("\"%s\" is not in: %s", bad[i][1], said);
		conf_clear(&conf);
	}
}

static void the_last_to_name_it_decides(void **state)
{
	char name[HOSTNAME_NAME_SIZE], why[CONF_MISNOMER_SIZE];
	struct conf conf;

	(void)state;
	setenv("CALLSIGN_NAME", "good", 1);
	assert_int_equal(load(&conf, "name = \"my_app\"\n"), 0);
	assert_int_equal(conf_choose_name(&conf, name, why), 0);
	assert_string_equal(name, "good");
	conf_set_name(&conf, "my_app");
	assert_int_equal(conf_choose_name(&conf, name, why), -1);
	assert_non_null(strstr(why, "--name: \"my_app\": "));
	conf_set_name(&conf, "Better");
	assert_int_equal(conf_choose_name(&conf, name, why), 0);
	assert_string_equal(name, "better");
	conf_clear(&conf);
	/* Never a name that somebody else's words have taken the place of. */
	setenv("CALLSIGN_NAME", "my_app", 1);
	setenv("CALLSIGN_ALIASES", "a,,b", 1);
	assert_int_equal(load(&conf, "name = \"good\"\n"), 0);
	assert_int_equal(conf_choose_name(&conf, name, why), -1);
	assert_non_null(strstr(why, "CALLSIGN_NAME: \"my_app\": "));
	conf_set_name(&conf, "good");
	assert_int_equal(conf_choose_name(&conf, name, why), -1);
	assert_non_null(strstr(why, "CALLSIGN_ALIASES: \"\": "));
	conf_clear(&conf);
	unsetenv("CALLSIGN_NAME");
	unsetenv("CALLSIGN_ALIASES");
}

static void assert_ports(const struct conf *conf, const char *expected)
{
	char text[512] = "";
	size_t used = 0;
	unsigned i;

	for (i = 0; i < conf->nports; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s=%u ", conf->ports[i].name, (unsigned)conf->ports[i].port);
	assert_string_equal(text, expected);
}

static void ports_are_read(void **state)
{
	struct conf conf;
	char error[SETTING_ERROR_SIZE];

	(void)state;
	assert_int_equal(load(&conf, "ports {\n\tws = 9091\n\tHTTP = \"9090\" # the site\n}\n"), 0);
	assert_ports(&conf, "http=9090 ws=9091 ");
	/* --port: one more, and one instead of another */
	assert_int_equal(conf_add_port(&conf, "http=80", 7, true, error, sizeof(error)), 0);
	assert_int_equal(conf_add_port(&conf, "dns=53", 6, true, error, sizeof(error)), 0);
	assert_ports(&conf, "dns=53 http=80 ws=9091 ");
	assert_int_equal(conf_add_port(&conf, "http=81", 7, false, error, sizeof(error)), -1);
	assert_string_equal(error, "\"http=81\": given twice");
	conf_clear(&conf);
	setenv("CALLSIGN_PORTS", " http = 8080 ,ws=8081", 1);
	assert_int_equal(load(&conf, "ports { x = 1 }\n"), 0);
	assert_ports(&conf, "http=8080 ws=8081 ");
	conf_clear(&conf);
	setenv("CALLSIGN_PORTS", "", 1);
	assert_int_equal(load(&conf, "ports { x = 1 }\n"), 0);
	assert_ports(&conf, "");
	conf_clear(&conf);
}

static void bad_ports_are_refused_with_words(void **state)
{
	static const char *const bad[][2] = {
		{"http", "\"http\": not of the form NAME=NUMBER"},
		{"http=", "a port is a whole number from 1 to 65535"},
		{"http=0", "a port is a whole number from 1 to 65535"},
		{"http=70000", "a port is a whole number from 1 to 65535"},
		{"http=80 81", "a port is a whole number from 1 to 65535"},
		{"=80", "it is empty"},
		{"80=80", "it has no letter"},
		{"a--b=80", "two hyphens"},
		{"a=1,A=2", "given twice"},
		{"a=1,", "not of the form"},
		{"a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1", "\"q=1\": more than 16 ports"},
	};
	struct conf conf;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		setenv("CALLSIGN_PORTS", bad[i][0], 1);
		assert_int_equal(load(&conf, ""), -1);
		if (strstr(said, "CALLSIGN_PORTS: ") == NULL || strstr(said, bad[i][1]) == NULL)
			fail_msg("\"%s\" is not in: %s", bad[i][1], said);
		conf_clear(&conf);
	}
	unsetenv("CALLSIGN_PORTS");
	assert_int_equal(load(&conf, "\nports {\n\thttp = \"9090,ws=1\"\n}\n"), -1);
	assert_non_null(strstr(said, "ports: \"http=9090,ws=1\": a port is a whole number"));
	assert_non_null(strstr(said, path));
	conf_clear(&conf);
}

static int read_options(struct options *options, char **argv)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	optind = 0; /* getopt begins anew */
	return options_read(options, argc, argv);
}

#define ARGUMENTS(...) (char *[]){(char[]){"callsign-emit"}, __VA_ARGS__, NULL}
#define A(text) (char[]){text}

static void options_are_judged(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(read_options(&o, ARGUMENTS(A("--wait"), A("--"), A("ls"), A("-l"))), 0);
	assert_int_equal(o.wait_s, OPTIONS_WAIT_S);
	assert_string_equal(o.command[1], "-l");
	assert_int_equal(read_options(&o, ARGUMENTS(A("-c"), A("f"), A("--wait=5"), A("ls"), A("--once"))), 0);
	assert_int_equal(o.wait_s, 5);
	assert_string_equal(o.command[1], "--once");
	assert_int_equal(read_options(&o, ARGUMENTS(A("--once"), A("up"), A("--lease"), A("60"), A("--state=s"))), 0);
	assert_int_equal(o.mode, MODE_ONCE_UP);
	assert_int_equal(o.lease_s, 60);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--once"), A("down"))), 0);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--port"), A("http=1"), A("--port=ws=2"), A("ls"))), 0);
	assert_int_equal(o.nports, 2);
	assert_string_equal(o.ports[1], "ws=2");
	assert_int_equal(read_options(&o, ARGUMENTS(A("--wait=0"), A("ls"))), -1);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--wait=86401"), A("ls"))), -1);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--wait"))), -1);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--once"), A("sideways"))), -1);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--once"), A("up"), A("ls"))), -1);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--lease"), A("60"))), -1);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--once"), A("up"), A("--lease"), A("4"))), -1);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--once"), A("down"), A("--lease"), A("60"))), -1);
	assert_int_equal(read_options(&o, ARGUMENTS(A("--healthcheck"), A("--check-config"))), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_key_is_read, clean),
		cmocka_unit_test_setup(variables_go_before_the_file, clean),
		cmocka_unit_test_setup(a_check_is_one_of_three, clean),
		cmocka_unit_test_setup(secrets_leave_the_environment, clean),
		cmocka_unit_test_setup(errors_name_file_line_and_key, clean),
		cmocka_unit_test_setup(errors_name_the_variable_and_never_a_secret, clean),
		cmocka_unit_test_setup(a_missing_file_is_an_error_only_if_named, clean),
		cmocka_unit_test_setup(the_alias_that_is_the_name_is_dropped, clean),
		cmocka_unit_test_setup(what_never_fits_into_a_message_is_refused_at_once, clean),
		cmocka_unit_test_setup(names_with_variables_are_filled_in, clean),
		cmocka_unit_test_setup(a_misnomer_is_kept_and_not_an_error, clean),
		cmocka_unit_test_setup(the_last_to_name_it_decides, clean),
		cmocka_unit_test_setup(addresses_stands_for_the_two_older_keys, clean),
		cmocka_unit_test_setup(variables_tell_what_env_files_did_to_them, clean),
		cmocka_unit_test_setup(ports_are_read, clean),
		cmocka_unit_test_setup(bad_ports_are_refused_with_words, clean),
		cmocka_unit_test_setup(options_are_judged, clean),
	};
	int fd = mkstemp(path), failed;

	if (fd == -1)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests_name("emit_conf", tests, NULL, NULL);
	unlink(path);
	return failed;
}
