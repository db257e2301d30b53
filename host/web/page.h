#ifndef CALLSIGN_PAGE_H
#define CALLSIGN_PAGE_H

#include <stdio.h>

#include "metrics.h"

/*
 * The status page: one HTML document that needs nothing else. Without scripts it loads itself anew (meta refresh), with them it fetches itself and
 * exchanges what changed, so that focus and scrolling stay. Everything that comes from elsewhere is escaped. Pure.
 */
#define PAGE_TYPE "text/html; charset=utf-8"
#define PAGE_ROWS 500       /* the rest is counted; the search narrows it down */
#define PAGE_SEARCH_MAX 64  /* bytes; more finds nothing. A pattern costs its length for each byte of each name. */

/* Content-Security-Policy: the page's own style and script, by their hashes (CSP Level 3, section 6.7.2), and nothing else from anywhere. */
const char *page_csp(void);

/* search: as the reader typed it, any bytes, or NULL: every name. Without * and ? it is looked for anywhere in a name, an alias or an address. */
void page_write(const struct status_sources *sources, const struct metrics *metrics, const char *search, FILE *out);

/* ---- its parts ---- */

/* Text for an element or a quoted attribute. */
void page_escape(FILE *out, const char *text);

/* "3 s", "5 min", "2 h", "4 d". */
void page_duration(FILE *out, int64_t ms);

/* The last hour: changes, and how long dnsmasq's reloads took. */
void page_plots(const struct measure *measure, int64_t now_ms, FILE *out);

/* The table of names. */
void page_names(const struct status_sources *sources, const struct metrics *metrics, const char *search, FILE *out);

void page_head(FILE *out);   /* <style> and what stands before the title */
void page_script(FILE *out); /* <script> */

#endif
