#ifndef CALLSIGN_POLICY_H
#define CALLSIGN_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "rate.h"
#include "shared/announcement.h"

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
};

#define POLICY_REASON_SIZE 320

void policy_init(struct policy *policy);
void policy_clear(struct policy *policy); /* frees what is inside */

/*
 * Always reserved: callsign and everything below it, localhost, wpad, isatap, and names below those. Also what begins with the label wpad or
 * isatap: a client whose search domain is corp.docker asks for wpad.corp.docker.
 */
bool policy_reserved(const struct policy *policy, const char *name);

bool policy_name_allowed(const struct policy *policy, const char *user, const char *name);
/*
 * The addresses of this host's own interfaces: the gateway, the broker, whatever listens here. Nobody may announce one of them, unless the policy has
 * host_addresses = true, or the user's subnets (or the policy's) name that very address at full length. Copies. 0, or -1 with errno.
 */
int policy_set_host_addresses(struct policy *policy, const struct address *addresses, size_t count);

/* Those of the user's own section, or else the policy's. */
const struct policy_limits *policy_limits(const struct policy *policy, const char *user);

bool policy_address_allowed(const struct policy *policy, const char *user, const struct address *address);

/* NULL if the whole message (up: name, aliases, addresses; else the name) is allowed; else reason, filled in: what is not, and by which rule. */
const char *policy_refuses(const struct policy *policy, const char *user, const struct announcement *message,
                           char reason[POLICY_REASON_SIZE]);

#endif
