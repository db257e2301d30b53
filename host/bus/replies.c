#include <config.h>

#include "replies.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* A user, and how many answers are owed to it. */
struct reply_sender {
	size_t count;
	UT_hash_handle hh;
	size_t length;
	char user[];
};

/* In the order of their generations, which is the order in which they came. */
struct replies {
	struct reply *first, *last;
	size_t count;
	struct reply_sender *senders;
};

struct replies *replies_new(void)
{
	return calloc(1, sizeof(struct replies));
}

static struct reply_sender *sender_get(struct replies *replies, const struct bus_text *user)
{
	size_t length = user->data != NULL ? user->length : 0;
	struct reply_sender *sender;

	HASH_FIND(hh, replies->senders, length > 0 ? user->data : "", length, sender);
	if (sender != NULL)
		return sender;
	sender = calloc(1, sizeof *sender + length + 1);
	if (sender == NULL)
		return NULL;
	sender->length = length;
	if (length > 0)
		memcpy(sender->user, user->data, length);
	HASH_ADD_KEYPTR(hh, replies->senders, sender->user, sender->length, sender);
	return sender;
}

static void sender_put(struct replies *replies, struct reply_sender *sender)
{
	if (sender->count > 0)
		return;
	HASH_DEL(replies->senders, sender);
	free(sender);
}

/* before: the one in front of it, NULL if it is the first. */
static void replies_drop(struct replies *replies, struct reply *before, struct reply *reply)
{
	if (before != NULL)
		before->next = reply->next;
	else
		replies->first = reply->next;
	if (replies->last == reply)
		replies->last = before;
	replies->count--;
	reply->sender->count--;
	sender_put(replies, reply->sender);
	free(reply);
}

/* The oldest of the user who has the most. With one user that is the first; one of many may be far back, but then there are many. */
static void replies_drop_one(struct replies *replies)
{
	struct reply *before = NULL, *reply = replies->first;
	struct reply_sender *sender, *most = replies->senders;

	for (sender = replies->senders; sender != NULL; sender = sender->hh.next)
		most = sender->count > most->count ? sender : most;
	while (reply->sender != most) {
		before = reply;
		reply = reply->next;
	}
	replies_drop(replies, before, reply);
}

void replies_clear(struct replies *replies)
{
	while (replies->first != NULL)
		replies_drop(replies, NULL, replies->first);
}

void replies_free(struct replies *replies)
{
	if (replies != NULL)
		replies_clear(replies);
	free(replies);
}

bool replies_allowed(const struct bus_text *reply_to)
{
	const size_t prefix = sizeof REPLYTO_PREFIX - 1;

	return reply_to->length > prefix && reply_to->length < sizeof((struct reply *)NULL)->to &&
	       memcmp(reply_to->data, REPLYTO_PREFIX, prefix) == 0 && memchr(reply_to->data, '\0', reply_to->length) == NULL;
}

void replies_address(struct reply *reply, const struct bus_delivery *delivery)
{
	const struct bus_text *id = &delivery->correlation_id, *user = &delivery->user_id, *key = &delivery->routing_key;

	memset(reply, 0, sizeof *reply);
	memcpy(reply->to, delivery->reply_to.data, delivery->reply_to.length);
	if (user->data != NULL && user->length < sizeof(reply->user))
		memcpy(reply->user, user->data, user->length);
	if (key->data != NULL && key->length > 3) /* "up.NAME", as was checked */
		(void)hostname_fold((const char *)key->data + 3, key->length - 3, reply->name);
	/* A short string of AMQP: it always fits. */
	reply->correlation_id_length = id->data != NULL && id->length <= REPLIES_CORRELATION_MAX ? id->length : 0;
	if (reply->correlation_id_length > 0)
		memcpy(reply->correlation_id, id->data, reply->correlation_id_length);
}

void replies_add(struct replies *replies, const struct bus_delivery *delivery, const struct ident *instance, uint64_t generation,
                 int64_t now_ms)
{
	struct reply *reply = malloc(sizeof *reply);
	struct reply_sender *sender;

	if (replies->count == REPLIES_MAX)
		replies_drop_one(replies);
	sender = sender_get(replies, &delivery->user_id);
	/* Without memory the emitter gets no answer from this host, and waits for another's or for its own limit. */
	if (reply == NULL || sender == NULL) {
		if (sender != NULL)
			sender_put(replies, sender);
		free(reply);
		return;
	}
	replies_address(reply, delivery);
	reply->sender = sender;
	sender->count++;
	reply->instance = *instance;
	reply->generation = generation;
	reply->until_ms = now_ms + REPLIES_KEPT_MS;
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
		replies_drop(replies, NULL, replies->first);
	}
}
