#ifndef CALLSIGN_TESTS_CHILD_H
#define CALLSIGN_TESTS_CHILD_H

/* After <cmocka.h>. */

#include <signal.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

/* A child of this process that is called name, takes signal number as handler says, and waits to be ended. It has its name when this returns. */
static inline pid_t child_start(const char *name, int number, void (*handler)(int))
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		signal(number, handler);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

#endif
