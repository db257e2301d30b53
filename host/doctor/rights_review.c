#include <config.h>

#include "rights_review.h"

#include <stdio.h>
#include <string.h>

#include "rights_try.h"
#include "shared/contract/legacy.h"

#define OUTSIDERS_MAX 16
#define PREFIX_MAX ((int)RIGHTS_PREFIX_SIZE - 1) /* of a finding's name: without it GCC, at -Os, takes what stands behind it in the finding for a part of it */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

/* ---- hosts ---- */

/* Somebody gave it for the older format: a pattern that lets everything through says nothing of what its user is for. */
static bool meant_for_legacy(const struct rights_review *review, enum right right)
{
	return rights_have(review, right, EXCHANGE_LEGACY) && !rights_have(review, right, "x" EXCHANGE_LEGACY);
}

/* The older format's exchange, which whoever uses it declares (docs/legacy.md). */
static void review_legacy(const struct rights_review *review)
{
	bool writes = meant_for_legacy(review, WRITE), reads = meant_for_legacy(review, READ);
	struct rights_finding *finding = review->finding;

	if (finding->kind == RIGHTS_HOST)
		finding->legacy |= reads || meant_for_legacy(review, CONFIGURE);
	if (finding->kind == RIGHTS_HOST && finding->legacy) {
		rights_must(review, CONFIGURE, EXCHANGE_LEGACY);
		rights_must(review, READ, EXCHANGE_LEGACY);
		/* It would be whatever container it says to be. */
		rights_must_not(review, WRITE, EXCHANGE_LEGACY);
	} else if (finding->kind == RIGHTS_HOST) {
		rights_must_not(review, WRITE, EXCHANGE_LEGACY);
	} else if (writes || reads) {
		rights_must(review, CONFIGURE, EXCHANGE_LEGACY);
	}
}

static void review_host(const struct rights_review *review)
{
	static const char *const configure[] = {"callsign", "callsign.will", "callsign.rollcall"};
	static const char *const write[] = {"callsign", "callsign.rollcall", "amq.default"};
	static const char *const nothing[] = {"amq.fanout", ("callsign.will.x." RIGHTS_SESSION), "xcallsign", "callsignx"};
	static const char *const keys[] = {"up.#", "down.#", "lost.#"}; /* it binds with these */
	char queue[RIGHTS_PREFIX_SIZE + 32], other[RIGHTS_PREFIX_SIZE + 40];
	size_t i;

	for (i = 0; i < 3; i++) {
		rights_must(review, CONFIGURE, configure[i]);
		rights_must(review, WRITE, write[i]);
		rights_must(review, ANNOUNCE_READ, keys[i]);
	}
	rights_must(review, READ, "callsign");
	rights_must(review, READ, "callsign.rollcall");
	for (i = 0; i < sizeof nothing / sizeof *nothing; i++)
		for (int right = CONFIGURE; right <= READ; right++)
			rights_must_not(review, (enum right)right, nothing[i]);
	if (review->finding->name[0] == '\0')
		return;
	snprintf(queue, sizeof queue, "callsign.host.%.*s", PREFIX_MAX, review->finding->name);
	snprintf(other, sizeof other, "%s", queue);
	rights_undot(other + strlen("callsign.host."));
	if (strcmp(other, queue) == 0)
		snprintf(other, sizeof other, "%sx", queue);
	for (int right = CONFIGURE; right <= READ; right++) {
		rights_must(review, (enum right)right, queue);
		rights_must_not(review, (enum right)right, other);
	}
}

/* ---- emitters ---- */

struct outsiders {
	char names[OUTSIDERS_MAX][RIGHTS_PREFIX_SIZE + 2];
	size_t count;
};

static void add_outsider(struct outsiders *all, const char *prefix, const char *name)
{
	if (all->count < OUTSIDERS_MAX && name[0] != '\0' && strncmp(name, prefix, strlen(prefix)) != 0)
		snprintf(all->names[all->count++], sizeof all->names[0], "%s", name);
}

/* Names near the prefix that it does not cover: without its first or last letter, and with a letter for a dot. */
static void find_outsiders(const char *prefix, struct outsiders *all)
{
	char name[RIGHTS_PREFIX_SIZE + 2];
	size_t length = strlen(prefix);

	all->count = 0;
	if (length == 0)
		return;
	snprintf(name, sizeof name, "%c%.*s", prefix[0] == 'x' ? 'y' : 'x', PREFIX_MAX, prefix);
	add_outsider(all, prefix, name);
	snprintf(name, sizeof name, "%.*s", PREFIX_MAX, prefix);
	name[length - 1] = prefix[length - 1] == 'x' ? 'y' : 'x';
	add_outsider(all, prefix, name);
	snprintf(name, sizeof name, "%.*s", PREFIX_MAX, prefix);
	add_outsider(all, prefix, rights_undot(name));
}

static void review_outsider(const struct rights_review *review, const char *name)
{
	char mailbox[RIGHTS_PREFIX_SIZE + 64], up[RIGHTS_PREFIX_SIZE + 16];

	snprintf(mailbox, sizeof mailbox, "callsign.will.%s." RIGHTS_SESSION, name);
	snprintf(up, sizeof up, "up.%s", name);
	for (int right = CONFIGURE; right <= READ; right++)
		rights_must_not(review, (enum right)right, mailbox);
	rights_must_not(review, ANNOUNCE_WRITE, up);
	rights_must_not(review, WILL_WRITE, mailbox);
	rights_must_not(review, WILL_READ, mailbox);
}

static void review_inside(const struct rights_review *review, const char *prefix)
{
	char name[RIGHTS_PREFIX_SIZE + 2], mailbox[RIGHTS_PREFIX_SIZE + 64], key[RIGHTS_PREFIX_SIZE + 16];

	snprintf(name, sizeof name, "%.*sx", PREFIX_MAX, prefix);
	snprintf(mailbox, sizeof mailbox, "callsign.will.%s." RIGHTS_SESSION, name);
	for (int right = CONFIGURE; right <= READ; right++)
		rights_must(review, (enum right)right, mailbox);
	rights_must(review, WILL_WRITE, mailbox);
	rights_must(review, WILL_READ, mailbox);
	snprintf(key, sizeof key, "up.%s", name);
	rights_must(review, ANNOUNCE_WRITE, key);
	rights_must_not(review, ANNOUNCE_READ, key);
	snprintf(key, sizeof key, "down.%s", name);
	rights_must(review, ANNOUNCE_WRITE, key);
	/* Only the broker says it, for a will. */
	snprintf(key, sizeof key, "lost.%s", name);
	rights_must_not(review, ANNOUNCE_WRITE, key);
}

static void review_emitter(const struct rights_review *review)
{
	static const char *const nothing[] = {"amq.default", "amq.fanout", "callsign.host.x", "callsignx", "xcallsign"};
	const char *prefix = review->finding->name;
	struct outsiders outsiders;
	size_t i;

	rights_must_have_topic(review, ANNOUNCE_WRITE, "callsign");
	rights_must_have_topic(review, WILL_WRITE, "callsign.will");
	review_inside(review, prefix);
	rights_must(review, WRITE, "callsign");
	rights_must(review, WRITE, "callsign.will");
	rights_must(review, READ, "callsign.will");
	rights_must(review, READ, "callsign.rollcall");
	for (i = 0; i < sizeof nothing / sizeof *nothing; i++)
		for (int right = CONFIGURE; right <= READ; right++)
			rights_must_not(review, (enum right)right, nothing[i]);
	rights_must_not(review, CONFIGURE, "callsign");
	rights_must_not(review, CONFIGURE, "callsign.will");
	rights_must_not(review, CONFIGURE, "callsign.rollcall");
	rights_must_not(review, WRITE, "callsign.rollcall");
	rights_must_not(review, READ, "callsign");
	find_outsiders(prefix, &outsiders);
	for (i = 0; i < outsiders.count; i++)
		review_outsider(review, outsiders.names[i]);
}

/* ---- agents ---- */

static void review_agent(const struct rights_review *review)
{
	static const char *const nothing[] = {"amq.default", "amq.fanout", "callsign.host.x", "callsignx", "xcallsign", "callsign.will",
	                                      ("callsign.will.x." RIGHTS_SESSION), ("callsign.will.@agent." RIGHTS_SESSION)};
	static const char *const allowed[] = {"up.x", "down.x"};
	char own[RIGHTS_PREFIX_SIZE + 64], other[RIGHTS_PREFIX_SIZE + 64];
	size_t i;

	rights_must_have_topic(review, ANNOUNCE_WRITE, "callsign");
	snprintf(own, sizeof own, "callsign.will.@agent.%.*s." RIGHTS_SESSION, RIGHTS_PREFIX_SIZE - 1, review->finding->name);
	snprintf(other, sizeof other, "callsign.will.@agent.%.*sx." RIGHTS_SESSION, RIGHTS_PREFIX_SIZE - 1, review->finding->name);
	for (int right = CONFIGURE; right <= READ; right++) {
		rights_must(review, (enum right)right, own);
		rights_must_not(review, (enum right)right, other);
		for (i = 0; i < sizeof nothing / sizeof *nothing; i++)
			rights_must_not(review, (enum right)right, nothing[i]);
	}
	rights_must(review, WRITE, "callsign");
	rights_must(review, READ, "callsign.rollcall");
	rights_must_not(review, CONFIGURE, "callsign");
	rights_must_not(review, CONFIGURE, "callsign.rollcall");
	rights_must_not(review, WRITE, "callsign.rollcall");
	rights_must_not(review, READ, "callsign");
	for (i = 0; i < sizeof allowed / sizeof *allowed; i++)
		rights_must(review, ANNOUNCE_WRITE, allowed[i]);
	rights_must_not(review, ANNOUNCE_WRITE, "lost.x");
	rights_must_not(review, ANNOUNCE_READ, "up.x");
}

/* ---- who is who ---- */

/* The literal text behind head, up to tail, without its backslashes. -1: not of that form. */
static int literal_between(const char *pattern, const char *head, const char *tail, char out[RIGHTS_PREFIX_SIZE])
{
	const char *at = strstr(pattern, head);
	size_t used = 0;

	if (at == NULL)
		return -1;
	for (at += strlen(head); strncmp(at, tail, strlen(tail)) != 0; at++) {
		if (*at == '\\' && at[1] != '\0')
			at++;
		else if (*at == '\0' || strchr("+*?()[]{}|^$", *at) != NULL)
			return -1;
		if (used + 1 >= RIGHTS_PREFIX_SIZE)
			return -1;
		out[used++] = *at;
	}
	out[used] = '\0';
	return 0;
}

int rights_prefix(const char *pattern, char out[RIGHTS_PREFIX_SIZE])
{
	static const char head[] = "^(up|down)\\.";

	return strncmp(pattern, head, sizeof head - 1) == 0 ? literal_between(pattern, head, ".*", out) : -1;
}

/* Whether its topic permission lets it announce names, and with which prefix. */
static bool announces(const struct rights_review *review, char out[RIGHTS_PREFIX_SIZE])
{
	return review->pattern[ANNOUNCE_WRITE] != NULL && rights_prefix(review->pattern[ANNOUNCE_WRITE], out) == 0;
}

/* Where one of its rights was broken, another still tells its prefix. */
static bool find_prefix(const struct rights_review *review, char out[RIGHTS_PREFIX_SIZE])
{
	static const enum right others[] = {CONFIGURE, WRITE, READ, WILL_WRITE, WILL_READ};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (review->pattern[others[i]] != NULL && literal_between(review->pattern[others[i]], "callsign\\.will\\.", ".*", out) == 0)
			return true;
	return false;
}

static bool is_host(const struct rights_review *review, char out[RIGHTS_PREFIX_SIZE])
{
	static const char head[] = "\\.host\\.";

	for (int right = CONFIGURE; right <= READ; right++)
		if (strstr(review->pattern[right], head) != NULL) {
			if (literal_between(review->pattern[right], head, ")", out) == -1 && literal_between(review->pattern[right], head, "|", out) == -1)
				out[0] = '\0';
			return true;
		}
	return false;
}

static bool is_agent(const struct rights_review *review, char out[RIGHTS_PREFIX_SIZE])
{
	for (int right = CONFIGURE; right <= READ; right++)
		if (literal_between(review->pattern[right], "callsign\\.will\\.@agent\\.", "\\..*", out) == 0)
			return true;
	return false;
}

static bool has_tag(const json_t *definitions, const char *user, const char *tag)
{
	const json_t *users = json_object_get(definitions, "users"), *tags = NULL;

	for (size_t i = 0; i < json_array_size(users) && tags == NULL; i++)
		if (strcmp(text_of(json_array_get(users, i), "name"), user) == 0)
			tags = json_object_get(json_array_get(users, i), "tags");
	if (json_is_string(tags))
		return strstr(json_string_value(tags), tag) != NULL;
	for (size_t i = 0; i < json_array_size(tags); i++)
		if (json_is_string(json_array_get(tags, i)) && strcmp(json_string_value(json_array_get(tags, i)), tag) == 0)
			return true;
	return false;
}

static void review_other(const struct rights_review *review)
{
	static const char *const things[] = {"callsign", "callsign.will", "callsign.rollcall", "callsign.host.x", ("callsign.will.x." RIGHTS_SESSION),
	                                     "amq.default"};

	for (size_t i = 0; i < sizeof things / sizeof *things; i++)
		for (int right = CONFIGURE; right <= READ; right++)
			rights_must_not(review, (enum right)right, things[i]);
}

/* ---- the broker's lists ---- */

static const json_t *find(const json_t *list, const char *vhost, const char *user, const char *exchange)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (strcmp(text_of(one, "vhost"), vhost) == 0 && strcmp(text_of(one, "user"), user) == 0 &&
		    (exchange == NULL || strcmp(text_of(one, "exchange"), exchange) == 0))
			return one;
	}
	return NULL;
}

static void read_patterns(const json_t *definitions, const char *vhost, struct rights_review *review)
{
	const char *user = review->finding->user;
	const json_t *topics = json_object_get(definitions, "topic_permissions");
	const json_t *all = find(json_object_get(definitions, "permissions"), vhost, user, NULL);
	const json_t *announce = find(topics, vhost, user, "callsign"), *will = find(topics, vhost, user, "callsign.will");

	review->pattern[CONFIGURE] = text_of(all, "configure");
	review->pattern[WRITE] = text_of(all, "write");
	review->pattern[READ] = text_of(all, "read");
	if (announce != NULL) {
		review->pattern[ANNOUNCE_WRITE] = text_of(announce, "write");
		review->pattern[ANNOUNCE_READ] = text_of(announce, "read");
	}
	if (will != NULL) {
		review->pattern[WILL_WRITE] = text_of(will, "write");
		review->pattern[WILL_READ] = text_of(will, "read");
	}
}

static void review_user(const json_t *definitions, const char *vhost, const char *own_user, const char *own_host, bool own_legacy,
                        struct rights_review *review)
{
	struct rights_finding *finding = review->finding;

	read_patterns(definitions, vhost, review);
	finding->kind = RIGHTS_OTHER;
	if (strcmp(finding->user, own_user) == 0) {
		finding->kind = RIGHTS_HOST;
		snprintf(finding->name, sizeof finding->name, "%s", own_host);
		finding->legacy = own_legacy;
	} else if (has_tag(definitions, finding->user, "administrator")) {
		finding->kind = RIGHTS_ADMINISTRATOR;
		return;
	} else if (is_agent(review, finding->name)) {
		finding->kind = RIGHTS_AGENT;
	} else if (!announces(review, finding->name) && is_host(review, finding->name)) {
		finding->kind = RIGHTS_HOST;
	} else if (announces(review, finding->name) || find_prefix(review, finding->name)) {
		finding->kind = RIGHTS_EMITTER;
	}
	if (!rights_can_judge(review))
		return;
	if (finding->kind == RIGHTS_HOST)
		review_host(review);
	else if (finding->kind == RIGHTS_EMITTER)
		review_emitter(review);
	else if (finding->kind == RIGHTS_AGENT)
		review_agent(review);
	else
		review_other(review);
	review_legacy(review);
}

void rights_review(const json_t *definitions, const char *vhost, const char *own_user, const char *own_host, bool own_legacy,
                   void (*visit)(void *arg, const struct rights_finding *finding), void *arg)
{
	/* A user whose permissions were taken away still has its topic permissions. */
	const json_t *lists[] = {json_object_get(definitions, "permissions"), json_object_get(definitions, "topic_permissions")};

	for (size_t l = 0; l < 2; l++) {
		for (size_t i = 0; i < json_array_size(lists[l]); i++) {
			const json_t *one = json_array_get(lists[l], i);
			struct rights_finding finding = {.user = text_of(one, "user")};
			struct rights_review review = {.finding = &finding};

			if (strcmp(text_of(one, "vhost"), vhost) != 0 || find(lists[l], vhost, finding.user, NULL) != one ||
			    (l > 0 && find(lists[0], vhost, finding.user, NULL) != NULL))
				continue;
			review_user(definitions, vhost, own_user, own_host, own_legacy, &review);
			visit(arg, &finding);
		}
	}
}

bool rights_overlap(const char *one, const char *other)
{
	size_t a = strlen(one), b = strlen(other);

	return a > 0 && b > 0 && strncmp(one, other, a < b ? a : b) == 0;
}
