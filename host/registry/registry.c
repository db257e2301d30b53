#include <config.h>

#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"

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
	registry->table = (struct table)TABLE_EMPTY(node_key);
	registry->endless = (struct table)TABLE_EMPTY(endless_key);
	registry->resync = REGISTRY_OFFLINE;
	registry->starting = true;
	registry->offline_ms = now_ms;
	registry->synced_ms = registry->doubted_ms = -1;
	registry->check_ms = registry->doubt_ms = CLOCK_NEVER;
	return registry;
}

void registry_set_options(struct registry *registry, const struct registry_options *options)
{
	registry->options = *options;
}

/* ---- messages ---- */

/* Without a session nobody tells when a place is one no more. Returns whether it is another one. */
static bool node_set_place(struct node *node, const struct announcement *message)
{
	struct place place = message->has_session ? message->place : (struct place){0};

	if (place_equal(&node->fact.place, &place))
		return false;
	node->fact.place = place;
	node->fact.revision++;
	node->fact.origin++;
	return true;
}

const char *fact_agent(const struct fact *fact)
{
	const struct node *node = (const struct node *)fact;

	return agents_text(&node_user(node)->agents, fact->agent);
}

/* Taken before the old one is dropped, which may be the same. */
static void node_set_agent(struct node *node, const struct announcement *message)
{
	uint8_t old = node->fact.agent;

	node->fact.agent = agents_take(&node_user(node)->agents, message->agent);
	agents_drop(&node_user(node)->agents, old);
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

/* What it has said besides what was restored: its names and addresses so far keep their places before others', these come behind. */
static enum registry_verdict restore_more(struct registry *registry, struct node *node, const struct announcement *message, const char *user)
{
	enum registry_verdict verdict = node_accepts(node, message, user);

	if (verdict != REGISTRY_APPLIED)
		return verdict;
	if (node->fact.has_session || message->has_session || node->endless || node->fact.seq > 0 || node_same_records(node, message))
		return REGISTRY_IGNORED_OLD;
	if (node_replace_records(node, message) == -1)
		return REGISTRY_REJECTED_MEMORY;
	node_tell(registry, node);
	return REGISTRY_APPLIED;
}

enum registry_verdict registry_restore(struct registry *registry, const struct announcement *message, const char *user_name,
                                       int64_t expires_ms, int64_t now_ms)
{
	struct node *node = node_find(registry, &message->instance);
	struct user *user;

	if (node != NULL)
		return restore_more(registry, node, message, user_name);
	user = user_get(registry, user_name);
	if (user == NULL)
		return REGISTRY_REJECTED_MEMORY;
	node = node_new(registry, user, message, now_ms);
	if (node == NULL) {
		user_put(registry, user);
		return REGISTRY_REJECTED_MEMORY;
	}
	node->fact.has_session = message->has_session;
	node_set_place(node, message);
	node_set_lease(registry, node, message->has_session ? REGISTRY_RESTORED_LEASE_S : registry->options.max_lease_s, now_ms);
	if (expires_ms < node->fact.expires_ms)
		node->fact.expires_ms = expires_ms;
	if (message->has_session) {
		node->fact.session = message->session;
		node->fact.doubted = expires_ms != CLOCK_NEVER;
		node->overdue = expires_ms <= now_ms;
		node_set_state(registry, node, FACT_UNCONFIRMED);
	}
	if (!node->overdue)
		registry_check_at(registry, node->fact.expires_ms);
	node_tell(registry, node);
	return REGISTRY_APPLIED;
}

static bool node_has_address(const struct node *node, const struct address *address)
{
	for (unsigned i = 0; i < node->fact.naddresses; i++) {
		if (address_equal(&node->fact.addresses[i], address))
			return true;
	}
	return false;
}

/* What is new in the message ends what the older wire format says of it; a renewal claims nothing. node NULL: all is new. */
static void claim_addresses(struct registry *registry, const struct node *node, const struct announcement *message, int64_t now_ms)
{
	for (unsigned i = 0; i < message->naddresses; i++) {
		if (node == NULL || !node_has_address(node, &message->addresses[i]))
			endless_yield(registry, &message->addresses[i], now_ms);
	}
}

static enum registry_verdict up_existing(struct registry *registry, struct node *node, const struct announcement *message,
                                         int64_t now_ms)
{
	enum registry_verdict verdict = node_accepts(node, message, node->fact.user);
	bool same_session, same_records, moved;

	if (verdict != REGISTRY_APPLIED)
		return verdict;
	if (message->seq <= node->fact.seq)
		return REGISTRY_IGNORED_OLD;
	same_records = node_same_records(node, message);
	if (!same_records) {
		if (!user_has_room(registry, node_user(node), node, message))
			return REGISTRY_REJECTED_LIMIT;
		claim_addresses(registry, node, message, now_ms);
		if (node_replace_records(node, message) == -1)
			return REGISTRY_REJECTED_MEMORY;
	}
	same_session = node->fact.has_session == message->has_session &&
	               (!message->has_session || ident_equal(&node->fact.session, &message->session));
	moved = node_set_place(node, message);
	node_set_agent(node, message);
	node->fact.has_session = message->has_session;
	if (message->has_session)
		node->fact.session = message->session;
	node->fact.origin = (uint16_t)(node->fact.origin + !same_session);
	node->fact.seq = message->seq;
	node_set_lease(registry, node, message->lease_s, now_ms);
	node_confirm(registry, node, false, now_ms);
	/* One without session has its lease written down: there a renewal is a change. */
	if (!same_records || moved || !same_session || !message->has_session)
		node_tell(registry, node);
	return REGISTRY_APPLIED;
}

static enum registry_verdict up_new(struct registry *registry, struct user *user, const struct announcement *message, int64_t now_ms)
{
	struct node *node;

	graveyard_forget(registry, &message->instance);
	if (!user_has_room(registry, user, NULL, message))
		return REGISTRY_REJECTED_LIMIT;
	claim_addresses(registry, NULL, message, now_ms);
	node = node_new(registry, user, message, now_ms);
	if (node == NULL)
		return REGISTRY_REJECTED_MEMORY;
	node->fact.has_session = message->has_session;
	if (message->has_session)
		node->fact.session = message->session;
	node_set_place(node, message);
	node_set_agent(node, message);
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
	if (node != NULL && node_user(node) != user)
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
		user_note_ended(registry, node_user(node), ENDED_INSTANCE, &message->instance, node->fact.lease_s, now_ms);
		node_withdraw(registry, node, message->reason[0] != '\0' ? message->reason : NULL, now_ms);
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

static int64_t node_grace_ms(const struct registry *registry, const struct node *node)
{
	const struct registry_watcher *watcher = &registry->watcher;
	int64_t own_ms = watcher->lost_grace_ms != NULL ? watcher->lost_grace_ms(watcher->arg, node_user(node)->name) : 0;

	return own_ms > registry->options.lost_grace_ms ? own_ms : registry->options.lost_grace_ms;
}

/* The current session of a known instance has died. */
static void node_lost(struct registry *registry, struct node *node, int64_t now_ms)
{
	int64_t grace_ms = node_grace_ms(registry, node);

	if (registry->resync != REGISTRY_SYNCED && !registry->starting) {
		/* Perhaps the broker closed all connections, as it did ours: its emitter has until the resync ends to say otherwise. */
		node_set_state(registry, node, FACT_UNCONFIRMED);
		node_set_told(registry, node, true);
	} else if (!registry->options.ask && grace_ms == 0) {
		node_remove(registry, node, "lost", true, now_ms);
	} else {
		node->due_ms = now_ms + grace_ms;
		node_set_state(registry, node, FACT_LOST);
		if (registry->options.ask)
			node_ask(registry, node, now_ms);
		else
			registry_check_at(registry, node->due_ms);
	}
}

enum registry_verdict registry_lost(struct registry *registry, const struct announcement *message, const char *user_name, int64_t now_ms)
{
	struct node *node = node_find(registry, &message->instance);
	enum registry_verdict verdict;
	struct user *user;
	bool current;

	if (node != NULL) {
		verdict = node_accepts(node, message, user_name);
		if (verdict != REGISTRY_APPLIED)
			return verdict;
	}
	user = user_get(registry, user_name);
	if (user == NULL)
		return REGISTRY_REJECTED_MEMORY;
	current = node != NULL && node->fact.has_session && ident_equal(&node->fact.session, &message->session);
	/* An agent's session is that of many instances, and each of them has a will. What is lost is not lost again, also when nobody remembers that it was. */
	if (current ? node->fact.state == FACT_LOST : ended_has(&user->ended, ENDED_SESSION, &message->session, now_ms))
		return REGISTRY_IGNORED_ENDED;
	user_note_ended(registry, user, ENDED_SESSION, &message->session, node != NULL ? node->fact.lease_s : 0, now_ms);
	if (!current)
		return REGISTRY_IGNORED_STALE;
	node_lost(registry, node, now_ms);
	resync_check(registry, now_ms);
	return REGISTRY_APPLIED;
}

/* ---- for people ---- */

size_t registry_forget(struct registry *registry, const char *name, int64_t now_ms)
{
	struct node *node, *next;
	size_t count = 0;

	DL_FOREACH_SAFE(registry->nodes, node, next) {
		if (strcmp(node->fact.name, name) != 0)
			continue;
		user_note_ended(registry, node_user(node), ENDED_INSTANCE, &node->fact.instance, node->fact.lease_s, now_ms);
		node_remove(registry, node, "forgotten", false, now_ms);
		count++;
	}
	resync_check(registry, now_ms);
	return count;
}

void registry_count(const struct registry *registry, struct registry_counts *out)
{
	const struct user *user;

	out->facts = registry->table.count;
	out->unconfirmed = registry->unconfirmed;
	out->lost = registry->lost;
	out->ended = 0;
	for (user = registry->users; user != NULL; user = user->hh.next)
		out->ended += ended_count(&user->ended);
	out->resync = registry->resync;
	out->synced_ms = registry->synced_ms;
	out->mass_loss = registry->mass_loss;
}

void registry_each(struct registry *registry, bool (*visit)(void *arg, struct fact *fact), void *arg)
{
	struct node *node, *next;

	DL_FOREACH_SAFE(registry->nodes, node, next) {
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
	DL_FOREACH_SAFE(registry->nodes, node, next) {
		endless_forget(registry, node);
		node_leave(registry, node);
		node_free(registry, node);
	}
	table_clear(&registry->table, NULL);
	table_clear(&registry->endless, NULL);
	HASH_ITER(hh, registry->users, user, next_user)
		user_free(registry, user);
	free(registry);
}
