#include <config.h>

#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/command.h"

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
	} else if (old != NULL && !setup_conf_says(old, user)) {
		setup_say("%s is left as it is, and does not log in as %s: callsignctl doctor tells whether that works", SETUP_CONF, setup->host_user);
	}
	setup_own_daemon(setup);
	free(old);
}
