/* What is done aside: all of it is, whoever is stuck. */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "container/agent/errands.h"
#include "tests/unit/exact.h"

#define DEADLINE_MS 10000

static atomic_size_t nrun;
static size_t ndone;
static pthread_t loop;
static int gate[2]; /* who is stuck reads from it */

static void run(void *arg)
{
	sigset_t blocked;

	(void)arg;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	if (!pthread_equal(pthread_self(), loop) && sigismember(&blocked, SIGTERM) == 1)
		atomic_fetch_add(&nrun, 1);
}

static void run_stuck(void *arg)
{
	char byte;

	if (read(gate[0], &byte, 1) == 1)
		run(arg);
}

static void done(void *arg)
{
	(void)arg;
	assert_true(pthread_equal(pthread_self(), loop));
	ndone++;
}

static struct errands *begin(void)
{
	struct errands *errands = errands_open();

	assert_non_null(errands);
	assert_int_equal(pipe(gate), 0);
	loop = pthread_self();
	nrun = 0;
	ndone = 0;
	return errands;
}

static void finish(struct errands *errands)
{
	assert_int_equal(errands_out(errands), 0);
	assert_int_equal(errands_waiting(errands), 0);
	errands_close(errands);
	close(gate[0]);
	close(gate[1]);
}

static void take_until(struct errands *errands, size_t count)
{
	while (ndone < count) {
		struct pollfd one = {.fd = errands_fd(errands), .events = POLLIN};

		assert_int_equal(poll(&one, 1, DEADLINE_MS), 1);
		errands_take(errands);
	}
}

static void open_gate(size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(write(gate[1], "x", 1), 1);
}

static void each_is_done_once(void **state)
{
	struct errands *errands = begin();

	(void)state;
	for (size_t i = 0; i < 200; i++)
		assert_true(errands_start(errands, run, done, NULL));
	take_until(errands, 200);
	assert_int_equal(nrun, 200);
	assert_int_equal(ndone, 200);
	finish(errands);
}

static void one_that_is_stuck_holds_up_no_other(void **state)
{
	struct errands *errands = begin();

	(void)state;
	assert_true(errands_start(errands, run_stuck, done, NULL));
	for (size_t i = 0; i < 100; i++) {
		assert_true(errands_start(errands, run, done, NULL));
		take_until(errands, i + 1);
	}
	assert_int_equal(errands_out(errands), 1);
	open_gate(1);
	take_until(errands, 101);
	finish(errands);
}

/* Past the bound they wait, past that of those that wait they are refused; and all go on when those that are stuck come back. */
static void more_than_may_be_out_wait(void **state)
{
	struct errands *errands = begin();

	(void)state;
	for (size_t i = 0; i < ERRANDS_OUT_MAX; i++)
		assert_true(errands_start(errands, run_stuck, done, NULL));
	assert_int_equal(errands_out(errands), ERRANDS_OUT_MAX);
	for (size_t i = 0; i < ERRANDS_WAITING_MAX; i++)
		assert_true(errands_start(errands, run, done, NULL));
	assert_int_equal(errands_waiting(errands), ERRANDS_WAITING_MAX);
	errno = 0;
	assert_false(errands_start(errands, run, done, NULL));
	assert_int_equal(errno, EAGAIN);
	errands_take(errands);
	assert_int_equal(ndone, 0);
	open_gate(1); /* one that comes back is enough for all that wait */
	take_until(errands, 1 + ERRANDS_WAITING_MAX);
	assert_int_equal(errands_out(errands), ERRANDS_OUT_MAX - 1);
	open_gate(ERRANDS_OUT_MAX - 1);
	take_until(errands, ERRANDS_OUT_MAX + ERRANDS_WAITING_MAX);
	assert_int_equal(nrun, ndone);
	finish(errands);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_done_once),
		cmocka_unit_test(one_that_is_stuck_holds_up_no_other),
		cmocka_unit_test(more_than_may_be_out_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
