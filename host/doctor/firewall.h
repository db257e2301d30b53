#ifndef CALLSIGN_FIREWALL_H
#define CALLSIGN_FIREWALL_H

#include <stddef.h>

/*
 * What a firewall does with the first packet of a container to this host, from the rules as iptables-save(8) prints them. Pure. Rules are followed as the
 * kernel would; what a rule asks for that is not known here (an address, a mark, ...) makes it a rule that may or may not apply.
 */
enum firewall_verdict {
	FIREWALL_ACCEPTS,
	FIREWALL_DROPS,  /* or rejects */
	FIREWALL_UNSURE
};

struct firewall_packet {
	const char *interface; /* it comes in by this one */
	const char *protocol;  /* "tcp" or "udp" */
	unsigned port;         /* of destination */
};

/* rule: the rule or policy that decided ("" if there is none), cut to size. */
enum firewall_verdict firewall_input(const char *rules, const struct firewall_packet *packet, char *rule, size_t size);

#endif
