#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "carried.h"
#include "internal.h"

/* The daemon's own status. */

static json_t *broker_json(const struct status *status)
{
	const struct subscriber_status *broker = &status->broker;
	struct object object = object_new();

	object_set(&object, "state", json_string(status_broker_word(broker->state)));
	object_set(&object, "endpoint", json_string(broker->endpoint));
	object_set_time(&object, "since", broker->since_ms, status->clock);
	object_set(&object, "trouble", text_or_null(broker->trouble));
	object_set(&object, "blocked", json_boolean(broker->blocked));
	object_set(&object, "connects", count_json(broker->connects));
	object_set(&object, "product", text_or_null(broker->broker.product));
	object_set(&object, "version", text_or_null(broker->broker.version));
	object_set(&object, "poisoned", count_json(broker->poisoned));
	object_set_time(&object, "poisoned_last", broker->poisoned > 0 ? broker->poisoned_ms : -1, status->clock);
	object_set(&object, "bindings_lost", count_json(broker->bindings_lost));
	object_set(&object, "exchanges_made", count_json(broker->exchanges_made));
	object_set(&object, "queue", json_string(status->queue));
	object_set(&object, "queue_depth", count_json(broker->queue_depth));
	object_set_time(&object, "queue_depth_time", broker->depth_ms, status->clock);
	return object_done(&object);
}

static json_t *resync_json(const struct status *status)
{
	struct object object = object_new();

	object_set(&object, "state", json_string(status_resync_word(status->registry.resync)));
	object_set_time(&object, "done", status->registry.synced_ms, status->clock);
	object_set(&object, "mass_loss", json_boolean(status->registry.mass_loss));
	return object_done(&object);
}

static json_t *names_json(const struct status *status)
{
	struct object object = object_new();

	object_set(&object, "served", count_json(status->names));
	object_set(&object, "instances", count_json(status->registry.facts));
	object_set(&object, "unconfirmed", count_json(status->registry.unconfirmed));
	object_set(&object, "lost", count_json(status->registry.lost));
	return object_done(&object);
}

static json_t *changes_json(const struct status *status)
{
	const struct status_changes *changes = &status->changes;
	struct object object = object_new();

	object_set(&object, "came", count_json(changes->came));
	object_set(&object, "changed", count_json(changes->changed));
	object_set(&object, "went", count_json(changes->went));
	object_set(&object, "last", json_string(status_change_word(changes->last)));
	object_set(&object, "last_name", text_or_null(changes->last_name));
	object_set_time(&object, "last_time", changes->last_ms, status->clock);
	return object_done(&object);
}

static json_t *messages_json(const struct status *status)
{
	struct object object = object_new(), by_op = object_new();
	int op;

	for (op = ANNOUNCEMENT_UP; op <= ANNOUNCEMENT_ROLLCALL; op++)
		object_set(&by_op, announcement_op_name((enum announcement_op)op), count_json(status->broker.by_op[op]));
	object_set(&object, "deliveries", count_json(status->broker.deliveries));
	object_set(&object, "refused", count_json(status->refused));
	object_set(&object, "by_op", object_done(&by_op));
	return object_done(&object);
}

static json_t *sinks_json(const struct status *status)
{
	json_t *sinks = json_array();
	unsigned i;

	for (i = 0; i < status->nsinks; i++) {
		const struct status_sink *sink = &status->sinks[i];
		struct object object = object_new();

		object_set(&object, "name", json_string(sink->name));
		object_set(&object, "required", json_boolean(sink->required));
		object_set(&object, "stored", count_json(sink->stored));
		object_set(&object, "served", count_json(sink->served));
		object_set(&object, "trouble", text_or_null(sink->trouble));
		if (json_array_append_new(sinks, object_done(&object)) == -1) {
			json_decref(sinks);
			return NULL;
		}
	}
	return sinks;
}

static json_t *serial_json(uint32_t serial)
{
	char text[16];

	if (serial == HOSTSFILE_SERIAL_NONE)
		return json_null();
	snprintf(text, sizeof text, "%" PRIu32 ".%" PRIu32 ".%" PRIu32 ".%" PRIu32, serial >> 24, serial >> 16 & 255, serial >> 8 & 255,
	         serial & 255);
	return json_string(text);
}

static json_t *dnsmasq_json(const struct status *status)
{
	const struct dnsmasq_stats *stats = &status->dnsmasq;
	struct object object = object_new();

	object_set(&object, "hosts_file", json_string(status->hosts_file));
	object_set(&object, "serial_written", serial_json(stats->written_serial));
	object_set(&object, "serial_served", serial_json(stats->served_serial));
	object_set(&object, "serial_lag", count_json(status_serial_lag(status)));
	object_set(&object, "writes", count_json(stats->writes));
	object_set(&object, "write_failures", count_json(stats->write_failures));
	object_set(&object, "signals", count_json(stats->signals));
	object_set(&object, "reloads", count_json(stats->reloads));
	object_set(&object, "names_in_turn", count_json(stats->in_turn));
	object_set(&object, "last_reload_ms", stats->reloads > 0 ? json_real((double)stats->last_reload_us / 1000) : json_null());
	return object_done(&object);
}

static json_t *reloads_json(const struct status *status)
{
	struct object object = object_new();

	object_set(&object, "taken", count_json(status->reloads.taken));
	object_set(&object, "refused", count_json(status->reloads.refused));
	object_set_time(&object, "last", status->reloads.last_ms, status->clock);
	object_set(&object, "last_taken", status->reloads.last_ms > 0 ? json_boolean(status->reloads.last_taken) : json_null());
	return object_done(&object);
}

static json_t *warnings_json(const struct status *status)
{
	json_t *warnings = json_array();
	unsigned i;

	for (i = 0; i < status->nwarnings; i++) {
		if (json_array_append_new(warnings, json_string(status->warnings[i])) == -1) {
			json_decref(warnings);
			return NULL;
		}
	}
	return warnings;
}

json_t *status_json(const struct status *status)
{
	struct object object = object_new();

	object_set(&object, "health", json_string(status->nwarnings == 0 ? "ok" : "degraded"));
	object_set(&object, "warnings", warnings_json(status));
	object_set(&object, "version", json_string(PACKAGE_VERSION));
	object_set(&object, "libraries", status_carried_json());
	object_set_time(&object, "started", status->started_ms, status->clock);
	object_set(&object, "domain", json_string(status->domain));
	object_set(&object, "domains", domains_json(status->policy, UINT32_MAX));
	object_set(&object, "hostname", json_string(status->hostname));
	object_set(&object, "place", status_place_json(&status->place));
	object_set(&object, "broker", broker_json(status));
	object_set(&object, "resync", resync_json(status));
	object_set(&object, "names", names_json(status));
	object_set(&object, "changes", changes_json(status));
	object_set(&object, "messages", messages_json(status));
	object_set(&object, "generation", count_json(status->generation));
	object_set(&object, "served_generation", count_json(status->served));
	object_set(&object, "sinks", sinks_json(status));
	object_set(&object, "dnsmasq", dnsmasq_json(status));
	object_set(&object, "configuration", reloads_json(status));
	return object_done(&object);
}
