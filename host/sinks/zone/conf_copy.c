#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf/values.h"
#include "name.h"
#include "shared/log.h"
#include "zone.h"

#define SHOWN_SIZE 96
#define NAME_MAX_LENGTH (SINK_NAME_SIZE - sizeof "zone ")

static const char *show(const char *value, char shown[SHOWN_SIZE])
{
	return log_phrase(shown, SHOWN_SIZE, value, strlen(value));
}

static int keep(const char *value, void *result)
{
	*(const char **)result = value;
	return 0;
}

static int take_name_server(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char shown[SHOWN_SIZE];
	struct address address;
	uint16_t port;

	if (zone_conf_parse_server(value, &address, &port) == -1)
		conf_values_error(section, option->name,
		                  "\"%s\" is not allowed: \"ADDRESS\", \"ADDRESS:PORT\" or \"[IPV6]:PORT\" of the name server is", show(value, shown));
	return keep(value, result);
}

static bool fold_reverse(const char *value, char out[HOSTNAME_FQDN_SIZE])
{
	size_t length = strlen(value);

	length -= length > 0 && value[length - 1] == '.';
	return hostname_fold_fqdn(value, length, out) == HOSTNAME_OK && zone_name_is_reverse(out);
}

static int take_reverse_zone(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char shown[SHOWN_SIZE], name[HOSTNAME_FQDN_SIZE];

	if (!fold_reverse(value, name))
		conf_values_error(section, option->name,
		                  "\"%s\" is not allowed: a reverse zone is, such as \"17.172.in-addr.arpa\" for 172.17.0.0/16, or one below ip6.arpa",
		                  show(value, shown));
	return keep(value, result);
}

static int take_owner(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	char shown[SHOWN_SIZE];

	if (!zone_conf_owner_valid(value))
		conf_values_error(section, option->name, "\"%s\" is not allowed: up to 100 letters, digits, '-', '_' and '.' are", show(value, shown));
	return keep(value, result);
}

static int take_algorithm(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	static const char *const allowed[] = {"hmac-sha256", "hmac-sha512", NULL};

	return conf_take_one_of(section, option, value, result, allowed);
}

static int take_ttl(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	return conf_take_within(section, option, value, result, 0, 86400);
}

static cfg_opt_t zone_options[] = {
	CFG_STR_CB("server", "127.0.0.1:53", CFGF_NONE, take_name_server),
	CFG_STR_CB("key", NULL, CFGF_NONE, conf_take_text),
	CFG_STR_CB("algorithm", NULL, CFGF_NONE, take_algorithm),
	CFG_STR_CB("secret_file", NULL, CFGF_NONE, conf_take_path),
	CFG_INT_CB("ttl", 5, CFGF_NONE, take_ttl),
	CFG_STR_LIST_CB("reverse", NULL, CFGF_NONE, take_reverse_zone),
	CFG_STR_CB("owner", NULL, CFGF_NONE, take_owner),
	CFG_FLOAT_CB("timeout", 5.0, CFGF_NONE, conf_take_seconds),
	CFG_FLOAT_CB("check", 5.0, CFGF_NONE, conf_take_seconds),
	CFG_BOOL("required", cfg_false, CFGF_NONE),
	CFG_BOOL("standby", cfg_false, CFGF_NONE),
	CFG_BOOL("wildcard", cfg_false, CFGF_NONE),
	CFG_END(),
};

#ifdef WITH_LDNS

static char *copy_text(const char *text, bool *failed)
{
	char *copy = strdup(text);

	*failed |= copy == NULL;
	return copy;
}

static void copy_name(cfg_t *section, struct zone_conf *zone, bool *failed)
{
	const char *title = cfg_title(section);
	size_t length = strlen(title);
	char name[HOSTNAME_FQDN_SIZE];
	enum hostname_error error;

	length -= length > 0 && title[length - 1] == '.';
	error = hostname_fold_fqdn(title, length, name);
	if (error != HOSTNAME_OK)
		conf_values_error(section, NULL, "not allowed: %s; the name of a zone is, such as zone \"docker\"", hostname_error_text(error));
	else if (strlen(name) > NAME_MAX_LENGTH)
		conf_values_error(section, NULL, "not allowed: the name of a zone may have up to %zu bytes here", NAME_MAX_LENGTH);
	else if (zone_name_is_reverse(name))
		conf_values_error(section, NULL, "not allowed: zones for addresses go into the list `reverse` of the zone that has the names");
	zone->name = copy_text(error == HOSTNAME_OK ? name : "", failed);
}

static void copy_reverse(cfg_t *section, struct zone_conf *zone, bool *failed)
{
	unsigned size = cfg_size(section, "reverse"), i;
	char name[HOSTNAME_FQDN_SIZE];

	if (size > ZONE_CONF_REVERSE_MAX)
		conf_values_error(section, "reverse", "there are %u: up to %d are possible", size, ZONE_CONF_REVERSE_MAX);
	for (i = 0; i < size && zone->nreverse < ZONE_CONF_REVERSE_MAX; i++) {
		if (fold_reverse(cfg_getnstr(section, "reverse", i), name))
			zone->reverse[zone->nreverse++] = copy_text(name, failed);
	}
}

static void copy_key(cfg_t *section, struct zone_conf *zone, bool *failed)
{
	const char *path = cfg_getstr(section, "secret_file");
	char error[ZONE_KEY_ERROR_SIZE];

	if (path == NULL) {
		conf_values_error(section, "secret_file",
		                  "missing: nobody may change a zone without a key: tsig-keygen callsign makes one; write it into a file that only root "
		                  "and callsign can read, and the file's path here");
		return;
	}
	zone->secret_file = copy_text(path, failed);
	if (zone_key_read(path, cfg_getstr(section, "key"), cfg_getstr(section, "algorithm"), &zone->key, error) == -1)
		conf_values_error(section, "secret_file", "%s %s", path, error);
}

static bool has_domain(const struct zone_conf *zone, const struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->policy.ndomains; i++) {
		if (zone_name_within(conf->policy.domains[i].name, zone->name))
			return true;
	}
	return false;
}

static bool same_zone(const struct zone_conf *a, const char *name, const struct zone_conf *b, const char *other)
{
	return strcmp(name, other) == 0 && address_equal(&a->address, &b->address) && a->port == b->port;
}

static const char *zone_of(const struct zone_conf *zone, size_t i)
{
	return i == 0 ? zone->name : zone->reverse[i - 1];
}

/* Two that write to one zone would take each other's records for leftovers. */
static void check_once(cfg_t *section, const struct zone_conf *zone, const struct zone_confs *zones)
{
	size_t i, j, other;

	for (i = 0; i <= zone->nreverse; i++) {
		for (other = 0; other <= zones->count; other++) {
			const struct zone_conf *before = &zones->list[other];

			for (j = 0; j < (before == zone ? i : before->nreverse + 1); j++) {
				if (zone_of(zone, i) != NULL && zone_of(before, j) != NULL && same_zone(zone, zone_of(zone, i), before, zone_of(before, j)))
					conf_values_error(section, NULL, "zone %s of this server is configured twice: once is enough", zone_of(zone, i));
			}
		}
	}
	for (other = 0; other < zones->count; other++) {
		const char *before = zones->list[other].name;

		if (before != NULL && zone->name != NULL && strcmp(before, zone->name) == 0)
			conf_values_error(section, NULL, "there is a section for this zone already");
	}
}

static void copy_zone(cfg_t *section, const struct conf *conf, const struct zone_confs *zones, struct zone_conf *zone, bool *failed)
{
	const char *owner = cfg_getstr(section, "owner");

	copy_name(section, zone, failed);
	zone_conf_parse_server(cfg_getstr(section, "server"), &zone->address, &zone->port);
	copy_reverse(section, zone, failed);
	copy_key(section, zone, failed);
	if (owner == NULL && conf->hostname != NULL && !zone_conf_owner_valid(conf->hostname))
		conf_values_error(section, "owner", "this host's name is too long for it: write one here");
	zone->owner = copy_text(owner != NULL ? owner : conf->hostname != NULL ? conf->hostname : "", failed);
	zone->ttl_s = (uint32_t)cfg_getint(section, "ttl");
	zone->timeout_ms = (int64_t)(cfg_getfloat(section, "timeout") * 1000 + 0.5);
	zone->check_ms = (int64_t)(cfg_getfloat(section, "check") * 1000 + 0.5);
	zone->required = cfg_getbool(section, "required") == cfg_true;
	zone->standby = cfg_getbool(section, "standby") == cfg_true;
	zone->wildcard = cfg_getbool(section, "wildcard") == cfg_true;
	if (zone->timeout_ms < 100)
		conf_values_error(section, "timeout", "not allowed: no server answers within less than 0.1 s all the time");
	if (zone->check_ms < 100)
		conf_values_error(section, "check", "not allowed: at least 0.1 s is");
	if (*failed || zone->name == NULL || zone->name[0] == '\0')
		return;
	if (!has_domain(zone, conf))
		conf_values_error(section, NULL, "no domain of this daemon (domain, serve) is this zone or below it: nothing would ever be written to it");
	check_once(section, zone, zones);
}

static int copy_all(cfg_t *cfg, const struct conf *conf, struct zone_confs *zones)
{
	unsigned size = cfg_size(cfg, "zone"), i;
	bool failed = false;

	zones->list = calloc((size_t)size + 1, sizeof *zones->list);
	if (zones->list == NULL)
		return -1;
	for (i = 0; i < size; i++) {
		copy_zone(cfg_getnsec(cfg, "zone", i), conf, zones, &zones->list[zones->count], &failed);
		zones->count++;
	}
	return failed ? -1 : 0;
}

#else

/* sinkset.c's table has it in any case. */
const struct sink_kind zone_kind = {NULL, NULL};

static int copy_all(cfg_t *cfg, const struct conf *conf, struct zone_confs *zones)
{
	(void)conf;
	(void)zones;
	if (cfg_size(cfg, "zone") > 0)
		conf_values_error(cfg_getnsec(cfg, "zone", 0), NULL, "this callsignd cannot do that: it was built without ldns (configure --without-ldns)");
	return 0;
}

#endif

static int section_copy(cfg_t *cfg, const struct conf *conf, void **own)
{
	*own = calloc(1, sizeof(struct zone_confs));
	return *own != NULL ? copy_all(cfg, conf, *own) : -1;
}

static void section_free(void *own)
{
	struct zone_confs *zones = own;
	size_t i;

	if (zones == NULL)
		return;
	for (i = 0; i < zones->count; i++)
		zone_conf_clear(&zones->list[i]);
	free(zones->list);
	free(zones);
}

#define ZONES_MAX 16

const struct conf_section zone_section = {
	.name = "zone",
	.options = zone_options,
	.flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES,
	.most = ZONES_MAX,
	.copy = section_copy,
	.free = section_free,
};

const struct zone_conf *zone_conf(const struct conf *conf, size_t i)
{
	const struct zone_confs *zones = conf_own(conf, &zone_section);

	return zones != NULL && i < zones->count ? &zones->list[i] : NULL;
}
