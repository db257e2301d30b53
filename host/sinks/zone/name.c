#include <config.h>

#include "name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool good_character(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

size_t zone_name_to_wire(const char *name, uint8_t out[ZONE_NAME_WIRE_MAX])
{
	size_t used = 0, length;

	for (;; name += length + 1) {
		length = strcspn(name, ".");
		if (length == 0 || length > HOSTNAME_LABEL_MAX || used + length + 2 > ZONE_NAME_WIRE_MAX)
			return 0;
		out[used++] = (uint8_t)length;
		memcpy(&out[used], name, length);
		used += length;
		if (name[length] == '\0')
			break;
	}
	out[used++] = 0;
	return used;
}

int zone_name_from_wire(const uint8_t *wire, size_t length, char out[ZONE_NAME_SIZE])
{
	size_t at = 0, used = 0, label;

	while (at < length && (label = wire[at]) != 0) {
		/* Compression pointers have their upper bits set, which is over the maximum too. */
		if (label > HOSTNAME_LABEL_MAX || at + 1 + label >= length || used + label + 1 > ZONE_NAME_SIZE)
			return -1;
		/* Of *.NAME, and of _callsign.*.NAME. */
		bool star = label == 1 && wire[at + 1] == '*' && (used == 0 || (used == sizeof ZONE_OWNER_LABEL && out[0] == '_'));

		for (at++; label > 0; label--, at++) {
			unsigned char c = (unsigned char)tolower(wire[at]);

			if (!good_character(c) && !star)
				return -1;
			out[used++] = (char)c;
		}
		out[used++] = '.';
	}
	if (used == 0 || at + 1 != length)
		return -1;
	out[used - 1] = '\0';
	return 0;
}

bool zone_name_within(const char *name, const char *zone)
{
	size_t length = strlen(name), suffix = strlen(zone);

	if (length < suffix || strcmp(name + length - suffix, zone) != 0)
		return false;
	return length == suffix || name[length - suffix - 1] == '.';
}

int zone_name_join(const char *first, const char *rest, char out[ZONE_NAME_SIZE])
{
	int length = snprintf(out, ZONE_NAME_SIZE, "%s.%s", first, rest);

	return length > 0 && length < ZONE_NAME_SIZE ? 0 : -1;
}

const char *zone_name_owned(const char *name)
{
	const size_t length = sizeof ZONE_OWNER_LABEL - 1;

	return strncmp(name, ZONE_OWNER_LABEL ".", length + 1) == 0 ? name + length + 1 : NULL;
}

void zone_name_reverse(const struct address *address, char out[ZONE_NAME_SIZE])
{
	const uint8_t *bytes = address->bytes;
	size_t used = 0;
	int i;

	if (address->family == 4) {
		snprintf(out, ZONE_NAME_SIZE, "%u.%u.%u.%u.in-addr.arpa", bytes[3], bytes[2], bytes[1], bytes[0]);
		return;
	}
	for (i = 15; i >= 0; i--)
		used += (size_t)snprintf(out + used, ZONE_NAME_SIZE - used, "%x.%x.", bytes[i] & 15U, (unsigned)bytes[i] >> 4);
	snprintf(out + used, ZONE_NAME_SIZE - used, "ip6.arpa");
}

/* What stands before the suffix, its dot included, may be labels of these digits, no longer than that. */
static bool digits_before(const char *name, const char *suffix, const char *digits, size_t longest)
{
	size_t length = strlen(name) - strlen(suffix), label;

	if (length == 0)
		return true;
	/* Each label and the dot behind it. */
	for (; length > 0; length -= label + 1, name += label + 1) {
		label = strspn(name, digits);
		if (label == 0 || label > longest || name[label] != '.')
			return false;
	}
	return true;
}

bool zone_name_is_reverse(const char *name)
{
	if (zone_name_within(name, "in-addr.arpa"))
		return digits_before(name, "in-addr.arpa", "0123456789", 3);
	return zone_name_within(name, "ip6.arpa") && digits_before(name, "ip6.arpa", "0123456789abcdef", 1);
}

size_t zone_data_address(const struct address *address, uint8_t *out)
{
	size_t length = address->family == 4 ? 4 : 16;

	memcpy(out, address->bytes, length);
	return length;
}

size_t zone_data_name(const char *name, uint8_t *out)
{
	return zone_name_to_wire(name, out);
}

size_t zone_data_srv(uint16_t port, const char *target, uint8_t *out)
{
	size_t length = zone_name_to_wire(target, out + 6);

	memset(out, 0, 4);
	out[3] = ZONE_SRV_WEIGHT;
	out[4] = (uint8_t)(port >> 8);
	out[5] = (uint8_t)port;
	return length > 0 ? 6 + length : 0;
}

size_t zone_data_string(const char *text, size_t used, uint8_t *out)
{
	size_t length = strlen(text);

	if (length > 255 || used + 1 + length > ZONE_DATA_MAX)
		return 0;
	out[used] = (uint8_t)length;
	memcpy(&out[used + 1], text, length);
	return used + 1 + length;
}
