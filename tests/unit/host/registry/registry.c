/*
 * The rules for the facts, one test each; the names say the rule. docs/protocol, "What a host believes". A test that
 * needs a connected host starts with one that has been running for a while (kit_open_synced); restarts and reconnects
 * are in registry_resync.c.
 */
#include <config.h>

#include "host/registry/agents.h"
#include "tests/unit/hostkit.h"
#include "tests/unit/range.h"

static struct kit kit;

static void start(int64_t lost_grace_ms)
{
	struct registry_options options = kit_options();

	options.lost_grace_ms = lost_grace_ms;
	kit_open_synced(&kit, &options, VIEW_ALL);
}

static int teardown(void **state)
{
	(void)state;
	kit_close(&kit);
	return 0;
}

static void an_up_becomes_a_fact(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 7, 2);
	struct fact *fact;

	(void)state;
	start(0);
	kit_add_address(&message, 3);
	kit_add_alias(&message, "www");
	assert_int_equal(kit_deliver(&kit, &message, "tenant"), REGISTRY_APPLIED);
	fact = kit_find(&kit, 1);
	assert_non_null(fact);
	assert_true(ident_equal(&fact->instance, &message.instance));
	assert_true(fact->has_session && ident_equal(&fact->session, &message.session));
	assert_string_equal(fact->user, "tenant");
	assert_string_equal(fact->name, "web");
	assert_int_equal(fact->seq, 7);
	assert_int_equal(fact->lease_s, KIT_LEASE_S);
	assert_int_equal(fact->state, FACT_CONFIRMED);
	assert_int_equal(fact->since_ms, kit.now_ms);
	assert_int_equal(fact->expires_ms, kit.now_ms + KIT_LEASE_S * 1000);
	assert_int_equal(fact->naddresses, 2);
	assert_memory_equal(fact->addresses, message.addresses, 2 * sizeof(struct address));
	assert_int_equal(fact->naliases, 1);
	assert_string_equal(fact->aliases[0], "www");
	assert_int_equal(kit.fresh, 1);
}

static void an_up_whose_seq_is_not_newer_is_ignored(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 5, 2);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 5, 3), REGISTRY_IGNORED_OLD);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 4, 3), REGISTRY_IGNORED_OLD);
	assert_string_equal(kit_served(&kit, "web"), "2");
	assert_int_equal(kit_up(&kit, "web", 1, 1, 6, 3), REGISTRY_APPLIED);
	assert_string_equal(kit_served(&kit, "web"), "3");
}

static void seq_counts_across_sessions(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 2, 5, 2);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 4, 3), REGISTRY_IGNORED_OLD);
	assert_string_equal(kit_served(&kit, "web"), "2");
	/* Session 1 is not the current one, whatever came last. */
	assert_int_equal(kit_lost(&kit, "web", 1, 1), REGISTRY_IGNORED_STALE);
	assert_int_equal(kit_state(&kit, 1), 'c');
}

static void seq_may_be_as_large_as_the_contract_allows(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, (uint64_t)ANNOUNCEMENT_SEQ_MAX - 1, 2);
	assert_int_equal(kit_up(&kit, "web", 1, 1, ANNOUNCEMENT_SEQ_MAX, 3), REGISTRY_APPLIED);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 1, 4), REGISTRY_IGNORED_OLD);
}

static void up_of_agent(uint64_t seq, unsigned instance, const char *agent)
{
	char name[16];
	struct announcement message;

	snprintf(name, sizeof name, "web%u", instance);
	message = kit_announce(name, instance, instance, seq, instance);
	snprintf(message.agent, sizeof message.agent, "%s", agent);
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_APPLIED);
}

/* One text for all who say the same; a later one in its place; and a user that has too many kinds is not shown further ones. */
static void what_an_emitter_is_goes_with_its_fact(void **state)
{
	char agent[32];

	(void)state;
	start(0);
	up_of_agent(1, 1, "old/1");
	up_of_agent(1, 2, "old/1");
	assert_string_equal(fact_agent(kit_find(&kit, 1)), "old/1");
	assert_ptr_equal(fact_agent(kit_find(&kit, 1)), fact_agent(kit_find(&kit, 2)));
	up_of_agent(2, 1, "new/2");
	assert_string_equal(fact_agent(kit_find(&kit, 1)), "new/2");
	assert_string_equal(fact_agent(kit_find(&kit, 2)), "old/1");
	up_of_agent(3, 1, "");
	assert_null(fact_agent(kit_find(&kit, 1)));
	for (unsigned i = 0; i <= AGENTS_MAX; i++) {
		snprintf(agent, sizeof agent, "many/%u", i);
		up_of_agent(1, 10 + i, agent);
	}
	assert_string_equal(fact_agent(kit_find(&kit, 10)), "many/0");
	assert_null(fact_agent(kit_find(&kit, 10 + AGENTS_MAX)));
	up_of_agent(2, 10, "");
	up_of_agent(2, 10 + AGENTS_MAX, "late");
	assert_string_equal(fact_agent(kit_find(&kit, 10 + AGENTS_MAX)), "late");
}

static void an_up_replaces_the_facts_as_a_whole(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 2);
	struct fact *fact;

	(void)state;
	start(0);
	kit_add_address(&message, 3);
	kit_add_alias(&message, "www");
	kit_deliver(&kit, &message, "web");
	kit_pass(&kit, 100);
	message = kit_announce("web", 1, 2, 2, 4);
	message.lease_s = 77;
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_APPLIED);
	fact = kit_find(&kit, 1);
	assert_true(ident_equal(&fact->session, &message.session));
	assert_int_equal(fact->seq, 2);
	assert_int_equal(fact->lease_s, 77);
	assert_int_equal(fact->since_ms, kit.now_ms - 100);
	assert_int_equal(fact->expires_ms, kit.now_ms + 77000);
	assert_int_equal(fact->naliases, 0);
	assert_string_equal(kit_served(&kit, "web"), "4");
	assert_string_equal(kit_served(&kit, "www"), "");
	assert_int_equal(kit.fresh, 1);
}

static void ports_are_part_of_the_facts(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 2);
	struct fact *fact;
	uint16_t revision;

	(void)state;
	start(0);
	kit_deliver(&kit, &message, "web");
	fact = kit_find(&kit, 1);
	revision = fact->revision;
	assert_int_equal(fact->nports, 0);
	assert_null(fact->ports);
	message.seq = 2;
	message.nports = 2;
	message.ports[0] = (struct announcement_port){"http", 9090};
	message.ports[1] = (struct announcement_port){"ws", 9091};
	kit_add_alias(&message, "odd");
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_APPLIED);
	assert_true(announcement_ports_equal(fact->ports, fact->nports, message.ports, 2));
	assert_int_not_equal(fact->revision, revision);
	revision = fact->revision;
	message.seq = 3; /* a renewal */
	kit_deliver(&kit, &message, "web");
	assert_int_equal(fact->revision, revision);
}

/* Sinks that look both up when they write learn from it that there is something to write. */
static void origin_tells_another_session_or_place(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 2);
	const struct fact *fact;
	uint16_t origin;

	(void)state;
	start(0);
	kit_deliver(&kit, &message, "web");
	fact = kit_find(&kit, 1);
	origin = fact->origin;
	message.seq = 2; /* a renewal, with another address */
	message.addresses[0] = kit_address(3);
	kit_deliver(&kit, &message, "web");
	assert_int_equal(fact->origin, origin);
	message.seq = 3;
	message.session = kit_session(2);
	kit_deliver(&kit, &message, "web");
	assert_int_not_equal(fact->origin, origin);
	origin = fact->origin;
	message.seq = 4;
	message.place = (struct place){1, 2};
	kit_deliver(&kit, &message, "web");
	assert_int_not_equal(fact->origin, origin);
	origin = fact->origin;
	message.seq = 5;
	kit_deliver(&kit, &message, "web");
	assert_int_equal(fact->origin, origin);
	message.seq = 6;
	message.has_session = false;
	kit_deliver(&kit, &message, "web");
	assert_int_not_equal(fact->origin, origin);
}

static void instances_do_not_touch_each_others_facts(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 9, 2);
	kit_up(&kit, "web", 2, 2, 1, 3);
	kit_down(&kit, "web", 1, 1, 10);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_int_equal(kit_state(&kit, 2), 'c');
}

static void an_up_under_another_name_is_rejected(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	assert_int_equal(kit_up(&kit, "db", 1, 1, 2, 3), REGISTRY_REJECTED_NAME);
	assert_string_equal(kit_served(&kit, "web"), "2");
	assert_string_equal(kit_served(&kit, "db"), "");
	/* Not even its seq has been taken over. */
	assert_int_equal(kit_up(&kit, "web", 1, 1, 2, 2), REGISTRY_APPLIED);
}

static void an_up_of_another_user_is_rejected(void **state)
{
	struct announcement message = kit_announce("web", 1, 9, 2, 3);

	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	assert_int_equal(kit_deliver(&kit, &message, "thief"), REGISTRY_REJECTED_USER);
	assert_string_equal(kit_find(&kit, 1)->user, "web");
	assert_string_equal(kit_served(&kit, "web"), "2");
	assert_int_equal(kit_up(&kit, "web", 1, 1, 2, 2), REGISTRY_APPLIED);
}

static void a_lease_is_clamped_to_the_hosts_maximum(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	options.max_lease_s = 100;
	kit_open_synced(&kit, &options, VIEW_ALL);
	kit_up(&kit, "web", 1, 1, 1, 2);
	assert_int_equal(kit_find(&kit, 1)->lease_s, 100);
	kit_pass(&kit, 99999);
	assert_int_equal(kit_state(&kit, 1), 'c');
	kit_pass(&kit, 1);
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void when_the_lease_is_over_the_facts_go(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_pass(&kit, 200000);
	kit_up(&kit, "web", 1, 1, 2, 2);
	kit_pass(&kit, KIT_LEASE_S * 1000 - 1);
	assert_string_equal(kit_served(&kit, "web"), "2");
	kit_pass(&kit, 1);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_string_equal(kit.why, "lease over");
	assert_string_equal(kit_served(&kit, "web"), "");
	/* Nothing has ended, it was only silent: it may speak up again. */
	assert_int_equal(kit_up(&kit, "web", 1, 1, 3, 2), REGISTRY_APPLIED);
}

static void after_a_down_the_instance_has_ended(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	assert_int_equal(kit_down(&kit, "web", 1, 1, 2), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_string_equal(kit.why, "down");
	assert_int_equal(kit_up(&kit, "web", 1, 1, 3, 2), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_up(&kit, "web", 1, 2, 4, 2), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_counts(&kit).facts, 0);
	assert_string_equal(kit_served(&kit, "web"), "");
}

static void a_down_before_its_up_counts(void **state)
{
	(void)state;
	start(0);
	kit_down(&kit, "web", 1, 1, 2);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 1, 2), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_counts(&kit).facts, 0);
}

static void a_down_of_another_user_or_name_is_rejected(void **state)
{
	struct announcement message = kit_message(ANNOUNCEMENT_DOWN, "web", 1, 1, 2);

	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	assert_int_equal(kit_deliver(&kit, &message, "thief"), REGISTRY_REJECTED_USER);
	assert_int_equal(kit_down(&kit, "db", 1, 1, 2), REGISTRY_REJECTED_NAME);
	assert_int_equal(kit_state(&kit, 1), 'c');
	assert_int_equal(kit_up(&kit, "web", 1, 1, 2, 3), REGISTRY_APPLIED);
}

static void a_lost_of_the_current_session_removes_at_once_without_grace(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	assert_int_equal(kit_lost(&kit, "web", 1, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_string_equal(kit.why, "lost");
	assert_string_equal(kit_served(&kit, "web"), "");
}

static void the_session_of_a_lost_has_ended_but_not_its_instance(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_lost(&kit, "web", 1, 1);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 2, 2), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_up(&kit, "web", 1, 2, 3, 2), REGISTRY_APPLIED);
	assert_string_equal(kit_served(&kit, "web"), "2");
}

static void a_lost_before_its_up_counts(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(kit_lost(&kit, "web", 1, 1), REGISTRY_IGNORED_STALE);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 1, 2), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_counts(&kit).facts, 0);
}

static void a_lost_of_an_earlier_session_changes_no_facts(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_up(&kit, "web", 1, 2, 2, 2);
	assert_int_equal(kit_lost(&kit, "web", 1, 1), REGISTRY_IGNORED_STALE);
	assert_int_equal(kit_state(&kit, 1), 'c');
	assert_string_equal(kit_served(&kit, "web"), "2");
}

static void a_lost_of_another_user_is_rejected_and_ends_nothing(void **state)
{
	struct announcement message = kit_message(ANNOUNCEMENT_LOST, "web", 1, 1, 0);

	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	assert_int_equal(kit_deliver(&kit, &message, "thief"), REGISTRY_REJECTED_USER);
	assert_int_equal(kit_state(&kit, 1), 'c');
	assert_int_equal(kit_up(&kit, "web", 1, 1, 2, 3), REGISTRY_APPLIED);
}

static void within_lost_grace_the_facts_stay(void **state)
{
	(void)state;
	start(8000);
	kit_up(&kit, "web", 1, 1, 1, 2);
	assert_int_equal(kit_lost(&kit, "web", 1, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 1), 'l');
	assert_int_equal(kit_counts(&kit).lost, 1);
	kit_pass(&kit, 7999);
	assert_string_equal(kit_served(&kit, "web"), "2");
	kit_pass(&kit, 1);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_string_equal(kit.why, "lost");
}

/* An agent speaks for many over one connection: one session, a will for each. */
static void each_instance_of_one_session_has_a_lost_of_its_own(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_up(&kit, "db", 2, 1, 1, 3);
	kit_up(&kit, "mail", 3, 2, 1, 4);
	assert_int_equal(kit_lost(&kit, "web", 1, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_lost(&kit, "db", 2, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_lost(&kit, "mail", 3, 1), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_int_equal(kit_state(&kit, 2), '-');
	assert_int_equal(kit_state(&kit, 3), 'c');
	/* What still comes of that session is too late. */
	assert_int_equal(kit_up(&kit, "late", 4, 1, 1, 5), REGISTRY_IGNORED_ENDED);
}

static void a_users_own_grace_counts_where_it_is_longer(void **state)
{
	(void)state;
	start(2000);
	kit.agent_grace_ms = 5000;
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_up(&kit, "db", 2, 1, 1, 3);
	assert_int_equal(kit_lost(&kit, "web", 1, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_lost(&kit, "db", 2, 1), REGISTRY_APPLIED);
	assert_int_equal(kit_lost(&kit, "db", 2, 1), REGISTRY_IGNORED_ENDED);
	kit_pass(&kit, 4000);
	assert_int_equal(kit_up(&kit, "web", 1, 2, 2, 2), REGISTRY_APPLIED);
	kit_pass(&kit, 999);
	assert_int_equal(kit_state(&kit, 2), 'l');
	kit_pass(&kit, 1);
	assert_int_equal(kit_state(&kit, 1), 'c');
	assert_int_equal(kit_state(&kit, 2), '-');
	kit.agent_grace_ms = 0;
	kit_lost(&kit, "web", 1, 2);
	kit_pass(&kit, 2000);
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void a_repeated_lost_does_not_renew_the_grace(void **state)
{
	(void)state;
	start(8000);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_lost(&kit, "web", 1, 1);
	kit_pass(&kit, 5000);
	kit_lost(&kit, "web", 1, 1);
	kit_pass(&kit, 3000);
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void within_lost_grace_a_new_session_takes_the_facts_up(void **state)
{
	(void)state;
	start(8000);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_lost(&kit, "web", 1, 1);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 2, 3), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_state(&kit, 1), 'l');
	kit_pass(&kit, 4000);
	assert_int_equal(kit_up(&kit, "web", 1, 2, 3, 2), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 1), 'c');
	kit_pass(&kit, 100000);
	assert_int_equal(kit_state(&kit, 1), 'c');
	assert_int_equal(kit.gone, 0);
}

static void within_lost_grace_a_down_removes_at_once(void **state)
{
	(void)state;
	start(8000);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_lost(&kit, "web", 1, 1);
	kit_down(&kit, "web", 1, 1, 2);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_string_equal(kit.why, "down");
}

static void the_lease_ends_within_lost_grace_too(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 2);

	(void)state;
	start(8000);
	message.lease_s = 5;
	kit_deliver(&kit, &message, "web");
	kit_lost(&kit, "web", 1, 1);
	kit_pass(&kit, 5000);
	assert_int_equal(kit_state(&kit, 1), '-');
}

static void a_long_grace_and_a_quick_return_many_times(void **state)
{
	(void)state;
	start(8000);
	for (unsigned session = 1; session < 20; session++) {
		kit_up(&kit, "web", 1, session, session, 2);
		kit_pass(&kit, 1000);
		kit_lost(&kit, "web", 1, session);
		kit_pass(&kit, 7000);
		assert_string_equal(kit_served(&kit, "web"), "2");
	}
	assert_int_equal(kit.gone, 0);
	assert_int_equal(kit.fresh, 1);
}

static void the_oldest_ended_is_forgotten_first(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	options.max_ended_per_user = 2;
	kit_open_synced(&kit, &options, VIEW_ALL);
	for (unsigned i = 1; i <= 3; i++) {
		kit_down(&kit, "web", i, i, 2);
		kit_pass(&kit, 10);
	}
	assert_int_equal(kit_counts(&kit).ended, 2);
	assert_int_equal(kit_up(&kit, "web", 3, 3, 1, 3), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_up(&kit, "web", 2, 2, 1, 2), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 1, 1), REGISTRY_APPLIED);
}

static void sessions_and_instances_share_the_bound_of_the_ended(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	options.max_ended_per_user = 2;
	kit_open_synced(&kit, &options, VIEW_ALL);
	kit_lost(&kit, "web", 1, 1);
	kit_down(&kit, "web", 2, 2, 1);
	kit_lost(&kit, "web", 3, 3);
	assert_int_equal(kit_up(&kit, "web", 3, 3, 1, 3), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_up(&kit, "web", 2, 2, 1, 2), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 1, 1), REGISTRY_APPLIED);
}

static void one_user_cannot_crowd_out_what_another_users_ended(void **state)
{
	struct registry_options options = kit_options();
	struct announcement message;

	(void)state;
	options.max_ended_per_user = 2;
	kit_open_synced(&kit, &options, VIEW_ALL);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_down(&kit, "web", 1, 1, 2);
	for (unsigned i = 10; i < 20; i++) {
		message = kit_message(ANNOUNCEMENT_DOWN, "db", i, i, 1);
		kit_deliver(&kit, &message, "noisy");
	}
	assert_int_equal(kit_counts(&kit).ended, 3);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 3, 2), REGISTRY_IGNORED_ENDED);
}

static void what_ended_is_forgotten_at_last(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_down(&kit, "web", 1, 1, 2);
	kit_lost(&kit, "web", 2, 2);
	assert_int_equal(kit_counts(&kit).ended, 2);
	kit_pass(&kit, INT64_C(1000) * ANNOUNCEMENT_LEASE_MAX_S * 2);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 1, 2), REGISTRY_APPLIED);
	/* The memory is given back with the next one that ends. */
	kit_down(&kit, "web", 3, 3, 1);
	assert_int_equal(kit_counts(&kit).ended, 1);
}

static void what_ended_is_remembered_for_a_lease(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 2);
	kit_down(&kit, "web", 1, 1, 2);
	kit_pass(&kit, KIT_LEASE_S * 1000 - 1);
	assert_int_equal(kit_up(&kit, "web", 1, 1, 1, 2), REGISTRY_IGNORED_ENDED);
}

static void a_user_may_have_only_so_many_names(void **state)
{
	struct announcement other = kit_announce("db", 9, 9, 1, 9);

	(void)state;
	start(0);
	kit.max_names = 2;
	kit_up(&kit, "web", 1, 1, 1, 1);
	kit_up(&kit, "web", 2, 2, 1, 2);
	assert_int_equal(kit_up(&kit, "web", 3, 3, 1, 3), REGISTRY_REJECTED_LIMIT);
	assert_string_equal(kit_served(&kit, "web"), "1 2");
	assert_int_equal(kit_up(&kit, "web", 2, 2, 2, 4), REGISTRY_APPLIED);
	assert_int_equal(kit_deliver(&kit, &other, "other"), REGISTRY_APPLIED);
	kit_down(&kit, "web", 1, 1, 3);
	assert_int_equal(kit_up(&kit, "web", 3, 3, 1, 3), REGISTRY_APPLIED);
}

static void aliases_count_as_names(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 1);

	(void)state;
	start(0);
	kit.max_names = 3;
	kit_add_alias(&message, "a");
	kit_add_alias(&message, "b");
	kit_add_alias(&message, "c");
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_REJECTED_LIMIT);
	message.naliases = 1;
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_APPLIED);
	/* A later one may grow up to the bound, and not over it. */
	message.naliases = 3;
	message.seq = 2;
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_REJECTED_LIMIT);
	assert_int_equal(kit_find(&kit, 1)->naliases, 1);
	message.naliases = 2;
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_APPLIED);
	assert_int_equal(kit_up(&kit, "db", 2, 2, 1, 2), REGISTRY_REJECTED_LIMIT);
}

static void addresses_are_bounded_with_the_names(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 1);

	(void)state;
	start(0);
	kit.max_names = 2;
	for (unsigned i = 2; i <= 2 * REGISTRY_RECORDS_PER_NAME; i++)
		kit_add_address(&message, i);
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_APPLIED);
	assert_int_equal(kit_up(&kit, "db", 2, 2, 1, 20), REGISTRY_REJECTED_LIMIT);
	message.seq = 2;
	kit_add_address(&message, 30);
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_REJECTED_LIMIT);
	message.seq = 3;
	message.naddresses = 2 * REGISTRY_RECORDS_PER_NAME - 1;
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_APPLIED);
	assert_int_equal(kit_up(&kit, "db", 2, 2, 1, 20), REGISTRY_APPLIED);
}

static void the_just_dead_are_not_counted_but_bounded_too(void **state)
{
	(void)state;
	start(0);
	kit.max_names = 2;
	/* A container that is restarted has its place at once, though the dead one may yet be raised. */
	for (unsigned i = 1; i <= 8; i++) {
		assert_int_equal(kit_up(&kit, "web", i, i, 1, i), REGISTRY_APPLIED);
		assert_int_equal(kit_lost(&kit, "web", i, i), REGISTRY_APPLIED);
	}
	kit_disconnect(&kit);
	assert_int_equal(kit_counts(&kit).facts, 2);
	kit_pass(&kit, 10000);
}

static void a_lower_bound_takes_nothing_away(void **state)
{
	(void)state;
	start(0);
	for (unsigned i = 1; i <= 4; i++)
		kit_up(&kit, "web", i, i, 1, i);
	kit.max_names = 2;
	assert_int_equal(kit_up(&kit, "web", 1, 1, 2, 9), REGISTRY_APPLIED);
	assert_int_equal(kit_up(&kit, "web", 5, 5, 1, 5), REGISTRY_REJECTED_LIMIT);
	assert_string_equal(kit_served(&kit, "web"), "2 3 4 9");
}

static void many_short_leases_do_not_keep_it_busy(void **state)
{
	unsigned ticks = 0;
	int64_t end_ms;

	(void)state;
	start(0);
	for (unsigned i = 1; i <= 5000; i++) {
		struct announcement message = kit_announce("web", i, i, 1, i % 1000);

		message.lease_s = ANNOUNCEMENT_LEASE_MIN_S;
		assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_APPLIED);
		kit.now_ms++;
	}
	end_ms = kit.now_ms + 6000;
	while (registry_deadline_ms(kit.registry) <= end_ms) {
		kit.now_ms = registry_deadline_ms(kit.registry);
		kit_settle(&kit);
		ticks++;
	}
	/* One after the other they ended, in 5 s: each look took up the ends of many. */
	assert_int_equal(kit_counts(&kit).facts, 0);
	assert_int_in_range(ticks, 10, 800);
}

static void options_may_change_while_running(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	start(0);
	options.lost_grace_ms = 5000;
	options.max_lease_s = 60;
	registry_set_options(kit.registry, &options);
	kit_up(&kit, "web", 1, 1, 1, 1);
	kit_up(&kit, "web", 2, 2, 1, 2);
	assert_int_equal(kit_find(&kit, 1)->lease_s, 60);
	kit_lost(&kit, "web", 1, 1);
	assert_int_equal(kit_state(&kit, 1), 'l');
	kit_pass(&kit, 5000);
	assert_int_equal(kit_state(&kit, 1), '-');
	options.lost_grace_ms = 0;
	registry_set_options(kit.registry, &options);
	kit_lost(&kit, "web", 2, 2);
	assert_int_equal(kit_state(&kit, 2), '-');
}

static void forget_ends_every_instance_of_a_name(void **state)
{
	(void)state;
	start(0);
	kit_up(&kit, "web", 1, 1, 1, 1);
	kit_up(&kit, "web", 2, 2, 1, 2);
	kit_up(&kit, "db", 3, 3, 1, 3);
	assert_int_equal(registry_forget(kit.registry, "web", kit.now_ms), 2);
	kit_settle(&kit);
	assert_string_equal(kit.why, "forgotten");
	assert_string_equal(kit_served(&kit, "web"), "");
	assert_string_equal(kit_served(&kit, "db"), "3");
	assert_int_equal(kit_up(&kit, "web", 1, 1, 2, 1), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_up(&kit, "web", 2, 4, 2, 2), REGISTRY_IGNORED_ENDED);
	assert_int_equal(kit_up(&kit, "web", 5, 5, 1, 5), REGISTRY_APPLIED);
	assert_int_equal(registry_forget(kit.registry, "nobody", kit.now_ms), 0);
}

static void forget_takes_what_is_in_its_grace_too(void **state)
{
	(void)state;
	start(8000);
	kit_up(&kit, "web", 1, 1, 1, 1);
	kit_lost(&kit, "web", 1, 1);
	assert_int_equal(registry_forget(kit.registry, "web", kit.now_ms), 1);
	kit_settle(&kit);
	assert_int_equal(kit_state(&kit, 1), '-');
	assert_int_equal(kit_up(&kit, "web", 1, 2, 2, 1), REGISTRY_IGNORED_ENDED);
}

struct order {
	unsigned seen[8], count, stop;
};

static bool note(void *arg, struct fact *fact)
{
	struct order *order = arg;

	assert_true(order->count < 8);
	order->seen[order->count++] = kit_instance_number(&fact->instance);
	return order->count != order->stop;
}

static void facts_come_in_the_order_in_which_they_were_first_heard_of(void **state)
{
	struct order all = {.stop = 0}, two = {.stop = 2};

	(void)state;
	start(0);
	kit_up(&kit, "b", 5, 1, 1, 1);
	kit_up(&kit, "c", 2, 2, 1, 2);
	kit_up(&kit, "a", 7, 3, 1, 3);
	kit_up(&kit, "b", 5, 1, 2, 1);
	registry_each(kit.registry, note, &all);
	assert_int_equal(all.count, 3);
	assert_int_equal(all.seen[0], 5);
	assert_int_equal(all.seen[1], 2);
	assert_int_equal(all.seen[2], 7);
	registry_each(kit.registry, note, &two);
	assert_int_equal(two.count, 2);
}

static void a_verdict_has_a_text_of_its_own(void **state)
{
	(void)state;
	start(0);
	for (int i = REGISTRY_APPLIED; i <= REGISTRY_REJECTED_MEMORY; i++) {
		const char *text = registry_verdict_text((enum registry_verdict)i);

		assert_true(text && text[0]);
		for (int j = REGISTRY_APPLIED; j < i; j++)
			assert_string_not_equal(text, registry_verdict_text((enum registry_verdict)j));
	}
}

static void unsigned_users_are_one_user(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 2);

	(void)state;
	start(0);
	assert_int_equal(kit_deliver(&kit, &message, ""), REGISTRY_APPLIED);
	assert_string_equal(kit_find(&kit, 1)->user, "");
	message = kit_message(ANNOUNCEMENT_LOST, "web", 1, 1, 0);
	assert_int_equal(kit_deliver(&kit, &message, "web"), REGISTRY_REJECTED_USER);
	assert_int_equal(kit_deliver(&kit, &message, ""), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, 1), '-');
}

#define RULE(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(an_up_becomes_a_fact),
		RULE(an_up_whose_seq_is_not_newer_is_ignored),
		RULE(seq_counts_across_sessions),
		RULE(seq_may_be_as_large_as_the_contract_allows),
		RULE(an_up_replaces_the_facts_as_a_whole),
		RULE(what_an_emitter_is_goes_with_its_fact),
		RULE(ports_are_part_of_the_facts),
		RULE(origin_tells_another_session_or_place),
		RULE(instances_do_not_touch_each_others_facts),
		RULE(an_up_under_another_name_is_rejected),
		RULE(an_up_of_another_user_is_rejected),
		RULE(a_lease_is_clamped_to_the_hosts_maximum),
		RULE(when_the_lease_is_over_the_facts_go),
		RULE(after_a_down_the_instance_has_ended),
		RULE(a_down_before_its_up_counts),
		RULE(a_down_of_another_user_or_name_is_rejected),
		RULE(a_lost_of_the_current_session_removes_at_once_without_grace),
		RULE(the_session_of_a_lost_has_ended_but_not_its_instance),
		RULE(a_lost_before_its_up_counts),
		RULE(a_lost_of_an_earlier_session_changes_no_facts),
		RULE(a_lost_of_another_user_is_rejected_and_ends_nothing),
		RULE(within_lost_grace_the_facts_stay),
		RULE(each_instance_of_one_session_has_a_lost_of_its_own),
		RULE(a_users_own_grace_counts_where_it_is_longer),
		RULE(a_repeated_lost_does_not_renew_the_grace),
		RULE(within_lost_grace_a_new_session_takes_the_facts_up),
		RULE(within_lost_grace_a_down_removes_at_once),
		RULE(the_lease_ends_within_lost_grace_too),
		RULE(a_long_grace_and_a_quick_return_many_times),
		RULE(the_oldest_ended_is_forgotten_first),
		RULE(sessions_and_instances_share_the_bound_of_the_ended),
		RULE(one_user_cannot_crowd_out_what_another_users_ended),
		RULE(what_ended_is_forgotten_at_last),
		RULE(what_ended_is_remembered_for_a_lease),
		RULE(a_user_may_have_only_so_many_names),
		RULE(aliases_count_as_names),
		RULE(addresses_are_bounded_with_the_names),
		RULE(the_just_dead_are_not_counted_but_bounded_too),
		RULE(a_lower_bound_takes_nothing_away),
		RULE(many_short_leases_do_not_keep_it_busy),
		RULE(options_may_change_while_running),
		RULE(forget_ends_every_instance_of_a_name),
		RULE(forget_takes_what_is_in_its_grace_too),
		RULE(facts_come_in_the_order_in_which_they_were_first_heard_of),
		RULE(a_verdict_has_a_text_of_its_own),
		RULE(unsigned_users_are_one_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
