#ifndef CALLSIGN_STATUS_H
#define CALLSIGN_STATUS_H

/*
 * The room host/status/: what people and programs are shown of the daemon, as JSON. It reads the bus, the sinks and the registry, and changes
 * none. It must not know who shows it, or how.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/refusals.h"
#include "bus/subscriber.h"
#include "conf/conf.h"
#include "registry/registry.h"
#include "registry/view.h"
#include "registry/withdrawals.h"
#include "sinks/common/sink.h"
#include "sinks/dnsmasq/dnsmasq.h"

/*
 * The whole daemon as people and machines see it: one snapshot, gathered from the modules, and its JSON. `callsignctl`, the
 * metrics and the status page all show this; none of them asks the modules. docs/control.md describes the JSON: keys are added,
 * never renamed or removed. Times named _ms are on the monotonic clock unless said otherwise; the caller gives both clocks.
 */
struct status_clock {
	int64_t now_ms;  /* monotonic */
	int64_t wall_ms; /* Unix time */
};

/* now_ms: what the caller goes by; the wall clock is read. */
struct status_clock status_clock_at(int64_t now_ms);

/* What happened to names since the start; the loop notes it as facts come and go. */
enum status_change { STATUS_NO_CHANGE, STATUS_CAME, STATUS_CHANGED, STATUS_WENT };

struct status_changes {
	uint64_t came, changed, went;
	enum status_change last;
	int64_t last_ms;
	char last_name[HOSTNAME_NAME_SIZE];
};

void status_note_change(struct status_changes *changes, enum status_change change, const char *name, int64_t now_ms);

/* Reloads of the configuration. */
struct status_reloads {
	uint64_t taken, refused;
	int64_t last_ms;  /* 0: never */
	bool last_taken;
};

struct measure;

/* Where a snapshot comes from: borrowed, not kept. */
struct status_sources {
	const struct conf *conf;
	struct view *view;
	struct registry *registry;
	const struct refusals *refusals;
	const struct withdrawals *withdrawals;
	struct subscriber *subscriber;
	const struct dnsmasq *dnsmasq;
	const struct sink *sinks;
	unsigned nsinks;
	unsigned sinks_missing; /* could not be started */
	uint64_t generation; /* of the last batch handed to the sinks */
	uint64_t served;     /* the newest that every required sink shows to people */
	int64_t started_ms;
	const struct status_changes *changes;
	const struct status_reloads *reloads;
	const struct measure *measure; /* for metrics and the page */
	struct place place;            /* of this host */
};

#define STATUS_TEXT_SIZE 384
#define STATUS_WARNINGS_MAX 20

struct status_sink {
	const char *name;                /* valid until the sinks change */
	bool required;
	uint64_t stored, served;         /* generations */
	char trouble[STATUS_TEXT_SIZE];  /* "" : healthy */
};

struct status {
	struct status_clock clock;
	int64_t started_ms;
	char domain[HOSTNAME_FQDN_SIZE];
	const struct policy *policy; /* all of the domains; as long as the sources */
	char hostname[HOSTNAME_FQDN_SIZE];
	struct place place;
	char queue[QUEUE_NAME_MAX + 1];
	char hosts_file[STATUS_TEXT_SIZE];
	struct subscriber_status broker;
	struct registry_counts registry;
	size_t names;                    /* with at least one record */
	uint64_t refused;
	uint64_t generation, served;
	unsigned nsinks, sinks_missing;
	struct status_sink sinks[SINKS_MAX];
	struct dnsmasq_stats dnsmasq;
	struct status_changes changes;
	struct status_reloads reloads;
	unsigned nwarnings;              /* 0: all is well; any: degraded */
	char warnings[STATUS_WARNINGS_MAX][STATUS_TEXT_SIZE];
};

/* Allocates nothing. */
void status_gather(const struct status_sources *sources, struct status_clock clock, struct status *out);

/* Serials written that dnsmasq does not serve yet; 0: none, or nothing is known yet. */
uint32_t status_serial_lag(const struct status *status);

/* One word each, for JSON, tables and labels. */
const char *status_broker_word(enum subscriber_state state);    /* waiting connecting declaring connected */
const char *status_resync_word(enum registry_resync resync);    /* offline waiting-for-marker running done */
const char *status_change_word(enum status_change change);      /* none came changed went */

/* How one announcement fares. */
enum status_state {
	STATUS_CONFIRMED,   /* served */
	STATUS_UNCONFIRMED, /* served, to be confirmed by its emitter */
	STATUS_LOST,        /* served until lost_grace is over */
	STATUS_WAITING,     /* not served: name or addresses are somebody else's, or another instance's */
	STATUS_FORBIDDEN    /* not served: the policy does not allow it (any more) */
};

#define STATUS_STATES 5

const char *status_state_word(enum status_state state); /* confirmed unconfirmed lost waiting forbidden */
enum status_state status_listing_state(const struct listing *listing, const struct policy *policy);

/* How many there are of each state: walks all facts. counts is zeroed first. */
void status_count_states(struct registry *registry, const struct policy *policy, size_t counts[STATUS_STATES]);

/* ---- JSON (new references; NULL: out of memory) ---- */

json_t *status_json(const struct status *status);

/* An entry of the list. */
json_t *status_entry_json(const struct listing *listing, const struct conf *conf, bool leases_stand_still, struct status_clock clock);

/* Everything about one name: who claims it and how that fares, what was refused, whether it is reserved, and, for a user (NULL: none), whether
 * the policy allows it. name: without the domain, folded. */
json_t *status_withdrawn_json(const struct status_sources *sources, const char *name, struct status_clock clock); /* name NULL: all */
json_t *status_why_json(const struct status_sources *sources, const char *name, const char *user, struct status_clock clock);

/* RFC 3339 in UTC, with seconds; out has STATUS_TIME_SIZE bytes. ms: monotonic. Returns out. */
#define STATUS_TIME_SIZE 32
const char *status_time(int64_t ms, struct status_clock clock, char out[STATUS_TIME_SIZE]);

#endif
