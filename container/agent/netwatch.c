#include <config.h>

#include "netwatch.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>

#include "shared/rtnetlink.h"

#define STACK_SIZE (64 * 1024)

struct errand {
	int pidfd;
	uint32_t groups;
	int fd;
	int error;
};

static void *go_there(void *arg)
{
	struct errand *errand = arg;

	if (setns(errand->pidfd, CLONE_NEWNET) == 0)
		errand->fd = rtnetlink_open(errand->groups, SOCK_NONBLOCK);
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

int netwatch_open(void *pidfd, uint32_t groups)
{
	struct errand errand = {.pidfd = *(const int *)pidfd, .groups = groups, .fd = -1};
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
		return -1;
	}
	pthread_join(thread, NULL);
	errno = errand.error;
	return errand.fd;
}
