#include <config.h>

#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/bridges.h"
#include "shared/address.h"
#include "shared/reverse.h"
#include "system/ifaddr.h"

#define DEFAULT_ADDRESS "172.17.0.1"
#define DEFAULT_PREFIX 16   /* of docker0, unless Docker was told otherwise */
#define CAUTIOUS_PREFIX 24  /* of an address that nobody has yet */
#define ADDRESSES_MAX 8     /* of docker0, IPv6 */

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

/* ---- reverse names, of docker0's own networks ---- */

/* "bip" in daemon.json is docker0's address to come, with its prefix. 0: it is not there, or another address. */
static unsigned prefix_of_bip(const struct setup *setup)
{
	char *text = setup_read(setup, SETUP_DAEMON_JSON);
	json_t *settings = text != NULL ? json_loads(text, 0, NULL) : NULL;
	const char *bip = json_string_value(json_object_get(settings, "bip"));
	size_t length = strlen(setup->docker);
	unsigned prefix = 0;

	if (bip != NULL && strncmp(bip, setup->docker, length) == 0 && bip[length] == '/')
		prefix = (unsigned)strtoul(bip + length + 1, NULL, 10);
	json_decref(settings);
	free(text);
	return prefix <= 32 ? prefix : 0;
}

static unsigned prefix_of(const struct setup *setup, const struct address *address)
{
	unsigned prefix = setup->root[0] == '\0' ? bridges_prefix(address) : 0;

	if (prefix == 0)
		prefix = prefix_of_bip(setup);
	if (prefix == 0)
		prefix = strcmp(setup->docker, DEFAULT_ADDRESS) == 0 ? DEFAULT_PREFIX : CAUTIOUS_PREFIX;
	return prefix;
}

char *setup_reverse_zones(const struct setup *setup, const char *before, const char *behind, char *out, size_t size)
{
	struct address address, six[ADDRESSES_MAX];
	unsigned count = 0;
	size_t used = 0;

	out[0] = '\0';
	if (address_parse(setup->docker, strlen(setup->docker), &address) == 0)
		used += reverse_zones(&address, prefix_of(setup, &address), before, behind, out, size);
	if (setup->root[0] == '\0')
		count = ifaddr_ipv6_assigned("docker0", six, ADDRESSES_MAX);
	for (unsigned i = 0; i < count; i++)
		used += reverse_zones(&six[i], bridges_prefix(&six[i]), before, behind, out + used, size - used);
	return out;
}
