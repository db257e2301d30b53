#include <config.h>

#include "model.h"

#include <string.h>

#include "host/registry/registry.h"

#define TIMEOUT_MS 8000
#define FOREVER    INT64_MAX
#define V(verdict) (1U << (verdict))

void model_init(struct model *model, int64_t lost_grace_ms, bool ask, enum model_conflict conflict, int64_t now_ms)
{
	memset(model, 0, sizeof(*model));
	model->now_ms = model->offline_ms = now_ms;
	model->lost_grace_ms = lost_grace_ms;
	model->ask = ask;
	model->conflict = conflict;
	for (int i = 0; i < MODEL_NAMES; i++)
		model->name_holder[i] = -1;
	for (int i = 0; i < MODEL_ADDRESSES; i++)
		model->address_holder[i] = model->here_holder[i] = -1;
}

unsigned model_host_of(unsigned place)
{
	static const unsigned hosts[MODEL_PLACES] = {0, MODEL_HOST, MODEL_HOST, 2, 2, 3};

	return hosts[place];
}

/* ---- facts ---- */

static void end(struct model_ended *ended, unsigned user, int64_t until_ms)
{
	if (ended->ended && ended->until_ms > until_ms)
		return;
	*ended = (struct model_ended){true, user, until_ms};
}

/* Ended ones are remembered "for one lease" and for each user: what comes later, or from another user, is open. */
static bool open_about(const struct model *model, const struct model_ended *ended, unsigned user)
{
	return ended->ended && (model->now_ms >= ended->until_ms || ended->user != user);
}

static unsigned rejections(const struct model *model, const struct model_step *step)
{
	const struct model_fact *fact = &model->facts[step->instance];
	unsigned verdicts = 0;

	if (fact->known && fact->name != step->name)
		verdicts |= V(REGISTRY_REJECTED_NAME);
	if (fact->known && fact->user != step->user)
		verdicts |= V(REGISTRY_REJECTED_USER);
	return verdicts;
}

static void become(struct model *model, const struct model_step *step, struct model_fact *fact)
{
	if (!fact->known)
		fact->since = ++model->order;
	fact->known = true;
	fact->name = step->name;
	fact->user = step->user;
	fact->session = step->session;
	fact->seq = step->seq;
	fact->addresses = step->addresses;
	fact->place = step->session ? step->place : 0;
	fact->names = 1U << step->name | (step->alias ? 1U << (1 - step->name) : 0);
	fact->lease_ms = step->lease_s * INT64_C(1000);
	fact->expires_ms = model->now_ms + fact->lease_ms;
	fact->grace_end_ms = FOREVER;
	fact->restored = fact->asked = false;
}

static bool up(struct model *model, const struct model_step *step)
{
	struct model_fact *fact = &model->facts[step->instance];
	const struct model_ended *session = &model->sessions[step->session];
	bool confirms = model->phase != MODEL_BEFORE_MARKER ||
			!step->session; /* the marker belongs to resync, which exempts those */

	if (open_about(model, &model->instances[step->instance], step->user) ||
	    (step->session && open_about(model, session, step->user)))
		return false;
	/* Whether an instance whose facts a lost has just taken is still known under its user and name is open. */
	if (!fact->known && model->removed[step->instance].known &&
	    (model->removed[step->instance].user != step->user || model->removed[step->instance].name != step->name))
		return false;
	model->verdicts = rejections(model, step);
	if (model->instances[step->instance].ended || (step->session && session->ended))
		model->verdicts |= V(REGISTRY_IGNORED_ENDED);
	if (fact->known && !fact->restored && step->seq <= fact->seq)
		model->verdicts |= V(REGISTRY_IGNORED_OLD);
	if (model->verdicts)
		return true;
	model->verdicts = V(REGISTRY_APPLIED);
	if (confirms && fact->known && fact->session && fact->state == MODEL_UNCONFIRMED)
		model->progress_ms = model->now_ms;
	if (confirms || !fact->known)
		fact->extended = false;
	become(model, step, fact);
	fact->state = confirms ? MODEL_CONFIRMED : MODEL_UNCONFIRMED;
	return true;
}

static bool down(struct model *model, const struct model_step *step)
{
	struct model_fact *fact = &model->facts[step->instance];

	if (open_about(model, &model->instances[step->instance], step->user))
		return false;
	model->verdicts = rejections(model, step);
	if (model->verdicts)
		return true;
	model->verdicts = ~0U; /* open: what an instance that is not known gets */
	if (fact->known)
		model->verdicts = V(REGISTRY_APPLIED);
	/* Not known: for how long is open, but not shorter than the shortest lease there is in these tests. */
	end(&model->instances[step->instance], step->user, model->now_ms + (fact->known ? fact->lease_ms : 10000));
	memset(fact, 0, sizeof(*fact));
	model->removed[step->instance].known = false;
	return true;
}

static void remove_lost(struct model *model, unsigned instance)
{
	model->removed[instance] = model->facts[instance];
	model->removed_ms[instance] = model->now_ms;
	memset(&model->facts[instance], 0, sizeof(model->facts[instance]));
}

static bool lost(struct model *model, const struct model_step *step)
{
	struct model_fact *fact = &model->facts[step->instance];
	bool current = fact->known && fact->session == step->session;
	bool applies = model->phase == MODEL_SYNCED || !model->start_over;

	if (open_about(model, &model->sessions[step->session], step->user))
		return false;
	/* Open: a lost again, in doubt and in its grace. */
	if (current && !applies && fact->state == MODEL_GRACE)
		return false;
	model->verdicts = rejections(model, step);
	if (model->verdicts)
		return true;
	end(&model->sessions[step->session], step->user, model->now_ms + (fact->known ? fact->lease_ms : 10000));
	model->verdicts = current ? ~0U : ~V(REGISTRY_APPLIED);
	if (!current)
		return true;
	if (!applies) {
		fact->state = MODEL_UNCONFIRMED;
	} else if (fact->state != MODEL_GRACE) {
		model->lost_ms[step->instance] = model->now_ms;
		fact->state = MODEL_GRACE;
		fact->grace_end_ms = model->now_ms + model->lost_grace_ms;
		fact->asked = model->ask;
		fact->asked_ms = model->now_ms;
	}
	return true;
}

static bool restore(struct model *model, const struct model_step *step)
{
	struct model_fact *fact = &model->facts[step->instance];
	struct model_step at_start = *step;

	if (model->phase != MODEL_OFFLINE || model->connected_once || fact->known)
		return false;
	at_start.lease_s = REGISTRY_RESTORED_LEASE_S;
	become(model, &at_start, fact);
	fact->state = MODEL_UNCONFIRMED;
	fact->restored = true;
	model->verdicts = V(REGISTRY_APPLIED);
	return true;
}

static bool forget(struct model *model, unsigned name)
{
	for (unsigned i = 0; i < MODEL_INSTANCES; i++)
		if (model->removed[i].known && model->removed[i].name == name)
			return false; /* open: whether a name that just went can be forgotten */
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		struct model_fact *fact = &model->facts[i];

		if (!fact->known || fact->name != name)
			continue;
		end(&model->instances[i], fact->user, model->now_ms + fact->lease_ms);
		memset(fact, 0, sizeof(*fact));
	}
	return true;
}

/* ---- the host's connection ---- */

static bool connected(struct model *model)
{
	for (unsigned i = 0; i < MODEL_INSTANCES; i++)
		if (model->facts[i].known && model->facts[i].state == MODEL_GRACE)
			return false; /* open: a grace that runs while a roll call is sent without a disconnect */
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		struct model_fact *fact = &model->facts[i];

		if (!fact->known)
			continue;
		if (model->phase == MODEL_OFFLINE && !fact->extended) {
			fact->expires_ms += model->now_ms - model->offline_ms;
			fact->extended = true;
		}
		if (fact->session)
			fact->state = MODEL_UNCONFIRMED;
	}
	model->connected_once = true;
	model->phase = MODEL_BEFORE_MARKER;
	return true;
}

static bool marker(struct model *model)
{
	if (model->phase != MODEL_BEFORE_MARKER)
		return true;
	model->phase = MODEL_RESYNC;
	model->progress_ms = model->now_ms;
	return true;
}

/* Open: 2 s since the message or since the removal; the boundary; a lease that is over by then. */
static bool recent_is_open(const struct model *model)
{
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		int64_t lost_ago = model->now_ms - model->lost_ms[i],
			removed_ago = model->now_ms - model->removed_ms[i];

		if (model->removed[i].known &&
		    ((lost_ago >= REGISTRY_LOST_RECENTLY_MS && removed_ago <= REGISTRY_LOST_RECENTLY_MS) ||
		     model->removed[i].expires_ms <= model->now_ms))
			return true;
	}
	return false;
}

/* Who was lost within the last 2 s is back, as that, and nobody is who was lost before. */
static void recent_come_back(struct model *model, enum model_state state, int64_t grace_end_ms)
{
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		struct model_fact *fact = &model->facts[i];

		if (!fact->known && model->removed[i].known &&
		    model->now_ms - model->lost_ms[i] < REGISTRY_LOST_RECENTLY_MS) {
			*fact = model->removed[i];
			fact->state = state;
			fact->grace_end_ms = grace_end_ms;
			fact->asked = false;
		}
		model->removed[i].known = false;
	}
}

static bool disconnected(struct model *model)
{
	if (model->phase == MODEL_OFFLINE)
		return true;
	if (recent_is_open(model))
		return false;
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		struct model_fact *fact = &model->facts[i];

		if (fact->known && fact->state == MODEL_GRACE) {
			fact->state = MODEL_UNCONFIRMED;
			fact->grace_end_ms = FOREVER;
			fact->asked = false;
		}
	}
	recent_come_back(model, MODEL_UNCONFIRMED, FOREVER);
	model->start_over = true;
	model->offline_ms = model->now_ms;
	model->phase = MODEL_OFFLINE;
	return true;
}

static bool answered(struct model *model, bool open)
{
	int64_t closed_ms = model->now_ms + REGISTRY_CLOSED_MS;
	bool asked = false;

	for (unsigned i = 0; i < MODEL_INSTANCES; i++)
		asked |= model->facts[i].asked;
	if (asked && !open && recent_is_open(model))
		return false;
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		struct model_fact *fact = &model->facts[i];

		if (!fact->asked)
			continue;
		fact->asked = false;
		if (!open && fact->grace_end_ms < closed_ms)
			fact->grace_end_ms = closed_ms;
	}
	if (asked && !open)
		recent_come_back(model, MODEL_GRACE, closed_ms);
	return true;
}

/* ---- time ---- */

static void settle(struct model *model)
{
	bool over = model->phase == MODEL_RESYNC && model->now_ms >= model->progress_ms + TIMEOUT_MS;
	bool doubt = false;

	if (model->phase == MODEL_OFFLINE)
		return;
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		struct model_fact *fact = &model->facts[i];

		if (fact->asked && fact->asked_ms + REGISTRY_ANSWER_MS <= model->now_ms)
			fact->asked = false;
		if (fact->known && fact->state == MODEL_GRACE && !fact->asked && fact->grace_end_ms <= model->now_ms)
			remove_lost(model, i);
		else if (fact->known && fact->expires_ms <= model->now_ms)
			memset(fact, 0, sizeof(*fact));
		else if (fact->known && fact->session && fact->state == MODEL_UNCONFIRMED && over)
			memset(fact, 0, sizeof(*fact));
		doubt |= fact->known && fact->session && fact->state == MODEL_UNCONFIRMED;
		if (model->removed[i].known && model->now_ms - model->removed_ms[i] > REGISTRY_LOST_RECENTLY_MS)
			model->removed[i].known = false;
	}
	if (model->phase == MODEL_RESYNC && !doubt) {
		model->phase = MODEL_SYNCED;
		model->start_over = true;
	}
}

/* A millisecond is the unit of everything, but few of them matter. */
static int64_t next_due_ms(const struct model *model)
{
	int64_t due_ms = FOREVER;

	if (model->phase == MODEL_OFFLINE)
		return due_ms;
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		const struct model_fact *fact = &model->facts[i];

		if (fact->known && fact->expires_ms < due_ms)
			due_ms = fact->expires_ms;
		if (fact->asked && fact->asked_ms + REGISTRY_ANSWER_MS < due_ms)
			due_ms = fact->asked_ms + REGISTRY_ANSWER_MS;
		if (fact->known && fact->state == MODEL_GRACE && !fact->asked && fact->grace_end_ms < due_ms)
			due_ms = fact->grace_end_ms;
	}
	if (model->phase == MODEL_RESYNC && model->progress_ms + TIMEOUT_MS < due_ms)
		due_ms = model->progress_ms + TIMEOUT_MS;
	return due_ms;
}

/* ---- view ---- */

/* Whoever holds a name or address keeps it while it claims it; else the user of the fact heard of first. claims: of
 * each instance. */
static int holder(const struct model *model, int before, const bool claims[MODEL_INSTANCES])
{
	int first = -1;
	int64_t since = FOREVER;

	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		if (!claims[i])
			continue;
		if ((int)model->facts[i].user == before)
			return before;
		if (model->facts[i].since < since) {
			since = model->facts[i].since;
			first = (int)model->facts[i].user;
		}
	}
	return first;
}

static bool is_here(const struct model *model, unsigned i)
{
	return model_host_of(model->facts[i].place) == MODEL_HOST;
}

static bool is_elsewhere(const struct model *model, unsigned i)
{
	return model->facts[i].place && !is_here(model, i);
}

/* Whether this user claims it from here; or from anywhere but surely elsewhere. */
static bool claims_here(const struct model *model, int user, const bool claims[MODEL_INSTANCES], bool surely)
{
	for (unsigned i = 0; i < MODEL_INSTANCES; i++)
		if (claims[i] && (int)model->facts[i].user == user && (surely ? is_here(model, i) : !is_elsewhere(model, i)))
			return true;
	return false;
}

/*
 * In the range of a bridge of this host: whoever is here and has it keeps it; else the holder, if one of its is here; else somebody whose is, if all of the
 * holder's are surely elsewhere.
 */
static int holder_here(const struct model *model, unsigned a, const bool claims[MODEL_INSTANCES])
{
	int holder = model->address_holder[a];

	if (a >= MODEL_OWN_NETWORK || holder < 0)
		return -1;
	if (model->here_holder[a] >= 0 && claims_here(model, model->here_holder[a], claims, true))
		return model->here_holder[a];
	if (claims_here(model, holder, claims, true))
		return holder;
	return claims_here(model, 1 - holder, claims, true) && !claims_here(model, holder, claims, false) ? 1 - holder : -1;
}

/* Of those of one user that stand for the same: the newest has it, and who shares its place; on each other host likewise. */
static bool has_it(const struct model *model, unsigned i, const bool set[MODEL_INSTANCES])
{
	unsigned newest = i, newest_there = i;

	for (unsigned j = 0; j < MODEL_INSTANCES; j++) {
		if (!set[j])
			continue;
		if (j > newest)
			newest = j;
		if (j > newest_there && model_host_of(model->facts[j].place) == model_host_of(model->facts[i].place))
			newest_there = j;
	}
	if (!model->facts[i].place || !model->facts[newest].place)
		return i == newest;
	return model->facts[i].place == model->facts[newest_there].place;
}

static void refresh_addresses(struct model *model, unsigned owned[MODEL_INSTANCES])
{
	for (unsigned a = 0; a < MODEL_ADDRESSES; a++) {
		bool claims[MODEL_INSTANCES];

		for (unsigned i = 0; i < MODEL_INSTANCES; i++)
			claims[i] = model->facts[i].known && model->facts[i].addresses >> a & 1;
		model->address_holder[a] = holder(model, model->address_holder[a], claims);
		model->here_holder[a] = holder_here(model, a, claims);
		for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
			bool set[MODEL_INSTANCES];

			for (unsigned j = 0; j < MODEL_INSTANCES; j++) {
				int whose = model->here_holder[a] >= 0 && is_here(model, j) ? model->here_holder[a]
										   : model->address_holder[a];

				set[j] = claims[j] && (int)model->facts[j].user == whose &&
					 model->facts[j].user == model->facts[i].user;
			}
			if (set[i] && has_it(model, i, set))
				owned[i] |= 1U << a;
		}
	}
}

/* On another host, with an address that leads to this one's own containers: such a one yields to one that is here. */
static bool is_astray(const struct model *model, unsigned i)
{
	return is_elsewhere(model, i) && (model->facts[i].addresses & ((1U << MODEL_OWN_NETWORK) - 1)) != 0;
}

static void refresh_name(struct model *model, unsigned n, const unsigned owned[MODEL_INSTANCES])
{
	bool claims[MODEL_INSTANCES], here = false;

	for (unsigned i = 0; i < MODEL_INSTANCES; i++)
		claims[i] = model->facts[i].known && model->facts[i].names >> n & 1;
	model->name_holder[n] = holder(model, model->name_holder[n], claims);
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		claims[i] &= (int)model->facts[i].user == model->name_holder[n];
		here |= claims[i] && is_here(model, i) && owned[i];
	}
	model->served[n] = 0;
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		if (!claims[i] || (here && is_astray(model, i)))
			continue;
		if (model->conflict == MODEL_NEWEST)
			model->served[n] = owned[i];
		else
			model->served[n] |= owned[i];
		if (model->conflict == MODEL_FIRST)
			break;
	}
}

static void refresh(struct model *model)
{
	unsigned owned[MODEL_INSTANCES] = {0};

	refresh_addresses(model, owned);
	for (unsigned n = 0; n < MODEL_NAMES; n++)
		refresh_name(model, n, owned);
}

static void pass(struct model *model, int64_t ms)
{
	int64_t end_ms = model->now_ms + ms, due_ms;

	while ((due_ms = next_due_ms(model)) <= end_ms) {
		if (due_ms > model->now_ms)
			model->now_ms = due_ms;
		settle(model);
		refresh(model);
	}
	model->now_ms = end_ms;
	settle(model);
}

bool model_step(struct model *model, const struct model_step *step)
{
	bool known = true;

	model->verdicts = ~0U;
	/* Nothing is delivered without a connection. */
	if (step->kind <= MODEL_LOST && model->phase == MODEL_OFFLINE)
		return false;
	switch (step->kind) {
	case MODEL_UP:
		known = up(model, step);
		break;
	case MODEL_DOWN:
		known = down(model, step);
		break;
	case MODEL_LOST:
		known = lost(model, step);
		break;
	case MODEL_RESTORE:
		known = restore(model, step);
		break;
	case MODEL_CONNECT:
		known = connected(model);
		break;
	case MODEL_MARKER:
		known = marker(model);
		break;
	case MODEL_DISCONNECT:
		known = disconnected(model);
		break;
	case MODEL_OPEN:
	case MODEL_CLOSED:
		known = answered(model, step->kind == MODEL_OPEN);
		break;
	case MODEL_PASS:
		pass(model, step->pass_ms);
		break;
	case MODEL_FORGET:
		known = forget(model, step->name);
		break;
	}
	if (!known)
		return false;
	settle(model);
	refresh(model);
	return true;
}
