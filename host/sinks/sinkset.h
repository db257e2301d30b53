#ifndef CALLSIGN_SINKSET_H
#define CALLSIGN_SINKSET_H

#include "conf/conf.h"
#include "registry/view.h"
#include "sinks.h"

/*
 * Which sinks there are besides dnsmasq, as the configuration says: a new section makes one, a section that has gone takes its sink away, the others
 * are told of the reload. kinds.h is the table of them.
 *
 * At the start, and after a reload with conf in force (the old one may be freed afterwards). A new sink is told of all listings, and a
 * flush has to follow. Sinks whose name is in no section stay if they were added by hand (dnsmasq): they have no `configure`. A sink that
 * cannot be made is logged and counted in sinks->missing: the others work without it.
 */
void sinkset_configure(struct sinks *sinks, struct view *view, const struct conf *conf, int64_t now_ms);

/* The same with other kinds than ours (ended by NULL), for tests. */
void sinkset_configure_kinds(const struct sink_kind *const *kinds, struct sinks *sinks, struct view *view, const struct conf *conf, int64_t now_ms);

#endif
