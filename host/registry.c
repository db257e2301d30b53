#include <config.h>

#include "registry.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "ended.h"
#include "shared/clock.h"

#define CHECK_FACTS_PER_MS 100

/* What is counted against a user's bound. */
struct share {
	size_t names, records;
};

struct user {
	char *name;
	size_t facts; /* in the table or in the graveyard */
	struct share share; /* of those in the table */
	size_t buried; /* names in the graveyard */
	struct ended_set ended;
	UT_hash_handle hh;
};

/* A fact and what only the registry knows of it. The fact comes first, so that a pointer to it is one to the node. */
struct node {
	struct fact fact;
	struct user *user;
	void *records;      /* one block that holds name, addresses and aliases */
	bool extended;      /* its lease was lengthened by an outage since it was last confirmed */
	int64_t due_ms;     /* FACT_LOST: when the grace is over */
	uint64_t order;     /* of being first heard of: two may share a millisecond */
	int64_t removed_ms; /* in the graveyard: since when */
	struct node *prev, *next; /* in the graveyard */
	UT_hash_handle hh;
};

struct registry {
	struct registry_options options;
	struct registry_watcher watcher;
	struct node *nodes; /* by instance; uthash keeps the order of arrival */
	struct user *users;
	struct node *graveyard; /* lost in the last REGISTRY_LOST_RECENTLY_MS, oldest first */
	uint64_t order;         /* the last one given */
	size_t unconfirmed, lost;
	enum registry_resync resync;
	bool starting;          /* no marker was seen since the daemon started */
	bool mass_loss;
	int64_t offline_ms;     /* REGISTRY_OFFLINE: since when */
	int64_t progress_ms;    /* the marker, or the last confirmation since */
	int64_t synced_ms;
	int64_t check_ms;       /* no lease or grace ends before that */
	int64_t rest_ms;        /* do not look through all facts again before that */
	int64_t doubt_ms;       /* no lease has less than a quarter left before that */
	bool blocked;
	int64_t blocked_ms;     /* since when */
};

const char *registry_verdict_text(enum registry_verdict verdict)
{
	static const char *const texts[] = {
		[REGISTRY_APPLIED] = "applied",
		[REGISTRY_IGNORED_OLD] = "seq is not newer",
		[REGISTRY_IGNORED_ENDED] = "its session or instance has ended",
		[REGISTRY_IGNORED_STALE] = "not the current session, or an unknown instance",
		[REGISTRY_REJECTED_NAME] = "this instance is known under another name",
		[REGISTRY_REJECTED_USER] = "this instance belongs to another user",
		[REGISTRY_REJECTED_LIMIT] = "this user has as many names (max_names) as it may have, or too many addresses for them",
		[REGISTRY_REJECTED_MEMORY] = "out of memory",
	};

	return texts[verdict];
}

struct registry *registry_new(const struct registry_options *options, const struct registry_watcher *watcher, int64_t now_ms)
{
	struct registry *registry = calloc(1, sizeof *registry);

	if (registry == NULL)
		return NULL;
	registry->options = *options;
	registry->watcher = *watcher;
	registry->resync = REGISTRY_OFFLINE;
	registry->starting = true;
	registry->offline_ms = now_ms;
	registry->synced_ms = -1;
	registry->check_ms = registry->doubt_ms = CLOCK_NEVER;
	return registry;
}

void registry_set_options(struct registry *registry, const struct registry_options *options)
{
	registry->options = *options;
}

/* ---- users ---- */

static struct user *user_get(struct registry *registry, const char *name)
{
	struct user *user;

	HASH_FIND_STR(registry->users, name, user);
	if (user != NULL)
		return user;
	user = calloc(1, sizeof *user);
	if (user == NULL)
		return NULL;
	user->name = strdup(name);
	if (user->name == NULL) {
		free(user);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, registry->users, user->name, strlen(user->name), user);
	return user;
}

static void user_free(struct registry *registry, struct user *user)
{
	HASH_DEL(registry->users, user);
	ended_clear(&user->ended);
	free(user->name);
	free(user);
}

/* A user of whom nothing is known any more is forgotten: a stream of made-up users must not fill the memory. */
static void user_put(struct registry *registry, struct user *user)
{
	if (user->facts == 0 && user->ended.count == 0)
		user_free(registry, user);
}

static void user_note_ended(struct registry *registry, struct user *user, enum ended_kind kind, const struct ident *ident,
                            uint32_t lease_s, int64_t now_ms)
{
	/* At least an ordinary lease: a provisional announcement has a very short one, and its messages travel no faster. */
	uint32_t keep_s = lease_s > REGISTRY_RESTORED_LEASE_S ? lease_s : REGISTRY_RESTORED_LEASE_S;

	/* Out of memory: not remembered, which only matters if one of its messages is still to come. */
	(void)ended_add(&user->ended, kind, ident, now_ms + (int64_t)keep_s * 1000, registry->options.max_ended_per_user, now_ms);
}

/* ---- a user's share ---- */

static struct share share_of(unsigned naliases, unsigned naddresses)
{
	size_t names = 1 + (size_t)naliases;

	return (struct share){.names = names, .records = names * naddresses};
}

static void share_add(const struct node *node)
{
	struct share share = share_of(node->fact.naliases, node->fact.naddresses);

	node->user->share.names += share.names;
	node->user->share.records += share.records;
}

static void share_subtract(const struct node *node)
{
	struct share share = share_of(node->fact.naliases, node->fact.naddresses);

	node->user->share.names -= share.names;
	node->user->share.records -= share.records;
}

static size_t user_max_names(const struct registry *registry, const struct user *user)
{
	return registry->watcher.max_names != NULL ? registry->watcher.max_names(registry->watcher.arg, user->name) : 0;
}

/* Room for the message, which takes the node's place (NULL: it is new). What does not grow may stay, though a reload made the bound lower. */
static bool user_has_room(const struct registry *registry, const struct user *user, const struct node *node,
                          const struct announcement *message)
{
	struct share wanted = share_of(message->naliases, message->naddresses);
	struct share had = node != NULL ? share_of(node->fact.naliases, node->fact.naddresses) : (struct share){0};
	size_t max = user_max_names(registry, user);

	if (max == 0 || (wanted.names <= had.names && wanted.records <= had.records))
		return true;
	return user->share.names - had.names + wanted.names <= max &&
	       user->share.records - had.records + wanted.records <= max * REGISTRY_RECORDS_PER_NAME;
}

/* ---- nodes ---- */

/* Name, addresses and aliases into one block: a renewal that says nothing new then costs nothing. */
static int node_set_records(struct node *node, const struct announcement *message)
{
	size_t addresses = message->naddresses * sizeof *message->addresses;
	size_t pointers = message->naliases * sizeof(char *);
	size_t size = pointers + addresses + strlen(message->name) + 1;
	char **aliases;
	struct address *list;
	char *text;
	unsigned i;

	for (i = 0; i < message->naliases; i++)
		size += strlen(message->aliases[i]) + 1;
	aliases = malloc(size);
	if (aliases == NULL)
		return -1;
	list = (struct address *)((char *)aliases + pointers);
	memcpy(list, message->addresses, addresses);
	text = (char *)list + addresses;
	for (i = 0; i < message->naliases; i++) {
		aliases[i] = text;
		text = stpcpy(text, message->aliases[i]) + 1;
	}
	stpcpy(text, message->name);
	free(node->records);
	node->records = aliases;
	node->fact.name = text;
	node->fact.addresses = list;
	node->fact.naddresses = message->naddresses;
	node->fact.aliases = (const char *const *)aliases;
	node->fact.naliases = message->naliases;
	return 0;
}

static int node_replace_records(struct node *node, const struct announcement *message)
{
	int result;

	share_subtract(node);
	result = node_set_records(node, message);
	share_add(node);
	return result;
}

static bool node_same_records(const struct node *node, const struct announcement *message)
{
	unsigned i;

	if (node->fact.naddresses != message->naddresses || node->fact.naliases != message->naliases)
		return false;
	for (i = 0; i < message->naddresses; i++) {
		if (!address_equal(&node->fact.addresses[i], &message->addresses[i]))
			return false;
	}
	for (i = 0; i < message->naliases; i++) {
		if (strcmp(node->fact.aliases[i], message->aliases[i]) != 0)
			return false;
	}
	return true;
}

static struct node *node_find(const struct registry *registry, const struct ident *instance)
{
	struct node *node;

	HASH_FIND(hh, registry->nodes, instance, sizeof *instance, node);
	return node;
}

static struct node *node_new(struct registry *registry, struct user *user, const struct announcement *message, int64_t now_ms)
{
	struct node *node = calloc(1, sizeof *node);

	if (node == NULL || node_set_records(node, message) == -1) {
		free(node);
		return NULL;
	}
	node->user = user;
	user->facts++;
	node->fact.user = user->name;
	node->fact.instance = message->instance;
	node->fact.since_ms = now_ms;
	node->order = ++registry->order;
	HASH_ADD(hh, registry->nodes, fact.instance, sizeof node->fact.instance, node);
	share_add(node);
	return node;
}

static void node_free(struct registry *registry, struct node *node)
{
	struct user *user = node->user;

	free(node->records);
	free(node);
	user->facts--;
	user_put(registry, user);
}

/* The counts by state follow every change of it. New nodes are FACT_CONFIRMED. */
static void node_set_state(struct registry *registry, struct node *node, enum fact_state state)
{
	if (node->fact.state == state)
		return;
	registry->unconfirmed -= node->fact.state == FACT_UNCONFIRMED;
	registry->lost -= node->fact.state == FACT_LOST;
	node->fact.state = state;
	registry->unconfirmed += state == FACT_UNCONFIRMED;
	registry->lost += state == FACT_LOST;
	/* Without a view it is new or was dead, and is told of as changed in a moment. */
	if (registry->watcher.state != NULL && node->fact.view != NULL)
		registry->watcher.state(registry->watcher.arg, &node->fact);
}

static void node_tell(struct registry *registry, struct node *node)
{
	if (registry->watcher.changed != NULL)
		registry->watcher.changed(registry->watcher.arg, &node->fact);
}

/* No more names there than in the table: who dies and dies must not fill the memory either. */
static bool grave_has_room(const struct registry *registry, const struct node *node)
{
	size_t max = user_max_names(registry, node->user);

	return max == 0 || node->user->buried + 1 + node->fact.naliases <= max;
}

/* Out of the table. To the graveyard if it may yet turn out that it lives, else freed. */
static void node_remove(struct registry *registry, struct node *node, const char *why, bool doubtful, int64_t now_ms)
{
	node_set_state(registry, node, FACT_CONFIRMED);
	if (registry->watcher.gone != NULL)
		registry->watcher.gone(registry->watcher.arg, &node->fact, why);
	node->fact.view = NULL;
	HASH_DEL(registry->nodes, node);
	share_subtract(node);
	if (!doubtful || !grave_has_room(registry, node)) {
		node_free(registry, node);
		return;
	}
	node->removed_ms = now_ms;
	node->user->buried += 1 + node->fact.naliases;
	DL_APPEND(registry->graveyard, node);
}

static void registry_check_at(struct registry *registry, int64_t due_ms)
{
	if (due_ms < registry->check_ms)
		registry->check_ms = due_ms;
}

static int64_t node_doubt_ms(const struct node *node)
{
	return node->fact.has_session ? node->fact.expires_ms - (int64_t)node->fact.lease_s * 250 : CLOCK_NEVER;
}

static void registry_doubt_at(struct registry *registry, int64_t due_ms)
{
	if (due_ms < registry->doubt_ms)
		registry->doubt_ms = due_ms;
}

static void node_set_lease(struct registry *registry, struct node *node, uint32_t lease_s, int64_t now_ms)
{
	node->fact.lease_s = lease_s > registry->options.max_lease_s ? registry->options.max_lease_s : lease_s;
	node->fact.expires_ms = now_ms + (int64_t)node->fact.lease_s * 1000;
	registry_check_at(registry, node->fact.expires_ms);
	registry_doubt_at(registry, node_doubt_ms(node));
}

/* ---- the graveyard: lost within the last two seconds ---- */

static void grave_take(struct registry *registry, struct node *node)
{
	DL_DELETE(registry->graveyard, node);
	node->user->buried -= 1 + node->fact.naliases;
}

static void grave_free(struct registry *registry, struct node *node)
{
	grave_take(registry, node);
	node_free(registry, node);
}

static void graveyard_prune(struct registry *registry, int64_t now_ms)
{
	while (registry->graveyard != NULL && registry->graveyard->removed_ms + REGISTRY_LOST_RECENTLY_MS <= now_ms)
		grave_free(registry, registry->graveyard);
}

static void graveyard_forget(struct registry *registry, const struct ident *instance)
{
	struct node *node, *next;

	DL_FOREACH_SAFE(registry->graveyard, node, next) {
		if (ident_equal(&node->fact.instance, instance))
			grave_free(registry, node);
	}
}

static int node_by_order(const struct node *a, const struct node *b)
{
	return (a->order > b->order) - (a->order < b->order);
}

/*
 * Our own connection has dropped: perhaps theirs did for the same reason, and only ours took longer to notice. They come
 * back in the order in which they were first heard of, not in that of their wills: a broker that is drained fires those in any order, and
 * a name must not change hands between users by it.
 */
static void graveyard_raise(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;

	graveyard_prune(registry, now_ms);
	if (registry->graveyard == NULL)
		return;
	DL_SORT(registry->graveyard, node_by_order);
	DL_FOREACH_SAFE(registry->graveyard, node, next) {
		if (node_find(registry, &node->fact.instance) != NULL) {
			grave_free(registry, node);
			continue;
		}
		grave_take(registry, node);
		HASH_ADD(hh, registry->nodes, fact.instance, sizeof node->fact.instance, node);
		share_add(node);
		node_set_state(registry, node, FACT_UNCONFIRMED);
		registry_check_at(registry, node->fact.expires_ms);
		node_tell(registry, node);
	}
	HASH_SRT(hh, registry->nodes, node_by_order);
}

/* ---- resync ---- */

static void resync_begin(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;

	registry->resync = REGISTRY_RESYNC_BEFORE_MARKER;
	registry->progress_ms = now_ms;
	registry->mass_loss = false;
	HASH_ITER(hh, registry->nodes, node, next) {
		if (node->fact.has_session)
			node_set_state(registry, node, FACT_UNCONFIRMED);
	}
}

static void resync_drop_unconfirmed(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;

	HASH_ITER(hh, registry->nodes, node, next) {
		if (node->fact.state == FACT_UNCONFIRMED)
			node_remove(registry, node, "not confirmed", false, now_ms);
	}
}

static void resync_check(struct registry *registry, int64_t now_ms)
{
	size_t all = HASH_COUNT(registry->nodes);

	if (registry->resync != REGISTRY_RESYNC)
		return;
	if (registry->unconfirmed > 0 && now_ms < registry->progress_ms + registry->options.resync_timeout_ms)
		return;
	registry->resync = REGISTRY_SYNCED;
	registry->synced_ms = now_ms;
	/* So many silent at once is more likely a fault between us than a mass death: do not believe it. */
	registry->mass_loss = registry->unconfirmed > REGISTRY_MASS_LOSS_MIN && registry->unconfirmed * 2 > all;
	if (!registry->mass_loss)
		resync_drop_unconfirmed(registry, now_ms);
}

/* What an up does to the state: see the table in docs/protocol.md. */
static void node_confirm(struct registry *registry, struct node *node, bool is_new, int64_t now_ms)
{
	if (registry->resync == REGISTRY_RESYNC_BEFORE_MARKER && node->fact.has_session) {
		/* It stood in the queue before our roll call: who knows how old it is. But a new session has taken up what was lost. */
		if (is_new || node->fact.state == FACT_LOST)
			node_set_state(registry, node, FACT_UNCONFIRMED);
		return;
	}
	if (node->fact.state == FACT_UNCONFIRMED)
		registry->progress_ms = now_ms;
	node_set_state(registry, node, FACT_CONFIRMED);
	node->extended = false;
}

/* Nobody could renew for that long. Once for each confirmation: a connection that comes and goes must not keep the dead for ever. */
static void registry_extend_leases(struct registry *registry, int64_t away_ms)
{
	struct node *node, *next;

	HASH_ITER(hh, registry->nodes, node, next) {
		if (!node->extended)
			node->fact.expires_ms += away_ms;
		node->extended = true;
	}
}

void registry_blocked(struct registry *registry, bool blocked, int64_t now_ms)
{
	if (blocked == registry->blocked)
		return;
	registry->blocked = blocked;
	if (blocked)
		registry->blocked_ms = now_ms;
	else if (registry->resync != REGISTRY_OFFLINE)
		registry_extend_leases(registry, now_ms - registry->blocked_ms);
	/* Look at all of them anew. */
	registry->check_ms = registry->doubt_ms = now_ms;
}

void registry_connected(struct registry *registry, int64_t now_ms)
{
	if (registry->resync == REGISTRY_OFFLINE)
		registry_extend_leases(registry, now_ms - registry->offline_ms);
	resync_begin(registry, now_ms);
}

void registry_marker(struct registry *registry, int64_t now_ms)
{
	if (registry->resync != REGISTRY_RESYNC_BEFORE_MARKER)
		return;
	registry->resync = REGISTRY_RESYNC;
	registry->progress_ms = now_ms;
	registry->starting = false;
	resync_check(registry, now_ms);
}

void registry_disconnected(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;

	if (registry->resync == REGISTRY_OFFLINE)
		return;
	registry->resync = REGISTRY_OFFLINE;
	/* An alarm that was on stands for the whole time since it began. */
	registry->offline_ms = registry->blocked ? registry->blocked_ms : now_ms;
	registry->blocked = false;
	HASH_ITER(hh, registry->nodes, node, next) {
		if (node->fact.state == FACT_LOST)
			node_set_state(registry, node, FACT_UNCONFIRMED);
	}
	graveyard_raise(registry, now_ms);
}

/* ---- messages ---- */

enum registry_verdict registry_restore(struct registry *registry, const struct announcement *message, const char *user_name,
                                       int64_t expires_ms, int64_t now_ms)
{
	struct user *user;
	struct node *node;

	if (node_find(registry, &message->instance) != NULL)
		return REGISTRY_IGNORED_OLD;
	user = user_get(registry, user_name);
	if (user == NULL)
		return REGISTRY_REJECTED_MEMORY;
	node = node_new(registry, user, message, now_ms);
	if (node == NULL) {
		user_put(registry, user);
		return REGISTRY_REJECTED_MEMORY;
	}
	node->fact.has_session = message->has_session;
	if (message->has_session) {
		node->fact.session = message->session;
		node_set_lease(registry, node, REGISTRY_RESTORED_LEASE_S, now_ms);
		node_set_state(registry, node, FACT_UNCONFIRMED);
	} else {
		node_set_lease(registry, node, registry->options.max_lease_s, now_ms);
		if (expires_ms < node->fact.expires_ms)
			node->fact.expires_ms = expires_ms;
		registry_check_at(registry, node->fact.expires_ms);
	}
	node_tell(registry, node);
	return REGISTRY_APPLIED;
}

/* Whether the message speaks of the node as it is known. */
static enum registry_verdict node_accepts(const struct node *node, const struct announcement *message, const char *user)
{
	if (strcmp(node->fact.user, user) != 0)
		return REGISTRY_REJECTED_USER;
	if (strcmp(node->fact.name, message->name) != 0)
		return REGISTRY_REJECTED_NAME;
	return REGISTRY_APPLIED;
}

static enum registry_verdict up_existing(struct registry *registry, struct node *node, const struct announcement *message,
                                         int64_t now_ms)
{
	enum registry_verdict verdict = node_accepts(node, message, node->fact.user);
	bool same_session, same_records;

	if (verdict != REGISTRY_APPLIED)
		return verdict;
	if (message->seq <= node->fact.seq)
		return REGISTRY_IGNORED_OLD;
	same_records = node_same_records(node, message);
	if (!same_records) {
		if (!user_has_room(registry, node->user, node, message))
			return REGISTRY_REJECTED_LIMIT;
		if (node_replace_records(node, message) == -1)
			return REGISTRY_REJECTED_MEMORY;
	}
	same_session = node->fact.has_session == message->has_session &&
	               (!message->has_session || ident_equal(&node->fact.session, &message->session));
	node->fact.has_session = message->has_session;
	if (message->has_session)
		node->fact.session = message->session;
	node->fact.seq = message->seq;
	node_set_lease(registry, node, message->lease_s, now_ms);
	node_confirm(registry, node, false, now_ms);
	/* One without session has its lease written down: there a renewal is a change. */
	if (!same_records || !same_session || !message->has_session)
		node_tell(registry, node);
	return REGISTRY_APPLIED;
}

static enum registry_verdict up_new(struct registry *registry, struct user *user, const struct announcement *message, int64_t now_ms)
{
	struct node *node;

	graveyard_forget(registry, &message->instance);
	if (!user_has_room(registry, user, NULL, message))
		return REGISTRY_REJECTED_LIMIT;
	node = node_new(registry, user, message, now_ms);
	if (node == NULL)
		return REGISTRY_REJECTED_MEMORY;
	node->fact.has_session = message->has_session;
	if (message->has_session)
		node->fact.session = message->session;
	node->fact.seq = message->seq;
	node_set_lease(registry, node, message->lease_s, now_ms);
	node_confirm(registry, node, true, now_ms);
	node_tell(registry, node);
	return REGISTRY_APPLIED;
}

static bool user_has_ended(const struct user *user, const struct announcement *message, int64_t now_ms)
{
	return ended_has(&user->ended, ENDED_INSTANCE, &message->instance, now_ms) ||
	       (message->has_session && ended_has(&user->ended, ENDED_SESSION, &message->session, now_ms));
}

enum registry_verdict registry_up(struct registry *registry, const struct announcement *message, const char *user_name, int64_t now_ms)
{
	struct node *node = node_find(registry, &message->instance);
	struct user *user = user_get(registry, user_name);
	enum registry_verdict verdict;

	if (user == NULL)
		return REGISTRY_REJECTED_MEMORY;
	/* It stays while we work on it, though its last fact may leave the graveyard. */
	user->facts++;
	if (node != NULL && node->user != user)
		verdict = REGISTRY_REJECTED_USER;
	else if (user_has_ended(user, message, now_ms))
		verdict = REGISTRY_IGNORED_ENDED;
	else if (node != NULL)
		verdict = up_existing(registry, node, message, now_ms);
	else
		verdict = up_new(registry, user, message, now_ms);
	user->facts--;
	user_put(registry, user);
	resync_check(registry, now_ms);
	return verdict;
}

enum registry_verdict registry_down(struct registry *registry, const struct announcement *message, const char *user_name, int64_t now_ms)
{
	struct node *node = node_find(registry, &message->instance);
	enum registry_verdict verdict;
	struct user *user;

	if (node != NULL) {
		verdict = node_accepts(node, message, user_name);
		if (verdict != REGISTRY_APPLIED)
			return verdict;
		user_note_ended(registry, node->user, ENDED_INSTANCE, &message->instance, node->fact.lease_s, now_ms);
		node_remove(registry, node, "down", false, now_ms);
		resync_check(registry, now_ms);
		return REGISTRY_APPLIED;
	}
	user = user_get(registry, user_name);
	if (user == NULL)
		return REGISTRY_REJECTED_MEMORY;
	verdict = ended_has(&user->ended, ENDED_INSTANCE, &message->instance, now_ms) ? REGISTRY_IGNORED_ENDED : REGISTRY_IGNORED_STALE;
	user_note_ended(registry, user, ENDED_INSTANCE, &message->instance, 0, now_ms);
	graveyard_forget(registry, &message->instance);
	return verdict;
}

/* The current session of a known instance has died. */
static void node_lost(struct registry *registry, struct node *node, int64_t now_ms)
{
	bool believe = registry->resync == REGISTRY_SYNCED || (registry->resync == REGISTRY_RESYNC_BEFORE_MARKER && registry->starting);

	if (!believe) {
		/* Perhaps the broker closed all connections: its emitter has until the resync ends to say otherwise. */
		node_set_state(registry, node, FACT_UNCONFIRMED);
	} else if (registry->options.lost_grace_ms > 0) {
		node->due_ms = now_ms + registry->options.lost_grace_ms;
		node_set_state(registry, node, FACT_LOST);
		registry_check_at(registry, node->due_ms);
	} else {
		node_remove(registry, node, "lost", true, now_ms);
	}
}

enum registry_verdict registry_lost(struct registry *registry, const struct announcement *message, const char *user_name, int64_t now_ms)
{
	struct node *node = node_find(registry, &message->instance);
	enum registry_verdict verdict;
	struct user *user;

	if (node != NULL) {
		verdict = node_accepts(node, message, user_name);
		if (verdict != REGISTRY_APPLIED)
			return verdict;
	}
	user = user_get(registry, user_name);
	if (user == NULL)
		return REGISTRY_REJECTED_MEMORY;
	if (ended_has(&user->ended, ENDED_SESSION, &message->session, now_ms))
		return REGISTRY_IGNORED_ENDED;
	user_note_ended(registry, user, ENDED_SESSION, &message->session, node != NULL ? node->fact.lease_s : 0, now_ms);
	if (node == NULL || !node->fact.has_session || !ident_equal(&node->fact.session, &message->session))
		return REGISTRY_IGNORED_STALE;
	node_lost(registry, node, now_ms);
	resync_check(registry, now_ms);
	return REGISTRY_APPLIED;
}

/* ---- time ---- */

static int64_t registry_lease_check_ms(const struct registry *registry)
{
	if (registry->blocked && registry->lost == 0)
		return CLOCK_NEVER;
	return registry->check_ms > registry->rest_ms ? registry->check_ms : registry->rest_ms;
}

int64_t registry_deadline_ms(const struct registry *registry)
{
	int64_t due = registry_lease_check_ms(registry);
	int64_t other;

	if (registry->resync == REGISTRY_OFFLINE)
		return CLOCK_NEVER;
	if (registry->graveyard != NULL) {
		other = registry->graveyard->removed_ms + REGISTRY_LOST_RECENTLY_MS;
		due = other < due ? other : due;
	}
	if (registry->resync == REGISTRY_RESYNC) {
		other = registry->progress_ms + registry->options.resync_timeout_ms;
		due = other < due ? other : due;
	}
	return due;
}

/*
 * check_ms is a lower bound: renewals move ends of leases away and leave it as it is. So this looks at all facts, but seldom: leases
 * are some minutes long and renewed long before they end. A hostile tenant's need not be: then the more facts there are the longer this rests,
 * 0.2 s for 20,000, so that thousands of short leases cannot keep it busy.
 */
static void registry_check_leases(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;

	registry->check_ms = CLOCK_NEVER;
	registry->rest_ms = now_ms + HASH_COUNT(registry->nodes) / CHECK_FACTS_PER_MS;
	HASH_ITER(hh, registry->nodes, node, next) {
		if (node->fact.expires_ms <= now_ms && !registry->blocked) {
			node_remove(registry, node, "lease over", false, now_ms);
			continue;
		}
		if (!registry->blocked)
			registry_check_at(registry, node->fact.expires_ms);
		if (node->fact.state != FACT_LOST)
			continue;
		if (node->due_ms <= now_ms)
			node_remove(registry, node, "lost", true, now_ms);
		else
			registry_check_at(registry, node->due_ms);
	}
}

int64_t registry_doubt_ms(const struct registry *registry)
{
	return registry->resync != REGISTRY_SYNCED || registry->blocked ? CLOCK_NEVER : registry->doubt_ms;
}

bool registry_doubts(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;
	bool doubt;

	if (now_ms < registry_doubt_ms(registry))
		return false;
	registry->doubt_ms = CLOCK_NEVER;
	HASH_ITER(hh, registry->nodes, node, next)
		registry_doubt_at(registry, node_doubt_ms(node));
	doubt = registry->doubt_ms <= now_ms;
	if (registry->doubt_ms < now_ms + REGISTRY_DOUBT_PAUSE_MS && doubt)
		registry->doubt_ms = now_ms + REGISTRY_DOUBT_PAUSE_MS;
	return doubt;
}

void registry_tick(struct registry *registry, int64_t now_ms)
{
	if (registry->resync == REGISTRY_OFFLINE)
		return;
	graveyard_prune(registry, now_ms);
	if (now_ms >= registry_lease_check_ms(registry))
		registry_check_leases(registry, now_ms);
	resync_check(registry, now_ms);
}

/* ---- for people ---- */

size_t registry_forget(struct registry *registry, const char *name, int64_t now_ms)
{
	struct node *node, *next;
	size_t count = 0;

	HASH_ITER(hh, registry->nodes, node, next) {
		if (strcmp(node->fact.name, name) != 0)
			continue;
		user_note_ended(registry, node->user, ENDED_INSTANCE, &node->fact.instance, node->fact.lease_s, now_ms);
		node_remove(registry, node, "forgotten", false, now_ms);
		count++;
	}
	resync_check(registry, now_ms);
	return count;
}

void registry_count(const struct registry *registry, struct registry_counts *out)
{
	const struct user *user;

	out->facts = HASH_COUNT(registry->nodes);
	out->unconfirmed = registry->unconfirmed;
	out->lost = registry->lost;
	out->ended = 0;
	for (user = registry->users; user != NULL; user = user->hh.next)
		out->ended += user->ended.count;
	out->resync = registry->resync;
	out->synced_ms = registry->synced_ms;
	out->mass_loss = registry->mass_loss;
}

void registry_each(struct registry *registry, bool (*visit)(void *arg, struct fact *fact), void *arg)
{
	struct node *node, *next;

	HASH_ITER(hh, registry->nodes, node, next) {
		if (!visit(arg, &node->fact))
			return;
	}
}

struct fact *registry_find(struct registry *registry, const struct ident *instance)
{
	struct node *node = node_find(registry, instance);

	return node != NULL ? &node->fact : NULL;
}

void registry_free(struct registry *registry)
{
	struct node *node, *next;
	struct user *user, *next_user;

	if (registry == NULL)
		return;
	while (registry->graveyard != NULL)
		grave_free(registry, registry->graveyard);
	HASH_ITER(hh, registry->nodes, node, next) {
		HASH_DEL(registry->nodes, node);
		node_free(registry, node);
	}
	HASH_ITER(hh, registry->users, user, next_user)
		user_free(registry, user);
	free(registry);
}
