#ifndef CALLSIGN_CONTROL_REQUEST_H
#define CALLSIGN_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/policy.h"
#include "shared/contract/hostname.h"

/* One request on the control socket: a line of JSON. docs/control.md has the protocol. Pure. */
enum control_op {
	CONTROL_STATUS,
	CONTROL_LIST,
	CONTROL_WHY,
	CONTROL_WATCH,
	CONTROL_FORGET,
	CONTROL_ROLLCALL,
	CONTROL_RELOAD,
	CONTROL_METRICS,
	CONTROL_WITHDRAWN
};

#define CONTROL_LINE_MAX 4096 /* bytes, without the newline */
#define CONTROL_USER_SIZE 256
#define CONTROL_ERROR_SIZE 200

struct control_request {
	enum control_op op;
	char pattern[HOSTNAME_FQDN_SIZE]; /* list, watch; "": everything. Folded. */
	char name[HOSTNAME_NAME_SIZE];    /* why, forget: without the domain, folded */
	bool has_user;
	char user[CONTROL_USER_SIZE];     /* why */
};

/*
 * length bytes, not terminated. policy: a name may be given with one of its domains. 0, or -1 with the reason in error, fit for a log line: not a JSON object,
 * a duplicate or unknown key, an unknown op, a missing or unsuitable value.
 */
int control_request_parse(const char *line, size_t length, const struct policy *policy, struct control_request *out, char error[CONTROL_ERROR_SIZE]);

const char *control_op_name(enum control_op op);

/* Whether only root may ask for it. */
bool control_op_changes(enum control_op op);

/* A name as people give it, with or without one of the domains and a last dot, into out without them. 0, or -1 with error. */
int control_name_parse(const char *text, const struct policy *policy, char out[HOSTNAME_NAME_SIZE], char error[CONTROL_ERROR_SIZE]);

#endif
