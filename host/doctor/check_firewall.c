#include <config.h>

#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/command.h"
#include "firewall.h"
#include "nftables.h"

#define AMQP_PORT 5672
#define TOOL_S 10

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

/* A certain no stays, and so does the first that is not certain. */
static void report(struct doctor_finding *finding, enum firewall_verdict verdict, const struct firewall_packet *packet, const char *mend,
                   const char *rule)
{
	if (verdict == FIREWALL_DROPS)
		doctor_broken(finding, mend, "what containers send to %s port %u is dropped: %s", packet->protocol, packet->port, rule);
	else if (verdict == FIREWALL_UNSURE && finding->verdict != DOCTOR_WARNING)
		doctor_warning(finding, mend, "what containers send to %s port %u may be dropped: %s", packet->protocol, packet->port, rule);
}

static void try_iptables(const struct rules *rules, const struct firewall_packet *packet, struct doctor_finding *finding)
{
	char rule[300], mend[DOCTOR_MEND_SIZE];
	enum firewall_verdict verdict = firewall_input(rules->iptables, packet, rule, sizeof rule);

	snprintf(mend, sizeof mend, "iptables -I INPUT -i %s -p %s --dport %u -j ACCEPT", packet->interface, packet->protocol, packet->port);
	report(finding, verdict, packet, mend, rule);
}

static void try_nft(const struct rules *rules, const struct firewall_packet *packet, struct doctor_finding *finding)
{
	bool seen = rules->iptables != NULL && strstr(rules->iptables, ":INPUT ") != NULL;
	char what[2 * NFTABLES_PLACE_SIZE + 40], mend[DOCTOR_MEND_SIZE];
	struct nftables_place place;
	enum firewall_verdict verdict = nftables_input(rules->nft, packet, seen, &place);

	snprintf(what, sizeof what, "nft's chain %s, %s", place.chain, place.rule);
	snprintf(mend, sizeof mend, "nft insert rule %s iifname %s %s dport %u accept (and the same in /etc/nftables.conf)", place.chain,
	         packet->interface, packet->protocol, packet->port);
	report(finding, verdict, packet, mend, what);
}

static void judge(const struct rules *rules, const struct firewall_packet *packets, size_t count, struct doctor_finding *finding)
{
	doctor_ok(finding, "%s%s%s let containers reach port %u and %u of this host%s", rules->iptables != NULL ? "iptables" : "",
	          rules->iptables != NULL && rules->nft != NULL ? " and " : "", rules->nft != NULL ? "nft's rules" : "", packets[0].port,
	          packets[count - 1].port, rules->nft == NULL ? "; rules given to nft itself are not checked: nft is not here" : "");
	for (size_t i = 0; i < count && finding->verdict != DOCTOR_BROKEN; i++) {
		if (rules->iptables != NULL)
			try_iptables(rules, &packets[i], finding);
		if (rules->nft != NULL && finding->verdict != DOCTOR_BROKEN)
			try_nft(rules, &packets[i], finding);
	}
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
