#include <config.h>

#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* callsign: the serial lives below it. wpad and isatap: browsers and Windows ask for them unasked and believe what answers. */
static const char *const always_reserved[] = {"callsign", "localhost", "wpad", "isatap"};

void policy_init(struct policy *policy)
{
	memset(policy, 0, sizeof(*policy));
}

static int compare_addresses(const void *a, const void *b)
{
	return address_compare(a, b);
}

int policy_set_host_addresses(struct policy *policy, const struct address *addresses, size_t count)
{
	struct address *copy = malloc((count + 1) * sizeof(*copy));

	if (copy == NULL)
		return -1;
	if (count > 0)
		memcpy(copy, addresses, count * sizeof(*copy));
	qsort(copy, count, sizeof(*copy), compare_addresses);
	free(policy->host_addresses);
	policy->host_addresses = copy;
	policy->nhost_addresses = count;
	return 0;
}

static void free_strings(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
	free(strings);
}

static void rule_clear(struct policy_rule *rule)
{
	free(rule->subnets);
	free_strings(rule->names, rule->nnames);
}

void policy_clear(struct policy *policy)
{
	rule_clear(&policy->rule);
	free_strings(policy->reserved, policy->nreserved);
	free_strings(policy->host_names, policy->nhost_names);
	for (size_t i = 0; i < policy->nusers; i++) {
		free(policy->users[i].user);
		rule_clear(&policy->users[i].rule);
	}
	free(policy->users);
	for (size_t i = 0; i < policy->ndomains; i++) {
		free(policy->domains[i].name);
		rule_clear(&policy->domains[i].rule);
		free_strings(policy->domains[i].users, policy->domains[i].nusers);
	}
	free(policy->domains);
	free(policy->host_addresses);
	policy_init(policy);
}

/* name is base, or a name below it ("x.base"). */
static bool same_or_below(const char *name, const char *base)
{
	size_t length = strlen(name), base_length = strlen(base);

	if (length < base_length || strcmp(name + length - base_length, base) != 0)
		return false;
	return length == base_length || name[length - base_length - 1] == '.';
}

/* wpad and isatap are asked for below every search domain. */
static bool begins_with_trap(const char *name)
{
	size_t length = strcspn(name, ".");

	return (length == 4 && memcmp(name, "wpad", 4) == 0) || (length == 6 && memcmp(name, "isatap", 6) == 0);
}

/* The rule that reserves name, as text for a reason, or NULL. */
static const char *reserved_by(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < sizeof(always_reserved) / sizeof(always_reserved[0]); i++)
		if (same_or_below(name, always_reserved[i]))
			return "always reserved";
	if (begins_with_trap(name))
		return "always reserved";
	for (size_t i = 0; i < policy->nhost_names; i++)
		if (strcmp(policy->host_names[i], name) == 0)
			return "this host's own name";
	for (size_t i = 0; i < policy->nreserved; i++)
		if (hostname_matches(policy->reserved[i], name))
			return "reserved by the policy";
	return NULL;
}

bool policy_reserved(const struct policy *policy, const char *name)
{
	return reserved_by(policy, name) != NULL;
}

static bool rule_allows_name(const struct policy_rule *rule, const char *name)
{
	for (size_t i = 0; i < rule->nnames; i++)
		if (hostname_matches(rule->names[i], name))
			return true;
	return rule->nnames == 0;
}

static bool rule_allows_address(const struct policy_rule *rule, const struct address *address)
{
	for (size_t i = 0; i < rule->nsubnets; i++)
		if (prefix_contains(&rule->subnets[i], address))
			return true;
	return rule->nsubnets == 0;
}

static const struct policy_user *find_user(const struct policy *policy, const char *user)
{
	for (size_t i = 0; i < policy->nusers; i++)
		if (strcmp(policy->users[i].user, user) == 0)
			return &policy->users[i];
	return NULL;
}

static const struct policy_rule *user_rule(const struct policy *policy, const char *user)
{
	const struct policy_user *own = find_user(policy, user);

	return own != NULL ? &own->rule : NULL;
}

const struct policy_limits *policy_limits(const struct policy *policy, const char *user)
{
	const struct policy_user *own = find_user(policy, user);

	return own != NULL ? &own->limits : &policy->limits;
}

bool policy_is_agent(const struct policy *policy, const char *user)
{
	const struct policy_user *own = find_user(policy, user);

	return own != NULL && own->agent;
}

int64_t policy_agent_grace_ms(const struct policy *policy, const char *user)
{
	const struct policy_user *own = find_user(policy, user);

	return own != NULL && own->agent ? own->agent_grace_ms : 0;
}

/* Named as it is, not just covered by a network. */
static bool rule_names_address(const struct policy_rule *rule, const struct address *address)
{
	for (size_t i = 0; i < rule->nsubnets; i++)
		if (rule->subnets[i].length == (address->family == 4 ? 32 : 128) && address_equal(&rule->subnets[i].base, address))
			return true;
	return false;
}

/* Whoever can point a name at the host itself can have other people's requests sent to its broker, its DNS or its web server. */
static bool is_forbidden_host_address(const struct policy *policy, const struct policy_rule *own, const struct address *address)
{
	if (policy->allow_host_addresses || policy->nhost_addresses == 0 ||
	    bsearch(address, policy->host_addresses, policy->nhost_addresses, sizeof(*address), compare_addresses) == NULL)
		return false;
	return !rule_names_address(&policy->rule, address) && (own == NULL || !rule_names_address(own, address));
}

/* ---- domains ---- */

static bool domain_allows_user(const struct policy_domain *domain, const char *user)
{
	for (size_t i = 0; i < domain->nusers; i++)
		if (strcmp(domain->users[i], user) == 0)
			return true;
	return domain->nusers == 0;
}

static bool domain_fits_name(const struct policy_domain *domain, const char *name)
{
	char fqdn[HOSTNAME_FQDN_SIZE];

	return hostname_join(name, domain->name, fqdn) == HOSTNAME_OK;
}

size_t policy_bare_length(const struct policy *policy, const char *whole, size_t length, unsigned *domain)
{
	for (size_t i = 0; i < policy->ndomains; i++) {
		const char *name = policy->domains[i].name;
		size_t tail = strlen(name);

		if (length <= tail + 1 || whole[length - tail - 1] != '.' || memcmp(whole + length - tail, name, tail) != 0)
			continue;
		if (domain != NULL)
			*domain = (unsigned)i;
		return length - tail - 1;
	}
	return length;
}

/* user NULL: nobody's, this host's own. */
static uint32_t domains_of_name(const struct policy *policy, const char *user, const char *name)
{
	uint32_t bits = policy->ndomains == 0;

	for (size_t i = 0; i < policy->ndomains; i++) {
		const struct policy_domain *domain = &policy->domains[i];

		if (rule_allows_name(&domain->rule, name) && (user == NULL || domain_allows_user(domain, user)) &&
		    domain_fits_name(domain, name))
			bits |= UINT32_C(1) << i;
	}
	return bits;
}

static uint32_t domains_of_address(const struct policy *policy, const struct address *address)
{
	uint32_t bits = policy->ndomains == 0;

	for (size_t i = 0; i < policy->ndomains; i++)
		if (rule_allows_address(&policy->domains[i].rule, address))
			bits |= UINT32_C(1) << i;
	return bits;
}

uint32_t policy_name_domains(const struct policy *policy, const char *user, const char *name)
{
	const struct policy_rule *own = user_rule(policy, user);

	if (policy_reserved(policy, name) || !rule_allows_name(&policy->rule, name) || (own != NULL && !rule_allows_name(own, name)))
		return 0;
	return domains_of_name(policy, user, name);
}

uint32_t policy_address_domains(const struct policy *policy, const char *user, const struct address *address)
{
	const struct policy_rule *own = user_rule(policy, user);

	if (!rule_allows_address(&policy->rule, address) || (own != NULL && !rule_allows_address(own, address)) ||
	    is_forbidden_host_address(policy, own, address))
		return 0;
	return domains_of_address(policy, address);
}

uint32_t policy_own_name_domains(const struct policy *policy, const char *name)
{
	return domains_of_name(policy, NULL, name);
}

bool policy_name_allowed(const struct policy *policy, const char *user, const char *name)
{
	return policy_name_domains(policy, user, name) != 0;
}

bool policy_address_allowed(const struct policy *policy, const char *user, const struct address *address)
{
	return policy_address_domains(policy, user, address) != 0;
}

/* ---- reasons ---- */

/* Why each domain does not take the name: "docker: names; lab.example: too long". */
static void domains_reason(const struct policy *policy, const char *user, const char *name, char *reason)
{
	size_t used = (size_t)snprintf(reason, POLICY_REASON_SIZE, "name %s fits no domain that is served here", name);

	for (size_t i = 0; i < policy->ndomains && used < POLICY_REASON_SIZE; i++) {
		const struct policy_domain *domain = &policy->domains[i];
		const char *what = !rule_allows_name(&domain->rule, name)     ? "names"
				   : !domain_allows_user(domain, user) ? "users"
									      : "too long";

		used += (size_t)snprintf(reason + used, POLICY_REASON_SIZE - used, "%s%s: %s", i == 0 ? " (" : "; ", domain->name, what);
	}
	if (used + 1 < POLICY_REASON_SIZE)
		snprintf(reason + used, POLICY_REASON_SIZE - used, ")");
}

static const char *name_reason(const struct policy *policy, const char *user, const char *name, char reason[POLICY_REASON_SIZE])
{
	const struct policy_rule *own = user_rule(policy, user);
	const char *reserved = reserved_by(policy, name);

	if (reserved != NULL)
		snprintf(reason, POLICY_REASON_SIZE, "name %s is %s", name, reserved);
	else if (!rule_allows_name(&policy->rule, name))
		snprintf(reason, POLICY_REASON_SIZE, "name %s matches none of policy names", name);
	else if (own != NULL && !rule_allows_name(own, name))
		snprintf(reason, POLICY_REASON_SIZE, "name %s matches none of this user's names", name);
	else if (domains_of_name(policy, user, name) == 0)
		domains_reason(policy, user, name, reason);
	else
		return NULL;
	return reason;
}

static const char *address_reason(const struct policy *policy, const struct policy_rule *own,
                                  const struct address *address, char reason[POLICY_REASON_SIZE])
{
	const char *what;
	char text[ADDRESS_TEXT_SIZE];

	if (!rule_allows_address(&policy->rule, address))
		what = "in none of policy subnets";
	else if (own != NULL && !rule_allows_address(own, address))
		what = "in none of this user's subnets";
	else if (is_forbidden_host_address(policy, own, address))
		what = "this host's own (policy host_addresses, or the address itself in subnets, would allow it)";
	else if (domains_of_address(policy, address) == 0)
		what = "in none of the subnets of the domains that are served here";
	else
		return NULL;
	snprintf(reason, POLICY_REASON_SIZE, "address %s is %s", address_format(address, text), what);
	return reason;
}

const char *policy_refuses(const struct policy *policy, const char *user, const struct announcement *message,
                           char reason[POLICY_REASON_SIZE])
{
	const struct policy_rule *own = user_rule(policy, user);
	const char *refused = name_reason(policy, user, message->name, reason);

	if (message->op != ANNOUNCEMENT_UP)
		return refused;
	for (unsigned i = 0; refused == NULL && i < message->naliases; i++)
		refused = name_reason(policy, user, message->aliases[i], reason);
	for (unsigned i = 0; refused == NULL && i < message->naddresses; i++)
		refused = address_reason(policy, own, &message->addresses[i], reason);
	return refused;
}
