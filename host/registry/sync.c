#include <config.h>

#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "shared/address.h"
#include "shared/clock.h"

/* When facts are believed: connections, resyncs, leases. */

#define CHECK_FACTS_PER_MS 100

/* Nobody's silence is judged meanwhile. */
static bool stands_still(const struct registry *registry)
{
	return registry->blocked || registry->unheard;
}

static int64_t registry_lease_check_ms(const struct registry *registry)
{
	if (stands_still(registry) && registry->lost == 0)
		return CLOCK_NEVER;
	return registry->check_ms > registry->rest_ms ? registry->check_ms : registry->rest_ms;
}

/* ---- resync ---- */

static void resync_begin(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;

	registry->resync = REGISTRY_RESYNC_BEFORE_MARKER;
	registry->progress_ms = now_ms;
	registry->mass_loss = registry->doubted_back = false;
	DL_FOREACH_SAFE(registry->nodes, node, next) {
		node_set_told(registry, node, false);
		if (node->fact.has_session)
			node_set_state(registry, node, FACT_UNCONFIRMED);
	}
}

/* Who is kept after a resync that ended. */
enum resync_keeps {
	KEEP_NOBODY,
	KEEP_DOUBTED, /* from a mass loss before */
	KEEP_SILENT
};

/*
 * After a mass loss it is doubted that they died, and their leases are let end. Also of those whose lost came meanwhile: a broker that stopped has fired wills of
 * the living, which wait in our queue, and may be slow to let them in again. Who had no lease left could answer until now.
 */
static void resync_drop_unconfirmed(struct registry *registry, enum resync_keeps keeps, int64_t now_ms)
{
	struct node *node, *next;

	DL_FOREACH_SAFE(registry->nodes, node, next) {
		if (node->fact.state != FACT_UNCONFIRMED)
			continue;
		if (keeps == KEEP_NOBODY || node->overdue || (keeps == KEEP_DOUBTED && !node->fact.doubted))
			node_remove(registry, node, "not confirmed", false, now_ms);
		else
			node_set_doubted(registry, node, true);
	}
}

/*
 * Whether the silence of the unconfirmed is one that is judged: in a resync, and after a mass loss as soon as nearly all have come back after all.
 * Then it was no fault, but a broker that was slow to let them in, and those who are still silent are the dead.
 */
static bool resync_judges(const struct registry *registry)
{
	if (registry->resync == REGISTRY_SYNCED)
		return registry->mass_loss && (registry->unconfirmed - registry->told) * REGISTRY_MASS_LOSS_PART <= registry->missing;
	return registry->resync == REGISTRY_RESYNC;
}

/* By what they say; of those that say the same the confirmed come first. */
static int compare_words(const void *left, const void *right)
{
	const struct fact *a = &(*(const struct node *const *)left)->fact, *b = &(*(const struct node *const *)right)->fact;
	int order = strcmp(a->name, b->name);

	if (order == 0)
		order = strcmp(a->user, b->user);
	if (order == 0)
		order = (int)a->naddresses - (int)b->naddresses;
	for (unsigned i = 0; i < a->naddresses && order == 0; i++)
		order = address_compare(&a->addresses[i], &b->addresses[i]);
	if (order == 0)
		order = (int)a->naliases - (int)b->naliases;
	for (unsigned i = 0; i < a->naliases && order == 0; i++)
		order = strcmp(a->aliases[i], b->aliases[i]);
	if (order == 0)
		order = (int)a->nports - (int)b->nports;
	for (unsigned i = 0; i < a->nports && order == 0; i++) {
		order = strcmp(a->ports[i].name, b->ports[i].name);
		if (order == 0)
			order = (int)a->ports[i].port - (int)b->ports[i].port;
	}
	return order;
}

static int compare_nodes(const void *left, const void *right)
{
	const struct node *a = *(const struct node *const *)left, *b = *(const struct node *const *)right;
	int order = compare_words(left, right);

	return order != 0 ? order : (int)(a->fact.state == FACT_UNCONFIRMED) - (int)(b->fact.state == FACT_UNCONFIRMED);
}

/* Whether its silence says something of the others'. */
static bool node_silent(const struct node *node, bool with_doubted)
{
	return node->fact.state == FACT_UNCONFIRMED && !node->told && !node->overdue && (with_doubted || !node->fact.doubted);
}

/*
 * How many of the silent say nothing that a confirmed instance of the same user does not say, too: whether they live or not, no answer depends on them.
 * They are those who were replaced, and whose end nobody heard of: a container that was started again while a daemon was killed again and again.
 * Without memory: none.
 */
static size_t count_replaced(const struct registry *registry, bool with_doubted)
{
	const struct node **nodes = calloc(registry->table.count, sizeof(const struct node *)), *confirmed = NULL, *node, *next;
	size_t count = 0, replaced = 0;

	if (nodes == NULL)
		return 0;
	DL_FOREACH_SAFE(registry->nodes, node, next) {
		if (node->fact.state == FACT_CONFIRMED || node_silent(node, with_doubted))
			nodes[count++] = node;
	}
	qsort(nodes, count, sizeof(const struct node *), compare_nodes);
	for (size_t i = 0; i < count; i++) {
		if (nodes[i]->fact.state == FACT_CONFIRMED)
			confirmed = nodes[i];
		else
			replaced += confirmed != NULL && compare_words(&confirmed, &nodes[i]) == 0;
	}
	free(nodes);
	return replaced;
}

/*
 * Whether more than min are silent, and more than have answered. Whose session was lost meanwhile is not silent: where many come and go while a long
 * resync goes on, the dead are soon more than the living. Who was replaced does not count either, nor whose lease was over before.
 */
static bool resync_silence(const struct registry *registry, bool with_doubted, size_t min)
{
	size_t others = 0, silent = 0;
	const struct node *node, *next;

	if (registry->unconfirmed <= min)
		return false;
	DL_FOREACH_SAFE(registry->nodes, node, next) {
		others += node->fact.state != FACT_UNCONFIRMED;
		silent += node_silent(node, with_doubted);
	}
	if (silent <= min || silent <= others)
		return false;
	silent -= count_replaced(registry, with_doubted);
	return silent > min && silent > others;
}

/*
 * So many silent at once is more likely a fault between us than a mass death. But whom a mass loss left, and of whom nobody is back where the others are,
 * are likely dead, and say nothing of the others any more. Else who dies in the next minutes without a lost would belong to a mass each time, and stay for a
 * lease, too.
 */
static enum resync_keeps resync_keeps(const struct registry *registry)
{
	if (registry->resync != REGISTRY_RESYNC || !resync_silence(registry, true, REGISTRY_MASS_LOSS_MIN))
		return KEEP_NOBODY;
	return registry->doubted_back || resync_silence(registry, false, 0) ? KEEP_SILENT : KEEP_DOUBTED;
}

static int64_t resync_timeout_ms(const struct registry *registry)
{
	return registry->progress_ms + registry->options.resync_timeout_ms;
}

static void resync_end(struct registry *registry, int64_t now_ms)
{
	enum resync_keeps keeps = resync_keeps(registry);

	registry->mass_loss = keeps != KEEP_NOBODY;
	registry->resync = REGISTRY_SYNCED;
	registry->starting = false;
	registry->synced_ms = now_ms;
	resync_drop_unconfirmed(registry, keeps, now_ms);
	registry->missing = registry->unconfirmed - registry->told;
}

/* Whether everyone has answered. The silence of the others is not judged here: what they say may be right behind the message that was taken just now. */
void resync_check(struct registry *registry, int64_t now_ms)
{
	if (resync_judges(registry) && registry->unconfirmed == 0)
		resync_end(registry, now_ms);
}

static void resync_check_silence(struct registry *registry, int64_t now_ms)
{
	if (resync_judges(registry) && !stands_still(registry) && now_ms >= resync_timeout_ms(registry))
		resync_end(registry, now_ms);
}

bool registry_settled(const struct registry *registry, int64_t now_ms)
{
	return registry->synced_ms >= 0 && now_ms - registry->synced_ms >= registry->options.resync_timeout_ms;
}

/* What an up does to the state: see the table in docs/protocol.md. */
void node_confirm(struct registry *registry, struct node *node, bool is_new, int64_t now_ms)
{
	node_set_told(registry, node, false);
	if (registry->resync == REGISTRY_RESYNC && node->fact.doubted)
		registry->doubted_back = true;
	node_set_doubted(registry, node, false);
	node->overdue = false;
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

	DL_FOREACH_SAFE(registry->nodes, node, next) {
		if (!node->extended && !node->endless)
			node->fact.expires_ms += away_ms;
		node->extended = true;
	}
}

void registry_blocked(struct registry *registry, bool blocked, int64_t now_ms)
{
	if (blocked == registry->blocked)
		return;
	registry->blocked = blocked;
	if (blocked) {
		/* This is its answer: whatever was asked was not read before. */
		registry->blocked_ms = registry->unheard ? registry->unheard_ms : now_ms;
		registry->unheard = false;
	} else if (registry->resync != REGISTRY_OFFLINE) {
		registry_extend_leases(registry, now_ms - registry->blocked_ms);
		/* Nobody could answer the roll call: now they can. */
		registry->progress_ms = now_ms;
	}
	/* Look at all of them anew. */
	registry->check_ms = registry->doubt_ms = now_ms;
}

bool registry_judges(const struct registry *registry, int64_t now_ms)
{
	if (registry->resync == REGISTRY_OFFLINE || stands_still(registry))
		return false;
	return now_ms >= registry_lease_check_ms(registry) ||
	       (resync_judges(registry) && registry->unconfirmed > 0 && now_ms >= resync_timeout_ms(registry));
}

void registry_unheard(struct registry *registry, bool unheard, int64_t now_ms)
{
	int64_t half_ms = registry->options.resync_timeout_ms / 2, away_ms = now_ms - registry->unheard_ms;

	if (unheard == registry->unheard || (unheard && (registry->blocked || registry->resync == REGISTRY_OFFLINE)))
		return;
	registry->unheard = unheard;
	if (unheard) {
		registry->unheard_ms = now_ms;
		return;
	}
	if (away_ms >= REGISTRY_UNHEARD_MS) {
		registry_extend_leases(registry, away_ms);
		/* What was held up comes now, from those whom it took longer, too. */
		if (registry->progress_ms < now_ms - half_ms)
			registry->progress_ms = now_ms - half_ms;
	}
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
	resync_check(registry, now_ms);
}

void registry_disconnected(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;

	if (registry->resync == REGISTRY_OFFLINE)
		return;
	registry->resync = REGISTRY_OFFLINE;
	registry->starting = false;
	/* An alarm that was on stands for the whole time since it began, and so does a question that nobody has answered. */
	registry->offline_ms = registry->blocked ? registry->blocked_ms : registry->unheard ? registry->unheard_ms : now_ms;
	registry->blocked = registry->unheard = false;
	DL_FOREACH_SAFE(registry->nodes, node, next) {
		if (node->fact.state == FACT_LOST)
			node_set_state(registry, node, FACT_UNCONFIRMED);
	}
	graveyard_raise(registry, FACT_UNCONFIRMED, CLOCK_NEVER, now_ms);
}

/* ---- does the broker stop? ---- */

uint64_t registry_asks(const struct registry *registry)
{
	return registry->asked != NULL ? registry->asked->prev->question : 0;
}

bool registry_asks_several(const struct registry *registry, uint64_t question)
{
	const struct asking *asking, *first = registry->asked;

	DL_FOREACH(registry->asked, asking) {
		if (asking->question > question)
			return false;
		if (!ident_equal(&asking->node->fact.session, &first->node->fact.session))
			return true;
	}
	return false;
}

void registry_answer(struct registry *registry, uint64_t question, bool open, int64_t now_ms)
{
	int64_t closed_ms = now_ms + REGISTRY_CLOSED_MS;
	bool asked = registry->asked != NULL && registry->asked->question <= question;
	struct node *node;

	while (registry->asked != NULL && registry->asked->question <= question) {
		node = registry->asked->node;
		node_unask(registry, node);
		if (!open && node->due_ms < closed_ms)
			node->due_ms = closed_ms;
		if (node->due_ms <= now_ms)
			node_remove(registry, node, "lost", true, now_ms);
		else
			registry_check_at(registry, node->due_ms);
	}
	/* Who went just before may have been the first of those: somebody had looked a moment too early. */
	if (asked && !open)
		graveyard_raise(registry, FACT_LOST, closed_ms, now_ms);
	resync_check(registry, now_ms);
}

/* Nobody has answered: then a lost is what it says. */
static void registry_check_questions(struct registry *registry, int64_t now_ms)
{
	while (registry->asked != NULL && registry->asked->asked_ms + REGISTRY_ANSWER_MS <= now_ms)
		registry_answer(registry, registry->asked->question, true, now_ms);
}

/* ---- time ---- */

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
	if (registry->asked != NULL) {
		other = registry->asked->asked_ms + REGISTRY_ANSWER_MS;
		due = other < due ? other : due;
	}
	if (resync_judges(registry) && !stands_still(registry)) {
		other = resync_timeout_ms(registry);
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
	bool asking = registry->resync != REGISTRY_SYNCED, leased;

	registry->check_ms = CLOCK_NEVER;
	registry->rest_ms = now_ms + (int64_t)(registry->table.count / CHECK_FACTS_PER_MS);
	DL_FOREACH_SAFE(registry->nodes, node, next) {
		/* Its emitter may have been kept from renewing it while the daemon was away: it is asked first. And a lost has its grace. */
		leased = !stands_still(registry) && !(node->overdue && (asking || node->fact.state == FACT_LOST));
		if (leased && node->fact.expires_ms <= now_ms) {
			node_remove(registry, node, "lease over", false, now_ms);
			continue;
		}
		if (leased)
			registry_check_at(registry, node->fact.expires_ms);
		if (node->fact.state != FACT_LOST || node->asks)
			continue;
		if (node->due_ms <= now_ms)
			node_remove(registry, node, "lost", true, now_ms);
		else
			registry_check_at(registry, node->due_ms);
	}
}

/* Half of the time without an answer to the roll call is gone. Once for each silence. */
static int64_t resync_doubt_ms(const struct registry *registry)
{
	if (registry->unconfirmed == 0 || registry->doubted_ms == registry->progress_ms)
		return CLOCK_NEVER;
	return registry->progress_ms + registry->options.resync_timeout_ms / 2;
}

int64_t registry_doubt_ms(const struct registry *registry)
{
	if (stands_still(registry))
		return CLOCK_NEVER;
	if (registry->resync == REGISTRY_RESYNC)
		return resync_doubt_ms(registry);
	return registry->resync == REGISTRY_SYNCED ? registry->doubt_ms : CLOCK_NEVER;
}

bool registry_doubts(struct registry *registry, int64_t now_ms)
{
	struct node *node, *next;
	bool doubt;

	if (now_ms < registry_doubt_ms(registry))
		return false;
	if (registry->resync == REGISTRY_RESYNC) {
		registry->doubted_ms = registry->progress_ms;
		return true;
	}
	registry->doubt_ms = CLOCK_NEVER;
	DL_FOREACH_SAFE(registry->nodes, node, next)
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
	registry_check_questions(registry, now_ms);
	if (now_ms >= registry_lease_check_ms(registry))
		registry_check_leases(registry, now_ms);
	resync_check(registry, now_ms);
	resync_check_silence(registry, now_ms);
}
