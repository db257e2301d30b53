#ifndef CALLSIGN_AGENT_JSONTEXT_H
#define CALLSIGN_AGENT_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A JSON text (RFC 8259), looked into where it lies: no tree, no memory, no library. For programs that must change one place of somebody else's file
 * and no other byte (numbers beyond 63 bits, the order of keys, what a later version of the format adds), and for one that has no libc. Pure.
 */
#define JSONTEXT_DEPTH_MAX 64 /* arrays and objects within each other */

/* text[from] to text[to - 1]. */
struct jsontext_span {
	size_t from, to;
};

struct jsontext_member {
	struct jsontext_span key; /* what is between the quotes, escapes as they are */
	struct jsontext_span value;
};

/* The whole text is one value with nothing but blanks around it: true, and where it lies. */
bool jsontext_read(const char *text, size_t length, struct jsontext_span *value);

/*
 * The members of an object, or the elements of an array (which have no key), that jsontext_read() has passed. at: 0 at first, then as it was left.
 * false: there are no more.
 */
bool jsontext_next(const char *text, const struct jsontext_span *container, size_t *at, struct jsontext_member *member);

/*
 * The one member of this key (which must not need an escape): 1 and its value, 0: there is none, -1: there are several, or object is none, or a key is
 * written so that other readers may take it for this one (with an escape, or in other letters: Go's JSON does not mind case).
 */
int jsontext_find(const char *text, const struct jsontext_span *object, const char *key, struct jsontext_span *value);

/* Whether a string, its quotes included, says expected; written with escapes it does not. */
bool jsontext_is(const char *text, const struct jsontext_span *string, const char *expected);

#endif
