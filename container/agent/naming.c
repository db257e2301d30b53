#include <config.h>

#include "naming.h"

#include <stdio.h>
#include <string.h>

#include "shared/log.h"

#define ID_SHOWN 12 /* what engines make a hostname of: so many digits of the id */

static const char *text_in(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL && text[0] != '\0' ? text : NULL;
}

static const char *env_of(const struct naming_facts *facts, const char *name)
{
	size_t length = strlen(name), i = json_array_size(facts->env);

	/* Where a variable is there twice the last one counts, as a runtime has it. */
	while (i-- > 0) {
		const char *entry = json_string_value(json_array_get(facts->env, i));

		if (entry != NULL && strncmp(entry, name, length) == 0 && entry[length] == '=')
			return entry[length + 1] != '\0' ? entry + length + 1 : NULL;
	}
	return NULL;
}

/* What somebody said of this container: who ran it (an annotation, a label), or the variable, which an image may have, too. */
static const char *said(const struct naming_facts *facts, const char *key, const char *variable)
{
	const char *text = text_in(facts->annotations, key);

	if (text == NULL)
		text = text_in(facts->labels, key);
	return text != NULL ? text : env_of(facts, variable);
}

/* ---- templates ---- */

static bool is_short_id(const char *hostname)
{
	return strlen(hostname) == ID_SHOWN && strspn(hostname, "0123456789abcdef") == ID_SHOWN;
}

/*
 * An engine gives a container without a hostname its own id for one, one on the host's network the host's, and one on another container's network that
 * one's, which may be an id, too.
 */
static const char *chosen_hostname(const struct naming_facts *facts)
{
	const char *hostname = facts->hostname;
	size_t length;

	if (!facts->own_hostname || hostname == NULL || hostname[0] == '\0')
		return NULL;
	length = strlen(hostname);
	if (facts->joins_network && is_short_id(hostname))
		return NULL;
	return length >= ID_SHOWN && facts->id != NULL && strncmp(facts->id, hostname, length) == 0 ? NULL : hostname;
}

static const char *value_of(const struct naming_facts *facts, const char *variable)
{
	if (strcmp(variable, "hostname") == 0)
		return chosen_hostname(facts);
	if (strcmp(variable, "container") == 0)
		return facts->container;
	if (strncmp(variable, "label:", 6) == 0) {
		const char *label = text_in(facts->labels, variable + 6);

		return label != NULL ? label : text_in(facts->annotations, variable + 6);
	}
	return env_of(facts, variable + strlen("env:"));
}

static bool is_variable(const char *name)
{
	return strcmp(name, "hostname") == 0 || strcmp(name, "container") == 0 || (strncmp(name, "label:", 6) == 0 && name[6] != '\0') ||
	       (strncmp(name, "env:", 4) == 0 && name[4] != '\0');
}

/* {VARIABLE} or {VARIABLE:-OTHERWISE}, behind the brace: the text behind it, or NULL if it is none. */
static const char *read_variable(const char *at, char variable[NAMING_TEXT_MAX], const char **otherwise)
{
	const char *end = strchr(at, '}');
	char *dash;

	if (end == NULL || (size_t)(end - at) >= NAMING_TEXT_MAX)
		return NULL;
	memcpy(variable, at, (size_t)(end - at));
	variable[end - at] = '\0';
	dash = strstr(variable, ":-");
	*otherwise = dash != NULL ? dash + 2 : NULL;
	if (dash != NULL)
		*dash = '\0';
	return is_variable(variable) ? end + 1 : NULL;
}

const char *naming_check_template(const char *text)
{
	char variable[NAMING_TEXT_MAX];
	const char *otherwise;

	if (text[0] == '\0')
		return "it is empty";
	if (strlen(text) >= NAMING_TEXT_MAX)
		return "it is longer than 511 bytes";
	while ((text = strpbrk(text, "{}")) != NULL) {
		if (*text == '}' || (text = read_variable(text + 1, variable, &otherwise)) == NULL)
			return "variables are {hostname}, {container}, {label:NAME} and {env:NAME}, each with :-DEFAULT if wanted";
	}
	return NULL;
}

enum filled { FILLED, FILLED_MISSING, FILLED_WRONG };

static enum filled add_text(char out[NAMING_TEXT_MAX], const char *text, size_t length, char reason[NAMING_REASON_SIZE])
{
	size_t used = strlen(out);

	if (used + length >= NAMING_TEXT_MAX) {
		snprintf(reason, NAMING_REASON_SIZE, "the name is too long");
		return FILLED_WRONG;
	}
	memcpy(out + used, text, length);
	out[used + length] = '\0';
	return FILLED;
}

static enum filled fill_in(const struct naming_facts *facts, const char *text, char out[NAMING_TEXT_MAX], char reason[NAMING_REASON_SIZE])
{
	enum filled result = FILLED;

	out[0] = '\0';
	while (*text != '\0' && result == FILLED) {
		char variable[NAMING_TEXT_MAX];
		size_t plain = strcspn(text, "{");
		const char *otherwise, *value;

		result = add_text(out, text, plain, reason);
		text += plain;
		if (*text == '\0' || result != FILLED)
			break;
		text = read_variable(text + 1, variable, &otherwise);
		if (text == NULL) {
			snprintf(reason, NAMING_REASON_SIZE, "what is in braces is no variable");
			return FILLED_WRONG;
		}
		value = value_of(facts, variable);
		value = value != NULL ? value : otherwise;
		if (value == NULL)
			return FILLED_MISSING;
		result = add_text(out, value, strlen(value), reason);
	}
	return result;
}

static enum filled make_name(const struct naming_facts *facts, const char *text, char out[HOSTNAME_NAME_SIZE], char reason[NAMING_REASON_SIZE])
{
	char filled[NAMING_TEXT_MAX], shown[LOG_SAFE_MAX];
	enum filled result = fill_in(facts, text, filled, reason);
	enum hostname_error error;

	if (result != FILLED)
		return result;
	error = hostname_fold(filled, strlen(filled), out);
	if (error == HOSTNAME_OK && hostname_is_localhost(out))
		error = HOSTNAME_LOCALHOST;
	if (error == HOSTNAME_OK)
		return FILLED;
	snprintf(reason, NAMING_REASON_SIZE, "the name %s: %s", log_safe(shown, sizeof(shown), filled, strlen(filled)), hostname_error_text(error));
	return FILLED_WRONG;
}

/* ---- name, aliases, ports ---- */

static bool has_name(const struct naming *naming, const char *name)
{
	if (strcmp(naming->name, name) == 0)
		return true;
	for (unsigned i = 0; i < naming->naliases; i++) {
		if (strcmp(naming->aliases[i], name) == 0)
			return true;
	}
	return false;
}

static bool add_name(struct naming *naming, const char *name)
{
	if (naming->name[0] == '\0')
		memcpy(naming->name, name, strlen(name) + 1);
	else if (!has_name(naming, name) && naming->naliases < ANNOUNCEMENT_ALIASES_MAX)
		memcpy(naming->aliases[naming->naliases++], name, strlen(name) + 1);
	else
		return has_name(naming, name);
	return true;
}

/* What is wrong with an alias that a rule makes of an odd label must not cost the name that people gave. */
static enum naming_verdict by_rules(const struct naming_rules *rules, const struct naming_facts *facts, struct naming *out,
                                    char reason[NAMING_REASON_SIZE])
{
	char name[HOSTNAME_NAME_SIZE];
	bool wrong = false;

	for (size_t i = 0; i < rules->nnames; i++) {
		switch (make_name(facts, rules->names[i], name, reason)) {
		case FILLED:
			add_name(out, name);
			break;
		case FILLED_WRONG:
			wrong = true;
			break;
		case FILLED_MISSING:
			break;
		}
	}
	if (out->name[0] != '\0') {
		reason[0] = '\0';
		return NAMING_NAMED;
	}
	if (wrong)
		return NAMING_WRONG;
	snprintf(reason, NAMING_REASON_SIZE, "nobody gave it a name");
	return NAMING_NONE;
}

static enum naming_verdict choose_name(const struct naming_rules *rules, const struct naming_facts *facts, struct naming *out,
                                       char reason[NAMING_REASON_SIZE])
{
	const char *text = said(facts, "callsign.name", "CALLSIGN_NAME");
	char name[HOSTNAME_NAME_SIZE];

	if (text == NULL)
		return by_rules(rules, facts, out, reason);
	switch (make_name(facts, text, name, reason)) {
	case FILLED:
		add_name(out, name);
		return NAMING_NAMED;
	case FILLED_MISSING:
		snprintf(reason, NAMING_REASON_SIZE, "a variable in its callsign.name or CALLSIGN_NAME has no value");
		return NAMING_WRONG;
	default:
		return NAMING_WRONG;
	}
}

static size_t next_item(const char **list, char item[NAMING_TEXT_MAX])
{
	const char *from = *list + strspn(*list, ", \t");
	size_t length = strcspn(from, ","), kept = length;

	while (kept > 0 && (from[kept - 1] == ' ' || from[kept - 1] == '\t'))
		kept--;
	*list = from + length;
	if (kept >= NAMING_TEXT_MAX)
		kept = NAMING_TEXT_MAX - 1; /* longer than any name: it is refused as one */
	memcpy(item, from, kept);
	item[kept] = '\0';
	return kept;
}

static enum naming_verdict add_aliases(const struct naming_facts *facts, struct naming *out, char reason[NAMING_REASON_SIZE])
{
	const char *list = said(facts, "callsign.aliases", "CALLSIGN_ALIASES");
	char item[NAMING_TEXT_MAX], name[HOSTNAME_NAME_SIZE];

	while (list != NULL && next_item(&list, item) > 0) {
		switch (make_name(facts, item, name, reason)) {
		case FILLED:
			break;
		case FILLED_MISSING:
			snprintf(reason, NAMING_REASON_SIZE, "a variable in its callsign.aliases or CALLSIGN_ALIASES has no value");
			return NAMING_WRONG;
		default:
			return NAMING_WRONG;
		}
		if (!add_name(out, name)) {
			snprintf(reason, NAMING_REASON_SIZE, "more than %d aliases", ANNOUNCEMENT_ALIASES_MAX);
			return NAMING_WRONG;
		}
	}
	return NAMING_NAMED;
}

static const char *add_port(struct naming *out, const char *item)
{
	struct announcement_port port;
	const char *equals = strchr(item, '='), *fault;

	if (equals == NULL)
		return "NAME=NUMBER is expected";
	fault = announcement_port_name(item, (size_t)(equals - item), port.name);
	if (fault != NULL)
		return fault;
	port.port = announcement_port_number(equals + 1, strlen(equals + 1));
	return port.port == 0 ? "the number is none from 1 to 65535" : announcement_port_add(out->ports, &out->nports, &port);
}

static enum naming_verdict add_ports(const struct naming_facts *facts, struct naming *out, char reason[NAMING_REASON_SIZE])
{
	const char *list = said(facts, "callsign.ports", "CALLSIGN_PORTS"), *fault;
	char item[NAMING_TEXT_MAX], shown[LOG_SAFE_MAX];

	while (list != NULL && next_item(&list, item) > 0) {
		fault = add_port(out, item);
		if (fault == NULL)
			continue;
		snprintf(reason, NAMING_REASON_SIZE, "the port %s: %s", log_safe(shown, sizeof(shown), item, strlen(item)), fault);
		return NAMING_WRONG;
	}
	return NAMING_NAMED;
}

/* ---- whether ---- */

static bool matches_any(char *const *patterns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (hostname_matches(patterns[i], name))
			return true;
	}
	return false;
}

static const char *why_not(const struct naming_facts *facts)
{
	const char *text = said(facts, "callsign", "CALLSIGN");

	if (text != NULL && (strcmp(text, "off") == 0 || strcmp(text, "no") == 0 || strcmp(text, "false") == 0))
		return "switched off by callsign or CALLSIGN";
	if (env_of(facts, "CALLSIGN_URLS") != NULL)
		return "it has CALLSIGN_URLS: it announces itself";
	return NULL;
}

static const char *why_not_name(const struct naming_rules *rules, const char *name)
{
	if (rules->ninclude > 0 && !matches_any(rules->include, rules->ninclude, name))
		return "in none of the patterns of include";
	return matches_any(rules->exclude, rules->nexclude, name) ? "in a pattern of exclude" : NULL;
}

/* What may not be the name may not be an alias either, or an image could give itself in that way what policy keeps from it. */
static void drop_aliases(const struct naming_rules *rules, struct naming *naming, char reason[NAMING_REASON_SIZE])
{
	unsigned kept = 0;

	for (unsigned i = 0; i < naming->naliases; i++) {
		const char *why = why_not_name(rules, naming->aliases[i]);

		if (why != NULL)
			snprintf(reason, NAMING_REASON_SIZE, "without the alias %s: %s", naming->aliases[i], why);
		else if (kept++ != i)
			memcpy(naming->aliases[kept - 1], naming->aliases[i], sizeof(naming->aliases[i]));
	}
	memset(naming->aliases[kept], 0, (naming->naliases - kept) * sizeof(naming->aliases[0]));
	naming->naliases = kept;
}

enum naming_verdict naming_decide(const struct naming_rules *rules, const struct naming_facts *facts, struct naming *out,
                                  char reason[NAMING_REASON_SIZE])
{
	const char *why = why_not(facts);
	enum naming_verdict verdict = NAMING_NONE;

	memset(out, 0, sizeof(*out));
	reason[0] = '\0';
	if (why == NULL)
		verdict = choose_name(rules, facts, out, reason);
	if (why == NULL && verdict == NAMING_NAMED && (why = why_not_name(rules, out->name)) != NULL)
		verdict = NAMING_NONE;
	if (verdict == NAMING_NAMED)
		verdict = add_aliases(facts, out, reason);
	if (verdict == NAMING_NAMED)
		verdict = add_ports(facts, out, reason);
	if (verdict == NAMING_NAMED)
		drop_aliases(rules, out, reason);
	if (why != NULL)
		snprintf(reason, NAMING_REASON_SIZE, "%s", why);
	return verdict;
}
