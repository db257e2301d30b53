#include <config.h>

#include "minder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"

#define ORDER_TERM 'T'
#define ORDER_KILL 'K'
#define LOCK_AGAIN_MS 10
#define BLIND_MS 50        /* without a pidfd: how often to look whether it is over */
#define DESCRIPTORS_MAX 65536
#define CLEAR_TERM_MS 300
#define CLEAR_KILL_MS 700

/* What goes over the status pipe. */
struct word {
	enum minder_result result;
	int value;
};

/* What both new processes need, made before fork(): after it only system calls are allowed, as another thread may have held a lock. */
struct plan {
	char *const *argv;
	char *const *envp;
	const char *lock_path;
	int input, output, output_end, control, status;
	sigset_t no_signals;
};

/* In the minder these are the only ones. */
enum { CONTROL = 3, STATUS, OUTPUT_END, FIRST_FREE };

/* ---- the command ---- */

static void say(enum minder_result result, int value)
{
	struct word word;

	memset(&word, 0, sizeof(word));
	word.result = result;
	word.value = value;
	(void)!write(STATUS, &word, sizeof(word));
}

static void default_signals(const struct plan *plan)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	sigprocmask(SIG_SETMASK, &plan->no_signals, NULL);
}

static _Noreturn void command(const struct plan *plan, pid_t minder)
{
	setpgid(0, 0);
	/* Should somebody kill the minder, its command goes with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != minder)
		_exit(127);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	default_signals(plan);
	umask(022);
	if (chdir("/") == 0)
		execve(plan->argv[0], plan->argv, plan->envp);
	say(MINDER_NOT_STARTED, errno);
	_exit(127);
}

/* ---- the minder ---- */

/*
 * Each descriptor to its place, the rest closed: above all the connection to the broker must not outlive the daemon in here. The reading end of the
 * output stays open too: when the daemon dies, the command is to have its SIGTERM and some time, not a SIGPIPE.
 */
static void arrange(const struct plan *plan)
{
	const int wanted[FIRST_FREE] = {plan->input, plan->output, plan->output, plan->control, plan->status, plan->output_end};
	int high[FIRST_FREE];

	for (int i = 0; i < FIRST_FREE; i++) {
		high[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, FIRST_FREE);
		if (high[i] == -1)
			_exit(127);
	}
	for (int i = 0; i < FIRST_FREE; i++)
		if (dup3(high[i], i, i >= CONTROL ? O_CLOEXEC : 0) == -1)
			_exit(127);
	if (close_range(FIRST_FREE, ~0U, 0) == -1) /* an old kernel, or a filter of system calls */
		for (int fd = FIRST_FREE; fd < DESCRIPTORS_MAX; fd++)
			close(fd);
}

static void ignore_signals(const struct plan *plan)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	struct sigaction action;

	/* The daemon's handlers write into a pipe that is the daemon's. */
	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_IGN;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
	action.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &action, NULL);
	sigprocmask(SIG_SETMASK, &plan->no_signals, NULL);
}

/* The next order: ORDER_TERM, ORDER_KILL, 0 (none), or -1: the daemon is gone. */
static int read_order(void)
{
	char order;
	ssize_t got = read(CONTROL, &order, 1);

	if (got == 1)
		return order;
	return got == -1 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Whoever held the lock before is being ended: only for milliseconds, as a rule. Any order ends the waiting. */
static void take_lock(const char *path)
{
	struct pollfd pollfd = {.fd = CONTROL, .events = POLLIN};
	int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600) : -1;

	if (fd == -1)
		return;
	while (flock(fd, LOCK_EX | LOCK_NB) == -1 && (errno == EWOULDBLOCK || errno == EINTR)) {
		if (poll(&pollfd, 1, LOCK_AGAIN_MS) == 1) {
			say(MINDER_SIGNALLED, SIGTERM);
			_exit(0);
		}
	}
}

/* Pass orders on until the command has ended, which is left to be reaped: until then its number stays that of its group. */
static void mind(pid_t child)
{
	int pidfd = pidfd_open(child, 0);
	struct pollfd fds[2] = {{.fd = CONTROL, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	int64_t kill_ms = CLOCK_NEVER;
	siginfo_t info = {0};

	while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == 0) {
		int order, timeout = clock_poll_timeout(clock_ms(), kill_ms);

		if (pidfd == -1 && (timeout == -1 || timeout > BLIND_MS))
			timeout = BLIND_MS;
		fds[0].revents = 0;
		poll(fds, 2, timeout);
		order = fds[0].revents != 0 ? read_order() : 0;
		if (order == ORDER_TERM || order == -1)
			kill(-child, SIGTERM);
		if (order == -1) {
			fds[0].fd = -1;
			kill_ms = clock_ms() + MINDER_GRACE_MS;
		}
		if (order == ORDER_KILL || clock_ms() >= kill_ms) {
			kill(-child, SIGKILL);
			kill_ms = CLOCK_NEVER;
		}
	}
	kill(-child, SIGKILL);
}

static _Noreturn void minder(const struct plan *plan)
{
	pid_t self = getpid(), child;
	int status = 0;

	arrange(plan);
	ignore_signals(plan);
	prctl(PR_SET_NAME, "callsign-hook", 0, 0, 0);
	take_lock(plan->lock_path);
	child = fork();
	if (child == 0)
		command(plan, self);
	if (child == -1) {
		say(MINDER_NOT_STARTED, errno);
		_exit(0);
	}
	setpgid(child, child);
	for (int fd = 0; fd < CONTROL; fd++)
		close(fd);
	mind(child);
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		say(MINDER_SIGNALLED, WTERMSIG(status));
	else
		say(MINDER_EXITED, WEXITSTATUS(status));
	_exit(0);
}

/* ---- the daemon ---- */

static void close_one(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void minder_init(struct minder *minder)
{
	*minder = (struct minder){.pidfd = -1, .control = -1, .status = -1, .output = -1};
}

static void close_all(struct minder *minder)
{
	close_one(&minder->pidfd);
	close_one(&minder->control);
	close_one(&minder->status);
	close_one(&minder->output);
}

/* Both ends close-on-exec; ours (pair[ours]) does not block. */
static int open_pipe(int pair[2], int ours)
{
	if (pipe2(pair, O_CLOEXEC) == -1) {
		pair[0] = pair[1] = -1;
		return -1;
	}
	return fcntl(pair[ours], F_SETFL, O_NONBLOCK);
}

/* No signal may reach the daemon's handlers in the new process. */
static pid_t fork_minder(struct plan *plan)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigemptyset(&plan->no_signals);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		minder(plan);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int minder_start(struct minder *out, char *const argv[], char *const envp[], int input, const char *lock_path)
{
	int control[2] = {-1, -1}, status[2] = {-1, -1}, output[2] = {-1, -1}, saved;
	struct plan plan = {.argv = argv, .envp = envp, .lock_path = lock_path, .input = input};
	pid_t pid = -1;

	minder_init(out);
	if (open_pipe(control, 1) == 0 && open_pipe(status, 0) == 0 && open_pipe(output, 0) == 0) {
		plan.control = control[0];
		plan.status = status[1];
		plan.output = output[1];
		plan.output_end = output[0];
		pid = fork_minder(&plan);
	}
	saved = errno;
	close_one(&control[0]);
	close_one(&status[1]);
	close_one(&output[1]);
	out->control = control[1];
	out->status = status[0];
	out->output = output[0];
	if (pid == -1) {
		close_all(out);
		errno = saved;
		return -1;
	}
	out->pid = pid;
	out->pidfd = pidfd_open(pid, 0);
	return 0;
}

void minder_signal(struct minder *minder, bool kill)
{
	const char order = kill ? ORDER_KILL : ORDER_TERM;

	if (minder->control != -1)
		(void)!write(minder->control, &order, 1);
}

bool minder_done(struct minder *minder, enum minder_result *result, int *value)
{
	struct word word;

	if (minder->pid == 0 || waitpid(minder->pid, NULL, WNOHANG) == 0)
		return false;
	minder->pid = 0;
	*result = MINDER_UNKNOWN;
	*value = 0;
	/* The first word counts: that it could not be started comes before the 127 that follows. */
	if (read(minder->status, &word, sizeof(word)) == (ssize_t)sizeof(word)) {
		*result = word.result;
		*value = word.value;
	}
	close_one(&minder->pidfd);
	close_one(&minder->control);
	close_one(&minder->status);
	return true;
}

/* Whether it is over within so many milliseconds. */
static bool over_within(struct minder *minder, int64_t ms)
{
	struct pollfd pollfd = {.fd = minder->pidfd, .events = POLLIN};
	int64_t until_ms = clock_ms() + ms;
	enum minder_result result;
	int value;

	while (!minder_done(minder, &result, &value)) {
		int64_t left_ms = until_ms - clock_ms();

		if (left_ms <= 0)
			return false;
		poll(&pollfd, 1, minder->pidfd == -1 || left_ms > BLIND_MS ? BLIND_MS : (int)left_ms);
	}
	return true;
}

void minder_clear(struct minder *minder)
{
	if (minder->pid != 0) {
		minder_signal(minder, false);
		close_one(&minder->output);
		if (!over_within(minder, CLEAR_TERM_MS)) {
			minder_signal(minder, true);
			over_within(minder, CLEAR_KILL_MS);
		}
	}
	close_all(minder);
	minder->pid = 0;
}
