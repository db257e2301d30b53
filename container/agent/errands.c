#include <config.h>

#include "errands.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

/* jansson goes 2,048 deep at most. Untouched pages cost nothing. */
#define STACK_SIZE ((size_t)1 << 20)

struct errand {
	struct errand *prev, *next;
	struct errands *errands;
	void (*run)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

/* back is what threads and the loop share, and the lock is for that alone. */
struct errands {
	pthread_attr_t attributes;
	pthread_mutex_t lock;
	struct errand *back;
	int event;
	struct errand *waiting; /* the first is the next */
	size_t nout, nwaiting;
};

struct errands *errands_open(void)
{
	struct errands *errands = calloc(1, sizeof(*errands));

	if (errands == NULL)
		return NULL;
	errands->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (errands->event == -1) {
		free(errands);
		return NULL;
	}
	pthread_mutex_init(&errands->lock, NULL);
	pthread_attr_init(&errands->attributes);
	pthread_attr_setstacksize(&errands->attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&errands->attributes, PTHREAD_CREATE_DETACHED);
	return errands;
}

void errands_close(struct errands *errands)
{
	if (errands == NULL)
		return;
	errands_take(errands);
	if (errands->nout > 0)
		return;
	close(errands->event);
	pthread_attr_destroy(&errands->attributes);
	pthread_mutex_destroy(&errands->lock);
	free(errands);
}

int errands_fd(const struct errands *errands)
{
	return errands->event;
}

size_t errands_out(const struct errands *errands)
{
	return errands->nout;
}

size_t errands_waiting(const struct errands *errands)
{
	return errands->nwaiting;
}

/* The last thing that is touched is the lock: whoever frees it has to have it first. */
static void *go(void *arg)
{
	static const uint64_t one = 1;
	struct errand *errand = arg;
	struct errands *errands = errand->errands;

	errand->run(errand->arg);
	pthread_mutex_lock(&errands->lock);
	DL_APPEND(errands->back, errand);
	/* It counts to 2^64: the only way to fail is not to be there. */
	(void)!write(errands->event, &one, sizeof(one));
	pthread_mutex_unlock(&errands->lock);
	return NULL;
}

/* With every signal blocked there: they are for the loop. */
static bool send_out(struct errands *errands, struct errand *errand)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &errands->attributes, go, errand);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	errands->nout += error == 0;
	return error == 0;
}

bool errands_start(struct errands *errands, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
	struct errand *errand = NULL;

	errno = EAGAIN;
	if (errands->nwaiting == ERRANDS_WAITING_MAX || (errand = malloc(sizeof(*errand))) == NULL)
		return false;
	*errand = (struct errand){.errands = errands, .run = run, .done = done, .arg = arg};
	if (errands->nout < ERRANDS_OUT_MAX && errands->waiting == NULL) {
		if (send_out(errands, errand))
			return true;
		/* No thread to be had now. While others are out, one of those that return makes room. */
		if (errands->nout == 0) {
			free(errand);
			return false;
		}
	}
	DL_APPEND(errands->waiting, errand);
	errands->nwaiting++;
	return true;
}

static void send_next(struct errands *errands)
{
	while (errands->waiting != NULL && errands->nout < ERRANDS_OUT_MAX) {
		struct errand *next = errands->waiting;

		DL_DELETE(errands->waiting, next);
		errands->nwaiting--;
		if (send_out(errands, next))
			continue;
		DL_PREPEND(errands->waiting, next);
		errands->nwaiting++;
		if (errands->nout > 0)
			return;
		/* Nobody is out who could come back and have it tried again: done here, as it was before there were threads. */
		DL_DELETE(errands->waiting, next);
		errands->nwaiting--;
		next->run(next->arg);
		next->done(next->arg);
		free(next);
	}
}

void errands_take(struct errands *errands)
{
	struct errand *back, *one, *next;
	uint64_t count;

	(void)!read(errands->event, &count, sizeof(count));
	pthread_mutex_lock(&errands->lock);
	back = errands->back;
	errands->back = NULL;
	pthread_mutex_unlock(&errands->lock);
	DL_FOREACH_SAFE(back, one, next) {
		errands->nout--;
		one->done(one->arg);
		free(one);
	}
	send_next(errands);
}
