#include <config.h>

#include "gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>

#define RTF_USABLE (RTF_UP | RTF_GATEWAY)

int gateway_parse_ipv4(const char *line, unsigned long *metric, char out[GATEWAY_TEXT_SIZE])
{
	char interface[17];
	unsigned destination, mask, flags;
	struct in_addr hop;

	/* The addresses are printed as the machine's own 32-bit number of the bytes in network order, so they go back in as they are. */
	if (sscanf(line, "%16s %8X %8X %4X %*s %*s %lu %8X", interface, &destination, &hop.s_addr, &flags, metric, &mask) != 6)
		return -1;
	if (destination != 0 || mask != 0 || (flags & RTF_USABLE) != RTF_USABLE)
		return -1;
	return inet_ntop(AF_INET, &hop, out, GATEWAY_TEXT_SIZE) != NULL ? 0 : -1;
}

static int parse_hex_address(const char *hex, struct in6_addr *out)
{
	unsigned byte;
	int i;

	for (i = 0; i < 16; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -1;
		out->s6_addr[i] = (uint8_t)byte;
	}
	return 0;
}

int gateway_parse_ipv6(const char *line, unsigned long *metric, char out[GATEWAY_TEXT_SIZE])
{
	char destination[33], hop_hex[33], interface[17];
	unsigned length, flags;
	struct in6_addr hop;
	size_t end;

	if (sscanf(line, "%32[0-9a-f] %2x %*s %*s %32[0-9a-f] %8lx %*s %*s %8x %16s", destination, &length, hop_hex, metric, &flags,
	           interface) != 6)
		return -1;
	if (length != 0 || strspn(destination, "0") != 32 || strlen(hop_hex) != 32 || (flags & RTF_USABLE) != RTF_USABLE)
		return -1;
	if (parse_hex_address(hop_hex, &hop) == -1 || inet_ntop(AF_INET6, &hop, out, ADDRESS_TEXT_SIZE) == NULL)
		return -1;
	if (IN6_IS_ADDR_LINKLOCAL(&hop)) {
		end = strlen(out);
		snprintf(out + end, GATEWAY_TEXT_SIZE - end, "%%%s", interface);
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
	if (gateway_read("/proc/net/route", gateway_parse_ipv4, out) == 0 ||
	    gateway_read("/proc/net/ipv6_route", gateway_parse_ipv6, out) == 0)
		return 0;
	errno = ENETUNREACH;
	return -1;
}
