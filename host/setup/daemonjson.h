#ifndef CALLSIGN_DAEMONJSON_H
#define CALLSIGN_DAEMONJSON_H

#include <jansson.h>
#include <stdbool.h>

/* Docker's daemon.json: what callsign-setup puts into it, and takes out again. Pure. */

/* As text, to be freed. NULL: no memory. The order of keys stays; layout and the notation of numbers become ours. */
char *daemonjson_print(const json_t *settings);

/* "dns": whether server is the first; make it that. false: "dns" is no list. */
bool daemonjson_is_first(const json_t *settings, const char *server);
bool daemonjson_put_first(json_t *settings, const char *server);

/* "dns-search": 1: domain is in it now, 0: it was already, -1: it is no list. */
int daemonjson_add_search(json_t *settings, const char *domain);

/* "runtimes": whether ours had to be added. */
bool daemonjson_add_runtime(json_t *settings);

/*
 * Docker's own under the name of ours, as long as there are containers that were made with ours: left where there is none of that name, and taken away
 * again. Whether that changed anything.
 */
bool daemonjson_leave_runtime(json_t *settings);
bool daemonjson_take_left(json_t *settings);

/* Whether now is what the package, when it was removed, has made of what was written: the same, but for our runtime, which became Docker's own. */
bool daemonjson_is_left(const char *written, const char *now);

/*
 * text without server in "dns", and without our runtime: new, to be freed. NULL: cannot be. empty: nothing is left in it. If that leaves "dns" empty, those of original
 * (the whole text of before, or NULL) come back: we had taken them out.
 */
char *daemonjson_without(const char *text, const char *server, const char *original, bool *empty);

#endif
