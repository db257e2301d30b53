#include <config.h>

#include "firewall.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 2048
#define DEPTH_MAX 32 /* chains that call chains */

enum match { MATCH_NO, MATCH_MAYBE, MATCH_YES };
enum fate { FATE_NEXT, FATE_RETURN, FATE_ACCEPT, FATE_DROP };

struct walk {
	const char *rules;
	const struct firewall_packet *packet;
	char *rule;
	size_t size;
	bool maybe_accepted, maybe_dropped;
	char maybe[LINE_SIZE]; /* the rule that might drop it */
};

/* ---- one rule ---- */

/* The next word of a rule, quotes taken off; NULL at the end. */
static char *next_word(char **at)
{
	char *word = *at + strspn(*at, " ");
	char end = ' ';

	if (*word == '\0')
		return NULL;
	if (*word == '"') {
		word++;
		end = '"';
	}
	*at = strchr(word, end);
	if (*at == NULL)
		*at = word + strlen(word);
	else
		*(*at)++ = '\0';
	return word;
}

static bool interface_fits(const char *pattern, const char *interface)
{
	size_t length = strlen(pattern);

	if (length > 0 && pattern[length - 1] == '+')
		return strncmp(pattern, interface, length - 1) == 0;
	return strcmp(pattern, interface) == 0;
}

/* 53, 50:60, or a list of such. */
static bool port_fits(const char *text, unsigned port)
{
	while (*text != '\0') {
		char *end;
		unsigned long low = strtoul(text, &end, 10), high = low;

		if (*end == ':')
			high = end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, &end, 10) : 65535;
		if (port >= low && port <= high)
			return true;
		end += strcspn(end, ",");
		text = *end == ',' ? end + 1 : end;
	}
	return false;
}

static bool states_have_new(const char *text)
{
	for (const char *at = text; at != NULL; at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, "NEW", 3) == 0 && (at[3] == ',' || at[3] == '\0'))
			return true;
	return false;
}

static enum match yes_or_no(bool yes, bool negated)
{
	return yes != negated ? MATCH_YES : MATCH_NO;
}

/* One condition, its value taken off *at. */
static enum match condition(const struct firewall_packet *packet, const char *option, char **at, bool negated)
{
	const char *value = next_word(at);

	if (value == NULL)
		return MATCH_MAYBE;
	if (strcmp(option, "-m") == 0 || strcmp(option, "--comment") == 0)
		return MATCH_YES;
	if (strcmp(option, "-i") == 0)
		return yes_or_no(interface_fits(value, packet->interface), negated);
	if (strcmp(option, "-p") == 0)
		return yes_or_no(strcmp(value, packet->protocol) == 0 || strcmp(value, "all") == 0, negated);
	if (strcmp(option, "--dport") == 0 || strcmp(option, "--dports") == 0)
		return yes_or_no(port_fits(value, packet->port), negated);
	if (strcmp(option, "--ctstate") == 0 || strcmp(option, "--state") == 0)
		return yes_or_no(states_have_new(value), negated);
	return MATCH_MAYBE;
}

/* What follows "-A CHAIN ". target: points into text, or NULL. */
static enum match match_rule(const struct firewall_packet *packet, char *text, const char **target, bool *is_goto)
{
	enum match all = MATCH_YES;
	bool negated = false;
	char *word;

	*target = NULL;
	*is_goto = false;
	while ((word = next_word(&text)) != NULL) {
		enum match one = MATCH_YES;

		if (strcmp(word, "!") == 0) {
			negated = true;
			continue;
		}
		if (strcmp(word, "-j") == 0 || strcmp(word, "-g") == 0) {
			*is_goto = word[1] == 'g';
			*target = next_word(&text);
			break; /* what follows are the target's options */
		}
		one = condition(packet, word, &text, negated);
		negated = false;
		all = one < all ? one : all;
	}
	return all;
}

/* ---- chains ---- */

static bool next_line(const char **at, char line[LINE_SIZE])
{
	size_t length = strcspn(*at, "\n");

	if (**at == '\0')
		return false;
	snprintf(line, LINE_SIZE, "%.*s", (int)(length < LINE_SIZE ? length : LINE_SIZE - 1), *at);
	*at += length + ((*at)[length] == '\n');
	return true;
}

static enum fate walk_chain(struct walk *walk, const char *chain, unsigned depth);

static enum fate take_target(struct walk *walk, const char *target, unsigned depth)
{
	if (strcmp(target, "ACCEPT") == 0)
		return FATE_ACCEPT;
	if (strcmp(target, "DROP") == 0 || strcmp(target, "REJECT") == 0)
		return FATE_DROP;
	if (strcmp(target, "RETURN") == 0)
		return FATE_RETURN;
	return depth < DEPTH_MAX ? walk_chain(walk, target, depth + 1) : FATE_NEXT;
}

static void remember_maybe(struct walk *walk, enum fate fate, const char *line)
{
	walk->maybe_accepted |= fate == FATE_ACCEPT || fate == FATE_RETURN;
	if (fate == FATE_DROP && !walk->maybe_dropped) {
		walk->maybe_dropped = true;
		snprintf(walk->maybe, sizeof walk->maybe, "%s", line);
	}
}

static enum fate walk_chain(struct walk *walk, const char *chain, unsigned depth)
{
	char line[LINE_SIZE], copy[LINE_SIZE], head[128];
	const char *at = walk->rules, *target;
	bool is_goto;

	snprintf(head, sizeof head, "-A %.100s ", chain);
	while (next_line(&at, line)) {
		enum fate fate;
		enum match match;

		if (strncmp(line, head, strlen(head)) != 0)
			continue;
		snprintf(copy, sizeof copy, "%s", line + strlen(head));
		match = match_rule(walk->packet, copy, &target, &is_goto);
		if (match == MATCH_NO || target == NULL)
			continue;
		fate = take_target(walk, target, depth);
		if (match == MATCH_MAYBE) {
			remember_maybe(walk, fate, line);
			continue;
		}
		/* A RETURN in a chain that was called goes on with the rule behind the call. */
		if (fate == FATE_RETURN && strcmp(target, "RETURN") != 0)
			fate = FATE_NEXT;
		if (fate == FATE_NEXT && !is_goto)
			continue;
		if (walk->rule[0] == '\0' && fate == FATE_DROP)
			snprintf(walk->rule, walk->size, "%s", line);
		return fate == FATE_NEXT ? FATE_RETURN : fate;
	}
	return FATE_NEXT;
}

static enum fate policy(struct walk *walk)
{
	const char *line = strstr(walk->rules, ":INPUT ");

	if (line == NULL || strncmp(line, ":INPUT DROP", strlen(":INPUT DROP")) != 0)
		return FATE_ACCEPT;
	snprintf(walk->rule, walk->size, "-P INPUT DROP");
	return FATE_DROP;
}

enum firewall_verdict firewall_input(const char *rules, const struct firewall_packet *packet, char *rule, size_t size)
{
	struct walk walk = {.rules = rules, .packet = packet, .rule = rule, .size = size};
	enum fate fate;

	rule[0] = '\0';
	fate = walk_chain(&walk, "INPUT", 0);
	if (fate != FATE_ACCEPT && fate != FATE_DROP)
		fate = policy(&walk);
	if (fate == FATE_DROP)
		return walk.maybe_accepted ? FIREWALL_UNSURE : FIREWALL_DROPS;
	if (!walk.maybe_dropped)
		return FIREWALL_ACCEPTS;
	snprintf(rule, size, "%s", walk.maybe);
	return FIREWALL_UNSURE;
}
