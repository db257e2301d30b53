#include <config.h>

#include "served.h"

static uint32_t reach(const struct listing *listing)
{
	const struct fact *fact = listing->fact;
	uint32_t domains = 0;
	unsigned i;

	if (listing->in == NULL)
		return listing->addresses != 0;
	for (i = 0; i < fact->naddresses; i++)
		domains |= listing->in[1 + fact->naliases + i];
	return domains;
}

uint32_t served_domains(const struct listing *listing, unsigned i)
{
	if ((listing->names >> i & 1) == 0)
		return 0;
	return (listing->in == NULL ? 1 : listing->in[i]) & reach(listing);
}

uint32_t served_anywhere(const struct listing *listing)
{
	uint32_t domains = 0;
	unsigned i;

	for (i = 0; i <= listing->fact->naliases; i++)
		domains |= served_domains(listing, i);
	return domains;
}

uint32_t served_addresses(const struct listing *listing, unsigned domain)
{
	const struct fact *fact = listing->fact;
	uint32_t addresses = 0;
	unsigned i;

	if (listing->in == NULL)
		return domain == 0 ? listing->addresses : 0;
	for (i = 0; i < fact->naddresses; i++)
		addresses |= (uint32_t)(listing->in[1 + fact->naliases + i] >> domain & 1) << i;
	return addresses & listing->addresses;
}

int served_first(uint32_t domains)
{
	int i;

	for (i = 0; domains != 0; i++, domains >>= 1) {
		if ((domains & 1) != 0)
			return i;
	}
	return -1;
}

void served_each(const struct policy *policy, const struct listing *listing, bool (*visit)(void *arg, const struct served *served), void *arg)
{
	const struct fact *fact = listing->fact;
	char fqdn[HOSTNAME_FQDN_SIZE];
	unsigned i, domain;

	for (i = 0; i <= fact->naliases; i++) {
		uint32_t domains = served_domains(listing, i);

		for (domain = 0; domain < policy->ndomains; domain++) {
			struct served served = {.name = i == 0 ? fact->name : fact->aliases[i - 1], .fqdn = fqdn, .number = i,
			                        .domain_number = domain, .domain = policy->domains[domain].name};

			if ((domains >> domain & 1) == 0 || hostname_join(served.name, served.domain, fqdn) != HOSTNAME_OK)
				continue;
			served.addresses = served_addresses(listing, domain);
			if (!visit(arg, &served))
				return;
		}
	}
}
