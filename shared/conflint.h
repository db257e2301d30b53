#ifndef CALLSIGN_CONFLINT_H
#define CALLSIGN_CONFLINT_H

#include <stddef.h>

/*
 * What libconfuse takes without a word although it cannot be what was meant (3.3 and 3.4 alike): an open quote ends the file there, a key that is
 * given again replaces the first, "${X}" is the environment's, "\s" is an s, a * or + outside of quotes is left out. Pure.
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
 *   - outside of quotes: * and +, # right behind a word, control characters, a carriage return that ends no line; within quotes: control
 *     characters, but for tabs (in password and urls no tab either)
 *   - in double quotes a backslash before anything but " ' \ and $; in the values of command also before what C knows
 *   - a key twice in one section, quoted or not (+= may follow = and +=), a section twice (those with a title are libconfuse's business), SECTION|KEY
 *   - ${X} in the values of password and urls, but in single quotes; in a key, as a backslash
 */
int conflint(const char *text, struct conflint_fault *fault);

#endif
