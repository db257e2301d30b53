#ifndef CALLSIGN_PROBE_H
#define CALLSIGN_PROBE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "checktarget.h"

/*
 * One question to the container's program, without waiting: a command's exit status, a connection, or the status line of an HTTP answer. One at
 * a time. It has an answer within its time: what is late is ended.
 */
enum probe_state { PROBE_IDLE, PROBE_RUNS, PROBE_PASSED, PROBE_FAILED };

#define PROBE_WHY_SIZE 96
#define PROBE_BURIAL_MS 1000 /* a command that was killed is there no longer than that, unless it hangs in the kernel */
#define PROBE_REST_MAX 65536 /* so much of an HTTP answer is read and thrown away, so that a server does not see its client run off */

struct probe {
	const struct checktarget *target;
	const sigset_t *mask;   /* a command's */
	enum probe_state state;
	char why[PROBE_WHY_SIZE]; /* PROBE_FAILED: one phrase, with no word of the command line or the URL, which may hold secrets */
	int fd;                 /* -1: none. Stays open for the rest of an answer after the state is known */
	bool connected;
	char head[CHECKTARGET_STATUS_LINE];
	size_t got;             /* bytes of the answer */
	pid_t pid;              /* the command, the leader of its group; 0: none, or buried */
	bool killed;            /* its time was over */
	uint32_t timeout_s;
	int64_t by_ms;          /* CLOCK_NEVER: nothing is due */
};

/* target and mask must outlive it. */
void probe_init(struct probe *probe, const struct checktarget *target, uint32_t timeout_s, const sigset_t *mask);

/* Ask. The state may be known at once. A command that could not be ended (it hangs in the kernel) fails it without another being started. */
void probe_start(struct probe *probe, int64_t now_ms);

/* The descriptor to poll and for what; -1: none. */
int probe_fd(const struct probe *probe);
short probe_events(const struct probe *probe);
int64_t probe_deadline_ms(const struct probe *probe);

/* The descriptor is ready (nothing else says that a connection stands), or the deadline has come. */
void probe_step(struct probe *probe, bool ready, int64_t now_ms);

/*
 * pid has died; call it before it is reaped: while it is a zombie the number of its group is nobody else's, and what it has left behind is killed.
 * wait_status as waitpid(2) gives it.
 */
void probe_buried(struct probe *probe, pid_t pid, int wait_status);

/* Stop asking; a command is killed. */
void probe_stop(struct probe *probe);

#endif
