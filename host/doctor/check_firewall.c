#include <config.h>

#include "doctor.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridges.h"
#include "firewall.h"
#include "nftables.h"
#include "system/command.h"

#define AMQP_PORT 5672
#define TOOL_S 10
#define BRIDGES_TRIED 64 /* of them all have the same rules, or an administrator who knows each */

/* The rules of both tools: iptables' own (of either kind), and what was given to nft directly. */
struct rules {
	char *iptables;
	json_t *nft;
	char unknown[256];   /* why one of them says nothing */
};

/* What it prints, to be freed; NULL: it is not here, or (unknown) it cannot be asked. */
static char *ask(const char *const argv[], char *unknown, size_t size)
{
	char *output = NULL, *errors = NULL;
	int status = command_run(argv, NULL, 0, &output, &errors, TOOL_S);

	if (status == -1 && errno != ENOENT)
		snprintf(unknown, size, "%s: %s", argv[0], strerror(errno));
	else if (status > 0)
		snprintf(unknown, size, "%s: %.*s", argv[0], (int)(errors != NULL ? strcspn(errors, "\n") : 0), errors != NULL ? errors : "");
	free(errors);
	if (status == 0)
		return output;
	free(output);
	return NULL;
}

static void read_rules(struct rules *rules)
{
	const char *const iptables[] = {"iptables-save", "-t", "filter", NULL}, *const nft[] = {"nft", "--json", "list", "ruleset", NULL};
	char *text;
	json_error_t error;

	rules->iptables = ask(iptables, rules->unknown, sizeof rules->unknown);
	text = ask(nft, rules->unknown, sizeof rules->unknown);
	if (text != NULL) {
		rules->nft = json_loads(text, 0, &error);
		if (rules->nft == NULL)
			snprintf(rules->unknown, sizeof rules->unknown, "nft: line %d: %.160s", error.line, error.text);
	}
	free(text);
}

/* Where the packet comes in, and how each tool writes that: a rule for networks of their own is one for all of them. */
struct entry {
	const char *name, *shown, *iptables, *nft;
};

/* A certain no stays, and so does the first that is not certain. */
static void report(struct doctor_finding *finding, enum firewall_verdict verdict, const struct entry *entry, const struct firewall_packet *packet,
                   const char *mend, const char *rule)
{
	if (verdict == FIREWALL_DROPS)
		doctor_broken(finding, mend, "what containers send over %s to %s port %u is dropped: %s", entry->shown, packet->protocol, packet->port, rule);
	else if (verdict == FIREWALL_UNSURE && finding->verdict != DOCTOR_WARNING)
		doctor_warning(finding, mend, "what containers send over %s to %s port %u may be dropped: %s", entry->shown, packet->protocol, packet->port,
		               rule);
}

static void try_iptables(const struct rules *rules, const struct entry *entry, const struct firewall_packet *packet, struct doctor_finding *finding)
{
	char rule[300], mend[DOCTOR_MEND_SIZE];
	enum firewall_verdict verdict = firewall_input(rules->iptables, packet, rule, sizeof rule);

	snprintf(mend, sizeof mend, "iptables -I INPUT -i %s -p %s --dport %u -j ACCEPT", entry->iptables, packet->protocol, packet->port);
	report(finding, verdict, entry, packet, mend, rule);
}

static void try_nft(const struct rules *rules, const struct entry *entry, const struct firewall_packet *packet, struct doctor_finding *finding)
{
	bool seen = rules->iptables != NULL && strstr(rules->iptables, ":INPUT ") != NULL;
	char what[2 * NFTABLES_PLACE_SIZE + 40], mend[DOCTOR_MEND_SIZE];
	struct nftables_place place;
	enum firewall_verdict verdict = nftables_input(rules->nft, packet, seen, &place);

	snprintf(what, sizeof what, "nft's chain %s, %s", place.chain, place.rule);
	snprintf(mend, sizeof mend, "nft insert rule %s iifname %s %s dport %u accept (and the same in /etc/nftables.conf)", place.chain, entry->nft,
	         packet->protocol, packet->port);
	report(finding, verdict, entry, packet, mend, what);
}

static void try_entry(const struct rules *rules, const struct entry *entry, const struct firewall_packet *packets, size_t count,
                      struct doctor_finding *finding)
{
	for (size_t i = 0; i < count && finding->verdict != DOCTOR_BROKEN; i++) {
		struct firewall_packet packet = packets[i];

		packet.interface = entry->name;
		if (rules->iptables != NULL)
			try_iptables(rules, entry, &packet, finding);
		if (rules->nft != NULL && finding->verdict != DOCTOR_BROKEN)
			try_nft(rules, entry, &packet, finding);
	}
}

/* The bridges that are there, of Docker's other networks. Returns how many. */
static unsigned try_bridges(const struct rules *rules, const struct firewall_packet *packets, size_t count, struct doctor_finding *finding)
{
	struct if_nameindex *all = if_nameindex();
	unsigned tried = 0;

	for (const struct if_nameindex *one = all; one != NULL && one->if_index != 0 && tried < BRIDGES_TRIED; one++) {
		const struct entry entry = {one->if_name, one->if_name, "br-+", "'\"br-*\"'"};

		if (!bridges_match(BRIDGES_OF_DOCKER, one->if_name))
			continue;
		tried++;
		try_entry(rules, &entry, packets, count, finding);
	}
	if (all != NULL)
		if_freenameindex(all);
	return tried;
}

/* One that is made tomorrow has a name that no rule can know; where those of today are let in by name, that is for the administrator to know. */
static void try_next_bridge(const struct rules *rules, bool others, const struct firewall_packet *packets, size_t count, struct doctor_finding *finding)
{
	static const struct entry entry = {"br-0123456789ab", "br-... of a network of its own, as each compose project has,", "br-+", "'\"br-*\"'"};
	struct doctor_finding next = *finding;

	try_entry(rules, &entry, packets, count, &next);
	if (next.verdict == DOCTOR_BROKEN && others)
		next.verdict = DOCTOR_WARNING;
	if (finding->verdict == DOCTOR_OK || (next.verdict == DOCTOR_BROKEN && finding->verdict != DOCTOR_BROKEN))
		*finding = next;
}

static void judge(const struct rules *rules, const struct firewall_packet *packets, size_t count, struct doctor_finding *finding)
{
	static const struct entry docker0 = {"docker0", "docker0", "docker0", "docker0"};
	unsigned bridges = 0;

	doctor_ok(finding, "%s%s%s let containers reach port %u and %u of this host%s", rules->iptables != NULL ? "iptables" : "",
	          rules->iptables != NULL && rules->nft != NULL ? " and " : "", rules->nft != NULL ? "nft's rules" : "", packets[0].port,
	          packets[count - 1].port, rules->nft == NULL ? "; rules given to nft itself are not checked: nft is not here" : "");
	try_entry(rules, &docker0, packets, count, finding);
	if (finding->verdict != DOCTOR_BROKEN)
		bridges = try_bridges(rules, packets, count, finding);
	if (finding->verdict != DOCTOR_BROKEN)
		try_next_bridge(rules, bridges > 0, packets, count, finding);
	if (finding->verdict == DOCTOR_OK && rules->unknown[0] != '\0')
		doctor_warning(finding, "", "not all rules are known: %s", rules->unknown);
}

void doctor_firewall(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct firewall_packet packets[] = {
		{"docker0", "udp", doctor->containers_port}, {"docker0", "tcp", doctor->containers_port},
		{"docker0", "tcp", doctor->reached ? doctor->conf->bus.endpoints[doctor->endpoint].port : AMQP_PORT}};
	struct rules rules = {.iptables = NULL};

	read_rules(&rules);
	if (rules.iptables == NULL && rules.nft == NULL)
		doctor_skipped(finding, "not checked: %s", rules.unknown[0] != '\0' ? rules.unknown : "neither iptables-save nor nft is here");
	else
		judge(&rules, packets, sizeof packets / sizeof *packets, finding);
	free(rules.iptables);
	json_decref(rules.nft);
}
