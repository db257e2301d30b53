#include <config.h>

#include "conf.h"

#include <stdlib.h>
#include <string.h>

#include "conf/values.h"

#define NAME_MAX_LENGTH 64
#define HOOKS_MAX 8

static cfg_opt_t hook_options[] = {
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

static int copy_command(cfg_t *section, struct hook_conf *hook)
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

static int copy_hook(cfg_t *section, struct hook_conf *hook)
{
	hook->name = strdup(cfg_title(section));
	hook->required = cfg_getbool(section, "required") == cfg_true;
	hook->timeout_ms = seconds_ms(section, "timeout");
	hook->retry_ms = seconds_ms(section, "retry");
	hook->delay_ms = seconds_ms(section, "delay");
	return hook->name != NULL ? copy_command(section, hook) : -1;
}

static int section_copy(cfg_t *cfg, const struct conf *conf, void **own)
{
	unsigned count = cfg_size(cfg, "hook");
	struct hook_confs *hooks = calloc(1, sizeof(*hooks));

	(void)conf;
	*own = hooks;
	if (hooks == NULL || (hooks->list = calloc(count + 1, sizeof(*hooks->list))) == NULL)
		return -1;
	for (; hooks->count < count; hooks->count++) {
		cfg_t *section = cfg_getnsec(cfg, "hook", (unsigned)hooks->count);

		check(section);
		if (copy_hook(section, &hooks->list[hooks->count]) == -1) {
			hooks->count++;
			return -1;
		}
	}
	return 0;
}

static void section_free(void *own)
{
	struct hook_confs *hooks = own;

	if (hooks == NULL)
		return;
	for (size_t i = 0; i < hooks->count; i++) {
		struct hook_conf *hook = &hooks->list[i];

		for (size_t j = 0; hook->command != NULL && hook->command[j] != NULL; j++)
			free(hook->command[j]);
		free(hook->command);
		free(hook->name);
	}
	free(hooks->list);
	free(hooks);
}

const struct conf_section hook_section = {
	.name = "hook",
	.options = hook_options,
	.flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES,
	.most = HOOKS_MAX,
	.copy = section_copy,
	.free = section_free,
};

const struct hook_conf *hook_conf(const struct conf *conf, size_t i)
{
	const struct hook_confs *hooks = conf_own(conf, &hook_section);

	return hooks != NULL && i < hooks->count ? &hooks->list[i] : NULL;
}
