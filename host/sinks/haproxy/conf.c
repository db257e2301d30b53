#include <config.h>

#include "conf.h"

#include <stdlib.h>
#include <string.h>

#include "conf/values.h"

/* It stands in commands for HAProxy's runtime socket, where blanks, semicolons, backslashes and newlines end things. */
static int take_map_file(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+";

	if (value[strspn(value, allowed)] != '\0')
		conf_values_error(section, option->name,
				  "letters, digits and / . _ - + are allowed in this path, nothing else");
	return conf_take_path(section, option, value, result);
}

static int take_default_port(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	return conf_take_within(section, option, value, result, 0, 65535);
}

static cfg_opt_t haproxy_options[] = {
	CFG_STR_CB("socket", NULL, CFGF_NONE, conf_take_socket),
	CFG_STR_CB("map_file", "/run/callsign/haproxy.map", CFGF_NONE, take_map_file),
	CFG_STR_CB("pid_file", "/run/haproxy.pid", CFGF_NONE, conf_take_path),
	CFG_BOOL("reload", cfg_true, CFGF_NONE),
	CFG_INT_CB("default_port", 80, CFGF_NONE, take_default_port),
	CFG_BOOL("required", cfg_false, CFGF_NONE),
	CFG_BOOL("wildcard", cfg_false, CFGF_NONE),
	CFG_END(),
};

static int copy_text(const char *text, char **out)
{
	*out = text != NULL ? strdup(text) : NULL;
	return text != NULL && *out == NULL ? -1 : 0;
}

static int section_copy(cfg_t *cfg, const struct conf *conf, void **own)
{
	cfg_t *section = cfg_getsec(cfg, "haproxy");
	struct haproxy_conf *out = calloc(1, sizeof(*out));

	(void)conf;
	*own = out;
	if (out == NULL)
		return -1;
	out->reload = cfg_getbool(section, "reload") == cfg_true;
	out->default_port = (uint16_t)cfg_getint(section, "default_port");
	out->required = cfg_getbool(section, "required") == cfg_true;
	out->wildcard = cfg_getbool(section, "wildcard") == cfg_true;
	if (copy_text(cfg_getstr(section, "socket"), &out->socket) == -1 ||
	    copy_text(cfg_getstr(section, "map_file"), &out->map_file) == -1 ||
	    copy_text(cfg_getstr(section, "pid_file"), &out->pid_file) == -1)
		return -1;
	return 0;
}

static void section_free(void *own)
{
	struct haproxy_conf *haproxy = own;

	if (haproxy == NULL)
		return;
	free(haproxy->socket);
	free(haproxy->map_file);
	free(haproxy->pid_file);
	free(haproxy);
}

const struct conf_section haproxy_section = {
	.name = "haproxy",
	.options = haproxy_options,
	.flags = CFGF_NONE,
	.copy = section_copy,
	.free = section_free,
};

const struct haproxy_conf *haproxy_conf(const struct conf *conf)
{
	return conf_own(conf, &haproxy_section);
}
