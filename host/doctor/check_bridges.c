#include <config.h>

#include "doctor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "asking.h"
#include "bridges.h"
#include "dnsmasqconf.h"
#include "system/ifaddr.h"
#include "system/process.h"
#include "throwaway.h"

/*
 * Whether containers of networks of their own are answered. Docker asks for them from where they are, so that the question comes in over their bridge:
 * it is tried from there, over a bridge that is made for it, and not only read from dnsmasq's configuration.
 */
#define ASK_MS 2000
#define NAMED_SHOWN 5
#define WORLD "example.com" /* RFC 2606; whatever is said of it, somebody was asked */
#define AGAIN "callsign-setup, then restart dnsmasq"

enum way { UDP4, TCP4, UDP6, TCP6, WAYS };

static const char *const way_words[WAYS] = {"UDP", "TCP", "UDP over IPv6", "TCP over IPv6"};

/* For the process in the namespace: no pointers but to what was there before. */
struct trial {
	struct address servers[2]; /* IPv4, IPv6; family 0: none */
	uint16_t port;
	char ours[HOSTNAME_FQDN_SIZE];
	struct asking own[WAYS], world[WAYS];
};

/* ---- inside the namespace ---- */

static void try_ways(void *arg)
{
	struct trial *trial = arg;

	for (int way = 0; way < WAYS; way++) {
		const struct address *server = &trial->servers[way >= UDP6];

		if (server->family == 0)
			continue;
		asking_ask(&trial->own[way], server, trial->port, way % 2 == 1, trial->ours, ASK_MS);
		if (trial->own[way].result == ASKING_ANSWERED)
			asking_ask(&trial->world[way], server, trial->port, way % 2 == 1, WORLD, ASK_MS);
	}
}

static bool is_ours(const struct asking *asking)
{
	return asking->result == ASKING_ANSWERED && asking->kind == DNSQUERY_ANSWERED && asking->answer.addresses[0] >> 24 == 127;
}

/* ---- the configuration ---- */

/* Without interface= it answers wherever it listens, and over UDP a listen-address= over any bridge. */
static bool is_covered(const struct dnsmasqconf *conf, const char *bridge)
{
	bool any = false;

	for (size_t i = 0; i < conf->count; i++) {
		any |= strcmp(conf->options[i].key, "interface") == 0;
		if (strcmp(conf->options[i].key, "interface") == 0 && bridges_match(conf->options[i].value, bridge))
			return true;
	}
	return !any || dnsmasqconf_find(conf, "listen-address", NULL) != NULL;
}

static pid_t dnsmasq_pid(const struct doctor *doctor)
{
	char reason[PROCESS_REASON_SIZE];
	struct process process;
	pid_t pid = 0;

	if (process_open(doctor_containers_pid_file(doctor), "dnsmasq", &process, reason) == PROCESS_FOUND)
		pid = process.pid;
	process_close(&process);
	return pid;
}

/* Bridges with a name of their own that dnsmasq was not told of: how many, and the first of them in out. */
static size_t find_uncovered(const struct doctor *doctor, const struct dnsmasqconf *conf, char *out, size_t size)
{
	struct bridges bridges;
	size_t count = 0, used = 0;

	out[0] = '\0';
	bridges_find(&bridges, dnsmasq_pid(doctor));
	for (size_t i = 0; i < bridges.count; i++) {
		if (is_covered(conf, bridges.names[i]))
			continue;
		if (count++ < NAMED_SHOWN && used < size)
			used += (size_t)snprintf(out + used, size - used, "%s%s", count > 1 ? ", " : "", bridges.names[i]);
	}
	if (count > NAMED_SHOWN && used < size)
		snprintf(out + used, size - used, " and %zu more", count - NAMED_SHOWN);
	bridges_free(&bridges);
	return count;
}

/* ---- what was seen ---- */

static void add_way(char *out, size_t size, enum way way)
{
	size_t used = strlen(out);

	if (used < size)
		snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", way_words[way]);
}

static void judge_ours(const struct trial *trial, bool covered, struct doctor_finding *finding)
{
	const char *mend = covered ? "see what drops it on the way: the firewall check below" : AGAIN;
	char ways[128] = "";

	for (int way = 0; way < WAYS; way++)
		if (trial->own[way].result != ASKING_NOT_TRIED && !is_ours(&trial->own[way]))
			add_way(ways, sizeof ways, (enum way)way);
	if (!is_ours(&trial->own[UDP4]))
		doctor_broken(finding, mend, "containers on networks of their own, so in every compose project, get no answer from dnsmasq (%s)%s", ways,
		              covered ? "" : ": it was told of no interface=" BRIDGES_OF_DOCKER);
	else if (ways[0] != '\0')
		doctor_warning(finding, mend, "containers on networks of their own get answers from dnsmasq, but not by %s", ways);
}

static void judge_world(const struct trial *trial, struct doctor_finding *finding)
{
	if (finding->verdict == DOCTOR_BROKEN)
		return;
	if (trial->world[UDP4].result == ASKING_REFUSED)
		doctor_broken(finding, "tell dnsmasq whom to ask: server=ADDRESS, or resolv-file= with a file that holds this host's name servers",
		              "containers find names of ours, and none of the world: dnsmasq has nobody to ask, or gets no answer");
	else if (trial->world[UDP4].result != ASKING_ANSWERED)
		doctor_warning(finding, "see that the servers that dnsmasq asks are reached from this host",
		               "containers find names of ours, but for one of the world (" WORLD ") no answer came within %d s", ASK_MS / 1000);
}

static void judge(const struct throwaway *throwaway, const struct trial *trial, bool covered, struct doctor_finding *finding)
{
	doctor_ok(finding, "containers on networks of their own are answered, too: over %s, by UDP and TCP%s, for names of ours and of the world",
	          throwaway->bridge, trial->servers[1].family != 0 ? ", IPv4 and IPv6" : "");
	judge_ours(trial, covered, finding);
	judge_world(trial, finding);
}

/* As a container of a network of its own. */
static void try_out(const struct doctor *doctor, bool covered, struct doctor_finding *finding)
{
	struct trial trial = {.servers = {doctor->containers}, .port = doctor->containers_port};
	struct throwaway throwaway = {.timeout_ms = WAYS * ASK_MS * 2};
	int result;

	doctor_serial_name(doctor, trial.ours);
	if (ifaddr_ipv6("docker0", &trial.servers[1], 1) == 0)
		trial.servers[1].family = 0;
	result = throwaway_run(&throwaway, &doctor->containers, try_ways, &trial, sizeof trial);
	if (!throwaway.six) {
		trial.servers[1].family = 0;
		trial.own[UDP6].result = trial.own[TCP6].result = ASKING_NOT_TRIED;
	}
	if (throwaway.gone)
		doctor_warning(finding, "run this again", "the bridge %s was removed by somebody else while it was tried", throwaway.bridge);
	else if (result == 0)
		judge(&throwaway, &trial, covered, finding);
	else
		doctor_warning(finding, "", "not tried from a bridge of its own, though dnsmasq was told of them: %s", throwaway.why);
}

void doctor_bridges(struct doctor *doctor, struct doctor_finding *finding)
{
	struct dnsmasqconf conf;
	char named[256];
	bool covered;

	if (doctor->containers.family != 4) {
		doctor_skipped(finding, "not looked at: dnsmasq is not asked at an address of docker0");
		return;
	}
	doctor_containers_conf(doctor, &conf);
	covered = is_covered(&conf, "br-doctor");
	if (find_uncovered(doctor, &conf, named, sizeof named) > 0)
		doctor_broken(finding, AGAIN, "containers behind %s get no answer from dnsmasq: it was told of no such interface=", named);
	else if (geteuid() != 0 && !covered)
		doctor_broken(finding, AGAIN, "containers on networks of their own get no answer from dnsmasq: it was told of no interface=" BRIDGES_OF_DOCKER);
	else if (geteuid() != 0)
		doctor_ok(finding, "dnsmasq was told of the bridges of all networks; whether they are answered is tried as root alone");
	else
		try_out(doctor, covered, finding);
	dnsmasqconf_free(&conf);
}
