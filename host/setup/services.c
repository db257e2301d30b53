#include <config.h>

#include "setup.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/ports.h"
#include "shared/address.h"
#include "system/command.h"

#define DNSMASQ_RAN "dnsmasq-ran" /* in the record: whether dnsmasq ran before us */
#define OWN_SERVICE "callsign-dnsmasq"
#define SERVICE_S 90
#define DAEMON_TRIES 50
#define PORT_TRIES 25
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

/*
 * systemd counts starts, also those that were asked for, and refuses the fourth within a minute (docker.service) or the sixth within ten seconds: set-up,
 * undo and set-up are not to run into that.
 */
static void start_counts_anew(const struct setup *setup, const char *name)
{
	const char *const reset[] = {"systemctl", "reset-failed", name, NULL};

	if (!setup->dry_run && !setup->no_services)
		(void)command_run(reset, NULL, 0, NULL, NULL, SERVICE_S);
}

static void service(struct setup *setup, const char *verb, const char *name)
{
	char script[128];
	const char *const systemctl[] = {"systemctl", verb, name, NULL}, *const init[] = {script, verb, NULL};

	snprintf(script, sizeof script, "/etc/init.d/%s", name);
	if (has_systemd()) {
		if (strcmp(verb, "start") == 0 || strcmp(verb, "restart") == 0)
			start_counts_anew(setup, name);
		run(setup, systemctl);
	} else if (access(script, X_OK) == 0)
		run(setup, init);
	else
		setup_say("not run, for want of an init system that knows it: %s %s", verb, name);
}

/* A restart of Docker ends containers (unless live-restore is set), so it is done only where there are none. */
static void restart_docker(struct setup *setup)
{
	const char *const argv[] = {"docker", "ps", "--quiet", NULL};
	char *output = NULL, *errors = NULL;
	int status = setup->no_services ? -1 : command_run(argv, NULL, 0, &output, &errors, 20);

	if (status == 0 && output != NULL && output[0] == '\0') {
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

/* What a package brought, which is not started at boot before we say so. */
static void at_boot(struct setup *setup, const char *verb, const char *name)
{
	const char *const systemctl[] = {"systemctl", verb, name, NULL}, *const init[] = {"update-rc.d", name, verb, NULL};
	char script[128];

	snprintf(script, sizeof script, "/etc/init.d/%s", name);
	if (has_systemd())
		run(setup, systemctl);
	else if (access("/usr/sbin/update-rc.d", X_OK) == 0 && access(script, X_OK) == 0)
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
	const char *const enable_dns[] = {"systemctl", "enable", "callsign-dns.service", NULL};
	const char *const restart[] = {"systemctl", "restart", "callsign-dns.service", NULL};

	if (setup->writer == SETUP_WRITER_DHCLIENT || setup->writer == SETUP_WRITER_DHCPCD)
		setup_writer_writes(setup);
	else if (setup->resolver.kind == RESOLVER_NETWORKMANAGER)
		service(setup, "reload", "NetworkManager");
	else if (setup->resolver.kind == RESOLVER_RESOLVED && has_systemd()) {
		reload_units(setup);
		run(setup, enable_dns);
		run(setup, restart);
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
	at_boot(setup, "disable", "callsignd");
	service(setup, "stop", "callsignd");
}

static void restart_daemon(struct setup *setup)
{
	at_boot(setup, "enable", "callsignd");
	service(setup, "restart", "callsignd");
	await_daemon(setup);
}

static void restart_agent(struct setup *setup)
{
	at_boot(setup, "enable", "callsign-agent");
	service(setup, "restart", "callsign-agent");
}

/* What an earlier run wrote and did not come to restart counts as changed. */
static void take_pending(struct setup *setup)
{
	setup->docker_changed |= setup_pending(setup, SETUP_DAEMON_JSON);
	setup->own_changed |= setup_pending(setup, SETUP_OWN_CONF) || setup_pending(setup, SETUP_OWN_UNIT) || setup_pending(setup, SETUP_OWN_SCRIPT);
	setup->dnsmasq_changed |= setup_pending(setup, SETUP_DNSMASQ) || setup_resolvconf_pending(setup);
	setup->resolver_changed |= setup_pending(setup, SETUP_DNS_UNIT) || setup_pending(setup, SETUP_DNS_PATH) || setup_pending(setup, SETUP_DNS_NETWORKS) ||
	                            setup_pending(setup, SETUP_DNS_KEPT_PATH) || setup_pending(setup, SETUP_DNS_KEPT) ||
	                            setup_pending(setup, "/etc/NetworkManager/dnsmasq.d/callsign.conf") || setup_writer_pending(setup);
	setup->daemon_changed |= setup_pending(setup, SETUP_CONF) || setup_pending(setup, SETUP_HOST_PASSWORD);
	setup->agent_changed |= setup_pending(setup, SETUP_AGENT_CONF);
}

/* ---- what runs, and what does not, though it should ---- */

static bool has_property(const char *properties, const char *line)
{
	return properties != NULL && strstr(properties, line) != NULL;
}

/* LoadState=, ActiveState= and UnitFileState=, a line each, to be freed; NULL: not known. */
static char *properties_of(const char *name)
{
	const char *const show[] = {"systemctl", "show", "--property=LoadState,ActiveState,UnitFileState", name, NULL};
	char *properties = NULL, *errors = NULL;
	int status = has_systemd() ? command_run(show, NULL, 0, &properties, &errors, SERVICE_S) : -1;

	free(errors);
	if (status == 0)
		return properties;
	free(properties);
	return NULL;
}

/* Where systemd-resolved has port 53, Debian's dnsmasq does not run before it is told to listen elsewhere, nor would it after an undo. */
void setup_note_services(struct setup *setup)
{
	char *properties;

	if (setup->dry_run || setup->no_services || setup->root[0] != '\0' || json_object_get(setup->record, DNSMASQ_RAN) != NULL)
		return;
	properties = properties_of("dnsmasq.service");
	if (properties != NULL)
		json_object_set_new(setup->record, DNSMASQ_RAN, json_boolean(!has_property(properties, "ActiveState=inactive\n") &&
		                                                             !has_property(properties, "ActiveState=failed\n")));
	free(properties);
}

/* A unit that systemd knows, and that has ended or failed, or, if it is ours, will not be there after the next boot: then the run has something to do. */
static bool is_down(struct setup *setup, const char *name, bool ours)
{
	char *properties = setup->no_services ? NULL : properties_of(name);
	bool down = false;

	if (properties != NULL)
		down = has_property(properties, "LoadState=loaded\n") &&
		       (has_property(properties, "ActiveState=inactive\n") || has_property(properties, "ActiveState=failed\n") ||
		        (ours && has_property(properties, "UnitFileState=disabled\n")));
	free(properties);
	setup->changed |= down;
	return down;
}

/* However an earlier run was ended, and whatever was done to services since. */
static void take_down(struct setup *setup)
{
	setup->own_changed |= setup_own(setup) && is_down(setup, OWN_SERVICE ".service", true);
	setup->dnsmasq_changed |= is_down(setup, "dnsmasq.service", false);
	setup->resolver_changed |= setup->resolver.kind == RESOLVER_RESOLVED && is_down(setup, "callsign-dns.service", true);
	setup->daemon_changed |= is_down(setup, "callsignd.service", true);
	setup->agent_changed |= (setup->agent || setup_recorded(setup, SETUP_AGENT_CONF)) && is_down(setup, "callsign-agent.service", true);
}

/*
 * With a dnsmasq of NetworkManager's resolv.conf names the loopback alone, and Docker gives containers servers of the world's instead of this host's, until
 * it is told of ours. Where it is not to be told, and was not before, that goes back, too. What others write names this host's servers all the same.
 */
void setup_resolver_back(struct setup *setup)
{
	if (setup->resolver.kind != RESOLVER_NETWORKMANAGER || setup_recorded(setup, SETUP_DAEMON_JSON))
		return;
	setup_take_back(setup, SETUP_NM_CONF);
	setup_take_back(setup, SETUP_NM_DNSMASQ);
	service(setup, "reload", "NetworkManager");
}

void setup_restart_dnsmasq(struct setup *setup)
{
	service(setup, "restart", "dnsmasq");
}

/* The one that is asked first, and the one that is not asked any more last. */
void setup_services(struct setup *setup)
{
	take_pending(setup);
	take_down(setup);
	if (setup->own_changed)
		start_own(setup);
	if (setup->dnsmasq_changed) {
		setup_restart_dnsmasq(setup);
		setup_unregister(setup);
	}
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

static void note_loopback(void *arg, const struct ports_listener *listener)
{
	static const struct address loopback = {.family = 4, .bytes = {127, 0, 0, 1}};

	if (address_equal(&listener->address, &loopback))
		snprintf(arg, 16, "%s", listener->program);
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
	else if (setup->agent_changed) {
		service(setup, "stop", "callsign-agent");
		at_boot(setup, "disable", "callsign-agent");
	}
	setup->resolver_changed = setup_recorded(setup, SETUP_NM_DNSMASQ);
	if (!setup_writer_told(setup))
		setup->writer = SETUP_WRITER_NONE;
	setup->own_gone = setup_recorded(setup, SETUP_OWN_CONF);
	setup->docker_changed = setup_recorded(setup, SETUP_DAEMON_JSON);
	setup->daemon_changed = setup_recorded(setup, SETUP_CONF) || setup_recorded(setup, SETUP_HOST_PASSWORD);
	if (setup->daemon_changed)
		stop_daemon(setup);
	if (setup_recorded(setup, SETUP_DNS_UNIT) && has_systemd())
		run(setup, disable);
	if (setup->own_gone)
		stop_own(setup);
}

/* NetworkManager ends its own dnsmasq when it comes to it; until then that has the port. */
static void await_port(const struct setup *setup)
{
	char program[16];

	for (int i = 0; i < PORT_TRIES && !setup->dry_run && !setup->no_services; i++) {
		program[0] = '\0';
		(void)ports_each(53, note_loopback, program);
		if (program[0] == '\0')
			return;
		poll(NULL, 0, DAEMON_EVERY_MS);
	}
}

/* As it was: the one that NetworkManager started has the port that dnsmasq had, so it goes first. */
static void dnsmasq_as_before(struct setup *setup)
{
	if (json_is_false(json_object_get(setup->record, DNSMASQ_RAN))) {
		service(setup, "stop", "dnsmasq");
		return;
	}
	if (setup->resolver_changed) {
		service(setup, "stop", "dnsmasq");
		await_port(setup);
	}
	service(setup, "restart", "dnsmasq");
}

void setup_services_after_undo(struct setup *setup)
{
	setup_writer_writes(setup);
	if (setup->resolver_changed)
		service(setup, "reload", "NetworkManager");
	if (setup->dnsmasq_changed)
		dnsmasq_as_before(setup);
	if (setup->own_gone)
		reload_units(setup);
	if (setup->docker_changed)
		restart_docker(setup);
}
