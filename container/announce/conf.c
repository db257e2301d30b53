#include <config.h>

#include "conf.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credential.h"
#include "settings.h"
#include "shared/conftext.h"

void conf_init(struct conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	busconf_init(&conf->bus);
	conf->renew_s = CONF_RENEW_S;
	conf->check_rules = (struct check_rules){CONF_CHECK_INTERVAL_S, CONF_CHECK_TIMEOUT_S, CONF_CHECK_RISE, CONF_CHECK_FALL};
	conf->log_level = LOG_LEVEL_INFO;
}

static void conf_forget_password(struct conf *conf)
{
	if (conf->password != NULL)
		explicit_bzero(conf->password, strlen(conf->password));
	free(conf->password);
	conf->password = NULL;
}

static void conf_clear_misnomers(struct conf *conf)
{
	unsigned i;

	for (i = 0; i < CONF_NAMINGS; i++) {
		free(conf->misnomers[i]);
		conf->misnomers[i] = NULL;
	}
}

void conf_clear(struct conf *conf)
{
	conf_forget_password(conf);
	free(conf->password_file);
	free(conf->name);
	conf_clear_templates(conf);
	conf_clear_misnomers(conf);
	checktarget_clear(&conf->check);
	busconf_clear(&conf->bus);
	conf_init(conf);
}

/* ---- misnomers ---- */

/* CONF_NAMINGS: it names nothing. */
static enum conf_naming conf_naming_of(const struct setting *setting)
{
	if (strcmp(setting->key, "name") == 0)
		return CONF_NAME;
	return strcmp(setting->key, "aliases") == 0 ? CONF_ALIASES : CONF_NAMINGS;
}

/*
 * What came of a setting, from where (path:line: key, a variable, an option): a misnomer is kept, for it must not keep COMMAND from running, and the
 * last one to speak counts; anything else that is wrong is logged. 0, or -1.
 */
static int conf_judge(struct conf *conf, const struct setting *setting, const char *where, int result, const char *error)
{
	enum conf_naming naming = conf_naming_of(setting);
	char text[CONF_MISNOMER_SIZE];

	if (naming == CONF_NAMINGS) {
		if (result == -1)
			log_errorx("%s: %s", where, error);
		return result;
	}
	free(conf->misnomers[naming]);
	conf->misnomers[naming] = NULL;
	if (result == 0)
		return 0;
	snprintf(text, sizeof(text), "%s: %s", where, error);
	conf->misnomers[naming] = strdup(text);
	return conf->misnomers[naming] != NULL ? 0 : -1;
}

void conf_set_name(struct conf *conf, const char *text)
{
	const struct setting *setting = setting_find(NULL, "name");
	char error[SETTING_ERROR_SIZE];
	int result = setting->set(conf, text, error);

	(void)conf_judge(conf, setting, "--name", result, error);
}

/* ---- the file ---- */

/* libconfuse knows the file's name at the top level only, and its error function is given nothing of ours. */
static const char *conf_path_now;
static int conf_line_now[CONF_NAMINGS]; /* of what names: libconfuse keeps no lines */

static void conf_complain(cfg_t *cfg, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

static void conf_complain(cfg_t *cfg, const char *format, va_list arguments)
{
	char text[SETTING_ERROR_SIZE + 64], place[CONFTEXT_PLACE_SIZE];

	/* libconfuse 3.3 says so of each key of a section whose keys are free, and then takes it. */
	if (cfg != NULL && strcmp(cfg_name(cfg), "ports") == 0 && strncmp(format, "no such option", strlen("no such option")) == 0)
		return;
	vsnprintf(text, sizeof(text), format, arguments);
	log_errorx("%s: %s", conftext_place(place, conf_path_now, cfg != NULL ? cfg->line : 0), text);
}

/* The list's items (or the one value) as the one text that a variable would hold; NULL if memory ran out. */
static char *conf_joined(cfg_opt_t *option, char between)
{
	unsigned i, count = cfg_opt_size(option);
	size_t size = 1;
	char *text;

	for (i = 0; i < count; i++)
		size += strlen(cfg_opt_getnstr(option, i)) + 1;
	text = calloc(1, size);
	for (i = 0; text != NULL && i < count; i++) {
		const char *item = cfg_opt_getnstr(option, i);

		if (i > 0)
			text[strlen(text)] = between;
		memcpy(text + strlen(text), item, strlen(item));
	}
	return text;
}

/* ports { NAME = NUMBER … }: its keys are anybody's. */
static int conf_set_ports(struct conf *conf, const cfg_t *section, char *error)
{
	char text[SETTING_ERROR_SIZE];
	const cfg_opt_t *option;

	for (option = section->opts; option->name != NULL; option++) {
		int length = snprintf(text, sizeof(text), "%s=%s", option->name, cfg_opt_getnstr((cfg_opt_t *)(uintptr_t)option, 0));

		if (length < 0 || (size_t)length >= sizeof(text)) {
			snprintf(error, SETTING_ERROR_SIZE, "a name has at most %d characters, a port 5", ANNOUNCEMENT_PORT_NAME_MAX);
			return -1;
		}
		if (conf_add_port(conf, text, (size_t)length, false, error, SETTING_ERROR_SIZE) == -1)
			return -1;
	}
	return 0;
}

static int conf_set_option(struct conf *conf, const struct setting *setting, cfg_opt_t *option, char *error)
{
	bool command = strcmp(setting->key, "check|command") == 0;
	char *text = NULL;
	int result = -1;

	if (option->type == CFGT_SEC)
		return conf_set_ports(conf, cfg_opt_getnsec(option, 0), error);
	text = conf_joined(option, command ? CHECKTARGET_WORD_END : ','); /* a comma may well stand in a command */
	if (text == NULL) {
		snprintf(error, SETTING_ERROR_SIZE, "out of memory");
	} else {
		result = setting->set(conf, text, error);
		explicit_bzero(text, strlen(text));
	}
	free(text);
	return result;
}

/* libconfuse asks this while it knows the line. It cannot hand us our struct conf, so the value is tried on one to throw away. */
static int conf_validate(cfg_t *cfg, cfg_opt_t *option)
{
	const char *section = strcmp(cfg_name(cfg), "root") == 0 ? NULL : cfg_name(cfg);
	const struct setting *setting = setting_find(section, cfg_opt_name(option));
	char error[SETTING_ERROR_SIZE];
	struct conf trial;
	int result;

	if (setting == NULL) { /* SECTION|KEY outside of it, which conflint has refused: to libconfuse that is the section's own key */
		cfg_error(cfg, "%s: belongs into its section", cfg_opt_name(option));
		return -1;
	}
	conf_init(&trial);
	result = conf_set_option(&trial, setting, option, error);
	if (conf_naming_of(setting) != CONF_NAMINGS) {
		conf_line_now[conf_naming_of(setting)] = cfg->line; /* conf_apply() will judge it */
		result = 0;
	}
	if (result == -1)
		cfg_error(cfg, "%s: %s", cfg_opt_name(option), error);
	conf_clear(&trial);
	return result;
}

/* path:line: key, or path: key where the line is not known. */
static const char *conf_where(const struct setting *setting, char *out, size_t size)
{
	enum conf_naming naming = conf_naming_of(setting);

	if (naming != CONF_NAMINGS)
		snprintf(out, size, "%s:%d: %s", conf_path_now, conf_line_now[naming], setting->key);
	else
		snprintf(out, size, "%s: %s", conf_path_now, setting->key);
	return out;
}

static int conf_apply(struct conf *conf, cfg_t *cfg)
{
	const struct setting *setting;
	char error[SETTING_ERROR_SIZE], where[CONF_MISNOMER_SIZE - SETTING_ERROR_SIZE];
	int result;

	for (setting = settings; setting->key != NULL; setting++) {
		cfg_opt_t *option = cfg_getopt(cfg, setting->key);

		if (option == NULL || cfg_opt_size(option) == 0 ||
		    (option->type != CFGT_SEC && cfg_opt_getnstr(option, 0) == NULL))
			continue;
		result = conf_set_option(conf, setting, option, error);
		if (conf_judge(conf, setting, conf_where(setting, where, sizeof(where)), result, error) == -1)
			return -1;
	}
	return 0;
}

static bool conf_given(cfg_t *cfg, const char *key)
{
	return cfg_getstr(cfg, key) != NULL;
}

static int conf_scan(cfg_t *cfg, const char *path)
{
	char handed[CREDENTIAL_PATH_SIZE];
	FILE *file = fopen(credential_path(path, handed), "re");
	int result = file != NULL ? conftext_parse(cfg, file) : CFG_FILE_ERROR;

	if (result == CFG_FILE_ERROR)
		log_error("%s: cannot be read", path);
	if (file != NULL)
		fclose(file);
	return result == CFG_SUCCESS ? 0 : -1;
}

static int conf_parse(struct conf *conf, cfg_t *cfg, const char *path)
{
	conf_path_now = path;
	cfg_set_error_function(cfg, conf_complain);
	if (conf_scan(cfg, path) == -1)
		return -1;
	if (conf_given(cfg, "password") && conf_given(cfg, "password_file")) {
		log_errorx("%s: password and password_file: give one of them", path);
		return -1;
	}
	if ((cfg_size(cfg, "check|command") > 0) + conf_given(cfg, "check|tcp") + conf_given(cfg, "check|http") > 1) {
		log_errorx("%s: check: command, tcp and http: give one of them", path);
		return -1;
	}
	return conf_apply(conf, cfg);
}

static int conf_read_file(struct conf *conf, const char *path)
{
	cfg_opt_t tls[] = {
		CFG_STR("ca", NULL, CFGF_NONE),          CFG_STR("cert", NULL, CFGF_NONE),
		CFG_STR("key", NULL, CFGF_NONE),         CFG_STR("verify", NULL, CFGF_NONE),
		CFG_STR("server_name", NULL, CFGF_NONE), CFG_END(),
	};
	cfg_opt_t ports[] = {CFG_END()};
	cfg_opt_t check[] = {
		CFG_STR_LIST("command", NULL, CFGF_NONE), CFG_STR("tcp", NULL, CFGF_NONE),
		CFG_STR("http", NULL, CFGF_NONE),         CFG_STR("interval", NULL, CFGF_NONE),
		CFG_STR("timeout", NULL, CFGF_NONE),      CFG_STR("rise", NULL, CFGF_NONE),
		CFG_STR("fall", NULL, CFGF_NONE),         CFG_END(),
	};
	cfg_opt_t options[] = {
		CFG_STR_LIST("urls", NULL, CFGF_NONE),      CFG_STR("password", NULL, CFGF_NONE),
		CFG_STR("password_file", NULL, CFGF_NONE),  CFG_STR("name", NULL, CFGF_NONE),
		CFG_STR_LIST("aliases", NULL, CFGF_NONE),   CFG_STR_LIST("interface", NULL, CFGF_NONE),
		CFG_STR("addresses", NULL, CFGF_NONE),
		CFG_STR_LIST("subnets", NULL, CFGF_NONE),   CFG_STR("renew", NULL, CFGF_NONE),
		CFG_STR("heartbeat", NULL, CFGF_NONE),      CFG_STR("log_level", NULL, CFGF_NONE),
		CFG_STR("legacy", NULL, CFGF_NONE),
		CFG_SEC("ports", ports, CFGF_KEYSTRVAL),    CFG_SEC("tls", tls, CFGF_NONE),
		CFG_SEC("check", check, CFGF_NONE),         CFG_END(),
	};
	size_t i;
	cfg_t *cfg;
	int result;

	for (i = 0; i < sizeof(tls) / sizeof(*tls) - 1; i++)
		tls[i].validcb = conf_validate;
	for (i = 0; i < sizeof(check) / sizeof(*check) - 1; i++)
		check[i].validcb = conf_validate;
	for (i = 0; i < sizeof(options) / sizeof(*options) - 3; i++)
		options[i].validcb = conf_validate;
	cfg = cfg_init(options, CFGF_NONE);
	if (cfg == NULL) {
		log_errorx("%s: out of memory", path);
		return -1;
	}
	result = conf_parse(conf, cfg, path);
	cfg_free(cfg);
	return result;
}

/* 1: there is one; 0: there is none, which is fine for the default path; -1: logged. */
static int conf_find_file(const char *path, bool required)
{
	struct stat status;

	if (stat(path, &status) == -1) {
		if (!required && (errno == ENOENT || errno == ENOTDIR))
			return 0;
		log_error("%s: cannot be read", path);
		return -1;
	}
	if (!S_ISREG(status.st_mode)) { /* libconfuse's scanner ends the program when it is given a directory */
		log_errorx("%s: not a regular file", path);
		return -1;
	}
	return 1;
}

/* ---- the environment ---- */

/*
 * Take a variable out. /proc/PID/environ, which anyone in the container with our user's rights can read, shows the memory that the
 * kernel put the first environment in, whatever unsetenv() does; hence the value is overwritten there.
 */
static void conf_take_out(const char *variable)
{
	char *value = getenv(variable);

	if (value == NULL)
		return;
	explicit_bzero(value, strlen(value));
	unsetenv(variable);
}

/* An empty password is none: `docker run -e CALLSIGN_PASSWORD_FILE=` undoes what the image's ENV says. */
static const char *conf_variable(const char *variable)
{
	const char *value = getenv(variable);

	if (value != NULL && value[0] == '\0' && strncmp(variable, "CALLSIGN_PASSWORD", strlen("CALLSIGN_PASSWORD")) == 0)
		return NULL;
	return value;
}

static bool conf_set_variable(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && value[0] != '\0';
}

/*
 * What docker --env-file, podman and compose make of one line is three things: with the first two quotes stay, and the end of a line that Windows wrote
 * does in all. Nobody means them, and in a password they are a 403 for ever. NULL: nothing of that kind.
 */
static const char *conf_variable_fault(const struct setting *setting, const char *value)
{
	bool command = strcmp(setting->key, "check|command") == 0; /* a shell's text, lines, quotes and all */
	size_t i, length = strlen(value);

	for (i = 0; i < length; i++) {
		if (((unsigned char)value[i] < 0x20 && value[i] != '\t' && !(command && value[i] == '\n')) || value[i] == 0x7f)
			return i + 1 == length && value[i] == '\r' ? "ends in a carriage return: its env file has the line ends of Windows"
			                                           : "holds a control character";
	}
	if (command)
		return NULL;
	if (length >= 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0])
		return "stands in quotes, which docker --env-file and podman keep: leave them out (a password that really has them: password_file)";
	if (strcmp(setting->key, "password") == 0 && length > 0 && (strchr(" \t", value[0]) != NULL || strchr(" \t", value[length - 1]) != NULL))
		return "has a blank at an end (a password that really has one: password_file)";
	return NULL;
}

static int conf_take_variable(struct conf *conf, const struct setting *setting, const char *value)
{
	const char *fault = conf_variable_fault(setting, value);
	char error[SETTING_ERROR_SIZE];
	int result = -1;

	if (fault != NULL)
		snprintf(error, sizeof(error), "%s", fault);
	else
		result = setting->set(conf, value, error);
	return conf_judge(conf, setting, setting->variable, result, error);
}

static int conf_read_environment(struct conf *conf)
{
	const struct setting *setting;
	int result = 0;

	if (conf_variable("CALLSIGN_PASSWORD") != NULL && conf_variable("CALLSIGN_PASSWORD_FILE") != NULL) {
		log_errorx("CALLSIGN_PASSWORD and CALLSIGN_PASSWORD_FILE: give one of them");
		result = -1;
	}
	if (conf_set_variable("CALLSIGN_CHECK_COMMAND") + conf_set_variable("CALLSIGN_CHECK_TCP") + conf_set_variable("CALLSIGN_CHECK_HTTP") > 1) {
		log_errorx("CALLSIGN_CHECK_COMMAND, CALLSIGN_CHECK_TCP and CALLSIGN_CHECK_HTTP: give one of them");
		result = -1;
	}
	for (setting = settings; setting->key != NULL; setting++) {
		const char *value = setting->variable != NULL ? conf_variable(setting->variable) : NULL;

		if (value != NULL && conf_take_variable(conf, setting, value) == -1)
			result = -1;
	}
	return result;
}

#define CONF_EXPORT "export "

/* podman's env files know no "export" and make it part of the variable's name. */
static bool conf_is_exported(const char *variable)
{
	return strncmp(variable, CONF_EXPORT "CALLSIGN_", strlen(CONF_EXPORT "CALLSIGN_")) == 0;
}

const char *conf_environment_hint(void)
{
	char **variable;

	for (variable = environ; *variable != NULL; variable++)
		if (conf_is_exported(*variable))
			return "; a variable is called \"export CALLSIGN_...\": leave export out of the env file";
	if (getenv("INVOCATION_ID") != NULL)
		return "; in a unit's Environment= a % is written %%, or systemd drops the variable";
	if (getenv("SUPERVISOR_ENABLED") != NULL)
		return "; in supervisor's environment= a % is written %%";
	return "";
}

static void conf_warn_of_exported(void)
{
	char **variable;
	char safe[LOG_SAFE_MAX];

	for (variable = environ; *variable != NULL; variable++)
		if (conf_is_exported(*variable))
			log_warnx("the variable \"%s\" is not read: leave export out of the env file",
			          log_phrase(safe, sizeof(safe), *variable, strcspn(*variable, "=")));
}

/* ---- what depends on several keys ---- */

static int conf_check_logins(const struct conf *conf)
{
	char where[256];
	size_t i;

	for (i = 0; i < conf->bus.nendpoints; i++) {
		const struct bus_endpoint *endpoint = &conf->bus.endpoints[i];

		if (endpoint->password != NULL || (endpoint->tls && conf->bus.tls.cert != NULL))
			continue;
		log_errorx("urls: %s has no password: give password_file, password, or with amqps a client certificate (tls { cert key })%s",
		           busconf_endpoint_text(endpoint, where, sizeof(where)), conf_environment_hint());
		return -1;
	}
	return 0;
}

/* A path of the configuration is where its file can be read, from now on. */
static int conf_take_handed(char **path)
{
	char handed[CREDENTIAL_PATH_SIZE], *copy;

	if (*path == NULL || credential_path(*path, handed) == *path)
		return 0;
	copy = strdup(handed);
	if (copy == NULL)
		return -1;
	free(*path);
	*path = copy;
	return 0;
}

static int conf_take_all_handed(struct conf *conf)
{
	if (conf_take_handed(&conf->password_file) == 0 && conf_take_handed(&conf->bus.tls.ca) == 0 &&
	    conf_take_handed(&conf->bus.tls.cert) == 0 && conf_take_handed(&conf->bus.tls.key) == 0)
		return 0;
	log_errorx("out of memory");
	return -1;
}

static int conf_finish(struct conf *conf)
{
	char error[BUSCONF_ERROR_SIZE];

	if ((conf->bus.tls.cert == NULL) != (conf->bus.tls.key == NULL)) {
		log_errorx("tls: cert and key: give both or none");
		return -1;
	}
	if (conf->bus.nendpoints == 0) /* an image may carry the path of a password that is not there */
		return 0;
	conf_warn_of_exported();
	if (conf_take_all_handed(conf) == -1)
		return -1;
	if (conf->password_file != NULL && busconf_read_password(conf->password_file, &conf->secret_mode, &conf->password, error) == -1) {
		log_errorx("password_file: %s", error);
		return -1;
	}
	if (conf->password != NULL && busconf_set_password(&conf->bus, conf->password) == -1) {
		log_errorx("out of memory");
		return -1;
	}
	conf_forget_password(conf);
	return conf_check_logins(conf);
}

int conf_load(struct conf *conf, const char *path)
{
	int found, result = 0;

	conf_init(conf);
	found = conf_find_file(path != NULL ? path : CONF_PATH, path != NULL);
	if (found == -1 || (found == 1 && conf_read_file(conf, path != NULL ? path : CONF_PATH) == -1))
		result = -1;
	if (conf_read_environment(conf) == -1)
		result = -1;
	if (result == 0)
		result = conf_finish(conf);
	conf_forget_password(conf);
	conf_take_out("CALLSIGN_PASSWORD");
	conf_take_out("CALLSIGN_URLS");
	return result;
}

int conf_set_check(struct conf *conf, const char *key, const char *text)
{
	char error[SETTING_ERROR_SIZE];

	if (setting_find("check", key)->set(conf, text, error) == 0)
		return 0;
	log_errorx("--check-%s: %s", key, error);
	return -1;
}
