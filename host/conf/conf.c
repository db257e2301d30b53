#include <config.h>

#include "conf.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "section.h"
#include "shared/conftext.h"
#include "values.h"

static char default_urls[] = "{\"amqp://callsign-host@127.0.0.1/callsign\"}"; /* not const: libconfuse wants it so */
static char default_forwarders[] = "{\"/run/dnsmasq/dnsmasq.pid\", \"/run/NetworkManager/dnsmasq.pid\"}";

static cfg_opt_t tls_options[] = {
	CFG_STR_CB("ca", NULL, CFGF_NONE, conf_take_path),
	CFG_STR_CB("cert", NULL, CFGF_NONE, conf_take_path),
	CFG_STR_CB("key", NULL, CFGF_NONE, conf_take_path),
	CFG_BOOL("verify", cfg_true, CFGF_NONE),
	CFG_STR_CB("server_name", NULL, CFGF_NONE, conf_take_text),
	CFG_END(),
};

static cfg_opt_t bus_options[] = {
	CFG_STR_LIST_CB("urls", default_urls, CFGF_NONE, conf_take_urls),
	CFG_STR_CB("password_file", NULL, CFGF_NONE, conf_take_path),
	CFG_INT_CB("heartbeat", BUS_HEARTBEAT_S, CFGF_NONE, conf_take_integer),
	CFG_SEC("tls", tls_options, CFGF_NONE),
	CFG_END(),
};

static cfg_opt_t queue_options[] = {
	CFG_STR_CB("name", NULL, CFGF_NONE, conf_take_queue_name),
	CFG_STR_CB("type", "classic", CFGF_NONE, conf_take_choice),
	CFG_INT_CB("expires", 86400, CFGF_NONE, conf_take_integer),
	CFG_INT_CB("max_length", 100000, CFGF_NONE, conf_take_integer),
	CFG_END(),
};

static cfg_opt_t registry_options[] = {
	CFG_STR_CB("conflict", "all", CFGF_NONE, conf_take_choice),
	CFG_FLOAT_CB("lost_grace", 0.0, CFGF_NONE, conf_take_seconds),
	CFG_FLOAT_CB("resync_timeout", 8.0, CFGF_NONE, conf_take_seconds),
	CFG_INT_CB("max_lease", ANNOUNCEMENT_LEASE_MAX_S, CFGF_NONE, conf_take_integer),
	CFG_END(),
};

static cfg_opt_t policy_options[] = {
	CFG_STR_LIST_CB("subnets", NULL, CFGF_NONE, conf_take_subnet),
	CFG_STR_LIST_CB("names", NULL, CFGF_NONE, conf_take_pattern),
	CFG_STR_LIST_CB("reserved", NULL, CFGF_NONE, conf_take_pattern),
	CFG_BOOL("unsigned", cfg_false, CFGF_NONE),
	CFG_BOOL("host_addresses", cfg_false, CFGF_NONE),
	CFG_INT_CB("max_names", 20000, CFGF_NONE, conf_take_integer),
	CFG_INT_CB("rate", 0, CFGF_NONE, conf_take_integer),
	CFG_INT_CB("burst", 0, CFGF_NONE, conf_take_integer),
	CFG_END(),
};

static cfg_opt_t user_options[] = {
	CFG_STR_LIST_CB("subnets", NULL, CFGF_NONE, conf_take_subnet),
	CFG_STR_LIST_CB("names", NULL, CFGF_NONE, conf_take_pattern),
	CFG_INT_CB("max_names", CONF_AS_POLICY, CFGF_NONE, conf_take_integer),
	CFG_INT_CB("rate", CONF_AS_POLICY, CFGF_NONE, conf_take_integer),
	CFG_INT_CB("burst", CONF_AS_POLICY, CFGF_NONE, conf_take_integer),
	CFG_BOOL("agent", cfg_false, CFGF_NONE),
	CFG_FLOAT_CB("lost_grace", CONF_AS_AGENT, CFGF_NONE, conf_take_seconds),
	CFG_END(),
};

static cfg_opt_t serve_options[] = {
	CFG_STR_LIST_CB("names", NULL, CFGF_NONE, conf_take_pattern),
	CFG_STR_LIST_CB("users", NULL, CFGF_NONE, conf_take_text),
	CFG_STR_LIST_CB("subnets", NULL, CFGF_NONE, conf_take_subnet),
	CFG_STR_CB("conflict", NULL, CFGF_NONE, conf_take_choice),
	CFG_END(),
};

static cfg_opt_t dnsmasq_options[] = {
	CFG_STR_CB("hosts_file", "/run/callsign/hosts", CFGF_NONE, conf_take_path),
	CFG_STR_CB("pid_file", "/run/dnsmasq/dnsmasq.pid", CFGF_NONE, conf_take_path),
	CFG_STR_CB("server", NULL, CFGF_NONE, conf_take_server),
	CFG_INT_CB("port", 53, CFGF_NONE, conf_take_integer),
	CFG_STR_LIST_CB("forwarders", default_forwarders, CFGF_NONE, conf_take_path),
	CFG_BOOL("enabled", cfg_true, CFGF_NONE),
	CFG_END(),
};

static cfg_opt_t control_options[] = {
	CFG_STR_CB("socket", "/run/callsign/control.sock", CFGF_NONE, conf_take_socket),
	CFG_STR_CB("group", "callsign", CFGF_NONE, conf_take_group),
	CFG_END(),
};

static cfg_opt_t metrics_options[] = {
	CFG_STR_CB("listen", NULL, CFGF_NONE, conf_take_listen),
	CFG_END(),
};

static const cfg_opt_t own_options[] = {
	CFG_STR_CB("domain", "docker", CFGF_NONE, conf_take_domain),
	CFG_SEC("bus", bus_options, CFGF_NONE),
	CFG_SEC("queue", queue_options, CFGF_NONE),
	CFG_SEC("registry", registry_options, CFGF_NONE),
	CFG_SEC("policy", policy_options, CFGF_NONE),
	CFG_SEC("user", user_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	CFG_SEC("serve", serve_options, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	CFG_SEC("dnsmasq", dnsmasq_options, CFGF_NONE),
	CFG_SEC("control", control_options, CFGF_NONE),
	CFG_SEC("metrics", metrics_options, CFGF_NONE),
	CFG_BOOL("legacy", cfg_false, CFGF_NONE),
	CFG_STR_LIST_CB("host_names", NULL, CFGF_NONE, conf_take_host_name),
	CFG_STR_CB("pid_file", "/run/callsign/callsignd.pid", CFGF_NONE, conf_take_path),
	CFG_STR_CB("run_as", NULL, CFGF_NONE, conf_take_text),
	CFG_STR_CB("log_level", "info", CFGF_NONE, conf_take_choice),
};

#define OWN_OPTIONS (sizeof(own_options) / sizeof(*own_options))

/* Our own keys, and a section for each of the other rooms'. libconfuse makes a copy of it. */
static void choose_options(const struct conf_section *const *sections, cfg_opt_t options[OWN_OPTIONS + CONF_SECTIONS_MAX + 1])
{
	cfg_opt_t *next = options + OWN_OPTIONS;

	memcpy(options, own_options, sizeof(own_options));
	for (size_t i = 0; i < CONF_SECTIONS_MAX && sections[i] != NULL; i++)
		*next++ = (cfg_opt_t)CFG_SEC(sections[i]->name, sections[i]->options, sections[i]->flags);
	*next = (cfg_opt_t)CFG_END();
}

/* Parsed and without a mistake, or NULL. What is wrong is logged. */
static cfg_t *parse(FILE *file, const char *path, const struct conf_section *const *sections)
{
	cfg_opt_t options[OWN_OPTIONS + CONF_SECTIONS_MAX + 1];
	int result = CFG_PARSE_ERROR;
	cfg_t *cfg;

	choose_options(sections, options);
	cfg = cfg_init(options, CFGF_NONE);
	if (cfg == NULL)
		return NULL;
	cfg->filename = strdup(path); /* cfg_free() frees it */
	cfg_set_error_function(cfg, conf_values_syntax);
	if (cfg->filename != NULL)
		result = conftext_parse(cfg, file);
	if (result == CFG_SUCCESS)
		return cfg;
	if (result == CFG_FILE_ERROR)
		log_error("%s: cannot be read", path);
	cfg_free(cfg);
	return NULL;
}

static struct conf *copy(cfg_t *cfg, const char *path, const struct conf_section *const *sections, bool others_may_read)
{
	struct conf *conf = calloc(1, sizeof(*conf));

	if (conf != NULL)
		conf->sections = sections;
	if (conf == NULL || conf_copy(cfg, others_may_read, conf) < 0) {
		log_errorx("%s: out of memory", path);
	} else if (conf_values_errors() == 0) {
		return conf;
	}
	conf_free(conf);
	return NULL;
}

struct conf *conf_load(const char *path, const struct conf_section *const *sections)
{
	bool others_may_read = true;
	struct conf *conf = NULL;
	FILE *file = conftext_open(path, &others_may_read);
	cfg_t *cfg;

	if (file == NULL)
		return NULL;
	conf_values_reset(path);
	cfg = parse(file, path, sections);
	fclose(file);
	if (cfg != NULL)
		conf = copy(cfg, path, sections, others_may_read);
	cfg_free(cfg);
	return conf;
}

const void *conf_own(const struct conf *conf, const struct conf_section *section)
{
	for (size_t i = 0; i < CONF_SECTIONS_MAX && conf->sections[i] != NULL; i++) {
		if (conf->sections[i] == section)
			return conf->own[i];
	}
	return NULL;
}

void conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < CONF_SECTIONS_MAX && conf->sections[i] != NULL; i++)
		conf->sections[i]->free(conf->own[i]);
	for (size_t i = 0; i < conf->nhost_names; i++) {
		free(conf->host_names[i].name);
		free(conf->host_names[i].interface);
	}
	free(conf->host_names);
	busconf_clear(&conf->bus);
	policy_clear(&conf->policy);
	free(conf->domain);
	free(conf->hostname);
	free(conf->queue.name);
	free(conf->queue.type);
	free(conf->dnsmasq.hosts_file);
	free(conf->dnsmasq.pid_file);
	free(conf->dnsmasq.server);
	for (size_t i = 0; i < conf->dnsmasq.nforwarders; i++)
		free(conf->dnsmasq.forwarders[i]);
	free(conf->dnsmasq.forwarders);
	free(conf->control.socket);
	free(conf->control.group);
	free(conf->pid_file);
	free(conf->run_as);
	free(conf);
}
