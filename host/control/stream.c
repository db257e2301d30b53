#include <config.h>

#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "registry/served.h"
#include "shared/clock.h"

void stream_begin(struct client *client, enum client_stream kind)
{
	client->stream = kind;
	client->snapshot_due = true;
	client->snapshot_ms = 0;
	client->lagged = false;
	client->told = 0;
}

int64_t stream_due_ms(const struct client *client)
{
	if (client->stream == CLIENT_NO_STREAM || client->broken)
		return CLOCK_NEVER;
	if (client->snapshot_due)
		return client_waiting(client) > 0 ? CLOCK_NEVER : client->snapshot_ms + (client->snapshot_ms != 0 ? STREAM_RELIST_MS : 0);
	return client->snapshot != NULL && client_waiting(client) < CLIENT_OUT_LOW ? 0 : CLOCK_NEVER;
}

/* ---- who is meant ---- */

static bool is_fqdn_matched(const char *pattern, const char *name, const char *domain)
{
	char fqdn[HOSTNAME_FQDN_SIZE];

	return hostname_join(name, domain, fqdn) == HOSTNAME_OK && hostname_matches(pattern, fqdn);
}

/* The name by itself, or with a domain that has it, or, if none does, that would take it. */
static bool name_matches(const char *pattern, const struct listing *listing, unsigned i, const struct policy *policy)
{
	const struct fact *fact = listing->fact;
	const char *name = i == 0 ? fact->name : fact->aliases[i - 1];
	uint32_t domains = served_domains(listing, i);
	size_t d;

	if (hostname_matches(pattern, name))
		return true;
	if (domains == 0)
		domains = policy_name_domains(policy, fact->user, name);
	for (d = 0; d < policy->ndomains; d++) {
		if ((domains >> d & 1) != 0 && is_fqdn_matched(pattern, name, policy->domains[d].name))
			return true;
	}
	return false;
}

static bool listing_matches(const char *pattern, const struct listing *listing, const struct policy *policy)
{
	unsigned i;

	if (pattern[0] == '\0')
		return true;
	for (i = 0; i <= listing->fact->naliases; i++) {
		if (name_matches(pattern, listing, i, policy))
			return true;
	}
	return false;
}

/* ---- the list ---- */

static bool leases_stand_still(const struct status_sources *sources)
{
	struct registry_counts counts;

	registry_count(sources->registry, &counts);
	return counts.resync == REGISTRY_OFFLINE;
}

static bool snapshot_add(void *arg, struct fact *fact)
{
	struct client *client = arg;

	client->snapshot[client->snapshot_size++] = fact->instance;
	return true;
}

static void snapshot_take(struct client *client, const struct status_sources *sources, int64_t now_ms)
{
	struct registry_counts counts;

	registry_count(sources->registry, &counts);
	free(client->snapshot);
	client->snapshot = malloc((counts.facts + 1) * sizeof *client->snapshot);
	if (client->snapshot == NULL) {
		client->broken = true;
		return;
	}
	client->snapshot_size = client->next = 0;
	client->snapshot_due = false;
	client->snapshot_ms = now_ms;
	registry_each(sources->registry, snapshot_add, client);
	if (client->stream == CLIENT_WATCHING)
		client_send(client, json_pack("{s:s, s:b}", "event", "list", "lagged", client->lagged), now_ms);
	client->lagged = false;
}

static void snapshot_end(struct client *client, const struct status_sources *sources, int64_t now_ms)
{
	free(client->snapshot);
	client->snapshot = NULL;
	if (client->stream == CLIENT_WATCHING) {
		client_send(client,
		            json_pack("{s:s, s:I, s:I}", "event", "live", "generation", (json_int_t)sources->generation, "served",
		                      (json_int_t)sources->served), now_ms);
		return;
	}
	client_send(client, json_pack("{s:b, s:I}", "ok", 1, "count", (json_int_t)client->told), now_ms);
	client->stream = CLIENT_NO_STREAM;
	client->idle_ms = now_ms;
}

static json_t *entry_line(const struct listing *listing, const struct status_sources *sources, struct status_clock clock, bool event)
{
	json_t *entry = status_entry_json(listing, sources->conf, leases_stand_still(sources), clock);

	if (!event)
		return json_pack("{s:o}", "entry", entry);
	return json_pack("{s:s, s:I, s:o}", "event", "entry", "generation", (json_int_t)sources->generation, "entry", entry);
}

static void snapshot_tell(struct client *client, const struct status_sources *sources, struct status_clock clock)
{
	const struct fact *fact = registry_find(sources->registry, &client->snapshot[client->next++]);
	const struct listing *listing = fact != NULL ? view_listing(fact) : NULL;

	if (listing == NULL || !listing_matches(client->pattern, listing, &sources->conf->policy))
		return;
	client_send(client, entry_line(listing, sources, clock, client->stream == CLIENT_WATCHING), clock.now_ms);
	client->told++;
}

void stream_step(struct client *client, const struct status_sources *sources, struct status_clock clock, unsigned *budget, bool *may_snapshot)
{
	if (stream_due_ms(client) > clock.now_ms)
		return;
	if (client->snapshot_due) {
		if (!*may_snapshot)
			return;
		*may_snapshot = false;
		snapshot_take(client, sources, clock.now_ms);
	}
	while (client->snapshot != NULL && *budget > 0 && client_waiting(client) < CLIENT_OUT_LOW && !client->broken) {
		if (client->next == client->snapshot_size) {
			snapshot_end(client, sources, clock.now_ms);
			return;
		}
		(*budget)--;
		snapshot_tell(client, sources, clock);
	}
}

/* ---- changes ---- */

void stream_overflowed(struct client *client)
{
	if (client->stream != CLIENT_WATCHING || client->snapshot_due)
		return;
	client->lagged = true;
	client->snapshot_due = true;
}

void stream_line(struct client *client, const char *text, int64_t now_ms)
{
	if (client->stream != CLIENT_WATCHING || client->snapshot_due)
		return;
	if (!client_send_text(client, text, strlen(text), now_ms))
		stream_overflowed(client);
}

/* It may have matched until now, by an alias that it does not have any more. */
static void stream_unmatched(struct client *client, const struct fact *fact, int64_t now_ms)
{
	char instance[IDENT_TEXT_SIZE];
	json_t *line;

	if (client->stream != CLIENT_WATCHING || client->snapshot_due)
		return;
	line = json_pack("{s:s, s:I, s:s, s:s, s:s}", "event", "gone", "generation", (json_int_t)0, "name", fact->name, "instance",
	                 ident_format(&fact->instance, instance), "why", "does not match");
	if (!client_send(client, line, now_ms))
		stream_overflowed(client);
}

void stream_entry(struct client *client, const struct listing *listing, const struct conf *conf, const char *text, int64_t now_ms)
{
	if (listing_matches(client->pattern, listing, &conf->policy))
		stream_line(client, text, now_ms);
	else
		stream_unmatched(client, listing->fact, now_ms);
}

char *stream_entry_text(const struct listing *listing, const struct status_sources *sources, struct status_clock clock)
{
	json_t *line = entry_line(listing, sources, clock, true);
	char *text = line != NULL ? json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15)) : NULL;

	json_decref(line);
	return text;
}
