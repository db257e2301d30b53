#include <config.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "page_parts.h"
#include "registry/served.h"
#include "shared/log.h"
#include "status/neighbours.h"

struct search {
	char pattern[PAGE_SEARCH_MAX + 3];
	bool valid;
	const struct listing *rows[PAGE_ROWS];
	size_t nrows, found;
};

static void search_prepare(struct search *search, const char *text)
{
	char folded[PAGE_SEARCH_MAX + 1];
	size_t i, length = text != NULL ? strlen(text) : 0;

	search->valid = length <= PAGE_SEARCH_MAX;
	if (!search->valid || length == 0)
		return;
	for (i = 0; i < length; i++)
		folded[i] = (char)tolower((unsigned char)text[i]);
	folded[length] = '\0';
	snprintf(search->pattern, sizeof search->pattern, strpbrk(folded, "*?") != NULL ? "%s" : "*%s*", folded);
}

static bool search_matches(const struct search *search, const struct fact *fact)
{
	char address[ADDRESS_TEXT_SIZE];
	unsigned i;

	if (search->pattern[0] == '\0' || hostname_matches(search->pattern, fact->name))
		return true;
	for (i = 0; i < fact->naliases; i++) {
		if (hostname_matches(search->pattern, fact->aliases[i]))
			return true;
	}
	for (i = 0; i < fact->naddresses; i++) {
		if (hostname_matches(search->pattern, address_format(&fact->addresses[i], address)))
			return true;
	}
	return false;
}

static bool search_visit(void *arg, struct fact *fact)
{
	struct search *search = arg;
	const struct listing *listing = view_listing(fact);

	if (listing == NULL || !search_matches(search, fact))
		return true;
	if (search->nrows < PAGE_ROWS)
		search->rows[search->nrows++] = listing;
	search->found++;
	return true;
}

static int compare_rows(const void *a, const void *b)
{
	const struct fact *one = (*(const struct listing *const *)a)->fact, *other = (*(const struct listing *const *)b)->fact;
	int order = strcmp(one->name, other->name);

	return order != 0 ? order : ident_compare(&one->instance, &other->instance);
}

static void write_aliases_and_user(const struct fact *fact, FILE *out)
{
	char user[LOG_SAFE_MAX];
	unsigned i;

	if (fact->naliases > 0)
		fputs("<small>also ", out);
	for (i = 0; i < fact->naliases; i++) {
		fputs(i > 0 ? ", " : "", out);
		page_escape(out, fact->aliases[i]);
	}
	fputs(fact->naliases > 0 ? "</small>" : "", out);
	if (fact->user[0] == '\0')
		return;
	fputs("<small>by ", out);
	page_escape(out, log_safe(user, sizeof user, fact->user, strlen(fact->user)));
	fputs("</small>", out);
}

static const char *state_class(enum status_state state)
{
	if (state == STATUS_CONFIRMED)
		return "good";
	return state == STATUS_FORBIDDEN || state == STATUS_LOST ? "bad" : "poor";
}

/* The first domain that it is in, or would be; the others in small letters. */
static void write_domains(const struct listing *listing, const struct policy *policy, FILE *out)
{
	uint32_t domains = served_anywhere(listing);
	int first = served_first(domains);
	size_t i;

	if (policy->ndomains == 0)
		return;
	if (first < 0)
		first = 0;
	page_escape(out, policy->domains[first].name);
	fputs("</span>", out);
	for (i = (size_t)first + 1; i < policy->ndomains; i++) {
		if ((domains >> i & 1) == 0)
			continue;
		fputs("<small>and .", out);
		page_escape(out, policy->domains[i].name);
		fputs("</small>", out);
	}
}

/* Who else has its addresses. */
struct others {
	FILE *out;
	unsigned count;
	enum neighbour last;
};

#define OTHERS_MAX 4

static bool write_other(void *arg, enum neighbour how, const struct fact *other, const struct address *address)
{
	static const char *const words[] = {
		[NEIGHBOUR_SHARES] = "shares its network with ", [NEIGHBOUR_AWAY] = "also on another host: ", [NEIGHBOUR_HOLDS] = "now that of "};
	struct others *others = arg;

	(void)address;
	if (others->count == OTHERS_MAX) {
		fputs(" …", others->out);
		return false;
	}
	if (others->count > 0 && others->last == how)
		fputs(", ", others->out);
	else
		fprintf(others->out, "%s<small>%s", others->count > 0 ? "</small>" : "", words[how]);
	page_escape(others->out, other->name);
	others->last = how;
	others->count++;
	return true;
}

static void write_others(const struct listing *listing, const struct status_sources *sources, FILE *out)
{
	struct others others = {.out = out};

	neighbours_each(sources->view, listing, write_other, &others);
	if (others.count > 0)
		fputs("</small>", out);
}

/* What the emitter says that it is: which containers carry an old one. */
static void write_agent(const struct fact *fact, FILE *out)
{
	const char *agent = fact_agent(fact);

	if (agent == NULL)
		return;
	fputs("<small>", out);
	page_escape(out, agent);
	fputs("</small>", out);
}

static void write_row(const struct listing *listing, const struct status_sources *sources, int64_t now_ms, FILE *out)
{
	enum status_state state = status_listing_state(listing, &sources->conf->policy);
	const struct fact *fact = listing->fact;
	char address[ADDRESS_TEXT_SIZE];
	unsigned i;

	fputs("<tr><th scope=\"row\">", out);
	page_escape(out, fact->name);
	fputs("<span>.", out);
	write_domains(listing, &sources->conf->policy, out);
	write_aliases_and_user(fact, out);
	write_agent(fact, out);
	fputs("</th><td>", out);
	for (i = 0; i < fact->naddresses; i++) {
		fputs(i > 0 ? "<br>" : "", out);
		page_escape(out, address_format(&fact->addresses[i], address));
	}
	for (i = 0; i < fact->nports; i++) {
		fputs(i > 0 ? ", " : "<small>", out);
		page_escape(out, fact->ports[i].name);
		fprintf(out, " %u%s", (unsigned)fact->ports[i].port, i + 1U == fact->nports ? "</small>" : "");
	}
	write_others(listing, sources, out);
	fprintf(out, "</td><td><span class=\"%s\">%s</span><small>for ", state_class(state), status_state_word(state));
	page_duration(out, now_ms - fact->since_ms);
	fputs("</small></td></tr>\n", out);
}

static void write_caption(const struct search *search, size_t all, FILE *out)
{
	fputs("<caption>", out);
	if (search->found < all)
		fprintf(out, "%zu of %zu announcements", search->found, all);
	else
		fprintf(out, "%zu %s", all, all == 1 ? "announcement" : "announcements");
	if (search->found > search->nrows)
		fprintf(out, "; %zu are shown: look for fewer", search->nrows);
	fputs("</caption>\n", out);
}

void page_names(const struct status_sources *sources, const struct metrics *metrics, const char *text, FILE *out)
{
	struct search search = {.nrows = 0};
	size_t i;

	search_prepare(&search, text);
	if (search.valid)
		registry_each(sources->registry, search_visit, &search);
	qsort(search.rows, search.nrows, sizeof *search.rows, compare_rows);
	fputs("<section id=\"names\" aria-label=\"Names\">\n", out);
	if (search.found == 0) {
		fputs(metrics->status.registry.facts == 0 ? "<p>No container has announced itself yet.</p>\n" : "<p>No name is like that.</p>\n", out);
	} else {
		fputs("<table>\n", out);
		write_caption(&search, metrics->status.registry.facts, out);
		fputs("<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Addresses</th><th scope=\"col\">State</th></tr></thead>\n<tbody>\n",
		      out);
		for (i = 0; i < search.nrows; i++)
			write_row(search.rows[i], sources, metrics->status.clock.now_ms, out);
		fputs("</tbody></table>\n", out);
	}
	fputs("</section>\n", out);
}
