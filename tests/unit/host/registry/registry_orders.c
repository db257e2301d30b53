/*
 * Every order in which a story's messages may reach a host, generated: whatever the order, the registry ends right, and
 * so all hosts agree.
 *
 * What RabbitMQ can really do:
 * - One channel's publishes reach one queue in their order (AMQP 0-9-1, section 4.7), so the messages of one session
 *   keep theirs.
 * - The lost of a session does not come from its channel but from the mailbox queue, which is another process inside
 *   the broker. It may arrive long after the session's last publish, and it may overtake what its channel still has in
 *   hand. It cannot come before the session's first publish: the mailbox is declared after that, on the same channel.
 * - Two sessions are two channels. The second is opened after the first has died, but what the first sent last may
 *   still stand in the broker's receive buffer; so their messages may mix, at least at the seam.
 * - When the host's own connection dies, what it had not acked is delivered again, in its order, after the reconnect.
 * Included for safety, though no broker was seen to do it: any mixture of two sessions, not only at the seam (a whole
 * session after its successor), and a lost that is later than everything else.
 */
#include <config.h>

#include "tests/unit/hostkit.h"

#define ITEMS_MAX 8

struct item {
	enum announcement_op op;
	const char *name;
	unsigned instance, session;
	uint64_t seq;
	unsigned address;
	uint32_t lease_s;
	unsigned after; /* the items that must have come before it, a bit each */
};

struct story {
	struct item items[ITEMS_MAX];
	unsigned count;
	unsigned alive;  /* instances that live in the end, a bit each: their emitters answer a roll call */
	const char *web; /* what "web" and "old" resolve to in the end (conflict = all) */
	const char *old;
	unsigned stride; /* try every stride-th order only where the host reconnects too; 1: all */
};

#define UP(name, instance, session, seq, address, after)                                                               \
	{                                                                                                              \
		ANNOUNCEMENT_UP, name, instance, session, seq, address, KIT_LEASE_S, after                             \
	}
#define PROVISIONAL(name, instance, session, seq, address, after)                                                      \
	{                                                                                                              \
		ANNOUNCEMENT_UP, name, instance, session, seq, address, ANNOUNCEMENT_LEASE_PROVISIONAL_S, after        \
	}
#define DOWN(name, instance, session, seq, after)                                                                      \
	{                                                                                                              \
		ANNOUNCEMENT_DOWN, name, instance, session, seq, 0, 0, after                                           \
	}
#define LOST(name, instance, session, after)                                                                           \
	{                                                                                                              \
		ANNOUNCEMENT_LOST, name, instance, session, 0, 0, 0, after                                             \
	}
#define B(item) (1U << (item))

/* How a host lives through it. */
struct life {
	enum view_conflict conflict;
	int64_t lost_grace_ms, gap_ms; /* gap: between two messages */
	enum { RUNNING, STARTING, RECONNECTING } kind;
	unsigned at;      /* the marker (STARTING) or the loss of the connection (RECONNECTING) comes before this message */
	unsigned unacked; /* RECONNECTING: so many messages before that are delivered again */
};

struct text {
	char bytes[1024];
	size_t length;
};

static struct announcement messages[ITEMS_MAX];
static struct text agreed; /* what the first host of a story believed in the end */
static bool anybody;       /* whether there was a first host yet */
static unsigned long runs;

static void prepare(const struct story *story)
{
	for (unsigned i = 0; i < story->count; i++) {
		const struct item *item = &story->items[i];

		messages[i] = kit_message(item->op, item->name, item->instance, item->session, item->seq);
		if (item->op == ANNOUNCEMENT_UP) {
			messages[i].lease_s = item->lease_s;
			kit_add_address(&messages[i], item->address);
		}
	}
}

/* The last up of each living instance once more, with a higher seq: what its emitter answers to a roll call. */
static void answer(struct kit *kit, const struct story *story)
{
	for (unsigned instance = 1; instance < 8; instance++) {
		unsigned last = ITEMS_MAX;

		if (!(story->alive & B(instance)))
			continue;
		for (unsigned i = 0; i < story->count; i++)
			if (story->items[i].instance == instance && story->items[i].op == ANNOUNCEMENT_UP &&
			    (last == ITEMS_MAX || story->items[i].seq > story->items[last].seq))
				last = i;
		if (last < ITEMS_MAX) {
			struct announcement message = messages[last];

			message.seq += 100;
			kit_deliver(kit, &message, "web");
		}
	}
}

__attribute__((format(printf, 2, 3))) static void append(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->bytes + text->length, sizeof(text->bytes) - text->length, format, arguments);
	va_end(arguments);
	assert_true(length >= 0 && (size_t)length < sizeof(text->bytes) - text->length);
	text->length += (size_t)length;
}

static bool append_listing(void *arg, const struct listing *listing)
{
	struct text *text = arg;

	/* Hosts need not agree on the order of their lines; the stories have few instances, so sort by number. */
	for (unsigned i = 0; i < listing->fact->naddresses; i++)
		append(text, "%u:%s=%u ", kit_instance_number(&listing->fact->instance), listing->fact->name,
		       listing->addresses >> i & 1 ? kit_address_number(&listing->fact->addresses[i]) : 0);
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Everything listed and everything believed, in an order of its own. */
static void digest(struct kit *kit, struct text *out)
{
	struct text text = {{0}, 0};
	char words[16][64];
	unsigned count = 0;
	char *rest = text.bytes;

	view_each(kit->view, append_listing, &text);
	for (char *word; count < 16 && (word = strtok_r(rest, " ", &rest)) != NULL; count++)
		snprintf(words[count], sizeof(words[count]), "%s", word);
	qsort(words, count, sizeof(words[0]), by_text);
	out->bytes[0] = '\0';
	out->length = 0;
	for (unsigned i = 0; i < count; i++)
		append(out, "%s ", words[i]);
	for (unsigned instance = 1; instance < 8; instance++) {
		const struct fact *fact = kit_find(kit, instance);

		if (fact)
			append(out, "fact %u session %u address %u; ", instance, fact->session.bytes[15],
			       kit_address_number(&fact->addresses[0]));
	}
}

static void explain(const struct story *story, const struct life *life, const unsigned *order, const char *what)
{
	static const char *const kinds[] = {"running", "marker before message", "reconnect before message"};

	print_error("%s\nconflict %d, lost_grace %d ms, %d ms between messages, %s %u (%u redelivered); the order:\n",
		    what, (int)life->conflict, (int)life->lost_grace_ms, (int)life->gap_ms, kinds[life->kind], life->at,
		    life->unacked);
	for (unsigned i = 0; i < story->count; i++) {
		const struct item *item = &story->items[order[i]];

		print_error("  %s %s instance %u session %u seq %u address %u lease %u\n",
			    announcement_op_name(item->op), item->name, item->instance, item->session,
			    (unsigned)item->seq, item->address, item->lease_s);
	}
}

static void host_event(struct kit *kit, const struct life *life, const unsigned *order, unsigned position)
{
	if (life->kind == RUNNING || life->at != position)
		return;
	if (life->kind == RECONNECTING) {
		kit_disconnect(kit);
		kit_pass(kit, 300);
		kit_connect(kit);
		for (unsigned i = position - life->unacked; i < position; i++)
			kit_deliver(kit, &messages[order[i]], "web");
	}
	kit_marker(kit);
}

static void live(struct kit *kit, const struct story *story, const struct life *life, const unsigned *order)
{
	struct registry_options options = kit_options();

	options.lost_grace_ms = life->lost_grace_ms;
	if (life->kind == STARTING) {
		kit_open(kit, &options, life->conflict);
		kit_connect(kit);
	} else {
		kit_open_synced(kit, &options, life->conflict);
	}
	for (unsigned i = 0; i < story->count; i++) {
		host_event(kit, life, order, i);
		kit_deliver(kit, &messages[order[i]], "web");
		kit_pass(kit, life->gap_ms);
	}
	host_event(kit, life, order, story->count);
	if (life->kind != RUNNING)
		answer(kit, story);
	/* Graces, a resync and what was provisional are over then; full leases are not. */
	kit_pass(kit, 60000);
	view_refresh(kit->view);
}

static void check(const struct story *story, const struct life *life, const unsigned *order)
{
	struct kit kit;
	struct text believed;
	const char *wrong = NULL;

	live(&kit, story, life, order);
	runs++;
	for (unsigned instance = 1; instance < 8; instance++)
		if ((kit_find(&kit, instance) != NULL) != ((story->alive & B(instance)) != 0))
			wrong = "the registry is wrong about who lives";
	if (life->conflict == VIEW_ALL && strcmp(kit_served(&kit, "web"), story->web) != 0)
		wrong = "\"web\" has the wrong addresses";
	if (life->conflict == VIEW_ALL && strcmp(kit_served(&kit, "old"), story->old) != 0)
		wrong = "\"old\" has the wrong addresses";
	digest(&kit, &believed);
	if (!anybody)
		agreed = believed;
	else if (strcmp(agreed.bytes, believed.bytes) != 0)
		wrong = "two hosts disagree";
	anybody = true;
	if (wrong) {
		explain(story, life, order, wrong);
		print_error("believed: %s\nthe first host: %s\n", believed.bytes, agreed.bytes);
		fail();
	}
	kit_close(&kit);
}

static void check_lives(const struct story *story, enum view_conflict conflict, const unsigned *order, bool reconnects)
{
	struct life life = {.conflict = conflict};

	for (int variant = 0; variant < 4; variant++) {
		life.lost_grace_ms = variant & 1 ? 8000 : 0;
		life.gap_ms = variant & 2 ? 700 : 0;
		life.kind = RUNNING;
		life.at = life.unacked = 0;
		check(story, &life, order);
		if (!reconnects)
			continue;
		for (life.at = 0; life.at <= story->count; life.at++) {
			life.kind = STARTING;
			life.unacked = 0;
			check(story, &life, order);
			life.kind = RECONNECTING;
			for (life.unacked = 0; life.unacked <= life.at; life.unacked++)
				check(story, &life, order);
		}
	}
}

static void permute(const struct story *story, enum view_conflict conflict, unsigned *order, unsigned placed,
		    unsigned done, unsigned *number)
{
	if (placed == story->count) {
		check_lives(story, conflict, order, ++*number % story->stride == 0);
		return;
	}
	for (unsigned i = 0; i < story->count; i++) {
		if (done & B(i) || (story->items[i].after & ~done))
			continue;
		order[placed] = i;
		permute(story, conflict, order, placed + 1, done | B(i), number);
	}
}

static void tell(const struct story *story)
{
	static const enum view_conflict conflicts[] = {VIEW_ALL, VIEW_NEWEST, VIEW_FIRST};
	unsigned order[ITEMS_MAX];

	prepare(story);
	for (unsigned i = 0; i < 3; i++) {
		unsigned number = 0;

		anybody = false;
		permute(story, conflicts[i], order, 0, 0, &number);
		assert_true(number > 1);
	}
}

static void two_sessions_and_the_instance_lives(void **state)
{
	static const struct story story = {{PROVISIONAL("web", 1, 1, 1, 5, 0), UP("web", 1, 1, 2, 5, B(0)),
					    LOST("web", 1, 1, B(0)), UP("web", 1, 2, 3, 6, 0),
					    UP("web", 1, 2, 4, 7, B(3))},
					   5,
					   B(1),
					   "7",
					   "",
					   1};

	(void)state;
	tell(&story);
}

static void two_sessions_and_the_instance_leaves(void **state)
{
	static const struct story story = {{PROVISIONAL("web", 1, 1, 1, 5, 0), UP("web", 1, 1, 2, 5, B(0)),
					    LOST("web", 1, 1, B(0)), UP("web", 1, 2, 3, 6, 0),
					    DOWN("web", 1, 2, 4, B(3))},
					   5,
					   0,
					   "",
					   "",
					   1};

	(void)state;
	tell(&story);
}

static void two_sessions_and_the_instance_dies(void **state)
{
	static const struct story story = {{PROVISIONAL("web", 1, 1, 1, 5, 0), UP("web", 1, 1, 2, 5, B(0)),
					    LOST("web", 1, 1, B(0)), UP("web", 1, 2, 3, 6, 0), LOST("web", 1, 2, B(3))},
					   5,
					   0,
					   "",
					   "",
					   1};

	(void)state;
	tell(&story);
}

/* It dies between its down and the ack of its will. */
static void two_sessions_and_the_instance_leaves_and_dies(void **state)
{
	static const struct story story = {{PROVISIONAL("web", 1, 1, 1, 5, 0), UP("web", 1, 1, 2, 5, B(0)),
					    LOST("web", 1, 1, B(0)), UP("web", 1, 2, 3, 6, 0),
					    DOWN("web", 1, 2, 4, B(3)), LOST("web", 1, 2, B(3))},
					   6,
					   0,
					   "",
					   "",
					   7};

	(void)state;
	tell(&story);
}

static void a_restart_on_the_same_address_after_a_down(void **state)
{
	static const struct story story = {{PROVISIONAL("web", 1, 1, 1, 5, 0), UP("web", 1, 1, 2, 5, B(0)),
					    DOWN("web", 1, 1, 3, B(1)), PROVISIONAL("web", 2, 2, 1, 5, 0),
					    UP("web", 2, 2, 2, 5, B(3))},
					   5,
					   B(2),
					   "5",
					   "",
					   1};

	(void)state;
	tell(&story);
}

static void a_restart_on_the_same_address_after_a_kill(void **state)
{
	static const struct story story = {{PROVISIONAL("web", 1, 1, 1, 5, 0), UP("web", 1, 1, 2, 5, B(0)),
					    LOST("web", 1, 1, B(0)), PROVISIONAL("web", 2, 2, 1, 5, 0),
					    UP("web", 2, 2, 2, 5, B(3))},
					   5,
					   B(2),
					   "5",
					   "",
					   1};

	(void)state;
	tell(&story);
}

static void another_container_gets_the_address_of_one_that_was_killed(void **state)
{
	static const struct story story = {{PROVISIONAL("old", 1, 1, 1, 5, 0), UP("old", 1, 1, 2, 5, B(0)),
					    LOST("old", 1, 1, B(0)), PROVISIONAL("web", 2, 2, 1, 5, 0),
					    UP("web", 2, 2, 2, 5, B(3))},
					   5,
					   B(2),
					   "5",
					   "",
					   1};

	(void)state;
	tell(&story);
}

/* Its lost never came (or not yet): the newer one has the address all the same. */
static void another_container_gets_the_address_of_one_that_seems_alive(void **state)
{
	static const struct story story = {{PROVISIONAL("old", 1, 1, 1, 5, 0), UP("old", 1, 1, 2, 5, B(0)),
					    UP("old", 1, 1, 3, 5, B(1)), PROVISIONAL("web", 2, 2, 1, 5, 0),
					    UP("web", 2, 2, 2, 5, B(3))},
					   5,
					   B(1) | B(2),
					   "5",
					   "",
					   1};

	(void)state;
	tell(&story);
}

static void two_containers_with_one_name_and_one_dies(void **state)
{
	static const struct story story = {{PROVISIONAL("web", 1, 1, 1, 5, 0), UP("web", 1, 1, 2, 5, B(0)),
					    LOST("web", 1, 1, B(0)), PROVISIONAL("web", 2, 2, 1, 6, 0),
					    UP("web", 2, 2, 2, 6, B(3)), UP("web", 3, 3, 1, 7, 0)},
					   6,
					   B(2) | B(3),
					   "6 7",
					   "",
					   7};

	(void)state;
	tell(&story);
}

static void a_restart_and_then_a_lost_connection(void **state)
{
	static const struct story story = {{PROVISIONAL("web", 1, 1, 1, 5, 0), UP("web", 1, 1, 2, 5, B(0)),
					    LOST("web", 1, 1, B(0)), PROVISIONAL("web", 2, 2, 1, 5, 0),
					    UP("web", 2, 2, 2, 5, B(3)), LOST("web", 2, 2, B(3)),
					    UP("web", 2, 3, 3, 5, 0)},
					   7,
					   B(2),
					   "5",
					   "",
					   61};

	(void)state;
	tell(&story);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_sessions_and_the_instance_lives),
		cmocka_unit_test(two_sessions_and_the_instance_leaves),
		cmocka_unit_test(two_sessions_and_the_instance_dies),
		cmocka_unit_test(two_sessions_and_the_instance_leaves_and_dies),
		cmocka_unit_test(a_restart_on_the_same_address_after_a_down),
		cmocka_unit_test(a_restart_on_the_same_address_after_a_kill),
		cmocka_unit_test(another_container_gets_the_address_of_one_that_was_killed),
		cmocka_unit_test(another_container_gets_the_address_of_one_that_seems_alive),
		cmocka_unit_test(two_containers_with_one_name_and_one_dies),
		cmocka_unit_test(a_restart_and_then_a_lost_connection),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	print_message("%lu lives of a host tried\n", runs);
	return failed;
}
