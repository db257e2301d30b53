#include <config.h>

#include "metrics.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- the format ---- */

void metrics_write_label(FILE *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*value == '\\' || *value == '"')
			fputc('\\', out);
		fputc(*value, out);
	}
}

static void write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP callsign_%s %s\n# TYPE callsign_%s %s\n", name, help, name, type);
}

static void write_count(FILE *out, const char *name, const char *help, uint64_t value)
{
	write_head(out, name, "counter", help);
	fprintf(out, "callsign_%s %" PRIu64 "\n", name, value);
}

static void write_gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
	write_head(out, name, "gauge", help);
	fprintf(out, "callsign_%s %" PRIu64 "\n", name, value);
}

static void write_labelled(FILE *out, const char *name, const char *label, const char *value, uint64_t number)
{
	fprintf(out, "callsign_%s{%s=\"", name, label);
	metrics_write_label(out, value);
	fprintf(out, "\"} %" PRIu64 "\n", number);
}

static void write_seconds(FILE *out, uint64_t us)
{
	fprintf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static void write_histogram(FILE *out, const char *name, const char *help, const uint64_t bucket[MEASURE_BUCKETS], uint64_t sum_us)
{
	uint64_t count = 0;
	unsigned i;

	write_head(out, name, "histogram", help);
	for (i = 0; i < MEASURE_BUCKETS - 1; i++) {
		count += bucket[i];
		/* Shortest form, as Prometheus writes it: 0.0001, 1.6384. */
		fprintf(out, "callsign_%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, (double)measure_bound_us(i) / 1e6, count);
	}
	count += bucket[i];
	fprintf(out, "callsign_%s_bucket{le=\"+Inf\"} %" PRIu64 "\ncallsign_%s_sum ", name, count, name);
	write_seconds(out, sum_us);
	fprintf(out, "\ncallsign_%s_count %" PRIu64 "\n", name, count);
}

/* ---- what there is ---- */

static void write_daemon(const struct metrics *metrics, FILE *out)
{
	const struct status *status = &metrics->status;
	int64_t started_ms = status->clock.wall_ms - (status->clock.now_ms - status->started_ms);

	write_head(out, "build_info", "gauge", "Always 1; the label has the daemon's version.");
	write_labelled(out, "build_info", "version", PACKAGE_VERSION, 1);
	write_head(out, "start_time_seconds", "gauge", "Unix time at which the daemon started.");
	fprintf(out, "callsign_start_time_seconds %" PRId64 ".%03" PRId64 "\n", started_ms / 1000, started_ms % 1000);
	write_gauge(out, "ready", "1 if names come and go and dnsmasq serves them, as /readyz says.", metrics_unready(status) == NULL);
	write_gauge(out, "warnings", "Things that are wrong now; the status page and callsignctl status have them in words.",
	            status->nwarnings);
	write_head(out, "configuration_reloads_total", "counter", "Reloads of the configuration by result.");
	write_labelled(out, "configuration_reloads_total", "result", "taken", status->reloads.taken);
	write_labelled(out, "configuration_reloads_total", "result", "refused", status->reloads.refused);
	write_gauge(out, "configuration_last_reload_successful", "0 if the last reload was refused and the old configuration is in force.",
	            status->reloads.last_ms == 0 || status->reloads.last_taken);
}

static void write_names(const struct metrics *metrics, FILE *out)
{
	const struct status_changes *changes = &metrics->status.changes;
	int state;

	write_gauge(out, "names", "Names that are served, aliases included.", metrics->status.names);
	write_head(out, "instances", "gauge", "Announcements by how they fare: confirmed, unconfirmed and lost ones are served.");
	for (state = 0; state < STATUS_STATES; state++)
		write_labelled(out, "instances", "state", status_state_word((enum status_state)state), metrics->states[state]);
	write_head(out, "changes_total", "counter", "Announcements that came, changed or went.");
	write_labelled(out, "changes_total", "change", "came", changes->came);
	write_labelled(out, "changes_total", "change", "changed", changes->changed);
	write_labelled(out, "changes_total", "change", "went", changes->went);
}

static void write_refusals(const struct status *status, FILE *out)
{
	uint64_t others = status->refused;
	int kind;

	write_head(out, "refusals_total", "counter", "Messages refused, by reason; held: the name or address is another user's.");
	for (kind = 0; kind < INTAKE_REFUSALS; kind++) {
		write_labelled(out, "refusals_total", "reason", intake_refusal_word((enum intake_refusal)kind), status->broker.refused[kind]);
		others -= status->broker.refused[kind];
	}
	/* The rest was taken, and waits for its name or address: the view says so. */
	write_labelled(out, "refusals_total", "reason", "held", others);
}

static void write_messages(const struct metrics *metrics, FILE *out)
{
	const struct subscriber_status *broker = &metrics->status.broker;
	int op;

	write_count(out, "deliveries_total", "Messages delivered by the broker.", broker->deliveries);
	write_head(out, "messages_total", "counter", "Messages that could be read, by operation.");
	for (op = ANNOUNCEMENT_UP; op <= ANNOUNCEMENT_ROLLCALL; op++)
		write_labelled(out, "messages_total", "op", announcement_op_name((enum announcement_op)op), broker->by_op[op]);
	write_refusals(&metrics->status, out);
}

static void write_broker(const struct metrics *metrics, FILE *out)
{
	const struct status *status = &metrics->status;
	const struct subscriber_status *broker = &status->broker;

	write_gauge(out, "broker_connected", "1 while the daemon consumes its queue.", broker->state == SUBSCRIBER_CONSUMING);
	write_gauge(out, "broker_blocked", "1 while the broker is in alarm (memory or disk) and takes no messages.", broker->blocked);
	write_count(out, "broker_reconnects_total", "Connections after the first one.", broker->connects > 0 ? broker->connects - 1 : 0);
	write_count(out, "poisoned_total", "How often the queue was emptied since the connection broke again and again at what was in it.", broker->poisoned);
	write_count(out, "bindings_lost_total", "How often the queue had lost its bindings, and was bound again.", broker->bindings_lost);
	write_count(out, "exchanges_made_total", "Exchanges that were missing on the broker, and were made.", broker->exchanges_made);
	write_gauge(out, "queue_depth", "Messages that wait in this host's queue and were not delivered yet, counted every 10 s.", broker->queue_depth);
	write_gauge(out, "synced", "1 if every emitter has answered since the last connection, or its time is over.",
	            status->registry.resync == REGISTRY_SYNCED);
	write_head(out, "last_sync_age_seconds", "gauge", "Since the last resync ended; absent before the first.");
	if (status->registry.synced_ms >= 0)
		fprintf(out, "callsign_last_sync_age_seconds %" PRId64 "\n", (status->clock.now_ms - status->registry.synced_ms) / 1000);
	write_gauge(out, "mass_loss", "1 if the last resync left so many names unconfirmed that they are kept until their leases end.",
	            status->registry.mass_loss);
}

static void write_sinks(const struct metrics *metrics, FILE *out)
{
	const struct status *status = &metrics->status;
	unsigned i;

	write_count(out, "flushes_total", "Batches of changes handed to the sinks.", status->generation);
	write_gauge(out, "flushes_pending", "Batches that are not served yet.", status->generation - status->served);
	write_head(out, "sink_healthy", "gauge", "1 if this sink works.");
	for (i = 0; i < status->nsinks; i++)
		write_labelled(out, "sink_healthy", "sink", status->sinks[i].name, status->sinks[i].trouble[0] == '\0');
	write_head(out, "sink_flushes_pending", "gauge", "Batches that this sink has not brought to where people see them.");
	for (i = 0; i < status->nsinks; i++)
		write_labelled(out, "sink_flushes_pending", "sink", status->sinks[i].name, status->generation - status->sinks[i].served);
}

static void write_dnsmasq(const struct metrics *metrics, FILE *out)
{
	const struct dnsmasq_stats *stats = &metrics->status.dnsmasq;

	write_count(out, "hosts_file_writes_total", "Hosts files put into place.", stats->writes);
	write_count(out, "hosts_file_write_failures_total", "Hosts files that could not be written.", stats->write_failures);
	write_count(out, "dnsmasq_signals_total", "SIGHUPs sent to dnsmasq.", stats->signals);
	write_count(out, "dnsmasq_connections_ended_total", "Connections over TCP to dnsmasq that were ended because they knew older names.",
	            stats->streams_ended);
	write_gauge(out, "dnsmasq_serial_lag", "Hosts files that are written and not served yet.", status_serial_lag(&metrics->status));
	write_histogram(out, "dnsmasq_reload_seconds", "From SIGHUP until dnsmasq answers from the new file.", stats->bucket,
	                stats->sum_reload_us);
	write_histogram(out, "announce_to_stored_seconds", "From the delivery of announcements until the hosts file with them is in place.",
	                metrics->measure.stored.bucket, metrics->measure.stored.sum_us);
	write_histogram(out, "announce_to_resolvable_seconds", "From the delivery of an announcement until its name resolves.",
	                metrics->measure.resolvable.bucket, metrics->measure.resolvable.sum_us);
}

void metrics_write(const struct metrics *metrics, FILE *out)
{
	write_daemon(metrics, out);
	write_names(metrics, out);
	write_messages(metrics, out);
	write_broker(metrics, out);
	write_sinks(metrics, out);
	write_dnsmasq(metrics, out);
}

/* ---- gathering ---- */

void metrics_gather(const struct status_sources *sources, struct status_clock clock, struct metrics *out)
{
	status_gather(sources, clock, &out->status);
	status_count_states(sources->registry, &sources->conf->policy, out->states);
	out->measure = *sources->measure;
}

char *metrics_text(const struct status_sources *sources, struct status_clock clock, size_t *length)
{
	struct metrics metrics;
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (out == NULL)
		return NULL;
	metrics_gather(sources, clock, &metrics);
	metrics_write(&metrics, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

const char *metrics_unready(const struct status *status)
{
	unsigned i;

	if (status->broker.state != SUBSCRIBER_CONSUMING)
		return "not connected to the broker";
	if (status->registry.resync != REGISTRY_SYNCED)
		return "emitters are still being asked for their names";
	if (status->dnsmasq.served_serial == HOSTSFILE_SERIAL_NONE)
		return "dnsmasq does not serve the hosts file";
	for (i = 0; i < status->nsinks; i++) {
		if (status->sinks[i].required && status->sinks[i].trouble[0] != '\0')
			return status->sinks[i].trouble;
	}
	return NULL;
}
