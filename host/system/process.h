#ifndef CALLSIGN_PROCESS_H
#define CALLSIGN_PROCESS_H

/*
 * The room host/system/: the machine that we run on: its addresses, other people's processes, running a command. It uses shared/
 * alone, and must not know what it is asked for.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Somebody else's daemon, found through its pid file and held by a pidfd. A number alone is never trusted or signalled:
 * the process behind it may be any other by now, and 0 or -1 would be groups of processes.
 */
struct process {
	int pidfd; /* polls readable once the process has ended; -1: none */
	pid_t pid;
};

enum process_state {
	PROCESS_FOUND,
	PROCESS_NO_FILE,    /* no pid file */
	PROCESS_UNREADABLE, /* it cannot be read, or is not a regular file */
	PROCESS_EMPTY,      /* dnsmasq makes its pid file empty and fills it later: try again soon */
	PROCESS_MALFORMED,  /* anything but one decimal number over 1 on one line */
	PROCESS_STALE,      /* no such process */
	PROCESS_OTHER,      /* the process is another program */
	PROCESS_FAILED      /* the system refused (out of descriptors, ...) */
};

#define PROCESS_REASON_SIZE 512

/*
 * Open the process whose pid stands in pid_file if its name (/proc/PID/comm) is name. On anything but PROCESS_FOUND
 * out->pidfd is -1 and reason says what is wrong.
 */
enum process_state process_open(const char *pid_file, const char *name, struct process *out,
				char reason[PROCESS_REASON_SIZE]);
void process_close(struct process *process);

bool process_ended(const struct process *process);

/* 0, or -1 with errno (ESRCH: it has ended). */
int process_signal(const struct process *process, int signal);

/* What of /proc/PID/stat is needed (proc(5)). */
struct process_stat {
	pid_t parent;
	uint64_t started; /* ticks since the boot */
	char name[64];    /* as in /proc/PID/comm */
};

/* Of a process that somebody holds, or that may be another one by now. 0, or -1: it has ended. */
int process_read_stat(pid_t pid, struct process_stat *out);

/* Whether it has a handler of its own for that signal (/proc/PID/status, SigCgt). */
bool process_catches(pid_t pid, int signal);

/* Whether it was sent that signal and has not taken it yet, for want of a processor or because it is stopped (/proc/PID/status, ShdPnd). */
bool process_awaits(pid_t pid, int signal);

/* The same of the file's text: 0, or -1 if it is none. Pure, as the two next. */
int process_parse_stat(const char *text, struct process_stat *out);
bool process_parse_caught(const char *status, int signal);
bool process_parse_pending(const char *status, int signal);

/* The number in a pid file's text: decimal, over 1, at most one newline behind it, nothing else. 0 and *pid, or -1.
 * Pure. */
int process_parse_pid(const char *text, size_t length, pid_t *pid);

#endif
