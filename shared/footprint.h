#ifndef CALLSIGN_FOOTPRINT_H
#define CALLSIGN_FOOTPRINT_H

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

#endif
