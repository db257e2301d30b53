/*
 * pidfd: a library to preload (LD_PRELOAD) for programs that run under valgrind, which knows neither pidfd_open(2) nor pidfd_send_signal(2) (3.19).
 * Besides, its process has the program's name. A pidfd is opened by a program that does not run under valgrind, and handed over: the same source, built
 * without PIDFD_OPENER, which is that program's path. Few at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

#ifndef PIDFD_OPENER

/* pidfd PID: that descriptor goes to the socket which standard output is; the exit status is an errno. */
int main(int argc, char **argv)
{
	union control control = {0};
	struct iovec one = {.iov_base = (char[]){'.'}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	int fd = argc == 2 ? pidfd_open((pid_t)strtol(argv[1], NULL, 10), 0) : -1;

	if (fd == -1)
		return errno;
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(STDOUT_FILENO, &message, 0) == 1 ? 0 : errno;
}

#else

#define FDS_MAX 1024

static pid_t pids[FDS_MAX]; /* by descriptor */

/* Under valgrind the kernel calls each program "memcheck-amd64-", and others look up who a pid is. */
static void __attribute__((constructor)) be_called_as_the_program(void)
{
	prctl(PR_SET_NAME, program_invocation_short_name);
}

/* 0, or an errno. */
static int ask_opener(pid_t pid, int end)
{
	char text[24], *arguments[] = {"pidfd", text, NULL}, *variables[] = {NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;
	int error, status;

	snprintf(text, sizeof(text), "%ld", (long)pid);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, end, STDOUT_FILENO);
	error = posix_spawn(&child, PIDFD_OPENER, &actions, NULL, arguments, variables);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		return error;
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

static int take_fd(int end)
{
	union control control = {0};
	struct iovec one = {.iov_base = (char[1]){0}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(end, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) == 1 && CMSG_FIRSTHDR(&message) != NULL)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

int pidfd_open(pid_t pid, unsigned flags)
{
	int ends[2], fd = -1;

	(void)flags;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
		return -1;
	errno = ask_opener(pid, ends[1]);
	if (errno == 0)
		fd = take_fd(ends[0]);
	close(ends[0]);
	close(ends[1]);
	if (fd >= FDS_MAX) {
		close(fd);
		fd = -1;
		errno = EMFILE;
	}
	if (fd != -1)
		pids[fd] = pid;
	return fd;
}

int pidfd_send_signal(int fd, int signal, siginfo_t *info, unsigned flags)
{
	(void)info;
	(void)flags;
	return kill(pids[fd], signal);
}

#endif
