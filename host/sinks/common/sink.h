#ifndef CALLSIGN_SINK_H
#define CALLSIGN_SINK_H

/*
 * The room host/sinks/common/: what a sink is, and what all kinds of it use, on top of host/conf and host/registry. It must not know any kind.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "registry/view.h"

/*
 * Where names go. A sink is told which listings changed, then once per batch that the batch is complete, and works on it at its own
 * pace from the loop; a slow or failing one never holds up another. Deliveries are acked once every required sink has
 * made the batch durable (`stored`), and an emitter that waits is answered once it is `served`.
 *
 * Generations number the batches from 1 on.
 */
struct sink {
	const char *name; /* the kind ("dnsmasq"), and the title of its section if there may be several ("hook web"); the sink's own */
	bool required;
	const struct sink_operations *operations;
	void *self;
};

/* How many there are at most. Of each kind a configuration may have so many that all of them have room (struct conf_section, most). */
#define SINKS_MAX 32

#define SINK_POLLFDS_MAX 4

struct sink_operations {
	/* One listing changed (or is new, or went). Only noted; no work yet. records as in view_watcher. */
	void (*listing)(void *self, const struct listing *listing, bool records);
	void (*gone)(void *self, const struct listing *listing);
	/* The batch with this generation is complete. May do the work at once. */
	void (*flush)(void *self, uint64_t generation, int64_t now_ms);
	/* Each listing that this sink was told of is as it was told by now, and view_listing() has it: the moment to work some of them out anew because of what
	 * the sink has found out itself. Returns whether it has. Then a flush follows. NULL: only what it is told makes a difference. */
	bool (*renew)(void *self);
	/* The newest generation that would survive a crash, and the newest that people can see. */
	uint64_t (*stored)(void *self);
	uint64_t (*served)(void *self);
	/* Descriptors to poll (at most SINK_POLLFDS_MAX; returns how many), the next deadline, and what to do when either fires. */
	int (*pollfds)(void *self, struct pollfd *fds);
	int64_t (*deadline_ms)(void *self);
	void (*step)(void *self, const struct pollfd *fds, int nfds, int64_t now_ms);
	/* After a reload, if its section is still there; conf replaces the one from before, which is freed afterwards. Returns whether it wants to be
	 * told of every listing again (as after another domain). NULL: the sink reads no configuration. */
	bool (*configure)(void *self, const struct conf *conf, int64_t now_ms);
	/* Everybody has been heard since the start: what nobody has announced may go. May come often. NULL: it does not matter to this sink. */
	void (*settled)(void *self, int64_t now_ms);
	/* Why this whole name is not served here although it was told of, or NULL. The operation may be NULL. */
	const char *(*refusal)(void *self, const char *fqdn);
	/* NULL: healthy; else what is wrong and what to do, for the status. Valid until the next step. */
	const char *(*trouble)(void *self);
	void (*free)(void *self);
};

#define SINK_NAME_SIZE 128

/* A kind of sink, beside its section (conf/section.h): what its room offers to the set of them (sinkset.h). */
struct sink_kind {
	/* The i-th section of this kind: its sink's name, and whether it is required. false: there are no more. NULL: not in this build. */
	bool (*wanted)(const struct conf *conf, size_t i, char name[SINK_NAME_SIZE], bool *required);
	/* A new sink for it: 0 and *out, whose name stays valid as long as it does, or -1 with errno. */
	int (*make)(const struct conf *conf, size_t i, int64_t now_ms, struct sink *out);
};

#endif
