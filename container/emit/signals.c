#include <config.h>

#include "signals.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(struct signals *signals)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
	struct sigaction action;
	sigset_t set;
	size_t i;

	sigfillset(&set);
	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&set, faults[i]);
	/* A socket that the broker closed must be an error of a write, and nothing to forward. */
	sigdelset(&set, SIGPIPE);
	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	/* Somebody who ignores SIGCHLD may have started us; then the kernel would throw the exit status away. */
	action.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &action, NULL);
	if (sigprocmask(SIG_BLOCK, &set, &signals->original) == -1)
		return -1;
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals->fd == -1 ? -1 : 0;
}

int signals_next(struct signals *signals)
{
	struct signalfd_siginfo info;
	ssize_t length;

	do
		length = read(signals->fd, &info, sizeof(info));
	while (length == -1 && errno == EINTR);
	return length == sizeof(info) ? (int)info.ssi_signo : 0;
}
