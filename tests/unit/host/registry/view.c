/* What is served: the view's rules, one test each; the names say the rule. docs/protocol, "What a host believes". */
#include <config.h>

#include "tests/unit/hostkit.h"

static struct kit kit;

static void start(enum view_conflict conflict)
{
	struct registry_options options = kit_options();

	kit_open_synced(&kit, &options, conflict);
}

static int teardown(void **state)
{
	(void)state;
	kit_close(&kit);
	return 0;
}

static void up_of(const char *user, const char *name, unsigned instance, uint64_t seq, unsigned address)
{
	struct announcement message = kit_announce(name, instance, instance, seq, address);

	assert_int_equal(kit_deliver(&kit, &message, user), REGISTRY_APPLIED);
}

static void down_of(const char *user, const char *name, unsigned instance)
{
	struct announcement message = kit_message(ANNOUNCEMENT_DOWN, name, instance, instance, 1000);

	assert_int_equal(kit_deliver(&kit, &message, user), REGISTRY_APPLIED);
	assert_int_equal(kit_state(&kit, instance), '-');
}

static void set_policy(enum view_conflict conflict)
{
	struct view_policy policy = kit_policy(&kit);

	view_set_policy(kit.view, conflict, &policy);
	view_refresh(kit.view);
}

static void a_name_and_its_aliases_have_all_addresses(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 2);

	(void)state;
	start(VIEW_ALL);
	kit_add_address(&message, 3);
	kit_add_alias(&message, "www");
	kit_add_alias(&message, "shop.example");
	kit_deliver(&kit, &message, "web");
	assert_string_equal(kit_served(&kit, "web"), "2 3");
	assert_string_equal(kit_served(&kit, "www"), "2 3");
	assert_string_equal(kit_served(&kit, "shop.example"), "2 3");
	assert_int_equal(view_names(kit.view), 3);
	assert_true(view_listed(kit_find(&kit, 1)));
}

static void the_most_aliases_and_addresses_are_listed(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 100);
	char alias[8];

	(void)state;
	start(VIEW_ALL);
	for (unsigned i = 1; i < ANNOUNCEMENT_ADDRESSES_MAX; i++)
		kit_add_address(&message, 100 + i);
	for (unsigned i = 0; i < ANNOUNCEMENT_ALIASES_MAX; i++) {
		snprintf(alias, sizeof(alias), "a%u", i);
		kit_add_alias(&message, alias);
	}
	kit_deliver(&kit, &message, "web");
	assert_int_equal(view_names(kit.view), 1 + ANNOUNCEMENT_ALIASES_MAX);
	assert_string_equal(kit_served(&kit, "a31"), "100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115");
}

static void conflict_all_lists_every_instance(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "web", 2, 2, 1, 5);
	kit_up(&kit, "web", 1, 1, 1, 4);
	kit_up(&kit, "web", 3, 3, 1, 6);
	assert_string_equal(kit_served(&kit, "web"), "4 5 6");
	assert_int_equal(view_names(kit.view), 1);
}

static void conflict_newest_lists_the_newest_instance(void **state)
{
	(void)state;
	start(VIEW_NEWEST);
	kit_up(&kit, "web", 2, 2, 1, 5);
	kit_up(&kit, "web", 3, 3, 1, 6);
	kit_up(&kit, "web", 1, 1, 1, 4);
	assert_string_equal(kit_served(&kit, "web"), "6");
	assert_true(view_listed(kit_find(&kit, 3)));
	assert_false(view_listed(kit_find(&kit, 1)));
	kit_down(&kit, "web", 3, 3, 2);
	assert_string_equal(kit_served(&kit, "web"), "5");
	kit_up(&kit, "web", 4, 4, 1, 7);
	assert_string_equal(kit_served(&kit, "web"), "7");
}

static void conflict_first_lists_the_first_instance(void **state)
{
	(void)state;
	start(VIEW_FIRST);
	kit_up(&kit, "web", 2, 2, 1, 5);
	kit_up(&kit, "web", 3, 3, 1, 6);
	assert_string_equal(kit_served(&kit, "web"), "5");
	/* By instance order, not by arrival. */
	kit_up(&kit, "web", 1, 1, 1, 4);
	assert_string_equal(kit_served(&kit, "web"), "4");
	kit_down(&kit, "web", 1, 1, 2);
	assert_string_equal(kit_served(&kit, "web"), "5");
}

static void conflict_counts_for_aliases_too(void **state)
{
	struct announcement message = kit_announce("db", 1, 1, 1, 4);

	(void)state;
	start(VIEW_NEWEST);
	kit_add_alias(&message, "web");
	kit_deliver(&kit, &message, "web");
	kit_up(&kit, "web", 2, 2, 1, 5);
	assert_string_equal(kit_served(&kit, "web"), "5");
	assert_string_equal(kit_served(&kit, "db"), "4");
	kit_down(&kit, "web", 2, 2, 2);
	assert_string_equal(kit_served(&kit, "web"), "4");
}

static void an_address_belongs_to_the_newest_instance(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "new", 2, 2, 1, 5);
	kit_up(&kit, "old", 1, 1, 1, 5);
	assert_string_equal(kit_served(&kit, "new"), "5");
	assert_string_equal(kit_served(&kit, "old"), "");
	assert_false(view_listed(kit_find(&kit, 1)));
	assert_int_equal(view_names(kit.view), 1);
}

static void when_the_newest_goes_the_older_has_the_address_back(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "a", 1, 1, 1, 5);
	kit_up(&kit, "b", 2, 2, 1, 5);
	kit_up(&kit, "c", 3, 3, 1, 5);
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_down(&kit, "c", 3, 3, 2);
	assert_string_equal(kit_served(&kit, "b"), "5");
	assert_string_equal(kit_served(&kit, "a"), "");
	kit_lost(&kit, "b", 2, 2);
	assert_string_equal(kit_served(&kit, "a"), "5");
}

static void only_the_shared_address_moves(void **state)
{
	struct announcement message = kit_announce("old", 1, 1, 1, 4);

	(void)state;
	start(VIEW_ALL);
	kit_add_address(&message, 5);
	kit_deliver(&kit, &message, "web");
	kit_up(&kit, "new", 2, 2, 1, 5);
	assert_string_equal(kit_served(&kit, "old"), "4");
	assert_string_equal(kit_served(&kit, "new"), "5");
	/* The newer moves away: the older has both again. */
	kit_up(&kit, "new", 2, 2, 2, 6);
	assert_string_equal(kit_served(&kit, "old"), "4 5");
}

static void a_restart_on_the_same_address_is_listed_once(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "web", 1, 1, 1, 5);
	kit_up(&kit, "web", 2, 2, 1, 5);
	assert_string_equal(kit_served(&kit, "web"), "5");
	assert_false(view_listed(kit_find(&kit, 1)));
	assert_true(view_listed(kit_find(&kit, 2)));
	kit_down(&kit, "web", 1, 1, 2);
	assert_string_equal(kit_served(&kit, "web"), "5");
}

static void of_rival_users_the_first_keeps_the_name(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up_of("one", "web", 2, 1, 5);
	up_of("two", "web", 3, 1, 6);
	up_of("two", "web", 1, 1, 4);
	assert_string_equal(kit_served(&kit, "web"), "5");
	assert_false(view_listed(kit_find(&kit, 3)));
	up_of("two", "web", 3, 2, 6);
	up_of("one", "web", 2, 2, 5);
	assert_string_equal(kit_served(&kit, "web"), "5");
}

static void of_rival_users_the_first_keeps_the_address(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up_of("one", "a", 1, 1, 5);
	up_of("two", "b", 2, 1, 5);
	assert_string_equal(kit_served(&kit, "a"), "5");
	assert_string_equal(kit_served(&kit, "b"), "");
	down_of("one", "a", 1);
	assert_string_equal(kit_served(&kit, "b"), "5");
}

static void the_other_user_has_the_name_when_the_holder_goes(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 2, 1, 6);
	down_of("one", "web", 1);
	assert_string_equal(kit_served(&kit, "web"), "6");
	/* And keeps it when the first one is back. */
	up_of("one", "web", 3, 1, 7);
	assert_string_equal(kit_served(&kit, "web"), "6");
	down_of("two", "web", 2);
	assert_string_equal(kit_served(&kit, "web"), "7");
}

static void a_name_is_inherited_across_ones_own_restarts(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 2, 1, 6);
	for (unsigned i = 3; i < 9; i++) {
		up_of("one", "web", i, 1, 7);
		down_of("one", "web", i == 3 ? 1 : i - 1);
		assert_string_equal(kit_served(&kit, "web"), "7");
	}
	down_of("one", "web", 8);
	assert_string_equal(kit_served(&kit, "web"), "6");
}

static void a_holder_that_announces_something_else_besides_keeps_the_name(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 2, 5);

	(void)state;
	start(VIEW_ALL);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 2, 1, 6);
	kit_add_alias(&message, "www");
	kit_add_address(&message, 7);
	kit_deliver(&kit, &message, "one");
	assert_string_equal(kit_served(&kit, "web"), "5 7");
}

/* A drained broker fires all wills, in any order, and then closes our own connection. */
static void a_drained_broker_does_not_pass_the_name_on(void **state)
{
	struct announcement lost = kit_message(ANNOUNCEMENT_LOST, "web", 2, 2, 0);

	(void)state;
	start(VIEW_ALL);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 2, 1, 6);
	kit_deliver(&kit, &lost, "two");
	lost = kit_message(ANNOUNCEMENT_LOST, "web", 1, 1, 0);
	kit_deliver(&kit, &lost, "one");
	kit_disconnect(&kit);
	assert_string_equal(kit_served(&kit, "web"), "5");
}

static void an_address_is_inherited_across_ones_own_restarts(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up_of("one", "a", 1, 1, 5);
	up_of("two", "b", 2, 1, 5);
	up_of("one", "c", 3, 1, 5);
	down_of("one", "a", 1);
	assert_string_equal(kit_served(&kit, "c"), "5");
	assert_string_equal(kit_served(&kit, "b"), "");
}

static void a_holder_in_doubt_keeps_the_name(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 2, 1, 6);
	kit_pass(&kit, 5000);
	kit_disconnect(&kit);
	kit_connect(&kit);
	kit_marker(&kit);
	up_of("two", "web", 2, 2, 6);
	assert_string_equal(kit_served(&kit, "web"), "5");
	kit_pass(&kit, 8000);
	assert_string_equal(kit_served(&kit, "web"), "6");
}

static void a_holder_in_its_grace_keeps_the_name(void **state)
{
	struct registry_options options = kit_options();
	struct announcement lost = kit_message(ANNOUNCEMENT_LOST, "web", 1, 1, 0);

	(void)state;
	options.lost_grace_ms = 8000;
	kit_open_synced(&kit, &options, VIEW_ALL);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 2, 1, 6);
	kit_deliver(&kit, &lost, "one");
	assert_string_equal(kit_served(&kit, "web"), "5");
	kit_pass(&kit, 8000);
	assert_string_equal(kit_served(&kit, "web"), "6");
}

static void a_holder_that_drops_the_name_lets_it_go(void **state)
{
	struct announcement message = kit_announce("one", 1, 1, 1, 5);

	(void)state;
	start(VIEW_ALL);
	kit_add_alias(&message, "www");
	kit_deliver(&kit, &message, "one");
	up_of("two", "www", 2, 1, 6);
	assert_string_equal(kit_served(&kit, "www"), "5");
	up_of("one", "one", 1, 2, 5);
	assert_string_equal(kit_served(&kit, "www"), "6");
}

static void a_holder_that_moves_lets_the_address_go(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up_of("one", "a", 1, 1, 5);
	up_of("two", "b", 2, 1, 5);
	up_of("one", "a", 1, 2, 6);
	assert_string_equal(kit_served(&kit, "a"), "6");
	assert_string_equal(kit_served(&kit, "b"), "5");
}

static void conflict_is_settled_within_the_holder_only(void **state)
{
	(void)state;
	start(VIEW_NEWEST);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 9, 1, 6);
	assert_string_equal(kit_served(&kit, "web"), "5");
	up_of("one", "web", 2, 1, 7);
	assert_string_equal(kit_served(&kit, "web"), "7");
}

static void the_restored_keep_their_claims(void **state)
{
	struct registry_options options = kit_options();
	struct announcement first = kit_announce("web", 9, 9, 0, 5), second = kit_announce("web", 2, 2, 0, 6);

	(void)state;
	kit_open(&kit, &options, VIEW_ALL);
	/* In the file's order, though not in instance order and with no refresh between. */
	registry_restore(kit.registry, &first, "one", CLOCK_NEVER, kit.now_ms);
	registry_restore(kit.registry, &second, "two", CLOCK_NEVER, kit.now_ms);
	kit_settle(&kit);
	assert_string_equal(kit_served(&kit, "web"), "5");
	kit_connect(&kit);
	kit_marker(&kit);
	up_of("two", "web", 2, 1, 6);
	up_of("one", "web", 9, 1, 5);
	assert_string_equal(kit_served(&kit, "web"), "5");
}

static enum registry_verdict restore_of(const char *user, const char *name, const char *alias, unsigned instance, unsigned session)
{
	struct announcement message = kit_announce(name, instance, session, 0, instance);

	if (alias != NULL)
		kit_add_alias(&message, alias);
	return registry_restore(kit.registry, &message, user, kit.now_ms + 60000, kit.now_ms);
}

/* Each has what the other one waits for, and neither comes again by itself. */
static void what_the_restored_wait_for_comes_behind_what_others_have(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	kit_open(&kit, &options, VIEW_ALL);
	assert_int_equal(restore_of("one", "a", NULL, 1, 0), REGISTRY_APPLIED);
	assert_int_equal(restore_of("two", "b", NULL, 2, 0), REGISTRY_APPLIED);
	assert_int_equal(restore_of("one", "a", "b", 1, 0), REGISTRY_APPLIED);
	assert_int_equal(restore_of("two", "b", "a", 2, 0), REGISTRY_APPLIED);
	kit_settle(&kit);
	assert_string_equal(kit_served(&kit, "a"), "1");
	assert_string_equal(kit_served(&kit, "b"), "2");
	kit_connect(&kit);
	kit_marker(&kit);
	assert_int_equal(registry_forget(kit.registry, "b", kit.now_ms), 1);
	kit_settle(&kit);
	assert_string_equal(kit_served(&kit, "a"), "1");
	assert_string_equal(kit_served(&kit, "b"), "1");
}

static void the_restored_say_more_of_themselves_alone(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	kit_open(&kit, &options, VIEW_ALL);
	assert_int_equal(restore_of("one", "a", NULL, 1, 0), REGISTRY_APPLIED);
	assert_int_equal(restore_of("two", "a", "b", 1, 0), REGISTRY_REJECTED_USER);
	assert_int_equal(restore_of("one", "c", "b", 1, 0), REGISTRY_REJECTED_NAME);
	assert_int_equal(restore_of("one", "a", "b", 1, 1), REGISTRY_IGNORED_OLD);
	assert_int_equal(restore_of("one", "s", NULL, 2, 2), REGISTRY_APPLIED);
	assert_int_equal(restore_of("one", "s", "b", 2, 0), REGISTRY_IGNORED_OLD);
	kit_settle(&kit);
	assert_string_equal(kit_served(&kit, "a"), "1");
	assert_string_equal(kit_served(&kit, "b"), "");
	assert_string_equal(kit_served(&kit, "c"), "");
}

static void what_the_policy_refuses_is_not_listed_and_holds_nothing(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 5);

	(void)state;
	start(VIEW_ALL);
	kit_add_alias(&message, "www");
	kit_add_address(&message, 6);
	kit.refused_name = "www";
	kit.refused_address = 6;
	kit_deliver(&kit, &message, "web");
	assert_string_equal(kit_served(&kit, "web"), "5");
	assert_string_equal(kit_served(&kit, "www"), "");
	assert_int_equal(view_names(kit.view), 1);
}

static void a_new_policy_applies_to_what_is_listed(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 5);

	(void)state;
	start(VIEW_ALL);
	kit_add_alias(&message, "www");
	kit_deliver(&kit, &message, "web");
	kit.refused_name = "web";
	set_policy(VIEW_ALL);
	assert_string_equal(kit_served(&kit, "web"), "");
	assert_string_equal(kit_served(&kit, "www"), "5");
	assert_false(view_listed(kit_find(&kit, 1)));
	kit.refused_name = NULL;
	kit.refused_address = 5;
	set_policy(VIEW_ALL);
	assert_string_equal(kit_served(&kit, "www"), "");
	assert_int_equal(view_names(kit.view), 0);
	/* The facts are what was announced, whatever the policy. */
	assert_int_equal(kit_counts(&kit).facts, 1);
	kit.refused_address = 0;
	set_policy(VIEW_ALL);
	assert_string_equal(kit_served(&kit, "web"), "5");
}

static void a_new_conflict_rule_applies_to_what_is_listed(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "web", 1, 1, 1, 4);
	kit_up(&kit, "web", 2, 2, 1, 5);
	kit_up(&kit, "web", 3, 3, 1, 6);
	set_policy(VIEW_NEWEST);
	assert_string_equal(kit_served(&kit, "web"), "6");
	set_policy(VIEW_FIRST);
	assert_string_equal(kit_served(&kit, "web"), "4");
	set_policy(VIEW_ALL);
	assert_string_equal(kit_served(&kit, "web"), "4 5 6");
}

static uint32_t only_two(void *arg, const char *user, const char *name)
{
	(void)arg;
	(void)name;
	return strcmp(user, "two") == 0;
}

static void a_refused_holder_lets_the_name_go(void **state)
{
	struct view_policy policy;

	(void)state;
	start(VIEW_ALL);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 2, 1, 6);
	policy = kit_policy(&kit);
	policy.name_domains = only_two;
	view_set_policy(kit.view, VIEW_ALL, &policy);
	view_refresh(kit.view);
	assert_string_equal(kit_served(&kit, "web"), "6");
}

static void who_is_allowed_again_does_not_take_the_name_back(void **state)
{
	struct view_policy policy;

	(void)state;
	start(VIEW_ALL);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 2, 1, 6);
	policy = kit_policy(&kit);
	policy.name_domains = only_two;
	view_set_policy(kit.view, VIEW_ALL, &policy);
	view_refresh(kit.view);
	up_of("one", "web", 3, 1, 7);
	set_policy(VIEW_ALL);
	assert_string_equal(kit_served(&kit, "web"), "6");
	down_of("two", "web", 2);
	assert_string_equal(kit_served(&kit, "web"), "5 7");
}

static void who_was_never_allowed_held_nothing(void **state)
{
	struct view_policy policy;

	(void)state;
	start(VIEW_ALL);
	policy = kit_policy(&kit);
	policy.name_domains = only_two;
	view_set_policy(kit.view, VIEW_ALL, &policy);
	up_of("one", "web", 1, 1, 5);
	up_of("two", "web", 2, 1, 6);
	set_policy(VIEW_ALL);
	assert_string_equal(kit_served(&kit, "web"), "6");
}

static void a_reload_that_changes_nothing_moves_no_name(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up_of("two", "web", 9, 1, 6);
	up_of("one", "web", 1, 1, 5);
	set_policy(VIEW_ALL);
	assert_string_equal(kit_served(&kit, "web"), "6");
	/* Nor one whose holder inherited it and is the later one by now. */
	up_of("two", "web", 10, 1, 7);
	down_of("two", "web", 9);
	set_policy(VIEW_ALL);
	assert_string_equal(kit_served(&kit, "web"), "7");
}

/* What the watcher was told since the last time. */
static struct {
	unsigned listings, with_records, gone, waits;
	uint64_t names;
	uint32_t addresses;
	unsigned instance;
	char what[HOSTNAME_NAME_SIZE], holder[64];
} told;

static void on_listing(void *arg, const struct listing *listing, bool records)
{
	(void)arg;
	told.listings++;
	told.with_records += records;
	told.names = listing->names;
	told.addresses = listing->addresses;
	told.instance = kit_instance_number(&listing->fact->instance);
}

static void on_gone(void *arg, const struct listing *listing)
{
	(void)arg;
	told.gone++;
	told.instance = kit_instance_number(&listing->fact->instance);
}

static void on_waits(void *arg, const struct fact *fact, const char *what, const char *holder)
{
	(void)arg;
	told.waits++;
	told.instance = kit_instance_number(&fact->instance);
	snprintf(told.what, sizeof(told.what), "%s", what);
	snprintf(told.holder, sizeof(told.holder), "%s", holder);
}

static void watch(void)
{
	const struct view_watcher watcher = {on_listing, on_gone, on_waits, NULL};

	view_set_watcher(kit.view, &watcher);
	view_refresh(kit.view);
	memset(&told, 0, sizeof(told));
}

static void the_watcher_is_told_of_what_is_listed(void **state)
{
	(void)state;
	start(VIEW_ALL);
	watch();
	kit_up(&kit, "web", 1, 1, 1, 5);
	assert_int_equal(told.listings, 1);
	assert_int_equal(told.with_records, 1);
	assert_int_equal(told.names, 1);
	assert_int_equal(told.addresses, 1);
	assert_int_equal(told.instance, 1);
	memset(&told, 0, sizeof(told));
	view_refresh(kit.view);
	assert_int_equal(told.listings, 0);
}

static void the_watcher_is_told_what_a_newer_instance_took(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "old", 1, 1, 1, 5);
	watch();
	kit_up(&kit, "new", 2, 2, 1, 5);
	assert_int_equal(told.with_records, 2);
}

static void a_new_session_changes_no_records(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "web", 1, 1, 1, 5);
	watch();
	kit_up(&kit, "web", 1, 2, 2, 5);
	assert_int_equal(told.listings, 1);
	assert_int_equal(told.with_records, 0);
	memset(&told, 0, sizeof(told));
	kit_up(&kit, "web", 1, 2, 3, 6);
	assert_int_equal(told.with_records, 1);
}

static void a_renewal_changes_no_records(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "web", 1, 1, 1, 5);
	watch();
	kit_up(&kit, "web", 1, 1, 2, 5);
	assert_int_equal(told.with_records, 0);
}

static void a_doubt_changes_no_records(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "web", 1, 1, 1, 5);
	watch();
	kit_disconnect(&kit);
	kit_connect(&kit);
	kit_marker(&kit);
	assert_int_equal(told.with_records, 0);
	assert_int_equal(told.gone, 0);
}

static void the_watcher_is_told_what_has_gone(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "web", 1, 1, 1, 5);
	watch();
	kit_down(&kit, "web", 1, 1, 2);
	assert_int_equal(told.gone, 1);
	assert_int_equal(told.instance, 1);
	assert_int_equal(told.with_records, 0);
}

static void the_watcher_is_told_who_waits_for_whom(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up_of("one", "web", 1, 1, 5);
	watch();
	up_of("two", "web", 2, 1, 6);
	assert_int_equal(told.waits, 1);
	assert_int_equal(told.instance, 2);
	assert_string_equal(told.what, "web");
	assert_string_equal(told.holder, "one");
	/* Once is enough. */
	memset(&told, 0, sizeof(told));
	up_of("two", "web", 2, 2, 6);
	up_of("one", "web", 4, 1, 8);
	assert_int_equal(told.waits, 0);
	up_of("two", "db", 3, 1, 5);
	assert_int_equal(told.waits, 1);
	assert_string_equal(told.what, "198.18.0.5");
	assert_string_equal(told.holder, "one");
}

static void a_policy_change_is_told_as_records(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "web", 1, 1, 1, 5);
	kit_up(&kit, "db", 2, 2, 1, 6);
	watch();
	kit.refused_name = "web";
	set_policy(VIEW_ALL);
	assert_int_equal(told.with_records, 1);
	assert_int_equal(told.instance, 1);
}

static bool note_claim(void *arg, const struct listing *listing, bool listed)
{
	char *text = arg;
	size_t length = strlen(text);

	snprintf(text + length, 64 - length, "%s%u%s", length ? " " : "", kit_instance_number(&listing->fact->instance),
		 listed ? "+" : "-");
	return length < 6;
}

static void claims_come_listed_first(void **state)
{
	char claims[64] = "", some[64] = "";

	(void)state;
	start(VIEW_NEWEST);
	kit_up(&kit, "web", 1, 1, 1, 4);
	kit_up(&kit, "web", 2, 2, 1, 5);
	kit_up(&kit, "db", 3, 3, 1, 6);
	view_each_claim(kit.view, "web", note_claim, claims);
	assert_string_equal(claims, "2+ 1-");
	view_each_claim(kit.view, "nobody", note_claim, some);
	assert_string_equal(some, "");
}

static bool count_two(void *arg, const struct listing *listing)
{
	unsigned *seen = arg;

	assert_true(listing->names && listing->addresses);
	return ++*seen != 2;
}

static void listings_have_a_name_and_an_address_and_can_be_stopped(void **state)
{
	unsigned all = 10, two = 0;

	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "a", 1, 1, 1, 5);
	kit_up(&kit, "b", 2, 2, 1, 5);
	kit_up(&kit, "c", 3, 3, 1, 6);
	kit_up(&kit, "d", 4, 4, 1, 7);
	view_each(kit.view, count_two, &all);
	assert_int_equal(all, 13);
	view_each(kit.view, count_two, &two);
	assert_int_equal(two, 2);
}

static void several_changes_at_once_need_one_refresh(void **state)
{
	struct announcement first = kit_announce("web", 1, 1, 1, 5), second = kit_announce("web", 2, 2, 1, 5);
	struct announcement third = kit_announce("db", 3, 3, 1, 7),
			    down = kit_message(ANNOUNCEMENT_DOWN, "web", 2, 2, 2);

	(void)state;
	start(VIEW_ALL);
	registry_up(kit.registry, &second, "web", kit.now_ms);
	registry_up(kit.registry, &first, "web", kit.now_ms);
	registry_up(kit.registry, &third, "web", kit.now_ms);
	registry_down(kit.registry, &down, "web", kit.now_ms);
	kit_settle(&kit);
	assert_string_equal(kit_served(&kit, "web"), "5");
	assert_string_equal(kit_served(&kit, "db"), "7");
	assert_int_equal(view_names(kit.view), 2);
}

/* Another entry each time, in the place of the one before it: told of once, and when it goes, not at all. */
static void what_claims_something_else_before_it_is_looked_at_is_told_once(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 5), down = kit_message(ANNOUNCEMENT_DOWN, "web", 1, 1, 9);

	(void)state;
	start(VIEW_ALL);
	kit_up(&kit, "first", 2, 2, 1, 4);
	watch();
	for (message.seq = 1; message.seq < 5; message.seq++) {
		message.addresses[0] = kit_address(4 + (unsigned)message.seq);
		kit_add_alias(&message, message.seq % 2 != 0 ? "odd" : "even");
		message.naliases = 1;
		registry_up(kit.registry, &message, "web", kit.now_ms);
	}
	view_refresh(kit.view);
	assert_int_equal(told.listings, 1);
	assert_int_equal(told.with_records, 1);
	assert_int_equal(told.addresses, 1);
	assert_string_equal(kit_served(&kit, "web"), "8");
	assert_string_equal(kit_served(&kit, "odd"), "8");
	assert_int_equal(view_names(kit.view), 3);
	memset(&told, 0, sizeof(told));
	message.addresses[0] = kit_address(9);
	registry_up(kit.registry, &message, "web", kit.now_ms);
	registry_down(kit.registry, &down, "web", kit.now_ms);
	view_refresh(kit.view);
	assert_int_equal(told.listings, 0);
	assert_int_equal(told.gone, 1);
	assert_int_equal(view_names(kit.view), 1);
}

/* A name whose letters are the bytes of an address is not that address. */
static void a_name_does_not_meet_an_address_of_the_same_bytes(void **state)
{
	static const struct address addresses[] = {{4, {'w', 'e', 'b', '1'}}, {6, {'f', 'd', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n'}}};
	static const char *const names[] = {"web1", "fdabcdefghijklmn"};
	struct announcement message;
	unsigned i;

	(void)state;
	start(VIEW_ALL);
	for (i = 0; i < 2; i++) {
		message = kit_announce("other", 1, 1, 1 + i, 5);
		message.addresses[0] = addresses[i];
		assert_int_equal(kit_deliver(&kit, &message, "one"), REGISTRY_APPLIED);
		up_of("two", names[i], 2 + i, 1, 6 + i);
		assert_true(view_listed(kit_find(&kit, 1)));
		assert_true(view_listed(kit_find(&kit, 2 + i)));
		assert_int_equal(view_names(kit.view), 2 + i);
	}
	down_of("two", names[1], 3);
	assert_true(view_listed(kit_find(&kit, 1)));
}

/* Of which of its names an instance's listing says that they are crowded. */
static uint64_t crowded(unsigned instance)
{
	return view_listing(kit_find(&kit, instance))->crowded;
}

static void whose_name_has_many_addresses_is_told_so_and_told_when_it_has_not(void **state)
{
	struct announcement message;
	unsigned i;

	(void)state;
	start(VIEW_ALL);
	for (i = 1; i <= VIEW_CROWD; i++) {
		char name[16];

		snprintf(name, sizeof name, "host%u", i);
		message = kit_announce(name, i, i, 1, i);
		kit_add_alias(&message, "www");
		kit_deliver(&kit, &message, "web");
		view_refresh(kit.view);
	}
	for (i = 1; i <= VIEW_CROWD; i++)
		assert_int_equal(crowded(i), 0);
	message = kit_announce("more", i, i, 1, i);
	kit_add_alias(&message, "other");
	kit_add_alias(&message, "www");
	kit_deliver(&kit, &message, "web");
	view_refresh(kit.view);
	for (i = 1; i <= VIEW_CROWD; i++)
		assert_int_equal(crowded(i), 2);
	assert_int_equal(crowded(i), 4);
	down_of("web", "host3", 3);
	view_refresh(kit.view);
	assert_int_equal(crowded(1), 0);
	assert_int_equal(crowded(i), 0);
	/* Where one of them has several addresses; whoever waits for the name counts nothing. */
	message = kit_announce("host1", 1, 1, 2, 1);
	kit_add_alias(&message, "www");
	kit_add_address(&message, 101);
	kit_deliver(&kit, &message, "web");
	view_refresh(kit.view);
	assert_int_equal(crowded(1), 2);
	assert_int_equal(crowded(2), 2);
	down_of("web", "host2", 2);
	message = kit_announce("rival", 50, 50, 1, 50);
	kit_add_alias(&message, "www");
	kit_deliver(&kit, &message, "mallory");
	view_refresh(kit.view);
	assert_int_equal(crowded(1), 0);
}

/* One instance alone. */
static void one_with_many_addresses_has_crowded_names(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 1);
	unsigned i;

	(void)state;
	start(VIEW_ALL);
	kit_add_alias(&message, "www");
	for (i = 2; i <= VIEW_CROWD; i++)
		kit_add_address(&message, i);
	kit_deliver(&kit, &message, "web");
	view_refresh(kit.view);
	assert_int_equal(crowded(1), 0);
	message = kit_announce("web", 1, 1, 2, 1);
	kit_add_alias(&message, "www");
	for (i = 2; i <= VIEW_CROWD + 1; i++)
		kit_add_address(&message, i);
	kit_deliver(&kit, &message, "web");
	view_refresh(kit.view);
	assert_int_equal(crowded(1), 3);
}

#define RULE(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_name_and_its_aliases_have_all_addresses),
		RULE(the_most_aliases_and_addresses_are_listed),
		RULE(whose_name_has_many_addresses_is_told_so_and_told_when_it_has_not),
		RULE(one_with_many_addresses_has_crowded_names),
		RULE(conflict_all_lists_every_instance),
		RULE(conflict_newest_lists_the_newest_instance),
		RULE(conflict_first_lists_the_first_instance),
		RULE(conflict_counts_for_aliases_too),
		RULE(an_address_belongs_to_the_newest_instance),
		RULE(when_the_newest_goes_the_older_has_the_address_back),
		RULE(only_the_shared_address_moves),
		RULE(a_restart_on_the_same_address_is_listed_once),
		RULE(of_rival_users_the_first_keeps_the_name),
		RULE(of_rival_users_the_first_keeps_the_address),
		RULE(the_other_user_has_the_name_when_the_holder_goes),
		RULE(a_name_is_inherited_across_ones_own_restarts),
		RULE(a_holder_that_announces_something_else_besides_keeps_the_name),
		RULE(a_drained_broker_does_not_pass_the_name_on),
		RULE(an_address_is_inherited_across_ones_own_restarts),
		RULE(a_holder_in_doubt_keeps_the_name),
		RULE(a_holder_in_its_grace_keeps_the_name),
		RULE(a_holder_that_drops_the_name_lets_it_go),
		RULE(a_holder_that_moves_lets_the_address_go),
		RULE(conflict_is_settled_within_the_holder_only),
		RULE(the_restored_keep_their_claims),
		RULE(what_the_restored_wait_for_comes_behind_what_others_have),
		RULE(the_restored_say_more_of_themselves_alone),
		RULE(what_the_policy_refuses_is_not_listed_and_holds_nothing),
		RULE(a_new_policy_applies_to_what_is_listed),
		RULE(a_new_conflict_rule_applies_to_what_is_listed),
		RULE(a_refused_holder_lets_the_name_go),
		RULE(who_is_allowed_again_does_not_take_the_name_back),
		RULE(who_was_never_allowed_held_nothing),
		RULE(a_reload_that_changes_nothing_moves_no_name),
		RULE(the_watcher_is_told_of_what_is_listed),
		RULE(the_watcher_is_told_what_a_newer_instance_took),
		RULE(a_new_session_changes_no_records),
		RULE(a_renewal_changes_no_records),
		RULE(a_doubt_changes_no_records),
		RULE(the_watcher_is_told_what_has_gone),
		RULE(the_watcher_is_told_who_waits_for_whom),
		RULE(a_policy_change_is_told_as_records),
		RULE(claims_come_listed_first),
		RULE(listings_have_a_name_and_an_address_and_can_be_stopped),
		RULE(several_changes_at_once_need_one_refresh),
		RULE(what_claims_something_else_before_it_is_looked_at_is_told_once),
		RULE(a_name_does_not_meet_an_address_of_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
