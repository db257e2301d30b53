#include <config.h>

#include "knock.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"

struct knock {
	int fd;             /* -1: not knocking */
	uint64_t question;  /* what it is for */
	int64_t due_ms;     /* when to give it up */
	int64_t rest_ms;    /* not again before that */
	bool again;         /* the first look has found the port open: the second one counts */
	bool closed;        /* and that was told of */
};

struct knock *knock_new(void)
{
	struct knock *knock = calloc(1, sizeof *knock);

	if (knock != NULL)
		knock->fd = -1;
	return knock;
}

/* In order, so that the broker finds it at an end, not broken. */
static void knock_close(struct knock *knock)
{
	if (knock->fd != -1)
		close(knock->fd);
	knock->fd = -1;
}

void knock_free(struct knock *knock)
{
	if (knock == NULL)
		return;
	knock_close(knock);
	free(knock);
}

int knock_fd(const struct knock *knock)
{
	return knock->fd;
}

int64_t knock_deadline_ms(const struct knock *knock, const struct registry *registry)
{
	if (knock->fd != -1)
		return knock->due_ms;
	return registry_asks(registry) != 0 ? knock->rest_ms : CLOCK_NEVER;
}

/* 0: connected, EINPROGRESS: not yet, else why not. */
static int knock_begin(struct knock *knock, const struct sockaddr_storage *where, socklen_t length)
{
	knock->fd = socket(where->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (knock->fd == -1)
		return errno;
	return connect(knock->fd, (const struct sockaddr *)where, length) == 0 ? 0 : errno;
}

static int knock_result(const struct knock *knock, int64_t now_ms)
{
	struct pollfd fd = {.fd = knock->fd, .events = POLLOUT};
	socklen_t length = sizeof(int);
	int error = 0;

	if (poll(&fd, 1, 0) == 0)
		return now_ms < knock->due_ms ? EINPROGRESS : ETIMEDOUT;
	return getsockopt(knock->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

static void knock_tell(struct knock *knock, bool open)
{
	if (!open && !knock->closed)
		log_info("the broker takes no connections any more: it stops, it seems; whose connection dies now is kept for %d s",
		         REGISTRY_CLOSED_MS / 1000);
	knock->closed = !open;
}

static bool knock_looks_again(struct knock *knock, const struct registry *registry, int error, int64_t now_ms)
{
	knock->again = !knock->again && error == 0 && registry_asks_several(registry, knock->question);
	if (knock->again)
		knock->rest_ms = now_ms + KNOCK_AGAIN_MS;
	return knock->again;
}

void knock_step(struct knock *knock, struct registry *registry, const struct subscriber *subscriber, int64_t now_ms)
{
	struct sockaddr_storage where;
	size_t length;
	int error;

	if (knock->fd != -1) {
		error = knock_result(knock, now_ms);
	} else {
		knock->question = registry_asks(registry);
		knock->again &= knock->question != 0;
		if (knock->question == 0 || now_ms < knock->rest_ms)
			return;
		knock->due_ms = now_ms + KNOCK_MS;
		knock->rest_ms = now_ms + KNOCK_PAUSE_MS;
		length = subscriber_peer(subscriber, &where);
		/* Our own connection is broken: that will be noticed in a moment, and then no lost is believed. */
		if (length == 0)
			return;
		error = knock_begin(knock, &where, (socklen_t)length);
		/* On the same host it is done by now. */
		if (error == EINPROGRESS)
			error = knock_result(knock, now_ms);
	}
	if (error == EINPROGRESS)
		return;
	knock_close(knock);
	if (knock_looks_again(knock, registry, error, now_ms))
		return;
	knock_tell(knock, error != ECONNREFUSED);
	registry_answer(registry, knock->question, error != ECONNREFUSED, now_ms);
}
