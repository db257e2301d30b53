#ifndef CALLSIGN_RIGHTS_TRY_H
#define CALLSIGN_RIGHTS_TRY_H

#include "rights_review.h"

/* Does a user's pattern let this one thing through, and should it? What is not as it should be goes into the finding. Pure. */

#define RIGHTS_SESSION "0123456789abcdef0123456789abcdef"

enum right { CONFIGURE, WRITE, READ, ANNOUNCE_WRITE, ANNOUNCE_READ, WILL_WRITE, WILL_READ, RIGHTS };

struct rights_review {
	const char *pattern[RIGHTS]; /* NULL: no such topic permission, so that every key is allowed */
	struct rights_finding *finding;
};

/* Whether every pattern is one that POSIX's regular expressions mean the same by; else the finding says which is not. */
bool rights_can_judge(const struct rights_review *review);

bool rights_have(const struct rights_review *review, enum right right, const char *what);

/* The user needs it; it must not have it. */
void rights_must(const struct rights_review *review, enum right right, const char *what);
void rights_must_not(const struct rights_review *review, enum right right, const char *what);
void rights_must_have_topic(const struct rights_review *review, enum right right, const char *exchange);

/* What a pattern would let through whose dots are without their backslashes. Returns text. */
char *rights_undot(char *text);

#endif
