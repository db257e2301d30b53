/*
 * The registry and the view against the model (model.h): every order of up to five messages and events of a host, every
 * order of six messages with a reconnect anywhere in between, every order of eight messages of three instances over two
 * names, all or some of them and one of them twice, and random schedules of up to 40 steps, with losses, repetitions and
 * any reordering. After every step the facts, their states and what is served must be the model's, and
 * the invariants below must hold.
 *
 * A schedule that fails is shrunk and printed as one line; MODEL_REPLAY='that line' runs it again. MODEL_SEED=n starts
 * the random part elsewhere, MODEL_STEPS=n makes it so many steps long, for long runs. MODEL_STRIDE=1 repeats each of the
 * eight messages at each place; otherwise every order has some of these repetitions, in turn.
 */
#include <config.h>

#include "model.h"
#include "tests/unit/hostkit.h"
#include "tests/unit/range.h"

#define STEPS_MAX    48
#define STEPS_RANDOM 1500000

struct schedule {
	int64_t lost_grace_ms;
	bool ask;
	enum model_conflict conflict;
	unsigned count;
	struct model_step steps[STEPS_MAX];
};

/* What a host believes, as the model's numbers. Compared as bytes. */
struct belief {
	struct {
		unsigned known, name, user, session, seq, addresses, place, state;
	} facts[MODEL_INSTANCES];
	unsigned served[MODEL_NAMES];
	unsigned phase;
};

static const char *const names[MODEL_NAMES] = {"web", "db"};
static const char *const users[MODEL_USERS] = {"one", "two"};
static const enum view_conflict conflicts[] = {VIEW_ALL, VIEW_NEWEST, VIEW_FIRST};
static const char *broken;                  /* what went wrong at the last step of a run */
static unsigned long steps_run, steps_open; /* open: the words do not say, so it was left out */

/* ---- what the view's watcher is told, which must add up to what view_each() says ---- */

static struct {
	uint64_t names;
	uint32_t addresses;
} mirror[MODEL_INSTANCES];

static unsigned index_of(const struct fact *fact)
{
	return kit_instance_number(&fact->instance) - 1;
}

static void mirror_listing(void *arg, const struct listing *listing, bool records)
{
	unsigned i = index_of(listing->fact);
	bool same = mirror[i].names == listing->names && mirror[i].addresses == listing->addresses;

	(void)arg;
	if (!records && !same)
		broken = "the view's watcher was not told that records changed";
	mirror[i].names = listing->names;
	mirror[i].addresses = listing->addresses;
}

static void mirror_gone(void *arg, const struct listing *listing)
{
	(void)arg;
	memset(&mirror[index_of(listing->fact)], 0, sizeof(mirror[0]));
}

/* ---- the real ones ---- */

static struct announcement message_of(const struct model_step *step)
{
	static const enum announcement_op ops[] = {ANNOUNCEMENT_UP, ANNOUNCEMENT_DOWN, ANNOUNCEMENT_LOST,
						   ANNOUNCEMENT_UP};
	struct announcement message =
		kit_message(ops[step->kind], names[step->name], step->instance + 1, step->session, step->seq);

	message.lease_s = step->lease_s;
	for (unsigned a = 0; a < MODEL_ADDRESSES; a++)
		if (step->addresses >> a & 1)
			kit_add_address(&message, a);
	if (step->alias)
		kit_add_alias(&message, names[1 - step->name]);
	message.place = kit_place(model_host_of(step->place), step->place);
	return message;
}

/* Like kit_settle, but a fault is noted, not fatal: the schedule must still be shrunk. */
static void host_settle(struct kit *kit)
{
	if (registry_deadline_ms(kit->registry) <= kit->now_ms)
		registry_tick(kit->registry, kit->now_ms);
	if (registry_deadline_ms(kit->registry) <= kit->now_ms)
		broken = "a deadline stays in the past";
	view_refresh(kit->view);
}

static void host_pass(struct kit *kit, int64_t ms)
{
	int64_t end_ms = kit->now_ms + ms, deadline_ms;

	while (!broken && (deadline_ms = registry_deadline_ms(kit->registry)) <= end_ms) {
		kit->now_ms = deadline_ms;
		host_settle(kit);
	}
	kit->now_ms = end_ms;
}

static void host_step(struct kit *kit, const struct model_step *step, unsigned verdicts)
{
	struct announcement message;
	enum registry_verdict verdict = REGISTRY_APPLIED;
	const char *user = users[step->user];

	if (step->kind <= MODEL_RESTORE)
		message = message_of(step);
	switch (step->kind) {
	case MODEL_UP:
		verdict = registry_up(kit->registry, &message, user, kit->now_ms);
		break;
	case MODEL_DOWN:
		verdict = registry_down(kit->registry, &message, user, kit->now_ms);
		break;
	case MODEL_LOST:
		verdict = registry_lost(kit->registry, &message, user, kit->now_ms);
		break;
	case MODEL_RESTORE:
		verdict = registry_restore(kit->registry, &message, user, CLOCK_NEVER, kit->now_ms);
		break;
	case MODEL_CONNECT:
		registry_connected(kit->registry, kit->now_ms);
		break;
	case MODEL_MARKER:
		registry_marker(kit->registry, kit->now_ms);
		break;
	case MODEL_DISCONNECT:
		registry_disconnected(kit->registry, kit->now_ms);
		break;
	case MODEL_OPEN:
	case MODEL_CLOSED:
		registry_answer(kit->registry, registry_asks(kit->registry), step->kind == MODEL_OPEN, kit->now_ms);
		break;
	case MODEL_PASS:
		host_pass(kit, step->pass_ms);
		break;
	case MODEL_FORGET:
		registry_forget(kit->registry, names[step->name], kit->now_ms);
		break;
	}
	if (step->kind <= MODEL_RESTORE && !(verdicts >> verdict & 1))
		broken = "the verdict is not the rule's";
	host_settle(kit);
}

static unsigned number_of(const char *text, const char *const *texts, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(text, texts[i]) == 0)
			return i;
	return 99;
}

static bool believe_fact(void *arg, struct fact *fact)
{
	struct belief *belief = arg;
	unsigned i = index_of(fact);

	if (belief->facts[i].known)
		broken = "an instance has two facts";
	belief->facts[i].known = 1;
	belief->facts[i].name = number_of(fact->name, names, MODEL_NAMES);
	belief->facts[i].user = number_of(fact->user, users, MODEL_USERS);
	belief->facts[i].session = fact->has_session ? fact->session.bytes[15] : 0;
	belief->facts[i].seq = (unsigned)fact->seq;
	belief->facts[i].state = (unsigned)fact->state;
	belief->facts[i].place = (unsigned)fact->place.netns;
	for (unsigned a = 0; a < fact->naddresses; a++)
		belief->facts[i].addresses |= 1U << kit_address_number(&fact->addresses[a]);
	return true;
}

/*
 * What is served, and the invariants: a name is listed for one user; an address for one instance, unless they share a place or are on different hosts; and for
 * one user, unless one of the two is here, the other is not, and the address is in the range of a bridge of this host. However many have it, one comes first.
 */
struct serving {
	struct belief *belief;
	int name_user[MODEL_NAMES];
	unsigned address_instances[MODEL_ADDRESSES]; /* a bit each */
	unsigned first[MODEL_ADDRESSES];             /* how many of them */
	unsigned listed;                             /* instances, a bit each */
};

static bool may_share(const struct belief *belief, unsigned a, unsigned i, unsigned j)
{
	unsigned one = belief->facts[i].place, other = belief->facts[j].place;
	bool one_here = model_host_of(one) == MODEL_HOST, other_here = model_host_of(other) == MODEL_HOST;

	if (belief->facts[i].user != belief->facts[j].user)
		return a < MODEL_OWN_NETWORK && one_here != other_here;
	return one && other && (one == other || model_host_of(one) != model_host_of(other));
}

static void serve_address(struct serving *serving, unsigned a, unsigned instance, bool later)
{
	for (unsigned other = 0; other < MODEL_INSTANCES; other++)
		if ((serving->address_instances[a] >> other & 1) && !may_share(serving->belief, a, other, instance))
			broken = "an address is listed for two instances that do not share it";
	serving->address_instances[a] |= 1U << instance;
	serving->first[a] += !later;
}

static void serve_name(struct serving *serving, const struct fact *fact, unsigned name, unsigned addresses)
{
	int user = (int)number_of(fact->user, users, MODEL_USERS);

	if (name >= MODEL_NAMES)
		return;
	if (serving->name_user[name] >= 0 && serving->name_user[name] != user)
		broken = "a name is listed for two users";
	serving->name_user[name] = user;
	serving->belief->served[name] |= addresses;
}

static bool believe_listing(void *arg, const struct listing *listing)
{
	struct serving *serving = arg;
	const struct fact *fact = listing->fact;
	int instance = (int)index_of(fact);
	unsigned addresses = 0;

	serving->listed |= 1U << instance;
	if (mirror[instance].names != listing->names || mirror[instance].addresses != listing->addresses)
		broken = "the view's watcher was told something else";
	for (unsigned a = 0; a < fact->naddresses; a++) {
		unsigned number = kit_address_number(&fact->addresses[a]);

		if (!(listing->addresses >> a & 1))
			continue;
		addresses |= 1U << number;
		serve_address(serving, number, (unsigned)instance, listing->later >> a & 1);
	}
	if (listing->names & 1)
		serve_name(serving, fact, number_of(fact->name, names, MODEL_NAMES), addresses);
	for (unsigned i = 0; i < fact->naliases; i++)
		if (listing->names >> (i + 1) & 1)
			serve_name(serving, fact, number_of(fact->aliases[i], names, MODEL_NAMES), addresses);
	return true;
}

static void believe(struct kit *kit, struct belief *belief)
{
	struct serving serving = {.belief = belief};
	struct registry_counts counts;
	unsigned named = 0, known = 0;

	memset(belief, 0, sizeof(*belief));
	memset(serving.name_user, -1, sizeof(serving.name_user));
	registry_each(kit->registry, believe_fact, belief);
	view_each(kit->view, believe_listing, &serving);
	registry_count(kit->registry, &counts);
	belief->phase = (unsigned)counts.resync;
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		known += belief->facts[i].known;
		if (!(serving.listed >> i & 1) && mirror[i].names && mirror[i].addresses)
			broken = "the view's watcher still has what is not listed";
	}
	for (unsigned a = 0; a < MODEL_ADDRESSES; a++)
		if (serving.first[a] > 1)
			broken = "an address leads first to two";
	for (unsigned n = 0; n < MODEL_NAMES; n++)
		named += belief->served[n] != 0;
	if (named != view_names(kit->view))
		broken = "view_names() counts wrong";
	if (known != counts.facts)
		broken = "registry_count() counts wrong";
}

/* ---- the model's, and what both must be ---- */

static void expect(const struct model *model, struct belief *belief)
{
	memset(belief, 0, sizeof(*belief));
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		const struct model_fact *fact = &model->facts[i];

		if (!fact->known)
			continue;
		belief->facts[i].known = 1;
		belief->facts[i].name = fact->name;
		belief->facts[i].user = fact->user;
		belief->facts[i].session = fact->session;
		belief->facts[i].seq = fact->seq;
		belief->facts[i].addresses = fact->addresses;
		belief->facts[i].place = fact->place;
		belief->facts[i].state = (unsigned)fact->state;
	}
	memcpy(belief->served, model->served, sizeof(belief->served));
	belief->phase = (unsigned)model->phase;
}

/* Open: the seq of what was restored; the state of what has no session, and of all while there is no connection. */
static void leave_open(const struct model *model, struct belief *belief)
{
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		if (model->facts[i].restored)
			belief->facts[i].seq = 0;
		if (!model->facts[i].session || model->phase == MODEL_OFFLINE)
			belief->facts[i].state = 0;
	}
}

/* From one step to the next: an ended instance never comes back, a fact keeps its name and user, losing the broker
 * removes nothing. */
static void check_history(const struct model *model, const struct model_step *step, const struct belief *before,
			  const struct belief *after)
{
	for (unsigned i = 0; i < MODEL_INSTANCES; i++) {
		if (after->facts[i].known && model->instances[i].ended && model->now_ms < model->instances[i].until_ms)
			broken = "an ended instance is back";
		if (before->facts[i].known && after->facts[i].known &&
		    (before->facts[i].name != after->facts[i].name || before->facts[i].user != after->facts[i].user))
			broken = "a fact has changed its name or user";
		if (step->kind == MODEL_DISCONNECT && before->facts[i].known && !after->facts[i].known)
			broken = "losing the broker removed something";
	}
}

static void print_belief(const char *who, const struct belief *belief)
{
	print_error("%s: phase %u, web %#x, db %#x;", who, belief->phase, belief->served[0], belief->served[1]);
	for (unsigned i = 0; i < MODEL_INSTANCES; i++)
		if (belief->facts[i].known)
			print_error(" [%u: name %u user %u session %u seq %u addresses %#x place %u state %c]", i,
				    belief->facts[i].name, belief->facts[i].user, belief->facts[i].session, belief->facts[i].seq,
				    belief->facts[i].addresses, belief->facts[i].place, "cul"[belief->facts[i].state]);
	print_error("\n");
}

/* Returns the number of the step that failed, or -1. */
static int run(const struct schedule *schedule, bool verbose)
{
	struct registry_options options = kit_options();
	struct view_watcher watcher = {mirror_listing, mirror_gone, NULL, NULL};
	struct belief real, wanted, before;
	struct model model, after;
	struct kit kit;
	int failed = -1;

	options.lost_grace_ms = schedule->lost_grace_ms;
	options.ask = schedule->ask;
	kit_open(&kit, &options, conflicts[schedule->conflict]);
	kit_own(&kit, MODEL_HOST, MODEL_OWN_NETWORK);
	view_set_watcher(kit.view, &watcher);
	memset(mirror, 0, sizeof(mirror));
	memset(&before, 0, sizeof(before));
	broken = NULL;
	model_init(&model, schedule->lost_grace_ms, schedule->ask, schedule->conflict, kit.now_ms);
	for (unsigned i = 0; i < schedule->count && failed < 0; i++) {
		after = model;
		if (!model_step(&after, &schedule->steps[i])) {
			steps_open++;
			continue;
		}
		model = after;
		host_step(&kit, &schedule->steps[i], model.verdicts);
		believe(&kit, &real);
		expect(&model, &wanted);
		check_history(&model, &schedule->steps[i], &before, &real);
		before = real;
		leave_open(&model, &real);
		leave_open(&model, &wanted);
		if (!broken && memcmp(&real, &wanted, sizeof(real)) != 0)
			broken = "the registry or view is not the model's";
		steps_run++;
		if (!broken)
			continue;
		failed = (int)i;
		if (verbose) {
			print_error("after step %d: %s\n", failed + 1, broken);
			print_belief("model", &wanted);
			print_belief("real ", &real);
		}
	}
	kit_close(&kit);
	return failed;
}

/* ---- schedules as text ---- */

static const char *const kinds[] = {"up",     "down",       "lost", "restore", "connect",
				    "marker", "disconnect", "open", "closed", "pass", "forget"};

static void print_schedule(const struct schedule *schedule)
{
	print_error("MODEL_REPLAY='grace=%d ask=%d conflict=%d", (int)schedule->lost_grace_ms, schedule->ask, (int)schedule->conflict);
	for (unsigned i = 0; i < schedule->count; i++) {
		const struct model_step *step = &schedule->steps[i];

		print_error(" %s", kinds[step->kind]);
		if (step->kind <= MODEL_RESTORE)
			print_error(":i%u,n%u,u%u,s%u", step->instance, step->name, step->user, step->session);
		if (step->kind == MODEL_UP || step->kind == MODEL_RESTORE)
			print_error(",q%u,a%#x,l%u,p%u,%s", step->seq, step->addresses, step->lease_s, step->place,
				    step->alias ? "alias" : "plain");
		if (step->kind == MODEL_PASS)
			print_error(":%d", step->pass_ms);
		if (step->kind == MODEL_FORGET)
			print_error(":n%u", step->name);
	}
	print_error("'\n");
}

static bool parse_step(const char *word, struct model_step *step)
{
	const char *arguments = strchr(word, ':');
	size_t length = arguments ? (size_t)(arguments - word) : strlen(word);

	memset(step, 0, sizeof(*step));
	for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		char alias = 'p';
		int got;

		if (strlen(kinds[kind]) != length || strncmp(kinds[kind], word, length) != 0)
			continue;
		step->kind = (enum model_kind)kind;
		if (kind == MODEL_PASS)
			return arguments && sscanf(arguments, ":%d", &step->pass_ms) == 1 && step->pass_ms >= 0;
		if (kind == MODEL_FORGET)
			return arguments && sscanf(arguments, ":n%u", &step->name) == 1 && step->name < MODEL_NAMES;
		if (kind > MODEL_RESTORE)
			return !arguments;
		got = arguments ? sscanf(arguments, ":i%u,n%u,u%u,s%u,q%u,a%x,l%u,p%u,%c", &step->instance, &step->name,
					 &step->user, &step->session, &step->seq, &step->addresses, &step->lease_s,
					 &step->place, &alias)
				: 0;
		step->alias = alias == 'a';
		return got == (kind == MODEL_UP || kind == MODEL_RESTORE ? 9 : 4) && step->instance < MODEL_INSTANCES &&
		       step->name < MODEL_NAMES && step->user < MODEL_USERS && step->session < MODEL_SESSIONS &&
		       step->addresses < 1U << MODEL_ADDRESSES && step->place < MODEL_PLACES;
	}
	return false;
}

static void replay(void **state)
{
	char *text = strdup(getenv("MODEL_REPLAY")), *rest = text;
	struct schedule schedule = {.count = 0};
	int grace, ask, conflict, used = 0;

	(void)state;
	if (sscanf(text, "grace=%d ask=%d conflict=%d%n", &grace, &ask, &conflict, &used) != 3 || conflict < 0 || conflict > 2)
		fail_msg("MODEL_REPLAY: begins with grace=MS ask=0|1 conflict=0|1|2");
	schedule.lost_grace_ms = grace;
	schedule.ask = ask != 0;
	schedule.conflict = (enum model_conflict)conflict;
	rest += used;
	for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL; schedule.count++)
		if (schedule.count == STEPS_MAX || !parse_step(word, &schedule.steps[schedule.count]))
			fail_msg("MODEL_REPLAY: \"%s\" is no step, or one too many", word);
	free(text);
	assert_int_equal(run(&schedule, true), -1);
}

/* Drop steps while it still fails, until no single one can be spared. */
static void shrink(struct schedule *schedule)
{
	bool smaller = true;

	while (smaller) {
		smaller = false;
		for (unsigned i = schedule->count; i-- > 0;) {
			struct schedule less = *schedule;

			memmove(&less.steps[i], &less.steps[i + 1], (less.count - i - 1) * sizeof(less.steps[0]));
			less.count--;
			if (run(&less, false) < 0)
				continue;
			*schedule = less;
			smaller = true;
		}
	}
}

static void check(const struct schedule *schedule)
{
	struct schedule failing;
	int failed = run(schedule, false);

	if (failed < 0)
		return;
	failing = *schedule;
	failing.count = (unsigned)failed + 1;
	shrink(&failing);
	print_error("a schedule fails; shrunk to %u steps:\n", failing.count);
	print_schedule(&failing);
	run(&failing, true);
	fail();
}

/* ---- messages ---- */

static struct model_step up(unsigned instance, unsigned name, unsigned session, unsigned seq, unsigned addresses,
			    unsigned lease_s)
{
	return (struct model_step){.kind = MODEL_UP,
				   .instance = instance,
				   .name = name,
				   .session = session,
				   .seq = seq,
				   .addresses = addresses,
				   .lease_s = lease_s};
}

static struct model_step end_of(enum model_kind kind, unsigned instance, unsigned name, unsigned session)
{
	return (struct model_step){.kind = kind, .instance = instance, .name = name, .session = session, .seq = 9};
}

static struct model_step event(enum model_kind kind)
{
	return (struct model_step){.kind = kind};
}

static struct model_step pass(int ms)
{
	return (struct model_step){.kind = MODEL_PASS, .pass_ms = ms};
}

static void add(struct schedule *schedule, struct model_step step)
{
	assert_true(schedule->count < STEPS_MAX);
	schedule->steps[schedule->count++] = step;
}

/* Six messages of a small world. */
#define WORLD  6
#define WORLDS 8

static void world(unsigned number, struct model_step out[WORLD])
{
	/* One instance and its two sessions. */
	out[0] = up(0, 0, 1, 1, 1, 10);
	out[1] = up(0, 0, 1, 2, 1, 30);
	out[2] = end_of(MODEL_LOST, 0, 0, 1);
	out[3] = up(0, 0, 2, 3, 2, 30);
	out[4] = end_of(MODEL_LOST, 0, 0, 2);
	out[5] = end_of(MODEL_DOWN, 0, 0, 2);
	if (number == 1) { /* a restart on the same address, and a third one */
		out[3] = up(1, 0, 2, 1, 1, 30);
		out[4] = up(2, 1, 3, 1, 3, 10);
		out[5] = end_of(MODEL_LOST, 1, 0, 2);
	} else if (number == 2) { /* two users with one name */
		out[3] = up(1, 0, 2, 1, 2, 30);
		out[4] = end_of(MODEL_LOST, 1, 0, 2);
		out[5] = end_of(MODEL_DOWN, 1, 0, 2);
		out[3].user = out[4].user = out[5].user = 1;
	} else if (number == 3) { /* no session; somebody else's instance */
		out[3] = up(1, 1, 0, 1, 1, 30);
		out[4] = up(0, 0, 3, 5, 4, 30);
		out[4].user = 1;
		out[5] = up(0, 1, 1, 6, 4, 30);
	} else if (number == 4) { /* a pod: two in one namespace, and a third that was given the address */
		out[1] = up(0, 0, 1, 2, 1, 30);
		out[3] = up(1, 1, 2, 1, 1, 30);
		out[4] = up(2, 1, 3, 1, 3, 10);
		out[5] = end_of(MODEL_LOST, 1, 1, 2);
		out[0].place = out[1].place = out[3].place = 1;
		out[4].place = 2;
	} else if (number == 5) { /* the same name and address on two hosts; one moves to another namespace, one does not say where it is */
		out[3] = up(1, 0, 2, 1, 3, 30);
		out[4] = up(2, 0, 3, 1, 1, 30);
		out[5] = up(1, 0, 2, 2, 5, 30);
		out[0].place = 1;
		out[3].place = out[5].place = 3;
		out[1].place = 2;
	} else if (number == 6) { /* two users, one here, one elsewhere */
		out[3] = up(1, 1, 2, 1, 1, 30);
		out[4] = up(2, 1, 3, 1, 9, 30);
		out[5] = end_of(MODEL_LOST, 1, 1, 2);
		out[3].user = out[5].user = 1;
		out[0].place = out[1].place = 3;
		out[3].place = 1;
		out[4].place = 5;
	} else if (number == 7) { /* … who says now this and now that */
		out[2] = up(1, 1, 2, 1, 9, 30);
		out[3] = up(1, 1, 2, 2, 9, 30);
		out[4] = up(1, 1, 2, 3, 9, 30);
		out[5] = up(2, 0, 3, 1, 9, 30);
		out[2].user = out[3].user = out[4].user = 1;
		out[0].place = 1;
		out[1].place = 5;
		out[2].place = 4;
		out[3].place = 1;
		out[5].place = 2;
	}
}

/* A number that the caller may set. */
static unsigned long environment(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);
	char *end;
	unsigned long value;

	if (!text)
		return otherwise;
	value = strtoul(text, &end, 10);
	if (!*text || *end)
		fail_msg("%s: \"%s\" is no number", name, text);
	return value;
}

/* ---- every order of up to five ---- */

#define ALPHABET (WORLD + 6)

static void extend(struct schedule *schedule, const struct model_step *alphabet, unsigned more)
{
	if (!more) {
		check(schedule); /* which checks every beginning of it too */
		return;
	}
	for (unsigned i = 0; i < ALPHABET; i++) {
		schedule->steps[schedule->count++] = alphabet[i];
		extend(schedule, alphabet, more - 1);
		schedule->count--;
	}
}

static void begin(struct schedule *schedule, unsigned beginning, unsigned number)
{
	struct model_step restore[2] = {up(0, 0, 1, 0, 1, REGISTRY_RESTORED_LEASE_S),
					up(1, 0, 2, 0, 2, REGISTRY_RESTORED_LEASE_S)};

	schedule->count = 0;
	if (beginning == 1) {
		restore[1].user = number == 2;
		for (unsigned i = 0; i < 2; i++) {
			restore[i].kind = MODEL_RESTORE;
			add(schedule, restore[i]);
		}
	}
	add(schedule, event(MODEL_CONNECT));
	if (beginning == 0)
		add(schedule, event(MODEL_MARKER));
}

static void every_order_of_up_to_five_messages_and_events(void **state)
{
	struct model_step alphabet[ALPHABET] = {[WORLD] = event(MODEL_CONNECT),
						[WORLD + 1] = event(MODEL_MARKER),
						[WORLD + 2] = event(MODEL_DISCONNECT),
						[WORLD + 3] = pass(900),
						[WORLD + 4] = pass(9000),
						[WORLD + 5] = event(MODEL_OPEN)};
	struct schedule schedule = {.count = 0};

	(void)state;
	for (unsigned number = 0; number < WORLDS; number++)
		for (unsigned beginning = 0; beginning < 2; beginning++) {
			world(number, alphabet);
			begin(&schedule, beginning, number);
			schedule.lost_grace_ms = number % 2 && beginning == 0 ? 1000 : 0;
			schedule.ask = number > 0;
			/* Five deep from a running host; from one that starts, where there is less to do, four. */
			extend(&schedule, alphabet, beginning == 0 ? 5 : 4);
		}
}

/* ---- a look that came too early ---- */

/* The first is believed to be lost, and of the second one it is found that the broker stops: all that may follow, three deep. */
static void a_port_that_is_closed_a_moment_late(void **state)
{
	static const int pauses[] = {1, 100, 1900, 2100, 9000};
	struct model_step alphabet[ALPHABET] = {up(0, 0, 1, 2, 1, 300), up(0, 0, 3, 3, 4, 300), end_of(MODEL_LOST, 0, 0, 1), end_of(MODEL_LOST, 1, 0, 2),
						end_of(MODEL_DOWN, 0, 0, 1), up(2, 1, 4, 1, 1, 300), event(MODEL_CONNECT), event(MODEL_MARKER),
						event(MODEL_DISCONNECT), pass(900), pass(61000), event(MODEL_CLOSED)};
	struct schedule schedule = {.ask = true};

	(void)state;
	for (unsigned number = 0; number < 2 * sizeof(pauses) / sizeof(pauses[0]); number++) {
		schedule.count = 0;
		add(&schedule, event(MODEL_CONNECT));
		add(&schedule, event(MODEL_MARKER));
		add(&schedule, up(0, 0, 1, 1, 1, 300));
		add(&schedule, up(1, 0, 2, 1, 2, 300));
		schedule.steps[3].user = alphabet[3].user = number % 2;
		add(&schedule, end_of(MODEL_LOST, 0, 0, 1));
		add(&schedule, event(MODEL_OPEN));
		add(&schedule, pass(pauses[number / 2]));
		add(&schedule, alphabet[3]);
		add(&schedule, event(MODEL_CLOSED));
		extend(&schedule, alphabet, 3);
	}
}

/* ---- every order of six messages, all or some of them, and a reconnect ---- */

/* A reconnect in front of message at; the unacked messages before it are delivered again. */
static void check_reconnects(const struct schedule *messages)
{
	for (unsigned at = 0; at <= messages->count; at++)
		for (unsigned unacked = 0; unacked <= at; unacked += 2) {
			struct schedule schedule = {.lost_grace_ms = messages->lost_grace_ms,
						    .ask = messages->ask,
						    .conflict = messages->conflict};

			begin(&schedule, 0, 0);
			for (unsigned i = 0; i < at; i++)
				add(&schedule, messages->steps[i]);
			add(&schedule, pass(300));
			add(&schedule, event(MODEL_DISCONNECT));
			add(&schedule, pass(300));
			add(&schedule, event(MODEL_CONNECT));
			for (unsigned i = at - unacked; i < at; i++)
				add(&schedule, messages->steps[i]);
			add(&schedule, event(MODEL_MARKER));
			for (unsigned i = at; i < messages->count; i++)
				add(&schedule, messages->steps[i]);
			add(&schedule, pass(8100));
			check(&schedule);
		}
}

static void order_some(struct schedule *messages, const struct model_step *all, unsigned used)
{
	check_reconnects(messages);
	for (unsigned i = 0; i < WORLD; i++) {
		if (used >> i & 1)
			continue;
		add(messages, all[i]);
		order_some(messages, all, used | 1U << i);
		messages->count--;
	}
}

static void every_order_of_six_messages_with_losses_and_a_reconnect(void **state)
{
	struct model_step all[WORLD];
	struct schedule messages = {.count = 0};

	(void)state;
	for (unsigned number = 0; number < WORLDS; number++) {
		messages.conflict = (enum model_conflict)(number % 3);
		messages.ask = number % 2;
		world(number, all);
		order_some(&messages, all, 0);
	}
}

/* ---- every order of eight messages, all or some of them, one of them twice ---- */

#define EIGHT        8
#define EIGHT_WORLDS 3

/* How often a message can come again in a schedule of eight: behind each of those that follow it, and at once. */
#define AGAIN (EIGHT * (EIGHT + 1) / 2)

static void eight(unsigned number, struct model_step out[EIGHT])
{
	/*
	 * One instance whose connection breaks; another that shares its name; a third, of another name, that takes its
	 * address over.
	 */
	out[0] = up(0, 0, 1, 1, 1, 10);
	out[1] = up(0, 0, 1, 2, 1, 30);
	out[2] = end_of(MODEL_LOST, 0, 0, 1);
	out[3] = up(0, 0, 2, 3, 3, 30);
	out[4] = up(1, 0, 4, 1, 4, 30);
	out[5] = end_of(MODEL_LOST, 1, 0, 4);
	out[6] = up(2, 1, 7, 1, 1, 30);
	out[7] = end_of(MODEL_DOWN, 2, 1, 7);
	if (number == 1) { /* the third is somebody else's */
		out[6].user = out[7].user = 1;
	} else if (number == 2) { /* the second is somebody else's and wants the third's name too, which says its up again */
		out[4].user = out[5].user = 1;
		out[4].alias = true;
		out[7] = up(2, 1, 7, 2, 6, 30);
	}
}

/* The number-th way of saying one of them twice. */
static void check_again(const struct schedule *messages, unsigned number)
{
	struct schedule schedule = {.lost_grace_ms = messages->lost_grace_ms, .ask = messages->ask, .conflict = messages->conflict};
	unsigned which = 0;

	for (; number >= EIGHT - which; which++)
		number -= EIGHT - which;
	begin(&schedule, 0, 0);
	for (unsigned i = 0; i < EIGHT; i++) {
		add(&schedule, messages->steps[i]);
		if (i == which + number)
			add(&schedule, messages->steps[which]);
	}
	add(&schedule, pass(1100));
	check(&schedule);
}

static void order_eight(struct schedule *messages, const struct model_step *all, unsigned used, unsigned stride)
{
	static unsigned first;

	if (messages->count == EIGHT) { /* every beginning of it is checked too, and so every order of some of them */
		for (unsigned again = first++ % stride; again < AGAIN; again += stride)
			check_again(messages, again);
		return;
	}
	for (unsigned i = 0; i < EIGHT; i++) {
		if (used >> i & 1)
			continue;
		add(messages, all[i]);
		order_eight(messages, all, used | 1U << i, stride);
		messages->count--;
	}
}

static void every_order_of_eight_messages_with_losses_and_one_twice(void **state)
{
	unsigned stride = (unsigned)environment("MODEL_STRIDE", AGAIN / 2);
	struct model_step all[EIGHT];
	struct schedule messages = {.count = 0};

	(void)state;
	assert_int_in_range(stride, 1, AGAIN);
	for (unsigned number = 0; number < EIGHT_WORLDS; number++) {
		messages.conflict = (enum model_conflict)(number % 3);
		messages.ask = number % 2;
		messages.lost_grace_ms = number == 1 ? 1000 : 0;
		eight(number, all);
		order_eight(&messages, all, 0, stride);
	}
}

/* ---- random ---- */

static uint64_t random_state;

static unsigned below(unsigned bound)
{
	/* xorshift64*: the same everywhere for the same seed. */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)((random_state * UINT64_C(2685821657736338717) >> 33) % bound);
}

/* Eight messages of three instances over two names. */
#define POOL 8

static struct model_step random_message(unsigned instance, unsigned name, unsigned user)
{
	static const unsigned leases[] = {10, 30, 30, 100};
	unsigned session = 1 + 3 * instance + below(3), kind = below(8);
	struct model_step step =
		up(instance, name, session, 1 + below(6), 1 + below((1U << MODEL_ADDRESSES) - 1), leases[below(4)]);

	if (below(2))
		step.addresses = 1U << below(3);
	step.alias = below(6) == 0;
	if (kind == 6)
		step.kind = MODEL_DOWN;
	if (kind == 5 || kind == 7)
		step.kind = MODEL_LOST;
	step.user = user;
	/* Mostly where the others are, so that they meet. */
	step.place = below(4) == 0 ? below(MODEL_PLACES) : instance == 0 ? 1 : session % 3 + 1;
	return step;
}

static void random_pool(struct model_step pool[POOL])
{
	unsigned rivals = below(3) == 0;
	bool placed = below(3) > 0;

	for (unsigned i = 0; i < POOL; i++) {
		unsigned instance = below(MODEL_INSTANCES);

		/* An instance has one name and one user, unless somebody cheats. */
		pool[i] = random_message(instance, instance == 2, rivals && instance == 1);
		if (!placed)
			pool[i].place = 0;
		if (pool[i].kind == MODEL_UP && below(16) == 0)
			pool[i].user = 1 - pool[i].user;
		if (pool[i].kind == MODEL_UP && below(16) == 0)
			pool[i].name = 1 - pool[i].name;
		/* The third has no session now and then: --once. */
		if (instance == 2 && pool[0].seq % 3 == 0 && pool[i].kind == MODEL_UP)
			pool[i].session = 0;
	}
}

static struct model_step random_step(const struct model_step pool[POOL], enum model_phase *phase)
{
	static const int times[] = {10, 100, 700, 1000, 1900, 3000, 7000, 8000, 15000, 40000};
	unsigned dice = below(100);
	struct model_step step = pool[below(POOL)];

	/* Offline and before the marker there is little to see: leave soon, mostly. */
	if (*phase == MODEL_OFFLINE && dice < 60)
		step = event(MODEL_CONNECT);
	else if (*phase == MODEL_BEFORE_MARKER && dice < 30)
		step = event(MODEL_MARKER);
	else if (dice >= 97)
		step = event(MODEL_CONNECT + (enum model_kind)below(2));
	else if (dice >= 91)
		step = event(MODEL_DISCONNECT);
	else if (dice >= 76)
		step = pass(times[below(sizeof(times) / sizeof(times[0]))]);
	else if (dice >= 70)
		step = event(dice == 75 ? MODEL_CLOSED : MODEL_OPEN);
	else if (dice == 69)
		step = (struct model_step){.kind = MODEL_FORGET, .name = below(MODEL_NAMES)};
	if (step.kind == MODEL_CONNECT)
		*phase = MODEL_BEFORE_MARKER;
	else if (step.kind == MODEL_MARKER && *phase == MODEL_BEFORE_MARKER)
		*phase = MODEL_SYNCED;
	else if (step.kind == MODEL_DISCONNECT)
		*phase = MODEL_OFFLINE;
	return step;
}

static void random_schedule(struct schedule *schedule)
{
	static const int graces[] = {0, 0, 500, 1000};
	struct model_step pool[POOL];
	enum model_phase phase = MODEL_OFFLINE;
	unsigned length = 6 + below(35), restored = below(3) == 0 ? below(4) : 0;

	random_pool(pool);
	schedule->count = 0;
	schedule->lost_grace_ms = graces[below(4)];
	schedule->ask = below(3) > 0;
	schedule->conflict = (enum model_conflict)below(3);
	for (unsigned i = 0; i < restored; i++) {
		struct model_step step = pool[below(POOL)];

		if (step.kind != MODEL_UP || !step.session)
			continue;
		step.kind = MODEL_RESTORE;
		add(schedule, step);
	}
	while (schedule->count < length)
		add(schedule, random_step(pool, &phase));
}

static void random_orders_losses_and_repetitions(void **state)
{
	unsigned long seed = environment("MODEL_SEED", 1), budget = environment("MODEL_STEPS", STEPS_RANDOM);
	struct schedule schedule;

	(void)state;
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	print_message("MODEL_SEED=%lu MODEL_STEPS=%lu\n", seed, budget);
	steps_run = steps_open = 0;
	while (steps_run < budget) {
		random_schedule(&schedule);
		check(&schedule);
	}
	print_message("%lu steps compared, %lu left out\n", steps_run, steps_open);
}

int main(void)
{
	const struct CMUnitTest replayed[] = {cmocka_unit_test(replay)};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_of_up_to_five_messages_and_events),
		cmocka_unit_test(a_port_that_is_closed_a_moment_late),
		cmocka_unit_test(every_order_of_six_messages_with_losses_and_a_reconnect),
		cmocka_unit_test(every_order_of_eight_messages_with_losses_and_one_twice),
		cmocka_unit_test(random_orders_losses_and_repetitions),
	};

	if (getenv("MODEL_REPLAY"))
		return cmocka_run_group_tests(replayed, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
