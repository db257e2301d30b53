#include <config.h>

#include <fcntl.h>
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

#include "host/conf/conf.h"
#include "host/sinks/haproxy/conf.h"
#include "host/sinks/sections.h"
#include "tests/unit/exact.h"

/* Stands in the texts below for the path of a good password file. */
#define PASSWORD "@PASSWORD@"
#define BUS      "bus { urls = {\"amqp://h:secret@127.0.0.1/v\"} }\n"

static char directory[] = "/tmp/callsign-conf-XXXXXX";
static char path[sizeof(directory) + 16], password_path[sizeof(directory) + 16], log_path[sizeof(directory) + 16];
static char logged[1 << 14];

static void write_file(const char *where, const char *text, mode_t mode)
{
	FILE *file = fopen(where, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fchmod(fileno(file), mode), 0);
	assert_int_equal(fclose(file), 0);
}

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/conf", directory);
	snprintf(password_path, sizeof(password_path), "%s/password", directory);
	snprintf(log_path, sizeof(log_path), "%s/log", directory);
	write_file(password_path, "from-file\n", 0600);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	unlink(password_path);
	unlink(log_path);
	return rmdir(directory);
}

static void read_log(void)
{
	FILE *file = fopen(log_path, "r");
	size_t length;

	assert_non_null(file);
	length = fread(logged, 1, sizeof(logged) - 1, file);
	logged[length] = '\0';
	fclose(file);
}

/* What conf_load() says goes into `logged`. */
static struct conf *load_path(const char *where)
{
	int saved = dup(STDERR_FILENO), file = open(log_path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	struct conf *conf;

	assert_true(saved >= 0 && file >= 0);
	fflush(stderr);
	dup2(file, STDERR_FILENO);
	close(file);
	conf = conf_load(where, sinks_sections);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	read_log();
	return conf;
}

static struct conf *load(const char *text)
{
	char expanded[4096];
	const char *mark = strstr(text, PASSWORD);

	if (mark == NULL)
		snprintf(expanded, sizeof(expanded), "%s", text);
	else
		snprintf(expanded, sizeof(expanded), "%.*s%s%s", (int)(mark - text), text, password_path,
			 mark + strlen(PASSWORD));
	write_file(path, expanded, 0600);
	return load_path(path);
}

static void domains_are_read(void **state)
{
	struct conf *conf = load(BUS "domain = \"Docker\"\nregistry { conflict = \"first\" }\n"
				     "serve \"Lab.Example\" { names = {\"*.dev\", \"web\"} users = {\"t\"} subnets = {\"10.0.0.0/8\"} "
				     "conflict = \"newest\" }\nserve \"docker\" { names = {\"a*\"} }\nserve \"plain\" { }\n");
	const struct policy_domain *domains;

	(void)state;
	assert_non_null(conf);
	domains = conf->policy.domains;
	assert_string_equal(conf->domain, "docker");
	assert_int_equal(conf->policy.ndomains, 3);
	assert_string_equal(domains[0].name, "docker");
	assert_int_equal(domains[0].rule.nnames, 1);
	assert_int_equal(conf->conflicts[0], VIEW_FIRST);
	assert_string_equal(domains[1].name, "lab.example");
	assert_string_equal(domains[1].rule.names[1], "web");
	assert_string_equal(domains[1].users[0], "t");
	assert_int_equal(domains[1].rule.nsubnets, 1);
	assert_int_equal(conf->conflicts[1], VIEW_NEWEST);
	assert_string_equal(domains[2].name, "plain");
	assert_int_equal(domains[2].rule.nnames, 0);
	conf_free(conf);
}

static void odd_domains_are_refused(void **state)
{
	static const char *const odd[][2] = {
		{"serve \"a.docker\" { }", "it is, or one is below the other, the domain \"docker\""},
		{"domain = \"a.b\"\nserve \"b\" { }", "the domain \"a.b\""},
		{"serve \"x\" { }\nserve \"X\" { }", "the domain \"x\""},
		{"serve \"docker\" { }\nserve \"DOCKER\" { }", "there is a section for this domain already"},
		{"serve \"\" { }", "is empty"},
		{"serve \"localhost\" { }", "serve \"localhost\": not allowed"},
		{"serve \"a b\" { }", "letters"},
		{"serve \"x\" { conflict = \"some\" }", "one of \"all\", \"newest\", \"first\""},
		{"serve \"x\" { names = {\"a/b\"} }", "serve \"x\".names"},
		{"serve \"x\" { subnets = {\"10.0.0.1/8\"} }", "serve \"x\".subnets"},
		{"serve \"x\" { users = {\"\"} }", "serve \"x\".users"},
		{"serve \"x\" { reserved = {\"a\"} }", "no such option"},
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(odd); i++) {
		struct conf *conf;

		snprintf(text, sizeof(text), BUS "%s\n", odd[i][0]);
		conf = load(text);
		if (conf != NULL || strstr(logged, odd[i][1]) == NULL)
			fail_msg("%s: %s", odd[i][0], logged);
	}
	snprintf(text, sizeof(text), BUS);
	for (unsigned i = 0; i < POLICY_DOMAINS_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "serve \"d%u\" { }\n", i);
	assert_null(load(text));
	assert_non_null(strstr(logged, "more than 16 domains"));
}

static void defaults_are_what_the_manual_says(void **state)
{
	struct conf *conf = load("bus { password_file = \"" PASSWORD "\" }\nqueue { name = \"Lab\" }\n");

	(void)state;
	assert_non_null(conf);
	assert_string_equal(conf->domain, "docker");
	assert_string_equal(conf->hostname, "lab");
	assert_string_equal(conf->queue.name, "callsign.host.lab");
	assert_string_equal(conf->queue.type, "classic");
	assert_int_equal(conf->queue.expires_s, 86400);
	assert_int_equal(conf->queue.max_length, 100000);
	assert_int_equal(conf->bus.nendpoints, 1);
	assert_string_equal(conf->bus.endpoints[0].user, "callsign-host");
	assert_string_equal(conf->bus.endpoints[0].host, "127.0.0.1");
	assert_string_equal(conf->bus.endpoints[0].vhost, "callsign");
	assert_string_equal(conf->bus.endpoints[0].password, "from-file");
	assert_true(conf->bus.tls.verify);
	assert_int_equal(conf->bus.heartbeat_s, BUS_HEARTBEAT_S);
	assert_int_equal(conf->conflict, VIEW_ALL);
	assert_int_equal(conf->registry.lost_grace_ms, 0);
	assert_int_equal(conf->registry.resync_timeout_ms, 8000);
	assert_int_equal(conf->registry.max_lease_s, 86400);
	assert_true(conf->registry.max_ended_per_user > 0);
	assert_string_equal(conf->dnsmasq.hosts_file, "/run/callsign/hosts");
	assert_int_equal(conf->dnsmasq.nforwarders, 2);
	assert_string_equal(conf->dnsmasq.forwarders[0], "/run/dnsmasq/dnsmasq.pid");
	assert_string_equal(conf->dnsmasq.forwarders[1], "/run/NetworkManager/dnsmasq.pid");
	assert_string_equal(conf->dnsmasq.pid_file, "/run/dnsmasq/dnsmasq.pid");
	assert_null(conf->dnsmasq.server);
	assert_int_equal(conf->dnsmasq.port, 53);
	assert_false(conf->metrics.on);
	assert_null(haproxy_conf(conf)->socket);
	assert_string_equal(haproxy_conf(conf)->map_file, "/run/callsign/haproxy.map");
	assert_string_equal(haproxy_conf(conf)->pid_file, "/run/haproxy.pid");
	assert_true(haproxy_conf(conf)->reload && !haproxy_conf(conf)->required);
	assert_int_equal(haproxy_conf(conf)->default_port, 80);
	assert_string_equal(conf->pid_file, "/run/callsign/callsignd.pid");
	assert_int_equal(conf->log_level, LOG_LEVEL_INFO);
	assert_false(conf->policy.allow_unsigned);
	assert_int_equal(conf->policy.nusers, 0);
	conf_free(conf);
}

static void every_key_is_taken(void **state)
{
	struct conf *conf = load(
		"domain = \"Lab.Example\"\n"
		"bus { urls = {\"amqps://h@a, amqp://h:own@[fd00::1]:1/v\", \"amqp://h@b\"} password_file = \"" PASSWORD
		"\" heartbeat = 5\n"
		"tls { ca = \"/ca\" cert = \"/cert\" key = \"/key\" verify = false server_name = \"broker\" } }\n"
		"queue { name = \"callsign.host.x\" type = quorum expires = 3600 max_length = 500 }\n"
		"registry { conflict = newest lost_grace = 0.25 resync_timeout = 4 max_lease = 600 }\n"
		"policy { subnets = {\"172.16.0.0/12\", \"fd00::/8\"} names = {\"*\"} reserved = {\"gw*\"} unsigned = "
		"yes }\n"
		"user \"web\" { subnets = {\"172.20.0.0/16\"} names = {\"web-*\"} }\nuser \"db\" { agent = true }\n"
		"user \"far\" { agent = true lost_grace = 0.5 }\n"
		"dnsmasq { hosts_file = \"/h\" pid_file = \"/p\" server = \"127.0.0.53\" port = 5353 forwarders = {\"/f\"} }\n"
		"metrics { listen = \"[fd00::1]:9123\" }\n"
		"haproxy { socket = \"/run/h.sock\" map_file = \"/srv/h.map\" pid_file = \"/run/h.pid\" reload = false "
		"default_port = 0 required = true }\n"
		"host_names = {\"Host=docker0\", \"gw=172.17.0.1\", \"gw=fd00::1\"}\n"
		"pid_file = \"/c\"\nlog_level = debug\n");

	(void)state;
	assert_non_null(conf);
	assert_string_equal(conf->domain, "lab.example");
	assert_int_equal(conf->bus.nendpoints, 3);
	assert_true(conf->bus.endpoints[0].tls);
	assert_string_equal(conf->bus.endpoints[0].password, "from-file");
	assert_string_equal(conf->bus.endpoints[1].password, "own");
	assert_string_equal(conf->bus.endpoints[2].host, "b");
	assert_string_equal(conf->bus.tls.server_name, "broker");
	assert_false(conf->bus.tls.verify);
	assert_string_equal(conf->queue.name, "callsign.host.x");
	assert_string_equal(conf->queue.type, "quorum");
	assert_int_equal(conf->conflict, VIEW_NEWEST);
	assert_int_equal(conf->registry.lost_grace_ms, 250);
	assert_int_equal(conf->policy.rule.nsubnets, 2);
	assert_true(conf->policy.allow_unsigned);
	assert_int_equal(conf->policy.nusers, 3);
	assert_false(policy_is_agent(&conf->policy, "web"));
	assert_true(policy_is_agent(&conf->policy, "db") && policy_is_agent(&conf->policy, "far"));
	assert_int_equal(policy_agent_grace_ms(&conf->policy, "web"), 0);
	assert_int_equal(policy_agent_grace_ms(&conf->policy, "db"), 5000);
	assert_int_equal(policy_agent_grace_ms(&conf->policy, "far"), 500);
	assert_string_equal(conf->policy.users[0].user, "web");
	assert_string_equal(conf->policy.users[0].rule.names[0], "web-*");
	assert_int_equal(conf->policy.users[1].rule.nnames, 0);
	assert_string_equal(conf->dnsmasq.server, "127.0.0.53");
	assert_true(conf->metrics.on);
	assert_string_equal(haproxy_conf(conf)->socket, "/run/h.sock");
	assert_string_equal(haproxy_conf(conf)->map_file, "/srv/h.map");
	assert_string_equal(haproxy_conf(conf)->pid_file, "/run/h.pid");
	assert_true(!haproxy_conf(conf)->reload && haproxy_conf(conf)->required);
	assert_int_equal(haproxy_conf(conf)->default_port, 0);
	assert_int_equal(conf->metrics.address.family, 6);
	assert_int_equal(conf->metrics.port, 9123);
	assert_int_equal(conf->nhost_names, 3);
	assert_string_equal(conf->host_names[0].name, "host");
	assert_string_equal(conf->host_names[0].interface, "docker0");
	assert_null(conf->host_names[1].interface);
	assert_int_equal(conf->host_names[2].address.family, 6);
	assert_true(policy_reserved(&conf->policy, "gw"));
	assert_int_equal(conf->log_level, LOG_LEVEL_DEBUG);
	conf_free(conf);
}

/* Each stands alone in line 2 of a file that is right apart from it. */
static const struct {
	const char *line, *key, *allowed;
} mistakes[] = {
	{"domain = \"a b\"", "domain", "\"lab.example.org\""},
	{"domain = \"\"", "domain", "\"docker\""},
	{"domain = \"localhost\"", "domain", "localhost"},
	{"bus { urls = {\"http://x\"} }", "bus.urls", "amqp"},
	{"bus { heartbeat = 0 }", "bus.heartbeat", "1 to 600"},
	{"bus { heartbeat = \"ten\" }", "bus.heartbeat", "1 to 600"},
	{"bus { heartbeat = 601 }", "bus.heartbeat", "1 to 600"},
	{"bus { password_file = \"secret\" }", "bus.password_file", "from / on"},
	{"bus { password_file = \"/nonexistent/password\" }", "bus.password_file", "/nonexistent/password"},
	{"bus { tls { ca = \"ca.pem\" } }", "tls.ca", "from / on"},
	{"bus { tls { cert = \"/c\" } }", "tls.key", "cert and key"},
	{"bus { tls { verify = perhaps } }", "verify", "boolean"},
	{"queue { name = \"a b\" }", "queue.name", "host's name"},
	{"queue { name = \"localhost\" }", "queue.name", "localhost"},
	{"queue { type = \"lazy\" }", "queue.type", "\"classic\", \"quorum\""},
	{"queue { expires = 5 }", "queue.expires", "60 to"},
	{"queue { max_length = -1 }", "queue.max_length", "100 to"},
	{"queue { max_length = 0x1000 }", "queue.max_length", "100 to"},
	{"registry { conflict = \"both\" }", "registry.conflict", "\"all\", \"newest\", \"first\""},
	{"registry { lost_grace = -1 }", "registry.lost_grace", "0 to 3600"},
	{"registry { resync_timeout = inf }", "registry.resync_timeout", "0 to 3600"},
	{"registry { resync_timeout = 1e3 }", "registry.resync_timeout", "0 to 3600"},
	{"registry { max_lease = 4 }", "registry.max_lease", "5 to 86400"},
	{"policy { subnets = {\"10.0.0.1/8\"} }", "policy.subnets", "172.16.0.0/12"},
	{"policy { names = {\"a_b\"} }", "policy.names", "for any characters"},
	{"policy { reserved = {\"\"} }", "policy.reserved", "for any characters"},
	{"policy { unsigned = maybe }", "unsigned", "boolean"},
	{"user \"web\" { names = {\"web/*\"} }", "user \"web\".names", "for any characters"},
	{"user \"web\" { subnets = {\"x\"} }", "user \"web\".subnets", "fd00::/8"},
	{"user \"\" { }", "user \"\"", "1 to 255 bytes"},
	{"user \"web\" { agent = perhaps }", "agent", "boolean"},
	{"user \"web\" { lost_grace = 5 }", "user \"web\".lost_grace", "agent = true"},
	{"user \"web\" { agent = true lost_grace = -2 }", "user \"web\".lost_grace", "0 to 3600"},
	{"user \"web\" { } user \"web\" { }", "web", "duplicate"},
	{"dnsmasq { hosts_file = \"hosts\" }", "dnsmasq.hosts_file", "from / on"},
	{"dnsmasq { hosts_file = \"/run/\" }", "dnsmasq.hosts_file", "from / on"},
	{"dnsmasq { forwarders = {\"/run/a.pid\", \"b.pid\"} }", "dnsmasq.forwarders", "from / on"},
	{"dnsmasq { pid_file = \"\" }", "dnsmasq.pid_file", "from / on"},
	{"dnsmasq { server = \"localhost\" }", "dnsmasq.server", "IPv4 or IPv6"},
	{"dnsmasq { server = \"0.0.0.0\" }", "dnsmasq.server", "IPv4 or IPv6"},
	{"dnsmasq { port = 65536 }", "dnsmasq.port", "1 to 65535"},
	{"haproxy { socket = \"run/h.sock\" }", "haproxy.socket", "from / on"},
	{"haproxy { map_file = \"/run/a b\" }", "haproxy.map_file", "nothing else"},
	{"haproxy { map_file = \"/run/a;b\" }", "haproxy.map_file", "nothing else"},
	{"haproxy { default_port = 65536 }", "haproxy.default_port", "65535"},
	{"metrics { listen = \"\" }", "metrics.listen", "127.0.0.1:9123"},
	{"metrics { listen = \"localhost:9123\" }", "metrics.listen", "ADDRESS:PORT"},
	{"metrics { listen = \":9123\" }", "metrics.listen", "ADDRESS:PORT"},
	{"metrics { listen = \"127.0.0.1\" }", "metrics.listen", "ADDRESS:PORT"},
	{"metrics { listen = \"127.0.0.1:\" }", "metrics.listen", "ADDRESS:PORT"},
	{"metrics { listen = \"127.0.0.1:65536\" }", "metrics.listen", "ADDRESS:PORT"},
	{"metrics { listen = \"127.0.0.1:+80\" }", "metrics.listen", "ADDRESS:PORT"},
	{"metrics { listen = \"fd00::1:9123\" }", "metrics.listen", "[IPV6]:PORT"},
	{"metrics { listen = \"[127.0.0.1]:9123\" }", "metrics.listen", "[IPV6]:PORT"},
	{"host_names = {\"host\"}", "host_names", "NAME=INTERFACE"},
	{"host_names = {\"a b=docker0\"}", "host_names", "NAME=INTERFACE"},
	{"host_names = {\"host=127.0.0.1\"}", "host_names", "loopback"},
	{"host_names = {\"host=172.17.0\"}", "host_names", "neither an address"},
	{"host_names = {\"host=an-interface-too-long\"}", "host_names", "neither an address"},
	{"host_names = {\"callsign=docker0\"}", "host_names", "reserved"},
	{"pid_file = \"callsignd.pid\"", "pid_file", "from / on"},
	{"log_level = \"loud\"", "log_level", "\"error\", \"warning\", \"info\", \"debug\""},
	{"dnsmasq { hostsfile = \"/x\" }", "hostsfile", "known here: hosts_file, pid_file, server, port, forwarders, enabled"},
	{"colour = \"red\"", "colour", "known here: domain, bus"},
	{"domain \"docker\"", "domain", "equal sign"},
	/* What libconfuse would take for something else, or silently not read (conflint.h). */
	{"log_level = \"info\"\"\npolicy { }", "quote", "right behind a closing quote"},
	{"\"\npolicy { }", "quote", "without its end"},
	{"bus { password = a\"b }", "quote", "within a word"},
	{"bus { password = \"pa${HOME}x\" }", "password", "single quotes"},
	{"domain = \"a\ndocker\"", "quote", "without its end on this line"},
	{"pid_file = \"/p\" pid_file = \"/q\"", "pid_file", "given twice"},
	{"domain = \xe2\x80\x9c" "docker\xe2\x80\x9d", "U+201C", "typographic quote"},
};

static void a_mistake_names_file_line_key_and_what_is_allowed(void **state)
{
	char text[1024], where[sizeof(path) + 8];

	(void)state;
	snprintf(where, sizeof(where), "%s:2: ", path);
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		bool own_bus = strncmp(mistakes[i].line, "bus", 3) == 0;

		snprintf(text, sizeof(text), "%s%s\n", own_bus ? "# the bus is below\n" : BUS, mistakes[i].line);
		assert_null(load(text));
		if (strstr(logged, where) == NULL || strstr(logged, mistakes[i].key) == NULL ||
		    strstr(logged, mistakes[i].allowed) == NULL)
			fail_msg("%s\nis reported as\n%s", mistakes[i].line, logged);
	}
}

static void a_port_alone_is_loopbacks(void **state)
{
	static const struct address loopback = {.family = 4, .bytes = {127, 0, 0, 1}};
	struct conf *conf = load(BUS "metrics { listen = \"9123\" }\n");

	(void)state;
	assert_non_null(conf);
	assert_true(conf->metrics.on && address_equal(&conf->metrics.address, &loopback));
	assert_int_equal(conf->metrics.port, 9123);
	conf_free(conf);
}

static void every_mistake_is_reported_at_once(void **state)
{
	static const char *const expected[] = {
		":1: domain: ", ":3: queue.type: ", ":4: dnsmasq.port: ", ":6: policy.subnets: "};
	char where[sizeof(path) + 64];

	(void)state;
	assert_null(load("domain = \"-\"\n" BUS "queue { type = 7 }\ndnsmasq { port = 0 }\npolicy {\n subnets = "
						"{\"10.0.0.0/8\", \"10.0.0.0/33\"}\n}\n"));
	for (size_t i = 0; i < COUNT(expected); i++) {
		snprintf(where, sizeof(where), "%s%s", path, expected[i]);
		assert_non_null(strstr(logged, where));
	}
}

static void a_missing_password_says_where_to_write_it(void **state)
{
	(void)state;
	assert_null(load("bus { urls = {\"amqp://h@127.0.0.1/v\"} }\n"));
	assert_non_null(strstr(logged, "bus.password_file: no password is known for amqp://h@127.0.0.1:5672/v"));
	assert_null(load("bus { urls = {\"amqp://h@127.0.0.1/v\"} tls { cert = \"/c\" key = \"/k\" } }\n"));
	assert_non_null(strstr(logged, "no password is known"));
	assert_null(load("bus { urls = {} }\n"));
	assert_non_null(strstr(logged, "bus.urls: "));
}

static void a_client_certificate_needs_no_password(void **state)
{
	struct conf *conf = load("bus { urls = {\"amqps://h@127.0.0.1/v\"} tls { cert = \"/c\" key = \"/k\" } }\n");

	(void)state;
	assert_non_null(conf);
	assert_null(conf->bus.endpoints[0].password);
	conf_free(conf);
}

static void no_password_is_ever_logged(void **state)
{
	(void)state;
	assert_null(load("bus { urls = {\"amqp://h:secret@127.0.0.1:99999/v\"} }\ndomain = \"-\"\n"));
	assert_true(strlen(logged) > 0);
	assert_null(strstr(logged, "secret"));
}

static void a_password_file_must_be_private(void **state)
{
	(void)state;
	assert_int_equal(chmod(password_path, 0644), 0);
	assert_null(load("bus { password_file = \"" PASSWORD "\" }\nqueue { name = \"lab\" }\n"));
	assert_int_equal(chmod(password_path, 0600), 0);
	assert_non_null(strstr(logged, "bus.password_file: "));
}

/* The line of the first that is one too many. */
static void sections_over_their_number_are_refused(void **state)
{
	static const struct {
		const char *kind;
		unsigned most;
	} kinds[] = {{"hook", 8}, {"zone", 16}};
	char text[4096], wanted[64];

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		size_t lines = 0;

		snprintf(text, sizeof(text), BUS);
		for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
			lines++;
		for (unsigned j = 0; j <= kinds[i].most; j++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s \"n%u.docker\" { }\n", kinds[i].kind, j);
		assert_null(load(text));
		snprintf(wanted, sizeof(wanted), "too many: up to %u sections \"%s\" are allowed", kinds[i].most, kinds[i].kind);
		assert_non_null(strstr(logged, wanted));
		snprintf(wanted, sizeof(wanted), ":%zu: %s \"n%u.docker\": too many", lines + kinds[i].most + 1, kinds[i].kind, kinds[i].most);
		assert_non_null(strstr(logged, wanted));
	}
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	assert_null(load_path(directory)); /* libconfuse's scanner would end the process */
	assert_non_null(strstr(logged, "not a regular file"));
	assert_null(load_path("/nonexistent/callsignd.conf"));
	assert_non_null(strstr(logged, "/nonexistent/callsignd.conf"));
	assert_null(load("domain = \"docker\n")); /* a text without an end */
	assert_true(strlen(logged) > 0);
}

static void strange_bytes_do_not_reach_the_log(void **state)
{
	(void)state;
	assert_null(load(BUS "domain = \"a\\x1b[31m\\nb\"\n"));
	assert_null(strchr(logged, '\x1b'));
	assert_null(strstr(logged, "\nb"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_are_read),
		cmocka_unit_test(odd_domains_are_refused),
		cmocka_unit_test(defaults_are_what_the_manual_says),
		cmocka_unit_test(every_key_is_taken),
		cmocka_unit_test(a_mistake_names_file_line_key_and_what_is_allowed),
		cmocka_unit_test(a_port_alone_is_loopbacks),
		cmocka_unit_test(every_mistake_is_reported_at_once),
		cmocka_unit_test(a_missing_password_says_where_to_write_it),
		cmocka_unit_test(a_client_certificate_needs_no_password),
		cmocka_unit_test(no_password_is_ever_logged),
		cmocka_unit_test(a_password_file_must_be_private),
		cmocka_unit_test(sections_over_their_number_are_refused),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(strange_bytes_do_not_reach_the_log),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
