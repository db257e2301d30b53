#ifndef CALLSIGN_PAGE_H
#define CALLSIGN_PAGE_H

#include <stdio.h>

#include "metrics.h"

/*
 * The status page: one HTML document that needs nothing else. Without scripts it loads itself anew (meta refresh), with them it fetches itself and
 * exchanges what changed, so that focus and scrolling stay. Everything that comes from elsewhere is escaped. Pure.
 */
#define PAGE_TYPE "text/html; charset=utf-8"

/* Content-Security-Policy: the page's own style and script, by their hashes (CSP Level 3, section 6.7.2), and nothing else from anywhere. */
const char *page_csp(void);

/* search: as the reader typed it, any bytes, or NULL: every name. Without * and ? it is looked for anywhere in a name, an alias or an address. */
void page_write(const struct status_sources *sources, const struct metrics *metrics, const char *search, FILE *out);

#endif
