#include <config.h>

#include <string.h>

#include "internal.h"
#include "neighbours.h"
#include "registry/served.h"

/* Everything about one name. */

#define WHY_CLAIMS_MAX 256 /* a tenant may have thousands of instances claim one name */

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

/* null: it does not say where it is, or this host does not know itself. */
static json_t *why_here(const struct why *why, const struct fact *fact)
{
	const struct place *own = &why->sources->place;

	return place_known(own) && place_known(&fact->place) ? json_boolean(fact->place.host == own->host) : json_null();
}

/* Others that are served with an address of one claim: three lists. */
struct others {
	json_t *shares, *away, *hold;
};

static json_t *other_json(const struct fact *other, const struct address *address)
{
	struct object object = object_new();
	char text[ADDRESS_TEXT_SIZE];

	object_set(&object, "name", json_string(other->name));
	object_set(&object, "user", user_json(other->user));
	object_set(&object, "address", json_string(address_format(address, text)));
	object_set(&object, "place", status_place_json(&other->place));
	return object_done(&object);
}

static bool why_neighbour(void *arg, enum neighbour how, const struct fact *other, const struct address *address)
{
	struct others *others = arg;
	json_t **list = how == NEIGHBOUR_SHARES ? &others->shares : how == NEIGHBOUR_AWAY ? &others->away : &others->hold;

	*list = array_add(*list, other_json(other, address));
	return true;
}

static void add_others(const struct why *why, const struct listing *listing, json_t *claim)
{
	struct others others = {.shares = json_array(), .away = json_array(), .hold = json_array()};

	neighbours_each(why->sources->view, listing, why_neighbour, &others);
	json_object_set_new(claim, "shares_network_with", others.shares);
	json_object_set_new(claim, "also_on", others.away);
	json_object_set_new(claim, "addresses_held_by", others.hold);
	json_object_set_new(claim, "here", why_here(why, listing->fact));
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
	add_others(why, listing, claim);
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

/* Of which whole names not all addresses are served at a time. */
static json_t *in_turn_json(const struct why *why)
{
	static const unsigned families[] = {4, 6};
	const struct policy *policy = &why->sources->conf->policy;
	char fqdn[HOSTNAME_FQDN_SIZE];
	json_t *list = json_array();
	struct object object;
	struct crowd crowd;

	for (unsigned i = 0; i < 2 * policy->ndomains; i++) {
		if (hostname_join(why->name, policy->domains[i / 2].name, fqdn) != HOSTNAME_OK ||
		    !dnsmasq_in_turn(why->sources->dnsmasq, families[i % 2], fqdn, &crowd))
			continue;
		object = object_new();
		object_set(&object, "fqdn", json_string(crowd.name));
		object_set(&object, "family", count_json(crowd.family));
		object_set(&object, "addresses", count_json(crowd.count));
		object_set(&object, "at_a_time", count_json(crowd.room));
		list = array_add(list, object_done(&object));
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
	object_set(&object, "host_place", status_place_json(&sources->place));
	object_set(&object, "user", user != NULL ? user_json(user) : json_null());
	object_set(&object, "user_may", user != NULL ? json_boolean(policy_name_allowed(policy, user, name)) : json_null());
	object_set(&object, "claims", why.claims);
	object_set(&object, "claims_omitted", count_json(why.omitted));
	object_set(&object, "withdrawn", status_withdrawn_json(sources, name, clock));
	object_set(&object, "left_out", left_out_json(&why));
	object_set(&object, "in_turn", in_turn_json(&why));
	object_set(&object, "refusals", why.refusals);
	return object_done(&object);
}
