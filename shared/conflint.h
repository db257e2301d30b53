#ifndef CALLSIGN_CONFLINT_H
#define CALLSIGN_CONFLINT_H

#include <stddef.h>

/*
 * What libconfuse takes without a word although it cannot be what was meant (3.3 and 3.4 alike): an open quote ends the file there, a key that is
 * given again replaces the first, "${X}" is the environment's. Pure.
 */
#define CONFLINT_TEXT_SIZE 200

struct conflint_fault {
	int line; /* from 1 on */
	char text[CONFLINT_TEXT_SIZE]; /* no part of a value: it may be a secret */
};

/*
 * text: a configuration file, its comments blanked (conftext_blank). 0, or -1 with the first fault:
 *   - a byte order mark; typographic quotes and blanks that only look like ones, outside of quotes; a comment without its end
 *   - a quote without its end on the same line, one within a word, and a word that begins behind one
 *   - a key twice in one section, a section twice (those with a title are libconfuse's business)
 *   - ${X} in the values of password and urls, but in single quotes
 */
int conflint(const char *text, struct conflint_fault *fault);

#endif
