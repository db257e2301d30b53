#include <config.h>

#include "host/sinks/zone/table.h"
#include "tests/unit/range.h"

#include "tests/unit/hostkit.h"

/*
 * A zone of a name server in small: names a to d, a service of a's and a wildcard of b's, each with a set of addresses 0 to 3, an owner (none, ours, others'), and a record that only others
 * write. It takes an update as RFC 2136 says: if its conditions hold, whole, else not at all.
 */
#define NAMES 6
#define VALUES 4

struct server_name {
	bool held[VALUES];
	enum zone_owner owner;
	bool foreign; /* a record of somebody else's */
};

struct model {
	struct zone_table *table;
	struct server_name server[NAMES];
	unsigned wanted[NAMES][VALUES];
	struct zone_wish wishes[NAMES][VALUES];
	uint64_t generation;
	unsigned refused, released;
	bool thinks_foreign[NAMES]; /* whoever keeps to what zone_node_turned() tells */
};

#define SERVICE "_http._tcp.a.docker"
#define SERVICE_NUMBER 4

static const char *const names[NAMES] = {"a.docker", "b.docker", "c.docker", "d.docker", SERVICE, "*.b.docker"};

static void note_refused(void *arg, const char *name, const char *reason)
{
	(void)name;
	assert_non_null(reason);
	((struct model *)arg)->refused++;
}

static void note_released(void *arg, const char *name)
{
	(void)name;
	((struct model *)arg)->released++;
}

static void open_model(struct model *model, bool settled)
{
	struct zone_table_watcher watcher = {note_refused, note_released, model};

	memset(model, 0, sizeof *model);
	model->table = zone_table_new();
	assert_non_null(model->table);
	zone_table_watch(model->table, &watcher);
	if (settled)
		zone_table_settle(model->table);
}

static struct zone_node *wanted_node(const struct model *model, unsigned name)
{
	for (unsigned value = 0; value < VALUES; value++)
		if (model->wanted[name][value] > 0)
			return model->wishes[name][value].node;
	return NULL;
}

static void want(struct model *model, unsigned name, unsigned value)
{
	uint8_t data[4] = {198, 18, 0, (uint8_t)value};

	/* Who begins to want it asks. */
	if (wanted_node(model, name) == NULL)
		model->thinks_foreign[name] = zone_table_foreign(model->table, names[name]);
	assert_int_equal(zone_table_want(model->table, names[name], ZONE_A, data, 4, &model->wishes[name][value]), 0);
	model->wanted[name][value]++;
}

static void unwant(struct model *model, unsigned name, unsigned value)
{
	zone_table_unwant(model->table, &model->wishes[name][value]);
	model->wanted[name][value]--;
}

static void flush(struct model *model)
{
	zone_table_flush(model->table, ++model->generation);
}

static unsigned number_of(const char *name)
{
	unsigned i = 0;

	while (strcmp(names[i], name) != 0)
		i++;
	return i;
}

static bool in_use(const struct server_name *name)
{
	bool used = name->foreign || name->owner != ZONE_NOBODY;

	for (unsigned i = 0; i < VALUES; i++)
		used |= name->held[i];
	return used;
}

/* What the server says to an update of one name: whether the condition holds; then it does it. */
static bool serve(struct model *model, const struct zone_node *node)
{
	struct server_name *name = &model->server[number_of(zone_node_name(node))];

	if (zone_node_owner(node) == ZONE_OURS ? name->owner != ZONE_OURS : in_use(name))
		return false;
	for (const struct zone_record *record = zone_node_records(node); record != NULL; record = record->next) {
		assert_int_equal(record->length, 4);
		if (record->held != record->sent)
			name->held[record->data[3]] = record->sent;
	}
	name->owner = zone_node_sent(node) ? ZONE_OURS : ZONE_NOBODY;
	return true;
}

static void read_zone(struct model *model, const struct server_name *server)
{
	for (unsigned i = 0; i < NAMES; i++) {
		for (unsigned value = 0; value < VALUES; value++) {
			uint8_t data[4] = {198, 18, 0, (uint8_t)value};

			if (server[i].held[value])
				assert_int_equal(zone_table_read_record(model->table, names[i], ZONE_A, data, 4, true), 0);
		}
		if (server[i].foreign)
			assert_int_equal(zone_table_read_record(model->table, names[i], 15, (const uint8_t *)"mx", 2, false), 0);
		if (server[i].owner != ZONE_NOBODY)
			assert_int_equal(zone_table_read_owner(model->table, names[i], server[i].owner == ZONE_OURS), 0);
	}
}

static void reading(struct model *model)
{
	zone_table_read_begin(model->table);
	read_zone(model, model->server);
	zone_table_read_end(model->table);
}

/* Send until nothing is left; what fails is looked at as the client does. */
static void send_all(struct model *model)
{
	struct zone_node *node;
	bool solo;

	for (unsigned i = 0; i < 1000 && (zone_table_waiting(model->table) || zone_table_doubting(model->table)); i++) {
		node = zone_table_take(model->table, &solo);
		if (node == NULL)
			reading(model);
		else if (serve(model, node))
			zone_table_landed(model->table, node);
		else if (!solo)
			zone_table_again(model->table, node, false);
		else if (model->server[number_of(zone_node_name(node))].owner == ZONE_OURS || zone_node_owner(node) == ZONE_OURS)
			zone_table_doubt(model->table, node);
		else
			zone_table_refuse(model->table, node, true, "others");
	}
	assert_false(zone_table_waiting(model->table));
}

static struct zone_table_counts counts(const struct model *model)
{
	struct zone_table_counts out;

	zone_table_count(model->table, &out);
	return out;
}

static void an_empty_table_serves_every_batch_at_once(void **state)
{
	struct model model;

	(void)state;
	open_model(&model, true);
	assert_int_equal(zone_table_served(model.table), 0);
	flush(&model);
	assert_int_equal(zone_table_served(model.table), 1);
	zone_table_free(model.table);
}

static void a_wish_is_served_when_it_has_landed(void **state)
{
	struct model model;
	struct zone_node *node;
	bool solo;

	(void)state;
	open_model(&model, true);
	flush(&model);
	want(&model, 0, 1);
	flush(&model);
	assert_int_equal(zone_table_served(model.table), 1);
	node = zone_table_take(model.table, &solo);
	assert_string_equal(zone_node_name(node), "a.docker");
	assert_false(solo);
	assert_int_equal(zone_node_owner(node), ZONE_NOBODY);
	assert_true(zone_node_sent(node));
	assert_int_equal(zone_table_served(model.table), 1);
	assert_true(serve(&model, node));
	zone_table_landed(model.table, node);
	assert_int_equal(zone_table_served(model.table), 2);
	assert_int_equal(counts(&model).names, 1);
	assert_null(zone_table_take(model.table, &solo));
	zone_table_free(model.table);
}

/* The change must not be called served with the update that left before it. */
static void a_change_while_an_update_is_under_way_is_served_later(void **state)
{
	struct model model;
	struct zone_node *node;
	bool solo;

	(void)state;
	open_model(&model, true);
	want(&model, 0, 1);
	flush(&model);
	node = zone_table_take(model.table, &solo);
	want(&model, 0, 2);
	flush(&model);
	flush(&model);
	serve(&model, node);
	zone_table_landed(model.table, node);
	assert_int_equal(zone_table_served(model.table), 1);
	send_all(&model);
	assert_int_equal(zone_table_served(model.table), 3);
	assert_true(model.server[0].held[1] && model.server[0].held[2]);
	zone_table_free(model.table);
}

static void a_wish_taken_back_before_it_left_costs_nothing(void **state)
{
	struct model model;
	bool solo;

	(void)state;
	open_model(&model, true);
	want(&model, 0, 1);
	unwant(&model, 0, 1);
	flush(&model);
	assert_null(zone_table_take(model.table, &solo));
	assert_int_equal(zone_table_served(model.table), 1);
	zone_table_free(model.table);
}

static void a_name_that_two_share_goes_with_the_second(void **state)
{
	struct model model;

	(void)state;
	open_model(&model, true);
	want(&model, 0, 1);
	want(&model, 0, 1);
	send_all(&model);
	unwant(&model, 0, 1);
	send_all(&model);
	assert_true(model.server[0].held[1]);
	unwant(&model, 0, 1);
	send_all(&model);
	assert_false(in_use(&model.server[0]));
	assert_int_equal(counts(&model).names, 0);
	zone_table_free(model.table);
}

static void what_others_have_is_refused_and_never_touched(void **state)
{
	struct model model;
	struct server_name before;

	(void)state;
	open_model(&model, true);
	model.server[1].held[3] = model.server[1].foreign = true;
	model.server[2].owner = ZONE_OTHERS;
	before = model.server[1];
	reading(&model);
	want(&model, 0, 1);
	want(&model, 1, 1);
	want(&model, 2, 2);
	flush(&model);
	send_all(&model);
	assert_memory_equal(&before, &model.server[1], sizeof before);
	assert_false(model.server[2].held[2]);
	assert_true(model.server[0].held[1]);
	assert_int_equal(counts(&model).refused, 2);
	assert_int_equal(model.refused, 2);
	assert_non_null(zone_table_refusal(model.table, "b.docker"));
	assert_null(zone_table_refusal(model.table, "a.docker"));
	assert_int_equal(zone_table_served(model.table), 1); /* nobody waits for what never comes */
	/* The others leave. */
	memset(&model.server[1], 0, sizeof model.server[1]);
	reading(&model);
	assert_int_equal(model.released, 1);
	send_all(&model);
	assert_true(model.server[1].held[1]);
	assert_int_equal(counts(&model).refused, 1);
	zone_table_free(model.table);
}

static void what_belongs_to_a_name_goes_when_that_becomes_somebody_elses(void **state)
{
	struct model model;

	(void)state;
	open_model(&model, true);
	want(&model, 0, 1);
	want(&model, SERVICE_NUMBER, 2);
	flush(&model);
	send_all(&model);
	assert_true(model.server[0].held[1] && model.server[SERVICE_NUMBER].held[2]);
	/* An operator takes the name, and nothing but the name. */
	memset(&model.server[0], 0, sizeof model.server[0]);
	model.server[0].foreign = true;
	reading(&model);
	send_all(&model);
	assert_int_equal(model.server[SERVICE_NUMBER].owner, ZONE_NOBODY);
	assert_false(model.server[SERVICE_NUMBER].held[2]);
	assert_non_null(zone_table_refusal(model.table, names[0]));
	assert_non_null(zone_table_refusal(model.table, SERVICE));
	assert_string_equal(counts(&model).example, names[0]);
	/* Reading it once more tells nothing new. */
	assert_int_equal(model.refused, 2);
	reading(&model);
	send_all(&model);
	assert_int_equal(model.refused, 2);
	assert_int_equal(model.released, 0);
	/* And back. */
	model.server[0].foreign = false;
	reading(&model);
	send_all(&model);
	assert_true(model.server[0].held[1] && model.server[SERVICE_NUMBER].held[2]);
	assert_null(zone_table_refusal(model.table, SERVICE));
	/* Found out by an update that fails, too. */
	memset(&model.server[0], 0, sizeof model.server[0]);
	model.server[0].owner = ZONE_OTHERS;
	want(&model, 0, 3);
	flush(&model);
	send_all(&model);
	reading(&model);
	send_all(&model);
	assert_int_equal(model.server[SERVICE_NUMBER].owner, ZONE_NOBODY);
	zone_table_free(model.table);
}

static void leftovers_stay_until_all_have_been_heard(void **state)
{
	struct model model;

	(void)state;
	open_model(&model, false);
	model.server[0] = model.server[1] = (struct server_name){.held = {false, true, true}, .owner = ZONE_OURS};
	want(&model, 0, 1);
	reading(&model);
	send_all(&model);
	assert_true(model.server[0].held[2]);
	assert_true(model.server[1].held[1]);
	assert_int_equal(counts(&model).names, 2);
	zone_table_settle(model.table);
	send_all(&model);
	assert_true(model.server[0].held[1]);
	assert_false(model.server[0].held[2]);
	assert_false(in_use(&model.server[1]));
	zone_table_free(model.table);
}

/* What was withdrawn by its own emitter goes at once, settled or not. */
static void a_withdrawal_needs_no_settling(void **state)
{
	struct model model;

	(void)state;
	open_model(&model, false);
	model.server[0] = (struct server_name){.held = {false, true}, .owner = ZONE_OURS};
	want(&model, 0, 1);
	reading(&model);
	send_all(&model);
	unwant(&model, 0, 1);
	send_all(&model);
	assert_false(in_use(&model.server[0]));
	zone_table_free(model.table);
}

static void a_zone_that_lost_everything_gets_it_back(void **state)
{
	struct model model;

	(void)state;
	open_model(&model, true);
	want(&model, 0, 1);
	want(&model, 1, 2);
	send_all(&model);
	memset(model.server, 0, sizeof model.server);
	reading(&model);
	send_all(&model);
	assert_true(model.server[0].held[1] && model.server[1].held[2]);
	assert_int_equal(model.server[0].owner, ZONE_OURS);
	zone_table_free(model.table);
}

/* The reading shows the zone before the update: it must not undo what was learned from the update's answer. */
static void an_update_beats_a_reading_that_began_before_it(void **state)
{
	struct server_name old[NAMES];
	struct zone_node *node;
	struct model model;
	bool solo;

	(void)state;
	open_model(&model, true);
	memcpy(old, model.server, sizeof old);
	zone_table_read_begin(model.table);
	want(&model, 0, 1);
	node = zone_table_take(model.table, &solo);
	serve(&model, node);
	zone_table_landed(model.table, node);
	read_zone(&model, old);
	zone_table_read_end(model.table);
	assert_null(zone_table_take(model.table, &solo));
	assert_int_equal(counts(&model).names, 1);
	zone_table_free(model.table);
}

static void another_time_to_live_is_written_anew(void **state)
{
	static const uint8_t data[4] = {198, 18, 0, 1};
	struct zone_node *node;
	struct model model;
	bool solo;

	(void)state;
	open_model(&model, true);
	want(&model, 0, 1);
	send_all(&model);
	zone_table_read_begin(model.table);
	zone_table_read_owner(model.table, names[0], true);
	zone_table_read_record(model.table, names[0], ZONE_A, data, 4, false);
	zone_table_read_end(model.table);
	node = zone_table_take(model.table, &solo);
	assert_non_null(node);
	assert_true(zone_node_records(node)->sent && zone_node_records(node)->renewed);
	zone_table_landed(model.table, node);
	assert_null(zone_table_take(model.table, &solo));
	zone_table_free(model.table);
}

static void a_name_that_thousands_share_goes_in_parts(void **state)
{
	struct zone_table *table = zone_table_new();
	struct zone_wish wish;
	struct zone_node *node;
	unsigned parts = 0;
	bool solo;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t data[4] = {198, 18, (uint8_t)(i >> 8), (uint8_t)i};

		assert_int_equal(zone_table_want(table, "shared.docker", ZONE_A, data, 4, &wish), 0);
	}
	zone_table_flush(table, 1);
	for (; (node = zone_table_take(table, &solo)) != NULL; parts++) {
		unsigned changes = 0;

		for (const struct zone_record *record = zone_node_records(node); record != NULL; record = record->next)
			changes += record->sent != record->held;
		assert_int_in_range(changes, 1, ZONE_NODE_CHANGES_MAX);
		assert_int_equal(zone_table_served(table), 0);
		zone_table_landed(table, node);
	}
	assert_int_equal(parts, (1000 + ZONE_NODE_CHANGES_MAX - 1) / ZONE_NODE_CHANGES_MAX);
	assert_int_equal(zone_table_served(table), 1);
	zone_table_free(table);
}

static void one_that_the_server_refuses_waits_behind_the_others(void **state)
{
	struct zone_node *bad, *good;
	struct model model;
	bool solo;

	(void)state;
	open_model(&model, true);
	want(&model, 0, 1);
	flush(&model);
	want(&model, 1, 1);
	flush(&model);
	bad = zone_table_take(model.table, &solo);
	zone_table_again(model.table, bad, true);
	good = zone_table_take(model.table, &solo);
	assert_string_equal(zone_node_name(good), "b.docker");
	serve(&model, good);
	zone_table_landed(model.table, good);
	assert_int_equal(zone_table_served(model.table), 0); /* the first batch is not there */
	bad = zone_table_take(model.table, &solo);
	assert_true(solo);
	zone_table_refuse(model.table, bad, false, "the server");
	assert_int_equal(zone_table_served(model.table), 2);
	/* Another content may be to its liking. */
	model.server[0].owner = ZONE_NOBODY;
	reading(&model);
	send_all(&model);
	assert_true(model.server[0].held[1]);
	zone_table_free(model.table);
}

/* ---- any order of events ---- */

static uint64_t seed;

static unsigned chance(unsigned most)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % most;
}

static void change_wishes(struct model *model)
{
	unsigned name = chance(NAMES), value = chance(VALUES);

	if (model->wanted[name][value] > 0 && chance(2) == 0)
		unwant(model, name, value);
	else if (model->wanted[name][value] < 3)
		want(model, name, value);
	if (chance(3) == 0)
		flush(model);
}

/* An update whose answer is lost, or comes, with a reading around it or without. */
static void send_some(struct model *model)
{
	struct server_name old[NAMES];
	struct zone_node *node;
	bool solo, reads = chance(4) == 0;

	memcpy(old, model->server, sizeof old);
	if (reads)
		zone_table_read_begin(model->table);
	node = zone_table_take(model->table, &solo);
	if (node != NULL && chance(3) == 0)
		change_wishes(model);
	if (node == NULL)
		;
	else if (chance(6) == 0)
		zone_table_put_back(model->table, node);
	else if (chance(6) == 0 && (chance(2) == 0 || serve(model, node)))
		zone_table_doubt(model->table, node);
	else if (serve(model, node))
		zone_table_landed(model->table, node);
	else
		zone_table_again(model->table, node, chance(3) == 0);
	if (reads) {
		read_zone(model, old);
		zone_table_read_end(model->table);
	}
}

/* Others write, or the server comes back with less. */
static void change_server(struct model *model)
{
	struct server_name *name = &model->server[chance(NAMES)];

	switch (chance(4)) {
	case 0:
		if (!in_use(name))
			name->foreign = true;
		break;
	case 1:
		memset(name, 0, sizeof *name);
		break;
	case 2:
		if (!in_use(name))
			name->owner = ZONE_OTHERS;
		break;
	default:
		if (name->owner == ZONE_OURS)
			name->held[chance(VALUES)] ^= true;
	}
}

/* As sink_renew() does. */
static void follow(struct model *model)
{
	for (unsigned i = 0; i < NAMES; i++) {
		const struct zone_node *node = wanted_node(model, i);

		if (node == NULL)
			continue;
		if (zone_node_turned(model->table, node)) {
			assert_true(zone_table_turned(model->table));
			model->thinks_foreign[i] = zone_table_foreign(model->table, names[i]);
		}
		assert_int_equal(model->thinks_foreign[i], zone_table_foreign(model->table, names[i]));
	}
	zone_table_turns_seen(model->table);
	assert_false(zone_table_turned(model->table));
}

static bool foreign(const struct server_name *name)
{
	return in_use(name) && name->owner != ZONE_OURS;
}

static void check_settled(const struct model *model)
{
	for (unsigned i = 0; i < NAMES; i++) {
		const struct server_name *name = &model->server[i];
		bool wanted = false;

		for (unsigned value = 0; value < VALUES; value++)
			wanted |= model->wanted[i][value] > 0;
		if (i >= SERVICE_NUMBER && foreign(&model->server[i - SERVICE_NUMBER])) {
			assert_int_equal(zone_table_refusal(model->table, names[i]) != NULL, wanted);
			assert_int_not_equal(name->owner, ZONE_OURS);
			continue;
		}
		assert_true(!wanted || zone_table_foreign(model->table, names[i]) == foreign(name));
		/* A record that others added to a name of ours, and that we left behind with it, is theirs as well. */
		if (foreign(name)) {
			assert_int_equal(zone_table_refusal(model->table, names[i]) != NULL, wanted);
			continue;
		}
		assert_int_equal(name->owner, wanted ? ZONE_OURS : ZONE_NOBODY);
		for (unsigned value = 0; value < VALUES; value++)
			assert_int_equal(name->held[value], model->wanted[i][value] > 0);
	}
}

static void any_order_of_events_ends_as_it_should(void **state)
{
	(void)state;
	for (unsigned run = 0; run < 300; run++) {
		struct model model;

		seed = run + 1;
		open_model(&model, chance(2) == 0);
		for (unsigned step = 0; step < 400; step++) {
			unsigned what = chance(10);

			if (what < 4)
				change_wishes(&model);
			else if (what < 8)
				send_some(&model);
			else if (what < 9)
				change_server(&model);
			else
				reading(&model);
			if (chance(3) == 0)
				follow(&model);
			assert_true(zone_table_served(model.table) <= model.generation);
		}
		zone_table_settle(model.table);
		flush(&model);
		reading(&model);
		send_all(&model);
		check_settled(&model);
		follow(&model);
		assert_int_equal(zone_table_served(model.table), model.generation);
		zone_table_forget(model.table);
		zone_table_free(model.table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_table_serves_every_batch_at_once),
		cmocka_unit_test(a_wish_is_served_when_it_has_landed),
		cmocka_unit_test(a_change_while_an_update_is_under_way_is_served_later),
		cmocka_unit_test(a_wish_taken_back_before_it_left_costs_nothing),
		cmocka_unit_test(a_name_that_two_share_goes_with_the_second),
		cmocka_unit_test(what_others_have_is_refused_and_never_touched),
		cmocka_unit_test(what_belongs_to_a_name_goes_when_that_becomes_somebody_elses),
		cmocka_unit_test(leftovers_stay_until_all_have_been_heard),
		cmocka_unit_test(a_withdrawal_needs_no_settling),
		cmocka_unit_test(a_zone_that_lost_everything_gets_it_back),
		cmocka_unit_test(an_update_beats_a_reading_that_began_before_it),
		cmocka_unit_test(another_time_to_live_is_written_anew),
		cmocka_unit_test(a_name_that_thousands_share_goes_in_parts),
		cmocka_unit_test(one_that_the_server_refuses_waits_behind_the_others),
		cmocka_unit_test(any_order_of_events_ends_as_it_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
