#ifndef CALLSIGN_FOOTPRINT_H
#define CALLSIGN_FOOTPRINT_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a process keeps resident. Starting and logging in touch much that is not needed again: the symbol tables and relocations of each library,
 * parsers, buffers. A process that then rests for months need not hold on to it.
 */

/* Before the first thread: one heap for all threads. Each further one would keep what a login's thread has freed. */
void footprint_begin(void);

/*
 * Give back what is free in the heap, and all pages of programs and libraries that were never written to: the kernel has these in its cache
 * and maps them again, 16 at a time, where they are still used. For when something big is over: takes about a millisecond, and a few faults after it.
 * Whatever has written into them against their protection, such as a debugger's breakpoints, is lost.
 */
void footprint_settle(void);

/* Of a table that grows and shrinks: what it was at most since memory was last given back. Begins with .epoch_ms = -1. */
struct footprint {
	int64_t epoch_ms;
	size_t most;
};

/*
 * It has count entries now. Settles once in each epoch (when something big was over last: a start, a resync; -1: never), and where it was several
 * times as large before.
 */
void footprint_note(struct footprint *footprint, size_t count, int64_t epoch_ms);

#endif
