#ifndef CALLSIGN_AGENT_HOOKSEDIT_H
#define CALLSIGN_AGENT_HOOKSEDIT_H

#include <stddef.h>

/*
 * Our hook in a bundle's config.json (OCI runtime specification, config.md, "POSIX-platform Hooks"): one more entry at the end of createRuntime and of
 * poststop, which are made if they are not there. Every other byte stays as it is. Pure.
 */
enum hooksedit_result {
	HOOKSEDIT_ADDED,
	HOOKSEDIT_THERE,  /* it has this hook already: nothing to do */
	HOOKSEDIT_UNKNOWN, /* not what the specification says, so far as we have to understand it; *why tells */
	HOOKSEDIT_MEMORY
};

/*
 * hook: the program's absolute path; timeout: its second argument, or NULL. On HOOKSEDIT_ADDED *out is the new text (not terminated, to be freed) and
 * *out_length its length.
 */
enum hooksedit_result hooksedit_add(const char *text, size_t length, const char *hook, const char *timeout, char **out, size_t *out_length,
                                    const char **why);

#endif
