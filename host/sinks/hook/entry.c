#include <config.h>

#include "entry.h"

#include <string.h>
#include <time.h>

#include "registry/served.h"
#include "shared/log.h"

void hook_entry_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

void hook_entry_item(struct hook_list *list, const char *text)
{
	if (list->some)
		putc(',', list->out);
	list->some = true;
	hook_entry_string(list->out, text);
}

static bool put_served(void *arg, const struct served *served)
{
	hook_entry_item(arg, served->fqdn);
	return true;
}

static void put_fqdns(FILE *out, const struct listing *listing, const struct policy *policy)
{
	struct hook_list list = {.out = out};

	fputs(",\"fqdns\":[", out);
	served_each(policy, listing, put_served, &list);
	putc(']', out);
}

static void put_fqdn(FILE *out, const struct listing *listing, const struct policy *policy)
{
	int domain = served_first(served_domains(listing, 0));
	char fqdn[HOSTNAME_FQDN_SIZE];

	fputs(",\"fqdn\":", out);
	if (domain != -1 && hostname_join(listing->fact->name, policy->domains[domain].name, fqdn) == HOSTNAME_OK)
		hook_entry_string(out, fqdn);
	else
		fputs("null", out);
}

/* A bit for each of fact's. */
static void put_addresses(FILE *out, const struct fact *fact, uint32_t addresses)
{
	struct hook_list list = {.out = out};
	char text[ADDRESS_TEXT_SIZE];

	putc('[', out);
	for (unsigned i = 0; i < fact->naddresses; i++)
		if ((addresses >> i & 1) != 0)
			hook_entry_item(&list, address_format(&fact->addresses[i], text));
	putc(']', out);
}

static uint32_t all_addresses(const struct listing *listing)
{
	uint32_t domains = served_anywhere(listing), addresses = 0;

	for (unsigned i = 0; i < POLICY_DOMAINS_MAX; i++)
		if ((domains >> i & 1) != 0)
			addresses |= served_addresses(listing, i);
	return addresses;
}

/* Which addresses there are in each domain in which it is served. */
static void put_domains(FILE *out, const struct listing *listing, const struct policy *policy)
{
	uint32_t domains = served_anywhere(listing);
	struct hook_list list = {.out = out};

	fputs(",\"domains\":{", out);
	for (unsigned i = 0; i < policy->ndomains; i++) {
		if ((domains >> i & 1) == 0)
			continue;
		hook_entry_item(&list, policy->domains[i].name);
		putc(':', out);
		put_addresses(out, listing->fact, served_addresses(listing, i));
	}
	putc('}', out);
}

static void put_aliases(FILE *out, const struct listing *listing)
{
	struct hook_list list = {.out = out};

	fputs(",\"aliases\":[", out);
	for (unsigned i = 0; i < listing->fact->naliases; i++)
		if (served_domains(listing, i + 1) != 0)
			hook_entry_item(&list, listing->fact->aliases[i]);
	putc(']', out);
}

static void put_ports(FILE *out, const struct fact *fact)
{
	struct hook_list list = {.out = out};

	fputs(",\"ports\":{", out);
	for (unsigned i = 0; i < fact->nports; i++) {
		hook_entry_item(&list, fact->ports[i].name);
		fprintf(out, ":%u", (unsigned)fact->ports[i].port);
	}
	putc('}', out);
}

/* RFC 3339 in UTC. */
static void put_time(FILE *out, const char *key, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	char text[32] = "";
	struct tm parts;

	if (gmtime_r(&seconds, &parts) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	fprintf(out, ",\"%s\":", key);
	hook_entry_string(out, text);
}

void hook_entry_write(FILE *out, const struct listing *listing, const struct policy *policy, int64_t since_wall_ms)
{
	const struct fact *fact = listing->fact;
	char user[4 * POLICY_USER_MAX + 1], ident[IDENT_TEXT_SIZE];

	fputs("{\"name\":", out);
	hook_entry_string(out, fact->name);
	put_fqdn(out, listing, policy);
	put_fqdns(out, listing, policy);
	fputs(",\"addresses\":", out);
	put_addresses(out, fact, all_addresses(listing));
	put_domains(out, listing, policy);
	put_aliases(out, listing);
	put_ports(out, fact);
	fputs(",\"user\":", out);
	hook_entry_string(out, log_safe(user, sizeof(user), fact->user, strlen(fact->user)));
	fputs(",\"instance\":", out);
	hook_entry_string(out, ident_format(&fact->instance, ident));
	put_time(out, "since", since_wall_ms);
	putc('}', out);
}
