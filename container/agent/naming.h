#ifndef CALLSIGN_AGENT_NAMING_H
#define CALLSIGN_AGENT_NAMING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "shared/contract/announcement.h"

/*
 * What a container is called: by what people chose, never by what an engine made up. Pure: facts and rules in, names out. docs/agent.md, "What it is
 * called", says it in words.
 */
#define NAMING_TEMPLATES_MAX (1 + ANNOUNCEMENT_ALIASES_MAX)
#define NAMING_TEXT_MAX 512 /* bytes of a template */
#define NAMING_REASON_SIZE 256

/* As its runtime and its engine tell them. What is not known is NULL. */
struct naming_facts {
	const char *id;           /* the runtime's */
	const char *hostname;
	bool own_hostname;        /* it has a UTS namespace of its own */
	bool joins_network;       /* its network namespace was there before it: Podman's way, or another container's */
	const char *container;    /* the engine's name for it */
	const json_t *env;        /* an array of "NAME=VALUE" */
	const json_t *annotations, *labels; /* objects of texts */
};

/* All of them borrowed. */
struct naming_rules {
	char *const *names; /* templates: the first that can be filled in is the name, the others are aliases */
	size_t nnames;
	char *const *include; /* patterns (hostname_matches); none: every name */
	size_t ninclude;
	char *const *exclude;
	size_t nexclude;
};

struct naming {
	char name[HOSTNAME_NAME_SIZE];
	char aliases[ANNOUNCEMENT_ALIASES_MAX][HOSTNAME_NAME_SIZE];
	unsigned naliases;
	struct announcement_port ports[ANNOUNCEMENT_PORTS_MAX];
	unsigned nports;
};

enum naming_verdict {
	NAMING_NAMED,
	NAMING_NONE, /* nobody wants it to have one; reason says why */
	NAMING_WRONG /* somebody wants it to have one that it cannot have: worth a warning */
};

/* NAMING_NAMED with a reason: an alias of its was left out, as include and exclude have it. */
enum naming_verdict naming_decide(const struct naming_rules *rules, const struct naming_facts *facts, struct naming *out,
                                  char reason[NAMING_REASON_SIZE]);

/* Whether a template is written as it must be: NULL, or the rule that it breaks. */
const char *naming_check_template(const char *text);

#endif
