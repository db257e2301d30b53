#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "shared/gateway.h"

/* One line of /proc/net/route or /proc/net/ipv6_route: what is found is an address, with an interface behind it if it needs one. */

static void check_gateway(const char *text)
{
	struct address address;

	fuzz_check(memchr(text, '\0', GATEWAY_TEXT_SIZE) != NULL);
	fuzz_check(address_parse(text, strcspn(text, "%"), &address) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = fuzz_text(data, size);
	char text[GATEWAY_TEXT_SIZE];
	unsigned long metric;

	if (line == NULL)
		return 0;
	if (gateway_parse_ipv4(line, &metric, text) == 0)
		check_gateway(text);
	if (gateway_parse_ipv6(line, &metric, text) == 0)
		check_gateway(text);
	free(line);
	return 0;
}
