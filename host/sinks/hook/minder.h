#ifndef CALLSIGN_MINDER_H
#define CALLSIGN_MINDER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Somebody else's command, run beside the daemon's loop without ever holding it up. A small process between the two, the minder, starts the
 * command in a process group of its own, ends that whole group when it is told to, and also when the daemon dies in whatever way: it holds a
 * lock all the time, for which the next daemon's minder waits, so that no two commands of one hook ever run at once.
 *
 * The command runs in /, with the given environment and nothing else, with no descriptor but 0 (input), 1 and 2 (one pipe, `output` here),
 * all signals at their defaults, umask 022, no capability that is not its user's anyway and without the means to get any. What it leaves in its
 * process group is killed when it ends.
 */
struct minder {
	pid_t pid;   /* of the minder; 0: nothing runs */
	int pidfd;   /* readable when it is over; -1: poll for it (an old kernel) */
	int control; /* closing it ends everything */
	int status;
	int output;  /* what the command says: non-blocking */
};

enum minder_result {
	MINDER_EXITED,   /* value: its exit status */
	MINDER_SIGNALLED, /* value: the signal that ended it */
	MINDER_NOT_STARTED, /* value: errno of execve() */
	MINDER_UNKNOWN   /* the minder itself was killed */
};

#define MINDER_GRACE_MS 1000 /* from SIGTERM to SIGKILL, when the daemon is gone */

void minder_init(struct minder *minder);

/*
 * argv[0] is a path, input what the command reads (not taken over), lock_path a file that is made for the lock (it stays; NULL, or one that cannot be
 * opened: no lock). 0, or -1 with errno.
 */
int minder_start(struct minder *minder, char *const argv[], char *const envp[], int input, const char *lock_path);

/* SIGTERM, or SIGKILL, to the command's process group; while it still waits for the lock it is given up. */
void minder_signal(struct minder *minder, bool kill);

/* Whether it is over, and how. Then nothing of it is left, except `output`, which is closed by minder_clear(). */
bool minder_done(struct minder *minder, enum minder_result *result, int *value);

/* End it now, within a second: SIGTERM, and SIGKILL soon after. */
void minder_clear(struct minder *minder);

#endif
