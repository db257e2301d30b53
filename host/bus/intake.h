#ifndef CALLSIGN_INTAKE_H
#define CALLSIGN_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "refusals.h"
#include "registry/policy.h"
#include "registry/registry.h"
#include "shared/bus/bus.h"

/*
 * One delivery from the bus: is it what the contract and the policy allow, and if so, what it changes. Assumes that every sender is an
 * attacker who holds its tenant's credentials. The broker vouches for: user_id (checked at publishing), exchange, routing key of what
 * was published by way of a topic permission, and the newest x-death entry, which it writes itself. It does not vouch for anything in the
 * body, for headers, or for the routing key of what was dead-lettered.
 */
/* What is wrong with a refused message, by kind. */
enum intake_refusal {
	INTAKE_RATE,      /* over the user's rate */
	INTAKE_MALFORMED, /* not what the contract allows: too long, no JSON, a bad name or address */
	INTAKE_ENVELOPE,  /* its exchange, routing key, properties or way disagree with what it says */
	INTAKE_UNSIGNED,  /* no user_id */
	INTAKE_POLICY,    /* not allowed to this user, or reserved */
	INTAKE_RIVAL,     /* the instance is known under another name or user */
	INTAKE_LIMIT,     /* the user has as many names as it may have */
	INTAKE_MEMORY
};

#define INTAKE_REFUSALS 8

struct intake {
	const struct policy *policy;
	struct registry *registry;
	struct refusals *refusals;
	struct rates *rates;
	bool legacy;        /* the older wire format is taken too */
	struct ident nonce; /* of our last roll call */
	uint64_t refused[INTAKE_REFUSALS]; /* for metrics */
};

const char *intake_refusal_word(enum intake_refusal refusal);

enum intake_result {
	INTAKE_TAKEN,   /* the registry has it */
	INTAKE_REFUSED, /* logged; nothing changed */
	INTAKE_IGNORED, /* nothing to do, nothing to say: old, ended, another host's roll call */
	INTAKE_MARKER   /* our own roll call has come back */
};

struct intake_outcome {
	enum intake_result result;
	bool understood;             /* message is valid */
	bool legacy;                 /* it came in the older wire format: nobody is to be answered */
	char reason[POLICY_REASON_SIZE]; /* INTAKE_REFUSED */
};

/* message: room for the decoded announcement, valid afterwards if outcome->understood. */
void intake_take(struct intake *intake, const struct bus_delivery *delivery, struct announcement *message, int64_t now_ms,
                 struct intake_outcome *outcome);

#endif
