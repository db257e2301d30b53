#include <config.h>

#include "status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "registry/served.h"

struct status_clock status_clock_at(int64_t now_ms)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct status_clock){
		.now_ms = now_ms,
		.wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
	};
}

void status_note_change(struct status_changes *changes, enum status_change change, const char *name, int64_t now_ms)
{
	changes->came += change == STATUS_CAME;
	changes->changed += change == STATUS_CHANGED;
	changes->went += change == STATUS_WENT;
	changes->last = change;
	changes->last_ms = now_ms;
	snprintf(changes->last_name, sizeof changes->last_name, "%s", name);
}

/* ---- words ---- */

const char *status_broker_word(enum subscriber_state state)
{
	static const char *const words[] = {
		[SUBSCRIBER_WAITING] = "waiting",
		[SUBSCRIBER_CONNECTING] = "connecting",
		[SUBSCRIBER_DECLARING] = "declaring",
		[SUBSCRIBER_CONSUMING] = "connected",
	};

	return words[state];
}

const char *status_resync_word(enum registry_resync resync)
{
	static const char *const words[] = {
		[REGISTRY_OFFLINE] = "offline",
		[REGISTRY_RESYNC_BEFORE_MARKER] = "waiting-for-marker",
		[REGISTRY_RESYNC] = "running",
		[REGISTRY_SYNCED] = "done",
	};

	return words[resync];
}

const char *status_change_word(enum status_change change)
{
	static const char *const words[] = {
		[STATUS_NO_CHANGE] = "none",
		[STATUS_CAME] = "came",
		[STATUS_CHANGED] = "changed",
		[STATUS_WENT] = "went",
	};

	return words[change];
}

const char *status_state_word(enum status_state state)
{
	static const char *const words[] = {
		[STATUS_CONFIRMED] = "confirmed",
		[STATUS_UNCONFIRMED] = "unconfirmed",
		[STATUS_LOST] = "lost",
		[STATUS_WAITING] = "waiting",
		[STATUS_FORBIDDEN] = "forbidden",
	};

	return words[state];
}

/* ---- states of announcements ---- */

/* In which domains the policy allows the fact's own name with any of its addresses. */
static uint32_t domains_allowed(const struct fact *fact, const struct policy *policy)
{
	uint32_t domains = 0;
	unsigned i;

	for (i = 0; i < fact->naddresses; i++)
		domains |= policy_address_domains(policy, fact->user, &fact->addresses[i]);
	return domains & policy_name_domains(policy, fact->user, fact->name);
}

enum status_state status_listing_state(const struct listing *listing, const struct policy *policy)
{
	const struct fact *fact = listing->fact;

	if (served_anywhere(listing) == 0)
		return domains_allowed(fact, policy) == 0 ? STATUS_FORBIDDEN : STATUS_WAITING;
	if (fact->state == FACT_UNCONFIRMED)
		return STATUS_UNCONFIRMED;
	return fact->state == FACT_LOST ? STATUS_LOST : STATUS_CONFIRMED;
}

struct state_count {
	const struct policy *policy;
	size_t *counts;
};

static bool count_state(void *arg, struct fact *fact)
{
	struct state_count *count = arg;
	const struct listing *listing = view_listing(fact);

	if (listing != NULL)
		count->counts[status_listing_state(listing, count->policy)]++;
	return true;
}

void status_count_states(struct registry *registry, const struct policy *policy, size_t counts[STATUS_STATES])
{
	struct state_count count = {.policy = policy, .counts = counts};

	memset(counts, 0, STATUS_STATES * sizeof *counts);
	registry_each(registry, count_state, &count);
}

/* ---- the snapshot ---- */

uint32_t status_serial_lag(const struct status *status)
{
	uint32_t written = status->dnsmasq.written_serial, served = status->dnsmasq.served_serial;

	if (written == HOSTSFILE_SERIAL_NONE || served == HOSTSFILE_SERIAL_NONE)
		return 0;
	return (written - served) & (HOSTSFILE_SERIAL_MAX - HOSTSFILE_SERIAL_MIN);
}

__attribute__((format(printf, 2, 3))) static void status_warn(struct status *status, const char *format, ...)
{
	va_list arguments;

	if (status->nwarnings == STATUS_WARNINGS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(status->warnings[status->nwarnings++], STATUS_TEXT_SIZE, format, arguments);
	va_end(arguments);
}

static void status_warn_broker(struct status *status)
{
	const struct subscriber_status *broker = &status->broker;

	if (broker->state != SUBSCRIBER_CONSUMING)
		status_warn(status, "not connected to the broker, so no name comes or goes: %s",
		            broker->trouble[0] != '\0' ? broker->trouble : "the first attempt is under way");
	else if (broker->blocked)
		status_warn(status, "the broker is in alarm (memory or disk) and takes no messages: no new name comes until it is mended");
}

#define POISONED_SHOWN_MS (10 * 60 * 1000)

static void status_warn_all(struct status *status)
{
	const struct subscriber_status *broker = &status->broker;
	unsigned i;

	status_warn_broker(status);
	for (i = 0; i < status->nsinks; i++) {
		if (status->sinks[i].trouble[0] != '\0')
			status_warn(status, "%s: %s", status->sinks[i].name, status->sinks[i].trouble);
	}
	if (broker->poisoned > 0 && status->clock.now_ms - broker->poisoned_ms < POISONED_SHOWN_MS)
		status_warn(status, "poisoned: the connection broke again and again at one message (key %s); the queue was emptied, %" PRIu64 " time(s) since the start",
		            broker->poison_key, broker->poisoned);
	if (broker->legacy_trouble[0] != '\0')
		status_warn(status, "legacy: the older format is not taken: %s", broker->legacy_trouble);
	if (status->sinks_missing > 0)
		status_warn(status, "%u configured sink(s) could not be started: the log says why", status->sinks_missing);
	if (status->registry.mass_loss)
		status_warn(status, "after the last reconnect %zu of %zu names were not announced again; they stay until their leases end",
		            status->registry.unconfirmed, status->registry.facts);
	if (status->reloads.last_ms != 0 && !status->reloads.last_taken)
		status_warn(status, "the last reload was refused and the old configuration is in force: see callsignd --check-config");
}

static void status_gather_sinks(const struct status_sources *sources, struct status *out)
{
	const struct sink *sink;
	const char *trouble;
	unsigned i;

	out->sinks_missing = sources->sinks_missing;
	out->nsinks = sources->nsinks < SINKS_MAX ? sources->nsinks : SINKS_MAX;
	for (i = 0; i < out->nsinks; i++) {
		sink = &sources->sinks[i];
		trouble = sink->operations->trouble(sink->self);
		out->sinks[i].name = sink->name;
		out->sinks[i].required = sink->required;
		out->sinks[i].stored = sink->operations->stored(sink->self);
		out->sinks[i].served = sink->operations->served(sink->self);
		snprintf(out->sinks[i].trouble, sizeof out->sinks[i].trouble, "%s", trouble != NULL ? trouble : "");
	}
}

void status_gather(const struct status_sources *sources, struct status_clock clock, struct status *out)
{
	const struct conf *conf = sources->conf;

	memset(out, 0, sizeof *out);
	out->clock = clock;
	out->started_ms = sources->started_ms;
	snprintf(out->domain, sizeof out->domain, "%s", conf->domain);
	out->policy = &conf->policy;
	snprintf(out->hostname, sizeof out->hostname, "%s", conf->hostname);
	out->place = sources->place;
	snprintf(out->queue, sizeof out->queue, "%s", conf->queue.name);
	snprintf(out->hosts_file, sizeof out->hosts_file, "%s", conf->dnsmasq.hosts_file);
	subscriber_status(sources->subscriber, &out->broker);
	registry_count(sources->registry, &out->registry);
	out->names = view_names(sources->view);
	out->refused = refusals_total(sources->refusals);
	out->generation = sources->generation;
	out->served = sources->served;
	dnsmasq_stats(sources->dnsmasq, &out->dnsmasq);
	out->changes = *sources->changes;
	out->reloads = *sources->reloads;
	status_gather_sinks(sources, out);
	status_warn_all(out);
}

const char *status_time(int64_t ms, struct status_clock clock, char out[STATUS_TIME_SIZE])
{
	time_t seconds = (time_t)((clock.wall_ms - (clock.now_ms - ms)) / 1000);
	struct tm parts;

	if (gmtime_r(&seconds, &parts) == NULL || strftime(out, STATUS_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		out[0] = '\0';
	return out;
}
