#ifndef CALLSIGN_FAULTLOG_H
#define CALLSIGN_FAULTLOG_H

#include <stdbool.h>
#include <stdint.h>

/* A broker that is away for a day is one line a minute, not one for each try: remembers which texts were logged, and when. Pure. */

#define FAULTLOG_ENTRIES 8
#define FAULTLOG_QUIET_MS 60000

struct faultlog {
	struct {
		uint64_t digest; /* of the text; 0: free */
		int64_t logged_ms;
	} entries[FAULTLOG_ENTRIES];
};

/* Whether text is to be logged now: it is new, or was last logged FAULTLOG_QUIET_MS ago. */
bool faultlog_wants(struct faultlog *faultlog, const char *text, int64_t now_ms);

/* All is well again: the next fault is news. */
void faultlog_reset(struct faultlog *faultlog);

#endif
