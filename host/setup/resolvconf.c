#include <config.h>

#include "setup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/dnsmasqconf.h"
#include "system/command.h"

/*
 * Where resolvconf or openresolv writes resolv.conf, Debian's dnsmasq registers 127.0.0.1 with it as it starts, whatever except-interface= its
 * configuration has: only DNSMASQ_EXCEPT in this file keeps it from that. Then all programs of the host would ask where nobody listens, whoever it was
 * that said except-interface=lo. Where it is to be this host's resolver (writer.c), that is how resolv.conf comes to name it.
 *
 * Once it does not register, resolvconf keeps an empty list of servers for it (/lib/resolvconf/list-records --after: "if RECORD is not found then
 * print nothing"), and Debian's start has it read that list alone: containers would find no name of the world. IGNORE_RESOLVCONF has it ask the
 * servers in resolv.conf.
 */
#define DEFAULTS "/etc/default/dnsmasq"
#define EXCEPT "DNSMASQ_EXCEPT"
#define IGNORE "IGNORE_RESOLVCONF"
#define LIST "/run/dnsmasq/resolv.conf"
#define OPENRESOLV "/etc/resolvconf.conf"
#define RESOLVCONF_S 30

static bool has_resolvconf(const struct setup *setup)
{
	static const char *const paths[] = {"/sbin/resolvconf", "/usr/sbin/resolvconf"};
	char full[PATH_MAX];

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		snprintf(full, sizeof full, "%s%s", setup->root, paths[i]);
		if (access(full, X_OK) == 0)
			return true;
	}
	return false;
}

/* What the last line that sets it sets it to, with its quotes. NULL: no line does. To be freed. */
static char *value_of(const char *text, const char *key)
{
	size_t length = strlen(key);
	char *value = NULL;

	for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, key, length) != 0 || line[length] != '=')
			continue;
		free(value);
		value = strndup(line + length + 1, strcspn(line + length + 1, "\n"));
	}
	return value;
}

/* A line that sets it, whatever to: then it is the administrator's. */
static bool is_set(const char *text, const char *key)
{
	char *value = value_of(text, key);
	bool set = value != NULL;

	free(value);
	return set;
}

static bool has_word(const char *text, const char *key, const char *word)
{
	char *value = value_of(text, key), *state;
	bool has = false;

	for (char *one = value != NULL ? strtok_r(value, " \t\"'", &state) : NULL; one != NULL && !has; one = strtok_r(NULL, " \t\"'", &state))
		has = strcmp(one, word) == 0;
	free(value);
	return has;
}

bool setup_ignores_resolvconf(const struct setup *setup)
{
	char *text = setup_read(setup, DEFAULTS);
	bool ignores = text != NULL && has_word(text, IGNORE, "yes");

	free(text);
	return ignores;
}

bool setup_registers(const struct setup *setup)
{
	char *old = setup_read(setup, DEFAULTS);
	bool registers = old == NULL || !is_set(old, EXCEPT) || (setup_recorded(setup, DEFAULTS) && setup_is_ours(setup, DEFAULTS));

	free(old);
	return registers;
}

/* As everybody may have done in its configuration; what our own piece says is our matter. */
bool setup_leaves_loopback(const struct setup *setup, char *where)
{
	struct dnsmasqconf conf;
	bool leaves = false;

	dnsmasqconf_of_system(&conf, setup->root);
	where[0] = '\0';
	for (size_t i = 0; i < conf.count && !leaves; i++) {
		char *rest = conf.options[i].value;

		if (strcmp(conf.options[i].key, "except-interface") != 0 ||
		    strncmp(conf.options[i].where, SETUP_DNSMASQ ":", sizeof SETUP_DNSMASQ) == 0)
			continue;
		for (const char *name = strsep(&rest, ","); name != NULL && !leaves; name = strsep(&rest, ","))
			leaves = strcmp(name, "lo") == 0;
		if (leaves)
			snprintf(where, SETUP_WHERE_SIZE, "%s", conf.options[i].where);
	}
	dnsmasqconf_free(&conf);
	return leaves;
}

/* It was kept from registering by an earlier run, that did not know what to do with it. */
static void let_register(struct setup *setup)
{
	if (!setup_recorded(setup, DEFAULTS))
		return;
	setup_take_back(setup, DEFAULTS);
	setup->dnsmasq_changed = true;
}

bool setup_resolvconf_pending(const struct setup *setup)
{
	return setup_pending(setup, DEFAULTS);
}

/* As it stops, dnsmasq takes itself out, since 2.91 in the background, which systemd may end before it has. */
void setup_unregister(const struct setup *setup)
{
	const char *const argv[] = {"/sbin/resolvconf", "-d", "lo.dnsmasq", NULL};

	if (!setup->unregisters)
		return;
	printf("%s: %s %s %s\n", setup->no_services ? "not run" : "run", argv[0], argv[1], argv[2]);
	if (!setup->dry_run && !setup->no_services)
		(void)command_run(argv, NULL, 0, NULL, NULL, RESOLVCONF_S); /* as a rule it was out already */
}

static bool is_empty_list(const struct setup *setup)
{
	char *text = setup_read(setup, LIST);
	bool empty = text != NULL && strstr(text, "nameserver") == NULL;

	free(text);
	return empty;
}

/* Whether it was not kept from that yet. */
static bool keep_from_registering(struct setup *setup)
{
	char *old = setup_read(setup, DEFAULTS), *text = NULL;
	bool readable = old != NULL || errno == ENOENT, ours = setup_recorded(setup, DEFAULTS) && setup_is_ours(setup, DEFAULTS);
	bool except = readable && !is_set(old, EXCEPT), ignore = readable && (except || ours) && !is_set(old, IGNORE);

	if ((except || ignore) &&
	    asprintf(&text, "%s# Made by callsign-setup: dnsmasq is not to be registered with resolvconf, which then knows of no servers for it.\n%s%s",
	             old != NULL ? old : "", except ? EXCEPT "=\"lo\"\n" : "", ignore ? IGNORE "=yes\n" : "") != -1) {
		setup->dnsmasq_changed |= setup_write(setup, DEFAULTS, text, 0644, SETUP_PLAIN);
		free(text);
	}
	if (readable && !except && !ours && has_word(old, EXCEPT, "lo") && !is_set(old, IGNORE) && is_empty_list(setup))
		setup_say(DEFAULTS " has " EXCEPT ", and so resolvconf knows of no servers for dnsmasq: with " IGNORE "=yes there it asks those in resolv.conf");
	free(old);
	setup->unregisters |= except || (ours && setup_resolvconf_pending(setup));
	return except;
}

/* openresolv keeps the list that Debian's start has dnsmasq read if it is told where: Debian 12's file says so, Debian 13's does not. */
static void warn_of_list(const struct setup *setup)
{
	char *text = setup_read(setup, OPENRESOLV);
	struct dnsmasqconf conf;

	dnsmasqconf_of_system(&conf, setup->root);
	if (text != NULL && !is_set(text, "dnsmasq_resolv") && !setup_ignores_resolvconf(setup) && dnsmasqconf_find(&conf, "no-resolv", NULL) == NULL &&
	    dnsmasqconf_find(&conf, "server", NULL) == NULL)
		setup_say("openresolv keeps no list of servers for dnsmasq, which then has nobody to ask: add dnsmasq_resolv=" LIST " to " OPENRESOLV
		          ", then resolvconf -u");
	dnsmasqconf_free(&conf);
	free(text);
}

void setup_resolvconf(struct setup *setup)
{
	char where[SETUP_WHERE_SIZE];
	bool named = setup->resolver.kind == RESOLVER_LOOPBACK && setup->holder[0] == '\0', left = setup_leaves_loopback(setup, where);

	if (setup->writer == SETUP_WRITER_RESOLVCONF)
		let_register(setup);
	if (has_resolvconf(setup) && (setup->writer == SETUP_WRITER_RESOLVCONF || (named && !left)))
		warn_of_list(setup);
	if ((named && !left) || setup->writer == SETUP_WRITER_RESOLVCONF || !has_resolvconf(setup))
		return;
	if (keep_from_registering(setup) && named)
		setup_say("dnsmasq is to leave the loopback alone (%s), and Debian's start of it has this host's programs ask there all the same: it is kept "
		          "from that. They find the names of containers once the first server in resolv.conf is %s, by way of whoever writes that",
		          where, setup->docker);
}
