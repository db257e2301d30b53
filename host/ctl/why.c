#include <config.h>

#include "ctl.h"

#include <string.h>

#include "client.h"
#include "entry.h"
#include "shared/log.h"

#define SAFE_SIZE 1024

static const char *safe(const char *text, char out[SAFE_SIZE])
{
	return log_phrase(out, SAFE_SIZE, text, strlen(text));
}

/* Whether one of the same user's on this host is served instead of one elsewhere, whose addresses nobody has taken. */
static bool stands_back(const json_t *why, const json_t *claim)
{
	const json_t *claims = json_object_get(why, "claims"), *other;
	size_t i;

	if (!json_is_false(json_object_get(claim, "here")) || json_array_size(json_object_get(claim, "addresses_held_by")) > 0)
		return false;
	for (i = 0; i < json_array_size(claims); i++) {
		other = json_array_get(claims, i);
		if (json_is_true(json_object_get(other, "serves_it")) && json_is_true(json_object_get(other, "here")) &&
		    strcmp(entry_text(other, "user"), entry_text(claim, "user")) == 0)
			return true;
	}
	return false;
}

/* How one claim on the name fares, in words. */
static const char *verdict(const json_t *why, const json_t *claim)
{
	const char *state = entry_text(claim, "state");

	if (!json_is_true(json_object_get(claim, "serves_it"))) {
		if (!json_is_true(json_object_get(claim, "allowed")))
			return "not served: the policy does not allow this user the name";
		if (stands_back(why, claim))
			return "not served: it is on another host with the same range, and one on this host is preferred";
		if (json_array_size(entry_in(claim, "held_back", "addresses")) > 0 && json_array_size(json_object_get(claim, "addresses")) == 0)
			return "not served: its addresses belong to a newer instance or to another user, or the policy does not allow them";
		return "not served: it waits, the name is held by another user, or by another instance (registry.conflict)";
	}
	if (strcmp(state, "unconfirmed") == 0)
		return "served, until its emitter has confirmed it or the resync ends";
	if (strcmp(state, "lost") == 0)
		return "served, but its connection died: it goes when lost_grace is over";
	return "served";
}

/* The names in a list of others that have an address of this one, each once, as far as they go into out. */
static const char *names_of(const json_t *list, char out[SAFE_SIZE])
{
	json_t *names = json_array();
	size_t i, j;

	for (i = 0; i < json_array_size(list); i++) {
		const char *name = entry_text(json_array_get(list, i), "name");

		for (j = 0; j < json_array_size(names) && strcmp(json_string_value(json_array_get(names, j)), name) != 0; j++)
			continue;
		if (j == json_array_size(names))
			json_array_append_new(names, json_string(name));
	}
	entry_join(names, out, SAFE_SIZE);
	json_decref(names);
	return out;
}

/* One that is not here may be on this host, or on a third. */
static void print_away(const json_t *other, const char *own_place)
{
	char name[SAFE_SIZE], address[SAFE_SIZE], place[SAFE_SIZE];
	const char *host = entry_text(other, "place");

	if (own_place[0] != '\0' && strncmp(host, own_place, 16) == 0)
		printf("    %s is also on this host: %s\n", safe(entry_text(other, "address"), address), safe(entry_text(other, "name"), name));
	else
		printf("    %s is also on host %.16s: %s\n", safe(entry_text(other, "address"), address), safe(host[0] != '\0' ? host : "unknown", place),
		       safe(entry_text(other, "name"), name));
}

static void print_others(const json_t *claim, const char *own_place)
{
	const json_t *away = json_object_get(claim, "also_on"), *here = json_object_get(claim, "here");
	char joined[SAFE_SIZE], names[SAFE_SIZE];
	size_t i;

	if (json_is_boolean(here))
		printf("    on %s host%s%.16s\n", json_is_true(here) ? "this" : "another", json_is_true(here) ? "" : ", ",
		       json_is_true(here) ? "" : safe(entry_text(claim, "place"), joined));
	if (json_array_size(json_object_get(claim, "shares_network_with")) > 0)
		printf("    shares its network with %s\n", safe(names_of(json_object_get(claim, "shares_network_with"), joined), names));
	for (i = 0; i < json_array_size(away); i++)
		print_away(json_array_get(away, i), own_place);
	if (json_array_size(json_object_get(claim, "addresses_held_by")) > 0)
		printf("    its addresses are those of %s now\n", safe(names_of(json_object_get(claim, "addresses_held_by"), joined), names));
}

static void print_claim(const struct ctl *ctl, const json_t *why, const json_t *claim)
{
	char addresses[1024], since[SAFE_SIZE], user[SAFE_SIZE], name[SAFE_SIZE], age[32];
	bool serves = json_is_true(json_object_get(claim, "serves_it"));

	printf("  %s%s%s\n", table_tone_on(serves ? TABLE_GOOD : TABLE_DOUBTFUL, ctl->colour), verdict(why, claim), table_tone_off(ctl->colour));
	if (serves)
		printf("    in %s\n", safe(entry_join(json_object_get(claim, "serves_it_in"), addresses, sizeof addresses), name));
	printf("    user %s, instance %s\n", safe(entry_text(claim, "user"), user), safe(entry_text(claim, "instance"), name));
	if (json_is_true(json_object_get(claim, "as_alias")))
		printf("    as an alias of %s\n", safe(entry_text(claim, "name"), name));
	printf("    since %s (%s ago)", safe(entry_text(claim, "since"), since),
	       entry_age(entry_number(claim, "since_age_s", -1), age, sizeof age));
	if (json_is_number(json_object_get(claim, "lease_left_s")))
		printf(", its lease ends in %s", entry_age(entry_number(claim, "lease_left_s", -1), age, sizeof age));
	printf("\n    addresses %s", entry_join(json_object_get(claim, "addresses"), addresses, sizeof addresses));
	if (json_array_size(entry_in(claim, "held_back", "addresses")) > 0)
		printf("; held back: %s", entry_join(entry_in(claim, "held_back", "addresses"), addresses, sizeof addresses));
	putchar('\n');
	if (json_object_size(json_object_get(claim, "ports")) > 0)
		printf("    ports %s\n", safe(entry_ports(json_object_get(claim, "ports"), addresses, sizeof addresses), name));
	print_others(claim, entry_text(why, "host_place"));
}

static void print_claims(const struct ctl *ctl, const json_t *why)
{
	const json_t *claims = json_object_get(why, "claims"), *omitted = json_object_get(why, "claims_omitted");
	size_t i;

	if (json_array_size(claims) == 0 && json_array_size(json_object_get(why, "withdrawn")) == 0)
		puts("  nobody has announced it");
	for (i = 0; i < json_array_size(claims); i++)
		print_claim(ctl, why, json_array_get(claims, i));
	if (json_integer_value(omitted) > 0)
		printf("  and %" JSON_INTEGER_FORMAT " more that claim it\n", json_integer_value(omitted));
}

static void print_withdrawn(const json_t *why)
{
	const json_t *withdrawn = json_object_get(why, "withdrawn"), *entry;
	char user[SAFE_SIZE], since[SAFE_SIZE], reason[SAFE_SIZE], age[32];
	size_t i;

	for (i = 0; i < json_array_size(withdrawn); i++) {
		entry = json_array_get(withdrawn, i);
		printf("  withdrawn by its emitter, user %s, since %s (%s ago): %s\n", safe(entry_text(entry, "user"), user),
		       safe(entry_text(entry, "since"), since), entry_age(entry_number(entry, "since_age_s", -1), age, sizeof age),
		       safe(entry_text(entry, "reason"), reason));
	}
}

/* Sinks that leave it out although it is served. */
static void print_left_out(const struct ctl *ctl, const json_t *why)
{
	const json_t *list = json_object_get(why, "left_out"), *one;
	char sink[SAFE_SIZE], reason[SAFE_SIZE];
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		one = json_array_get(list, i);
		printf("  %s%s: not there%s: %s\n", table_tone_on(TABLE_DOUBTFUL, ctl->colour), safe(entry_text(one, "sink"), sink),
		       table_tone_off(ctl->colour), safe(entry_text(one, "reason"), reason));
	}
}

/* Of which whole names not all addresses are served at a time. */
static void print_in_turn(const json_t *why)
{
	const json_t *list = json_object_get(why, "in_turn"), *one;
	char fqdn[SAFE_SIZE];
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		one = json_array_get(list, i);
		printf("  %s has %.0f IPv%.0f addresses, and an answer over UDP has room for %.0f: so many are served at a time, in turn\n",
		       safe(entry_text(one, "fqdn"), fqdn), entry_number(one, "addresses", 0), entry_number(one, "family", 0),
		       entry_number(one, "at_a_time", 0));
	}
}

static void print_refusals(const json_t *why)
{
	const json_t *refusals = json_object_get(why, "refusals"), *refusal;
	char time[SAFE_SIZE], user[SAFE_SIZE], key[SAFE_SIZE], reason[SAFE_SIZE];
	size_t i;

	if (json_array_size(refusals) > 0)
		puts("refused, the newest first:");
	for (i = 0; i < json_array_size(refusals); i++) {
		refusal = json_array_get(refusals, i);
		printf("  %s user %s, key %s: %s\n", safe(entry_text(refusal, "time"), time), safe(entry_text(refusal, "user"), user),
		       safe(entry_text(refusal, "key"), key), safe(entry_text(refusal, "reason"), reason));
	}
}

static void print_rules(const json_t *why)
{
	bool may = json_is_true(json_object_get(why, "user_may"));
	char user[SAFE_SIZE], joined[SAFE_SIZE], domains[SAFE_SIZE];

	if (json_is_true(json_object_get(why, "own")))
		puts("  it is this host's own name (host_names), which nobody else is given");
	else if (json_is_true(json_object_get(why, "reserved")))
		puts("  it is reserved: nobody is given it");
	if (json_is_string(json_object_get(why, "user")))
		printf("  user %s %s announce it%s%s\n", safe(entry_text(why, "user"), user), may ? "may" : "may not", may ? ", in " : "",
		       may ? safe(entry_join(json_object_get(why, "user_may_in"), joined, sizeof joined), domains) : "");
}

static bool is_served(const json_t *why)
{
	const json_t *claims = json_object_get(why, "claims");
	size_t i;

	for (i = 0; i < json_array_size(claims); i++) {
		if (json_is_true(json_object_get(json_array_get(claims, i), "serves_it")))
			return true;
	}
	return json_is_true(json_object_get(why, "own"));
}

static void print_why(const struct ctl *ctl, const json_t *why)
{
	const char *fqdn = entry_text(why, "fqdn");
	char name[SAFE_SIZE];

	printf("%s: %s\n", safe(fqdn[0] != '\0' ? fqdn : entry_text(why, "name"), name), is_served(why) ? "served" : "not served");
	print_rules(why);
	print_claims(ctl, why);
	print_withdrawn(why);
	print_left_out(ctl, why);
	print_in_turn(why);
	print_refusals(why);
}

int ctl_why(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {CTL_OPTIONS, {"user", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0}};
	const char *user = NULL;
	const json_t *why;
	json_t *request, *answer;
	int code;

	while (ctl_getopt(ctl, argc, argv, CTL_SHORT "u:", options) != -1)
		user = optarg;
	if (argc - optind != 1)
		ctl_usage(ctl, "why: one name");
	request = json_pack("{s:s, s:o}", "op", "why", "name", ctl_text(ctl, argv[optind]));
	if (user != NULL)
		json_object_set_new(request, "user", ctl_text(ctl, user));
	answer = ctl_ask(ctl, request, &code);
	if (answer == NULL)
		return code;
	why = json_object_get(answer, "why");
	if (ctl->json)
		ctl_print_json(why);
	else
		print_why(ctl, why);
	code = is_served(why) ? CTL_YES : CTL_NO;
	json_decref(answer);
	return ctl_done(code);
}
