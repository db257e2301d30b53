#include <config.h>

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/log.h"

#define STATUS_NOT_RUNNABLE 126
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL 128

void child_init(struct child *child)
{
	memset(child, 0, sizeof(*child));
	child->error_fd = -1;
}

void child_adopt_orphans(void)
{
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1)
		log_warn("orphans will not be adopted");
}

/* Our own SIGTTOU is blocked, without which tcsetpgrp() from the background would stop us. */
static void child_take_terminal(void)
{
	if (!isatty(STDIN_FILENO))
		return;
	if (setpgid(0, 0) == -1 || tcsetpgrp(STDIN_FILENO, getpgrp()) == -1)
		return; /* not our controlling terminal: then it is not ours to give */
}

static void __attribute__((noreturn)) child_exec(char *const command[], const sigset_t *mask, int error_fd)
{
	struct sigaction action;
	int fault;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	sigaction(SIGPIPE, &action, NULL);
	child_take_terminal();
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(command[0], command);
	fault = errno;
	if (write(error_fd, &fault, sizeof(fault)) != sizeof(fault))
		fault = errno; /* the exit code tells all the same */
	_exit(fault == ENOENT || fault == ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_RUNNABLE);
}

int child_start(struct child *child, char *const command[], const sigset_t *mask)
{
	int ends[2];
	int saved;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		child_exec(command, mask, ends[1]);
	saved = errno;
	close(ends[1]);
	if (pid == -1) {
		close(ends[0]);
		errno = saved;
		return -1;
	}
	child->pid = pid;
	child->program = command[0];
	child->error_fd = ends[0];
	return 0;
}

/* The pipe is read only now: waiting for the exec would hold up the announcement. */
static void child_ended(struct child *child, int wait_status)
{
	char safe[LOG_SAFE_MAX];
	int fault;

	child->pid = 0;
	child->status = WIFSIGNALED(wait_status) ? STATUS_SIGNAL + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	if (read(child->error_fd, &fault, sizeof(fault)) == sizeof(fault)) {
		errno = fault;
		log_error("COMMAND \"%s\" cannot be run",
		          log_safe(safe, sizeof(safe), child->program, strlen(child->program)));
	}
	close(child->error_fd);
	child->error_fd = -1;
}

bool child_reap(struct child *child, void (*other)(void *arg, pid_t pid, int wait_status), void *arg)
{
	bool ended = false;
	siginfo_t info;

	for (;;) {
		int wait_status;

		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 || info.si_pid == 0)
			return ended;
		wait_status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
		if (info.si_pid == child->pid) {
			child_ended(child, wait_status);
			ended = true;
		} else {
			other(arg, info.si_pid, wait_status);
		}
		waitpid(info.si_pid, NULL, WNOHANG);
	}
}

void child_forward(const struct child *child, int signo)
{
	/* Not reaped yet, so the pid is still its own. */
	if (child->pid > 0 && kill(child->pid, signo) == -1 && errno != ESRCH)
		log_warn("forwarding signal %d", signo);
}
