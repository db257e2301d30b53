#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/web/metrics.h"

#define MINUTE_MS 60000

static char *text;
static size_t length;

static const char *written(const struct metrics *metrics)
{
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &length);
	assert_non_null(out);
	metrics_write(metrics, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_line(const char *line)
{
	char whole[160];

	snprintf(whole, sizeof whole, "\n%s\n", line);
	if (strstr(text, whole) == NULL)
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

static int clean(void **state)
{
	(void)state;
	free(text);
	text = NULL;
	return 0;
}

static void a_label_is_escaped(void **state)
{
	FILE *out = open_memstream(&text, &length);

	(void)state;
	assert_non_null(out);
	metrics_write_label(out, "a\\b\"c\nd{}\xc3\xa4");
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "a\\\\b\\\"c\\nd{}\xc3\xa4");
}

static void fill(struct metrics *metrics)
{
	struct status *status = &metrics->status;

	memset(metrics, 0, sizeof *metrics);
	status->clock = (struct status_clock){.now_ms = 100000, .wall_ms = 1700000050250};
	status->started_ms = 50000;
	status->registry.synced_ms = -1;
	status->nsinks = 1;
	status->sinks[0].name = "dnsmasq";
	status->sinks[0].required = true;
	status->dnsmasq.written_serial = status->dnsmasq.served_serial = HOSTSFILE_SERIAL_MIN + 7;
}

static void figures_are_written_under_their_names(void **state)
{
	struct metrics metrics;
	struct status *status = &metrics.status;

	(void)state;
	fill(&metrics);
	status->names = 5;
	metrics.states[STATUS_LOST] = 2;
	status->changes.went = 9;
	status->broker.state = SUBSCRIBER_CONSUMING;
	status->broker.connects = 4;
	status->broker.by_op[ANNOUNCEMENT_DOWN] = 6;
	status->broker.refused[INTAKE_POLICY] = 3;
	status->broker.queue_depth = 11;
	status->refused = 4;
	status->registry.synced_ms = 40000;
	status->dnsmasq.written_serial = status->dnsmasq.served_serial + 1;
	status->generation = 12;
	status->served = 10;
	written(&metrics);
	assert_line("callsign_names 5");
	assert_line("callsign_instances{state=\"lost\"} 2");
	assert_line("callsign_instances{state=\"confirmed\"} 0");
	assert_line("callsign_changes_total{change=\"went\"} 9");
	assert_line("callsign_broker_connected 1");
	assert_line("callsign_broker_reconnects_total 3");
	assert_line("callsign_messages_total{op=\"down\"} 6");
	assert_line("callsign_refusals_total{reason=\"policy\"} 3");
	assert_line("callsign_refusals_total{reason=\"held\"} 1");
	assert_line("callsign_queue_depth 11");
	assert_line("callsign_last_sync_age_seconds 60");
	assert_line("callsign_dnsmasq_serial_lag 1");
	assert_line("callsign_flushes_total 12");
	assert_line("callsign_flushes_pending 2");
	assert_line("callsign_start_time_seconds 1700000000.250");
	assert_line("callsign_sink_healthy{sink=\"dnsmasq\"} 1");
}

/* An age of something that never was would be a lie, and would not fire an alert on it either. */
static void no_age_before_the_first_sync(void **state)
{
	struct metrics metrics;

	(void)state;
	fill(&metrics);
	assert_null(strstr(written(&metrics), "\ncallsign_last_sync_age_seconds"));
	assert_line("callsign_synced 0");
}

static void a_histogram_is_cumulative(void **state)
{
	struct metrics metrics;

	(void)state;
	fill(&metrics);
	measure_add(&metrics.measure.resolvable, 100, 2);     /* on a bound: in it */
	measure_add(&metrics.measure.resolvable, 101, 1);
	measure_add(&metrics.measure.resolvable, 7000000, 1); /* beyond the last */
	written(&metrics);
	assert_line("callsign_announce_to_resolvable_seconds_bucket{le=\"0.0001\"} 2");
	assert_line("callsign_announce_to_resolvable_seconds_bucket{le=\"0.0002\"} 3");
	assert_line("callsign_announce_to_resolvable_seconds_bucket{le=\"1.6384\"} 3");
	assert_line("callsign_announce_to_resolvable_seconds_bucket{le=\"+Inf\"} 4");
	assert_line("callsign_announce_to_resolvable_seconds_count 4");
	assert_line("callsign_announce_to_resolvable_seconds_sum 7.000301");
	assert_line("callsign_dnsmasq_reload_seconds_count 0");
}

static void every_metric_has_help_and_type_once(void **state)
{
	struct metrics metrics;
	char head[128];
	const char *line;

	(void)state;
	fill(&metrics);
	for (line = written(&metrics); (line = strstr(line, "# TYPE ")) != NULL; line += 7) {
		snprintf(head, sizeof head, "# TYPE %.*s ", (int)strcspn(line + 7, " "), line + 7);
		assert_null(strstr(line + 7, head));
		memcpy(head + 2, "HELP", 4);
		assert_non_null(strstr(text, head));
	}
}

static void ready_is_connected_synced_and_served(void **state)
{
	struct metrics metrics;
	struct status *status = &metrics.status;

	(void)state;
	fill(&metrics);
	status->broker.state = SUBSCRIBER_CONSUMING;
	status->registry.resync = REGISTRY_SYNCED;
	assert_null(metrics_unready(status));
	status->broker.state = SUBSCRIBER_WAITING;
	assert_non_null(metrics_unready(status));
	status->broker.state = SUBSCRIBER_CONSUMING;
	status->registry.resync = REGISTRY_RESYNC;
	assert_non_null(metrics_unready(status));
	status->registry.resync = REGISTRY_SYNCED;
	status->dnsmasq.served_serial = HOSTSFILE_SERIAL_NONE;
	assert_non_null(metrics_unready(status));
	status->dnsmasq.served_serial = status->dnsmasq.written_serial;
	snprintf(status->sinks[0].trouble, sizeof status->sinks[0].trouble, "dnsmasq does not run");
	assert_string_equal(metrics_unready(status), "dnsmasq does not run");
	status->sinks[0].required = false;
	assert_null(metrics_unready(status));
}

/* ---- what is measured over time ---- */

static void a_batch_counts_when_it_is_served(void **state)
{
	static struct measure measure;

	(void)state;
	memset(&measure, 0, sizeof measure);
	measure_listed(&measure);
	measure_listed(&measure);
	measure_batch_end(&measure, 1, true, 1000);
	measure_batch_end(&measure, 2, true, 2000); /* renewals only: nothing was listed anew */
	measure_listed(&measure);
	measure_batch_end(&measure, 3, false, 3000); /* a reload of the configuration */
	measure_listed(&measure);
	measure_batch_end(&measure, 4, true, 4000);
	measure_served(&measure, 0, 5000);
	assert_int_equal(measure.resolvable.sum_us, 0);
	measure_served(&measure, 1, 5000);
	assert_int_equal(measure.resolvable.sum_us, 8000);
	measure_served(&measure, 4, 5000);
	measure_served(&measure, 4, 9000);
	assert_int_equal(measure.resolvable.sum_us, 9000);
	assert_int_equal(measure.npending, 0);
}

static void a_batch_is_stored_once(void **state)
{
	static struct measure measure;

	(void)state;
	memset(&measure, 0, sizeof measure);
	measure_listed(&measure);
	measure_batch_end(&measure, 1, true, 1000);
	measure_listed(&measure);
	measure_listed(&measure);
	measure_batch_end(&measure, 2, true, 2000);
	measure_stored(&measure, 1, 1500);
	assert_int_equal(measure.stored.sum_us, 500);
	measure_stored(&measure, 1, 9000);
	assert_int_equal(measure.stored.sum_us, 500);
	measure_served(&measure, 2, 3000); /* what is served is stored, too */
	assert_int_equal(measure.stored.sum_us, 1500);
	assert_int_equal(measure.nstored, 0);
}

static void nothing_served_for_long_loses_no_announcement(void **state)
{
	static struct measure measure;
	uint64_t i, count = 0;

	(void)state;
	memset(&measure, 0, sizeof measure);
	for (i = 1; i <= 3 * MEASURE_PENDING; i++) {
		measure_listed(&measure);
		measure_batch_end(&measure, i, true, (int64_t)i);
	}
	measure_served(&measure, 3 * MEASURE_PENDING, 100000000);
	for (i = 0; i < MEASURE_BUCKETS; i++)
		count += measure.resolvable.bucket[i];
	assert_int_equal(count, 3 * MEASURE_PENDING);
	assert_int_equal(measure.npending, 0);
}

static void minutes_that_are_over_are_forgotten_without_a_timer(void **state)
{
	static struct measure measure;
	struct dnsmasq_stats stats = {.reloads = 1, .last_reload_us = 700};
	int64_t now_ms = 1000 * MINUTE_MS + 5;

	(void)state;
	memset(&measure, 0, sizeof measure);
	measure_change(&measure, now_ms);
	measure_change(&measure, now_ms + 1);
	measure_reloads(&measure, &stats, now_ms);
	measure_reloads(&measure, &stats, now_ms);
	assert_int_equal(measure_minute(&measure, 0, now_ms).changes, 2);
	assert_int_equal(measure_minute(&measure, 0, now_ms).reloads, 1);
	assert_int_equal(measure_minute(&measure, 0, now_ms).slowest_us, 700);
	assert_int_equal(measure_minute(&measure, 59, now_ms + 59 * MINUTE_MS).changes, 2);
	assert_int_equal(measure_minute(&measure, 0, now_ms + 60 * MINUTE_MS).changes, 0);
	measure_change(&measure, now_ms + 60 * MINUTE_MS);
	assert_int_equal(measure_minute(&measure, 0, now_ms + 60 * MINUTE_MS).changes, 1);
	assert_int_equal(measure_minute(&measure, 5, 2 * MINUTE_MS).changes, 0); /* just booted */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_label_is_escaped, clean),
		cmocka_unit_test_teardown(figures_are_written_under_their_names, clean),
		cmocka_unit_test_teardown(no_age_before_the_first_sync, clean),
		cmocka_unit_test_teardown(a_histogram_is_cumulative, clean),
		cmocka_unit_test_teardown(every_metric_has_help_and_type_once, clean),
		cmocka_unit_test(ready_is_connected_synced_and_served),
		cmocka_unit_test(a_batch_counts_when_it_is_served),
		cmocka_unit_test(a_batch_is_stored_once),
		cmocka_unit_test(nothing_served_for_long_loses_no_announcement),
		cmocka_unit_test(minutes_that_are_over_are_forgotten_without_a_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
