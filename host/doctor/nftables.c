#include <config.h>

#include "nftables.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16       /* the kernel's own limit to chains that call chains */
#define STEPS_MAX 1000000  /* rules looked at; beyond that nothing is known */

enum match { MATCH_NO, MATCH_MAYBE, MATCH_YES };
enum fate { FATE_NEXT, FATE_RETURN, FATE_ACCEPT, FATE_DROP };

struct walk {
	const struct firewall_packet *packet;
	json_t *rules; /* "FAMILY TABLE CHAIN": its rules */
	json_t *sets;  /* "FAMILY TABLE SET": the set */
	const char *table; /* "FAMILY TABLE" where we are */
	unsigned steps;
	bool maybe_accepted, maybe_dropped;
	char dropped_by[NFTABLES_PLACE_SIZE], maybe_by[NFTABLES_PLACE_SIZE];
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static enum match yes_or_no(bool yes)
{
	return yes ? MATCH_YES : MATCH_NO;
}

/* ---- values: one, a set of them, a range, or the name of a set ---- */

typedef enum match value_fits(const struct firewall_packet *packet, const json_t *value);

static enum match any_fits(const struct walk *walk, value_fits *fits, const json_t *value);

static enum match any_of(const struct walk *walk, value_fits *fits, const json_t *list)
{
	enum match best = MATCH_NO;

	for (size_t i = 0; i < json_array_size(list) && best != MATCH_YES; i++) {
		enum match one = any_fits(walk, fits, json_array_get(list, i));

		best = one > best ? one : best;
	}
	return best;
}

static enum match any_fits(const struct walk *walk, value_fits *fits, const json_t *value)
{
	const json_t *set = json_object_get(value, "set"), *element = json_object_get(json_object_get(value, "elem"), "val");
	const char *text = json_string_value(value);
	char name[NFTABLES_PLACE_SIZE];

	if (json_is_array(value))
		return any_of(walk, fits, value);
	if (set != NULL)
		return json_is_array(set) ? any_of(walk, fits, set) : any_fits(walk, fits, set);
	if (element != NULL) /* with a timeout, a counter or a comment */
		return any_fits(walk, fits, element);
	if (text == NULL || text[0] != '@')
		return fits(walk->packet, value);
	snprintf(name, sizeof name, "%s %s", walk->table, text + 1);
	set = json_object_get(walk->sets, name);
	return set != NULL ? any_of(walk, fits, json_object_get(set, "elem")) : MATCH_MAYBE;
}

static enum match port_fits(const struct firewall_packet *packet, const json_t *value)
{
	const json_t *range = json_object_get(value, "range");

	if (json_is_integer(value))
		return yes_or_no(json_integer_value(value) == packet->port);
	if (json_is_integer(json_array_get(range, 0)) && json_is_integer(json_array_get(range, 1)))
		return yes_or_no(json_integer_value(json_array_get(range, 0)) <= packet->port &&
		                 json_integer_value(json_array_get(range, 1)) >= packet->port);
	/* Services by name, as nft shows them when asked to. */
	if (json_is_string(value) && strcmp(json_string_value(value), "domain") == 0)
		return yes_or_no(packet->port == 53);
	if (json_is_string(value) && strcmp(json_string_value(value), "amqp") == 0)
		return yes_or_no(packet->port == 5672);
	return MATCH_MAYBE;
}

static enum match interface_fits(const struct firewall_packet *packet, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t length = text != NULL ? strlen(text) : 0;

	if (text == NULL)
		return MATCH_MAYBE;
	if (length > 0 && text[length - 1] == '*')
		return yes_or_no(strncmp(text, packet->interface, length - 1) == 0);
	return yes_or_no(strcmp(text, packet->interface) == 0);
}

static enum match protocol_fits(const struct firewall_packet *packet, const json_t *value)
{
	if (json_is_integer(value))
		return yes_or_no(json_integer_value(value) == (strcmp(packet->protocol, "tcp") == 0 ? 6 : 17));
	return json_is_string(value) ? yes_or_no(strcmp(json_string_value(value), packet->protocol) == 0) : MATCH_MAYBE;
}

static enum match is_ipv4(const struct firewall_packet *packet, const json_t *value)
{
	(void)packet;
	return json_is_string(value) ? yes_or_no(strcmp(json_string_value(value), "ipv4") == 0 || strcmp(json_string_value(value), "ip") == 0)
	                             : MATCH_MAYBE;
}

static enum match is_new(const struct firewall_packet *packet, const json_t *value)
{
	(void)packet;
	return json_is_string(value) ? yes_or_no(strcmp(json_string_value(value), "new") == 0) : MATCH_MAYBE;
}

/* It is for this host alone, and for an address of this host. */
static enum match is_local(const struct firewall_packet *packet, const json_t *value)
{
	static const char *const words[] = {"local", "host", "unicast"};

	(void)packet;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (json_is_string(value) && strcmp(json_string_value(value), words[i]) == 0)
			return MATCH_YES;
	return json_is_string(value) ? MATCH_NO : MATCH_MAYBE;
}

static enum match is_unknown(const struct firewall_packet *packet, const json_t *value)
{
	(void)packet;
	(void)value;
	return MATCH_MAYBE;
}


/* ---- what is compared ---- */

static value_fits *of_meta(const char *key)
{
	if (strcmp(key, "iifname") == 0 || strcmp(key, "iif") == 0)
		return interface_fits;
	if (strcmp(key, "l4proto") == 0)
		return protocol_fits;
	if (strcmp(key, "nfproto") == 0 || strcmp(key, "protocol") == 0)
		return is_ipv4;
	return strcmp(key, "pkttype") == 0 ? is_local : is_unknown;
}

/* other: it is about packets of another protocol, and whatever it says of them this packet is none. */
static value_fits *of_payload(const struct firewall_packet *packet, const json_t *payload, bool *other)
{
	const char *protocol = text_of(payload, "protocol"), *field = text_of(payload, "field");
	bool ports = strcmp(protocol, "tcp") == 0 || strcmp(protocol, "udp") == 0;

	*other = (ports && strcmp(protocol, packet->protocol) != 0) || strcmp(protocol, "ip6") == 0 || strncmp(protocol, "icmp", 4) == 0 ||
	         strcmp(protocol, "arp") == 0 || strcmp(protocol, "sctp") == 0;
	if ((ports || strcmp(protocol, "th") == 0) && strcmp(field, "dport") == 0)
		return port_fits;
	return strcmp(protocol, "ip") == 0 && strcmp(field, "protocol") == 0 ? protocol_fits : is_unknown;
}

static bool flags_have(const json_t *fib, const char *flag)
{
	const json_t *flags = json_object_get(fib, "flags");

	for (size_t i = 0; i < json_array_size(flags); i++)
		if (json_is_string(json_array_get(flags, i)) && strcmp(json_string_value(json_array_get(flags, i)), flag) == 0)
			return true;
	return json_is_string(flags) && strcmp(json_string_value(flags), flag) == 0;
}

static value_fits *of_left(const struct firewall_packet *packet, const json_t *left, bool *other)
{
	const json_t *meta = json_object_get(left, "meta"), *payload = json_object_get(left, "payload"), *fib = json_object_get(left, "fib");

	*other = false;
	if (meta != NULL)
		return of_meta(text_of(meta, "key"));
	if (payload != NULL)
		return of_payload(packet, payload, other);
	if (strcmp(text_of(json_object_get(left, "ct"), "key"), "state") == 0)
		return is_new;
	if (strcmp(text_of(fib, "result"), "type") == 0 && flags_have(fib, "daddr"))
		return is_local;
	return is_unknown;
}

static enum match match_fits(const struct walk *walk, const json_t *match)
{
	const char *operator = text_of(match, "op");
	bool other;
	value_fits *fits = of_left(walk->packet, json_object_get(match, "left"), &other);
	enum match result = other ? MATCH_NO : any_fits(walk, fits, json_object_get(match, "right"));

	if (other || result == MATCH_MAYBE || strcmp(operator, "==") == 0 || strcmp(operator, "in") == 0)
		return result;
	if (strcmp(operator, "!=") == 0)
		return result == MATCH_YES ? MATCH_NO : MATCH_YES;
	return MATCH_MAYBE; /* greater, less */
}

/* ---- rules ---- */

static enum fate walk_chain(struct walk *walk, const char *chain, unsigned depth);

/* A verdict, as a statement or in a verdict map. false: it is none. */
static bool take_verdict(struct walk *walk, const json_t *statement, unsigned depth, enum fate *fate)
{
	const json_t *jump = json_object_get(statement, "jump"), *go = json_object_get(statement, "goto");
	const char *target = text_of(jump != NULL ? jump : go, "target");

	*fate = FATE_NEXT;
	if (json_object_get(statement, "accept") != NULL)
		*fate = FATE_ACCEPT;
	else if (json_object_get(statement, "drop") != NULL || json_object_get(statement, "reject") != NULL)
		*fate = FATE_DROP;
	else if (json_object_get(statement, "return") != NULL)
		*fate = FATE_RETURN;
	else if ((jump != NULL || go != NULL) && depth < DEPTH_MAX)
		*fate = walk_chain(walk, target, depth + 1);
	else
		return false;
	/* A return in a chain that was called goes on behind the call; what was gone to returns to the caller's caller. */
	if (jump != NULL && *fate == FATE_RETURN)
		*fate = FATE_NEXT;
	if (go != NULL && *fate == FATE_NEXT)
		*fate = FATE_RETURN;
	return true;
}

static void remember_maybe(struct walk *walk, enum fate fate, const char *where)
{
	walk->maybe_accepted |= fate == FATE_ACCEPT || fate == FATE_RETURN;
	if (fate == FATE_DROP && !walk->maybe_dropped) {
		walk->maybe_dropped = true;
		snprintf(walk->maybe_by, sizeof walk->maybe_by, "%s", walk->dropped_by[0] != '\0' ? walk->dropped_by : where);
		walk->dropped_by[0] = '\0';
	}
}

static enum fate take_map(struct walk *walk, const json_t *map, enum match so_far, unsigned depth, const char *where)
{
	const json_t *data = json_object_get(json_object_get(map, "data"), "set");
	bool other;
	value_fits *fits = of_left(walk->packet, json_object_get(map, "key"), &other);

	for (size_t i = 0; i < json_array_size(data); i++) {
		const json_t *pair = json_array_get(data, i);
		enum match one = other ? MATCH_NO : any_fits(walk, fits, json_array_get(pair, 0));
		enum fate fate;

		one = one < so_far ? one : so_far;
		if (one == MATCH_NO || !take_verdict(walk, json_array_get(pair, 1), depth, &fate))
			continue;
		if (one == MATCH_YES)
			return fate;
		remember_maybe(walk, fate, where);
	}
	/* A map of its own, with a name: what is in it now need not be in it later. */
	if (!json_is_array(data) && !other)
		remember_maybe(walk, FATE_DROP, where);
	return FATE_NEXT;
}

/* What else may stand in a rule: whether it lets the packet go on to what follows. */
static enum match passes(const json_t *statement)
{
	static const char *const always[] = {"counter", "log", "mangle", "ct helper", "notrack", "set", "flow", "last"};
	const json_t *extension = json_object_get(statement, "xt");

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (json_object_get(statement, always[i]) != NULL)
			return MATCH_YES;
	if (extension != NULL && strcmp(text_of(extension, "name"), "comment") == 0)
		return MATCH_YES;
	return MATCH_MAYBE; /* limit, quota, xt and whatever comes */
}

/* What one statement does to a packet that comes to it. *all: whether the packet comes to the next. */
static enum fate walk_statement(struct walk *walk, const json_t *statement, enum match *all, unsigned depth, const char *where)
{
	const json_t *match = json_object_get(statement, "match"), *map = json_object_get(statement, "vmap");
	enum match one;
	enum fate fate;

	if (map != NULL)
		return take_map(walk, map, *all, depth, where);
	if (match == NULL && take_verdict(walk, statement, depth, &fate)) {
		if (*all == MATCH_YES)
			return fate;
		remember_maybe(walk, fate, where);
		return FATE_NEXT;
	}
	if (json_object_get(statement, "queue") != NULL) /* whatever listens there decides */
		remember_maybe(walk, FATE_DROP, where);
	one = match != NULL ? match_fits(walk, match) : passes(statement);
	*all = one < *all ? one : *all;
	return FATE_NEXT;
}

static enum fate walk_rule(struct walk *walk, const json_t *statements, unsigned depth, const char *where)
{
	enum match all = MATCH_YES;
	enum fate fate = FATE_NEXT;

	for (size_t i = 0; i < json_array_size(statements) && fate == FATE_NEXT && all != MATCH_NO; i++)
		fate = walk_statement(walk, json_array_get(statements, i), &all, depth, where);
	return fate;
}

static enum fate walk_chain(struct walk *walk, const char *chain, unsigned depth)
{
	char name[NFTABLES_PLACE_SIZE], where[NFTABLES_PLACE_SIZE];
	const json_t *rules;

	snprintf(name, sizeof name, "%s %s", walk->table, chain);
	rules = json_object_get(walk->rules, name);
	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i);
		enum fate fate;

		if (++walk->steps > STEPS_MAX) {
			remember_maybe(walk, FATE_DROP, "too many rules to follow");
			return FATE_NEXT;
		}
		snprintf(where, sizeof where, "the rule with handle %lld of %.200s", (long long)json_integer_value(json_object_get(rule, "handle")),
		         name);
		fate = walk_rule(walk, json_object_get(rule, "expr"), depth, where);
		if (fate == FATE_DROP && walk->dropped_by[0] == '\0')
			snprintf(walk->dropped_by, sizeof walk->dropped_by, "%s", where);
		if (fate != FATE_NEXT)
			return fate;
	}
	return FATE_NEXT;
}

/* ---- the whole ---- */

static enum firewall_verdict judge_chain(struct walk *walk, const json_t *chain, struct nftables_place *place)
{
	bool drops = strcmp(text_of(chain, "policy"), "drop") == 0;
	enum fate fate;

	walk->maybe_accepted = walk->maybe_dropped = false;
	walk->dropped_by[0] = '\0';
	fate = walk_chain(walk, text_of(chain, "name"), 0);
	if (fate != FATE_ACCEPT && fate != FATE_DROP)
		fate = drops ? FATE_DROP : FATE_ACCEPT;
	if (fate == FATE_ACCEPT && !walk->maybe_dropped)
		return FIREWALL_ACCEPTS;
	snprintf(place->chain, sizeof place->chain, "%.150s %.140s", walk->table, text_of(chain, "name"));
	if (fate == FATE_ACCEPT)
		snprintf(place->rule, sizeof place->rule, "%s", walk->maybe_by);
	else
		snprintf(place->rule, sizeof place->rule, "%s", walk->dropped_by[0] != '\0' ? walk->dropped_by : "policy drop");
	return fate == FATE_DROP && !walk->maybe_accepted ? FIREWALL_DROPS : FIREWALL_UNSURE;
}

/* Rules and sets by where they are, so that following them takes no search. */
static void sort_out(struct walk *walk, const json_t *all)
{
	char name[NFTABLES_PLACE_SIZE];

	for (size_t i = 0; i < json_array_size(all); i++) {
		json_t *rule = json_object_get(json_array_get(all, i), "rule"), *set = json_object_get(json_array_get(all, i), "set"), *list;

		if (set != NULL) {
			snprintf(name, sizeof name, "%s %s %s", text_of(set, "family"), text_of(set, "table"), text_of(set, "name"));
			json_object_set(walk->sets, name, set);
		}
		if (rule == NULL)
			continue;
		snprintf(name, sizeof name, "%s %s %s", text_of(rule, "family"), text_of(rule, "table"), text_of(rule, "chain"));
		list = json_object_get(walk->rules, name);
		if (list == NULL) {
			list = json_array();
			json_object_set_new(walk->rules, name, list);
		}
		json_array_append(list, rule);
	}
}

static bool is_in_the_way(const json_t *chain, bool without_iptables)
{
	const char *hook = text_of(chain, "hook"), *family = text_of(chain, "family");

	if (strcmp(text_of(chain, "type"), "filter") != 0 || (strcmp(hook, "input") != 0 && strcmp(hook, "prerouting") != 0) ||
	    (strcmp(family, "ip") != 0 && strcmp(family, "inet") != 0))
		return false;
	return !without_iptables || strcmp(family, "ip") != 0 || strcmp(text_of(chain, "table"), "filter") != 0 ||
	       strcmp(text_of(chain, "name"), "INPUT") != 0;
}

enum firewall_verdict nftables_input(const json_t *ruleset, const struct firewall_packet *packet, bool without_iptables,
                                     struct nftables_place *place)
{
	const json_t *all = json_object_get(ruleset, "nftables");
	struct walk walk = {.packet = packet, .rules = json_object(), .sets = json_object()};
	enum firewall_verdict verdict = FIREWALL_ACCEPTS;
	char table[NFTABLES_PLACE_SIZE];

	memset(place, 0, sizeof *place);
	sort_out(&walk, all);
	walk.table = table;
	for (size_t i = 0; i < json_array_size(all) && verdict != FIREWALL_DROPS; i++) {
		const json_t *chain = json_object_get(json_array_get(all, i), "chain");
		struct nftables_place here = {.chain = ""};
		enum firewall_verdict one;

		if (chain == NULL || !is_in_the_way(chain, without_iptables))
			continue;
		snprintf(table, sizeof table, "%s %s", text_of(chain, "family"), text_of(chain, "table"));
		one = judge_chain(&walk, chain, &here);
		if (one == FIREWALL_DROPS || (one == FIREWALL_UNSURE && verdict == FIREWALL_ACCEPTS)) {
			verdict = one;
			*place = here;
		}
	}
	json_decref(walk.rules);
	json_decref(walk.sets);
	return verdict;
}
