#include <config.h>

#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/dnsmasqconf.h"

/* Whom this host's dnsmasq asks for what it does not know itself. */

#define RESOLVED_STUB "127.0.0.53"
#define RESOLVED_SERVERS "/run/systemd/resolve/resolv.conf"

/* Whether a file of resolv.conf's form has a line for server. */
static bool names(const struct setup *setup, const char *path, const char *server)
{
	char *text = setup_read(setup, path), *rest = text, *line;
	bool found = false;

	while (text != NULL && !found && (line = strsep(&rest, "\n")) != NULL) {
		char *word, *state;

		word = strtok_r(line, " \t", &state);
		if (word == NULL || strcmp(word, "nameserver") != 0)
			continue;
		word = strtok_r(NULL, " \t", &state);
		found = word != NULL && strcmp(word, server) == 0;
	}
	free(text);
	return found;
}

/* By way of systemd-resolved, too, whose own servers stand elsewhere. */
static bool file_leads_to(const struct setup *setup, const char *path, const char *server)
{
	return names(setup, path, server) || (names(setup, path, RESOLVED_STUB) && names(setup, RESOLVED_SERVERS, server));
}

static bool is_asked_by_line(const struct dnsmasqconf *conf, const char *server)
{
	char with_port[SETUP_SERVER_SIZE];

	snprintf(with_port, sizeof with_port, "%s#53", server);
	return dnsmasqconf_find(conf, "server", server) != NULL || dnsmasqconf_find(conf, "server", with_port) != NULL;
}

static bool is_asked_by_file(const struct setup *setup, const struct dnsmasqconf *conf, const char *server)
{
	bool named = false, leads = false, kept = setup_there(setup, "/run/dnsmasq/resolv.conf") && !setup_ignores_resolvconf(setup);

	if (dnsmasqconf_find(conf, "no-resolv", NULL) != NULL)
		return false;
	for (size_t i = 0; i < conf->count; i++) {
		if (strcmp(conf->options[i].key, "resolv-file") != 0)
			continue;
		named = true;
		leads |= file_leads_to(setup, conf->options[i].value, server);
	}
	/* The package's start gives it the second one, where resolvconf keeps that. */
	return named ? leads : file_leads_to(setup, kept ? "/run/dnsmasq/resolv.conf" : "/etc/resolv.conf", server);
}

bool setup_dnsmasq_asks(const struct setup *setup, const char *server)
{
	struct dnsmasqconf conf;
	bool asks;

	dnsmasqconf_of_system(&conf, setup->root);
	asks = is_asked_by_line(&conf, server) || is_asked_by_file(setup, &conf, server);
	dnsmasqconf_free(&conf);
	return asks;
}
