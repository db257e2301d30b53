#ifndef CALLSIGN_CONTROL_STREAM_H
#define CALLSIGN_CONTROL_STREAM_H

#include "client.h"
#include "registry/events.h"
#include "status/status.h"

/*
 * Answers of many lines: list, and watch, which is a list followed by changes. A list is written piece by piece as the socket takes it, so
 * that 100,000 names hold up nobody; a watcher that falls behind is given a new list rather than an endless buffer.
 */
#define STREAM_STEP 256         /* instances looked at in one turn, for all clients together */
#define STREAM_RELIST_MS 500    /* between two lists of one watcher */

/* Begin: client->pattern is set. */
void stream_begin(struct client *client, enum client_stream kind);

/* Whether there is something to write now; else when, by the clock, or CLOCK_NEVER. */
int64_t stream_due_ms(const struct client *client);

/* Write the next piece. *budget counts down instances; *may_snapshot: taking stock of all is done for one client a turn, and set to false then. */
void stream_step(struct client *client, const struct status_sources *sources, struct status_clock clock, unsigned *budget, bool *may_snapshot);

/* Changes, to one that watches. Left out while a list is due anyway. */
void stream_entry(struct client *client, const struct listing *listing, const struct conf *conf, const char *text, int64_t now_ms);
/* For every watcher, whatever its pattern: also what went, whose aliases are not known any more. Who never heard of that instance ignores it. */
void stream_line(struct client *client, const char *text, int64_t now_ms);
void stream_overflowed(struct client *client);

/* {"event":"entry",...} of a listing. NULL: out of memory. To be freed. */
char *stream_entry_text(const struct listing *listing, const struct status_sources *sources, struct status_clock clock);

#endif
