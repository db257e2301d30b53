/*
 * The rules for the facts when the host itself comes and goes: restarts, reconnects, resync. One test each; the names
 * say the rule. docs/protocol, "What a host believes".
 */
#include <config.h>

#include "tests/unit/hostkit.h"

static struct kit kit;

static void start(void)
{
	struct registry_options options = kit_options();

	kit_open_synced(&kit, &options, VIEW_ALL);
}

static void start_restoring(void)
{
	struct registry_options options = kit_options();

	kit_open(&kit, &options, VIEW_ALL);
}

/* count instances, each with a name, a session and an address of its own, all numbered from 1. */
static const char *name_of(unsigned n)
{
	static char name[16];

	snprintf(name, sizeof(name), "n%u", n);
	return name;
}

static void up_many(unsigned from, unsigned to, uint64_t seq)
{
	for (unsigned i = from; i <= to; i++)
		assert_int_equal(kit_up(&kit, name_of(i), i, i, seq, i), REGISTRY_APPLIED);
}

static void reconnect(void)
{
	kit_disconnect(&kit);
	kit_connect(&kit);
	kit_marker(&kit);
}

static int teardown(void **state)
{
	(void)state;
	kit_close(&kit);
	return 0;
}

static void losing_the_broker_removes_nothing(void **state)
{
	(void)state;
	start();
	up_many(1, 3, 1);
	kit_pass(&kit, 3000);
	kit_disconnect(&kit);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_OFFLINE);
	kit_pass(&kit, INT64_C(1000) * ANNOUNCEMENT_LEASE_MAX_S * 3);
	assert_int_equal(kit_counts(&kit).facts, 3);
	assert_string_equal(kit_served(&kit, "n1"), "1");
	assert_int_equal(kit.gone, 0);
}

static void a_connection_makes_all_facts_unconfirmed(void **state)
{
	(void)state;
	start();
	up_many(1, 3, 1);
	assert_int_equal(kit_counts(&kit).unconfirmed, 0);
	kit_disconnect(&kit);
	kit_connect(&kit);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_RESYNC_BEFORE_MARKER);
	assert_int_equal(kit_counts(&kit).unconfirmed, 3);
	assert_int_equal(kit_state(&kit, 2), 'u');
	assert_string_equal(kit_served(&kit, "n2"), "2");
}

static void an_up_before_the_marker_applies_but_confirms_nothing(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_disconnect(&kit);
	kit_connect(&kit);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 2, 3), REGISTRY_APPLIED);
	assert_int_equal(kit_up(&kit, "db", 2, 2, 1, 4), REGISTRY_APPLIED);
	assert_string_equal(kit_served(&kit, "web"), "3");
	assert_string_equal(kit_served(&kit, "db"), "4");
	assert_int_equal(kit_state(&kit, 1), 'u');
	assert_int_equal(kit_state(&kit, 2), 'u');
	kit_marker(&kit);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_RESYNC);
	assert_int_equal(kit_counts(&kit).unconfirmed, 2);
}

static void a_down_before_the_marker_applies(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_disconnect(&kit);
	kit_connect(&kit);
	kit_down(&kit, "web", 1, 1, 2);
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void a_down_during_resync_applies(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "web", 1, 1, 1, 2);
	reconnect();
	kit_down(&kit, "web", 1, 1, 2);
	assert_int_equal(kit_state(&kit, 1), '-');
	/* It was the last one in doubt. */
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
}

static void resync_ends_when_all_is_confirmed(void **state)
{
	(void)state;
	start();
	up_many(1, 3, 1);
	kit_pass(&kit, 1000);
	reconnect();
	up_many(1, 2, 2);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_RESYNC);
	kit_pass(&kit, 500);
	up_many(3, 3, 2);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	assert_int_equal(kit_counts(&kit).synced_ms, kit.now_ms);
	assert_int_equal(kit_counts(&kit).unconfirmed, 0);
	assert_false(kit_counts(&kit).mass_loss);
	assert_int_equal(kit.gone, 0);
}

static void resync_with_nothing_known_ends_at_the_marker(void **state)
{
	(void)state;
	start_restoring();
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_OFFLINE);
	assert_int_equal(kit_counts(&kit).synced_ms, -1);
	kit_connect(&kit);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_RESYNC_BEFORE_MARKER);
	kit_marker(&kit);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	assert_int_equal(kit_counts(&kit).synced_ms, kit.now_ms);
}

static void what_nobody_confirms_goes_after_the_timeout(void **state)
{
	(void)state;
	start();
	up_many(1, 2, 1);
	kit_pass(&kit, 10000);
	reconnect();
	up_many(1, 1, 2);
	kit_pass(&kit, 7999);
	assert_string_equal(kit_served(&kit, "n2"), "2");
	kit_pass(&kit, 1);
	assert_int_equal(kit_state(&kit, 2), '-');
	assert_string_equal(kit.why, "not confirmed");
	assert_int_equal(kit_state(&kit, 1), 'c');
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	assert_int_equal(kit_counts(&kit).synced_ms, kit.now_ms);
	/* It has not ended: it was out of reach for long, and may come back. */
	assert_int_equal(kit_up(&kit, "n2", 2, 2, 2, 2), REGISTRY_APPLIED);
}

static void each_confirmation_restarts_the_timeout(void **state)
{
	(void)state;
	start();
	up_many(1, 10, 1);
	kit_pass(&kit, 10000);
	reconnect();
	for (unsigned i = 1; i <= 9; i++) {
		kit_pass(&kit, 7900);
		up_many(i, i, 2);
	}
	assert_int_equal(kit_counts(&kit).facts, 10);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_RESYNC);
	kit_pass(&kit, 8000);
	assert_int_equal(kit_counts(&kit).facts, 9);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
}

static void what_confirms_nothing_does_not_restart_the_timeout(void **state)
{
	(void)state;
	start();
	up_many(1, 2, 1);
	reconnect();
	up_many(1, 1, 2);
	kit_pass(&kit, 4000);
	up_many(1, 1, 3);                   /* confirmed already */
	kit_up(&kit, "new", 50, 50, 1, 50); /* never doubted */
	kit_up(&kit, "n2", 2, 2, 1, 2);     /* an old message */
	kit_pass(&kit, 4000);
	assert_int_equal(kit_state(&kit, 2), '-');
	assert_int_equal(kit_counts(&kit).facts, 2);
}

static void before_the_marker_the_timeout_takes_nothing(void **state)
{
	(void)state;
	start();
	up_many(1, 2, 1);
	kit_disconnect(&kit);
	kit_connect(&kit);
	/* A long queue stands before the marker: nobody could have been confirmed yet. */
	kit_pass(&kit, 60000);
	assert_int_equal(kit_counts(&kit).facts, 2);
	kit_marker(&kit);
	assert_int_equal(kit_counts(&kit).facts, 2);
	up_many(1, 2, 2);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
}

static void a_mass_loss_is_not_believed(void **state)
{
	(void)state;
	start();
	up_many(1, 41, 1);
	kit_pass(&kit, 10000);
	reconnect();
	up_many(1, 20, 2);
	kit_pass(&kit, 8000);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	assert_true(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 41);
	assert_int_equal(kit_counts(&kit).unconfirmed, 21);
	assert_string_equal(kit_served(&kit, "n41"), "41");
	/* One of them comes back, one has its lost, the others' leases end. */
	up_many(21, 21, 2);
	assert_int_equal(kit_state(&kit, 21), 'c');
	kit_lost(&kit, "n22", 22, 22);
	assert_int_equal(kit_state(&kit, 22), '-');
	kit_pass(&kit, KIT_LEASE_S * 1000 - 18001);
	assert_int_equal(kit_counts(&kit).facts, 40);
	kit_pass(&kit, 1);
	assert_int_equal(kit_counts(&kit).facts, 21);
	assert_string_equal(kit.why, "lease over");
}

/* A broker that stopped fires wills of the living, and may be slow to let them in again: their lost is no reason to drop them where the others stay. */
static void who_was_lost_stays_in_a_mass_loss_too(void **state)
{
	(void)state;
	start();
	up_many(1, 60, 1);
	kit_pass(&kit, 10000);
	reconnect();
	up_many(1, 20, 2);
	for (unsigned i = 51; i <= 60; i++)
		kit_lost(&kit, name_of(i), i, i);
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 60);
	assert_int_equal(kit_up(&kit, name_of(59), 59, 159, 2, 59), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 59), 'c');
	assert_int_equal(kit_state(&kit, 60), 'u');
}

static void restore_doubted(unsigned from, unsigned to, int64_t expires_ms)
{
	for (unsigned i = from; i <= to; i++) {
		struct announcement message = kit_announce(name_of(i), i, i, 0, i);

		assert_int_equal(registry_restore(kit.registry, &message, "web", expires_ms, kit.now_ms), REGISTRY_APPLIED);
	}
}

/*
 * A daemon that was killed every 29 s for an hour gave the dead of a mass loss another lease each time: none of them ever ended, and in the end 868 stood beside
 * 15 that lived.
 */
static void a_restart_does_not_lengthen_the_leases_of_a_mass_loss(void **state)
{
	(void)state;
	start();
	up_many(1, 30, 1);
	reconnect();
	kit.changed = 0;
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	assert_int_equal(kit.doubted, 30); /* each is told of, to be written down */
	/* Who comes back has no end written down any more. */
	up_many(1, 1, 2);
	assert_int_equal(kit.doubted, 31);
	up_many(1, 1, 3);
	assert_int_equal(kit.doubted, 31);
	assert_int_equal(kit.changed, 0); /* nobody has said anything new */
	kit_close(&kit);

	start_restoring();
	restore_doubted(1, 30, kit.now_ms + 100000);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	kit_pass(&kit, 91999);
	assert_int_equal(kit_counts(&kit).facts, 30);
	kit_pass(&kit, 1);
	assert_int_equal(kit_counts(&kit).facts, 0);
	assert_string_equal(kit.why, "lease over");
}

/* The daemon was away when it ended, and perhaps the broker, too, so that nobody could renew: they are asked first. */
static void whose_lease_of_a_mass_loss_is_over_can_still_answer(void **state)
{
	(void)state;
	start_restoring();
	restore_doubted(1, 30, kit.now_ms - 20000);
	kit_pass(&kit, 1000);
	kit_connect(&kit);
	kit_pass(&kit, 5000);
	kit_marker(&kit);
	kit_pass(&kit, 7000);
	assert_int_equal(kit_counts(&kit).facts, 30);
	assert_int_equal(kit_up(&kit, name_of(1), 1, 1, 9, 1), REGISTRY_APPLIED);
	kit_pass(&kit, 8001);
	assert_int_equal(kit_counts(&kit).facts, 1);
	assert_int_equal(kit_state(&kit, 1), 'c');
	/* And has a whole lease then. */
	kit_pass(&kit, KIT_LEASE_S * 1000 - 8002);
	assert_int_equal(kit_counts(&kit).facts, 1);
}

/* 868 dead of an hour made a mass loss of the one who died last, too, who stayed for a lease then. */
static void whose_lease_was_over_makes_no_mass_loss(void **state)
{
	(void)state;
	start_restoring();
	restore_doubted(1, 30, kit.now_ms - 20000);
	restore_doubted(31, 55, CLOCK_NEVER);
	kit_connect(&kit);
	kit_marker(&kit);
	up_many(31, 50, 2);
	kit_pass(&kit, 8000);
	assert_false(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 20);
	assert_string_equal(kit.why, "not confirmed");
}

/* Who is asked because it was over keeps the grace of a lost. */
static void whose_lease_was_over_has_its_grace(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	options.lost_grace_ms = 5000;
	kit_open(&kit, &options, VIEW_ALL);
	restore_doubted(1, 1, kit.now_ms - 20000);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_lost(&kit, "n1", 1, 1);
	kit_pass(&kit, 4999);
	assert_int_equal(kit_state(&kit, 1), 'l');
	kit_pass(&kit, 1);
	assert_int_equal(kit_counts(&kit).facts, 0);
	assert_string_equal(kit.why, "lost");
}

/* Only who had none left when the daemon started waits for the end of a resync that takes long. */
static void the_lease_of_a_mass_loss_ends_in_a_resync_too(void **state)
{
	(void)state;
	start_restoring();
	restore_doubted(1, 30, kit.now_ms + 10000);
	restore_doubted(31, 60, CLOCK_NEVER);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_pass(&kit, 7000);
	up_many(31, 31, 2);
	kit_pass(&kit, 2999);
	assert_int_equal(kit_counts(&kit).facts, 60);
	kit_pass(&kit, 1);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_RESYNC);
	assert_int_equal(kit_counts(&kit).facts, 30);
	assert_string_equal(kit.why, "lease over");
}

/* The 30 of a mass loss before, 5 who are silent for the first time, and 20 who answer. back: how many of the 30 do. */
static void after_a_mass_loss(unsigned back)
{
	start_restoring();
	restore_doubted(1, 30, kit.now_ms + 100000);
	restore_doubted(31, 55, CLOCK_NEVER);
	kit_connect(&kit);
	kit_marker(&kit);
	up_many(36, 55, 2);
	if (back > 0)
		up_many(1, back, 2);
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
}

/* They are likely dead: that they are silent again says nothing of the others, each of whom would stay for a lease otherwise. */
static void the_silent_of_a_mass_loss_make_no_other(void **state)
{
	(void)state;
	after_a_mass_loss(0);
	assert_int_equal(kit_counts(&kit).facts, 50);
	assert_int_equal(kit_counts(&kit).unconfirmed, 30);
	assert_int_equal(kit_state(&kit, 31), '-');
	assert_int_equal(kit.doubted, 0);
	kit_pass(&kit, 91999);
	assert_int_equal(kit_counts(&kit).facts, 50);
	kit_pass(&kit, 1);
	assert_int_equal(kit_counts(&kit).facts, 20);
}

/* Where nobody answers at all the silence of the others is the same fault's, however few they are. */
static void nobody_back_after_a_mass_loss_is_another(void **state)
{
	(void)state;
	start_restoring();
	restore_doubted(1, 30, kit.now_ms + 100000);
	restore_doubted(31, 40, CLOCK_NEVER);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_pass(&kit, 8000);
	assert_int_equal(kit_counts(&kit).facts, 40);
	assert_int_equal(kit.doubted, 10);
}

/* If one of them is back the others may live, too, as if there had been but one resync. */
static void once_one_of_a_mass_loss_is_back_all_may_be(void **state)
{
	(void)state;
	after_a_mass_loss(1);
	assert_int_equal(kit_counts(&kit).facts, 55);
	assert_int_equal(kit_counts(&kit).unconfirmed, 34);
	assert_int_equal(kit.doubted, 6); /* the five are, and one no longer */
}

static void the_next_resync_forgets_that_there_was_a_mass_loss(void **state)
{
	(void)state;
	start();
	up_many(1, 30, 1);
	reconnect();
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	reconnect();
	up_many(1, 30, 2);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	assert_false(kit_counts(&kit).mass_loss);
}

/* A broker that restarts under thousands may be silent for longer than resync_timeout, and then let them in after all. */
static void after_a_mass_loss_the_last_silent_ones_go(void **state)
{
	(void)state;
	start();
	up_many(1, 41, 1);
	kit_pass(&kit, 10000);
	reconnect();
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	up_many(1, 36, 2);
	kit_pass(&kit, 9000);
	assert_int_equal(kit_counts(&kit).unconfirmed, 5);
	up_many(37, 37, 2);
	kit_pass(&kit, 7999);
	assert_int_equal(kit_counts(&kit).unconfirmed, 4);
	assert_true(kit_counts(&kit).mass_loss);
	up_many(38, 38, 2);
	kit_pass(&kit, 7999);
	assert_int_equal(kit_counts(&kit).facts, 41);
	kit_pass(&kit, 1);
	assert_int_equal(kit_counts(&kit).facts, 38);
	assert_string_equal(kit.why, "not confirmed");
	assert_false(kit_counts(&kit).mass_loss);
}

/* Those who were lost meanwhile are not among those who may come back: the ten dead would have stayed for a lease. */
static void who_was_lost_need_not_be_back(void **state)
{
	(void)state;
	start();
	up_many(1, 60, 1);
	kit_pass(&kit, 10000);
	reconnect();
	for (unsigned i = 51; i <= 60; i++)
		kit_lost(&kit, name_of(i), i, i);
	up_many(1, 10, 2);
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	up_many(11, 50, 2);
	kit_pass(&kit, 7999);
	assert_int_equal(kit_counts(&kit).facts, 60);
	kit_pass(&kit, 1);
	assert_int_equal(kit_counts(&kit).facts, 50);
	assert_false(kit_counts(&kit).mass_loss);
}

static void a_mass_loss_is_over_when_all_are_back(void **state)
{
	(void)state;
	start();
	up_many(1, 30, 1);
	reconnect();
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	up_many(1, 30, 2);
	assert_false(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 30);
}

static void twenty_or_fewer_are_no_mass_loss(void **state)
{
	(void)state;
	start();
	up_many(1, 20, 1);
	reconnect();
	kit_pass(&kit, 8000);
	assert_int_equal(kit_counts(&kit).facts, 0);
	assert_false(kit_counts(&kit).mass_loss);
}

/*
 * A node of a cluster stopped while containers came and went: by the end of the resync the dead were more than the living, which looked like a mass
 * loss, and they all stayed for a lease.
 */
static void who_was_lost_in_the_resync_is_not_silent(void **state)
{
	(void)state;
	start();
	up_many(1, 3, 1);
	reconnect();
	up_many(1, 2, 2);
	up_many(4, 60, 1);
	for (unsigned i = 4; i <= 60; i++)
		kit_lost(&kit, name_of(i), i, i);
	assert_int_equal(kit_counts(&kit).unconfirmed, 58);
	kit_pass(&kit, 8000);
	assert_false(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 2);
}

/*
 * A daemon that was killed every second under a load of 20 kept those who had died before their wills were in place, as it forgot each time that their
 * lease was the first, short one: in the end 164 beside 20, and took them for a mass loss.
 */
static void who_was_replaced_is_not_silent(void **state)
{
	(void)state;
	start_restoring();
	for (unsigned i = 1; i <= 60; i++)
		kit_restore(&kit, name_of(i % 10), i, i, i % 10 + 1);
	kit_connect(&kit);
	kit_marker(&kit);
	for (unsigned i = 0; i < 10; i++)
		kit_up(&kit, name_of(i), 100 + i, 100 + i, 1, i + 1);
	kit_pass(&kit, 8000);
	assert_false(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 10);
}

/* Another address, or another name, is something that nobody else says. */
static void who_was_not_replaced_is_silent(void **state)
{
	(void)state;
	start_restoring();
	for (unsigned i = 1; i <= 60; i++)
		kit_restore(&kit, name_of(i % 10), i, i, i);
	kit_connect(&kit);
	kit_marker(&kit);
	for (unsigned i = 0; i < 10; i++)
		kit_up(&kit, name_of(i), 100 + i, 100 + i, 1, 100 + i);
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 70);
}

/* Nor does a successor without its alias take its place. */
static void who_has_an_alias_of_his_own_is_silent(void **state)
{
	(void)state;
	start_restoring();
	for (unsigned i = 1; i <= 60; i++) {
		struct announcement message = kit_announce(name_of(i % 10), i, i, 0, i % 10 + 1);

		message.naliases = 1;
		snprintf(message.aliases[0], sizeof message.aliases[0], "alias");
		assert_int_equal(registry_restore(kit.registry, &message, "web", CLOCK_NEVER, kit.now_ms), REGISTRY_APPLIED);
	}
	kit_connect(&kit);
	kit_marker(&kit);
	for (unsigned i = 0; i < 10; i++)
		kit_up(&kit, name_of(i), 100 + i, 100 + i, 1, i + 1);
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 70);
}

/* What was lost before the connection was, is no more than silent after it: a broker that stops fires the wills of the living. */
static void who_was_lost_before_the_resync_is_silent(void **state)
{
	(void)state;
	start();
	up_many(1, 41, 1);
	kit_pass(&kit, 10000);
	reconnect();
	for (unsigned i = 1; i <= 41; i++)
		kit_lost(&kit, name_of(i), i, i);
	reconnect();
	kit_pass(&kit, 8000);
	assert_true(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 41);
}

static void half_of_all_names_is_no_mass_loss(void **state)
{
	(void)state;
	start();
	up_many(1, 42, 1);
	reconnect();
	up_many(1, 21, 2);
	kit_pass(&kit, 8000);
	assert_int_equal(kit_counts(&kit).facts, 21);
	assert_false(kit_counts(&kit).mass_loss);
}

static void without_a_session_resync_asks_nothing(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "once", 1, 0, 1, 1);
	kit_up(&kit, "web", 2, 2, 1, 2);
	kit_pass(&kit, 10000);
	reconnect();
	/* It does not hold up the end, */
	kit_up(&kit, "web", 2, 2, 2, 2);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	assert_string_equal(kit_served(&kit, "once"), "1");
	/* nor does an end by timeout take it, */
	reconnect();
	kit_pass(&kit, 8000);
	assert_int_equal(kit_state(&kit, 2), '-');
	assert_string_equal(kit_served(&kit, "once"), "1");
	/* but its lease does. */
	kit_pass(&kit, KIT_LEASE_S * 1000 - 18001);
	assert_string_equal(kit_served(&kit, "once"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "once"), "");
}

static void at_the_daemons_start_a_lost_before_the_marker_applies(void **state)
{
	(void)state;
	start_restoring();
	kit_restore(&kit, "web", 1, 1, 2);
	kit_connect(&kit);
	assert_int_equal(kit_lost(&kit, "web", 1, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 1), '-');
}

/*
 * Nor does one that comes later cast doubt alone: nothing of the host's broke. A daemon that was killed again and again, sooner than its resync ended
 * each time, kept everybody who died meanwhile, and took them for a mass loss in the end.
 */
static void at_the_daemons_start_a_lost_in_the_resync_applies(void **state)
{
	(void)state;
	start_restoring();
	kit_restore(&kit, "web", 1, 1, 2);
	kit_restore(&kit, "db", 2, 2, 3);
	kit_connect(&kit);
	kit_marker(&kit);
	assert_int_equal(kit_lost(&kit, "web", 1, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 1), '-');
	/* The next connection is one that broke. */
	reconnect();
	assert_int_equal(kit_lost(&kit, "db", 2, 2), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 2), 'u');
}

/* While the daemon was away the emitter lost its connection and came back; then the broker's queue is long. */
static void at_the_daemons_start_a_new_session_ends_the_grace(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	options.lost_grace_ms = 8000;
	kit_open(&kit, &options, VIEW_ALL);
	kit_restore(&kit, "web", 1, 1, 2);
	kit_connect(&kit);
	kit_lost(&kit, "web", 1, 1);
	assert_int_equal(kit_state(&kit, 1), 'l');
	kit_up(&kit, "web", 1, 2, 5, 2);
	assert_int_equal(kit_state(&kit, 1), 'u');
	kit_pass(&kit, 20000);
	assert_string_equal(kit_served(&kit, "web"), "2");
	kit_marker(&kit);
	kit_up(&kit, "web", 1, 2, 6, 2);
	assert_int_equal(kit_state(&kit, 1), 'c');
}

static void at_a_reconnect_a_lost_before_the_marker_only_casts_doubt(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_pass(&kit, 3000);
	kit_disconnect(&kit);
	kit_connect(&kit);
	kit_lost(&kit, "web", 1, 1);
	assert_int_equal(kit_state(&kit, 1), 'u');
	assert_string_equal(kit_served(&kit, "web"), "2");
}

static void during_resync_a_lost_only_casts_doubt(void **state)
{
	(void)state;
	start();
	up_many(1, 2, 1);
	reconnect();
	up_many(1, 1, 2);
	kit_lost(&kit, "n1", 1, 1);
	assert_int_equal(kit_state(&kit, 1), 'u');
	/* Confirmed by a new session; the old one has ended all the same. */
	assert_int_equal(kit_up(&kit, "n1", 1, 1, 3, 1), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_state(&kit, 1), 'u');
	assert_int_equal(kit_up(&kit, "n1", 1, 3, 4, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 1), 'c');
	/* And the other goes with the timeout. */
	kit_lost(&kit, "n2", 2, 2);
	kit_pass(&kit, 8000);
	assert_int_equal(kit_state(&kit, 2), '-');
	assert_string_equal(kit.why, "not confirmed");
}

static void after_resync_a_lost_applies_again(void **state)
{
	(void)state;
	start();
	up_many(1, 1, 1);
	reconnect();
	up_many(1, 1, 2);
	kit_lost(&kit, "n1", 1, 1);
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void a_lost_shortly_before_a_disconnect_is_doubted(void **state)
{
	(void)state;
	start();
	up_many(1, 2, 1);
	kit_lost(&kit, "n1", 1, 1);
	assert_string_equal(kit_served(&kit, "n1"), "");
	kit_pass(&kit, 1900);
	kit.fresh = 0;
	kit_disconnect(&kit);
	assert_int_equal(kit_state(&kit, 1), 'u');
	assert_int_equal(kit.fresh, 1);
	assert_string_equal(kit_served(&kit, "n1"), "1");
	kit_connect(&kit);
	kit_marker(&kit);
	/* Every will fired because the broker was drained: the emitter is back with a new session. */
	assert_int_equal(kit_up(&kit, "n1", 1, 11, 2, 1), REGISTRY_APPLIED);
	up_many(2, 2, 2);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	assert_string_equal(kit_served(&kit, "n1"), "1");
}

static void what_came_back_goes_for_good_when_nobody_confirms_it(void **state)
{
	(void)state;
	start();
	up_many(1, 1, 1);
	kit_lost(&kit, "n1", 1, 1);
	reconnect();
	assert_int_equal(kit_state(&kit, 1), 'u');
	kit_pass(&kit, 8000);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_string_equal(kit.why, "not confirmed");
	reconnect();
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void a_lost_longer_before_a_disconnect_stands(void **state)
{
	(void)state;
	start();
	up_many(1, 1, 1);
	kit_lost(&kit, "n1", 1, 1);
	kit_pass(&kit, 2100);
	kit_disconnect(&kit);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_string_equal(kit_served(&kit, "n1"), "");
}

static void a_down_shortly_before_a_disconnect_stands(void **state)
{
	(void)state;
	start();
	up_many(1, 2, 1);
	kit_down(&kit, "n1", 1, 1, 2);
	/* A down after a lost, too: the instance said itself that it leaves. */
	kit_lost(&kit, "n2", 2, 2);
	kit_down(&kit, "n2", 2, 2, 2);
	kit_disconnect(&kit);
	assert_int_equal(kit_counts(&kit).facts, 0);
}

static void what_is_in_its_grace_at_a_disconnect_becomes_unconfirmed(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	options.lost_grace_ms = 1500;
	kit_open_synced(&kit, &options, VIEW_ALL);
	up_many(1, 1, 1);
	kit_lost(&kit, "n1", 1, 1);
	kit_pass(&kit, 1000);
	kit_disconnect(&kit);
	assert_int_equal(kit_state(&kit, 1), 'u');
	kit_pass(&kit, 100000);
	assert_int_equal(kit_state(&kit, 1), 'u');
}

static void what_a_new_session_took_up_does_not_come_back_as_it_was(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_lost(&kit, "web", 1, 1);
	kit_up(&kit, "web", 1, 2, 2, 3);
	kit_disconnect(&kit);
	assert_int_equal(kit_counts(&kit).facts, 1);
	assert_string_equal(kit_served(&kit, "web"), "3");
}

static bool note_first(void *arg, struct fact *fact)
{
	unsigned *first = arg;

	*first = kit_instance_number(&fact->instance);
	return false;
}

static void what_came_back_has_its_old_place(void **state)
{
	unsigned first = 0;

	(void)state;
	start();
	up_many(4, 6, 1);
	kit_lost(&kit, "n4", 4, 4);
	kit_disconnect(&kit);
	registry_each(kit.registry, note_first, &first);
	assert_int_equal(first, 4);
}

static void what_was_lost_twice_comes_back_as_it_was_last(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_lost(&kit, "web", 1, 1);
	kit_up(&kit, "web", 1, 2, 2, 3);
	kit_lost(&kit, "web", 1, 2);
	kit_disconnect(&kit);
	assert_int_equal(kit_counts(&kit).facts, 1);
	assert_string_equal(kit_served(&kit, "web"), "3");
}

static void what_came_back_can_be_lost_again(void **state)
{
	(void)state;
	start();
	for (unsigned session = 1; session < 9; session++) {
		assert_int_equal(kit_up(&kit, "web", 1, session, session, 2), REGISTRY_APPLIED);
		assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
		kit_lost(&kit, "web", 1, session);
		assert_int_equal(kit_state(&kit, 1), '-');
		reconnect();
		assert_int_equal(kit_state(&kit, 1), 'u');
	}
}

static void leases_stand_still_without_a_connection(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "once", 1, 0, 1, 1);
	kit_pass(&kit, 100000);
	kit_disconnect(&kit);
	kit_pass(&kit, 1000000);
	reconnect();
	kit_pass(&kit, KIT_LEASE_S * 1000 - 100001);
	assert_string_equal(kit_served(&kit, "once"), "1");
	kit_pass(&kit, 1);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_string_equal(kit.why, "lease over");
}

/* A host that reconnects again and again must not keep for ever what nobody says any more. */
static void a_lease_is_extended_only_once_for_each_confirmation(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "once", 1, 0, 1, 1);
	for (int i = 0; i < 100; i++) {
		kit_disconnect(&kit);
		kit_pass(&kit, 10000);
		kit_connect(&kit);
		kit_marker(&kit);
		kit_pass(&kit, 1000);
	}
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void a_confirmation_allows_the_next_extension(void **state)
{
	(void)state;
	start();
	for (unsigned i = 1; i < 10; i++) {
		kit_up(&kit, "once", 1, 0, i, 1);
		kit_pass(&kit, KIT_LEASE_S * 1000 - 10);
		kit_disconnect(&kit);
		kit_pass(&kit, 1000000);
		kit_connect(&kit);
		kit_marker(&kit);
		assert_string_equal(kit_served(&kit, "once"), "1");
	}
	kit_pass(&kit, 10);
	assert_string_equal(kit_served(&kit, "once"), "");
}

static void the_restored_are_unconfirmed_and_in_the_files_order(void **state)
{
	struct fact *fact;

	(void)state;
	start_restoring();
	kit_restore(&kit, "b", 5, 1, 1);
	kit_restore(&kit, "a", 2, 2, 2);
	assert_int_equal(kit_counts(&kit).facts, 2);
	assert_int_equal(kit_counts(&kit).unconfirmed, 2);
	assert_int_equal(kit_state(&kit, 5), 'u');
	assert_string_equal(kit_served(&kit, "b"), "1");
	fact = kit_find(&kit, 2);
	assert_string_equal(fact->name, "a");
	assert_string_equal(fact->user, "web");
	assert_int_equal(fact->lease_s, REGISTRY_RESTORED_LEASE_S);
	assert_int_equal(kit.fresh, 2);
	kit_pass(&kit, 10000000);
	assert_int_equal(kit_counts(&kit).facts, 2);
}

static void the_restored_come_before_the_new(void **state)
{
	unsigned first = 0;

	(void)state;
	start_restoring();
	kit_restore(&kit, "b", 5, 1, 1);
	kit_restore(&kit, "a", 2, 2, 2);
	kit_connect(&kit);
	kit_up(&kit, "c", 1, 3, 1, 3);
	kit_up(&kit, "a", 2, 2, 9, 2);
	registry_each(kit.registry, note_first, &first);
	assert_int_equal(first, 5);
}

static void the_restored_are_confirmed_by_any_seq(void **state)
{
	(void)state;
	start_restoring();
	kit_restore(&kit, "web", 1, 1, 1);
	kit_connect(&kit);
	kit_marker(&kit);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 1, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 1), 'c');
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 1, 7), REGISTRY_IGNORED_OLD);
}

static void the_restored_keep_name_and_user(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 1);

	(void)state;
	start_restoring();
	kit_restore(&kit, "web", 1, 1, 1);
	kit_connect(&kit);
	kit_marker(&kit);
	assert_int_equal(kit_deliver(&kit, &message, "thief"), REGISTRY_REJECTED_USER);
	assert_int_equal(kit_up(&kit, "db", 1, 1, 1, 1), REGISTRY_REJECTED_NAME);
}

static void the_restored_go_when_nobody_confirms_them(void **state)
{
	(void)state;
	start_restoring();
	kit_restore(&kit, "web", 1, 1, 1);
	kit_restore(&kit, "db", 2, 2, 2);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_up(&kit, "db", 2, 3, 8, 2);
	kit_pass(&kit, 8000);
	assert_string_equal(kit_served(&kit, "web"), "");
	assert_string_equal(kit_served(&kit, "db"), "2");
}

static void a_mass_of_restored_ones_stays_for_a_lease(void **state)
{
	(void)state;
	start_restoring();
	for (unsigned i = 1; i <= 30; i++)
		kit_restore(&kit, name_of(i), i, i, i);
	kit_pass(&kit, 1000000);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_pass(&kit, REGISTRY_RESTORED_LEASE_S * 1000 - 1);
	assert_true(kit_counts(&kit).mass_loss);
	assert_int_equal(kit_counts(&kit).facts, 30);
	kit_pass(&kit, 1);
	assert_int_equal(kit_counts(&kit).facts, 0);
}

static void restored_without_a_session_only_the_lease_ends_it(void **state)
{
	struct announcement message = kit_announce("once", 1, 0, 0, 1);

	(void)state;
	start_restoring();
	assert_int_equal(registry_restore(kit.registry, &message, "web", kit.now_ms + 50000, kit.now_ms),
			 REGISTRY_APPLIED);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_pass(&kit, 49999);
	assert_string_equal(kit_served(&kit, "once"), "1");
	kit_pass(&kit, 1);
	assert_string_equal(kit_served(&kit, "once"), "");
}

static void several_addresses_and_aliases_are_restored(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 0, 1);

	(void)state;
	start_restoring();
	kit_add_address(&message, 2);
	kit_add_alias(&message, "www");
	assert_int_equal(registry_restore(kit.registry, &message, "web", CLOCK_NEVER, kit.now_ms), REGISTRY_APPLIED);
	kit_settle(&kit);
	assert_string_equal(kit_served(&kit, "www"), "1 2");
}

static void the_resync_timeout_may_change_while_running(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	start();
	options.resync_timeout_ms = 2000;
	registry_set_options(kit.registry, &options);
	up_many(1, 1, 1);
	reconnect();
	kit_pass(&kit, 1999);
	assert_int_equal(kit_state(&kit, 1), 'u');
	kit_pass(&kit, 1);
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void a_disconnect_during_resync_keeps_all_in_doubt(void **state)
{
	(void)state;
	start();
	up_many(1, 2, 1);
	reconnect();
	up_many(1, 1, 2);
	kit_pass(&kit, 7000);
	kit_disconnect(&kit);
	kit_pass(&kit, 60000);
	assert_int_equal(kit_counts(&kit).facts, 2);
	kit_connect(&kit);
	kit_marker(&kit);
	assert_int_equal(kit_counts(&kit).unconfirmed, 2);
	kit_pass(&kit, 7999);
	assert_int_equal(kit_counts(&kit).facts, 2);
	up_many(1, 2, 3);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
}

static void a_marker_out_of_place_does_nothing(void **state)
{
	(void)state;
	start();
	up_many(1, 1, 1);
	kit_marker(&kit);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_SYNCED);
	assert_int_equal(kit_state(&kit, 1), 'c');
	kit_disconnect(&kit);
	kit_marker(&kit);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_OFFLINE);
}

static void a_second_disconnect_changes_nothing(void **state)
{
	(void)state;
	start();
	kit_up(&kit, "once", 1, 0, 1, 1);
	kit_disconnect(&kit);
	kit_pass(&kit, 10000);
	kit_disconnect(&kit);
	kit_pass(&kit, 10000);
	reconnect();
	kit_pass(&kit, KIT_LEASE_S * 1000 - 1);
	assert_string_equal(kit_served(&kit, "once"), "1");
	kit_pass(&kit, 1);
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void a_connection_without_a_disconnect_begins_a_resync_too(void **state)
{
	(void)state;
	start();
	up_many(1, 1, 1);
	kit_connect(&kit);
	assert_int_equal(kit_counts(&kit).resync, REGISTRY_RESYNC_BEFORE_MARKER);
	assert_int_equal(kit_state(&kit, 1), 'u');
}

#define RULE(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(losing_the_broker_removes_nothing),
		RULE(a_connection_makes_all_facts_unconfirmed),
		RULE(an_up_before_the_marker_applies_but_confirms_nothing),
		RULE(a_down_before_the_marker_applies),
		RULE(a_down_during_resync_applies),
		RULE(resync_ends_when_all_is_confirmed),
		RULE(resync_with_nothing_known_ends_at_the_marker),
		RULE(what_nobody_confirms_goes_after_the_timeout),
		RULE(each_confirmation_restarts_the_timeout),
		RULE(what_confirms_nothing_does_not_restart_the_timeout),
		RULE(before_the_marker_the_timeout_takes_nothing),
		RULE(a_mass_loss_is_not_believed),
		RULE(who_was_lost_stays_in_a_mass_loss_too),
		RULE(a_restart_does_not_lengthen_the_leases_of_a_mass_loss),
		RULE(whose_lease_of_a_mass_loss_is_over_can_still_answer),
		RULE(whose_lease_was_over_makes_no_mass_loss),
		RULE(whose_lease_was_over_has_its_grace),
		RULE(the_lease_of_a_mass_loss_ends_in_a_resync_too),
		RULE(the_silent_of_a_mass_loss_make_no_other),
		RULE(once_one_of_a_mass_loss_is_back_all_may_be),
		RULE(nobody_back_after_a_mass_loss_is_another),
		RULE(the_next_resync_forgets_that_there_was_a_mass_loss),
		RULE(after_a_mass_loss_the_last_silent_ones_go),
		RULE(who_was_lost_need_not_be_back),
		RULE(a_mass_loss_is_over_when_all_are_back),
		RULE(twenty_or_fewer_are_no_mass_loss),
		RULE(who_was_lost_in_the_resync_is_not_silent),
		RULE(who_was_lost_before_the_resync_is_silent),
		RULE(who_was_replaced_is_not_silent),
		RULE(who_was_not_replaced_is_silent),
		RULE(who_has_an_alias_of_his_own_is_silent),
		RULE(half_of_all_names_is_no_mass_loss),
		RULE(without_a_session_resync_asks_nothing),
		RULE(at_the_daemons_start_a_lost_before_the_marker_applies),
		RULE(at_the_daemons_start_a_lost_in_the_resync_applies),
		RULE(at_the_daemons_start_a_new_session_ends_the_grace),
		RULE(at_a_reconnect_a_lost_before_the_marker_only_casts_doubt),
		RULE(during_resync_a_lost_only_casts_doubt),
		RULE(after_resync_a_lost_applies_again),
		RULE(a_lost_shortly_before_a_disconnect_is_doubted),
		RULE(what_came_back_goes_for_good_when_nobody_confirms_it),
		RULE(a_lost_longer_before_a_disconnect_stands),
		RULE(a_down_shortly_before_a_disconnect_stands),
		RULE(what_is_in_its_grace_at_a_disconnect_becomes_unconfirmed),
		RULE(what_a_new_session_took_up_does_not_come_back_as_it_was),
		RULE(what_came_back_has_its_old_place),
		RULE(what_was_lost_twice_comes_back_as_it_was_last),
		RULE(what_came_back_can_be_lost_again),
		RULE(leases_stand_still_without_a_connection),
		RULE(a_lease_is_extended_only_once_for_each_confirmation),
		RULE(a_confirmation_allows_the_next_extension),
		RULE(the_restored_are_unconfirmed_and_in_the_files_order),
		RULE(the_restored_come_before_the_new),
		RULE(the_restored_are_confirmed_by_any_seq),
		RULE(the_restored_keep_name_and_user),
		RULE(the_restored_go_when_nobody_confirms_them),
		RULE(a_mass_of_restored_ones_stays_for_a_lease),
		RULE(restored_without_a_session_only_the_lease_ends_it),
		RULE(several_addresses_and_aliases_are_restored),
		RULE(the_resync_timeout_may_change_while_running),
		RULE(a_disconnect_during_resync_keeps_all_in_doubt),
		RULE(a_marker_out_of_place_does_nothing),
		RULE(a_second_disconnect_changes_nothing),
		RULE(a_connection_without_a_disconnect_begins_a_resync_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
