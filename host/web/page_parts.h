#ifndef CALLSIGN_PAGE_PARTS_H
#define CALLSIGN_PAGE_PARTS_H

#include <stdio.h>

#include "metrics.h"

/* The parts of page.c's page, for it alone. */

/* page_text.c: text for an element or a quoted attribute. */
void page_escape(FILE *out, const char *text);

/* "3 s", "5 min", "2 h", "4 d". */
void page_duration(FILE *out, int64_t ms);

/* page_plot.c. The last hour: changes, and how long dnsmasq's reloads took. */
void page_plots(const struct measure *measure, int64_t now_ms, FILE *out);

/* page_names.c: the table of names; search as in page_write(). */
#define PAGE_ROWS 500       /* the rest is counted; the search narrows it down */
#define PAGE_SEARCH_MAX 64  /* bytes; more finds nothing. A pattern costs its length for each byte of each name. */
void page_names(const struct status_sources *sources, const struct metrics *metrics, const char *search, FILE *out);

/* page_static.c */
void page_head(FILE *out);   /* <style> and what stands before the title */
void page_script(FILE *out); /* <script> */

#endif
