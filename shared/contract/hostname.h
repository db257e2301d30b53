#ifndef CALLSIGN_HOSTNAME_H
#define CALLSIGN_HOSTNAME_H

#include <stdbool.h>
#include <stddef.h>

#define HOSTNAME_LABEL_MAX 63  /* RFC 1035, section 2.3.4 */
#define HOSTNAME_NAME_MAX 200  /* the wire contract: a name without the domain */
#define HOSTNAME_FQDN_MAX 253  /* RFC 1035, section 3.1, in text without the final dot */
#define HOSTNAME_NAME_SIZE (HOSTNAME_NAME_MAX + 1)
#define HOSTNAME_FQDN_SIZE (HOSTNAME_FQDN_MAX + 1)

enum hostname_error {
	HOSTNAME_OK,
	HOSTNAME_EMPTY,           /* no characters at all */
	HOSTNAME_TOO_LONG,        /* over HOSTNAME_NAME_MAX bytes, or over HOSTNAME_FQDN_MAX with the domain */
	HOSTNAME_LABEL_EMPTY,     /* a leading or trailing dot, or two dots in a row */
	HOSTNAME_LABEL_TOO_LONG,  /* over HOSTNAME_LABEL_MAX bytes */
	HOSTNAME_BAD_CHARACTER,   /* anything but letters, digits and hyphens (RFC 1123, section 2.1) */
	HOSTNAME_BAD_HYPHEN,      /* a label that begins or ends with a hyphen */
	HOSTNAME_LOCALHOST        /* "localhost", or a name that ends in ".localhost" (RFC 6761, section 6.3) */
};

/*
 * One or more RFC 1123 labels, folded to lower case into out. A name of digits only is fine. text need not be terminated
 * and may hold any bytes. On error out holds the empty string: a name is taken whole or not at all.
 * hostname_fold does not refuse localhost: hostname_is_localhost tells.
 */
enum hostname_error hostname_fold(const char *text, size_t length, char out[HOSTNAME_NAME_SIZE]);

/* The same rules for something that is a whole domain name (up to HOSTNAME_FQDN_MAX bytes), such as a configured domain. */
enum hostname_error hostname_fold_fqdn(const char *text, size_t length, char out[HOSTNAME_FQDN_SIZE]);

bool hostname_is_localhost(const char *name);

/* NAME.DOMAIN into out; HOSTNAME_TOO_LONG if over HOSTNAME_FQDN_MAX. Both are folded already. */
enum hostname_error hostname_join(const char *name, const char *domain, char out[HOSTNAME_FQDN_SIZE]);

/*
 * Shell-like patterns over whole names: '*' any run of characters, dots included; '?' one character. For "names" and
 * "reserved" in policies. hostname_pattern_valid: letters, digits, '-', '.', '*', '?', not empty, up to 253 bytes.
 */
bool hostname_pattern_valid(const char *pattern);
bool hostname_matches(const char *pattern, const char *name);

/* The rule that was broken, in words, for example "a label is longer than 63 characters". */
const char *hostname_error_text(enum hostname_error error);

#endif
