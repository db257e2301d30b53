#ifndef CALLSIGN_NFTABLES_H
#define CALLSIGN_NFTABLES_H

#include <jansson.h>
#include <stdbool.h>

#include "firewall.h"

/*
 * The same as firewall_input(), from the rules as `nft --json list ruleset` prints them (libnftables-json(5)). Pure. All chains of type filter at the
 * hooks prerouting and input are followed, for an IPv4 packet that opens a connection; accepting ends one of them, dropping ends all. What a rule asks
 * for that is not known here makes it a rule that may or may not apply. Translation of addresses is not followed.
 */
#define NFTABLES_PLACE_SIZE 300

struct nftables_place {
	char chain[NFTABLES_PLACE_SIZE]; /* the base chain that decides, as nft takes it: "inet filter input" */
	char rule[NFTABLES_PLACE_SIZE];  /* what decides: "policy drop", or which rule */
};

/* without_iptables: leave out the chain that iptables-nft keeps its INPUT in. place: of what drops or may drop it; else "". */
enum firewall_verdict nftables_input(const json_t *ruleset, const struct firewall_packet *packet, bool without_iptables,
                                     struct nftables_place *place);

#endif
