#include <config.h>

#include "records.h"

#include <stdio.h>
#include <string.h>

#include "registry/served.h"

_Static_assert(ANNOUNCEMENT_PORTS_MAX * (1 + ANNOUNCEMENT_PORT_NAME_MAX + sizeof "=65535") <= ZONE_DATA_MAX, "all ports fit into one record");

struct writing {
	const struct listing *listing;
	const struct fact *fact;
	const struct zone_writer *writer;
	int result;
	uint32_t pointed; /* addresses that have their PTR */
};

static int emit(const struct writing *writing, const char *name, uint16_t type, const uint8_t *data, size_t length)
{
	return writing->writer->emit(writing->writer->arg, name, type, data, length);
}

/* Of a name that is longer the record that owns it would be too long. */
static bool has_room(const struct writing *writing, const char *fqdn)
{
	char owner[ZONE_NAME_SIZE];

	return zone_name_within(fqdn, writing->writer->zone) && zone_name_join(ZONE_OWNER_LABEL, fqdn, owner) == 0;
}

/* Whether something may lead to this name, which is served below the zone: it is there, and ours. */
static bool may_lead_to(const struct writing *writing, const char *fqdn)
{
	return has_room(writing, fqdn) && !writing->writer->foreign(writing->writer->arg, fqdn);
}

static int write_addresses(const struct writing *writing, const struct served *served, const char *name)
{
	uint8_t data[ZONE_DATA_MAX];
	unsigned i;

	for (i = 0; i < writing->fact->naddresses; i++) {
		const struct address *address = &writing->fact->addresses[i];

		if ((served->addresses >> i & 1) == 0)
			continue;
		if (emit(writing, name, address->family == 4 ? ZONE_A : ZONE_AAAA, data, zone_data_address(address, data)) == -1)
			return -1;
	}
	return 0;
}

/* A name that is too long for it is served without. */
static int write_wildcard(const struct writing *writing, const struct served *served)
{
	char name[ZONE_NAME_SIZE], owner[ZONE_NAME_SIZE];

	if (!writing->writer->wildcard || zone_name_join(ZONE_WILDCARD_LABEL, served->fqdn, name) == -1 || zone_name_join(ZONE_OWNER_LABEL, name, owner) == -1)
		return 0;
	return write_addresses(writing, served, name);
}

static int write_port_texts(const struct writing *writing, const char *name)
{
	const struct fact *fact = writing->fact;
	char text[ANNOUNCEMENT_PORT_NAME_MAX + sizeof "=65535"];
	uint8_t data[ZONE_DATA_MAX];
	size_t used = 0;
	unsigned i;

	for (i = 0; i < fact->nports; i++) {
		snprintf(text, sizeof text, "%s=%u", fact->ports[i].name, (unsigned)fact->ports[i].port);
		used = zone_data_string(text, used, data);
	}
	return used > 0 ? emit(writing, name, ZONE_TXT, data, used) : 0;
}

/* Where a domain's services lead: the first of the instance's names that is served there. */
static void find_target(const struct writing *writing, const struct served *served, char out[ZONE_NAME_SIZE])
{
	const struct fact *fact = writing->fact;
	unsigned i;

	for (i = 0; i < served->number; i++) {
		if ((served_domains(writing->listing, i) >> served->domain_number & 1) != 0 &&
		    hostname_join(i == 0 ? fact->name : fact->aliases[i - 1], served->domain, out) == HOSTNAME_OK && may_lead_to(writing, out))
			return;
	}
	memcpy(out, served->fqdn, strlen(served->fqdn) + 1);
}

/* A name that is too long for its services is served without them. */
static int write_services(const struct writing *writing, const struct served *served)
{
	const struct fact *fact = writing->fact;
	char target[ZONE_NAME_SIZE];
	char prefix[ANNOUNCEMENT_PORT_NAME_MAX + sizeof "_._tcp"], service[ZONE_NAME_SIZE], owner[ZONE_NAME_SIZE];
	uint8_t data[ZONE_DATA_MAX];
	unsigned i;

	find_target(writing, served, target);
	for (i = 0; i < fact->nports; i++) {
		snprintf(prefix, sizeof prefix, "_%s._tcp", fact->ports[i].name);
		if (zone_name_join(prefix, served->fqdn, service) == -1 || zone_name_join(ZONE_OWNER_LABEL, service, owner) == -1)
			continue;
		if (emit(writing, service, ZONE_SRV, data, zone_data_srv(fact->ports[i].port, target, data)) == -1)
			return -1;
	}
	return 0;
}

static int write_pointers(struct writing *writing, const struct served *served)
{
	uint32_t addresses = served->addresses & ~writing->pointed & ~(uint32_t)writing->listing->later;
	uint8_t data[ZONE_DATA_MAX];
	char name[ZONE_NAME_SIZE];
	unsigned i;

	if (!may_lead_to(writing, served->fqdn))
		return 0;
	writing->pointed |= addresses;
	for (i = 0; i < writing->fact->naddresses; i++) {
		if ((addresses >> i & 1) == 0)
			continue;
		zone_name_reverse(&writing->fact->addresses[i], name);
		if (emit(writing, name, ZONE_PTR, data, zone_data_name(served->fqdn, data)) == -1)
			return -1;
	}
	return 0;
}

static bool write_name(void *arg, const struct served *served)
{
	struct writing *writing = arg;

	if (!has_room(writing, served->fqdn))
		return true;
	if (write_addresses(writing, served, served->fqdn) == -1 || write_wildcard(writing, served) == -1 || write_port_texts(writing, served->fqdn) == -1 ||
	    write_services(writing, served) == -1 || write_pointers(writing, served) == -1)
		writing->result = -1;
	return writing->result == 0;
}

int zone_records(const struct policy *policy, const struct listing *listing, const struct zone_writer *writer)
{
	struct writing writing = {.listing = listing, .fact = listing->fact, .writer = writer};

	served_each(policy, listing, write_name, &writing);
	return writing.result;
}

/* The first name in each domain that may be led to: it alone decides, since what does not lead there leads to a name before it, or to itself. */
uint64_t zone_records_lead(const struct policy *policy, const struct listing *listing, const struct zone_writer *writer)
{
	const struct writing writing = {.listing = listing, .fact = listing->fact, .writer = writer};
	const struct fact *fact = listing->fact;
	char fqdn[HOSTNAME_FQDN_SIZE];
	uint64_t lead = 0;
	unsigned domain, i;

	for (domain = 0; domain < policy->ndomains; domain++) {
		for (i = 0; i <= fact->naliases; i++) {
			if ((served_domains(listing, i) >> domain & 1) != 0 &&
			    hostname_join(i == 0 ? fact->name : fact->aliases[i - 1], policy->domains[domain].name, fqdn) == HOSTNAME_OK &&
			    may_lead_to(&writing, fqdn))
				break;
		}
		lead = lead * (2 + ANNOUNCEMENT_ALIASES_MAX) + i;
	}
	return lead;
}
