#include <config.h>

#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "template.h"

/* The value as an error shows it. */
static const char *shown(const char *text, char out[LOG_SAFE_MAX])
{
	return log_safe(out, LOG_SAFE_MAX, text, strlen(text));
}

static int replace(char **field, const char *text, char *error)
{
	char *copy = strdup(text);

	if (copy == NULL) {
		snprintf(error, SETTING_ERROR_SIZE, "out of memory");
		return -1;
	}
	if (*field != NULL)
		explicit_bzero(*field, strlen(*field));
	free(*field);
	*field = copy;
	return 0;
}

static void forget(char **field)
{
	if (*field != NULL)
		explicit_bzero(*field, strlen(*field));
	free(*field);
	*field = NULL;
}

static int set_number(const char *text, uint32_t min, uint32_t max, const char *unit, uint32_t *out, char *error)
{
	char safe[LOG_SAFE_MAX];
	const char *digit;
	uint32_t value = 0;
	bool good = text[0] != '\0' && strlen(text) <= 9;

	for (digit = text; good && *digit != '\0'; digit++) {
		good = *digit >= '0' && *digit <= '9';
		value = value * 10 + (uint32_t)(*digit - '0');
	}
	if (!good || value < min || value > max) {
		snprintf(error, SETTING_ERROR_SIZE, "\"%s\" is not a whole number of %s from %u to %u", shown(text, safe), unit, min,
		         max);
		return -1;
	}
	*out = value;
	return 0;
}

static int set_path(char **field, const char *text, char *error)
{
	if (text[0] == '\0') {
		snprintf(error, SETTING_ERROR_SIZE, "the name of a file is missing");
		return -1;
	}
	return replace(field, text, error);
}

typedef int take_item(struct conf *conf, const char *text, size_t length, char *error);

/* Comma-separated items, blanks around them ignored; an empty text has none. */
static int each_item(struct conf *conf, const char *text, take_item *take, char *error)
{
	const char *end;
	size_t length;

	text += strspn(text, " \t");
	if (*text == '\0')
		return 0;
	for (;; text = end + 1) {
		text += strspn(text, " \t");
		end = text + strcspn(text, ",");
		for (length = (size_t)(end - text); length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'); length--)
			continue;
		if (take(conf, text, length, error) == -1)
			return -1;
		if (*end == '\0')
			return 0;
	}
}

static int bad_item(const char *text, size_t length, const char *why, char *error)
{
	char safe[LOG_SAFE_MAX];

	snprintf(error, SETTING_ERROR_SIZE, "\"%s\": %s", log_safe(safe, sizeof(safe), text, length), why);
	return -1;
}

static const char *name_fault(const char *text, size_t length, char out[HOSTNAME_NAME_SIZE])
{
	enum hostname_error fault = hostname_fold(text, length, out);

	if (fault == HOSTNAME_OK && hostname_is_localhost(out))
		fault = HOSTNAME_LOCALHOST;
	return fault == HOSTNAME_OK ? NULL : hostname_error_text(fault);
}

static int set_urls(struct conf *conf, const char *text, char *error)
{
	return busconf_set_urls(&conf->bus, text, error);
}

static int set_password(struct conf *conf, const char *text, char *error)
{
	const char *c;

	if (text[0] == '\0' || strlen(text) > 1024) {
		snprintf(error, SETTING_ERROR_SIZE, "a password has 1 to 1024 bytes");
		return -1;
	}
	for (c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f) { /* as in password_file */
			snprintf(error, SETTING_ERROR_SIZE, "holds a control character");
			return -1;
		}
	}
	forget(&conf->password_file);
	return replace(&conf->password, text, error);
}

static int set_password_file(struct conf *conf, const char *text, char *error)
{
	forget(&conf->password);
	return set_path(&conf->password_file, text, error);
}

static int set_name(struct conf *conf, const char *text, char *error)
{
	char name[HOSTNAME_NAME_SIZE];
	const char *fault;

	if (template_has_variables(text, strlen(text)))
		return template_check(text, strlen(text), error, SETTING_ERROR_SIZE) == -1 ? -1 : replace(&conf->name, text, error);
	fault = name_fault(text, strlen(text), name);
	if (fault != NULL)
		return bad_item(text, strlen(text), fault, error);
	return replace(&conf->name, name, error);
}

static int take_alias(struct conf *conf, const char *text, size_t length, char *error)
{
	char name[HOSTNAME_NAME_SIZE];
	const char *fault;
	unsigned i;

	if (conf->naliases + conf->ntemplates == ANNOUNCEMENT_ALIASES_MAX)
		return bad_item(text, length, "more than 32 aliases", error);
	if (template_has_variables(text, length))
		return conf_add_template(conf, text, length, error);
	fault = name_fault(text, length, name);
	if (fault != NULL)
		return bad_item(text, length, fault, error);
	for (i = 0; i < conf->naliases; i++) {
		if (strcmp(conf->aliases[i], name) == 0)
			return bad_item(text, length, "given twice", error);
	}
	memcpy(conf->aliases[conf->naliases++], name, sizeof(name));
	return 0;
}

static int set_aliases(struct conf *conf, const char *text, char *error)
{
	conf->naliases = 0;
	conf_clear_templates(conf);
	return each_item(conf, text, take_alias, error);
}

static int take_interface(struct conf *conf, const char *text, size_t length, char *error)
{
	struct addrselect_wish *wish = &conf->wish;

	/* What the kernel allows in a device's name (dev_valid_name). */
	if (length == 0 || length >= IF_NAMESIZE || memchr(text, '/', length) != NULL || memchr(text, ' ', length) != NULL ||
	    memchr(text, ':', length) != NULL)
		return bad_item(text, length, "an interface's name has 1 to 15 characters, no blank, '/' or ':'", error);
	if (wish->ninterfaces == ADDRSELECT_INTERFACES_MAX)
		return bad_item(text, length, "more than 16 interfaces", error);
	memset(wish->interfaces[wish->ninterfaces], 0, IF_NAMESIZE);
	memcpy(wish->interfaces[wish->ninterfaces++], text, length);
	return 0;
}

static int set_interface(struct conf *conf, const char *text, char *error)
{
	conf->wish.ninterfaces = 0;
	return each_item(conf, text, take_interface, error);
}

static int take_subnet(struct conf *conf, const char *text, size_t length, char *error)
{
	struct addrselect_wish *wish = &conf->wish;

	if (wish->nsubnets == ADDRSELECT_SUBNETS_MAX)
		return bad_item(text, length, "more than 32 subnets", error);
	if (prefix_parse(text, length, &wish->subnets[wish->nsubnets]) == -1)
		return bad_item(text, length, "not a subnet such as 172.17.0.0/16 or fd00::/8 (no bits set behind the length)", error);
	wish->nsubnets++;
	return 0;
}

static int set_subnets(struct conf *conf, const char *text, char *error)
{
	conf->wish.nsubnets = 0;
	return each_item(conf, text, take_subnet, error);
}

/* The rest of `addresses`, behind its first word: the same items, with blanks or commas between them. */
static int set_wished(struct conf *conf, const char *text, take_item *take, const char *missing, char *error)
{
	size_t length;

	text += strspn(text, " \t,");
	if (*text == '\0') {
		snprintf(error, SETTING_ERROR_SIZE, "%s", missing);
		return -1;
	}
	for (; *text != '\0'; text += length + strspn(text + length, " \t,")) {
		length = strcspn(text, " \t,");
		if (take(conf, text, length, error) == -1)
			return -1;
	}
	return 0;
}

/* bus | all | interface NAME … | subnets ADDRESS/LENGTH …: what it says takes the place of what interface and subnets said before. */
static int set_addresses(struct conf *conf, const char *text, char *error)
{
	size_t length;

	text += strspn(text, " \t");
	length = strcspn(text, " \t,");
	conf->wish = (struct addrselect_wish){0};
	if (length == strlen(text) && (length == 0 || strcmp(text, "bus") == 0))
		return 0;
	conf->wish.all = strcmp(text, "all") == 0;
	if (conf->wish.all)
		return 0;
	if (length == strlen("interface") && strncmp(text, "interface", length) == 0)
		return set_wished(conf, text + length, take_interface, "interface needs names of interfaces", error);
	if (length == strlen("subnets") && strncmp(text, "subnets", length) == 0)
		return set_wished(conf, text + length, take_subnet, "subnets needs networks, such as 172.17.0.0/16", error);
	return bad_item(text, strlen(text), "not bus, all, interface NAME ... or subnets ADDRESS/LENGTH ...", error);
}

static int take_port(struct conf *conf, const char *text, size_t length, char *error)
{
	return conf_add_port(conf, text, length, false, error, SETTING_ERROR_SIZE);
}

static int set_ports(struct conf *conf, const char *text, char *error)
{
	conf->nports = 0;
	return each_item(conf, text, take_port, error);
}

static int set_legacy(struct conf *conf, const char *text, char *error)
{
	static const char *const words[] = {"false", "0", "", "true", "1"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		conf->legacy = i >= 3;
		return 0;
	}
	return bad_item(text, strlen(text), "not true or false (1 or 0)", error);
}

static int set_renew(struct conf *conf, const char *text, char *error)
{
	return set_number(text, CONF_RENEW_MIN_S, CONF_RENEW_MAX_S, "seconds", &conf->renew_s, error);
}

static int set_heartbeat(struct conf *conf, const char *text, char *error)
{
	uint32_t value;

	if (set_number(text, BUSCONF_HEARTBEAT_MIN_S, BUSCONF_HEARTBEAT_MAX_S, "seconds", &value, error) == -1)
		return -1;
	conf->bus.heartbeat_s = (uint16_t)value;
	return 0;
}

static int set_log_level(struct conf *conf, const char *text, char *error)
{
	if (log_level_parse(text, &conf->log_level) == 0)
		return 0;
	return bad_item(text, strlen(text), "not one of error, warning, info, debug", error);
}

static int set_tls_ca(struct conf *conf, const char *text, char *error)
{
	return set_path(&conf->bus.tls.ca, text, error);
}

static int set_tls_cert(struct conf *conf, const char *text, char *error)
{
	return set_path(&conf->bus.tls.cert, text, error);
}

static int set_tls_key(struct conf *conf, const char *text, char *error)
{
	return set_path(&conf->bus.tls.key, text, error);
}

static int set_tls_verify(struct conf *conf, const char *text, char *error)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return bad_item(text, strlen(text), "not true or false", error);
	conf->bus.tls.verify = strcmp(text, "true") == 0;
	return 0;
}

static int set_tls_server_name(struct conf *conf, const char *text, char *error)
{
	char name[HOSTNAME_FQDN_SIZE];
	struct address address;
	enum hostname_error fault = hostname_fold_fqdn(text, strlen(text), name);

	if (fault != HOSTNAME_OK && address_parse(text, strlen(text), &address) == -1)
		return bad_item(text, strlen(text), hostname_error_text(fault), error);
	return replace(&conf->bus.tls.server_name, text, error);
}

/* An empty one is none: `docker run -e CALLSIGN_CHECK_TCP=` undoes what the image says. */
static int set_check(struct conf *conf, const char *text, int (*parse)(struct checktarget *, const char *, const char **), char *error)
{
	const char *why;

	if (text[0] == '\0') {
		checktarget_clear(&conf->check);
		return 0;
	}
	return parse(&conf->check, text, &why) == 0 ? 0 : bad_item(text, strlen(text), why, error);
}

static int set_check_command(struct conf *conf, const char *text, char *error)
{
	return set_check(conf, text, checktarget_command, error);
}

static int set_check_tcp(struct conf *conf, const char *text, char *error)
{
	return set_check(conf, text, checktarget_tcp, error);
}

static int set_check_http(struct conf *conf, const char *text, char *error)
{
	return set_check(conf, text, checktarget_http, error);
}

static int set_check_interval(struct conf *conf, const char *text, char *error)
{
	return set_number(text, 1, 86400, "seconds", &conf->check_rules.interval_s, error);
}

static int set_check_timeout(struct conf *conf, const char *text, char *error)
{
	return set_number(text, 1, 3600, "seconds", &conf->check_rules.timeout_s, error);
}

static int set_check_rise(struct conf *conf, const char *text, char *error)
{
	return set_number(text, 1, 100, "passes", &conf->check_rules.rise, error);
}

static int set_check_fall(struct conf *conf, const char *text, char *error)
{
	return set_number(text, 1, 100, "failures", &conf->check_rules.fall, error);
}

const struct setting settings[] = {
	{"urls", "CALLSIGN_URLS", true, set_urls},
	{"password", "CALLSIGN_PASSWORD", false, set_password},
	{"password_file", "CALLSIGN_PASSWORD_FILE", false, set_password_file},
	{"name", "CALLSIGN_NAME", false, set_name},
	{"aliases", "CALLSIGN_ALIASES", true, set_aliases},
	{"addresses", "CALLSIGN_ADDRESSES", false, set_addresses}, /* before the two that it stands for: they narrow it */
	{"interface", "CALLSIGN_INTERFACE", true, set_interface},
	{"subnets", "CALLSIGN_SUBNETS", true, set_subnets},
	{"ports", "CALLSIGN_PORTS", true, set_ports},
	{"legacy", "CALLSIGN_LEGACY", false, set_legacy},
	{"renew", "CALLSIGN_RENEW", false, set_renew},
	{"heartbeat", "CALLSIGN_HEARTBEAT", false, set_heartbeat},
	{"log_level", "CALLSIGN_LOG_LEVEL", false, set_log_level},
	{"check|command", "CALLSIGN_CHECK_COMMAND", true, set_check_command},
	{"check|tcp", "CALLSIGN_CHECK_TCP", false, set_check_tcp},
	{"check|http", "CALLSIGN_CHECK_HTTP", false, set_check_http},
	{"check|interval", "CALLSIGN_CHECK_INTERVAL", false, set_check_interval},
	{"check|timeout", "CALLSIGN_CHECK_TIMEOUT", false, set_check_timeout},
	{"check|rise", "CALLSIGN_CHECK_RISE", false, set_check_rise},
	{"check|fall", "CALLSIGN_CHECK_FALL", false, set_check_fall},
	{"tls|ca", "CALLSIGN_TLS_CA", false, set_tls_ca},
	{"tls|cert", NULL, false, set_tls_cert},
	{"tls|key", NULL, false, set_tls_key},
	{"tls|verify", NULL, false, set_tls_verify},
	{"tls|server_name", NULL, false, set_tls_server_name},
	{NULL, NULL, false, NULL},
};

const struct setting *setting_find(const char *section, const char *key)
{
	size_t prefix = section != NULL ? strlen(section) : 0;
	const struct setting *setting;

	for (setting = settings; setting->key != NULL; setting++) {
		if (section == NULL && strcmp(setting->key, key) == 0)
			return setting;
		if (section != NULL && strncmp(setting->key, section, prefix) == 0 && setting->key[prefix] == '|' &&
		    strcmp(setting->key + prefix + 1, key) == 0)
			return setting;
	}
	return NULL;
}
