#ifndef CALLSIGN_POLICY_H
#define CALLSIGN_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rate.h"
#include "shared/contract/announcement.h"

/*
 * Who may announce what. Pure. Two layers: the policy section holds for all; a user section, where there is one for the sender, narrows
 * it further. An empty list of names or subnets allows everything that is usable at all.
 */
struct policy_rule {
	struct prefix *subnets;
	size_t nsubnets;
	char **names; /* patterns, see hostname_matches() */
	size_t nnames;
};

/* How much. max_names: aliases counted; 0: no bound. See registry.h for the bound on addresses that comes with it. */
struct policy_limits {
	size_t max_names;
	struct rate_limit rate;
};

struct policy_user {
	char *user;
	struct policy_rule rule;
	struct policy_limits limits;
	bool agent;             /* speaks for a whole host's containers: its wills come out of its connection's one mailbox */
	int64_t agent_grace_ms; /* how long its names stay after its `lost` at least: another agent may take them over */
};

/*
 * A domain that names are served below, and what may be found there: within the policy as a whole. Names and subnets as in a rule; users: those of
 * the broker whose names it takes, none: everybody's.
 */
#define POLICY_USER_MAX 255 /* a broker user: an AMQP short string */
#define POLICY_DOMAINS_MAX 16

struct policy_domain {
	char *name; /* folded; none is another one, or below it */
	struct policy_rule rule;
	char **users;
	size_t nusers;
};

struct policy {
	struct policy_rule rule;
	char **reserved; /* patterns; besides those that policy_reserved() always refuses */
	size_t nreserved;
	char **host_names; /* this host's own names: reserved too */
	size_t nhost_names;
	bool allow_unsigned;
	struct policy_limits limits; /* of each user who has no section of his own */
	bool allow_host_addresses;
	struct address *host_addresses; /* of this host's own interfaces, sorted; see policy_set_host_addresses() */
	size_t nhost_addresses;
	struct policy_user *users;
	size_t nusers;
	struct policy_domain *domains; /* at most POLICY_DOMAINS_MAX. None: there is one that takes everything */
	size_t ndomains;
};

#define POLICY_REASON_SIZE 320

void policy_init(struct policy *policy);
void policy_clear(struct policy *policy); /* frees what is inside */

/*
 * Always reserved: callsign and everything below it, localhost, wpad, isatap, and names below those. Also what begins with the label wpad or
 * isatap: a client whose search domain is corp.docker asks for wpad.corp.docker.
 */
bool policy_reserved(const struct policy *policy, const char *name);

/*
 * In which domains user may have name, a bit each, bit 0 for the first one: the policy and the user's section allow it, the domain takes it, and with
 * the domain it is not too long. 0: nowhere. Likewise for an address.
 */
uint32_t policy_name_domains(const struct policy *policy, const char *user, const char *name);
uint32_t policy_address_domains(const struct policy *policy, const char *user, const struct address *address);

/*
 * How much of a whole name (folded) stands in front of the domain that it is below, whose number goes to *domain (NULL: not wanted); length, if it is below
 * none. None is below another, so that there is at most one.
 */
size_t policy_bare_length(const struct policy *policy, const char *whole, size_t length, unsigned *domain);

/* In which domains this host's own names are: as above, but that users do not matter. */
uint32_t policy_own_name_domains(const struct policy *policy, const char *name);

/* Whether it is allowed in any domain. */
bool policy_name_allowed(const struct policy *policy, const char *user, const char *name);
/*
 * The addresses of this host's own interfaces: the gateway, the broker, whatever listens here. Nobody may announce one of them, unless the policy has
 * host_addresses = true, or the user's subnets (or the policy's) name that very address at full length. Copies. 0, or -1 with errno.
 */
int policy_set_host_addresses(struct policy *policy, const struct address *addresses, size_t count);

/* Those of the user's own section, or else the policy's. */
const struct policy_limits *policy_limits(const struct policy *policy, const char *user);

bool policy_address_allowed(const struct policy *policy, const char *user, const struct address *address);

/* Whether user is an agent (docs/protocol.md, "An agent"). Nobody is unless its section says so. */
bool policy_is_agent(const struct policy *policy, const char *user);
int64_t policy_agent_grace_ms(const struct policy *policy, const char *user); /* 0 for who is none */

/* NULL if the whole message (up: name, aliases, addresses; else the name) is allowed; else reason, filled in: what is not, and by which rule. */
const char *policy_refuses(const struct policy *policy, const char *user, const struct announcement *message,
                           char reason[POLICY_REASON_SIZE]);

#endif
