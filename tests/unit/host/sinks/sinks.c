#include <config.h>

#include "host/sinks/sinks.h"

#include <errno.h>

#include "host/sinks/sections.h"
#include "host/sinks/sinkset.h"
#include "tests/unit/hostkit.h"

/* Sinks that do as the test says. */
struct fake {
	char name[SINK_NAME_SIZE];
	bool fails;    /* nothing is stored any more */
	bool again;    /* its configure() wants all listings again, its renew() has worked something out anew */
	uint64_t done, seen;
	unsigned told, gone, configured;
	int nfds, got; /* how many descriptors it asks for, and was given back */
	int64_t due_ms;
};

static struct fake *fakes[SINKS_MAX + 1];
static unsigned nfreed;
static struct sinks sinks;

static void fake_listing(void *self, const struct listing *listing, bool records)
{
	(void)listing;
	((struct fake *)self)->told += records;
}

static void fake_gone(void *self, const struct listing *listing)
{
	(void)listing;
	((struct fake *)self)->gone++;
}

static void fake_flush(void *self, uint64_t generation, int64_t now_ms)
{
	struct fake *fake = self;

	(void)now_ms;
	fake->seen = generation;
	if (!fake->fails)
		fake->done = generation;
}

static uint64_t fake_done(void *self)
{
	return ((struct fake *)self)->done;
}

static int fake_pollfds(void *self, struct pollfd *fds)
{
	const struct fake *fake = self;

	for (int i = 0; i < fake->nfds; i++)
		fds[i] = (struct pollfd){.fd = fake->nfds};
	return fake->nfds;
}

static int64_t fake_deadline_ms(void *self)
{
	return ((struct fake *)self)->due_ms;
}

static void fake_step(void *self, const struct pollfd *fds, int nfds, int64_t now_ms)
{
	struct fake *fake = self;

	(void)now_ms;
	fake->got = nfds;
	for (int i = 0; i < nfds; i++)
		assert_int_equal(fds[i].fd, fake->nfds);
}

static bool fake_configure(void *self, const struct conf *conf, int64_t now_ms)
{
	struct fake *fake = self;

	(void)conf;
	(void)now_ms;
	fake->configured++;
	return fake->again;
}

static bool fake_renew(void *self)
{
	return ((struct fake *)self)->again;
}

static const char *fake_trouble(void *self)
{
	return ((struct fake *)self)->fails ? "it fails" : NULL;
}

static void fake_free(void *self)
{
	nfreed++;
	free(self);
}

#define FAKE_OPERATIONS .listing = fake_listing, .gone = fake_gone, .flush = fake_flush, .stored = fake_done, .served = fake_done, \
	.pollfds = fake_pollfds, .deadline_ms = fake_deadline_ms, .step = fake_step, .trouble = fake_trouble, .free = fake_free, .renew = fake_renew

static const struct sink_operations by_hand = {FAKE_OPERATIONS};
static const struct sink_operations configured = {FAKE_OPERATIONS, .configure = fake_configure};

static struct fake *fake_new(const char *name)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	snprintf(fake->name, sizeof(fake->name), "%s", name);
	fake->due_ms = CLOCK_NEVER;
	return fake;
}

static struct fake *add(const char *name, bool required)
{
	struct fake *fake = fake_new(name);

	sinks_add(&sinks, (struct sink){.name = fake->name, .required = required, .operations = &by_hand, .self = fake});
	return fake;
}

static int setup(void **state)
{
	(void)state;
	memset(&sinks, 0, sizeof(sinks));
	nfreed = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sinks_free(&sinks);
	return 0;
}

static void an_optional_sink_that_fails_holds_up_nobody(void **state)
{
	struct fake *dnsmasq = add("dnsmasq", true), *hook = add("hook", false);

	(void)state;
	hook->fails = true;
	for (uint64_t generation = 1; generation <= 100; generation++) {
		sinks_flush(&sinks, 0);
		assert_int_equal(sinks_stored(&sinks), generation);
		assert_int_equal(sinks_served(&sinks), generation);
		assert_int_equal(dnsmasq->done, generation);
		assert_int_equal(hook->seen, generation);
	}
	assert_int_equal(hook->done, 0);
}

static void a_required_sink_that_fails_holds_acks(void **state)
{
	struct fake *dnsmasq = add("dnsmasq", true), *hook = add("hook", true);

	(void)state;
	sinks_flush(&sinks, 0);
	hook->fails = true;
	sinks_flush(&sinks, 0);
	sinks_flush(&sinks, 0);
	assert_int_equal(dnsmasq->done, 3); /* it works on all the same */
	assert_int_equal(sinks_stored(&sinks), 1);
	assert_int_equal(sinks_served(&sinks), 1);
	hook->fails = false;
	hook->done = 2;
	assert_int_equal(sinks_stored(&sinks), 2);
	hook->done = 3;
	assert_int_equal(sinks_stored(&sinks), 3);
}

static void a_sink_that_works_something_out_anew_makes_a_batch(void **state)
{
	struct fake *first = add("first", true);

	add("second", true);
	(void)state;
	sinks_renew(&sinks);
	assert_false(sinks.changed);
	first->again = true;
	sinks_renew(&sinks);
	assert_true(sinks.changed);
	sinks_flush(&sinks, 0);
	assert_false(sinks.changed);
}

static void each_sink_gets_its_own_descriptors_back(void **state)
{
	struct pollfd fds[SINKS_POLLFDS_MAX];
	struct fake *all[SINKS_MAX];
	int expected = 0;

	(void)state;
	for (int i = 0; i < SINKS_MAX; i++) {
		all[i] = add("one", false);
		all[i]->nfds = i % (SINK_POLLFDS_MAX + 1);
		all[i]->due_ms = 1000 - i;
		expected += all[i]->nfds;
	}
	assert_int_equal(sinks_pollfds(&sinks, fds), expected);
	assert_int_equal(sinks_deadline_ms(&sinks), 1000 - (SINKS_MAX - 1));
	sinks_step(&sinks, fds, 0);
	for (int i = 0; i < SINKS_MAX; i++)
		assert_int_equal(all[i]->got, all[i]->nfds);
}

static void a_sink_that_goes_between_poll_and_step_mixes_nothing_up(void **state)
{
	struct pollfd fds[SINKS_POLLFDS_MAX];
	struct fake *second;

	(void)state;
	add("first", false)->nfds = 2;
	second = add("second", false);
	second->nfds = 1;
	sinks_pollfds(&sinks, fds);
	sinks_remove(&sinks, 0);
	assert_int_equal(nfreed, 1);
	second->got = -1;
	sinks_step(&sinks, fds, 0);
	assert_int_equal(second->got, 0);
	assert_int_equal(sinks_pollfds(&sinks, fds), 1);
	sinks_step(&sinks, fds, 0);
	assert_int_equal(second->got, 1);
}

/* ---- as the configuration says ---- */

static const char *titles[SINKS_MAX + 4];
static bool titles_required, make_fails;

static bool fake_wanted(const struct conf *conf, size_t i, char name[SINK_NAME_SIZE], bool *required)
{
	(void)conf;
	if (titles[i] == NULL)
		return false;
	snprintf(name, SINK_NAME_SIZE, "fake %s", titles[i]);
	*required = titles_required;
	return true;
}

static int fake_make(const struct conf *conf, size_t i, int64_t now_ms, struct sink *out)
{
	struct fake *fake;
	char name[SINK_NAME_SIZE];

	(void)conf;
	(void)now_ms;
	if (make_fails) {
		errno = ENOMEM;
		return -1;
	}
	snprintf(name, sizeof(name), "fake %s", titles[i]);
	fakes[i] = fake = fake_new(name);
	*out = (struct sink){.name = fake->name, .operations = &configured, .self = fake};
	return 0;
}

static const struct sink_kind kind = {fake_wanted, fake_make};
static const struct sink_kind *const kinds[] = {&kind, NULL};

static void configure(struct kit *kit, const char *first, const char *second)
{
	memset(titles, 0, sizeof(titles));
	titles[0] = first;
	titles[1] = second;
	sinks.changed = false;
	sinkset_configure_kinds(kinds, &sinks, kit->view, NULL, 0);
}

static void open_table(struct kit *kit)
{
	struct registry_options options = kit_options();

	kit_open(kit, &options, VIEW_ALL);
	kit_up(kit, "one", 1, 1, 1, 1);
	kit_up(kit, "two", 2, 1, 1, 2);
	make_fails = titles_required = false;
}

static void a_new_section_makes_a_sink_that_hears_of_all_names(void **state)
{
	struct kit kit;

	(void)state;
	open_table(&kit);
	add("dnsmasq", true);
	configure(&kit, "a", NULL);
	assert_int_equal(sinks.count, 2);
	assert_true(sinks.changed); /* a flush follows */
	assert_int_equal(fakes[0]->told, 2);
	assert_false(sinks.list[1].required);
	assert_int_equal(sinks.missing, 0);
	kit_close(&kit);
}

static void a_reload_keeps_changes_and_ends_sinks(void **state)
{
	struct kit kit;
	struct fake *a, *b;

	(void)state;
	open_table(&kit);
	add("dnsmasq", true);
	configure(&kit, "a", "b");
	a = fakes[0];
	b = fakes[1];
	titles_required = true;
	b->again = true;
	configure(&kit, "b", NULL);
	assert_int_equal(nfreed, 1); /* a */
	assert_int_equal(sinks.count, 2);
	assert_string_equal(sinks.list[0].name, "dnsmasq");
	assert_ptr_equal(sinks.list[1].self, b);
	assert_true(sinks.list[1].required);
	assert_int_equal(b->configured, 1);
	assert_int_equal(b->told, 4); /* it wanted all again */
	b->again = false;
	configure(&kit, "b", NULL);
	assert_int_equal(b->told, 4);
	assert_ptr_not_equal(a, b);
	configure(&kit, NULL, NULL);
	assert_int_equal(sinks.count, 1);
	assert_int_equal(nfreed, 2);
	kit_close(&kit);
}

static void a_sink_that_cannot_be_made_is_counted_and_tried_again(void **state)
{
	struct kit kit;

	(void)state;
	open_table(&kit);
	make_fails = true;
	configure(&kit, "a", "b");
	assert_int_equal(sinks.count, 0);
	assert_int_equal(sinks.missing, 2);
	make_fails = false;
	configure(&kit, "a", "b");
	assert_int_equal(sinks.count, 2);
	assert_int_equal(sinks.missing, 0);
	kit_close(&kit);
}

static void there_are_never_more_than_fit(void **state)
{
	static char many[SINKS_MAX + 1][8];
	struct kit kit;

	(void)state;
	open_table(&kit);
	add("dnsmasq", true);
	memset(titles, 0, sizeof(titles));
	for (unsigned i = 0; i < SINKS_MAX + 1; i++) {
		snprintf(many[i], sizeof(many[i]), "%u", i);
		titles[i] = many[i];
	}
	sinkset_configure_kinds(kinds, &sinks, kit.view, NULL, 0);
	assert_int_equal(sinks.count, SINKS_MAX);
	assert_int_equal(sinks.missing, 2);
	kit_close(&kit);
}

/* What the configuration takes is never left out. */
static void there_is_room_for_all_that_may_be_configured(void **state)
{
	unsigned most = 1; /* dnsmasq's */

	(void)state;
	for (size_t i = 0; sinks_sections[i] != NULL; i++) {
		bool many = (sinks_sections[i]->flags & CFGF_MULTI) != 0;

		assert_true(!many || sinks_sections[i]->most > 0);
		most += many ? sinks_sections[i]->most : 1;
	}
	assert_true(most > 3 && most <= SINKS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_optional_sink_that_fails_holds_up_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(a_required_sink_that_fails_holds_acks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sink_that_works_something_out_anew_makes_a_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(each_sink_gets_its_own_descriptors_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sink_that_goes_between_poll_and_step_mixes_nothing_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_section_makes_a_sink_that_hears_of_all_names, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_keeps_changes_and_ends_sinks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sink_that_cannot_be_made_is_counted_and_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(there_are_never_more_than_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(there_is_room_for_all_that_may_be_configured, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
