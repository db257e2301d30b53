#include <config.h>

#include "conf.h"

#include <stdlib.h>
#include <string.h>

#include "conf/values.h"

void zone_conf_clear(struct zone_conf *zone)
{
	size_t i;

	for (i = 0; i < zone->nreverse; i++)
		free(zone->reverse[i]);
	zone_key_clear(&zone->key);
	free(zone->name);
	free(zone->secret_file);
	free(zone->owner);
	memset(zone, 0, sizeof *zone);
}

static bool same_key(const struct zone_key *a, const struct zone_key *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->algorithm, b->algorithm) == 0 && strcmp(a->secret, b->secret) == 0;
}

bool zone_conf_same(const struct zone_conf *a, const struct zone_conf *b)
{
	size_t i;

	if (strcmp(a->name, b->name) != 0 || a->nreverse != b->nreverse || !address_equal(&a->address, &b->address) || a->port != b->port)
		return false;
	for (i = 0; i < a->nreverse; i++) {
		if (strcmp(a->reverse[i], b->reverse[i]) != 0)
			return false;
	}
	return same_key(&a->key, &b->key) && strcmp(a->owner, b->owner) == 0 && a->ttl_s == b->ttl_s && a->timeout_ms == b->timeout_ms &&
	       a->check_ms == b->check_ms && a->standby == b->standby && a->wildcard == b->wildcard;
}

static bool is_somewhere(const struct address *address)
{
	static const struct address any4 = {.family = 4}, any6 = {.family = 6};

	return !address_equal(address, &any4) && !address_equal(address, &any6);
}

int zone_conf_parse_server(const char *text, struct address *address, uint16_t *port)
{
	size_t length = strlen(text);
	const char *close = strrchr(text, ']'), *colon = strrchr(text, ':');

	*port = ZONE_CONF_PORT;
	if (address_parse(text, length, address) == 0)
		return is_somewhere(address) ? 0 : -1;
	if (colon == NULL || (*port = conf_parse_port(colon + 1)) == 0)
		return -1;
	if (text[0] == '[') {
		if (close == NULL || close + 1 != colon || address_parse(text + 1, (size_t)(close - text - 1), address) == -1 || address->family != 6)
			return -1;
	} else if (address_parse(text, (size_t)(colon - text), address) == -1 || address->family != 4) {
		return -1;
	}
	return is_somewhere(address) ? 0 : -1;
}

#define OWNER_MAX 100

bool zone_conf_owner_valid(const char *owner)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t length = strspn(owner, allowed);

	return length > 0 && length <= OWNER_MAX && owner[length] == '\0';
}
