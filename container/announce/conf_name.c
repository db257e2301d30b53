#include <config.h>

#include "conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"
#include "template.h"

/* What is announced: name and aliases, with their variables filled in. */

void conf_clear_templates(struct conf *conf)
{
	while (conf->ntemplates > 0)
		free(conf->templates[--conf->ntemplates]);
}

int conf_add_template(struct conf *conf, const char *text, size_t length, char *error)
{
	if (template_check(text, length, error, SETTING_ERROR_SIZE) == -1)
		return -1;
	conf->templates[conf->ntemplates] = strndup(text, length);
	if (conf->templates[conf->ntemplates] == NULL) {
		snprintf(error, SETTING_ERROR_SIZE, "out of memory");
		return -1;
	}
	conf->ntemplates++;
	return 0;
}

static void conf_drop_alias(struct conf *conf, const char *name)
{
	unsigned i;

	for (i = 0; i < conf->naliases; i++) {
		if (strcmp(conf->aliases[i], name) != 0)
			continue;
		if (i >= conf->naliases - conf->nexpanded)
			conf->nexpanded--;
		memmove(conf->aliases + i, conf->aliases + i + 1, (conf->naliases - i - 1) * sizeof(conf->aliases[0]));
		conf->naliases--;
		return;
	}
}

/* With as many and as long addresses as there can be, so that it never fails later. */
static bool conf_fits(const struct conf *conf, const char *name)
{
	static struct announcement largest;
	static char body[ANNOUNCEMENT_BODY_MAX];
	unsigned i;

	memset(&largest, 0, sizeof(largest));
	largest.op = ANNOUNCEMENT_UP;
	memcpy(largest.name, name, strlen(name) + 1);
	memcpy(largest.aliases, conf->aliases, sizeof(largest.aliases));
	largest.naliases = conf->naliases;
	memcpy(largest.ports, conf->ports, sizeof(largest.ports));
	largest.nports = conf->nports;
	largest.has_session = true;
	largest.seq = ANNOUNCEMENT_SEQ_MAX;
	largest.lease_s = ANNOUNCEMENT_LEASE_MAX_S;
	largest.naddresses = ANNOUNCEMENT_ADDRESSES_MAX;
	for (i = 0; i < ANNOUNCEMENT_ADDRESSES_MAX; i++) {
		largest.addresses[i].family = 6;
		memset(largest.addresses[i].bytes, 0x20 + (int)i, sizeof(largest.addresses[i].bytes));
	}
	return announcement_encode(&largest, body) != -1;
}

/* ---- variables ---- */

struct variables {
	char host[256];
};

/* What the container was given, and its hostname. Passwords are not among it any more: conf_load() has taken them out. */
static const char *conf_lookup(void *arg, const char *name)
{
	struct variables *variables = arg;

	if (strcmp(name, "hostname") != 0)
		return getenv(name);
	return gethostname(variables->host, sizeof(variables->host) - 1) == 0 ? variables->host : NULL;
}

static int conf_expand(const char *key, const char *text, char out[HOSTNAME_NAME_SIZE], char *why)
{
	struct variables variables = {""};
	char error[SETTING_ERROR_SIZE];

	if (template_expand(text, strlen(text), conf_lookup, &variables, out, error, sizeof(error)) == 0)
		return 0;
	snprintf(why, CONF_MISNOMER_SIZE, "%s: %s", key, error);
	return -1;
}

static bool conf_has_alias(const struct conf *conf, const char *alias)
{
	unsigned i;

	for (i = 0; i < conf->naliases; i++) {
		if (strcmp(conf->aliases[i], alias) == 0)
			return true;
	}
	return false;
}

/* Two that come out the same are one: the values are none of the configuration's making. */
static int conf_expand_aliases(struct conf *conf, char *why)
{
	char alias[HOSTNAME_NAME_SIZE];
	unsigned i;

	conf->naliases -= conf->nexpanded;
	conf->nexpanded = 0;
	for (i = 0; i < conf->ntemplates; i++) {
		if (conf_expand("aliases", conf->templates[i], alias, why) == -1)
			return -1;
		if (conf_has_alias(conf, alias))
			continue;
		if (conf->naliases == ANNOUNCEMENT_ALIASES_MAX) {
			snprintf(why, CONF_MISNOMER_SIZE, "aliases: more than %d", ANNOUNCEMENT_ALIASES_MAX);
			return -1;
		}
		memcpy(conf->aliases[conf->naliases++], alias, sizeof(alias));
		conf->nexpanded++;
	}
	return 0;
}

/* The hostname, which nobody may have chosen for a name. */
static int conf_hostname(char name[HOSTNAME_NAME_SIZE], char *why)
{
	char host[256] = "", safe[LOG_SAFE_MAX];
	enum hostname_error fault;

	if (gethostname(host, sizeof(host) - 1) == -1) {
		snprintf(why, CONF_MISNOMER_SIZE, "hostname: %s", strerror(errno));
		return -1;
	}
	fault = hostname_fold(host, strlen(host), name);
	if (fault == HOSTNAME_OK && hostname_is_localhost(name))
		fault = HOSTNAME_LOCALHOST;
	if (fault == HOSTNAME_OK)
		return 0;
	snprintf(why, CONF_MISNOMER_SIZE,
	         "the hostname \"%s\" cannot be announced: %s; give the container another (--hostname), or set name or CALLSIGN_NAME",
	         log_safe(safe, sizeof(safe), host, strlen(host)), hostname_error_text(fault));
	return -1;
}

static int conf_misnomer(const struct conf *conf, char *why)
{
	unsigned i;

	for (i = 0; i < CONF_NAMINGS; i++) {
		if (conf->misnomers[i] == NULL)
			continue;
		snprintf(why, CONF_MISNOMER_SIZE, "%s", conf->misnomers[i]);
		return -1;
	}
	return 0;
}

int conf_choose_name(struct conf *conf, char name[HOSTNAME_NAME_SIZE], char why[CONF_MISNOMER_SIZE])
{
	name[0] = '\0';
	if (conf_misnomer(conf, why) == -1)
		return -1;
	if ((conf->name == NULL ? conf_hostname(name, why) : conf_expand("name", conf->name, name, why)) == -1)
		return -1;
	if (conf_expand_aliases(conf, why) == -1)
		return -1;
	conf_drop_alias(conf, name);
	if (!conf_fits(conf, name)) {
		snprintf(why, CONF_MISNOMER_SIZE, "name, aliases and ports are too long together: one message holds at most %d bytes",
		         ANNOUNCEMENT_BODY_MAX);
		return -1;
	}
	return 0;
}
