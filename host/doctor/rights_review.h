#ifndef CALLSIGN_RIGHTS_REVIEW_H
#define CALLSIGN_RIGHTS_REVIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rights.h"

/*
 * What each user of a vhost may do, against what docs/protocol.md gives hosts and emitters. Pure: from the broker's definitions.
 *
 * Rights are compared by what they let through, not as texts: there is more than one way to write a regular expression. A pattern that only PCRE
 * understands ("(?", "\d") is not judged.
 */
enum rights_kind {
	RIGHTS_HOST,
	RIGHTS_EMITTER,
	RIGHTS_AGENT,
	RIGHTS_ADMINISTRATOR, /* may give itself any right: not judged */
	RIGHTS_OTHER          /* neither: nothing that it may do is needed */
};

/* Which command mends it: set_permissions, or set_topic_permissions for the exchange callsign or callsign.will. */
enum { RIGHTS_WRONG_PERMISSIONS = 1, RIGHTS_WRONG_ANNOUNCE = 2, RIGHTS_WRONG_WILL = 4 };

#define RIGHTS_LIST_SIZE 320
#define RIGHTS_REASON_SIZE 160

struct rights_finding {
	const char *user; /* borrowed from the definitions */
	enum rights_kind kind;
	char name[RIGHTS_PREFIX_SIZE]; /* the host's, the agent's host, or the emitter's prefix; "" with a host: not known */
	char few[RIGHTS_LIST_SIZE];    /* what it must be able to do and is not, for instance "write callsign.will"; "": all is there */
	char many[RIGHTS_LIST_SIZE];   /* what it can do and must not */
	unsigned wrong;                /* RIGHTS_WRONG_... */
	bool legacy;                   /* with a host: it takes the older format, too */
	char unclear[RIGHTS_REASON_SIZE]; /* why it could not be judged; then few and many are empty */
};

/*
 * Each user with any right on vhost, in the order of the definitions. own: the user and host name of this host's daemon, and whether it takes the older
 * format. Another host does if it has any right on that one's exchange.
 */
void rights_review(const json_t *definitions, const char *vhost, const char *own_user, const char *own_host, bool own_legacy,
                   void (*visit)(void *arg, const struct rights_finding *finding), void *arg);

/* Whether names that begin with one may begin with the other: then each may announce the other's. "" overlaps with nothing: it is the operator's own. */
bool rights_overlap(const char *one, const char *other);

/* The prefix in a topic permission's write pattern, ^(up|down)\.PREFIX.*: 0, or -1 if it has another form. */
int rights_prefix(const char *pattern, char out[RIGHTS_PREFIX_SIZE]);

/*
 * The rabbitmqctl commands that give a user what its kind needs and no more (RIGHTS_OTHER: that take all away), one a line, quoted for a shell.
 * Returns out.
 */
char *rights_commands(const struct rights_finding *finding, const char *vhost, char *out, size_t size);

#endif
