#include <config.h>

#include "gateway.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/route.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RTF_USABLE (RTF_UP | RTF_GATEWAY)
#define FIELDS_MAX 11
#define FIELD_SIZE 33

/* By hand: sscanf would make the static emitter 40 kB larger. Returns how many fields there are, or 0 if one is too long. */
static unsigned split(const char *line, char fields[FIELDS_MAX][FIELD_SIZE])
{
	unsigned count = 0;
	size_t length;

	for (line += strspn(line, " \t\n"); *line != '\0' && count < FIELDS_MAX; line += strspn(line, " \t\n")) {
		length = strcspn(line, " \t\n");
		if (length >= FIELD_SIZE)
			return 0;
		memcpy(fields[count], line, length);
		fields[count++][length] = '\0';
		line += length;
	}
	return count;
}

/* Digits of base only, up to max. */
static int number(const char *text, int base, unsigned long max, unsigned long *out)
{
	char *end;

	if (!isxdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*out = strtoul(text, &end, base);
	return errno == 0 && *end == '\0' && *out <= max ? 0 : -1;
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT */
int gateway_parse_ipv4(const char *line, unsigned long *metric, char out[GATEWAY_TEXT_SIZE])
{
	char field[FIELDS_MAX][FIELD_SIZE];
	unsigned long destination, mask, flags, gateway;
	struct in_addr hop;

	if (split(line, field) < 8 || number(field[1], 16, UINT32_MAX, &destination) == -1 ||
	    number(field[2], 16, UINT32_MAX, &gateway) == -1 || number(field[3], 16, UINT32_MAX, &flags) == -1 ||
	    number(field[6], 10, UINT32_MAX, metric) == -1 || number(field[7], 16, UINT32_MAX, &mask) == -1)
		return -1;
	if (destination != 0 || mask != 0 || (flags & RTF_USABLE) != RTF_USABLE)
		return -1;
	/* The address is printed as the machine's own number of the bytes in network order, so it goes back in as it is. */
	hop.s_addr = (in_addr_t)gateway;
	return inet_ntop(AF_INET, &hop, out, GATEWAY_TEXT_SIZE) != NULL ? 0 : -1;
}

static int parse_hex_address(const char *hex, struct in6_addr *out)
{
	char pair[3] = "";
	unsigned long byte;
	int i;

	if (strlen(hex) != 32)
		return -1;
	for (i = 0; i < 16; i++) {
		memcpy(pair, hex + 2 * (ptrdiff_t)i, 2);
		if (number(pair, 16, UINT8_MAX, &byte) == -1)
			return -1;
		out->s6_addr[i] = (uint8_t)byte;
	}
	return 0;
}

/* Destination Length Source Length NextHop Metric RefCnt Use Flags Iface */
int gateway_parse_ipv6(const char *line, unsigned long *metric, char out[GATEWAY_TEXT_SIZE])
{
	char field[FIELDS_MAX][FIELD_SIZE];
	unsigned long length, flags;
	struct in6_addr destination, hop;
	size_t end;

	if (split(line, field) < 10 || parse_hex_address(field[0], &destination) == -1 || number(field[1], 16, 128, &length) == -1 ||
	    parse_hex_address(field[4], &hop) == -1 || number(field[5], 16, UINT32_MAX, metric) == -1 ||
	    number(field[8], 16, UINT32_MAX, &flags) == -1)
		return -1;
	if (length != 0 || !IN6_IS_ADDR_UNSPECIFIED(&destination) || (flags & RTF_USABLE) != RTF_USABLE ||
	    inet_ntop(AF_INET6, &hop, out, ADDRESS_TEXT_SIZE) == NULL)
		return -1;
	if (IN6_IS_ADDR_LINKLOCAL(&hop)) {
		end = strlen(out);
		snprintf(out + end, GATEWAY_TEXT_SIZE - end, "%%%.16s", field[9]);
	}
	return 0;
}

static int gateway_read(const char *path, int (*parse)(const char *, unsigned long *, char *), char out[GATEWAY_TEXT_SIZE])
{
	char line[512], text[GATEWAY_TEXT_SIZE];
	unsigned long metric, best = 0;
	int found = -1;
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return -1;
	while (fgets(line, sizeof line, file) != NULL) {
		if (parse(line, &metric, text) == -1 || (found == 0 && metric >= best))
			continue;
		best = metric;
		memcpy(out, text, sizeof text);
		found = 0;
	}
	fclose(file);
	return found;
}

int gateway_find(char out[GATEWAY_TEXT_SIZE])
{
	/* Not /proc/net, which is the same but is not there where /proc shows processes alone (systemd's ProcSubset=pid). */
	if (gateway_read("/proc/self/net/route", gateway_parse_ipv4, out) == 0 ||
	    gateway_read("/proc/self/net/ipv6_route", gateway_parse_ipv6, out) == 0)
		return 0;
	errno = ENETUNREACH;
	return -1;
}
