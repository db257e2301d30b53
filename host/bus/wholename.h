#ifndef CALLSIGN_WHOLENAME_H
#define CALLSIGN_WHOLENAME_H

#include <stdbool.h>

#include "host/registry/policy.h"
#include "shared/contract/announcement.h"

/*
 * Names that are given whole. An emitter does not know what a host serves, and people write `docker run --hostname web.docker`: where the host serves
 * docker that means web, not web.docker.docker. Pure. Only what is below a domain counts: the name "docker" is one like any other.
 *
 * An instance keeps the name that it is known under, whatever a reload does to the domains: known is that name, NULL for a new one.
 */

/* Whether any name of the message would be cut. */
bool wholename_any(const struct policy *policy, const char *known, const struct announcement *message);

/* Cut the domain off each name that ends in one; aliases that are then there twice, or are the name, go. */
void wholename_cut(const struct policy *policy, const char *known, struct announcement *message);

/*
 * Whether a whole name asks for a domain that does not take it from this user, though another might: it means itself or nothing. message: as it was sent.
 * NULL, or reason, filled in.
 */
const char *wholename_refuses(const struct policy *policy, const char *user, const char *known, const struct announcement *message,
                              char reason[POLICY_REASON_SIZE]);

#endif
