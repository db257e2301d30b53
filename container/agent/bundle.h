#ifndef CALLSIGN_AGENT_BUNDLE_H
#define CALLSIGN_AGENT_BUNDLE_H

#include <jansson.h>
#include <stdbool.h>

#include "naming.h"

/*
 * What is known of a container without asking its engine: the bundle's config.json, and the files in which Docker and Podman keep its name and labels.
 * Reads files, nothing else; what is missing, too long or odd is just not known.
 */
struct bundle {
	json_t *config; /* config.json */
	json_t *engine; /* Docker's config.v2.json, or Podman's entry */
	struct naming_facts facts; /* borrowed from both, and from id */
};

/*
 * 0, or -1 with errno: there is no config.json that can be read, or something is lacking for now to read it and what belongs to it (shortage.h). id must
 * outlive it. Free with bundle_clear() in both cases.
 */
int bundle_read(const char *path, const char *id, struct bundle *out);
void bundle_clear(struct bundle *bundle);

/* Whether the hook is in it: then it was to be told of this container. */
bool bundle_has_hook(const struct bundle *bundle);

#endif
