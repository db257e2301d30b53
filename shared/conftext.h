#ifndef CALLSIGN_CONFTEXT_H
#define CALLSIGN_CONFTEXT_H

#include <confuse.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Configuration files for libconfuse, without their comments. libconfuse 3.3 counts two lines too many for each
 * comment, so that its errors name lines that the file does not even have, and takes a comment inside a list for a
 * value.
 */
#define CONFTEXT_SIZE_MAX ((size_t)1 << 20)

/*
 * Overwrite comments with blanks: from # to the end of the line, from // likewise, and what is between slash-star and
 * star-slash, each outside of quotes and not within a word such as amqp://HOST (conflint refuses a # there). Newlines stay. A comment or string
 * without an end is left as it is.
 */
void conftext_blank(char *text);

/*
 * cfg_parse_fp() on the file without its comments, if conflint() finds nothing in it: else that fault goes to cfg's error function, with its line.
 * CFG_FILE_ERROR with errno: it cannot be read, is over
 * CONFTEXT_SIZE_MAX bytes (EFBIG) or holds a NUL (EILSEQ). The caller closes the file. Our copy of what it holds is
 * wiped.
 */
int conftext_parse(cfg_t *cfg, FILE *file);

#define CONFTEXT_PLACE_SIZE 512

/* Where a fault is: "PATH:LINE", or PATH where no line is known, which libconfuse says as 0. In out. */
const char *conftext_place(char out[CONFTEXT_PLACE_SIZE], const char *path, int line);

/*
 * For reading; a directory would make libconfuse's scanner end the whole process, so only a regular file is taken. NULL after logging why.
 * others_may_read: by its mode.
 */
FILE *conftext_open(const char *path, bool *others_may_read);

#endif
