#include <config.h>

#include "doctor.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"

enum link {
	CONFIGURATION, DAEMON, BROKER, LOGIN, VHOST, EXCHANGES, QUEUE, PERMISSIONS, USERS, ACK_TIMEOUT, DNSMASQ, HOSTS_FILE, LOCAL, LISTENING, FORWARDING,
	REVERSE, BRIDGES, SERIAL, SIGHUP_ALLOWED, SINKS, HAPROXY, RESOLVER, DOCKER, PORT53, FIREWALL, AGENT, PATH, TRIP, LINKS
};

#define NEEDS(link) (1U << (link))
#define NEEDS_VHOST (NEEDS(CONFIGURATION) | NEEDS(BROKER) | NEEDS(LOGIN) | NEEDS(VHOST))

/* In the order in which an announcement goes its way. A link is looked at only if those that it needs are not broken. */
static const struct {
	const char *name;
	doctor_check *check;
	unsigned needs;
} links[LINKS] = {
	[CONFIGURATION] = {"configuration", doctor_configuration, 0},
	[DAEMON] = {"daemon", doctor_daemon, NEEDS(CONFIGURATION)},
	[BROKER] = {"broker", doctor_broker, NEEDS(CONFIGURATION)},
	[LOGIN] = {"login", doctor_login, NEEDS(CONFIGURATION) | NEEDS(BROKER)},
	[VHOST] = {"vhost", doctor_vhost, NEEDS(CONFIGURATION) | NEEDS(BROKER) | NEEDS(LOGIN)},
	[EXCHANGES] = {"exchanges", doctor_exchanges, NEEDS_VHOST},
	[QUEUE] = {"queue", doctor_queue, NEEDS_VHOST},
	[PERMISSIONS] = {"permissions", doctor_permissions, NEEDS_VHOST | NEEDS(EXCHANGES) | NEEDS(QUEUE)},
	[USERS] = {"users", doctor_users, NEEDS_VHOST},
	[ACK_TIMEOUT] = {"ack-timeout", doctor_timeout, NEEDS_VHOST},
	[DNSMASQ] = {"dnsmasq", doctor_dnsmasq, NEEDS(CONFIGURATION)},
	[HOSTS_FILE] = {"hosts-file", doctor_hosts_file, NEEDS(CONFIGURATION) | NEEDS(DNSMASQ)},
	[LOCAL] = {"local-domain", doctor_local, NEEDS(CONFIGURATION) | NEEDS(DNSMASQ)},
	[LISTENING] = {"listening", doctor_listening, NEEDS(CONFIGURATION) | NEEDS(DNSMASQ)},
	[FORWARDING] = {"forwarding", doctor_forwarding, NEEDS(CONFIGURATION) | NEEDS(DNSMASQ) | NEEDS(LISTENING)},
	[REVERSE] = {"reverse-names", doctor_reverse, NEEDS(CONFIGURATION) | NEEDS(DNSMASQ) | NEEDS(LISTENING) | NEEDS(FORWARDING)},
	[BRIDGES] = {"bridges", doctor_bridges, NEEDS(CONFIGURATION) | NEEDS(DNSMASQ) | NEEDS(LISTENING) | NEEDS(FORWARDING)},
	[SERIAL] = {"serial", doctor_serial, NEEDS(CONFIGURATION) | NEEDS(DNSMASQ) | NEEDS(HOSTS_FILE) | NEEDS(LISTENING)},
	[SIGHUP_ALLOWED] = {"sighup", doctor_sighup, NEEDS(CONFIGURATION) | NEEDS(DAEMON) | NEEDS(DNSMASQ)},
	[SINKS] = {"sinks", doctor_sinks, NEEDS(CONFIGURATION) | NEEDS(DAEMON)},
	[HAPROXY] = {"haproxy", doctor_haproxy, NEEDS(CONFIGURATION)},
	[RESOLVER] = {"resolver", doctor_resolver, NEEDS(CONFIGURATION) | NEEDS(SERIAL) | NEEDS(DNSMASQ) | NEEDS(HOSTS_FILE) | NEEDS(LISTENING)},
	[DOCKER] = {"docker", doctor_docker, NEEDS(CONFIGURATION)},
	[PORT53] = {"port-53", doctor_port53, NEEDS(CONFIGURATION)},
	[FIREWALL] = {"firewall", doctor_firewall, NEEDS(CONFIGURATION)},
	[AGENT] = {"agent", doctor_agent, NEEDS(CONFIGURATION)},
	[PATH] = {"freshness", doctor_path, NEEDS_VHOST | NEEDS(DAEMON) | NEEDS(EXCHANGES) | NEEDS(QUEUE) | NEEDS(DNSMASQ) | NEEDS(LISTENING) | NEEDS(FORWARDING) |
	          NEEDS(HOSTS_FILE) | NEEDS(RESOLVER)},
	[TRIP] = {"round-trip", doctor_trip, NEEDS_VHOST | NEEDS(DAEMON) | NEEDS(EXCHANGES) | NEEDS(QUEUE) | NEEDS(DNSMASQ) | NEEDS(LISTENING) |
	          NEEDS(HOSTS_FILE)},
};

/* ---- printing ---- */

static const char *const words[] = {[DOCTOR_OK] = "ok", [DOCTOR_WARNING] = "warning", [DOCTOR_BROKEN] = "broken", [DOCTOR_SKIPPED] = "skipped"};
static const enum table_tone tones[] = {
	[DOCTOR_OK] = TABLE_GOOD, [DOCTOR_WARNING] = TABLE_DOUBTFUL, [DOCTOR_BROKEN] = TABLE_BAD, [DOCTOR_SKIPPED] = TABLE_PLAIN};

static void print_finding(const struct ctl *ctl, const char *name, const struct doctor_finding *finding)
{
	printf("%s%-8s%s %-13s %s\n", table_tone_on(tones[finding->verdict], ctl->colour), words[finding->verdict], table_tone_off(ctl->colour),
	       name, finding->what);
	for (const char *line = finding->mend; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n')
		printf("%-22s -> %.*s\n", "", (int)strcspn(line, "\n"), line);
	fflush(stdout); /* the next check may take a second */
}

static json_t *finding_json(const char *name, const struct doctor_finding *finding)
{
	return json_pack("{s:s, s:s, s:s, s:s*, s:O*}", "check", name, "result", words[finding->verdict], "what", finding->what, "mend",
	                 finding->mend[0] != '\0' ? finding->mend : NULL, "steps", finding->steps);
}

static void print_sum(const unsigned counts[4])
{
	printf("\n%u ok, %u warning%s, %u broken, %u skipped\n", counts[DOCTOR_OK], counts[DOCTOR_WARNING], counts[DOCTOR_WARNING] == 1 ? "" : "s",
	       counts[DOCTOR_BROKEN], counts[DOCTOR_SKIPPED]);
}

/* ---- the walk along the chain ---- */

/* What has no meaning where names are served by somebody else. */
#define OF_DNSMASQ (NEEDS(DNSMASQ) | NEEDS(LOCAL) | NEEDS(LISTENING) | NEEDS(FORWARDING) | NEEDS(REVERSE) | NEEDS(BRIDGES) | NEEDS(SERIAL) | NEEDS(SIGHUP_ALLOWED) | NEEDS(RESOLVER) | NEEDS(PATH) | NEEDS(TRIP))

static void examine(struct doctor *doctor, enum link link, unsigned broken, struct doctor_finding *finding)
{
	unsigned missing = links[link].needs & broken;
	unsigned first = 0;

	if ((OF_DNSMASQ & NEEDS(link)) != 0 && doctor->conf != NULL && !doctor->conf->dnsmasq.enabled) {
		doctor_skipped(finding, "not looked at: dnsmasq.enabled is false");
		return;
	}
	if (missing == 0) {
		links[link].check(doctor, finding);
		return;
	}
	while (!(missing & 1U << first))
		first++;
	doctor_skipped(finding, "not looked at: %s is broken", links[first].name);
}

static int walk(const struct ctl *ctl, struct doctor *doctor)
{
	json_t *list = json_array();
	unsigned broken = 0, counts[4] = {0};

	for (unsigned link = 0; link < LINKS; link++) {
		struct doctor_finding finding = {.verdict = DOCTOR_SKIPPED};

		examine(doctor, (enum link)link, broken, &finding);
		counts[finding.verdict]++;
		if (finding.verdict == DOCTOR_BROKEN || (finding.verdict == DOCTOR_SKIPPED && links[link].needs & broken))
			broken |= 1U << link;
		if (ctl->json)
			json_array_append_new(list, finding_json(links[link].name, &finding));
		else
			print_finding(ctl, links[link].name, &finding);
		json_decref(finding.steps);
	}
	if (ctl->json) {
		json_t *all = json_pack("{s:b, s:O}", "ok", counts[DOCTOR_BROKEN] == 0, "checks", list);

		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(all);
	} else {
		print_sum(counts);
	}
	json_decref(list);
	return counts[DOCTOR_BROKEN] == 0 ? CTL_YES : CTL_NO;
}

int ctl_doctor(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {CTL_OPTIONS, {"config", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
	struct doctor doctor = {.conf_path = "/etc/callsign/callsignd.conf"};
	const char *usual = ctl->socket;
	int code;

	while (ctl_getopt(ctl, argc, argv, CTL_SHORT "c:", options) != -1)
		doctor.conf_path = optarg;
	if (optind < argc)
		ctl_usage(ctl, "doctor: there are no arguments besides options");
	if (strcmp(ctl->socket, CTL_SOCKET) != 0 || usual != ctl->socket)
		doctor.socket = ctl->socket;
	code = walk(ctl, &doctor);
	conf_free(doctor.conf);
	json_decref(doctor.status);
	return ctl_done(code);
}
