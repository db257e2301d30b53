#include <config.h>

#include "setup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Where resolvconf or openresolv writes resolv.conf, Debian's dnsmasq registers 127.0.0.1 with it as it starts, whatever except-interface= its
 * configuration has: only DNSMASQ_EXCEPT in this file keeps it from that. Then all programs of the host would ask where nobody listens. Where it is to
 * be this host's resolver (writer.c), that is how resolv.conf comes to name it.
 */
#define DEFAULTS "/etc/default/dnsmasq"
#define EXCEPT "DNSMASQ_EXCEPT"

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

/* A line that sets it, whatever to: then it is the administrator's. */
static bool is_set(const char *text)
{
	return strncmp(text, EXCEPT "=", sizeof EXCEPT) == 0 || strstr(text, "\n" EXCEPT "=") != NULL;
}

bool setup_registers(const struct setup *setup)
{
	char *old = setup_read(setup, DEFAULTS);
	bool registers = old == NULL || !is_set(old) || (setup_recorded(setup, DEFAULTS) && setup_is_ours(setup, DEFAULTS));

	free(old);
	return registers;
}

/* It was kept from registering by an earlier run, that did not know what to do with it. */
static void let_register(struct setup *setup)
{
	if (!setup_recorded(setup, DEFAULTS))
		return;
	setup_take_back(setup, DEFAULTS);
	setup->dnsmasq_changed = true;
}

void setup_resolvconf(struct setup *setup)
{
	bool serves = setup->resolver.kind == RESOLVER_LOOPBACK && setup->holder[0] == '\0';
	char *old, *text = NULL;

	if (setup->writer == SETUP_WRITER_RESOLVCONF)
		let_register(setup);
	if (serves || setup->writer == SETUP_WRITER_RESOLVCONF || !has_resolvconf(setup))
		return;
	old = setup_read(setup, DEFAULTS);
	if ((old != NULL || errno == ENOENT) && !(old != NULL && is_set(old)) &&
	    asprintf(&text, "%s# Made by callsign-setup: dnsmasq is not to be registered with resolvconf.\n" EXCEPT "=\"lo\"\n", old != NULL ? old : "") != -1) {
		setup->dnsmasq_changed |= setup_write(setup, DEFAULTS, text, 0644, SETUP_PLAIN);
		free(text);
	}
	free(old);
}
