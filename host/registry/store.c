#include <config.h>

#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"

/* Users, facts and their states, and the graveyard. What a message does to them is in registry.c. */

/* ---- users ---- */

struct user *user_get(struct registry *registry, const char *name)
{
	size_t length = strlen(name);
	struct user *user;

	HASH_FIND_STR(registry->users, name, user);
	if (user != NULL)
		return user;
	user = calloc(1, sizeof *user + length + 1);
	if (user == NULL)
		return NULL;
	memcpy(user->name, name, length);
	HASH_ADD_KEYPTR(hh, registry->users, user->name, length, user);
	return user;
}

void user_free(struct registry *registry, struct user *user)
{
	HASH_DEL(registry->users, user);
	ended_clear(&user->ended);
	agents_free(&user->agents);
	free(user);
}

/* A user of whom nothing is known any more is forgotten: a stream of made-up users must not fill the memory. */
void user_put(struct registry *registry, struct user *user)
{
	if (user->facts == 0 && ended_count(&user->ended) == 0)
		user_free(registry, user);
}

void user_note_ended(struct registry *registry, struct user *user, enum ended_kind kind, const struct ident *ident,
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

	node_user(node)->share.names += share.names;
	node_user(node)->share.records += share.records;
}

static void share_subtract(const struct node *node)
{
	struct share share = share_of(node->fact.naliases, node->fact.naddresses);

	node_user(node)->share.names -= share.names;
	node_user(node)->share.records -= share.records;
}

static size_t user_max_names(const struct registry *registry, const struct user *user)
{
	return registry->watcher.max_names != NULL ? registry->watcher.max_names(registry->watcher.arg, user->name) : 0;
}

/* Room for the message, which takes the node's place (NULL: it is new). What does not grow may stay, though a reload made the bound lower. */
bool user_has_room(const struct registry *registry, const struct user *user, const struct node *node,
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

/* The block that holds them all begins with the aliases, or with where they would be. */
static void records_free(struct node *node)
{
	if (node->fact.aliases != (void *)node->records)
		free((void *)(uintptr_t)node->fact.aliases);
}

static size_t records_size(const struct announcement *message)
{
	size_t size = message->naliases * sizeof(char *) + message->nports * sizeof *message->ports +
	              message->naddresses * sizeof *message->addresses + strlen(message->name) + 1;

	for (unsigned i = 0; i < message->naliases; i++)
		size += strlen(message->aliases[i]) + 1;
	return size;
}

/* Name, addresses, aliases and ports into one block of that size: a renewal that says nothing new then costs nothing. */
static void node_set_records(struct node *node, const struct announcement *message, void *block)
{
	size_t addresses = message->naddresses * sizeof *message->addresses;
	size_t pointers = message->naliases * sizeof(char *);
	size_t ports = message->nports * sizeof *message->ports;
	struct announcement_port *port_list;
	char **aliases = block;
	struct address *list;
	char *text;
	unsigned i;

	/* What needs the most alignment first. */
	port_list = (struct announcement_port *)(void *)((char *)aliases + pointers);
	memcpy(port_list, message->ports, ports);
	list = (struct address *)((char *)port_list + ports);
	memcpy(list, message->addresses, addresses);
	text = (char *)list + addresses;
	for (i = 0; i < message->naliases; i++) {
		aliases[i] = text;
		text = stpcpy(text, message->aliases[i]) + 1;
	}
	stpcpy(text, message->name);
	node->fact.name = text;
	node->fact.addresses = list;
	node->fact.naddresses = (uint8_t)message->naddresses;
	node->fact.aliases = (const char *const *)aliases;
	node->fact.naliases = (uint8_t)message->naliases;
	node->fact.ports = message->nports > 0 ? port_list : NULL;
	node->fact.nports = (uint8_t)message->nports;
	node->fact.revision++;
}

int node_replace_records(struct node *node, const struct announcement *message)
{
	void *block = malloc(records_size(message));

	if (block == NULL)
		return -1;
	share_subtract(node);
	records_free(node);
	node_set_records(node, message, block);
	share_add(node);
	return 0;
}

bool node_same_records(const struct node *node, const struct announcement *message)
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
	return announcement_ports_equal(node->fact.ports, node->fact.nports, message->ports, message->nports);
}

const void *node_key(const struct table_link *link, size_t *length)
{
	const struct node *node = TABLE_ENTRY(link, const struct node, link);

	*length = sizeof node->fact.instance;
	return &node->fact.instance;
}

struct node *node_find(const struct registry *registry, const struct ident *instance)
{
	struct table_link *link = table_find(&registry->table, instance, sizeof *instance);

	return link != NULL ? TABLE_ENTRY(link, struct node, link) : NULL;
}

static void node_enter(struct registry *registry, struct node *node)
{
	table_add(&registry->table, &node->link);
	DL_APPEND(registry->nodes, node);
}

void node_leave(struct registry *registry, struct node *node)
{
	table_remove(&registry->table, &node->link);
	DL_DELETE(registry->nodes, node);
}

/* ---- those of the older wire format, by address ---- */

const void *endless_key(const struct table_link *link, size_t *length)
{
	const struct address *address = &TABLE_ENTRY(link, const struct endless, link)->node->fact.addresses[0];

	*length = sizeof *address;
	return address;
}

struct endless *endless_find(const struct registry *registry, const struct address *address)
{
	struct table_link *link = table_find(&registry->endless, address, sizeof *address);

	return link != NULL ? TABLE_ENTRY(link, struct endless, link) : NULL;
}

void endless_remember(struct registry *registry, struct endless *endless, struct node *node)
{
	endless->node = node;
	table_add(&registry->endless, &endless->link);
	node->endless = true;
}

void endless_forget(struct registry *registry, struct node *node)
{
	struct endless *endless = node->endless ? endless_find(registry, &node->fact.addresses[0]) : NULL;

	if (endless == NULL)
		return;
	table_remove(&registry->endless, &endless->link);
	free(endless);
	node->endless = false;
}

/* ---- a node's life ---- */

struct node *node_new(struct registry *registry, struct user *user, const struct announcement *message, int64_t now_ms)
{
	struct node *node = calloc(1, sizeof *node + records_size(message));

	if (node == NULL)
		return NULL;
	node_set_records(node, message, node->records);
	user->facts++;
	node->fact.user = user->name;
	node->fact.instance = message->instance;
	node->fact.since_ms = now_ms;
	node->order = ++registry->order;
	node_enter(registry, node);
	share_add(node);
	return node;
}

/* Before this lost is believed somebody has to look at the broker. */
void node_ask(struct registry *registry, struct node *node, int64_t now_ms)
{
	struct asking *asking = calloc(1, sizeof *asking);

	/* Without memory nobody is asked, and its grace is all that it has. */
	if (asking == NULL) {
		registry_check_at(registry, node->due_ms);
		return;
	}
	asking->node = node;
	asking->question = ++registry->question;
	asking->asked_ms = now_ms;
	asking->due_ms = node->due_ms;
	node->asking = asking;
	node->asks = true;
	DL_APPEND(registry->asked, asking);
}

void node_unask(struct registry *registry, struct node *node)
{
	struct asking *asking = node->asking;

	if (!node->asks)
		return;
	DL_DELETE(registry->asked, asking);
	node->due_ms = asking->due_ms;
	node->asks = false;
	free(asking);
}

void node_free(struct registry *registry, struct node *node)
{
	struct user *user = node_user(node);

	node_unask(registry, node);
	agents_drop(&user->agents, node->fact.agent);
	records_free(node);
	free(node);
	user->facts--;
	user_put(registry, user);
}

/* The counts by state follow every change of it. New nodes are FACT_CONFIRMED. */
void node_set_state(struct registry *registry, struct node *node, enum fact_state state)
{
	if (node->fact.state == state)
		return;
	registry->unconfirmed -= node->fact.state == FACT_UNCONFIRMED;
	registry->lost -= node->fact.state == FACT_LOST;
	node_set_told(registry, node, false);
	node_unask(registry, node);
	node->fact.state = (uint8_t)state;
	registry->unconfirmed += state == FACT_UNCONFIRMED;
	registry->lost += state == FACT_LOST;
	/* Without a view it is new or was dead, and is told of as changed in a moment. */
	if (registry->watcher.state != NULL && node->fact.view != NULL)
		registry->watcher.state(registry->watcher.arg, &node->fact);
}

void node_set_told(struct registry *registry, struct node *node, bool told)
{
	registry->told -= node->told;
	node->told = told;
	registry->told += told;
}

void node_tell(struct registry *registry, struct node *node)
{
	if (registry->watcher.changed != NULL)
		registry->watcher.changed(registry->watcher.arg, &node->fact);
}

void node_set_doubted(struct registry *registry, struct node *node, bool doubted)
{
	if (node->fact.doubted == doubted)
		return;
	node->fact.doubted = doubted;
	if (registry->watcher.doubted != NULL)
		registry->watcher.doubted(registry->watcher.arg, &node->fact);
}

/* No more names there than in the table: who dies and dies must not fill the memory either. */
static bool grave_has_room(const struct registry *registry, const struct node *node)
{
	size_t max = user_max_names(registry, node_user(node));

	return max == 0 || node_user(node)->buried + 1 + node->fact.naliases <= max;
}

/* Out of the table. To the graveyard if it may yet turn out that it lives, else freed. */
static void node_end(struct registry *registry, struct node *node, const char *why, const char *reason, bool doubtful, int64_t now_ms)
{
	node_set_state(registry, node, FACT_CONFIRMED);
	if (registry->watcher.gone != NULL)
		registry->watcher.gone(registry->watcher.arg, &node->fact, why, reason);
	node->fact.view = NULL;
	node_leave(registry, node);
	endless_forget(registry, node);
	share_subtract(node);
	if (!doubtful || !grave_has_room(registry, node)) {
		node_free(registry, node);
		return;
	}
	node->removed_ms = now_ms;
	node_user(node)->buried += 1 + node->fact.naliases;
	DL_APPEND(registry->graveyard, node);
}

void node_remove(struct registry *registry, struct node *node, const char *why, bool doubtful, int64_t now_ms)
{
	node_end(registry, node, why, NULL, doubtful, now_ms);
}

void node_withdraw(struct registry *registry, struct node *node, const char *reason, int64_t now_ms)
{
	node_end(registry, node, reason != NULL ? "withdrawn" : "down", reason, false, now_ms);
}

void registry_check_at(struct registry *registry, int64_t due_ms)
{
	if (due_ms < registry->check_ms)
		registry->check_ms = due_ms;
}

int64_t node_doubt_ms(const struct node *node)
{
	return node->fact.has_session ? node->fact.expires_ms - (int64_t)node->fact.lease_s * 250 : CLOCK_NEVER;
}

void registry_doubt_at(struct registry *registry, int64_t due_ms)
{
	if (due_ms < registry->doubt_ms)
		registry->doubt_ms = due_ms;
}

void node_set_lease(struct registry *registry, struct node *node, uint32_t lease_s, int64_t now_ms)
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
	node_user(node)->buried -= 1 + node->fact.naliases;
}

void grave_free(struct registry *registry, struct node *node)
{
	grave_take(registry, node);
	node_free(registry, node);
}

void graveyard_prune(struct registry *registry, int64_t now_ms)
{
	while (registry->graveyard != NULL && registry->graveyard->removed_ms + REGISTRY_LOST_RECENTLY_MS <= now_ms)
		grave_free(registry, registry->graveyard);
}

void graveyard_forget(struct registry *registry, const struct ident *instance)
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
 * Our own connection has dropped, or is about to: perhaps theirs did for the same reason, and only ours took longer to notice. They come
 * back in the order in which they were first heard of, not in that of their wills: a broker that is drained fires those in any order, and
 * a name must not change hands between users by it.
 */
void graveyard_raise(struct registry *registry, enum fact_state state, int64_t due_ms, int64_t now_ms)
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
		node_enter(registry, node);
		share_add(node);
		node_set_state(registry, node, state);
		if (state == FACT_LOST)
			node->due_ms = due_ms;
		registry_check_at(registry, node->fact.expires_ms < due_ms ? node->fact.expires_ms : due_ms);
		node_tell(registry, node);
	}
	DL_SORT(registry->nodes, node_by_order);
}
