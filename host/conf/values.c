#include <config.h>

#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/served.h"
#include "shared/conftext.h"

#define ERROR_SIZE 768
#define SHOWN_SIZE 96

static unsigned errors;
static const char *path; /* libconfuse gives its sections no file name */

void conf_values_reset(const char *conf_path)
{
	path = conf_path;
	errors = 0;
}

unsigned conf_values_errors(void)
{
	return errors;
}

/* "section.key", or 'user "NAME".key', as the file has it. */
static const char *key_text(cfg_t *section, const char *key, char *out, size_t size)
{
	char title[SHOWN_SIZE];
	const char *name = cfg_name(section);

	if (cfg_title(section) != NULL)
		snprintf(out, size, "%s \"%s\"%s%s", name,
			 log_phrase(title, sizeof(title), cfg_title(section), strlen(cfg_title(section))),
			 key != NULL ? "." : "", key != NULL ? key : "");
	else if (key == NULL)
		snprintf(out, size, "%s", name);
	else if (strcmp(name, "root") == 0)
		snprintf(out, size, "%s", key);
	else
		snprintf(out, size, "%s.%s", name, key);
	return out;
}

void conf_values_error(cfg_t *section, const char *key, const char *format, ...)
{
	char what[ERROR_SIZE], where[SHOWN_SIZE * 2], place[CONFTEXT_PLACE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	log_errorx("%s: %s: %s", conftext_place(place, path, section->line), key_text(section, key, where, sizeof(where)), what);
	errors++;
}

static void append_known_keys(const cfg_t *section, char *out, size_t size)
{
	for (const cfg_opt_t *option = section->opts; option->name != NULL; option++) {
		size_t used = strlen(out);

		snprintf(out + used, size - used, "%s%s", option == section->opts ? "; known here: " : ", ",
			 option->name);
	}
}

void conf_values_syntax(cfg_t *section, const char *format, va_list arguments)
{
	char what[ERROR_SIZE], shown[ERROR_SIZE], place[CONFTEXT_PLACE_SIZE];

	vsnprintf(what, sizeof(what), format, arguments);
	log_phrase(shown, sizeof(shown), what, strlen(what));
	if (strstr(format, "no such option") != NULL)
		append_known_keys(section, shown, sizeof(shown));
	log_errorx("%s: %s", conftext_place(place, path, section->line), shown);
	errors++;
}

static const char *show(const char *value, char shown[SHOWN_SIZE])
{
	return log_phrase(shown, SHOWN_SIZE, value, strlen(value));
}

/* Strings come back as they are: a bad one is reported, and the errors counted keep it from ever being used. */
static int keep(const char *value, void *result)
{
	*(const char **)result = value;
	return 0;
}

static const struct {
	const char *key;
	long least, most;
} ranges[] = {
	{"heartbeat", BUSCONF_HEARTBEAT_MIN_S, BUSCONF_HEARTBEAT_MAX_S},
	{"expires", 60, 2592000},
	{"max_length", 100, 10000000},
	{"max_lease", ANNOUNCEMENT_LEASE_MIN_S, ANNOUNCEMENT_LEASE_MAX_S},
	{"port", 1, 65535},
	{"max_names", 0, 10000000},
	{"rate", 0, 10000000},
	{"burst", 0, 100000000},
};

int conf_take_within(cfg_t *section, cfg_opt_t *option, const char *value, void *result, long least, long most)
{
	char *end, shown[SHOWN_SIZE];
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (!isdigit((unsigned char)value[0]) || *end != '\0' || errno != 0 || number < least || number > most)
		conf_values_error(section, option->name, "\"%s\" is not allowed: a whole number from %ld to %ld is",
				  show(value, shown), least, most);
	*(long *)result = number;
	return 0;
}

int conf_take_integer(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	size_t i = 0;

	while (strcmp(ranges[i].key, option->name) != 0)
		i++;
	return conf_take_within(section, option, value, result, ranges[i].least, ranges[i].most);
}

#define SECONDS_MAX 3600.0

int conf_take_seconds(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char *end, shown[SHOWN_SIZE];
	double number = strtod(value, &end);

	/* Only digits and a point: strtod would also take "inf", "nan" and hexadecimal. */
	if (value[0] == '\0' || value[strspn(value, "0123456789.")] != '\0' || *end != '\0' || !isfinite(number) ||
	    number > SECONDS_MAX) {
		conf_values_error(section, option->name,
				  "\"%s\" is not allowed: seconds from 0 to %.0f are, with fractions",
				  show(value, shown), SECONDS_MAX);
		number = 0;
	}
	*(double *)result = number;
	return 0;
}

int conf_take_path(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char shown[SHOWN_SIZE];

	if (value[0] != '/' || value[strlen(value) - 1] == '/')
		conf_values_error(section, option->name, "\"%s\" is not allowed: the path of a file is, from / on",
				  show(value, shown));
	return keep(value, result);
}

/* unix(7): sun_path has 108 bytes, the last one for a NUL. */
#define SOCKET_PATH_MAX 107

int conf_take_socket(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	if (strlen(value) > SOCKET_PATH_MAX)
		conf_values_error(section, option->name, "not allowed: a path of up to %d bytes is", SOCKET_PATH_MAX);
	return conf_take_path(section, option, value, result);
}

#define GROUP_MAX 32 /* groupadd(8)'s limit */

int conf_take_group(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char shown[SHOWN_SIZE];

	if (value[0] == '\0' || strlen(value) > GROUP_MAX || strpbrk(value, ": /\n") != NULL)
		conf_values_error(section, option->name, "\"%s\" is not allowed: the name of a group is",
				  show(value, shown));
	return keep(value, result);
}

int conf_take_domain(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char fqdn[HOSTNAME_FQDN_SIZE], joined[HOSTNAME_FQDN_SIZE], shown[SHOWN_SIZE];
	enum hostname_error error = hostname_fold_fqdn(value, strlen(value), fqdn);

	if (error == HOSTNAME_OK && hostname_is_localhost(fqdn))
		error = HOSTNAME_LOCALHOST;
	if (error == HOSTNAME_OK)
		error = hostname_join(SERVED_SERIAL_NAME, fqdn, joined);
	if (error != HOSTNAME_OK)
		conf_values_error(section, option->name,
				  "\"%s\" is not allowed: %s; a domain such as \"docker\" or \"lab.example.org\" is",
				  show(value, shown), hostname_error_text(error));
	return keep(value, result);
}

int conf_take_urls(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char error[BUSCONF_ERROR_SIZE];
	struct busconf scratch;

	busconf_init(&scratch);
	if (busconf_set_urls(&scratch, value, error) < 0)
		conf_values_error(section, option->name, "%s", error);
	busconf_clear(&scratch);
	return keep(value, result);
}

int conf_take_queue_name(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char name[HOSTNAME_NAME_SIZE], shown[SHOWN_SIZE];
	enum hostname_error error = hostname_fold(value, strlen(value), name);

	if (error != HOSTNAME_OK)
		conf_values_error(section, option->name,
				  "\"%s\" is not allowed: %s; a host's name is, with or without " QUEUE_HOST_PREFIX,
				  show(value, shown), hostname_error_text(error));
	return keep(value, result);
}

static const struct {
	const char *key;
	const char *allowed[5];
} choices[] = {
	{"type", {"classic", "quorum", NULL}},
	{"conflict", {"all", "newest", "first", NULL}},
	{"log_level", {"error", "warning", "info", "debug", NULL}},
};

int conf_take_one_of(cfg_t *section, cfg_opt_t *option, const char *value, void *result, const char *const *allowed)
{
	char list[SHOWN_SIZE] = "", shown[SHOWN_SIZE];

	for (size_t i = 0; allowed[i] != NULL; i++) {
		size_t used = strlen(list);

		if (strcmp(allowed[i], value) == 0)
			return keep(value, result);
		snprintf(list + used, sizeof(list) - used, "%s\"%s\"", i == 0 ? "" : ", ", allowed[i]);
	}
	conf_values_error(section, option->name, "\"%s\" is not allowed: one of %s is", show(value, shown), list);
	return keep(value, result);
}

int conf_take_choice(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	size_t i = 0;

	while (strcmp(choices[i].key, option->name) != 0)
		i++;
	return conf_take_one_of(section, option, value, result, choices[i].allowed);
}

int conf_take_pattern(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char shown[SHOWN_SIZE];

	if (!hostname_pattern_valid(value))
		conf_values_error(section, option->name,
				  "\"%s\" is not allowed: letters, digits, '-' and '.' are, with * for any characters "
				  "and ? for one",
				  show(value, shown));
	return keep(value, result);
}

int conf_take_subnet(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char shown[SHOWN_SIZE];
	struct prefix prefix;

	if (prefix_parse(value, strlen(value), &prefix) < 0)
		conf_values_error(section, option->name,
				  "\"%s\" is not allowed: a subnet such as \"172.16.0.0/12\" or \"fd00::/8\" is, "
				  "without bits behind its length",
				  show(value, shown));
	return keep(value, result);
}

int conf_take_server(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	static const struct address any4 = {.family = 4}, any6 = {.family = 6};
	char shown[SHOWN_SIZE];
	struct address address;

	if (address_parse(value, strlen(value), &address) < 0 || address_equal(&address, &any4) ||
	    address_equal(&address, &any6))
		conf_values_error(section, option->name,
				  "\"%s\" is not allowed: the IPv4 or IPv6 address at which dnsmasq answers is",
				  show(value, shown));
	return keep(value, result);
}

int conf_take_text(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	if (value[0] == '\0')
		conf_values_error(section, option->name, "the empty text is not allowed: leave the key out instead");
	return keep(value, result);
}

/* What the kernel takes (dev_valid_name), less what can only be a mistyped address. */
static bool interface_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= IF_NAMESIZE || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] == '/' || name[i] == ':' || !isgraph((unsigned char)name[i]))
			return false;
	return name[strspn(name, "0123456789.")] != '\0';
}

static int parse_target(const char *target, struct conf_host_name *out, const char **reason)
{
	if (address_parse(target, strlen(target), &out->address) == 0) {
		*reason = address_unusable(&out->address);
		return *reason == NULL ? 0 : -1;
	}
	*reason = "what follows = is neither an address nor the name of an interface";
	if (!interface_valid(target))
		return -1;
	*reason = "out of memory";
	out->interface = strdup(target);
	return out->interface != NULL ? 0 : -1;
}

int conf_parse_host_name(const char *value, struct conf_host_name *out, const char **reason)
{
	struct policy always;
	char name[HOSTNAME_NAME_SIZE];
	enum hostname_error error;
	const char *equals = strchr(value, '=');

	memset(out, 0, sizeof(*out));
	policy_init(&always);
	*reason = "there is no =";
	if (equals == NULL)
		return -1;
	error = hostname_fold(value, (size_t)(equals - value), name);
	*reason = hostname_error_text(error);
	if (error != HOSTNAME_OK)
		return -1;
	*reason = "that name is always reserved";
	if (policy_reserved(&always, name) || parse_target(equals + 1, out, reason) < 0)
		return -1;
	out->name = strdup(name);
	if (out->name != NULL)
		return 0;
	free(out->interface);
	*reason = "out of memory";
	return -1;
}

int conf_take_host_name(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char shown[SHOWN_SIZE];
	struct conf_host_name scratch;
	const char *reason;

	if (conf_parse_host_name(value, &scratch, &reason) < 0) {
		conf_values_error(section, option->name,
				  "\"%s\" is not allowed: %s; \"NAME=ADDRESS\" or \"NAME=INTERFACE\" is, for "
				  "example \"host=docker0\"",
				  show(value, shown), reason);
	} else {
		free(scratch.name);
		free(scratch.interface);
	}
	return keep(value, result);
}

uint16_t conf_parse_port(const char *text)
{
	size_t length = strspn(text, "0123456789");
	long port;

	if (length == 0 || length > 5 || text[length] != '\0' || text[0] == '0')
		return 0;
	port = strtol(text, NULL, 10);
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

int conf_parse_listen(const char *value, struct conf_metrics *out)
{
	const char *colon = strrchr(value, ':'), *text = value;
	size_t length = colon != NULL ? (size_t)(colon - value) : 0;
	bool bracketed = length >= 2 && value[0] == '[' && value[length - 1] == ']';

	out->port = conf_parse_port(colon != NULL ? colon + 1 : value);
	out->address = (struct address){.family = 4, .bytes = {127, 0, 0, 1}};
	if (out->port == 0)
		return -1;
	if (colon == NULL)
		return 0;
	if (bracketed) {
		text++;
		length -= 2;
	}
	if (address_parse(text, length, &out->address) < 0)
		return -1;
	return bracketed == (out->address.family == 6) ? 0 : -1;
}

int conf_take_listen(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char shown[SHOWN_SIZE];
	struct conf_metrics scratch;

	if (conf_parse_listen(value, &scratch) < 0)
		conf_values_error(section, option->name, "\"%s\" is not allowed: \"ADDRESS:PORT\", \"[IPV6]:PORT\" or \"PORT\" (of 127.0.0.1) is, for "
		                  "example \"127.0.0.1:9123\"", show(value, shown));
	return keep(value, result);
}
