#include <config.h>

#include "netwatch.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>

#define STACK_SIZE (64 * 1024)

struct errand {
	int pidfd;
	struct addrwatch *watch;
	int error;
};

static void *go_there(void *arg)
{
	struct errand *errand = arg;

	if (setns(errand->pidfd, CLONE_NEWNET) == 0)
		errand->watch = addrwatch_open();
	errand->error = errno;
	return NULL;
}

/* With every signal blocked there: they are for the loop. */
static int start_thread(pthread_t *thread, const pthread_attr_t *attributes, struct errand *errand)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, attributes, go_there, errand);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

struct addrwatch *netwatch_open(int pidfd)
{
	struct errand errand = {.pidfd = pidfd};
	pthread_attr_t attributes;
	pthread_t thread;
	int error = pthread_attr_init(&attributes);

	if (error == 0) {
		pthread_attr_setstacksize(&attributes, STACK_SIZE);
		error = start_thread(&thread, &attributes, &errand);
		pthread_attr_destroy(&attributes);
	}
	if (error != 0) {
		errno = error;
		return NULL;
	}
	pthread_join(thread, NULL);
	errno = errand.error;
	return errand.watch;
}
