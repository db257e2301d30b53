#ifndef CALLSIGN_TEMPLATE_H
#define CALLSIGN_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/contract/hostname.h"

/*
 * Names with variables in them: "{hostname}.{service}.{environment:-dev}". Pure: where values come from is the caller's business.
 *
 *   {NAME}            the value; there must be one, and it must not be empty
 *   {NAME:-DEFAULT}   DEFAULT (letters, digits, '-' and '.'; may be empty) where there is none
 *
 * NAME is a letter or '_' and further letters, digits and '_'. One without capitals is also looked for in capitals. Everything else is taken as it
 * is. The result is a name by the usual rules (hostname_fold), whole and in lower case, or an error: nothing is left out or replaced.
 */
#define TEMPLATE_TEXT_MAX 1024 /* bytes before it is filled in */

/* NULL: not set. */
typedef const char *template_lookup(void *arg, const char *name);

/* Whether there is a variable, or what looks like the beginning or end of one. */
bool template_has_variables(const char *text, size_t length);

/* Whether it is written as it must be, whatever the values. 0, or -1 with the reason in error. */
int template_check(const char *text, size_t length, char *error, size_t size);

/* Fill in. 0 and out, or -1 with the reason in error, which names the variable that is missing. */
int template_expand(const char *text, size_t length, template_lookup *lookup, void *arg, char out[HOSTNAME_NAME_SIZE], char *error, size_t size);

#endif
