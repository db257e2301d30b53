#ifndef CALLSIGN_TEST_IP_H
#define CALLSIGN_TEST_IP_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ip(8), for tests in a network namespace of their own. After cmocka.h. */

static void ip_execute(char *words)
{
	char *argv[32] = {NULL}, *rest = words;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < 31 && (argv[i] = strtok_r(rest, " ", &rest)) != NULL; i++)
		;
	if (null == -1 || dup2(null, STDERR_FILENO) == -1)
		_exit(126);
	execvp(argv[0], argv);
	_exit(127);
}

/* Whether ip(8) did it. */
static inline bool ip_does(const char *what)
{
	char command[256];
	int status;
	pid_t pid;

	snprintf(command, sizeof command, "ip %s", what);
	pid = fork();
	if (pid == 0)
		ip_execute(command);
	return pid != -1 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline void ip(const char *what)
{
	if (!ip_does(what))
		fail_msg("ip %s: it did not", what);
}

#endif
