#ifndef CALLSIGN_CTL_WATCH_H
#define CALLSIGN_CTL_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "model.h"

/* What `watch` shows of the model: the live table, or a line an event. Printing goes to a stream, so that tests read it. */
enum watch_sort { WATCH_BY_NAME, WATCH_BY_AGE, WATCH_BY_STATE, WATCH_BY_CHANGES };

#define WATCH_SORTS 4

struct watch_options {
	enum watch_sort sort;
	const char *states; /* comma-separated, or NULL: all */
	bool colour;
};

/* 0 and *sort, or -1. */
int watch_sort_parse(const char *text, enum watch_sort *sort);
const char *watch_sort_name(enum watch_sort sort);

/* Whether every state in the list is one. */
bool watch_states_valid(const char *states);

bool watch_shows(const struct watch_options *options, const struct model_row *row);

/* The whole screen, columns × lines, each line ending in eol but the last. */
void watch_print_table(FILE *out, const struct model *model, const struct watch_options *options, unsigned columns, unsigned lines,
                       int64_t now_ms, const char *eol);

/* TIME CHANGE name=... state=... */
void watch_print_event(FILE *out, enum model_change change, const struct model_row *row, const char *why, const char *time);

#endif
