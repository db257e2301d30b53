#ifndef CALLSIGN_MEASURE_H
#define CALLSIGN_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sinks/dnsmasq/dnsmasq.h"

/*
 * What only shows over time: how long it takes from the broker's delivery until a name resolves, and what the last hour was like, minute by
 * minute. Pure. Nothing here needs a timer: a minute that is over is recognised when the next one is noted or read.
 */
#define MEASURE_BUCKETS DNSMASQ_BUCKETS /* bucket i counts what took up to 2^i × 100 µs, the last one all longer */
#define MEASURE_MINUTES 60
#define MEASURE_PENDING 256 /* batches that are not served yet; more are put together with the last */

struct measure_histogram {
	uint64_t bucket[MEASURE_BUCKETS];
	uint64_t sum_us;
};

struct measure_minute {
	int64_t number;      /* on the monotonic clock; what it holds is of this minute only */
	uint32_t changes;    /* names that came, changed or went */
	uint32_t reloads;
	uint64_t slowest_us; /* of the reloads */
};

struct measure_batch {
	uint64_t generation;
	int64_t taken_us;
	uint64_t names;
};

struct measure {
	struct measure_histogram resolvable; /* delivery taken to served, one for each announcement that changed records */
	struct measure_histogram stored;     /* delivery taken to the hosts file in place, one for each batch of these */
	struct measure_minute minutes[MEASURE_MINUTES]; /* ring, by number */
	struct measure_batch pending[MEASURE_PENDING];  /* ring, by generation */
	unsigned first, npending;
	unsigned nstored; /* of those pending, from the first on */
	uint64_t listed;  /* in the batch under way */
	uint64_t reloads; /* of dnsmasq, noted so far */
};

/* A histogram's bound in µs. i < MEASURE_BUCKETS - 1. */
uint64_t measure_bound_us(unsigned i);
void measure_add(struct measure_histogram *histogram, uint64_t us, uint64_t count);

void measure_change(struct measure *measure, int64_t now_ms);

/* dnsmasq's figures, at least once for each reload. */
void measure_reloads(struct measure *measure, const struct dnsmasq_stats *stats, int64_t now_ms);

/* One announcement is listed anew, in the batch under way; then that batch is handed to the sinks (or, delivered false, came from elsewhere:
 * a reload of the configuration announces nothing); then all up to a generation are in the hosts file, and then served. */
void measure_listed(struct measure *measure);
void measure_batch_end(struct measure *measure, uint64_t generation, bool delivered, int64_t taken_us);
void measure_stored(struct measure *measure, uint64_t generation, int64_t now_us);
void measure_served(struct measure *measure, uint64_t generation, int64_t now_us);

/* The minute that began ago minutes before the current one (0: that one). All zero if nothing was noted in it. ago < MEASURE_MINUTES. */
struct measure_minute measure_minute(const struct measure *measure, unsigned ago, int64_t now_ms);

#endif
