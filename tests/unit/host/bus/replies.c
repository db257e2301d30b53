#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "host/bus/answered.h"
#include "host/bus/replies.h"
#include "tests/unit/exact.h"

static struct replies *replies;
static uint64_t answered[REPLIES_MAX + 100]; /* the correlation ids, as numbers */
static size_t nanswered;

static int setup(void **state)
{
	(void)state;
	nanswered = 0;
	replies = replies_new();
	assert_non_null(replies);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	replies_free(replies);
	return 0;
}

static struct bus_text text(const char *words)
{
	return (struct bus_text){.data = words, .length = words != NULL ? strlen(words) : 0};
}

static void add(const char *user, uint64_t id, uint64_t generation, int64_t now_ms)
{
	struct bus_delivery delivery = {.reply_to = text("amq.rabbitmq.reply-to.g2dk"), .user_id = text(user)};
	struct ident instance = {{(uint8_t)id}};

	delivery.correlation_id = (struct bus_text){.data = (const char *)&id, .length = sizeof(id)};
	replies_add(replies, &delivery, &instance, generation, now_ms);
}

static void answer(void *arg, const struct reply *reply)
{
	(void)arg;
	assert_string_equal(reply->to, "amq.rabbitmq.reply-to.g2dk");
	assert_int_equal(reply->correlation_id_length, sizeof(*answered));
	assert_true(nanswered < COUNT(answered));
	memcpy(&answered[nanswered], reply->correlation_id, sizeof(*answered));
	assert_int_equal(reply->instance.bytes[0], (uint8_t)answered[nanswered]);
	nanswered++;
}

static void take(uint64_t served, int64_t now_ms)
{
	nanswered = 0;
	replies_take(replies, served, now_ms, answer, NULL);
}

static void answers_once_what_is_served_in_order(void **state)
{
	(void)state;
	add("blue", 1, 5, 0);
	add("red", 2, 5, 0);
	add("blue", 3, 6, 0);
	take(4, 0);
	assert_int_equal(nanswered, 0);
	take(5, 0);
	assert_int_equal(nanswered, 2);
	assert_int_equal(answered[0], 1);
	assert_int_equal(answered[1], 2);
	take(6, 0);
	assert_int_equal(nanswered, 1);
	assert_int_equal(answered[0], 3);
	take(100, 0);
	assert_int_equal(nanswered, 0);
	add("blue", 4, 101, 0);
	take(101, 0);
	assert_int_equal(nanswered, 1);
}

static void forgets_who_waited_too_long(void **state)
{
	(void)state;
	add("blue", 1, 5, 1000);
	take(4, 1000 + REPLIES_KEPT_MS);
	take(5, 1000 + REPLIES_KEPT_MS);
	assert_int_equal(nanswered, 0);
}

static void forgets_all_when_the_connection_goes(void **state)
{
	(void)state;
	add("blue", 1, 5, 0);
	add("red", 2, 5, 0);
	replies_clear(replies);
	take(5, 0);
	assert_int_equal(nanswered, 0);
	add("blue", 3, 5, 0);
	take(5, 0);
	assert_int_equal(nanswered, 1);
}

static void is_bounded_and_the_oldest_goes_first(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= REPLIES_MAX + 10; i++)
		add("blue", i, 5, 0);
	take(5, 0);
	assert_int_equal(nanswered, REPLIES_MAX);
	assert_int_equal(answered[0], 11);
	assert_int_equal(answered[nanswered - 1], REPLIES_MAX + 10);
}

static void whoever_asks_and_asks_pushes_out_only_himself(void **state)
{
	size_t others = 0;

	(void)state;
	add("blue", 1, 5, 0);
	add(NULL, 2, 5, 0);
	for (uint64_t i = 100; i < 100 + 3 * REPLIES_MAX; i++)
		add("red", i, 5, 0);
	add("blue", 3, 5, 0);
	take(5, 0);
	assert_int_equal(nanswered, REPLIES_MAX);
	for (size_t i = 0; i < nanswered; i++)
		others += answered[i] <= 3;
	assert_int_equal(others, 3);
	assert_int_equal(answered[nanswered - 1], 3);
	/* All of it is gone: nothing keeps counting against red. */
	add("red", 4, 6, 0);
	take(6, 0);
	assert_int_equal(nanswered, 1);
}

static void answers_direct_reply_to_only(void **state)
{
	static const struct {
		const char *to;
		size_t length;
		bool allowed;
	} rows[] = {
		{"amq.rabbitmq.reply-to.g2dk", 26, true},
		{"amq.rabbitmq.reply-to.x", 23, true},
		{"amq.rabbitmq.reply-to.", 22, false},
		{"amq.rabbitmq.reply-to", 21, false},
		{"amq.rabbitmq.reply-ton", 22, false},
		{"", 0, false},
		{"callsign.host.lab", 17, false},
		{"callsign.will.blue-web.5f0c2b9de8a14c3f9a7712d4c06be833", 55, false},
		{"amq.rabbitmq.reply-to.g2\0k", 26, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *copy = exact_copy(rows[i].to, rows[i].length);
		struct bus_text reply_to = {.data = copy, .length = rows[i].length};

		assert_int_equal(replies_allowed(&reply_to), rows[i].allowed);
		free(copy);
	}
}

static void the_longest_address_fits_whole(void **state)
{
	struct bus_delivery delivery = {0};
	struct reply reply;
	char to[255], id[255];

	(void)state;
	memset(to, 'x', sizeof(to));
	memset(id, 'y', sizeof(id));
	memcpy(to, REPLYTO_PREFIX, strlen(REPLYTO_PREFIX));
	delivery.reply_to = (struct bus_text){.data = to, .length = sizeof(to)};
	delivery.correlation_id = (struct bus_text){.data = id, .length = sizeof(id)};
	assert_true(replies_allowed(&delivery.reply_to));
	replies_address(&reply, &delivery);
	assert_int_equal(strlen(reply.to), 255);
	assert_int_equal(reply.correlation_id_length, 255);
	delivery.correlation_id = text(NULL);
	replies_address(&reply, &delivery);
	assert_int_equal(reply.correlation_id_length, 0);
}

/* As RabbitMQ 3.10.8 writes it, and what is almost that. */
static void hands_the_broker_nothing_but_its_own_form(void **state)
{
	static const struct {
		const char *to;
		bool valid;
	} rows[] = {
		{"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA1MTY4NDc0MAAAA38AAAAAawFu+Q==.cAG3VjgL93aFq87+FQKjCw==", true},
		{"amq.rabbitmq.reply-to.g2dkAA1sYWJAbG9jYWxob3N0AAAB9AAAAAAB.a2V5", true}, /* PID_EXT: older ones */
		{"amq.rabbitmq.reply-to.x", false},
		{"amq.rabbitmq.reply-to.x.y", false},
		{"amq.rabbitmq.reply-to..a2V5", false},
		{"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA1MTY4NDc0MAAAA38AAAAAawFu+Q==", false},
		{"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA1MTY4NDc0MAAAA38AAAAAawFu+Q==.", false},
		{"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA1MTY4NDc0MAAAA38AAAAAawFu+Q==.%%%%", false},
		{"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA1MTY4NDc0MAAAA38AAAAAawFu.a2V5", false}, /* cut */
		{"amq.rabbitmq.reply-to.g1h2//9yZXBseUA1MTY4NDc0MAAAA38AAAAAawFu+Q==.a2V5", false}, /* the name's length lies */
		{"amq.rabbitmq.reply-to.g2gCYQFhAg==.aw==", false}, /* {1,2} */
		{"amq.rabbitmq.reply-to.g2QABHF1aXQ=.aw==", false}, /* an atom */
		{"callsign.host.lab", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *copy = exact_copy(rows[i].to, strlen(rows[i].to));

		assert_int_equal(replyto_valid(copy, strlen(rows[i].to)), rows[i].valid);
		free(copy);
	}
}

static void blames_the_oldest_that_is_not_confirmed(void **state)
{
	struct answered *blame = answered_new();

	(void)state;
	assert_non_null(blame);
	assert_null(answered_down(blame, true, 1000)); /* nobody was answered */
	answered_sent(blame, "blue", 3);
	answered_sent(blame, "red", 5);
	answered_sent(blame, "blue", 6);
	answered_confirmed(blame, 3);
	assert_null(answered_down(blame, false, 1000)); /* it went for another reason */
	assert_false(answered_muted(blame, "red", 1000));
	answered_sent(blame, "blue", 3);
	answered_sent(blame, "red", 5);
	answered_sent(blame, "blue", 6);
	answered_confirmed(blame, 3);
	assert_string_equal(answered_down(blame, true, 1000), "red");
	assert_true(answered_muted(blame, "red", 1000 + ANSWERED_MUTE_MS - 1));
	assert_false(answered_muted(blame, "red", 1000 + ANSWERED_MUTE_MS));
	assert_false(answered_muted(blame, "blue", 1000));
	answered_free(blame);
}

static void many_answers_and_many_users_are_bounded(void **state)
{
	struct answered *blame = answered_new();
	char user[16];

	(void)state;
	for (unsigned i = 1; i <= 10000; i++)
		answered_sent(blame, "many", i);
	answered_confirmed(blame, 4095);
	assert_string_equal(answered_down(blame, true, 0), "many");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(user, sizeof(user), "u%u", i);
		answered_sent(blame, user, i + 1);
		assert_string_equal(answered_down(blame, true, (int64_t)i), user);
	}
	assert_true(answered_muted(blame, "u999", 1000));
	assert_false(answered_muted(blame, "u0", 1000)); /* made room */
	answered_free(blame);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_once_what_is_served_in_order), TEST(forgets_who_waited_too_long),
		TEST(forgets_all_when_the_connection_goes), TEST(is_bounded_and_the_oldest_goes_first),
		TEST(whoever_asks_and_asks_pushes_out_only_himself), TEST(answers_direct_reply_to_only),
		TEST(the_longest_address_fits_whole), TEST(hands_the_broker_nothing_but_its_own_form),
		TEST(blames_the_oldest_that_is_not_confirmed), TEST(many_answers_and_many_users_are_bounded),
	};

	return cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
