#ifndef CALLSIGN_INTAKE_H
#define CALLSIGN_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"
#include "refusals.h"
#include "registry.h"
#include "shared/bus.h"

/*
 * One delivery from the bus: is it what the contract and the policy allow, and if so, what it changes. Assumes that every sender is an
 * attacker who holds its tenant's credentials. The broker vouches for: user_id (checked at publishing), exchange, routing key of what
 * was published by way of a topic permission, and the newest x-death entry, which it writes itself. It does not vouch for anything in the
 * body, for headers, or for the routing key of what was dead-lettered.
 */
struct intake {
	const struct policy *policy;
	struct registry *registry;
	struct refusals *refusals;
	struct rates *rates;
	struct ident nonce; /* of our last roll call */
};

enum intake_result {
	INTAKE_TAKEN,   /* the registry has it */
	INTAKE_REFUSED, /* logged; nothing changed */
	INTAKE_IGNORED, /* nothing to do, nothing to say: old, ended, another host's roll call */
	INTAKE_MARKER   /* our own roll call has come back */
};

struct intake_outcome {
	enum intake_result result;
	bool understood;             /* message is valid */
	char reason[POLICY_REASON_SIZE]; /* INTAKE_REFUSED */
};

/* message: room for the decoded announcement, valid afterwards if outcome->understood. */
void intake_take(struct intake *intake, const struct bus_delivery *delivery, struct announcement *message, int64_t now_ms,
                 struct intake_outcome *outcome);

#endif
