#ifndef CALLSIGN_DNSMASQ_H
#define CALLSIGN_DNSMASQ_H

/*
 * The room host/sinks/dnsmasq/: the hosts file, which is also the daemon's memory, dnsmasq that reads it, and the question whether it has. It uses the
 * view's listings and must not know whence they came.
 */

#include <stdint.h>

#include "conf/conf.h"
#include "hostsfile.h"
#include "sinks/common/sink.h"
#include "system/localaddr.h"
#include "system/localnet.h"

/*
 * The first sink: a hosts file that dnsmasq reads (addn-hosts), SIGHUP after each change of it, and a DNS question for
 * the file's serial that tells which file dnsmasq serves by now. `stored` is the file renamed into place, `served` the
 * answer.
 *
 * In this order: dnsmasq_new(), dnsmasq_restore() once, the sink's flush(1), which writes the first file, unless the one
 * that was read back is that very one already: a dnsmasq that has read it is not told to read it again. If stored() is not 1 after it, the file could not be written; trouble() says why, and it is tried again at the sink's deadline.
 */
struct dnsmasq;

/* NULL with errno. Both are borrowed until the sink is freed, conf until dnsmasq_configure() gives another one. */
struct dnsmasq *dnsmasq_new(const struct conf *conf, const struct localaddr *localaddr, int64_t now_ms);

/* The sink: name "dnsmasq", required. Its operation free() frees dnsmasq. */
struct sink dnsmasq_sink(struct dnsmasq *dnsmasq);

/* This host's bridges are these from now on: what is asked for their reverse zones follows (reversezones.h). */
void dnsmasq_bridges(struct dnsmasq *dnsmasq, const struct localnet *localnet, int64_t now_ms);

/* Read back what the hosts file holds: each instance is handed to visit (registry_restore). Problems are logged; none
 * is fatal. */
void dnsmasq_restore(struct dnsmasq *dnsmasq, hostsfile_visit *visit, void *arg);

/* After a reload, with the view refreshed and before the next flush, which writes the file anew if anything in it
 * changed. The old conf may be freed afterwards. 0, or -1 with errno (no memory): then it still uses the old one. */
int dnsmasq_configure(struct dnsmasq *dnsmasq, const struct conf *conf, int64_t now_ms);

/* Figures, for metrics. Bucket i counts reloads that took up to 2^i × 100 µs, the last one all longer ones. */
#define DNSMASQ_BUCKETS 16
struct dnsmasq_stats {
	uint64_t writes, write_failures;
	uint64_t stored;         /* the generation that the file in place holds */
	int64_t stored_us;       /* since when: before dnsmasq is told of it */
	uint64_t signals;
	uint64_t streams_ended; /* connections over TCP that knew other names (streams.h) */
	uint64_t reloads;        /* seen through the serial */
	uint64_t last_reload_us; /* SIGHUP to the answer */
	uint64_t sum_reload_us;
	uint64_t bucket[DNSMASQ_BUCKETS];
	uint32_t written_serial, served_serial; /* HOSTSFILE_SERIAL_NONE: none yet */
	size_t in_turn;          /* names that have more addresses than an answer has room for, each family by itself */
};
void dnsmasq_stats(const struct dnsmasq *dnsmasq, struct dnsmasq_stats *out);

/* Whether of this whole name not all addresses of a family are served at a time (crowds.h). */
bool dnsmasq_in_turn(const struct dnsmasq *dnsmasq, unsigned family, const char *fqdn, struct crowd *out);

#endif
