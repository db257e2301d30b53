#include <config.h>

#include "internal.h"
#include "registry/served.h"
#include "shared/clock.h"

/* One entry of the list of names. */

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

	for (i = aliases_only ? 1 : 0; i <= fact->naliases; i++) {
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

json_t *status_place_json(const struct place *place)
{
	char text[PLACE_TEXT_SIZE];

	return place_known(place) ? json_string(place_format(place, text)) : json_null();
}

static json_t *agent_json(const struct fact *fact)
{
	const char *agent = fact_agent(fact);

	return agent != NULL ? json_string(agent) : json_null();
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
	object_set(&object, "place", status_place_json(&fact->place));
	object_set(&object, "agent", agent_json(fact));
	object_set(&object, "session", fact->has_session ? json_string(ident_format(&fact->session, text)) : json_null());
	return object_done(&object);
}
