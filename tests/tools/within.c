/*
 * within PID COMMAND [ARGUMENT…]: run COMMAND in the namespaces and the root directory of the process PID, in the
 * folder of the same name as this one, and end as it does.
 *
 * What nsenter(1) and env(1) do in two programs, in one that is small: the suites call it thousands of times, and
 * starting a program is most of what they cost. Exit status 125: it could not be done (as env says that it was its own
 * fault), 126 or 127: COMMAND cannot be run, or is not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID)

extern char **environ;

static _Noreturn void fail(const char *what, const char *name)
{
	fprintf(stderr, "within: %s %s: %s\n", what, name, strerror(errno));
	exit(125);
}

/* As this process would end if it were COMMAND. A signal's core was dumped there, if it was to be. */
static int end_as(int status)
{
	const struct rlimit none = {0, 0};

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	char folder[PATH_MAX], root_name[64];
	int process, root, status, error;
	pid_t pid, child;

	if (argc < 3) {
		fputs("usage: within PID COMMAND [ARGUMENT...]\n", stderr);
		return 125;
	}
	pid = (pid_t)strtol(argv[1], NULL, 10);
	process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process < 0)
		fail("process", argv[1]);
	snprintf(root_name, sizeof root_name, "/proc/%ld/root", (long)pid);
	root = open(root_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		fail("folder", root_name);
	if (getcwd(folder, sizeof folder) == NULL)
		fail("folder", ".");
	if (setns(process, NAMESPACES) != 0)
		fail("the namespaces of process", argv[1]);
	if (fchdir(root) != 0 || chroot(".") != 0)
		fail("folder", root_name);
	if (chdir(folder) != 0)
		fail("folder", folder);
	/* The namespace of processes is that of children. */
	error = posix_spawnp(&child, argv[2], NULL, NULL, argv + 2, environ);
	if (error != 0) {
		fprintf(stderr, "within: %s: %s\n", argv[2], strerror(error));
		return error == ENOENT ? 127 : 126;
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail("waiting for", argv[2]);
	return end_as(status);
}
