#include <config.h>

#include "rights_review.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

#define SESSION "0123456789abcdef0123456789abcdef"
#define OUTSIDERS_MAX 16
#define PREFIX_MAX ((int)RIGHTS_PREFIX_SIZE - 1) /* of a finding's name: without it GCC, at -Os, takes what stands behind it in the finding for a part of it */

enum right { CONFIGURE, WRITE, READ, ANNOUNCE_WRITE, ANNOUNCE_READ, WILL_WRITE, WILL_READ, RIGHTS };

static const char *const right_words[RIGHTS] = {
	"configure", "write", "read", "topic callsign write", "topic callsign read", "topic callsign.will write", "topic callsign.will read"};

struct review {
	const char *pattern[RIGHTS]; /* NULL: no such topic permission, so that every key is allowed */
	struct rights_finding *finding;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

/* ---- does a pattern let it through? ---- */

/* RabbitMQ's are PCRE, not anchored, and "" lets nothing through. false: this one cannot be told with POSIX's. */
static bool is_plain(const char *pattern)
{
	for (const char *at = pattern; *at != '\0'; at++) {
		if (*at == '\\' && ((at[1] >= 'a' && at[1] <= 'z') || (at[1] >= 'A' && at[1] <= 'Z') || (at[1] >= '0' && at[1] <= '9')))
			return false;
		if (*at == '\\' && at[1] != '\0')
			at++;
		else if ((*at == '(' && at[1] == '?') || (strchr("*+?}", *at) != NULL && at[1] != '\0' && strchr("+?", at[1]) != NULL))
			return false;
	}
	return true;
}

static bool lets_through(const struct review *review, enum right right, const char *what)
{
	const char *pattern = review->pattern[right];
	regex_t compiled;
	bool match;

	if (pattern == NULL || pattern[0] == '\0')
		return pattern == NULL || what[0] == '\0';
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	match = regexec(&compiled, what, 0, NULL, 0) == 0;
	regfree(&compiled);
	return match;
}

static bool can_judge(const struct review *review)
{
	for (int right = 0; right < RIGHTS; right++) {
		const char *pattern = review->pattern[right];
		regex_t compiled;
		int error;

		if (pattern == NULL)
			continue;
		error = is_plain(pattern) ? regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) : REG_BADPAT;
		if (error == 0) {
			regfree(&compiled);
			continue;
		}
		snprintf(review->finding->unclear, sizeof review->finding->unclear, "%s %.100s is not understood here", right_words[right], pattern);
		return false;
	}
	return true;
}

static void note(const struct review *review, char list[RIGHTS_LIST_SIZE], enum right right, const char *what)
{
	size_t used = strlen(list), shown = strlen(what);
	const char *session = strstr(what, SESSION);

	review->finding->wrong |= right <= READ ? RIGHTS_WRONG_PERMISSIONS : right <= ANNOUNCE_READ ? RIGHTS_WRONG_ANNOUNCE : RIGHTS_WRONG_WILL;
	if (used >= 3 && strcmp(list + used - 3, "...") == 0)
		return;
	if (session != NULL)
		shown = (size_t)(session - what);
	if (used + strlen(right_words[right]) + shown + 10 < RIGHTS_LIST_SIZE)
		snprintf(list + used, RIGHTS_LIST_SIZE - used, "%s%s %.*s%s", used > 0 ? ", " : "", right_words[right], (int)shown, what,
		         session != NULL ? "*" : "");
	else
		snprintf(list + used, RIGHTS_LIST_SIZE - used, ", ...");
}

static void must(const struct review *review, enum right right, const char *what)
{
	if (!lets_through(review, right, what))
		note(review, review->finding->few, right, what);
}

/* Without any topic permission every key is allowed: that is said once (must_have_topic), not key by key. */
static void must_not(const struct review *review, enum right right, const char *what)
{
	if (review->pattern[right] != NULL && lets_through(review, right, what))
		note(review, review->finding->many, right, what);
}

/*
 * RabbitMQ 4.3 takes topic permissions away with their exchange, without a word: where somebody deleted it, and it was declared anew, every tenant
 * has none, and may announce any name.
 */
static void must_have_topic(const struct review *review, enum right right, const char *exchange)
{
	char *many = review->finding->many;
	size_t used = strlen(many);

	if (review->pattern[right] != NULL)
		return;
	review->finding->wrong |= right <= ANNOUNCE_READ ? RIGHTS_WRONG_ANNOUNCE : RIGHTS_WRONG_WILL;
	snprintf(many + used, RIGHTS_LIST_SIZE - used, "%suse every key on %s: it has no topic permission there", used > 0 ? ", " : "", exchange);
}

/* A dot without its backslash lets every character through. Returns text. */
static char *undot(char *text)
{
	for (char *at = text; *at != '\0'; at++)
		if (*at == '.')
			*at = 'x';
	return text;
}

/* ---- hosts ---- */

static void review_host(const struct review *review)
{
	static const char *const configure[] = {"callsign", "callsign.will", "callsign.rollcall"};
	static const char *const write[] = {"callsign", "callsign.rollcall", "amq.default"};
	static const char *const nothing[] = {"amq.fanout", ("callsign.will.x." SESSION), "xcallsign", "callsignx"};
	static const char *const keys[] = {"up.#", "down.#", "lost.#"}; /* it binds with these */
	char queue[RIGHTS_PREFIX_SIZE + 32], other[RIGHTS_PREFIX_SIZE + 40];
	size_t i;

	for (i = 0; i < 3; i++) {
		must(review, CONFIGURE, configure[i]);
		must(review, WRITE, write[i]);
		must(review, ANNOUNCE_READ, keys[i]);
	}
	must(review, READ, "callsign");
	must(review, READ, "callsign.rollcall");
	for (i = 0; i < sizeof nothing / sizeof *nothing; i++)
		for (int right = CONFIGURE; right <= READ; right++)
			must_not(review, (enum right)right, nothing[i]);
	if (review->finding->name[0] == '\0')
		return;
	snprintf(queue, sizeof queue, "callsign.host.%.*s", PREFIX_MAX, review->finding->name);
	snprintf(other, sizeof other, "%s", queue);
	undot(other + strlen("callsign.host."));
	if (strcmp(other, queue) == 0)
		snprintf(other, sizeof other, "%sx", queue);
	for (int right = CONFIGURE; right <= READ; right++) {
		must(review, (enum right)right, queue);
		must_not(review, (enum right)right, other);
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
	add_outsider(all, prefix, undot(name));
}

static void review_outsider(const struct review *review, const char *name)
{
	char mailbox[RIGHTS_PREFIX_SIZE + 64], up[RIGHTS_PREFIX_SIZE + 16];

	snprintf(mailbox, sizeof mailbox, "callsign.will.%s." SESSION, name);
	snprintf(up, sizeof up, "up.%s", name);
	for (int right = CONFIGURE; right <= READ; right++)
		must_not(review, (enum right)right, mailbox);
	must_not(review, ANNOUNCE_WRITE, up);
	must_not(review, WILL_WRITE, mailbox);
	must_not(review, WILL_READ, mailbox);
}

static void review_inside(const struct review *review, const char *prefix)
{
	char name[RIGHTS_PREFIX_SIZE + 2], mailbox[RIGHTS_PREFIX_SIZE + 64], key[RIGHTS_PREFIX_SIZE + 16];

	snprintf(name, sizeof name, "%.*sx", PREFIX_MAX, prefix);
	snprintf(mailbox, sizeof mailbox, "callsign.will.%s." SESSION, name);
	for (int right = CONFIGURE; right <= READ; right++)
		must(review, (enum right)right, mailbox);
	must(review, WILL_WRITE, mailbox);
	must(review, WILL_READ, mailbox);
	snprintf(key, sizeof key, "up.%s", name);
	must(review, ANNOUNCE_WRITE, key);
	must_not(review, ANNOUNCE_READ, key);
	snprintf(key, sizeof key, "down.%s", name);
	must(review, ANNOUNCE_WRITE, key);
	/* Only the broker says it, for a will. */
	snprintf(key, sizeof key, "lost.%s", name);
	must_not(review, ANNOUNCE_WRITE, key);
}

static void review_emitter(const struct review *review)
{
	static const char *const nothing[] = {"amq.default", "amq.fanout", "callsign.host.x", "callsignx", "xcallsign"};
	const char *prefix = review->finding->name;
	struct outsiders outsiders;
	size_t i;

	must_have_topic(review, ANNOUNCE_WRITE, "callsign");
	must_have_topic(review, WILL_WRITE, "callsign.will");
	review_inside(review, prefix);
	must(review, WRITE, "callsign");
	must(review, WRITE, "callsign.will");
	must(review, READ, "callsign.will");
	must(review, READ, "callsign.rollcall");
	for (i = 0; i < sizeof nothing / sizeof *nothing; i++)
		for (int right = CONFIGURE; right <= READ; right++)
			must_not(review, (enum right)right, nothing[i]);
	must_not(review, CONFIGURE, "callsign");
	must_not(review, CONFIGURE, "callsign.will");
	must_not(review, CONFIGURE, "callsign.rollcall");
	must_not(review, WRITE, "callsign.rollcall");
	must_not(review, READ, "callsign");
	find_outsiders(prefix, &outsiders);
	for (i = 0; i < outsiders.count; i++)
		review_outsider(review, outsiders.names[i]);
}

/* ---- agents ---- */

static void review_agent(const struct review *review)
{
	static const char *const nothing[] = {"amq.default", "amq.fanout", "callsign.host.x", "callsignx", "xcallsign", "callsign.will",
	                                      ("callsign.will.x." SESSION), ("callsign.will.@agent." SESSION)};
	static const char *const allowed[] = {"up.x", "down.x"};
	char own[RIGHTS_PREFIX_SIZE + 64], other[RIGHTS_PREFIX_SIZE + 64];
	size_t i;

	must_have_topic(review, ANNOUNCE_WRITE, "callsign");
	snprintf(own, sizeof own, "callsign.will.@agent.%.*s." SESSION, RIGHTS_PREFIX_SIZE - 1, review->finding->name);
	snprintf(other, sizeof other, "callsign.will.@agent.%.*sx." SESSION, RIGHTS_PREFIX_SIZE - 1, review->finding->name);
	for (int right = CONFIGURE; right <= READ; right++) {
		must(review, (enum right)right, own);
		must_not(review, (enum right)right, other);
		for (i = 0; i < sizeof nothing / sizeof *nothing; i++)
			must_not(review, (enum right)right, nothing[i]);
	}
	must(review, WRITE, "callsign");
	must(review, READ, "callsign.rollcall");
	must_not(review, CONFIGURE, "callsign");
	must_not(review, CONFIGURE, "callsign.rollcall");
	must_not(review, WRITE, "callsign.rollcall");
	must_not(review, READ, "callsign");
	for (i = 0; i < sizeof allowed / sizeof *allowed; i++)
		must(review, ANNOUNCE_WRITE, allowed[i]);
	must_not(review, ANNOUNCE_WRITE, "lost.x");
	must_not(review, ANNOUNCE_READ, "up.x");
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
static bool announces(const struct review *review, char out[RIGHTS_PREFIX_SIZE])
{
	return review->pattern[ANNOUNCE_WRITE] != NULL && rights_prefix(review->pattern[ANNOUNCE_WRITE], out) == 0;
}

/* Where one of its rights was broken, another still tells its prefix. */
static bool find_prefix(const struct review *review, char out[RIGHTS_PREFIX_SIZE])
{
	static const enum right others[] = {CONFIGURE, WRITE, READ, WILL_WRITE, WILL_READ};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (review->pattern[others[i]] != NULL && literal_between(review->pattern[others[i]], "callsign\\.will\\.", ".*", out) == 0)
			return true;
	return false;
}

static bool is_host(const struct review *review, char out[RIGHTS_PREFIX_SIZE])
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

static bool is_agent(const struct review *review, char out[RIGHTS_PREFIX_SIZE])
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

static void review_other(const struct review *review)
{
	static const char *const things[] = {"callsign", "callsign.will", "callsign.rollcall", "callsign.host.x", ("callsign.will.x." SESSION),
	                                     "amq.default"};

	for (size_t i = 0; i < sizeof things / sizeof *things; i++)
		for (int right = CONFIGURE; right <= READ; right++)
			must_not(review, (enum right)right, things[i]);
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

static void read_patterns(const json_t *definitions, const char *vhost, struct review *review)
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

static void review_user(const json_t *definitions, const char *vhost, const char *own_user, const char *own_host, struct review *review)
{
	struct rights_finding *finding = review->finding;

	read_patterns(definitions, vhost, review);
	finding->kind = RIGHTS_OTHER;
	if (strcmp(finding->user, own_user) == 0) {
		finding->kind = RIGHTS_HOST;
		snprintf(finding->name, sizeof finding->name, "%s", own_host);
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
	if (!can_judge(review))
		return;
	if (finding->kind == RIGHTS_HOST)
		review_host(review);
	else if (finding->kind == RIGHTS_EMITTER)
		review_emitter(review);
	else if (finding->kind == RIGHTS_AGENT)
		review_agent(review);
	else
		review_other(review);
}

void rights_review(const json_t *definitions, const char *vhost, const char *own_user, const char *own_host,
                   void (*visit)(void *arg, const struct rights_finding *finding), void *arg)
{
	/* A user whose permissions were taken away still has its topic permissions. */
	const json_t *lists[] = {json_object_get(definitions, "permissions"), json_object_get(definitions, "topic_permissions")};

	for (size_t l = 0; l < 2; l++) {
		for (size_t i = 0; i < json_array_size(lists[l]); i++) {
			const json_t *one = json_array_get(lists[l], i);
			struct rights_finding finding = {.user = text_of(one, "user")};
			struct review review = {.finding = &finding};

			if (strcmp(text_of(one, "vhost"), vhost) != 0 || find(lists[l], vhost, finding.user, NULL) != one ||
			    (l > 0 && find(lists[0], vhost, finding.user, NULL) != NULL))
				continue;
			review_user(definitions, vhost, own_user, own_host, &review);
			visit(arg, &finding);
		}
	}
}

bool rights_overlap(const char *one, const char *other)
{
	size_t a = strlen(one), b = strlen(other);

	return a > 0 && b > 0 && strncmp(one, other, a < b ? a : b) == 0;
}

/* ---- what mends it ---- */

struct shell {
	char *out;
	size_t size, used;
};

static void shell_text(struct shell *shell, const char *text, size_t length)
{
	for (size_t i = 0; i < length && shell->used + 1 < shell->size; i++)
		shell->out[shell->used++] = text[i];
	shell->out[shell->used] = '\0';
}

/* One word for a shell, behind a blank, whatever is in it. */
static void shell_word(struct shell *shell, const char *word)
{
	bool plain = word[0] != '\0' && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")] == '\0';

	shell_text(shell, plain ? " " : " '", plain ? 1 : 2);
	for (; *word != '\0'; word++)
		shell_text(shell, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : 1);
	shell_text(shell, "'", plain ? 0 : 1);
}

static void shell_command(struct shell *shell, const char *verb, const char *const words[])
{
	shell_text(shell, shell->used > 0 ? "\nrabbitmqctl" : "rabbitmqctl", shell->used > 0 ? 12 : 11);
	shell_word(shell, verb);
	for (size_t i = 0; words[i] != NULL; i++)
		shell_word(shell, words[i]);
}

char *rights_commands(const struct rights_finding *finding, const char *vhost, char *out, size_t size)
{
	const char *const none[] = {"-p", vhost, finding->user, NULL};
	struct shell shell = {.out = out, .size = size};
	struct rights_topic topic;
	struct rights rights;

	out[0] = '\0';
	if (finding->kind == RIGHTS_OTHER) {
		shell_command(&shell, "clear_permissions", none);
		return out;
	}
	if (finding->kind == RIGHTS_HOST)
		rights_host(finding->name, &rights);
	else if (finding->kind == RIGHTS_AGENT)
		rights_agent(finding->name, &rights, &topic);
	else
		rights_emitter(finding->name, &rights, &topic);
	if (finding->wrong & RIGHTS_WRONG_PERMISSIONS)
		shell_command(&shell, "set_permissions", (const char *const[]){"-p", vhost, finding->user, rights.configure, rights.write, rights.read,
		                                                               NULL});
	if (finding->kind == RIGHTS_HOST && finding->wrong & (RIGHTS_WRONG_ANNOUNCE | RIGHTS_WRONG_WILL))
		shell_command(&shell, "clear_topic_permissions", none);
	if (finding->kind != RIGHTS_EMITTER && finding->kind != RIGHTS_AGENT)
		return out;
	if (finding->wrong & RIGHTS_WRONG_ANNOUNCE)
		shell_command(&shell, "set_topic_permissions", (const char *const[]){"-p", vhost, finding->user, "callsign", topic.announce_write,
		                                                                     topic.announce_read, NULL});
	if (finding->wrong & RIGHTS_WRONG_WILL && finding->kind == RIGHTS_EMITTER)
		shell_command(&shell, "set_topic_permissions", (const char *const[]){"-p", vhost, finding->user, "callsign.will", topic.will, topic.will,
		                                                                     NULL});
	return out;
}
