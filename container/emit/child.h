#ifndef CALLSIGN_CHILD_H
#define CALLSIGN_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* COMMAND, and what the first process of a container owes it: its signals, its orphans buried, its exit status handed on. */
struct child {
	pid_t pid;           /* 0: not started, or ended */
	const char *program; /* its first word, the caller's */
	int error_fd;        /* tells an exec's errno; -1: none */
	int status;          /* once ended, as an exit code: 128+N for a signal, 126 not runnable, 127 not found */
};

void child_init(struct child *child);

/* Orphans become ours, also where we are not process 1. */
void child_adopt_orphans(void);

/*
 * Start command (which must stay) with the given signal mask; its first word is looked up in PATH. With a terminal as standard input it gets a process group of
 * its own in the foreground, so that what is typed goes to it. 0, or -1 with errno. That it could not be run is learnt when it is reaped.
 */
int child_start(struct child *child, char *const command[], const sigset_t *mask);

/*
 * After SIGCHLD: bury everything that has died. Returns whether COMMAND was among it. Whatever else it is, other is told before it is reaped, so
 * that its number is still its own; wait_status is as waitpid(2) gives it.
 */
bool child_reap(struct child *child, void (*other)(void *arg, pid_t pid, int wait_status), void *arg);

/* Nothing happens if it is not running. */
void child_forward(const struct child *child, int signo);

#endif
