#include <config.h>

#include "tests/unit/hostkit.h"

/*
 * A broker that stops closes its port before it closes connections. So a lost is believed only when somebody has looked: registry_asks() is the
 * question, registry_answer() the answer.
 */

static void kit_open_asking(struct kit *kit, int64_t lost_grace_ms)
{
	struct registry_options options = kit_options();

	options.ask = true;
	options.lost_grace_ms = lost_grace_ms;
	kit_open_synced(kit, &options, VIEW_ALL);
	kit_up(kit, "a", 1, 1, 1, 1);
	kit_up(kit, "b", 2, 2, 1, 2);
	assert_int_equal(registry_asks(kit->registry), 0);
}

static void kit_answer(struct kit *kit, uint64_t question, bool open)
{
	registry_answer(kit->registry, question, open, kit->now_ms);
	kit_settle(kit);
}

static void a_lost_waits_for_the_answer(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_asking(&kit, 0);
	kit_lost(&kit, "a", 1, 1);
	assert_int_not_equal(registry_asks(kit.registry), 0);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_answer(&kit, registry_asks(kit.registry), true);
	assert_string_equal(kit_served(&kit, "a"), "");
	assert_string_equal(kit.why, "lost");
	assert_int_equal(registry_asks(kit.registry), 0);
	kit_close(&kit);
}

/* Somebody had looked a moment too early, and one was believed: its name was gone until our own connection closed, or for good if that took 2 s. */
static void who_was_believed_just_before_is_back_when_the_port_is_closed(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_asking(&kit, 0);
	kit_lost(&kit, "a", 1, 1);
	kit_answer(&kit, registry_asks(kit.registry), true);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_pass(&kit, 100);
	kit_lost(&kit, "b", 2, 2);
	kit_answer(&kit, registry_asks(kit.registry), false);
	assert_string_equal(kit_served(&kit, "a"), "1");
	assert_string_equal(kit_served(&kit, "b"), "2");
	/* As the other one it is kept for that long, if the broker goes on after all. */
	kit_pass(&kit, REGISTRY_CLOSED_MS - 1);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	assert_string_equal(kit_served(&kit, "b"), "");
	kit_close(&kit);
}

/* An agent's connection carries many instances: that is one death. */
static void several_are_several_sessions(void **state)
{
	struct kit kit;
	uint64_t first, second;

	(void)state;
	kit_open_asking(&kit, 0);
	kit_up(&kit, "c", 3, 1, 1, 3);
	kit_lost(&kit, "a", 1, 1);
	first = registry_asks(kit.registry);
	assert_false(registry_asks_several(kit.registry, first));
	kit_lost(&kit, "c", 3, 1);
	second = registry_asks(kit.registry);
	assert_false(registry_asks_several(kit.registry, second));
	kit_lost(&kit, "b", 2, 2);
	assert_false(registry_asks_several(kit.registry, second));
	assert_true(registry_asks_several(kit.registry, registry_asks(kit.registry)));
	kit_answer(&kit, registry_asks(kit.registry), true);
	assert_false(registry_asks_several(kit.registry, second + 1));
	kit_close(&kit);
}

/* It was looked before the second lost came: that one may be the first of a broker that stops. */
static void an_answer_is_for_the_questions_before_it(void **state)
{
	struct kit kit;
	uint64_t first;

	(void)state;
	kit_open_asking(&kit, 0);
	kit_lost(&kit, "a", 1, 1);
	first = registry_asks(kit.registry);
	kit_lost(&kit, "b", 2, 2);
	kit_answer(&kit, first, true);
	assert_string_equal(kit_served(&kit, "a"), "");
	assert_string_equal(kit_served(&kit, "b"), "2");
	assert_true(registry_asks(kit.registry) > first);
	kit_answer(&kit, registry_asks(kit.registry), true);
	assert_string_equal(kit_served(&kit, "b"), "");
	kit_close(&kit);
}

/* It closes the host's connection, too, and everything is confirmed after its return. */
static void nobody_is_missing_while_a_broker_stops(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_asking(&kit, 0);
	kit_lost(&kit, "a", 1, 1);
	kit_answer(&kit, registry_asks(kit.registry), false);
	kit_pass(&kit, 4000);
	kit_lost(&kit, "b", 2, 2);
	kit_answer(&kit, registry_asks(kit.registry), false);
	kit_pass(&kit, REGISTRY_CLOSED_MS - 4001);
	kit_disconnect(&kit);
	kit_pass(&kit, 10000);
	kit_connect(&kit);
	kit_marker(&kit);
	assert_string_equal(kit_served(&kit, "a"), "1");
	assert_string_equal(kit_served(&kit, "b"), "2");
	kit_up(&kit, "a", 1, 3, 2, 1);
	kit_pass(&kit, 8000);
	assert_string_equal(kit_served(&kit, "a"), "1");
	assert_string_equal(kit_served(&kit, "b"), "");
	assert_string_equal(kit.why, "not confirmed");
	kit_close(&kit);
}

/* It does not stop after all: somebody has closed its port, no more. */
static void a_closed_port_keeps_the_dead_for_so_long(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_asking(&kit, 0);
	kit_lost(&kit, "a", 1, 1);
	kit_answer(&kit, registry_asks(kit.registry), false);
	kit_pass(&kit, REGISTRY_CLOSED_MS - 1);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

static void no_answer_is_the_answer_open(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_asking(&kit, 0);
	kit_lost(&kit, "a", 1, 1);
	kit_pass(&kit, REGISTRY_ANSWER_MS - 1);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_answer(&kit, registry_asks(kit.registry), false);
	kit_close(&kit);
}

static void a_new_session_needs_no_answer(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_asking(&kit, 0);
	kit_lost(&kit, "a", 1, 1);
	kit_up(&kit, "a", 1, 3, 2, 1);
	assert_int_equal(registry_asks(kit.registry), 0);
	kit_pass(&kit, 2 * REGISTRY_ANSWER_MS);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_close(&kit);
}

static void a_grace_runs_from_the_lost(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_asking(&kit, 3000);
	kit_lost(&kit, "a", 1, 1);
	kit_pass(&kit, 150);
	kit_answer(&kit, registry_asks(kit.registry), true);
	kit_pass(&kit, 2849);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

/* A grace that is longer than what a closed port gives is not cut short by it. */
static void the_longer_one_holds(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_asking(&kit, 2 * REGISTRY_CLOSED_MS);
	kit_lost(&kit, "a", 1, 1);
	kit_answer(&kit, registry_asks(kit.registry), false);
	kit_pass(&kit, 2 * REGISTRY_CLOSED_MS - 1);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

/* What waits for an answer and goes for another reason leaves no question behind. */
static void down_and_forget_answer_it_too(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_asking(&kit, 0);
	kit_lost(&kit, "a", 1, 1);
	kit_lost(&kit, "b", 2, 2);
	kit_down(&kit, "a", 1, 1, 9);
	assert_int_equal(registry_forget(kit.registry, "b", kit.now_ms), 1);
	kit_settle(&kit);
	assert_int_equal(registry_asks(kit.registry), 0);
	assert_string_equal(kit_served(&kit, "a"), "");
	assert_string_equal(kit_served(&kit, "b"), "");
	kit_close(&kit);
}

/* Even where so many have ended since that this one is forgotten. */
static void a_repeated_lost_asks_nothing_more(void **state)
{
	struct registry_options options = kit_options();
	uint64_t question;
	struct kit kit;

	(void)state;
	options.ask = true;
	options.max_ended_per_user = 1;
	kit_open_synced(&kit, &options, VIEW_ALL);
	kit_up(&kit, "a", 1, 1, 1, 1);
	assert_int_equal(kit_lost(&kit, "a", 1, 1), REGISTRY_APPLIED);
	question = registry_asks(kit.registry);
	assert_int_equal(kit_lost(&kit, "b", 2, 2), REGISTRY_IGNORED_STALE);
	assert_int_equal(kit_lost(&kit, "a", 1, 1), REGISTRY_IGNORED_ENDED);
	assert_int_equal(registry_asks(kit.registry), question);
	kit_answer(&kit, question, true);
	assert_string_equal(kit_served(&kit, "a"), "");
	assert_int_equal(registry_asks(kit.registry), 0);
	assert_int_equal(kit.gone, 1);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_waits_for_the_answer),
		cmocka_unit_test(who_was_believed_just_before_is_back_when_the_port_is_closed),
		cmocka_unit_test(several_are_several_sessions),
		cmocka_unit_test(an_answer_is_for_the_questions_before_it),
		cmocka_unit_test(nobody_is_missing_while_a_broker_stops),
		cmocka_unit_test(a_closed_port_keeps_the_dead_for_so_long),
		cmocka_unit_test(no_answer_is_the_answer_open),
		cmocka_unit_test(a_new_session_needs_no_answer),
		cmocka_unit_test(a_grace_runs_from_the_lost),
		cmocka_unit_test(the_longer_one_holds),
		cmocka_unit_test(down_and_forget_answer_it_too),
		cmocka_unit_test(a_repeated_lost_asks_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
