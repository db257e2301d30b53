#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/system/children.h"
#include "tests/unit/child.h"
#include "tests/unit/range.h"

#define NAME "a (b) 1 c)" /* as anybody may call himself, within 15 bytes */

static void on_alarm(int number)
{
	(void)number;
	_exit(3);
}

static pid_t start_child(const char *name, void (*handler)(int))
{
	return child_start(name, SIGALRM, handler);
}

static bool is_there(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

static void end_child(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static struct process self(void)
{
	return (struct process){.pidfd = -1, .pid = getpid()};
}

static void who_has_the_name_and_a_handler_is_signalled(void **state)
{
	struct process parent = self();
	int64_t oldest_ms = 7;
	pid_t wanted, other, ignores, bare;
	int status;

	(void)state;
	prctl(PR_SET_NAME, NAME);
	assert_int_equal(children_signal(&parent, SIGALRM, 0, &oldest_ms), 0); /* no children at all */
	assert_int_equal(oldest_ms, -1);
	other = start_child("other", on_alarm);
	ignores = start_child(NAME, SIG_IGN);
	bare = start_child(NAME, SIG_DFL);
	wanted = start_child(NAME, on_alarm);
	assert_int_equal(children_signal(&parent, SIGALRM, 0, &oldest_ms), 1);
	assert_int_equal(oldest_ms, -1);
	assert_int_equal(waitpid(wanted, &status, 0), wanted);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	assert_true(is_there(other) && is_there(ignores) && is_there(bare));
	end_child(other);
	end_child(ignores);
	end_child(bare);
}

/* On a busy machine it gets no processor for a while: here it is stopped. */
static void who_has_not_taken_it_yet_is_not_signalled_again(void **state)
{
	struct process parent = self();
	int64_t oldest_ms;
	pid_t pid;

	(void)state;
	prctl(PR_SET_NAME, NAME);
	pid = start_child(NAME, on_alarm);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	assert_int_equal(children_signal(&parent, SIGALRM, 0, &oldest_ms), 1);
	assert_int_equal(children_signal(&parent, SIGALRM, 0, &oldest_ms), 0);
	assert_int_equal(oldest_ms, -1);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	assert_int_equal(children_signal(&parent, SIGALRM, 0, &oldest_ms), 0); /* it has ended, and nobody has asked how */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void who_is_too_young_is_told_of(void **state)
{
	struct process parent = self();
	int64_t oldest_ms;
	pid_t older, younger;

	(void)state;
	prctl(PR_SET_NAME, NAME);
	older = start_child(NAME, on_alarm);
	usleep(200000);
	younger = start_child(NAME, on_alarm);
	assert_int_equal(children_signal(&parent, SIGALRM, 100000, &oldest_ms), 0);
	assert_int_in_range(oldest_ms, 200, 99999);
	assert_int_equal(children_signal(&parent, SIGALRM, oldest_ms, &oldest_ms), 1);
	assert_int_equal(waitpid(older, NULL, 0), older);
	assert_true(oldest_ms >= 0);
	assert_true(is_there(younger));
	end_child(younger);
}

static void somebody_elses_children_and_nobodys(void **state)
{
	struct process parent = {.pidfd = -1};
	int64_t oldest_ms;
	pid_t mine;

	(void)state;
	prctl(PR_SET_NAME, NAME);
	mine = start_child(NAME, on_alarm);
	parent.pid = mine; /* has none */
	assert_int_equal(children_signal(&parent, SIGALRM, 0, &oldest_ms), 0);
	assert_true(is_there(mine));
	end_child(mine);
	assert_int_equal(children_signal(&parent, SIGALRM, 0, &oldest_ms), 0); /* it is gone */
	assert_int_equal(oldest_ms, -1);
}

/* As many as no dnsmasq has. */
static void very_many(void **state)
{
	struct process parent = self();
	int64_t oldest_ms;
	pid_t pids[200];
	size_t count = 0;

	(void)state;
	prctl(PR_SET_NAME, NAME);
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++)
		pids[i] = start_child(NAME, on_alarm);
	count = children_signal(&parent, SIGALRM, 0, &oldest_ms);
	assert_int_equal(count, sizeof(pids) / sizeof(pids[0]));
	for (size_t i = 0; i < count; i++)
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_the_name_and_a_handler_is_signalled),
		cmocka_unit_test(who_has_not_taken_it_yet_is_not_signalled_again),
		cmocka_unit_test(who_is_too_young_is_told_of),
		cmocka_unit_test(somebody_elses_children_and_nobodys),
		cmocka_unit_test(very_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
