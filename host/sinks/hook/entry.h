#ifndef CALLSIGN_HOOK_ENTRY_H
#define CALLSIGN_HOOK_ENTRY_H

#include <stdbool.h>
#include <stdio.h>

#include "registry/policy.h"
#include "registry/view.h"

/* One instance as a hook is told of it: a JSON object (docs/hook.md, "An entry"). Pure; errors of out are the caller's to see. */
void hook_entry_write(FILE *out, const struct listing *listing, const struct policy *policy, int64_t since_wall_ms);

/* Pieces of JSON. Everything that goes through here is printable ASCII: names and addresses by their rules, users through log_safe(). */
struct hook_list {
	FILE *out;
	bool some; /* the next item needs a comma before it */
};

void hook_entry_string(FILE *out, const char *text);
void hook_entry_item(struct hook_list *list, const char *text);

#endif
