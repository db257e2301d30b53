#include <config.h>

#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* callsign-setup --agent: names for containers that carry nothing (docs/agent.md). */

static const char podman_hook[] =
	"{\n"
	"\t\"version\": \"1.0.0\",\n"
	"\t\"hook\": { \"path\": \"" CALLSIGN_HOOK_PATH "\", \"args\": [\"callsign-hook\", \"createRuntime\"] },\n"
	"\t\"when\": { \"always\": true },\n"
	"\t\"stages\": [\"createRuntime\"]\n"
	"}\n";

static const char cdi_device[] =
	"{\n"
	"\t\"cdiVersion\": \"0.5.0\",\n"
	"\t\"kind\": \"callsign.dev/name\",\n"
	"\t\"devices\": [ { \"name\": \"on\", \"containerEdits\": { \"hooks\": [\n"
	"\t\t{ \"hookName\": \"createRuntime\", \"path\": \"" CALLSIGN_HOOK_PATH "\", \"args\": [\"callsign-hook\", \"createRuntime\"] } ] } } ]\n"
	"}\n";

/* Left alone where there is one: it is the administrator's. */
static void write_conf(struct setup *setup)
{
	char text[2048], *old = setup_read(setup, SETUP_AGENT_CONF);

	if (old == NULL && errno == ENOENT) {
		snprintf(text, sizeof text,
		         "# Made by callsign-setup --agent. All settings: agent.conf(5).\n"
		         "bus {\n"
		         "\turls = {\"amqp://%s@127.0.0.1/%s\"}\n"
		         "\tpassword_file = \"%s\"\n"
		         "}\n"
		         "host = \"%s\"\n",
		         SETUP_AGENT_USER, setup->vhost, SETUP_AGENT_PASSWORD, setup->hostname);
		setup->agent_changed |= setup_write(setup, SETUP_AGENT_CONF, text, 0640, SETUP_PLAIN);
	}
	free(old);
}

/* The daemon believes an agent only if its own configuration calls it one. */
static void tell_daemon(struct setup *setup)
{
	static const char section[] = "\nuser \"" SETUP_AGENT_USER "\" {\n\tagent = true\n}\n";
	char *old = setup_read(setup, SETUP_CONF), *text = NULL;

	if (old == NULL && !setup->dry_run)
		setup_error(setup, SETUP_CONF ": cannot be read: %s", strerror(errno));
	else if (old != NULL && !setup_conf_says(old, "\"" SETUP_AGENT_USER "\"") && asprintf(&text, "%s%s", old, section) != -1)
		setup->daemon_changed |= setup_write(setup, SETUP_CONF, text, 0640, SETUP_PLAIN);
	free(text);
	free(old);
}

void setup_agent(struct setup *setup)
{
	char password[SETUP_PASSWORD_SIZE];

	if (!setup_password(setup, SETUP_AGENT_PASSWORD, password))
		return;
	if (!setup->no_broker)
		setup_broker_agent(setup, password);
	explicit_bzero(password, sizeof password);
	write_conf(setup);
	tell_daemon(setup);
	setup_write(setup, SETUP_AGENT_PODMAN, podman_hook, 0644, SETUP_PLAIN);
	setup_write(setup, SETUP_AGENT_CDI, cdi_device, 0644, SETUP_PLAIN);
}
