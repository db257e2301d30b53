#ifndef CALLSIGN_SINKSET_H
#define CALLSIGN_SINKSET_H

#include "conf/conf.h"
#include "sinks.h"
#include "registry/view.h"

/*
 * Which sinks there are besides dnsmasq, as the configuration says: a new section makes one, a section that has gone takes its sink away, the others
 * are told of the reload. Each kind of sink has a line in the table in sinkset.c.
 */
#define SINK_NAME_SIZE 128

struct sink_kind {
	/* The i-th section of this kind: its sink's name, and whether it is required. false: there are no more. */
	bool (*wanted)(const struct conf *conf, size_t i, char name[SINK_NAME_SIZE], bool *required);
	/* A new sink for it: 0 and *out, whose name stays valid as long as it does, or -1 with errno. */
	int (*make)(const struct conf *conf, size_t i, int64_t now_ms, struct sink *out);
};

/*
 * At the start, and after a reload with conf in force (the old one may be freed afterwards). A new sink is told of all listings, and a
 * flush has to follow. Sinks whose name is in no section stay if they were added by hand (dnsmasq): they have no `configure`. A sink that
 * cannot be made is logged and counted in sinks->missing: the others work without it.
 */
void sinkset_configure(struct sinks *sinks, struct view *view, const struct conf *conf, int64_t now_ms);

/* The same with other kinds than ours (ended by one without functions), for tests. */
void sinkset_configure_kinds(const struct sink_kind *kinds, struct sinks *sinks, struct view *view, const struct conf *conf, int64_t now_ms);

#endif
