#include <config.h>

#include "answered.h"

#include <stdlib.h>
#include <string.h>

#define USER_SIZE 256 /* a short string of AMQP */
#define SENT_MAX 4096 /* without an answer of the broker: more are not remembered, and nobody is blamed for them */
#define MUTED_MAX 256 /* users at a time; the one who has the least left makes room */

struct sent {
	uint64_t sequence; /* 0: confirmed */
	char user[USER_SIZE];
};

struct muted {
	int64_t until_ms;
	char user[USER_SIZE];
};

struct answered {
	struct sent *sent; /* room for SENT_MAX once one was sent; in their order */
	unsigned first, count;
	struct muted muted[MUTED_MAX];
	unsigned nmuted;
	char blamed[USER_SIZE];
};

struct answered *answered_new(void)
{
	return calloc(1, sizeof(struct answered));
}

void answered_free(struct answered *answered)
{
	if (answered == NULL)
		return;
	free(answered->sent);
	free(answered);
}

static void drop_confirmed(struct answered *answered)
{
	while (answered->count > 0 && answered->sent[answered->first].sequence == 0) {
		answered->first = (answered->first + 1) % SENT_MAX;
		answered->count--;
	}
}

static void copy_user(char out[USER_SIZE], const char *user)
{
	size_t length = strnlen(user, USER_SIZE - 1);

	memcpy(out, user, length);
	out[length] = '\0';
}

void answered_sent(struct answered *answered, const char *user, uint64_t sequence)
{
	struct sent *sent;

	if (answered->sent == NULL)
		answered->sent = calloc(SENT_MAX, sizeof(*answered->sent));
	if (answered->sent == NULL || answered->count == SENT_MAX || sequence == 0)
		return;
	sent = &answered->sent[(answered->first + answered->count++) % SENT_MAX];
	sent->sequence = sequence;
	copy_user(sent->user, user);
}

void answered_confirmed(struct answered *answered, uint64_t sequence)
{
	unsigned i;

	for (i = 0; i < answered->count; i++) {
		struct sent *sent = &answered->sent[(answered->first + i) % SENT_MAX];

		if (sent->sequence > sequence)
			break;
		if (sent->sequence == sequence)
			sent->sequence = 0;
	}
	drop_confirmed(answered);
}

static void mute(struct answered *answered, const char *user, int64_t now_ms)
{
	unsigned i, least = 0;

	for (i = 0; i < answered->nmuted; i++) {
		if (strcmp(answered->muted[i].user, user) == 0)
			break;
		if (answered->muted[i].until_ms < answered->muted[least].until_ms)
			least = i;
	}
	if (i == MUTED_MAX)
		i = least;
	else if (i == answered->nmuted)
		answered->nmuted++;
	answered->muted[i].until_ms = now_ms + ANSWERED_MUTE_MS;
	copy_user(answered->muted[i].user, user);
}

const char *answered_down(struct answered *answered, bool failed, int64_t now_ms)
{
	const char *user = NULL;

	if (failed && answered->count > 0) {
		copy_user(answered->blamed, answered->sent[answered->first].user);
		user = answered->blamed;
		mute(answered, user, now_ms);
	}
	answered->first = answered->count = 0;
	return user;
}

bool answered_muted(const struct answered *answered, const char *user, int64_t now_ms)
{
	unsigned i;

	for (i = 0; i < answered->nmuted; i++) {
		if (answered->muted[i].until_ms > now_ms && strncmp(answered->muted[i].user, user, USER_SIZE - 1) == 0)
			return true;
	}
	return false;
}
