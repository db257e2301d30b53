#include <config.h>

#include "reverse.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The label of an address, counted from its front: a byte (IPv4), or half of one (IPv6). */
static unsigned label_of(const struct address *address, unsigned at)
{
	if (address->family == 4)
		return address->bytes[at];
	return at % 2 == 0 ? address->bytes[at / 2] >> 4 : address->bytes[at / 2] & 15;
}

/* The zone of the first count labels, of which the last is last. */
static void print_zone(const struct address *address, unsigned count, unsigned last, char out[REVERSE_ZONE])
{
	bool four = address->family == 4;
	size_t used = 0;

	for (unsigned i = count; i > 0; i--) {
		unsigned label = i == count ? last : label_of(address, i - 1);

		used += (size_t)(four ? snprintf(out + used, REVERSE_ZONE - used, "%u.", label) : snprintf(out + used, REVERSE_ZONE - used, "%x.", label));
	}
	snprintf(out + used, REVERSE_ZONE - used, "%s", four ? "in-addr.arpa" : "ip6.arpa");
}

size_t reverse_zones(const struct address *address, unsigned prefix, const char *before, const char *behind, char *out, size_t size)
{
	unsigned width = address->family == 4 ? 8 : 4, count = (prefix + width - 1) / width, zones = 1U << (count * width - prefix);
	unsigned first = count > 0 ? label_of(address, count - 1) & ~(zones - 1) : 0;
	size_t used = 0;
	char zone[REVERSE_ZONE];

	out[0] = '\0';
	for (unsigned i = 0; i < zones && count > 0; i++) {
		print_zone(address, count, first + i, zone);
		if (used + strlen(before) + strlen(zone) + strlen(behind) >= size)
			break;
		used += (size_t)snprintf(out + used, size - used, "%s%s%s", before, zone, behind);
	}
	return used;
}
