#ifndef CALLSIGN_AGENT_PROCESS_H
#define CALLSIGN_AGENT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * One process, and no other that has its number later. A pid is looked up by number, then a pidfd pins it: what was read in between is the pinned
 * process's if the pidfd says afterwards that it lives.
 */

/* A pidfd, close-on-exec; -1 with errno (ESRCH: no such process). */
int process_open(pid_t pid);

/* The pid that a pidfd is of, as this process counts: 0 with errno if it is none, its process has been reaped (ESRCH), or that cannot be told. */
pid_t process_pid(int pidfd);

/* Never waits. A zombie does not live. */
bool process_lives(int pidfd);

/* Clock ticks since boot at which it started (proc(5), stat, field 22): 0 with errno if that cannot be told. */
uint64_t process_start(pid_t pid);

/* The inode of its network namespace, 0 if that cannot be told. */
uint64_t process_network(pid_t pid);

/* Whether real, effective, saved and file system uid are all 0, and its pid and user namespaces are ours: 1, 0, or -1 with errno if that cannot be told. */
int process_is_host_root(pid_t pid);

#endif
