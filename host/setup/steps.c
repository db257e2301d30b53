#include <config.h>

#include "setup.h"
#include "shared/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/command.h"
#include "doctor/dnsmasqconf.h"
#include "shared/contract/ident.h"

/* ---- the group that may read passwords ---- */

static bool has_group(const struct setup *setup)
{
	char *text = setup_read(setup, "/etc/group");
	bool found = text != NULL && (strncmp(text, SETUP_GROUP ":", sizeof SETUP_GROUP) == 0 || strstr(text, "\n" SETUP_GROUP ":") != NULL);

	free(text);
	return found;
}

/* The package makes it; built from source it is made here, with the user that the daemon becomes. It stays after --undo: files may be its own. */
void setup_group(struct setup *setup)
{
	const char *const argv[] = {"useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell",
	                            "/usr/sbin/nologin", SETUP_GROUP, NULL};
	const char *const rooted[] = {"useradd", "--root", setup->root, "--system", "--user-group", "--no-create-home", "--home-dir",
	                              "/nonexistent", "--shell", "/usr/sbin/nologin", SETUP_GROUP, NULL};

	if (has_group(setup))
		return;
	setup->changed = true;
	setup_say("user and group " SETUP_GROUP ": made");
	if (!setup->dry_run && command_run(setup->root[0] != '\0' ? rooted : argv, NULL, 0, NULL, NULL, 30) != 0)
		setup_error(setup, "useradd " SETUP_GROUP " failed");
}

/* ---- passwords ---- */

bool setup_password(struct setup *setup, const char *path, char out[SETUP_PASSWORD_SIZE])
{
	char *old = setup_read(setup, path), text[SETUP_PASSWORD_SIZE + 1];
	struct ident random;

	if (old == NULL && errno != ENOENT) {
		setup_error(setup, "%s: cannot be read: %s", path, strerror(errno));
		return false;
	}
	if (old != NULL) {
		size_t length = strcspn(old, "\n");

		snprintf(out, SETUP_PASSWORD_SIZE, "%.*s", (int)length, old);
		free(old);
		if (length > 0 && length < SETUP_PASSWORD_SIZE)
			return true;
		setup_error(setup, "%s: a password of 1 to %d bytes is expected; remove the file to have one made", path, SETUP_PASSWORD_SIZE - 1);
		return false;
	}
	if (setup->remote.print_only || setup->host_password_file == path) {
		setup_error(setup, "%s: there is no such file%s", path, setup->remote.print_only ? ": run callsign-setup without "
		            "--print-broker-commands first, which makes it" : "");
		return false;
	}
	if (ident_random(&random) == -1) {
		setup_error(setup, "no random numbers: %s", strerror(errno));
		return false;
	}
	ident_format(&random, out);
	snprintf(text, sizeof text, "%s\n", out);
	setup_write(setup, path, text, 0640, SETUP_SECRET);
	explicit_bzero(text, sizeof text);
	return !setup->failed;
}

/* ---- the daemon's configuration ---- */

/* Left alone where there is one: it is the administrator's. */
void setup_conf(struct setup *setup)
{
	const char *password = setup->host_password_file != NULL ? setup->host_password_file : SETUP_HOST_PASSWORD;
	char text[8192 + SETUP_DOMAINS_SIZE], url[512], user[128], further[SETUP_DOMAINS_SIZE], *old = setup_read(setup, SETUP_CONF);
	int missing = errno;

	setup_domains(setup, false, "serve \"", "\" { }\n", further, sizeof further);
	snprintf(user, sizeof user, "//%s@", setup->host_user);
	snprintf(url, sizeof url, "amqp://%s@127.0.0.1/%s", setup->host_user, setup->vhost);
	if (setup->remote.on)
		setup_remote_url(setup, setup->host_user, url, sizeof url);
	if (old == NULL && missing == ENOENT) {
		snprintf(text, sizeof text,
		         "# Made by callsign-setup. All settings: callsignd.conf(5).\n"
		         "domain = \"%s\"\n"
		         "bus {\n"
		         "\turls = {\"%s\"}\n"
		         "\tpassword_file = \"%s\"\n"
		         "}\n"
		         "host_names = {\"host=docker0\"}\n%s%s",
		         setup->domain, url, password, further, setup_own_section(setup));
		setup->daemon_changed |= setup_write(setup, SETUP_CONF, text, 0640, SETUP_PLAIN);
	} else if (old != NULL && strstr(old, user) == NULL) {
		setup_say("%s is left as it is, and does not log in as %s: callsignctl doctor tells whether that works", SETUP_CONF, setup->host_user);
	}
	setup_own_daemon(setup);
	free(old);
}

/* ---- dnsmasq ---- */

/*
 * Where dnsmasq listens is a matter of what it does besides. If it is this host's own resolver (resolv.conf names the loopback), it goes on
 * listening where it did; else it answers on docker0 alone, so that it is in nobody's way.
 */
static void listening(struct setup *setup, char *out, size_t size)
{
	struct dnsmasqconf conf;
	bool serves = setup->resolver.kind == RESOLVER_LOOPBACK, named, bound;

	dnsmasqconf_of_system(&conf, setup->root);
	named = dnsmasqconf_find(&conf, "interface", NULL) != NULL || dnsmasqconf_find(&conf, "listen-address", NULL) != NULL;
	bound = dnsmasqconf_find(&conf, "bind-interfaces", NULL) != NULL;
	if (!serves)
		snprintf(out, size, "interface=docker0\nexcept-interface=lo\n%s", bound ? "" : "bind-dynamic\n");
	else
		snprintf(out, size, "%s", named ? "interface=docker0\n" : "");
	if (bound)
		setup_say("dnsmasq has bind-interfaces (%s): it does not follow a docker0 that appears later; restart it then",
		          dnsmasqconf_find(&conf, "bind-interfaces", NULL)->where);
	dnsmasqconf_free(&conf);
}

/* What an earlier run found out stays: by now our own interface= lines are among dnsmasq's. */
static void keep_listening(const char *old, char *out, size_t size)
{
	static const char *const keys[] = {"interface=docker0\n", "except-interface=lo\n", "bind-dynamic\n"};
	char line[64];

	out[0] = '\0';
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		size_t length = strlen(out);

		snprintf(line, sizeof line, "\n%s", keys[i]);
		if (strstr(old, line) != NULL)
			snprintf(out + length, size - length, "%s", keys[i]);
	}
}

void setup_dnsmasq(struct setup *setup)
{
	char text[2048 + 2 * SETUP_DOMAINS_SIZE], zone[SETUP_ZONE_SIZE], where[256] = "", names[SETUP_DOMAINS_SIZE], local[SETUP_DOMAINS_SIZE];
	char *old, *forwarding;

	if (!setup_is_ours(setup, SETUP_DNSMASQ)) {
		old = setup_read(setup, SETUP_DNSMASQ);
		if (old == NULL || strstr(old, "addn-hosts=/run/callsign/hosts") == NULL)
			setup_error(setup, SETUP_DNSMASQ " is not callsign-setup's: move it away, and run this again");
		else
			setup_say(SETUP_DNSMASQ " was written by hand, and is left as it is");
		free(old);
		return;
	}
	old = setup_read(setup, SETUP_DNSMASQ);
	if (old == NULL)
		listening(setup, where, sizeof where);
	else
		keep_listening(old, where, sizeof where);
	setup_reverse_zone(setup, zone);
	setup_domains(setup, false, ", ", "", names, sizeof names);
	setup_domains(setup, true, "local=/", "/\n", local, sizeof local);
	snprintf(text, sizeof text,
	         "# Made by callsign-setup; callsign-setup --undo takes it away. The names of containers: callsignd replaces this file\n"
	         "# as a whole and sends SIGHUP. Names below %s%s are answered from here, and never asked for in the world.\n"
	         "addn-hosts=/run/callsign/hosts\n%slocal=/%s/\n%s",
	         setup->domain, names, local, zone, where);
	forwarding = setup_own_forward(setup, text);
	if (forwarding != NULL)
		setup->dnsmasq_changed |= setup_write(setup, SETUP_DNSMASQ, forwarding, 0644, SETUP_PLAIN);
	free(forwarding);
	free(old);
}
