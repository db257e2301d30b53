#include <config.h>

#include "setup.h"

#include <stdio.h>
#include <string.h>

#include "shared/address.h"

void setup_domains(const struct setup *setup, bool first, const char *before, const char *behind, char *out, size_t size)
{
	size_t used = 0;
	unsigned i;

	out[0] = '\0';
	if (first)
		used += (size_t)snprintf(out, size, "%s%s%s", before, setup->domain, behind);
	for (i = 0; i < setup->nfurther && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s%s", before, setup->further[i], behind);
}

bool setup_reverse_zone(const struct setup *setup, char out[SETUP_ZONE_SIZE])
{
	struct address parsed;

	out[0] = '\0';
	if (address_parse(setup->docker, strlen(setup->docker), &parsed) == -1 || parsed.family != 4)
		return false;
	snprintf(out, SETUP_ZONE_SIZE, "%u.%u.in-addr.arpa", parsed.bytes[1], parsed.bytes[0]);
	return true;
}
