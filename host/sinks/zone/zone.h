#ifndef CALLSIGN_ZONE_H
#define CALLSIGN_ZONE_H

/*
 * The room host/sinks/zone/: zones of name servers, kept by dynamic updates. Only message.c includes ldns. It uses host/sinks/common,
 * and must not know other sinks.
 */

#include "sinks/common/sink.h"

/*
 * The sink of a section zone "NAME": names go into a zone of a name server by dynamic updates (RFC 2136), and their addresses into its reverse zones.
 * docs/zone.md has it in words. `stored` is every batch at once: whatever the server has missed follows from the hosts file and from the zone itself
 * when both are there again, so that a server that is away keeps no delivery waiting. `served` is what the server has in the forward zone.
 */
extern const struct sink_kind zone_kind;

#endif
