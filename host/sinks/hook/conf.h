#ifndef CALLSIGN_HOOK_CONF_H
#define CALLSIGN_HOOK_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/section.h"

/* hook "NAME" { } of callsignd.conf: a command that is told of changes. */
struct hook_conf {
	char *name;
	char **command; /* ends with NULL; the first is a path */
	bool required;
	int64_t timeout_ms;
	int64_t retry_ms; /* the longest pause between two tries */
	int64_t delay_ms; /* from the first change to the run */
};

/* What hook_section makes of all of them. */
struct hook_confs {
	struct hook_conf *list;
	size_t count;
};

extern const struct conf_section hook_section;

/* The i-th of them, or NULL. */
const struct hook_conf *hook_conf(const struct conf *conf, size_t i);

#endif
