#include <config.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "registry/served.h"
#include "section.h"
#include "values.h"

/* No key of its own: a bound on what one broker user can make this host remember. */
#define MAX_ENDED_PER_USER 100000

/* Where copying fails there is no memory left: said once, by conf_load(). */
struct copying {
	bool failed;
};

static char *copy_text(struct copying *copying, const char *text)
{
	char *copy = text != NULL ? strdup(text) : NULL;

	copying->failed |= text != NULL && copy == NULL;
	return copy;
}

/* Room for count of something; never NULL unless it failed, for count 0 too. */
static void *copy_room(struct copying *copying, size_t count, size_t size)
{
	void *room = calloc(count + 1, size);

	copying->failed |= room == NULL;
	return room;
}

static char **copy_list(struct copying *copying, cfg_t *section, const char *key, size_t *count)
{
	size_t size = cfg_size(section, key);
	char **list = copy_room(copying, size, sizeof(*list));

	for (*count = 0; list != NULL && *count < size; ++*count)
		list[*count] = copy_text(copying, cfg_getnstr(section, key, (unsigned)*count));
	return list;
}

static void copy_rule(struct copying *copying, cfg_t *section, struct policy_rule *rule)
{
	size_t size = cfg_size(section, "subnets");

	rule->names = copy_list(copying, section, "names", &rule->nnames);
	rule->subnets = copy_room(copying, size, sizeof(*rule->subnets));
	for (size_t i = 0; rule->subnets != NULL && i < size; i++) {
		const char *text = cfg_getnstr(section, "subnets", (unsigned)i);

		if (prefix_parse(text, strlen(text), &rule->subnets[rule->nsubnets]) == 0)
			rule->nsubnets++;
	}
}

/* Everything that a tenant of so many names says after a roll call, three times over, is no flood. */
#define BURST_PER_NAME  3
#define BURST_UNBOUNDED 1000000

static uint32_t default_burst(size_t max_names)
{
	return max_names > 0 ? (uint32_t)max_names * BURST_PER_NAME : BURST_UNBOUNDED;
}

/* A user's section says only what is otherwise for him. */
static long own_or(cfg_t *section, const char *key, long other)
{
	long value = cfg_getint(section, key);

	return value == CONF_AS_POLICY ? other : value;
}

static struct policy_limits copy_limits(cfg_t *section, cfg_t *policy)
{
	struct policy_limits limits;
	long burst = own_or(section, "burst", cfg_getint(policy, "burst"));

	limits.max_names = (size_t)own_or(section, "max_names", cfg_getint(policy, "max_names"));
	limits.rate.per_s = (uint32_t)own_or(section, "rate", cfg_getint(policy, "rate"));
	limits.rate.burst = burst > 0 ? (uint32_t)burst : default_burst(limits.max_names);
	return limits;
}

static int64_t to_ms(double seconds)
{
	return (int64_t)(seconds * 1000 + 0.5);
}

/* Time for the next one to start after an upgrade, or after a kill -9. */
#define AGENT_GRACE_S 5.0

static void copy_agent(cfg_t *section, struct policy_user *user)
{
	double grace_s = cfg_getfloat(section, "lost_grace");

	user->agent = cfg_getbool(section, "agent") == cfg_true;
	user->agent_grace_ms = to_ms(grace_s < 0 ? AGENT_GRACE_S : grace_s);
	if (!user->agent && grace_s >= 0)
		conf_values_error(section, "lost_grace", "not allowed: only a user with agent = true has one of its own");
}

static void copy_user(struct copying *copying, cfg_t *section, cfg_t *policy, struct policy_user *user)
{
	size_t length = strlen(cfg_title(section));

	if (length == 0 || length > POLICY_USER_MAX)
		conf_values_error(section, NULL, "not allowed: the name of a broker user has 1 to %d bytes", POLICY_USER_MAX);
	user->user = copy_text(copying, cfg_title(section));
	copy_rule(copying, section, &user->rule);
	user->limits = copy_limits(section, policy);
	copy_agent(section, user);
}

static void copy_policy(struct copying *copying, cfg_t *cfg, struct policy *policy)
{
	cfg_t *section = cfg_getsec(cfg, "policy");
	size_t nusers = cfg_size(cfg, "user");

	policy_init(policy);
	copy_rule(copying, section, &policy->rule);
	policy->reserved = copy_list(copying, section, "reserved", &policy->nreserved);
	policy->allow_unsigned = cfg_getbool(section, "unsigned") == cfg_true;
	policy->allow_host_addresses = cfg_getbool(section, "host_addresses") == cfg_true;
	policy->limits = copy_limits(section, section);
	policy->users = copy_room(copying, nusers, sizeof(*policy->users));
	if (policy->users == NULL)
		return;
	for (; policy->nusers < nusers; policy->nusers++)
		copy_user(copying, cfg_getnsec(cfg, "user", (unsigned)policy->nusers), section,
			  &policy->users[policy->nusers]);
}

/* A name of the host is nobody else's: the policy reserves it. */
static void copy_host_names(struct copying *copying, cfg_t *cfg, struct conf *conf)
{
	size_t size = cfg_size(cfg, "host_names");
	const char *reason;

	conf->host_names = copy_room(copying, size, sizeof(*conf->host_names));
	conf->policy.host_names = copy_room(copying, size, sizeof(*conf->policy.host_names));
	if (copying->failed)
		return;
	for (size_t i = 0; i < size; i++) {
		struct conf_host_name *own = &conf->host_names[conf->nhost_names];

		if (conf_parse_host_name(cfg_getnstr(cfg, "host_names", (unsigned)i), own, &reason) < 0)
			continue;
		conf->nhost_names++;
		conf->policy.host_names[conf->policy.nhost_names++] = copy_text(copying, own->name);
	}
}

static void copy_tls(struct copying *copying, cfg_t *section, struct bus_tls *tls)
{
	tls->ca = copy_text(copying, cfg_getstr(section, "ca"));
	tls->cert = copy_text(copying, cfg_getstr(section, "cert"));
	tls->key = copy_text(copying, cfg_getstr(section, "key"));
	tls->server_name = copy_text(copying, cfg_getstr(section, "server_name"));
	tls->verify = cfg_getbool(section, "verify") == cfg_true;
	if ((tls->cert == NULL) != (tls->key == NULL))
		conf_values_error(section, tls->cert == NULL ? "cert" : "key", "missing: cert and key go together");
}

static void copy_password(struct copying *copying, cfg_t *section, struct busconf *bus)
{
	char error[BUSCONF_ERROR_SIZE], *password;
	const char *path = cfg_getstr(section, "password_file");

	if (path == NULL)
		return;
	if (busconf_read_password(path, NULL, &password, error) < 0) {
		conf_values_error(section, "password_file", "%s", error);
		return;
	}
	copying->failed |= busconf_set_password(bus, password) < 0;
	explicit_bzero(password, strlen(password));
	free(password);
}

static void check_login(cfg_t *section, const struct busconf *bus)
{
	char text[256];

	if (bus->nendpoints == 0)
		conf_values_error(section, "urls", "there is none: at least one amqp://USER@HOST/VHOST is needed");
	for (size_t i = 0; i < bus->nendpoints; i++) {
		const struct bus_endpoint *endpoint = &bus->endpoints[i];

		if (endpoint->password != NULL || (endpoint->tls && bus->tls.cert != NULL))
			continue;
		conf_values_error(section, "password_file",
				  "no password is known for %s: write it alone into a file that only root can read, "
				  "and the file's "
				  "path here (or a client certificate for an amqps URL into tls)",
				  busconf_endpoint_text(endpoint, text, sizeof(text)));
		return;
	}
}

/* All URLs in one text: each element of the list may hold several, too. NULL: no memory. */
static char *join_urls(cfg_t *section)
{
	char *joined = NULL;
	size_t length;
	FILE *out = open_memstream(&joined, &length);

	if (out == NULL)
		return NULL;
	for (unsigned i = 0; i < cfg_size(section, "urls"); i++)
		fprintf(out, "%s%s", i == 0 ? "" : ",", cfg_getnstr(section, "urls", i));
	if (fclose(out) == 0)
		return joined;
	free(joined);
	return NULL;
}

static void copy_urls(struct copying *copying, cfg_t *section, struct busconf *bus)
{
	char error[BUSCONF_ERROR_SIZE], *joined = join_urls(section);

	if (joined == NULL) {
		copying->failed = true;
		return;
	}
	if (conf_values_errors() == 0 && busconf_set_urls(bus, joined, error) < 0)
		conf_values_error(section, "urls", "%s", error);
	explicit_bzero(joined, strlen(joined));
	free(joined);
}

static void check_secrets(cfg_t *section, const struct busconf *bus)
{
	for (size_t i = 0; i < bus->nendpoints; i++) {
		if (bus->endpoints[i].password == NULL)
			continue;
		conf_values_error(section, "urls",
				  "there is a password in it, and others may read or change this file: chmod o= it, or "
				  "write the password "
				  "alone into another file and name that in password_file");
		return;
	}
}

static void copy_bus(struct copying *copying, cfg_t *section, bool others_may_read, struct busconf *bus)
{
	busconf_init(bus);
	copy_urls(copying, section, bus);
	if (others_may_read)
		check_secrets(section, bus);
	bus->heartbeat_s = (uint16_t)cfg_getint(section, "heartbeat");
	copy_tls(copying, cfg_getsec(section, "tls"), &bus->tls);
	copy_password(copying, section, bus);
	if (conf_values_errors() == 0)
		check_login(section, bus);
}

/* queue.name without the prefix, or else the machine's name: what this host is called on the bus. NULL after an error.
 */
static char *host_name(struct copying *copying, cfg_t *section)
{
	char machine[HOST_NAME_MAX + 1] = "", name[HOSTNAME_NAME_SIZE];
	const char *text = cfg_getstr(section, "name");
	enum hostname_error error;

	if (text == NULL) {
		gethostname(machine, sizeof(machine) - 1);
		text = machine;
	} else if (strncasecmp(text, QUEUE_HOST_PREFIX, strlen(QUEUE_HOST_PREFIX)) == 0) {
		text += strlen(QUEUE_HOST_PREFIX);
	}
	error = hostname_fold(text, strlen(text), name);
	if (error == HOSTNAME_OK && hostname_is_localhost(name))
		error = HOSTNAME_LOCALHOST;
	if (error == HOSTNAME_OK)
		return copy_text(copying, name);
	conf_values_error(section, "name", "this host's name is no use to tell it from others (%s): write one here",
			  hostname_error_text(error));
	return NULL;
}

static void copy_queue(struct copying *copying, cfg_t *section, struct conf *conf)
{
	char name[QUEUE_NAME_MAX + 1];

	conf->hostname = host_name(copying, section);
	snprintf(name, sizeof(name), QUEUE_HOST_PREFIX "%s", conf->hostname != NULL ? conf->hostname : "");
	conf->queue.name = copy_text(copying, name);
	conf->queue.type = copy_text(copying, cfg_getstr(section, "type"));
	conf->queue.expires_s = (uint32_t)cfg_getint(section, "expires");
	conf->queue.max_length = (uint32_t)cfg_getint(section, "max_length");
}

static enum view_conflict conflict_of(const char *text)
{
	return strcmp(text, "newest") == 0 ? VIEW_NEWEST : strcmp(text, "first") == 0 ? VIEW_FIRST : VIEW_ALL;
}

static void copy_registry(cfg_t *section, struct conf *conf)
{
	conf->conflict = conflict_of(cfg_getstr(section, "conflict"));
	conf->registry = (struct registry_options){
		.lost_grace_ms = to_ms(cfg_getfloat(section, "lost_grace")),
		.resync_timeout_ms = to_ms(cfg_getfloat(section, "resync_timeout")),
		.max_lease_s = (uint32_t)cfg_getint(section, "max_lease"),
		.max_ended_per_user = MAX_ENDED_PER_USER,
		.ask = true,
	};
}

static void copy_dnsmasq(struct copying *copying, cfg_t *section, struct conf_dnsmasq *dnsmasq)
{
	dnsmasq->enabled = cfg_getbool(section, "enabled") == cfg_true;
	dnsmasq->hosts_file = copy_text(copying, cfg_getstr(section, "hosts_file"));
	dnsmasq->pid_file = copy_text(copying, cfg_getstr(section, "pid_file"));
	dnsmasq->server = copy_text(copying, cfg_getstr(section, "server"));
	dnsmasq->port = (uint16_t)cfg_getint(section, "port");
	dnsmasq->forwarders = copy_list(copying, section, "forwarders", &dnsmasq->nforwarders);
}

static void copy_control(struct copying *copying, cfg_t *section, struct conf_control *control)
{
	control->socket = copy_text(copying, cfg_getstr(section, "socket"));
	control->group = copy_text(copying, cfg_getstr(section, "group"));
}

static void copy_metrics(cfg_t *section, struct conf_metrics *metrics)
{
	const char *listen = cfg_getstr(section, "listen");

	metrics->on = listen != NULL && conf_parse_listen(listen, metrics) == 0;
}

/* ---- domains ---- */

static bool same_or_below(const char *name, const char *base)
{
	size_t length = strlen(name), tail = strlen(base);

	return length >= tail && strcmp(name + length - tail, base) == 0 && (length == tail || name[length - tail - 1] == '.');
}

/* The domain that this section is about, an earlier one or a new one; NULL if it cannot be one (reported) or there is no memory. */
static struct policy_domain *domain_of(struct copying *copying, cfg_t *section, struct policy *policy)
{
	char name[HOSTNAME_FQDN_SIZE], joined[HOSTNAME_FQDN_SIZE];
	const char *text = cfg_title(section);
	enum hostname_error error = hostname_fold_fqdn(text, strlen(text), name);

	if (error == HOSTNAME_OK && hostname_is_localhost(name))
		error = HOSTNAME_LOCALHOST;
	if (error == HOSTNAME_OK)
		error = hostname_join(SERVED_SERIAL_NAME, name, joined);
	if (error != HOSTNAME_OK) {
		conf_values_error(section, NULL, "not allowed: %s; a domain such as \"lab.example.org\" is", hostname_error_text(error));
		return NULL;
	}
	if (strcmp(name, policy->domains[0].name) == 0)
		return &policy->domains[0];
	/* NAME.DOMAIN must be one name of one domain: "a.dev" below docker and "a" below dev.docker would be the same. */
	for (size_t i = 0; i < policy->ndomains; i++) {
		if (!same_or_below(name, policy->domains[i].name) && !same_or_below(policy->domains[i].name, name))
			continue;
		conf_values_error(section, NULL, "not allowed: it is, or one is below the other, the domain \"%s\": names of several labels go there",
				  policy->domains[i].name);
		return NULL;
	}
	policy->domains[policy->ndomains].name = copy_text(copying, name);
	return policy->domains[policy->ndomains].name != NULL ? &policy->domains[policy->ndomains++] : NULL;
}

static void copy_serve(struct copying *copying, cfg_t *section, struct conf *conf)
{
	struct policy_domain *domain = domain_of(copying, section, &conf->policy);
	const char *conflict = cfg_getstr(section, "conflict");

	if (domain == NULL)
		return;
	if (domain->rule.names != NULL) {
		conf_values_error(section, NULL, "not allowed: there is a section for this domain already");
		return;
	}
	copy_rule(copying, section, &domain->rule);
	domain->users = copy_list(copying, section, "users", &domain->nusers);
	if (conflict != NULL)
		conf->conflicts[domain - conf->policy.domains] = conflict_of(conflict);
}

/* The first one is `domain`, which may have a section, too. After the policy and the registry, which say what holds in all of them. */
static void copy_domains(struct copying *copying, cfg_t *cfg, struct conf *conf)
{
	char name[HOSTNAME_FQDN_SIZE];
	const char *text = cfg_getstr(cfg, "domain");
	struct policy *policy = &conf->policy;

	hostname_fold_fqdn(text, strlen(text), name);
	conf->domain = copy_text(copying, name);
	for (size_t i = 0; i < POLICY_DOMAINS_MAX; i++)
		conf->conflicts[i] = conf->conflict;
	policy->domains = copy_room(copying, POLICY_DOMAINS_MAX, sizeof(*policy->domains));
	if (policy->domains == NULL)
		return;
	policy->domains[policy->ndomains++].name = copy_text(copying, name);
	for (unsigned i = 0; i < cfg_size(cfg, "serve") && !copying->failed; i++) {
		cfg_t *section = cfg_getnsec(cfg, "serve", i);

		if (policy->ndomains == POLICY_DOMAINS_MAX) {
			conf_values_error(section, NULL, "not allowed: more than %d domains", POLICY_DOMAINS_MAX);
			return;
		}
		copy_serve(copying, section, conf);
	}
}

/* What is over that would be left out at run time: a file that is not taken says so now. */
static void check_number(cfg_t *cfg, const struct conf_section *section)
{
	if ((section->flags & CFGF_MULTI) != 0 && cfg_size(cfg, section->name) > section->most)
		conf_values_error(cfg_getnsec(cfg, section->name, section->most), NULL, "too many: up to %u sections \"%s\" are allowed", section->most, section->name);
}

int conf_copy(cfg_t *cfg, bool others_may_read, struct conf *conf)
{
	struct copying copying = {false};

	copy_bus(&copying, cfg_getsec(cfg, "bus"), others_may_read, &conf->bus);
	copy_queue(&copying, cfg_getsec(cfg, "queue"), conf);
	copy_registry(cfg_getsec(cfg, "registry"), conf);
	copy_policy(&copying, cfg, &conf->policy);
	copy_domains(&copying, cfg, conf);
	copy_host_names(&copying, cfg, conf);
	copy_dnsmasq(&copying, cfg_getsec(cfg, "dnsmasq"), &conf->dnsmasq);
	copy_control(&copying, cfg_getsec(cfg, "control"), &conf->control);
	copy_metrics(cfg_getsec(cfg, "metrics"), &conf->metrics);
	conf->legacy = cfg_getbool(cfg, "legacy") == cfg_true;
	conf->pid_file = copy_text(&copying, cfg_getstr(cfg, "pid_file"));
	conf->run_as = copy_text(&copying, cfg_getstr(cfg, "run_as"));
	log_level_parse(cfg_getstr(cfg, "log_level"), &conf->log_level);
	for (size_t i = 0; i < CONF_SECTIONS_MAX && conf->sections[i] != NULL; i++) {
		check_number(cfg, conf->sections[i]);
		copying.failed |= conf->sections[i]->copy(cfg, conf, &conf->own[i]) == -1;
	}
	return copying.failed ? -1 : 0;
}
