#include <config.h>

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command_end.h"
#include "shared/clock.h"

/* The program's standard descriptors are files without a name: no pipe can fill up while we are busy with another. */
struct command {
	int files[3];
	int failed[2]; /* a pipe that execvp() closes, or over which errno comes */
	pid_t pid;
};

static int file_open(void)
{
	return open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static void command_close(struct command *command)
{
	for (int i = 0; i < 3; i++)
		if (command->files[i] != -1)
			close(command->files[i]);
	for (int i = 0; i < 2; i++)
		if (command->failed[i] != -1)
			close(command->failed[i]);
}

static int command_open(struct command *command, const void *input, size_t length)
{
	if (pipe2(command->failed, O_CLOEXEC) == -1)
		return -1;
	for (int i = 0; i < 3; i++) {
		command->files[i] = file_open();
		if (command->files[i] == -1)
			return -1;
	}
	while (length > 0) {
		ssize_t done = write(command->files[0], input, length);

		if (done <= 0)
			return -1;
		input = (const char *)input + done;
		length -= (size_t)done;
	}
	return lseek(command->files[0], 0, SEEK_SET) == 0 ? 0 : -1;
}

static void child(const struct command *command, const char *const argv[], bool capture_errors)
{
	int error;

	if (dup2(command->files[0], STDIN_FILENO) != -1 && dup2(command->files[1], STDOUT_FILENO) != -1 &&
	    (!capture_errors || dup2(command->files[2], STDERR_FILENO) != -1))
		execvp(argv[0], (char *const *)(uintptr_t)argv);
	error = errno;
	(void)!write(command->failed[1], &error, sizeof error);
	_exit(127);
}

/* Its exit status, or -1 with errno. */
static int command_wait(const struct command *command, unsigned timeout_s)
{
	int64_t until_ms = clock_ms() + (int64_t)timeout_s * 1000;
	int status = 0;
	pid_t ended;

	while ((ended = waitpid(command->pid, &status, WNOHANG)) == 0) {
		if (clock_ms() >= until_ms) {
			command_end(command->pid);
			waitpid(command->pid, &status, 0);
			errno = ETIMEDOUT;
			return -1;
		}
		poll(NULL, 0, 10);
	}
	if (ended == -1)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char *file_text(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = size >= 0 ? calloc(1, (size_t)size + 1) : NULL;

	if (text != NULL && pread(fd, text, (size_t)size, 0) != size) {
		free(text);
		return NULL;
	}
	return text;
}

static int command_start(struct command *command, const char *const argv[], bool capture_errors)
{
	int error;

	command->pid = fork();
	if (command->pid == -1)
		return -1;
	if (command->pid == 0)
		child(command, argv, capture_errors);
	close(command->failed[1]);
	command->failed[1] = -1;
	if (read(command->failed[0], &error, sizeof error) != (ssize_t)sizeof error)
		return 0;
	waitpid(command->pid, NULL, 0);
	errno = error;
	return -1;
}

int command_run(const char *const argv[], const void *input, size_t length, char **output, char **errors, unsigned timeout_s)
{
	struct command command = {.files = {-1, -1, -1}, .failed = {-1, -1}};
	int status = -1, saved;

	if (output != NULL)
		*output = NULL;
	if (errors != NULL)
		*errors = NULL;
	fflush(NULL); /* in the child there would be a second copy */
	if (command_open(&command, input, length) == 0 && command_start(&command, argv, errors != NULL) == 0)
		status = command_wait(&command, timeout_s);
	saved = errno;
	if (status != -1 && output != NULL)
		*output = file_text(command.files[1]);
	if (status != -1 && errors != NULL)
		*errors = file_text(command.files[2]);
	command_close(&command);
	errno = saved;
	return status;
}
