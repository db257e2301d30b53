#ifndef CALLSIGN_METRICS_H
#define CALLSIGN_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "status/measure.h"
#include "status/status.h"

/*
 * The daemon's figures in Prometheus' text format 0.0.4, for /metrics and `callsignctl metrics`. Metrics are added, never renamed or removed:
 * etc/grafana and etc/prometheus stand on them, and so do other people's. Pure.
 */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics {
	struct status status;
	size_t states[STATUS_STATES];
	struct measure measure;
};

void metrics_gather(const struct status_sources *sources, struct status_clock clock, struct metrics *out);
void metrics_write(const struct metrics *metrics, FILE *out);

/* Both of the above, as a text that is to be freed. NULL: out of memory. */
char *metrics_text(const struct status_sources *sources, struct status_clock clock, size_t *length);

/* Ready: names come and go, and people see them. NULL, or the first thing that is missing, in words. */
const char *metrics_unready(const struct status *status);

/* A label's value as the format wants it: backslash, double quote and newline escaped. */
void metrics_write_label(FILE *out, const char *value);

#endif
