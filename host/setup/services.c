#include <config.h>

#include "setup.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/command.h"

#define OWN_SERVICE "callsign-dnsmasq"
#define SERVICE_S 90
#define DAEMON_TRIES 50
#define DAEMON_EVERY_MS 200

static bool has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
}

static void run(struct setup *setup, const char *const argv[])
{
	printf(setup->no_services ? "not run:" : "run:");
	for (size_t i = 0; argv[i] != NULL; i++)
		printf(" %s", argv[i]);
	printf("\n");
	if (!setup->dry_run && !setup->no_services && command_run(argv, NULL, 0, NULL, NULL, SERVICE_S) != 0)
		setup_error(setup, "%s %s %s failed: see its log", argv[0], argv[1], argv[2] != NULL ? argv[2] : "");
}

static void service(struct setup *setup, const char *verb, const char *name)
{
	char script[128];
	const char *const systemctl[] = {"systemctl", verb, name, NULL}, *const init[] = {script, verb, NULL};

	snprintf(script, sizeof script, "/etc/init.d/%s", name);
	if (has_systemd())
		run(setup, systemctl);
	else if (access(script, X_OK) == 0)
		run(setup, init);
	else
		setup_say("not run, for want of an init system that knows it: %s %s", verb, name);
}

/*
 * A restart of Docker ends containers (unless live-restore is set), so it is done only where there are none. systemd counts starts, also those that
 * were asked for, and refuses the fourth within a minute: set-up, undo and set-up are not to run into that.
 */
static void restart_docker(struct setup *setup)
{
	const char *const argv[] = {"docker", "ps", "--quiet", NULL}, *const reset[] = {"systemctl", "reset-failed", "docker.service", NULL};
	char *output = NULL, *errors = NULL;
	int status = setup->no_services ? -1 : command_run(argv, NULL, 0, &output, &errors, 20);

	if (status == 0 && output != NULL && output[0] == '\0') {
		if (has_systemd() && !setup->dry_run)
			(void)command_run(reset, NULL, 0, NULL, NULL, SERVICE_S);
		setup_say("Docker is restarted once, no container runs");
		service(setup, "restart", "docker");
	} else
		setup_say("Docker reads its settings when it starts: restart it when that suits the containers that run");
	free(output);
	free(errors);
}

static void enable(struct setup *setup, const char *verb, const char *name)
{
	const char *const systemctl[] = {"systemctl", verb, name, NULL};
	const char *const init[] = {"update-rc.d", "-f", name, strcmp(verb, "enable") == 0 ? "defaults" : "remove", NULL};

	if (has_systemd())
		run(setup, systemctl);
	else if (access("/usr/sbin/update-rc.d", X_OK) == 0)
		run(setup, init);
}

static void reload_units(struct setup *setup)
{
	const char *const reload[] = {"systemctl", "daemon-reload", NULL};

	if (has_systemd())
		run(setup, reload);
}

static void restart_resolver(struct setup *setup)
{
	const char *const start[] = {"systemctl", "enable", "--now", "callsign-dns.service", NULL};
	const char *const again[] = {"systemctl", "restart", "callsign-dns.service", NULL};

	if (setup->resolver.kind == RESOLVER_NETWORKMANAGER)
		service(setup, "reload", "NetworkManager");
	else if (setup->resolver.kind == RESOLVER_RESOLVED && has_systemd()) {
		reload_units(setup);
		run(setup, start);
		run(setup, again); /* where it ran already, with other settings */
	}
}

static void start_own(struct setup *setup)
{
	reload_units(setup);
	enable(setup, "enable", OWN_SERVICE);
	service(setup, "restart", OWN_SERVICE);
}

static void stop_own(struct setup *setup)
{
	service(setup, "stop", OWN_SERVICE);
	enable(setup, "disable", OWN_SERVICE);
}

/* The doctor should not meet a daemon that has only just started. */
static void await_daemon(const struct setup *setup)
{
	const char *const argv[] = {"callsignctl", "status", NULL};

	for (int i = 0; i < DAEMON_TRIES && !setup->dry_run && !setup->no_services; i++) {
		char *output = NULL, *errors = NULL;
		int status = command_run(argv, NULL, 0, &output, &errors, 10);

		free(output);
		free(errors);
		if (status == 0 || status == -1)
			return;
		poll(NULL, 0, DAEMON_EVERY_MS);
	}
}

/* Without its configuration it would be a failed unit at the next boot. */
static void stop_daemon(struct setup *setup)
{
	if (has_systemd())
		enable(setup, "disable", "callsignd");
	service(setup, "stop", "callsignd");
}

static void restart_daemon(struct setup *setup)
{
	if (has_systemd())
		enable(setup, "enable", "callsignd");
	service(setup, "restart", "callsignd");
	await_daemon(setup);
}

static void restart_agent(struct setup *setup)
{
	if (has_systemd())
		enable(setup, "enable", "callsign-agent");
	service(setup, "restart", "callsign-agent");
}

/* What an earlier run wrote and did not come to restart counts as changed. */
static void take_pending(struct setup *setup)
{
	setup->docker_changed |= setup_pending(setup, SETUP_DAEMON_JSON);
	setup->own_changed |= setup_pending(setup, SETUP_OWN_CONF) || setup_pending(setup, SETUP_OWN_UNIT) || setup_pending(setup, SETUP_OWN_SCRIPT);
	setup->dnsmasq_changed |= setup_pending(setup, SETUP_DNSMASQ);
	setup->resolver_changed |= setup_pending(setup, SETUP_DNS_UNIT) || setup_pending(setup, SETUP_DNS_PATH) || setup_pending(setup, SETUP_DNS_NETWORKS) ||
	                            setup_pending(setup, "/etc/NetworkManager/dnsmasq.d/callsign.conf");
	setup->daemon_changed |= setup_pending(setup, SETUP_CONF) || setup_pending(setup, SETUP_HOST_PASSWORD);
	setup->agent_changed |= setup_pending(setup, SETUP_AGENT_CONF);
}

void setup_restart_dnsmasq(struct setup *setup)
{
	service(setup, "restart", "dnsmasq");
}

/* The one that is asked first, and the one that is not asked any more last. */
void setup_services(struct setup *setup)
{
	take_pending(setup);
	if (setup->own_changed)
		start_own(setup);
	if (setup->dnsmasq_changed)
		setup_restart_dnsmasq(setup);
	if (setup->resolver_changed)
		restart_resolver(setup);
	if (setup->daemon_changed)
		restart_daemon(setup);
	if (setup->own_gone)
		stop_own(setup);
	if (setup->agent_changed)
		restart_agent(setup);
}

void setup_docker_service(struct setup *setup)
{
	if (setup->docker_changed)
		restart_docker(setup);
	if (!setup->failed && !setup->dry_run && !setup->no_services)
		setup_settled(setup);
}

/* While the unit that says what to revert is still there. */
void setup_services_before_undo(struct setup *setup)
{
	const char *const disable[] = {"systemctl", "disable", "--now", "callsign-dns.service", NULL};
	const char *const disable_agent[] = {"systemctl", "disable", "--now", "callsign-agent.service", NULL};

	setup->dnsmasq_changed = setup_recorded(setup, SETUP_DNSMASQ);
	setup->agent_changed = setup_recorded(setup, SETUP_AGENT_CONF);
	if (setup->agent_changed && has_systemd())
		run(setup, disable_agent);
	else if (setup->agent_changed)
		service(setup, "stop", "callsign-agent");
	setup->resolver_changed = setup_recorded(setup, "/etc/NetworkManager/dnsmasq.d/callsign.conf");
	setup->own_gone = setup_recorded(setup, SETUP_OWN_CONF);
	setup->docker_changed = setup_recorded(setup, SETUP_DAEMON_JSON);
	setup->daemon_changed = setup_recorded(setup, SETUP_CONF);
	if (setup->daemon_changed)
		stop_daemon(setup);
	if (setup_recorded(setup, SETUP_DNS_UNIT) && has_systemd())
		run(setup, disable);
	if (setup->own_gone)
		stop_own(setup);
}

void setup_services_after_undo(struct setup *setup)
{
	if (setup->dnsmasq_changed)
		service(setup, "restart", "dnsmasq");
	if (setup->resolver_changed)
		service(setup, "reload", "NetworkManager");
	if (setup->own_gone)
		reload_units(setup);
	if (setup->docker_changed)
		restart_docker(setup);
}
