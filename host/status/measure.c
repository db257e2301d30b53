#include <config.h>

#include "measure.h"

#define FIRST_BOUND_US 100
#define MINUTE_MS 60000

/* ---- histograms ---- */

uint64_t measure_bound_us(unsigned i)
{
	return (uint64_t)FIRST_BOUND_US << i;
}

void measure_add(struct measure_histogram *histogram, uint64_t us, uint64_t count)
{
	unsigned i = 0;

	while (i < MEASURE_BUCKETS - 1 && us > measure_bound_us(i))
		i++;
	histogram->bucket[i] += count;
	histogram->sum_us += us * count;
}

/* ---- the last hour ---- */

static struct measure_minute *minute_now(struct measure *measure, int64_t now_ms)
{
	int64_t number = now_ms / MINUTE_MS;
	struct measure_minute *minute = &measure->minutes[number % MEASURE_MINUTES];

	if (minute->number != number)
		*minute = (struct measure_minute){.number = number};
	return minute;
}

void measure_change(struct measure *measure, int64_t now_ms)
{
	minute_now(measure, now_ms)->changes++;
}

void measure_reloads(struct measure *measure, const struct dnsmasq_stats *stats, int64_t now_ms)
{
	struct measure_minute *minute;

	if (stats->reloads == measure->reloads)
		return;
	minute = minute_now(measure, now_ms);
	minute->reloads += (uint32_t)(stats->reloads - measure->reloads);
	if (stats->last_reload_us > minute->slowest_us)
		minute->slowest_us = stats->last_reload_us;
	measure->reloads = stats->reloads;
}

struct measure_minute measure_minute(const struct measure *measure, unsigned ago, int64_t now_ms)
{
	int64_t number = now_ms / MINUTE_MS - (int64_t)ago;

	if (number >= 0 && measure->minutes[number % MEASURE_MINUTES].number == number)
		return measure->minutes[number % MEASURE_MINUTES];
	return (struct measure_minute){.number = number};
}

/* ---- from the delivery to the answer ---- */

void measure_listed(struct measure *measure)
{
	measure->listed++;
}

void measure_batch_end(struct measure *measure, uint64_t generation, bool delivered, int64_t taken_us)
{
	uint64_t names = measure->listed;
	unsigned last = (measure->first + measure->npending) % MEASURE_PENDING;

	measure->listed = 0;
	if (!delivered || names == 0)
		return;
	if (measure->npending == MEASURE_PENDING) {
		/* Nothing is served for long: they all end up among the longest anyway. */
		last = (last + MEASURE_PENDING - 1) % MEASURE_PENDING;
		measure->pending[last].generation = generation;
		measure->pending[last].names += names;
		if (measure->nstored == MEASURE_PENDING)
			measure->nstored--;
		return;
	}
	measure->pending[last] = (struct measure_batch){.generation = generation, .taken_us = taken_us, .names = names};
	measure->npending++;
}

static uint64_t since_us(const struct measure_batch *batch, int64_t now_us)
{
	return now_us > batch->taken_us ? (uint64_t)(now_us - batch->taken_us) : 0;
}

void measure_stored(struct measure *measure, uint64_t generation, int64_t now_us)
{
	const struct measure_batch *batch;

	for (; measure->nstored < measure->npending; measure->nstored++) {
		batch = &measure->pending[(measure->first + measure->nstored) % MEASURE_PENDING];
		if (batch->generation > generation)
			break;
		measure_add(&measure->stored, since_us(batch, now_us), 1);
	}
}

void measure_served(struct measure *measure, uint64_t generation, int64_t now_us)
{
	const struct measure_batch *batch = &measure->pending[measure->first];

	measure_stored(measure, generation, now_us);
	while (measure->npending > 0 && batch->generation <= generation) {
		measure_add(&measure->resolvable, since_us(batch, now_us), batch->names);
		measure->first = (measure->first + 1) % MEASURE_PENDING;
		measure->npending--;
		measure->nstored--;
		batch = &measure->pending[measure->first];
	}
}
