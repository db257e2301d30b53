#ifndef CALLSIGN_ZONE_H
#define CALLSIGN_ZONE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "sinks/sinkset.h"

/*
 * The sink of a section zone "NAME": names go into a zone of a name server by dynamic updates (RFC 2136), and their addresses into its reverse zones.
 * docs/zone.md has it in words. `stored` is every batch at once: whatever the server has missed follows from the hosts file and from the zone itself
 * when both are there again, so that a server that is away keeps no delivery waiting. `served` is what the server has in the forward zone.
 */
/* As struct sink_kind (sinkset.h) has them. */
bool zone_wanted(const struct conf *conf, size_t i, char name[SINK_NAME_SIZE], bool *required);
int zone_make(const struct conf *conf, size_t i, int64_t now_ms, struct sink *out);

#endif
