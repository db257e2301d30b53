#ifndef CALLSIGN_HOOK_OUTPUT_H
#define CALLSIGN_HOOK_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a hook's command says goes into the log, a line of it as a line of ours. Whatever it says, it can neither fill the disk nor keep the loop busy: so
 * many lines a second are written and the others counted, lines are cut (and end in "..."), and no more than so much is read at a time; then its
 * pipe is full and it waits.
 */
#define HOOK_OUTPUT_LINE_MAX 400
#define HOOK_OUTPUT_LINES_PER_S 20
#define HOOK_OUTPUT_READ_MAX 65536
#define HOOK_OUTPUT_PAUSE_MS 100

struct hook_output {
	char line[HOOK_OUTPUT_LINE_MAX];
	size_t used;
	bool too_long;
	int64_t second_ms;   /* when the current second began */
	unsigned lines;      /* in it */
	uint64_t suppressed; /* since it was said last how many */
	int64_t pause_ms;    /* do not read before that */
};

/* Read what there is in fd (non-blocking) and log it for the hook of this name. Whether fd is at its end. */
bool hook_output_read(struct hook_output *output, const char *name, int fd, int64_t now_ms);

/* The command is over: what is left of a line, and how much was not logged. */
void hook_output_end(struct hook_output *output, const char *name, int64_t now_ms);

#endif
