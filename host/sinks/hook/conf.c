#include <config.h>

#include "conf.h"

#include <stdlib.h>
#include <string.h>

#include "conf/values.h"

#define NAME_MAX_LENGTH 64

cfg_opt_t conf_hook_options[] = {
	CFG_STR_LIST("command", NULL, CFGF_NONE),
	CFG_BOOL("required", cfg_false, CFGF_NONE),
	CFG_FLOAT_CB("timeout", 30.0, CFGF_NONE, conf_take_seconds),
	CFG_FLOAT_CB("retry", 60.0, CFGF_NONE, conf_take_seconds),
	CFG_FLOAT_CB("delay", 0.1, CFGF_NONE, conf_take_seconds),
	CFG_END(),
};

/* It becomes part of a file's name, of log lines and of a metric's label. */
static bool name_valid(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= NAME_MAX_LENGTH && name[0] != '.' && name[0] != '-' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

static int64_t seconds_ms(cfg_t *section, const char *key)
{
	return (int64_t)(cfg_getfloat(section, key) * 1000 + 0.5);
}

static void check(cfg_t *section)
{
	const char *program = cfg_getnstr(section, "command", 0);

	if (!name_valid(cfg_title(section)))
		conf_values_error(section, NULL, "not allowed as a hook's name: 1 to %d letters, digits, '-', '_' and '.' are, with a letter, a "
		                  "digit or '_' first", NAME_MAX_LENGTH);
	if (cfg_size(section, "command") == 0)
		conf_values_error(section, "command", "missing: {\"/path/of/a/program\", \"argument\", ...} is needed");
	else if (program[0] != '/' || program[strlen(program) - 1] == '/')
		conf_values_error(section, "command", "its first element must be the path of a program, from / on; there is no shell and no PATH");
	if (cfg_getfloat(section, "timeout") < 0.1)
		conf_values_error(section, "timeout", "not allowed: at least 0.1 seconds are");
	if (cfg_getfloat(section, "retry") < 1)
		conf_values_error(section, "retry", "not allowed: at least 1 second is");
}

static int copy_command(cfg_t *section, struct conf_hook *hook)
{
	unsigned count = cfg_size(section, "command");

	hook->command = calloc(count + 1, sizeof(*hook->command));
	if (hook->command == NULL)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		hook->command[i] = strdup(cfg_getnstr(section, "command", i));
		if (hook->command[i] == NULL)
			return -1;
	}
	return 0;
}

static int copy_hook(cfg_t *section, struct conf_hook *hook)
{
	hook->name = strdup(cfg_title(section));
	hook->required = cfg_getbool(section, "required") == cfg_true;
	hook->timeout_ms = seconds_ms(section, "timeout");
	hook->retry_ms = seconds_ms(section, "retry");
	hook->delay_ms = seconds_ms(section, "delay");
	return hook->name != NULL ? copy_command(section, hook) : -1;
}

int conf_hook_copy(cfg_t *cfg, struct conf *conf)
{
	unsigned count = cfg_size(cfg, "hook");

	conf->hooks = calloc(count + 1, sizeof(*conf->hooks));
	if (conf->hooks == NULL)
		return -1;
	for (; conf->nhooks < count; conf->nhooks++) {
		cfg_t *section = cfg_getnsec(cfg, "hook", (unsigned)conf->nhooks);

		check(section);
		if (conf->nhooks == CONF_HOOKS_MAX)
			conf_values_error(section, NULL, "too many: up to %d hooks are allowed", CONF_HOOKS_MAX);
		if (copy_hook(section, &conf->hooks[conf->nhooks]) == -1) {
			conf->nhooks++;
			return -1;
		}
	}
	return 0;
}

void conf_hook_free(struct conf *conf)
{
	for (size_t i = 0; i < conf->nhooks; i++) {
		struct conf_hook *hook = &conf->hooks[i];

		for (size_t j = 0; hook->command != NULL && hook->command[j] != NULL; j++)
			free(hook->command[j]);
		free(hook->command);
		free(hook->name);
	}
	free(conf->hooks);
}
