#include <config.h>

#include "agentconf.h"

#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/conftext.h"

#define RENEW_MAX_S 600

static char default_urls[] = "{\"amqp://callsign-agent@127.0.0.1/callsign\"}"; /* not const: libconfuse wants it so */
static char default_names[] = "{\"{hostname}\"}";
static char default_roots[] = "{\"/run/docker/runtime-*/moby\", \"/run/containerd/runc/*\", \"/run/runc\", \"/run/crun\"}";

static int take_seconds(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result);

static cfg_opt_t tls_options[] = {
	CFG_STR("ca", NULL, CFGF_NONE),  CFG_STR("cert", NULL, CFGF_NONE),       CFG_STR("key", NULL, CFGF_NONE),
	CFG_BOOL("verify", cfg_true, CFGF_NONE), CFG_STR("server_name", NULL, CFGF_NONE), CFG_END(),
};

static cfg_opt_t bus_options[] = {
	CFG_STR_LIST("urls", default_urls, CFGF_NONE),
	CFG_STR("password_file", NULL, CFGF_NONE),
	CFG_INT_CB("heartbeat", BUS_HEARTBEAT_S, CFGF_NONE, take_seconds),
	CFG_SEC("tls", tls_options, CFGF_NONE),
	CFG_END(),
};

static cfg_opt_t options[] = {
	CFG_SEC("bus", bus_options, CFGF_NONE),
	CFG_STR("host", NULL, CFGF_NONE),
	CFG_STR_LIST("names", default_names, CFGF_NONE),
	CFG_STR_LIST("include", NULL, CFGF_NONE),
	CFG_STR_LIST("exclude", NULL, CFGF_NONE),
	CFG_STR_LIST("interfaces", NULL, CFGF_NONE),
	CFG_STR_LIST("subnets", NULL, CFGF_NONE),
	CFG_STR_LIST("roots", default_roots, CFGF_NONE),
	CFG_BOOL("wait", cfg_false, CFGF_NONE),
	CFG_BOOL("adopt", cfg_true, CFGF_NONE),
	CFG_INT_CB("renew", 120, CFGF_NONE, take_seconds),
	CFG_STR("log_level", "info", CFGF_NONE),
	CFG_END(),
};

/* libconfuse's callbacks have no argument of their own. */
static struct {
	const char *path;
	unsigned count;
} mistakes;

static void mistake_line(const cfg_t *cfg, const char *key, const char *what)
{
	char place[CONFTEXT_PLACE_SIZE];

	mistakes.count++;
	log_errorx("%s: %s%s%s", conftext_place(place, mistakes.path, cfg->line), key != NULL ? key : "", key != NULL ? ": " : "", what);
}

/* libconfuse would read 010 as 8. What is wrong is logged, and never used. */
static int take_seconds(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result)
{
	size_t digits = strspn(value, "0123456789");
	char text[LOG_SAFE_MAX + 64], safe[LOG_SAFE_MAX];
	long seconds = value[digits] == '\0' && digits > 0 && digits < 10 ? strtol(value, NULL, 10) : 0;

	if (seconds < 1 || seconds > RENEW_MAX_S) {
		snprintf(text, sizeof(text), "\"%s\": a whole number of seconds from 1 to %d is allowed", log_safe(safe, sizeof(safe), value, strlen(value)),
		         RENEW_MAX_S);
		mistake_line(cfg, option->name, text);
	}
	*(long *)result = seconds;
	return 0;
}

static void take_syntax(cfg_t *cfg, const char *format, va_list arguments)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, arguments);
	mistake_line(cfg, NULL, text);
}

/* ---- each kind of value: NULL, or what is wrong with it ---- */

static const char *check_name(const char *text)
{
	return naming_check_template(text);
}

static const char *check_pattern(const char *text)
{
	return hostname_pattern_valid(text) ? NULL : "letters, digits, hyphens, dots, * and ? are allowed";
}

static const char *check_subnet(const char *text)
{
	struct prefix prefix;

	return prefix_parse(text, strlen(text), &prefix) == 0 ? NULL : "not a network such as 172.17.0.0/16 or fd00::/8";
}

static const char *check_interface(const char *text)
{
	return text[0] != '\0' && strlen(text) < IF_NAMESIZE ? NULL : "an interface's name has 1 to 15 characters";
}

static const char *check_path(const char *text)
{
	return text[0] == '/' ? NULL : "not an absolute path";
}

static const char *check_host(const char *text)
{
	char folded[HOSTNAME_NAME_SIZE];
	enum hostname_error error = hostname_fold(text, strlen(text), folded);

	if (error != HOSTNAME_OK)
		return hostname_error_text(error);
	return strlen(folded) <= QUEUE_AGENT_HOST_MAX ? NULL : "longer than 128 characters";
}

static const char *check_level(const char *text)
{
	enum log_level level;

	return log_level_parse(text, &level) == 0 ? NULL : "one of error, warning, info and debug";
}

static const char *check_url(const char *text)
{
	static char error[BUSCONF_ERROR_SIZE];
	struct busconf trial;
	int result;

	busconf_init(&trial);
	result = busconf_set_urls(&trial, text, error);
	busconf_clear(&trial);
	return result == 0 ? NULL : error;
}

static const struct {
	const char *key;
	const char *(*check)(const char *text);
	size_t most; /* of a list */
} kinds[] = {
	{"bus|urls", check_url, 64},
	{"bus|password_file", check_path, 1},
	{"bus|tls|ca", check_path, 1},
	{"bus|tls|cert", check_path, 1},
	{"bus|tls|key", check_path, 1},
	{"host", check_host, 1},
	{"names", check_name, NAMING_TEMPLATES_MAX},
	{"include", check_pattern, 4096},
	{"exclude", check_pattern, 4096},
	{"interfaces", check_interface, ADDRSELECT_INTERFACES_MAX},
	{"subnets", check_subnet, ADDRSELECT_SUBNETS_MAX},
	{"roots", check_path, 64},
	{"log_level", check_level, 1},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* libconfuse asks this while it knows the line. Its answer is that all is well: one run shows every mistake. */
static int validate(cfg_t *cfg, cfg_opt_t *option)
{
	size_t i = 0;
	const char *what = NULL;

	while (i < KINDS) {
		const char *bar = strrchr(kinds[i].key, '|');

		if (strcmp(bar != NULL ? bar + 1 : kinds[i].key, option->name) == 0)
			break;
		i++;
	}
	if (i == KINDS || cfg_opt_size(option) == 0)
		return 0;
	if (cfg_opt_getnstr(option, cfg_opt_size(option) - 1) != NULL)
		what = kinds[i].check(cfg_opt_getnstr(option, cfg_opt_size(option) - 1));
	if (what == NULL && cfg_opt_size(option) > kinds[i].most)
		what = "more entries than it may have";
	if (what != NULL)
		mistake_line(cfg, option->name, what);
	return 0;
}

/* ---- plain values ---- */

static int copy_list(cfg_t *cfg, const char *key, struct agentconf_list *out)
{
	size_t count = cfg_size(cfg, key);

	out->texts = calloc(count + 1, sizeof(*out->texts));
	if (out->texts == NULL)
		return -1;
	for (; out->count < count; out->count++) {
		out->texts[out->count] = strdup(cfg_getnstr(cfg, key, (unsigned)out->count));
		if (out->texts[out->count] == NULL)
			return -1;
	}
	return 0;
}

static char *copy_text(cfg_t *cfg, const char *key)
{
	const char *text = cfg_getstr(cfg, key);

	return text != NULL ? strdup(text) : NULL;
}

static void copy_wish(cfg_t *cfg, struct addrselect_wish *wish)
{
	for (unsigned i = 0; i < cfg_size(cfg, "interfaces"); i++)
		snprintf(wish->interfaces[wish->ninterfaces++], IF_NAMESIZE, "%s", cfg_getnstr(cfg, "interfaces", i));
	for (unsigned i = 0; i < cfg_size(cfg, "subnets"); i++) {
		const char *text = cfg_getnstr(cfg, "subnets", i);

		if (prefix_parse(text, strlen(text), &wish->subnets[wish->nsubnets]) == 0)
			wish->nsubnets++;
	}
}

static void copy_tls(cfg_t *section, struct bus_tls *tls)
{
	tls->ca = copy_text(section, "ca");
	tls->cert = copy_text(section, "cert");
	tls->key = copy_text(section, "key");
	tls->server_name = copy_text(section, "server_name");
	tls->verify = cfg_getbool(section, "verify") == cfg_true;
	if ((tls->cert == NULL) != (tls->key == NULL))
		mistake_line(section, tls->cert == NULL ? "cert" : "key", "missing: cert and key go together");
}

static void copy_urls(cfg_t *section, struct busconf *bus, bool others_may_read)
{
	char error[BUSCONF_ERROR_SIZE];

	for (unsigned i = 0; i < cfg_size(section, "urls"); i++) {
		if (busconf_add_url(bus, cfg_getnstr(section, "urls", i), error) == -1)
			mistake_line(section, "urls", error);
		else if (others_may_read && bus->endpoints[bus->nendpoints - 1].password != NULL)
			mistake_line(section, "urls", "there is a password in it, and others may read this file: chmod o= it, or use password_file");
	}
	if (bus->nendpoints == 0)
		mistake_line(section, "urls", "there is none: at least one amqp://USER@HOST/VHOST is needed");
}

static void copy_password(cfg_t *section, struct busconf *bus)
{
	const char *path = cfg_getstr(section, "password_file");
	char error[BUSCONF_ERROR_SIZE], *password;

	if (path == NULL)
		return;
	if (busconf_read_password(path, NULL, &password, error) == -1) {
		mistake_line(section, "password_file", error);
		return;
	}
	if (busconf_set_password(bus, password) == -1)
		mistake_line(section, "password_file", strerror(ENOMEM));
	explicit_bzero(password, strlen(password));
	free(password);
}

static void check_login(cfg_t *section, const struct busconf *bus)
{
	for (size_t i = 0; i < bus->nendpoints; i++) {
		const struct bus_endpoint *endpoint = &bus->endpoints[i];

		if (endpoint->password == NULL && !(endpoint->tls && bus->tls.cert != NULL)) {
			mistake_line(section, "password_file", "no password is known: write it alone into a file that only root can read, and name it here");
			return;
		}
	}
}

static void copy_host(cfg_t *cfg, struct agentconf *conf)
{
	const char *text = cfg_getstr(cfg, "host");
	char own[HOST_NAME_MAX + 1] = "", folded[HOSTNAME_NAME_SIZE];

	if (text == NULL) {
		gethostname(own, sizeof(own) - 1);
		text = own;
	}
	if (check_host(text) != NULL) {
		mistake_line(cfg, "host", "this machine's hostname is none that can be used on the broker: choose another one here");
		return;
	}
	hostname_fold(text, strlen(text), folded);
	memcpy(conf->host, folded, sizeof(conf->host) - 1); /* no longer, as was checked */
}

static struct agentconf *copy(cfg_t *cfg, bool others_may_read)
{
	struct agentconf *conf = calloc(1, sizeof(*conf));
	cfg_t *bus = cfg_getsec(cfg, "bus");

	if (conf == NULL)
		return NULL;
	busconf_init(&conf->bus);
	copy_tls(cfg_getsec(bus, "tls"), &conf->bus.tls);
	copy_urls(bus, &conf->bus, others_may_read);
	copy_password(bus, &conf->bus);
	check_login(bus, &conf->bus);
	conf->bus.heartbeat_s = (uint16_t)cfg_getint(bus, "heartbeat");
	copy_host(cfg, conf);
	copy_wish(cfg, &conf->wish);
	conf->wait = cfg_getbool(cfg, "wait") == cfg_true;
	conf->adopt = cfg_getbool(cfg, "adopt") == cfg_true;
	conf->renew_s = (uint32_t)cfg_getint(cfg, "renew");
	log_level_parse(cfg_getstr(cfg, "log_level"), &conf->log_level);
	if (copy_list(cfg, "names", &conf->names) == -1 || copy_list(cfg, "include", &conf->include) == -1 ||
	    copy_list(cfg, "exclude", &conf->exclude) == -1 || copy_list(cfg, "roots", &conf->roots) == -1) {
		mistake_line(cfg, NULL, strerror(ENOMEM));
	}
	return conf;
}

/* ---- the file ---- */

static cfg_t *prepare(void)
{
	cfg_t *cfg = cfg_init(options, CFGF_NONE);

	if (cfg == NULL)
		return NULL;
	cfg_set_error_function(cfg, take_syntax);
	for (size_t i = 0; i < KINDS; i++)
		cfg_set_validate_func(cfg, kinds[i].key, validate);
	return cfg;
}

static struct agentconf *load(cfg_t *cfg, const char *path)
{
	struct agentconf *conf = NULL;
	bool others_may_read = false;
	FILE *file = conftext_open(path, &others_may_read);
	int result;

	if (file == NULL)
		return NULL;
	mistakes.path = path;
	mistakes.count = 0;
	result = conftext_parse(cfg, file);
	fclose(file);
	if (result == CFG_FILE_ERROR)
		log_error("%s: cannot be read", path);
	else if (result == CFG_SUCCESS && mistakes.count == 0)
		conf = copy(cfg, others_may_read);
	if (conf != NULL && mistakes.count > 0) {
		agentconf_free(conf);
		conf = NULL;
	}
	return conf;
}

struct agentconf *agentconf_load(const char *path)
{
	cfg_t *cfg = prepare();
	struct agentconf *conf;

	if (cfg == NULL) {
		log_error("%s", path);
		return NULL;
	}
	conf = load(cfg, path);
	cfg_free(cfg);
	return conf;
}

static void list_free(struct agentconf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->texts[i]);
	free(list->texts);
}

void agentconf_free(struct agentconf *conf)
{
	if (conf == NULL)
		return;
	busconf_clear(&conf->bus);
	list_free(&conf->names);
	list_free(&conf->include);
	list_free(&conf->exclude);
	list_free(&conf->roots);
	free(conf);
}

struct naming_rules agentconf_rules(const struct agentconf *conf)
{
	return (struct naming_rules){conf->names.texts,   conf->names.count,   conf->include.texts,
	                             conf->include.count, conf->exclude.texts, conf->exclude.count};
}
