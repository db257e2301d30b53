#ifndef CALLSIGN_AGENT_KEEP_H
#define CALLSIGN_AGENT_KEEP_H

#include <stdint.h>
#include <sys/types.h>

#include "naming.h"
#include "shared/contract/ident.h"

/*
 * What the next agent needs to speak on for a container that this one has named: a file for each, INSTANCE.json, in a folder that only root can look
 * into. Below /run, so that it ends with the processes that it is about.
 */
#define KEEP_ID_MAX 128

struct keep_entry {
	char id[KEEP_ID_MAX + 1];
	pid_t pid;
	uint64_t start; /* process_start() */
	struct ident instance;
	uint64_t seq;   /* at least the last that was used when it was written; see keep_next_seq() */
	struct naming naming;
};

/*
 * Make the folder, if it is missing, and lock it until the process ends. Its descriptor, or -1 with errno (EWOULDBLOCK: another agent has it).
 * fresh: no agent has had it before.
 */
int keep_open(const char *folder, bool *fresh);

/* 0, or -1 with errno. */
int keep_write(int folder, const struct keep_entry *entry);
void keep_remove(int folder, const struct ident *instance);

/*
 * Each entry that can be understood; what cannot is logged and removed. Entries may be removed meanwhile. 0, or -1 with errno, logged: there may be more, which
 * could not be read for now and are still there.
 */
int keep_each(int folder, void (*visit)(void *arg, const struct keep_entry *entry), void *arg);

/*
 * A sequence number that is beyond all that were used for an instance, though nobody has counted: milliseconds since the machine's start (boottime_ms)
 * are always ahead of what counts single messages.
 */
uint64_t keep_next_seq(const struct keep_entry *entry, int64_t boottime_ms);

#endif
