#ifndef CALLSIGN_CTL_TABLE_H
#define CALLSIGN_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * A table that fits the terminal. Pure but for printing. Cells are made safe for a terminal when they are added: nothing that came from the
 * network moves a cursor.
 */
struct table;

#define TABLE_COLUMNS_MAX 12
#define TABLE_GAP 2 /* blanks between columns */

struct table_column {
	const char *title;
	unsigned least;    /* it is not made narrower than this; a narrower table leaves it out */
	unsigned priority; /* the lowest is left out first; 0: never */
	bool right;        /* aligned to the right: numbers */
	bool tone;         /* shown in the row's colour */
};

enum table_tone { TABLE_PLAIN, TABLE_GOOD, TABLE_DOUBTFUL, TABLE_BAD };

struct table *table_new(const struct table_column *columns, unsigned count); /* columns are borrowed. NULL: no memory */
void table_free(struct table *table);
int table_add(struct table *table, enum table_tone tone, const char *const *cells); /* copied; 0, or -1: no memory */
size_t table_rows(const struct table *table);
void table_hide(struct table *table, unsigned column); /* leave it out whatever the width */

/*
 * Into widths: what each column gets of `width` characters, 0 for one that is left out. width 0: as much as they need. The widest give way first,
 * down to their least; then those of the lowest priority are left out.
 */
void table_layout(const struct table *table, unsigned width, unsigned widths[TABLE_COLUMNS_MAX]);

/* The title line, then rows from first on, at most count; each line ends as eol says ("\n", or with a terminal's clear-to-end before it). What does
 * not fit its column ends in "..". */
void table_print(const struct table *table, FILE *out, unsigned width, bool colour, size_t first, size_t count, const char *eol);

/* SGR codes for a tone, "" without colour. */
const char *table_tone_on(enum table_tone tone, bool colour);
const char *table_tone_off(bool colour);

#endif
