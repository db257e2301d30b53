/* Whose an address is that several claim, by where they are: the rules, one test each. docs/protocol, "The view". */
#include <config.h>

#include "tests/unit/hostkit.h"

#define HERE      1
#define OTHER     2
#define THIRD     3
#define OWN_BELOW 100 /* addresses below this one are in the range of a bridge of this host */

static struct kit kit;

static void start(enum view_conflict conflict)
{
	struct registry_options options = kit_options();

	kit_open_synced(&kit, &options, conflict);
	kit_own(&kit, HERE, OWN_BELOW);
}

static int teardown(void **state)
{
	(void)state;
	kit_close(&kit);
	return 0;
}

static uint64_t seq;

/* host 0: it does not say where it is. */
static void up(const char *user, const char *name, unsigned instance, unsigned address, unsigned host, unsigned netns)
{
	struct announcement message = kit_announce(name, instance, instance, ++seq, address);

	message.place = kit_place(host, netns);
	assert_int_equal(kit_deliver(&kit, &message, user), REGISTRY_APPLIED);
}

static void down(const char *user, const char *name, unsigned instance)
{
	struct announcement message = kit_message(ANNOUNCEMENT_DOWN, name, instance, instance, ++seq);

	assert_int_equal(kit_deliver(&kit, &message, user), REGISTRY_APPLIED);
}

static const char *served(const char *name)
{
	return kit_served(&kit, name);
}

/* ---- one user ---- */

static void those_in_one_namespace_share_their_address(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("web", "aa", 1, 5, HERE, 7);
	up("web", "bb", 2, 5, HERE, 7);
	up("web", "cc", 3, 5, HERE, 7);
	assert_string_equal(served("aa"), "5");
	assert_string_equal(served("bb"), "5");
	assert_string_equal(served("cc"), "5");
	/* Each goes with its own end. */
	down("web", "bb", 2);
	assert_string_equal(served("aa"), "5");
	assert_string_equal(served("bb"), "");
	assert_string_equal(served("cc"), "5");
	down("web", "aa", 1);
	assert_string_equal(served("cc"), "5");
}

static void in_another_namespace_of_a_host_the_newest_owns_it(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("web", "old", 1, 5, OTHER, 7);
	up("web", "beside", 2, 5, OTHER, 7);
	up("web", "new", 3, 5, OTHER, 8);
	assert_string_equal(served("old"), "");
	assert_string_equal(served("beside"), "");
	assert_string_equal(served("new"), "5");
	down("web", "new", 3);
	assert_string_equal(served("old"), "5");
	assert_string_equal(served("beside"), "5");
}

static void on_each_host_the_newest_has_it(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("web", "a-old", 1, 200, OTHER, 7);
	up("web", "b", 2, 200, THIRD, 9);
	up("web", "a-new", 3, 200, OTHER, 8);
	up("web", "b-too", 4, 200, THIRD, 9);
	assert_string_equal(served("a-old"), "");
	assert_string_equal(served("a-new"), "200");
	assert_string_equal(served("b"), "200");
	assert_string_equal(served("b-too"), "200");
}

static void without_place_the_newest_owns_it_as_ever(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("web", "placed", 1, 5, HERE, 7);
	up("web", "also", 2, 5, OTHER, 7);
	up("web", "older-emitter", 3, 5, 0, 0);
	assert_string_equal(served("placed"), "");
	assert_string_equal(served("also"), "");
	assert_string_equal(served("older-emitter"), "5");
	up("web", "newest", 4, 5, HERE, 9);
	assert_string_equal(served("older-emitter"), "");
	assert_string_equal(served("newest"), "5");
	assert_string_equal(served("also"), "5");
	assert_string_equal(served("placed"), "");
}

static void who_moves_shares_with_others(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("web", "aa", 1, 5, HERE, 7);
	up("web", "bb", 2, 5, HERE, 8);
	assert_string_equal(served("aa"), "");
	/* The same instance, the same address: only the place is another one. */
	up("web", "bb", 2, 5, HERE, 7);
	assert_string_equal(served("aa"), "5");
	assert_string_equal(served("bb"), "5");
	up("web", "bb", 2, 5, 0, 0);
	assert_string_equal(served("aa"), "");
}

static void a_host_prefers_its_own_for_a_name(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("web", "web", 1, 5, OTHER, 7);
	assert_string_equal(served("web"), "5");
	up("web", "web", 2, 6, HERE, 7);
	assert_string_equal(served("web"), "6");
	down("web", "web", 2);
	assert_string_equal(served("web"), "5");
}

static void where_no_range_is_its_own_all_are_answers(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("web", "web", 1, 200, OTHER, 7);
	up("web", "web", 2, 6, HERE, 7);
	up("web", "web", 3, 201, THIRD, 7);
	assert_string_equal(served("web"), "6 200 201");
	/* One without place is preferred to nobody, and nobody to it. */
	up("web", "web", 4, 7, 0, 0);
	assert_string_equal(served("web"), "6 7 200 201");
}

static void the_newest_is_chosen_among_those_that_lead_somewhere(void **state)
{
	(void)state;
	start(VIEW_NEWEST);
	up("web", "web", 1, 6, HERE, 7);
	up("web", "web", 2, 5, OTHER, 7);
	assert_string_equal(served("web"), "6");
}

/* Its address was given away, so that it would lead nowhere. */
static void an_own_one_without_an_address_is_not_preferred(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("web", "web", 1, 6, HERE, 7);
	up("web", "web", 2, 5, OTHER, 7);
	assert_string_equal(served("web"), "6");
	up("web", "other", 3, 6, HERE, 8);
	assert_string_equal(served("web"), "5");
	down("web", "other", 3);
	assert_string_equal(served("web"), "6");
}

/* ---- which of them an address leads back to ---- */

static bool comes_first(unsigned instance)
{
	const struct listing *listing = view_listing(kit_find(&kit, instance));

	return listing->addresses == 1 && listing->later == 0;
}

static void one_comes_first(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("web", "other", 1, 5, OTHER, 7);
	assert_true(comes_first(1));
	up("web", "aa", 2, 5, HERE, 7);
	up("web", "bb", 3, 5, HERE, 7);
	assert_true(comes_first(2));
	assert_false(comes_first(1));
	assert_false(comes_first(3));
	down("web", "aa", 2);
	assert_true(comes_first(3));
	down("web", "bb", 3);
	assert_true(comes_first(1));
}

/* ---- several users ---- */

static void a_forged_place_shares_no_address_of_a_host(void **state)
{
	static const unsigned places[][2] = {{HERE, 7}, {HERE, 8}, {OTHER, 7}, {OTHER, 8}, {THIRD, 7}, {0, 0}};

	(void)state;
	for (unsigned where = 0; where < 2; where++) {
		unsigned address = where == 0 ? 5 : 200; /* in an own range, and not */

		start(VIEW_ALL);
		up("victim", "victim", 1, address, HERE, 7);
		for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			up("forger", "forged", 2, address, places[i][0], places[i][1]);
			assert_int_equal((int)strtol(served("victim"), NULL, 10), address);
			assert_string_equal(served("forged"), "");
			assert_true(comes_first(1));
		}
		kit_close(&kit);
	}
	start(VIEW_ALL);
}

static void a_forged_place_shares_no_address_of_another_host(void **state)
{
	static const unsigned places[][2] = {{HERE, 7}, {OTHER, 7}, {OTHER, 8}, {THIRD, 7}, {0, 0}};

	(void)state;
	start(VIEW_ALL);
	up("victim", "victim", 1, 200, OTHER, 7);
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		up("forger", "forged", 2, 200, places[i][0], places[i][1]);
		assert_string_equal(served("victim"), "200");
		assert_string_equal(served("forged"), "");
	}
}

static void a_forged_place_is_preferred_for_nobodys_name(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("victim", "web", 1, 5, OTHER, 7);
	up("forger", "web", 2, 6, HERE, 7);
	assert_string_equal(served("web"), "5");
	up("forger", "web", 3, 5, HERE, 7);
	assert_string_equal(served("web"), "5");
	assert_true(comes_first(1));
}

/* Two hosts with one range, a tenant on each: this is the one where the second is. */
static void in_a_range_of_its_own_a_host_serves_whoever_is_here_too(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("one", "one", 1, 5, OTHER, 7);
	up("two", "two", 2, 5, HERE, 7);
	assert_string_equal(served("one"), "5");
	assert_string_equal(served("two"), "5");
	/* Back it leads to whoever had it first: the places are only said. */
	assert_true(comes_first(1));
	/* A third is too late, wherever it is. */
	up("three", "three", 3, 5, HERE, 8);
	assert_string_equal(served("three"), "");
	up("three", "three", 3, 5, THIRD, 8);
	assert_string_equal(served("three"), "");
	/* Who is here keeps it when the other goes, and then nobody from elsewhere has a share. */
	down("one", "one", 1);
	assert_string_equal(served("two"), "5");
	assert_string_equal(served("three"), "");
	assert_true(comes_first(2));
}

/* … and this is the one where the first is. */
static void who_is_elsewhere_waits_for_whoever_is_here(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("two", "two", 1, 5, HERE, 7);
	up("one", "one", 2, 5, OTHER, 7);
	assert_string_equal(served("two"), "5");
	assert_string_equal(served("one"), "");
}

static void who_does_not_say_where_it_is_may_be_here(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("one", "one", 1, 5, 0, 0);
	up("two", "two", 2, 5, HERE, 7);
	assert_string_equal(served("one"), "5");
	assert_string_equal(served("two"), "");
}

/* The holder says that it is elsewhere, so another has it here; whatever it says then, that one keeps it. */
static void who_has_it_here_keeps_it(void **state)
{
	(void)state;
	start(VIEW_ALL);
	up("one", "one", 1, 5, OTHER, 7);
	up("two", "two", 2, 5, HERE, 7);
	up("one", "one", 1, 5, HERE, 7);
	assert_string_equal(served("two"), "5");
	assert_string_equal(served("one"), "");
	up("one", "one", 1, 5, 0, 0);
	assert_string_equal(served("two"), "5");
	up("one", "more", 3, 5, HERE, 8);
	assert_string_equal(served("two"), "5");
	assert_string_equal(served("more"), "");
	up("one", "one", 1, 5, OTHER, 7);
	assert_string_equal(served("two"), "5");
	assert_string_equal(served("one"), "5");
	down("two", "two", 2);
	assert_string_equal(served("more"), "5");
	assert_string_equal(served("one"), "5");
}

static void a_host_that_does_not_know_itself_prefers_nobody(void **state)
{
	(void)state;
	start(VIEW_ALL);
	kit_own(&kit, 0, OWN_BELOW);
	up("one", "web", 1, 5, OTHER, 7);
	up("one", "web", 2, 6, HERE, 7);
	up("two", "two", 3, 5, HERE, 7);
	assert_string_equal(served("web"), "5 6");
	assert_string_equal(served("two"), "");
	/* A bridge that comes, and one that goes. */
	kit_own(&kit, HERE, OWN_BELOW);
	view_refresh(kit.view);
	assert_string_equal(served("web"), "6");
	assert_string_equal(served("two"), "5");
	kit_own(&kit, HERE, 0);
	view_refresh(kit.view);
	assert_string_equal(served("web"), "5 6");
	assert_string_equal(served("two"), "");
}

/* A tenant's thousands on one address, each on a host of its own, cost no more than sorting them. */
static void many_places_are_no_burden(void **state)
{
	enum { MANY = 3000 };
	struct announcement message;

	(void)state;
	start(VIEW_ALL);
	for (unsigned i = 1; i <= MANY; i++) {
		message = kit_announce("many", i, i, ++seq, 200);
		message.place = kit_place(1 + i, 1);
		assert_int_equal(registry_up(kit.registry, &message, "one", kit.now_ms), REGISTRY_APPLIED);
	}
	view_refresh(kit.view);
	assert_string_equal(served("many"), "200");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(those_in_one_namespace_share_their_address),
		TEST(in_another_namespace_of_a_host_the_newest_owns_it),
		TEST(on_each_host_the_newest_has_it),
		TEST(without_place_the_newest_owns_it_as_ever),
		TEST(who_moves_shares_with_others),
		TEST(a_host_prefers_its_own_for_a_name),
		TEST(where_no_range_is_its_own_all_are_answers),
		TEST(the_newest_is_chosen_among_those_that_lead_somewhere),
		TEST(an_own_one_without_an_address_is_not_preferred),
		TEST(one_comes_first),
		TEST(a_forged_place_shares_no_address_of_a_host),
		TEST(a_forged_place_shares_no_address_of_another_host),
		TEST(a_forged_place_is_preferred_for_nobodys_name),
		TEST(in_a_range_of_its_own_a_host_serves_whoever_is_here_too),
		TEST(who_is_elsewhere_waits_for_whoever_is_here),
		TEST(who_does_not_say_where_it_is_may_be_here),
		TEST(who_has_it_here_keeps_it),
		TEST(a_host_that_does_not_know_itself_prefers_nobody),
		TEST(many_places_are_no_burden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
