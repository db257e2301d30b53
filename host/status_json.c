#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "served.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "status.h"

#define WHY_CLAIMS_MAX 256 /* a tenant may have thousands of instances claim one name */

/* Takes value over. A key that finds no memory makes the whole answer fail: nothing is left out silently. */
struct object {
	json_t *json;
	bool failed;
};

static struct object object_new(void)
{
	json_t *json = json_object();

	return (struct object){.json = json, .failed = json == NULL};
}

static void object_set(struct object *object, const char *key, json_t *value)
{
	if (json_object_set_new(object->json, key, value) == -1)
		object->failed = true;
}

static json_t *object_done(struct object *object)
{
	if (!object->failed)
		return object->json;
	json_decref(object->json);
	return NULL;
}

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *count_json(uint64_t count)
{
	return json_integer((json_int_t)count);
}

/* Sets KEY (a time) and KEY_age_s; both null for a time that never was. */
static void object_set_time(struct object *object, const char *key, int64_t ms, struct status_clock clock)
{
	char age_key[32], text[STATUS_TIME_SIZE];

	snprintf(age_key, sizeof age_key, "%s_age_s", key);
	object_set(object, key, ms > 0 ? json_string(status_time(ms, clock, text)) : json_null());
	object_set(object, age_key, ms > 0 ? json_real((double)(clock.now_ms - ms) / 1000) : json_null());
}

/* Takes value over; NULL, too, if there is no memory. */
static json_t *array_add(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) == 0)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *domains_json(const struct policy *policy, uint32_t domains)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < policy->ndomains; i++) {
		if ((domains >> i & 1) != 0)
			array = array_add(array, json_string(policy->domains[i].name));
	}
	return array;
}

/* ---- status ---- */

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
	object_set_time(&object, "started", status->started_ms, status->clock);
	object_set(&object, "domain", json_string(status->domain));
	object_set(&object, "domains", domains_json(status->policy, UINT32_MAX));
	object_set(&object, "hostname", json_string(status->hostname));
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

/* ---- entries ---- */

static bool name_served(const struct listing *listing, unsigned i)
{
	return served_domains(listing, i) != 0;
}

static bool address_served(const struct listing *listing, unsigned i)
{
	uint32_t domains = served_anywhere(listing);
	unsigned domain;

	for (domain = 0; domains >> domain != 0; domain++) {
		if ((domains >> domain & 1) != 0 && (served_addresses(listing, domain) >> i & 1) != 0)
			return true;
	}
	return false;
}

static json_t *names_array(const struct listing *listing, bool served, bool aliases_only)
{
	const struct fact *fact = listing->fact;
	json_t *array = json_array();
	unsigned i;

	for (i = aliases_only ? 1 : 0; i < 1 + fact->naliases; i++) {
		if (name_served(listing, i) == served)
			array = array_add(array, json_string(i == 0 ? fact->name : fact->aliases[i - 1]));
	}
	return array;
}

static json_t *addresses_array(const struct listing *listing, bool served)
{
	const struct fact *fact = listing->fact;
	json_t *array = json_array();
	char text[ADDRESS_TEXT_SIZE];
	unsigned i;

	for (i = 0; i < fact->naddresses; i++) {
		if (address_served(listing, i) == served)
			array = array_add(array, json_string(address_format(&fact->addresses[i], text)));
	}
	return array;
}

static json_t *ports_json(const struct fact *fact)
{
	struct object object = object_new();
	unsigned i;

	for (i = 0; i < fact->nports; i++)
		object_set(&object, fact->ports[i].name, count_json(fact->ports[i].port));
	return object_done(&object);
}

static json_t *held_json(const struct listing *listing)
{
	struct object object = object_new();

	object_set(&object, "names", names_array(listing, false, false));
	object_set(&object, "addresses", addresses_array(listing, false));
	return object_done(&object);
}

static json_t *lease_left_json(const struct fact *fact, bool stand_still, struct status_clock clock)
{
	if (stand_still || fact->expires_ms == CLOCK_NEVER)
		return json_null();
	return json_real(fact->expires_ms > clock.now_ms ? (double)(fact->expires_ms - clock.now_ms) / 1000 : 0);
}

/* The broker's users are bytes of others' choosing; JSON wants UTF-8. */
static json_t *user_json(const char *user)
{
	char safe[4 * HOSTSFILE_USER_MAX + 1];

	return json_string(log_safe(safe, sizeof safe, user, strlen(user)));
}

/* Where name number i is, or else would be; else in the first domain. */
static json_t *fqdn_json(const struct policy *policy, const char *user, const char *name, uint32_t served)
{
	uint32_t domains = served != 0 || user == NULL ? served : policy_name_domains(policy, user, name);
	int first = served_first(domains);
	char fqdn[HOSTNAME_FQDN_SIZE];

	if (first < 0 || (size_t)first >= policy->ndomains)
		first = 0;
	return policy->ndomains > 0 && hostname_join(name, policy->domains[first].name, fqdn) == HOSTNAME_OK ? json_string(fqdn) : json_null();
}

static bool add_fqdn(void *arg, const struct served *served)
{
	json_t **array = arg;

	*array = array_add(*array, json_string(served->fqdn));
	return true;
}

static json_t *fqdns_json(const struct policy *policy, const struct listing *listing)
{
	json_t *array = json_array();

	served_each(policy, listing, add_fqdn, &array);
	return array;
}

json_t *status_entry_json(const struct listing *listing, const struct conf *conf, bool leases_stand_still, struct status_clock clock)
{
	const struct fact *fact = listing->fact;
	struct object object = object_new();
	char text[IDENT_TEXT_SIZE];

	object_set(&object, "name", json_string(fact->name));
	object_set(&object, "fqdn", fqdn_json(&conf->policy, fact->user, fact->name, served_domains(listing, 0)));
	object_set(&object, "state", json_string(status_state_word(status_listing_state(listing, &conf->policy))));
	object_set(&object, "name_served", json_boolean(name_served(listing, 0)));
	object_set(&object, "addresses", addresses_array(listing, true));
	object_set(&object, "aliases", names_array(listing, true, true));
	object_set(&object, "domains", domains_json(&conf->policy, served_anywhere(listing)));
	object_set(&object, "fqdns", fqdns_json(&conf->policy, listing));
	object_set(&object, "ports", ports_json(fact));
	object_set(&object, "held_back", held_json(listing));
	object_set_time(&object, "since", fact->since_ms, clock);
	object_set(&object, "lease_s", count_json(fact->lease_s));
	object_set(&object, "lease_left_s", lease_left_json(fact, leases_stand_still, clock));
	object_set(&object, "user", user_json(fact->user));
	object_set(&object, "instance", json_string(ident_format(&fact->instance, text)));
	object_set(&object, "session", fact->has_session ? json_string(ident_format(&fact->session, text)) : json_null());
	return object_done(&object);
}

/* ---- why ---- */

struct why {
	const struct status_sources *sources;
	const char *name;
	struct status_clock clock;
	bool stand_still;
	json_t *claims, *refusals;
	size_t omitted;
	uint32_t domains; /* in which anybody serves it */
};

/* Of a name that the fact has. */
static unsigned number_of(const struct fact *fact, const char *name)
{
	unsigned i;

	for (i = 0; i < fact->naliases; i++) {
		if (strcmp(fact->aliases[i], name) == 0)
			return i + 1;
	}
	return 0;
}

static bool why_claim(void *arg, const struct listing *listing, bool listed)
{
	struct why *why = arg;
	uint32_t domains;
	json_t *claim;

	if (json_array_size(why->claims) >= WHY_CLAIMS_MAX) {
		why->omitted++;
		return true;
	}
	domains = served_domains(listing, number_of(listing->fact, why->name));
	why->domains |= listed ? domains : 0;
	claim = status_entry_json(listing, why->sources->conf, why->stand_still, why->clock);
	if (claim == NULL)
		return false;
	json_object_set_new(claim, "as_alias", json_boolean(strcmp(listing->fact->name, why->name) != 0));
	json_object_set_new(claim, "serves_it", json_boolean(listed && domains != 0));
	json_object_set_new(claim, "serves_it_in", domains_json(&why->sources->conf->policy, domains));
	json_object_set_new(claim, "allowed", json_boolean(policy_name_allowed(&why->sources->conf->policy, listing->fact->user, why->name)));
	json_array_append_new(why->claims, claim);
	return true;
}

static bool why_refusal(void *arg, const struct refusal *refusal)
{
	struct why *why = arg;
	struct object object;

	if (strcmp(refusal->name, why->name) != 0)
		return true;
	object = object_new();
	object_set_time(&object, "time", refusal->when_ms, why->clock);
	object_set(&object, "user", json_string(refusal->user));
	object_set(&object, "key", json_string(refusal->key));
	object_set(&object, "reason", json_string(refusal->reason));
	json_array_append_new(why->refusals, object_done(&object));
	return true;
}

static bool own_name(const struct policy *policy, const char *name)
{
	size_t i;

	for (i = 0; i < policy->nhost_names; i++) {
		if (strcmp(policy->host_names[i], name) == 0)
			return true;
	}
	return false;
}

/* What a sink has against one of the whole names that it was told of. */
static void add_left_out(const struct sink *sink, const char *fqdn, json_t *list)
{
	const char *reason = sink->operations->refusal != NULL ? sink->operations->refusal(sink->self, fqdn) : NULL;
	struct object object;

	if (reason == NULL)
		return;
	object = object_new();
	object_set(&object, "sink", json_string(sink->name));
	object_set(&object, "fqdn", json_string(fqdn));
	object_set(&object, "reason", json_string(reason));
	json_array_append_new(list, object_done(&object));
}

static json_t *left_out_json(const struct why *why)
{
	const struct policy *policy = &why->sources->conf->policy;
	char fqdn[HOSTNAME_FQDN_SIZE];
	json_t *list = json_array();
	unsigned i;
	size_t j;

	for (i = 0; list != NULL && i < why->sources->nsinks; i++) {
		for (j = 0; j < policy->ndomains; j++) {
			if (hostname_join(why->name, policy->domains[j].name, fqdn) == HOSTNAME_OK)
				add_left_out(&why->sources->sinks[i], fqdn, list);
		}
	}
	return list;
}

json_t *status_why_json(const struct status_sources *sources, const char *name, const char *user, struct status_clock clock)
{
	const struct policy *policy = &sources->conf->policy;
	struct why why = {.sources = sources, .name = name, .clock = clock, .claims = json_array(), .refusals = json_array()};
	struct object object = object_new();
	struct registry_counts counts;

	registry_count(sources->registry, &counts);
	why.stand_still = counts.resync == REGISTRY_OFFLINE;
	view_each_claim(sources->view, name, why_claim, &why);
	refusals_each(sources->refusals, why_refusal, &why);
	object_set(&object, "name", json_string(name));
	object_set(&object, "fqdn", fqdn_json(policy, user, name, 0));
	object_set(&object, "domains_served", domains_json(policy, why.domains));
	object_set(&object, "user_may_in", user != NULL ? domains_json(policy, policy_name_domains(policy, user, name)) : json_null());
	object_set(&object, "reserved", json_boolean(policy_reserved(policy, name)));
	object_set(&object, "own", json_boolean(own_name(policy, name)));
	object_set(&object, "user", user != NULL ? user_json(user) : json_null());
	object_set(&object, "user_may", user != NULL ? json_boolean(policy_name_allowed(policy, user, name)) : json_null());
	object_set(&object, "claims", why.claims);
	object_set(&object, "claims_omitted", count_json(why.omitted));
	object_set(&object, "withdrawn", status_withdrawn_json(sources, name, clock));
	object_set(&object, "left_out", left_out_json(&why));
	object_set(&object, "refusals", why.refusals);
	return object_done(&object);
}
