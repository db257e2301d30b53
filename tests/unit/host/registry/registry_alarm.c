#include <config.h>

#include "tests/unit/hostkit.h"

/*
 * A broker in alarm (memory, disk) takes messages from nobody, so renewals stay away from those that live. registry_blocked() makes leases stand
 * still meanwhile; registry_doubts() is how the daemon comes to ask whether there is an alarm, since a broker tells only those who publish. One that is
 * not heard at all leaves as much open: registry_unheard().
 */

#define LEASE_MS (KIT_LEASE_S * 1000)
#define DOUBT_MS (LEASE_MS - LEASE_MS / 4)

static void kit_blocked(struct kit *kit, bool blocked)
{
	registry_blocked(kit->registry, blocked, kit->now_ms);
	kit_settle(kit);
}

static void kit_open_with(struct kit *kit, int64_t lost_grace_ms)
{
	struct registry_options options = kit_options();

	options.lost_grace_ms = lost_grace_ms;
	kit_open_synced(kit, &options, VIEW_ALL);
	kit_up(kit, "a", 1, 1, 1, 1);
}

static void leases_stand_still_in_alarm(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_pass(&kit, LEASE_MS - 1000);
	kit_blocked(&kit, true);
	kit_pass(&kit, 10 * LEASE_MS);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_blocked(&kit, false);
	kit_pass(&kit, 999);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	assert_string_equal(kit.why, "lease over");
	kit_close(&kit);
}

static void lost_comes_through_an_alarm(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_blocked(&kit, true);
	kit_lost(&kit, "a", 1, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

static void a_grace_does_not_stand_still(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 3000);
	kit_blocked(&kit, true);
	kit_lost(&kit, "a", 1, 1);
	kit_pass(&kit, 2999);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

/* An alarm during which the connection breaks: nobody could renew from its beginning to the reconnect. */
static void an_outage_begins_with_the_alarm_before_it(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_pass(&kit, LEASE_MS - 20000);
	kit_blocked(&kit, true);
	kit_pass(&kit, 5 * LEASE_MS);
	kit_disconnect(&kit);
	kit_pass(&kit, 5 * LEASE_MS);
	kit_connect(&kit);
	kit_pass(&kit, 19999);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

/* Alarms that come and go must not keep the dead for ever: one extension for each confirmation. */
static void a_lease_is_extended_once(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_blocked(&kit, true);
	kit_pass(&kit, 5000);
	kit_blocked(&kit, false);
	kit_blocked(&kit, true);
	kit_pass(&kit, 2 * LEASE_MS);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_blocked(&kit, false);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

static void told_twice_is_told_once(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_blocked(&kit, false);
	kit_blocked(&kit, true);
	kit_pass(&kit, LEASE_MS / 2);
	kit_blocked(&kit, true);
	kit_pass(&kit, LEASE_MS / 2);
	kit_blocked(&kit, false);
	kit_pass(&kit, LEASE_MS - 1);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

static void a_lease_nearly_over_is_a_doubt(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_pass(&kit, DOUBT_MS - 1);
	assert_true(registry_doubt_ms(kit.registry) > kit.now_ms);
	assert_false(registry_doubts(kit.registry, kit.now_ms));
	kit_pass(&kit, 1);
	assert_true(registry_doubt_ms(kit.registry) <= kit.now_ms);
	assert_true(registry_doubts(kit.registry, kit.now_ms));
	/* Again, but not at each turn of the loop. */
	assert_int_equal(registry_doubt_ms(kit.registry), kit.now_ms + REGISTRY_DOUBT_PAUSE_MS);
	assert_false(registry_doubts(kit.registry, kit.now_ms));
	kit_pass(&kit, REGISTRY_DOUBT_PAUSE_MS);
	assert_true(registry_doubts(kit.registry, kit.now_ms));
	kit_close(&kit);
}

static void renewals_leave_no_doubt(void **state)
{
	struct kit kit;
	uint64_t seq;

	(void)state;
	kit_open_with(&kit, 0);
	for (seq = 2; seq < 20; seq++) {
		kit_pass(&kit, LEASE_MS / 3);
		kit_up(&kit, "a", 1, 1, seq, 1);
		/* The bound may be early, and then is put right. */
		assert_false(registry_doubts(kit.registry, kit.now_ms));
		assert_true(registry_doubt_ms(kit.registry) > kit.now_ms);
	}
	kit_close(&kit);
}

static void one_without_session_is_no_doubt(void **state)
{
	struct registry_options options = kit_options();
	struct kit kit;

	(void)state;
	kit_open_synced(&kit, &options, VIEW_ALL);
	kit_up(&kit, "once", 1, 0, 1, 1);
	kit_pass(&kit, LEASE_MS - 1);
	assert_false(registry_doubts(kit.registry, kit.now_ms));
	assert_true(registry_doubt_ms(kit.registry) == CLOCK_NEVER);
	kit_close(&kit);
}

static void no_doubt_while_it_is_known_why(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_pass(&kit, DOUBT_MS);
	kit_blocked(&kit, true);
	assert_true(registry_doubt_ms(kit.registry) == CLOCK_NEVER);
	assert_false(registry_doubts(kit.registry, kit.now_ms));
	kit_blocked(&kit, false);
	assert_true(registry_doubts(kit.registry, kit.now_ms));
	kit_disconnect(&kit);
	assert_true(registry_doubt_ms(kit.registry) == CLOCK_NEVER);
	kit_close(&kit);
}

/* Nobody can answer a roll call: it was dropping the living when a daemon started or reconnected during an alarm. */
static void a_resync_stands_still_in_alarm(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_up(&kit, "b", 2, 2, 1, 2);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_blocked(&kit, true);
	kit_pass(&kit, 60000);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_blocked(&kit, false);
	kit_pass(&kit, kit.options.resync_timeout_ms - 1);
	kit_up(&kit, "b", 2, 2, 2, 2);
	kit_pass(&kit, kit.options.resync_timeout_ms - 1);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	assert_string_equal(kit_served(&kit, "b"), "2");
	kit_close(&kit);
}

static void all_answered_before_the_alarm_ends_the_resync(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_blocked(&kit, true);
	kit_up(&kit, "a", 1, 1, 2, 1);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	kit_close(&kit);
}

static void silence_after_a_roll_call_is_a_doubt(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_up(&kit, "b", 2, 2, 1, 2);
	kit_connect(&kit);
	assert_true(registry_doubt_ms(kit.registry) == CLOCK_NEVER);
	kit_marker(&kit);
	kit_pass(&kit, kit.options.resync_timeout_ms / 2 - 1);
	assert_false(registry_doubts(kit.registry, kit.now_ms));
	kit_pass(&kit, 1);
	assert_true(registry_doubts(kit.registry, kit.now_ms));
	assert_false(registry_doubts(kit.registry, kit.now_ms));
	/* One answers, the other does not. */
	kit_pass(&kit, 1000);
	kit_up(&kit, "b", 2, 2, 2, 2);
	assert_false(registry_doubts(kit.registry, kit.now_ms));
	kit_pass(&kit, kit.options.resync_timeout_ms / 2);
	assert_true(registry_doubts(kit.registry, kit.now_ms));
	kit_close(&kit);
}

/* ---- a broker that is not heard ---- */

static void kit_unheard(struct kit *kit, bool unheard)
{
	registry_unheard(kit->registry, unheard, kit->now_ms);
	kit_settle(kit);
}

static void what_is_judged_by_silence_is_told_when_it_is_due(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_pass(&kit, LEASE_MS - 1);
	assert_false(registry_judges(kit.registry, kit.now_ms));
	assert_true(registry_judges(kit.registry, kit.now_ms + 1));
	kit_unheard(&kit, true);
	assert_false(registry_judges(kit.registry, kit.now_ms + 1));
	kit_close(&kit);
	kit_open_with(&kit, 0);
	kit_connect(&kit);
	kit_marker(&kit);
	assert_false(registry_judges(kit.registry, kit.now_ms + kit.options.resync_timeout_ms - 1));
	assert_true(registry_judges(kit.registry, kit.now_ms + kit.options.resync_timeout_ms));
	kit_disconnect(&kit);
	assert_false(registry_judges(kit.registry, kit.now_ms + kit.options.resync_timeout_ms));
	kit_close(&kit);
}

static void leases_stand_still_while_the_broker_is_not_heard(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_pass(&kit, LEASE_MS - 100);
	kit_unheard(&kit, true);
	kit_pass(&kit, 20000);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_unheard(&kit, false);
	kit_pass(&kit, 99);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

/* The one extension that there is for each confirmation is for when it is needed. */
static void an_answer_at_once_lengthens_nothing(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_unheard(&kit, true);
	kit_pass(&kit, 999);
	kit_unheard(&kit, false);
	kit_unheard(&kit, true);
	kit_pass(&kit, 5000);
	kit_unheard(&kit, false);
	kit_pass(&kit, LEASE_MS - 1000);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

/* A host that had stopped hearing in the middle of a resync dropped the living: their answers were on the way. */
static void a_resync_stands_still_while_the_broker_is_not_heard(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_up(&kit, "b", 2, 2, 1, 2);
	kit_up(&kit, "c", 3, 3, 1, 3);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_pass(&kit, kit.options.resync_timeout_ms - 1);
	kit_unheard(&kit, true);
	kit_pass(&kit, 60000);
	/* What was on the way stands before the answer. */
	kit_up(&kit, "a", 1, 1, 2, 1);
	assert_string_equal(kit_served(&kit, "b"), "2");
	kit_unheard(&kit, false);
	kit_pass(&kit, 1000);
	assert_string_equal(kit_served(&kit, "b"), "2");
	kit_up(&kit, "b", 2, 2, 2, 2);
	kit_pass(&kit, kit.options.resync_timeout_ms - 1);
	assert_string_equal(kit_served(&kit, "c"), "3");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "1");
	assert_string_equal(kit_served(&kit, "b"), "2");
	assert_string_equal(kit_served(&kit, "c"), "");
	kit_close(&kit);
}

static void after_a_late_answer_the_silent_have_half_of_their_time_again(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_pass(&kit, kit.options.resync_timeout_ms - 1);
	kit_unheard(&kit, true);
	kit_pass(&kit, 1000);
	kit_unheard(&kit, false);
	kit_pass(&kit, kit.options.resync_timeout_ms / 2 - 1);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

/* A message of somebody else's that comes first is no reason to judge those whose answers are right behind it. */
static void a_message_judges_nobodys_silence(void **state)
{
	struct announcement message = kit_announce("new", 9, 9, 1, 9);
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_connect(&kit);
	kit_marker(&kit);
	kit.now_ms += kit.options.resync_timeout_ms;
	assert_int_equal(registry_up(kit.registry, &message, "web", kit.now_ms), REGISTRY_APPLIED);
	message = kit_announce("a", 1, 1, 2, 1);
	assert_int_equal(registry_up(kit.registry, &message, "web", kit.now_ms), REGISTRY_APPLIED);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	kit_settle(&kit);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_close(&kit);
}

static void an_outage_begins_with_the_question_that_nobody_answered(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_pass(&kit, LEASE_MS - 20000);
	kit_unheard(&kit, true);
	kit_pass(&kit, 30000);
	kit_disconnect(&kit);
	kit_pass(&kit, 5 * LEASE_MS);
	kit_connect(&kit);
	kit_pass(&kit, 19999);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

static void an_alarm_is_an_answer_and_began_with_the_question(void **state)
{
	struct kit kit;

	(void)state;
	kit_open_with(&kit, 0);
	kit_pass(&kit, LEASE_MS - 1000);
	kit_unheard(&kit, true);
	kit_pass(&kit, 20000);
	kit_blocked(&kit, true);
	kit_unheard(&kit, false);
	kit_pass(&kit, LEASE_MS);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_blocked(&kit, false);
	kit_pass(&kit, 999);
	assert_string_equal(kit_served(&kit, "a"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leases_stand_still_in_alarm),
		cmocka_unit_test(lost_comes_through_an_alarm),
		cmocka_unit_test(a_grace_does_not_stand_still),
		cmocka_unit_test(an_outage_begins_with_the_alarm_before_it),
		cmocka_unit_test(a_lease_is_extended_once),
		cmocka_unit_test(told_twice_is_told_once),
		cmocka_unit_test(a_lease_nearly_over_is_a_doubt),
		cmocka_unit_test(renewals_leave_no_doubt),
		cmocka_unit_test(one_without_session_is_no_doubt),
		cmocka_unit_test(no_doubt_while_it_is_known_why),
		cmocka_unit_test(a_resync_stands_still_in_alarm),
		cmocka_unit_test(all_answered_before_the_alarm_ends_the_resync),
		cmocka_unit_test(silence_after_a_roll_call_is_a_doubt),
		cmocka_unit_test(what_is_judged_by_silence_is_told_when_it_is_due),
		cmocka_unit_test(leases_stand_still_while_the_broker_is_not_heard),
		cmocka_unit_test(an_answer_at_once_lengthens_nothing),
		cmocka_unit_test(a_resync_stands_still_while_the_broker_is_not_heard),
		cmocka_unit_test(after_a_late_answer_the_silent_have_half_of_their_time_again),
		cmocka_unit_test(a_message_judges_nobodys_silence),
		cmocka_unit_test(an_outage_begins_with_the_question_that_nobody_answered),
		cmocka_unit_test(an_alarm_is_an_answer_and_began_with_the_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
