#include <config.h>

#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/command.h"

bool setup_rabbitmqctl(struct setup *setup, const char *const argv[], char **output)
{
	char *errors = NULL;
	int status = command_run(argv, NULL, 0, output, &errors, SETUP_BROKER_S);

	if (status == -1 && errno == ENOENT)
		setup_error(setup, "rabbitmqctl is not here: run callsign-setup where the broker runs, or with --no-broker");
	else if (status == -1 && errno == ETIMEDOUT)
		setup_error(setup, "rabbitmqctl %s: no end after %d s, and ended: see that the broker serves (rabbitmqctl status), and run this again",
		            argv[2], SETUP_BROKER_S);
	else if (status == -1)
		setup_error(setup, "rabbitmqctl %s: %s", argv[2], strerror(errno));
	else if (status != 0)
		setup_error(setup, "rabbitmqctl %s: exit status %d: %.500s", argv[2], status, errors != NULL ? errors : "");
	free(errors);
	return status == 0;
}

/* ---- definitions ---- */

/*
 * Definitions for rabbitmqctl, in a file: from 4.0 on it no longer reads them from its standard input. What stands there, hashes of passwords, is for
 * nobody else's eyes. The folder is root's alone to write in, and the name always the same, so that whatever a run left that was ended half-way goes
 * with the next one.
 */
#define FILE_PATH "/run/callsign-setup.definitions"
#define BROKER_USER "rabbitmq" /* whom Debian's rabbitmqctl becomes, and so do most other packages' */

static int write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t done = write(fd, text, length);

		if (done <= 0)
			return -1;
		text += done;
		length -= (size_t)done;
	}
	return 0;
}

/* It is whose it is to be before there is anything in it. Without such a user rabbitmqctl goes on as root, who may read it as it is. */
static int fill(int fd, const char *text)
{
	const struct passwd *user = getpwnam(BROKER_USER);

	if (user != NULL && geteuid() == 0 && fchown(fd, user->pw_uid, (gid_t)-1) == -1)
		return -1;
	return write_all(fd, text, strlen(text));
}

static int make_file(const char *text)
{
	int fd, result, saved;

	(void)unlink(FILE_PATH);
	fd = open(FILE_PATH, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return -1;
	result = fill(fd, text);
	saved = errno;
	if (close(fd) == -1 && result == 0) {
		result = -1;
		saved = errno;
	}
	errno = saved;
	return result;
}

bool setup_import(struct setup *setup, const json_t *definitions)
{
	const char *const argv[] = {"rabbitmqctl", "--quiet", "import_definitions", FILE_PATH, NULL};
	char *text = json_dumps(definitions, 0), *output = NULL;
	bool done = false;

	if (text == NULL || make_file(text) == -1)
		setup_error(setup, FILE_PATH ": cannot be written: %s", text == NULL ? "out of memory" : strerror(errno));
	else
		done = setup_rabbitmqctl(setup, argv, &output);
	(void)unlink(FILE_PATH);
	free(output);
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
	return done;
}
