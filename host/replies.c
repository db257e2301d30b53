#include <config.h>

#include "replies.h"

#include <stdlib.h>
#include <string.h>

/* In the order of their generations, which is the order in which they came. */
struct replies {
	struct reply *first, *last;
	size_t count;
};

struct replies *replies_new(void)
{
	return calloc(1, sizeof(struct replies));
}

static void replies_drop_first(struct replies *replies)
{
	struct reply *first = replies->first;

	replies->first = first->next;
	if (replies->first == NULL)
		replies->last = NULL;
	replies->count--;
	free(first);
}

void replies_clear(struct replies *replies)
{
	while (replies->first != NULL)
		replies_drop_first(replies);
}

void replies_free(struct replies *replies)
{
	if (replies != NULL)
		replies_clear(replies);
	free(replies);
}

bool replies_allowed(const struct bus_text *reply_to)
{
	const size_t prefix = sizeof REPLIES_TO_PREFIX - 1;

	return reply_to->length > prefix && reply_to->length < sizeof((struct reply *)NULL)->to &&
	       memcmp(reply_to->data, REPLIES_TO_PREFIX, prefix) == 0 && memchr(reply_to->data, '\0', reply_to->length) == NULL;
}

void replies_address(struct reply *reply, const struct bus_delivery *delivery)
{
	const struct bus_text *id = &delivery->correlation_id;

	memset(reply, 0, sizeof *reply);
	memcpy(reply->to, delivery->reply_to.data, delivery->reply_to.length);
	/* A short string of AMQP: it always fits. */
	reply->correlation_id_length = id->data != NULL && id->length <= REPLIES_CORRELATION_MAX ? id->length : 0;
	if (reply->correlation_id_length > 0)
		memcpy(reply->correlation_id, id->data, reply->correlation_id_length);
}

void replies_add(struct replies *replies, const struct bus_delivery *delivery, const struct ident *instance, uint64_t generation,
                 int64_t now_ms)
{
	struct reply *reply = malloc(sizeof *reply);

	/* Without memory the emitter gets no answer from this host, and waits for another's or for its own limit. */
	if (reply == NULL)
		return;
	replies_address(reply, delivery);
	reply->instance = *instance;
	reply->generation = generation;
	reply->until_ms = now_ms + REPLIES_KEPT_MS;
	if (replies->count == REPLIES_MAX)
		replies_drop_first(replies);
	if (replies->last != NULL)
		replies->last->next = reply;
	else
		replies->first = reply;
	replies->last = reply;
	replies->count++;
}

void replies_take(struct replies *replies, uint64_t served, int64_t now_ms, void (*answer)(void *arg, const struct reply *reply),
                  void *arg)
{
	while (replies->first != NULL && (replies->first->generation <= served || replies->first->until_ms <= now_ms)) {
		if (replies->first->generation <= served)
			answer(arg, replies->first);
		replies_drop_first(replies);
	}
}
