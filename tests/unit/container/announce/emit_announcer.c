#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "container/announce/announcer.h"
#include "shared/clock.h"
#include "tests/unit/exact.h"

/* The announcer on a stage: events go in with the time, actions come out and are kept. */
struct stage {
	struct announcer announcer;
	struct announcer_actions actions;
	struct address addresses[2];
	int64_t now_ms;
};

static void stage_event(struct stage *s, struct announcer_event event)
{
	announcer_handle(&s->announcer, &event, s->now_ms, &s->actions);
	assert_true(s->actions.count <= ANNOUNCER_ACTIONS_MAX);
}

static void stage_feed(struct stage *s, enum announcer_event_type type)
{
	stage_event(s, (struct announcer_event){.type = type});
}

static void stage_addresses(struct stage *s, unsigned count)
{
	stage_event(s, (struct announcer_event){.type = EVENT_ADDRESSES, .addresses = s->addresses, .naddresses = count});
}

static void stage_connect(struct stage *s, uint8_t session)
{
	stage_event(s, (struct announcer_event){.type = EVENT_CONNECTED, .session = {.bytes = {session}}});
}

static void stage_confirm(struct stage *s, enum announcer_message message, uint64_t seq, enum announcer_result result)
{
	stage_event(s, (struct announcer_event){.type = EVENT_CONFIRM, .message = message, .seq = seq, .result = result});
}

static void stage_will(struct stage *s, uint64_t tag)
{
	stage_event(s, (struct announcer_event){.type = EVENT_WILL_DELIVERED, .tag = tag});
}

static void expect(const struct stage *s, unsigned index, enum announcer_action_type type)
{
	assert_true(index < s->actions.count);
	assert_int_equal(s->actions.list[index].type, type);
}

static void expect_publish(const struct stage *s, unsigned index, enum announcer_message message, uint64_t seq)
{
	expect(s, index, ACTION_PUBLISH);
	assert_int_equal(s->actions.list[index].message, message);
	assert_int_equal(s->actions.list[index].seq, seq);
}

static void expect_ack(const struct stage *s, unsigned index, uint64_t tag)
{
	expect(s, index, ACTION_ACK);
	assert_int_equal(s->actions.list[index].tag, tag);
}

static void stage_init(struct stage *s)
{
	const struct ident instance = {.bytes = {9}};

	memset(s, 0, sizeof(*s));
	s->now_ms = 1000000;
	s->addresses[0] = (struct address){.family = 4, .bytes = {198, 18, 0, 2}};
	s->addresses[1] = (struct address){.family = 4, .bytes = {198, 18, 0, 3}};
	announcer_init(&s->announcer, "web", NULL, 0, 120, &instance);
	stage_addresses(s, 1);
}

/* Up to the confirmed full announcement; the will has tag 1. */
static void stage_announce(struct stage *s)
{
	stage_init(s);
	stage_connect(s, 1);
	stage_feed(s, EVENT_CONSUMING);
	stage_will(s, 1);
	stage_confirm(s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
	stage_confirm(s, MESSAGE_UP, 2, RESULT_CONFIRMED);
	assert_true(announcer_is_announced(&s->announcer));
}

static void first_session_is_provisional_then_will_then_full(void **state)
{
	struct stage s;
	struct announcement out;

	(void)state;
	stage_init(&s);
	stage_connect(&s, 1);
	/* All at once: what was not said yet when it is killed is never said. */
	assert_int_equal(s.actions.count, 3);
	expect_publish(&s, 0, MESSAGE_PROVISIONAL, 1);
	announcer_compose(&s.announcer, &s.actions.list[0], &out);
	assert_int_equal(out.lease_s, ANNOUNCEMENT_LEASE_PROVISIONAL_S);
	expect(&s, 1, ACTION_OPEN_MAILBOX);
	expect_publish(&s, 2, MESSAGE_WILL, 0);
	announcer_compose(&s.announcer, &s.actions.list[2], &out);
	assert_int_equal(out.op, ANNOUNCEMENT_LOST);
	stage_confirm(&s, MESSAGE_PROVISIONAL, 1, RESULT_RETURNED);
	assert_int_equal(s.actions.count, 0);
	stage_feed(&s, EVENT_CONSUMING);
	assert_int_equal(s.actions.count, 0);
	/* Neither the delivery nor the confirm alone is enough. */
	stage_will(&s, 1);
	assert_int_equal(s.actions.count, 0);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
	assert_int_equal(s.actions.count, 1);
	expect_publish(&s, 0, MESSAGE_UP, 2);
	announcer_compose(&s.announcer, &s.actions.list[0], &out);
	assert_int_equal(out.lease_s, 360);
	assert_false(announcer_is_announced(&s.announcer));
	stage_confirm(&s, MESSAGE_UP, 2, RESULT_CONFIRMED);
	assert_true(announcer_is_announced(&s.announcer));
}

static void later_sessions_have_no_provisional_up(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_feed(&s, EVENT_DISCONNECTED);
	assert_int_equal(s.announcer.state, ANNOUNCER_OFFLINE);
	assert_false(announcer_is_announced(&s.announcer));
	stage_connect(&s, 2);
	assert_int_equal(s.actions.count, 2);
	expect(&s, 0, ACTION_OPEN_MAILBOX);
	expect_publish(&s, 1, MESSAGE_WILL, 0);
	stage_feed(&s, EVENT_CONSUMING);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
	stage_will(&s, 1);
	expect_publish(&s, 0, MESSAGE_UP, 3);
	assert_int_equal(s.announcer.self.session.bytes[0], 2);
}

static void renewal_acks_the_old_will_only_when_it_holds_the_new(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	assert_int_equal(announcer_deadline_ms(&s.announcer), s.now_ms + 120000);
	s.now_ms += 120000;
	stage_feed(&s, EVENT_TIMER);
	assert_int_equal(s.actions.count, 1);
	expect_publish(&s, 0, MESSAGE_WILL, 0);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
	assert_int_equal(s.actions.count, 0);
	stage_will(&s, 7);
	expect_ack(&s, 0, 1);
	expect_publish(&s, 1, MESSAGE_UP, 3);
	assert_int_equal(s.actions.count, 2);
}

static void renewal_takes_a_wake_up_that_comes_a_moment_before(void **state)
{
	const int64_t early_ms = 120000 / ANNOUNCER_EARLY_PART;
	struct stage s;

	(void)state;
	stage_announce(&s);
	s.now_ms += 120000 - early_ms - 1;
	assert_false(announcer_takes_timer(&s.announcer, s.now_ms));
	stage_feed(&s, EVENT_TIMER);
	assert_int_equal(s.actions.count, 0);
	s.now_ms++;
	assert_true(announcer_takes_timer(&s.announcer, s.now_ms));
	stage_feed(&s, EVENT_BLOCKED);
	assert_false(announcer_takes_timer(&s.announcer, s.now_ms));
	stage_feed(&s, EVENT_UNBLOCKED);
	assert_true(announcer_takes_timer(&s.announcer, s.now_ms));
	stage_feed(&s, EVENT_TIMER);
	expect_publish(&s, 0, MESSAGE_WILL, 0);
	assert_false(announcer_takes_timer(&s.announcer, s.now_ms));
}

static void several_roll_calls_are_answered_once_within_the_spread(void **state)
{
	struct stage s;
	unsigned i;

	(void)state;
	stage_announce(&s);
	for (i = 0; i < 3; i++) {
		stage_event(&s, (struct announcer_event){.type = EVENT_ROLLCALL, .tag = 10 + i, .spread_ms = 500, .random = 300 + i});
		assert_int_equal(s.actions.count, 1);
		expect_ack(&s, 0, 10 + i);
	}
	assert_int_equal(announcer_deadline_ms(&s.announcer), s.now_ms + 500 / ANNOUNCER_ANSWER_PART + 300);
	s.now_ms += 500 / ANNOUNCER_ANSWER_PART + 300;
	stage_feed(&s, EVENT_TIMER);
	assert_int_equal(s.actions.count, 1);
	expect_publish(&s, 0, MESSAGE_UP, 3);
	stage_confirm(&s, MESSAGE_UP, 3, RESULT_CONFIRMED);
	stage_feed(&s, EVENT_TIMER);
	assert_int_equal(s.actions.count, 0);
}

/* An answer that overtook the host's own copy of the roll call confirmed nothing: the name was dropped until the next renewal. */
static void a_roll_call_is_not_answered_before_the_host_can_have_its_own_copy(void **state)
{
	static const struct {
		uint32_t spread_ms, random;
		int64_t after_ms;
	} cases[] = {{8000, 0, 1000}, {8000, 7000, 8000}, {8000, 7001, 1000}, {0, 12345, 0}, {7, 7, 7}};
	struct stage s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		stage_announce(&s);
		stage_event(&s, (struct announcer_event){.type = EVENT_ROLLCALL, .tag = 5, .spread_ms = cases[i].spread_ms,
		                                         .random = cases[i].random});
		assert_int_equal(announcer_deadline_ms(&s.announcer), s.now_ms + cases[i].after_ms);
	}
}

static void roll_call_during_an_up_gets_an_up_of_its_own(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_addresses(&s, 2);
	s.now_ms += ANNOUNCER_SETTLE_MS;
	stage_feed(&s, EVENT_TIMER);
	expect_publish(&s, 0, MESSAGE_UP, 3);
	stage_event(&s, (struct announcer_event){.type = EVENT_ROLLCALL, .tag = 5, .spread_ms = 0});
	stage_feed(&s, EVENT_TIMER);
	assert_int_equal(s.actions.count, 0);
	stage_confirm(&s, MESSAGE_UP, 3, RESULT_CONFIRMED);
	stage_feed(&s, EVENT_TIMER);
	expect_publish(&s, 0, MESSAGE_UP, 4);
}

static void returned_up_is_retried_with_backoff(void **state)
{
	struct stage s;
	uint64_t seq = 2;
	unsigned i;

	(void)state;
	stage_announce(&s);
	s.announcer.up_at_ms = s.now_ms;
	for (i = 0; i < 10; i++) {
		stage_feed(&s, EVENT_TIMER);
		expect_publish(&s, 0, MESSAGE_UP, ++seq);
		stage_confirm(&s, MESSAGE_UP, seq, RESULT_RETURNED);
		assert_false(announcer_is_announced(&s.announcer));
		assert_string_equal(announcer_status(&s.announcer), "no host listens");
		assert_true(announcer_deadline_ms(&s.announcer) <= s.now_ms + ANNOUNCER_RETRY_MAX_MS);
		s.now_ms = announcer_deadline_ms(&s.announcer);
	}
	stage_feed(&s, EVENT_TIMER);
	stage_confirm(&s, MESSAGE_UP, seq + 1, RESULT_CONFIRMED);
	assert_true(announcer_is_announced(&s.announcer));
}

/* A session whose every up is nacked: for how long does it go on? */
static int64_t refused_session_ms(struct stage *s, uint8_t session)
{
	int64_t begun_ms = s->now_ms;
	unsigned ups = 0;

	stage_connect(s, session);
	stage_feed(s, EVENT_CONSUMING);
	stage_confirm(s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
	stage_will(s, 1);
	while (s->actions.list[0].type != ACTION_FAIL) {
		assert_true(++ups < 1000);
		expect_publish(s, 0, MESSAGE_UP, s->announcer.seq);
		stage_confirm(s, MESSAGE_UP, s->announcer.seq, RESULT_NACKED);
		assert_string_equal(announcer_status(&s->announcer), "the broker refuses announcements");
		s->now_ms = announcer_deadline_ms(&s->announcer);
		stage_feed(s, EVENT_TIMER);
		assert_int_equal(s->actions.count, 1);
	}
	stage_feed(s, EVENT_DISCONNECTED);
	return s->now_ms - begun_ms;
}

static void refused_up_gets_a_fresh_connection(void **state)
{
	struct stage s;
	int64_t lasted_ms, before_ms = 0;
	uint8_t i;

	(void)state;
	stage_announce(&s);
	stage_feed(&s, EVENT_DISCONNECTED);
	assert_true(refused_session_ms(&s, 2) <= ANNOUNCER_RETRY_FIRST_MS);
	for (i = 3; i < 16; i++) {
		lasted_ms = refused_session_ms(&s, i);
		assert_true(lasted_ms >= before_ms && lasted_ms <= ANNOUNCER_FRESH_MAX_MS);
		before_ms = lasted_ms;
	}
	assert_true(before_ms > ANNOUNCER_FRESH_MAX_MS / 2);
	/* Once an up is confirmed it is patient no more. */
	stage_connect(&s, 20);
	stage_feed(&s, EVENT_CONSUMING);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
	stage_will(&s, 1);
	stage_confirm(&s, MESSAGE_UP, s.announcer.seq, RESULT_CONFIRMED);
	assert_int_equal(announcer_deadline_ms(&s.announcer), s.now_ms + 120000);
	stage_feed(&s, EVENT_DISCONNECTED);
	assert_true(refused_session_ms(&s, 21) <= ANNOUNCER_RETRY_FIRST_MS);
}

static void a_stale_confirm_counts_for_nothing(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_addresses(&s, 2);
	s.now_ms += ANNOUNCER_SETTLE_MS;
	stage_feed(&s, EVENT_TIMER);
	stage_confirm(&s, MESSAGE_UP, 2, RESULT_CONFIRMED);
	assert_true(s.announcer.up_on_way);
}

static void leaving_is_down_then_ack_then_delete_then_close(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_feed(&s, EVENT_WITHDRAW);
	assert_int_equal(s.actions.count, 1);
	expect_publish(&s, 0, MESSAGE_DOWN, 3);
	stage_event(&s, (struct announcer_event){.type = EVENT_ROLLCALL, .tag = 5});
	assert_int_equal(s.actions.count, 0);
	stage_confirm(&s, MESSAGE_DOWN, 3, RESULT_CONFIRMED);
	assert_int_equal(s.actions.count, 2);
	expect_ack(&s, 0, 1);
	expect(&s, 1, ACTION_DELETE_MAILBOX);
	stage_feed(&s, EVENT_DELETED);
	expect(&s, 0, ACTION_CLOSE);
	assert_int_equal(s.announcer.state, ANNOUNCER_ENDED);
}

static void a_refused_down_leaves_the_will_to_speak(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_feed(&s, EVENT_WITHDRAW);
	stage_confirm(&s, MESSAGE_DOWN, 3, RESULT_NACKED);
	assert_int_equal(s.actions.count, 1);
	expect(&s, 0, ACTION_CLOSE);
}

static void withdrawing_ends_in_time_in_every_state(void **state)
{
	static const enum announcer_state states[] = {ANNOUNCER_OFFLINE, ANNOUNCER_SETUP,    ANNOUNCER_WILL,
	                                              ANNOUNCER_LIVE,    ANNOUNCER_RENEWING};
	struct stage s;
	size_t i;
	int blocked;

	(void)state;
	for (i = 0; i < 2 * COUNT(states); i++) {
		blocked = i % 2 == 1;
		stage_announce(&s);
		s.announcer.state = states[i / 2];
		if (blocked)
			stage_feed(&s, EVENT_BLOCKED);
		stage_feed(&s, EVENT_WITHDRAW);
		assert_true(announcer_deadline_ms(&s.announcer) <= s.now_ms + ANNOUNCER_WITHDRAW_MS);
		s.now_ms += ANNOUNCER_WITHDRAW_MS;
		stage_feed(&s, EVENT_TIMER);
		assert_int_equal(s.announcer.state, ANNOUNCER_ENDED);
		expect(&s, s.actions.count - 1, ACTION_CLOSE);
	}
}

static void never_announced_ends_at_once(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	stage_feed(&s, EVENT_WITHDRAW);
	expect(&s, 0, ACTION_CLOSE);
	assert_int_equal(s.announcer.state, ANNOUNCER_ENDED);
}

static void announced_earlier_says_down_on_the_next_connection(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_feed(&s, EVENT_DISCONNECTED);
	stage_feed(&s, EVENT_WITHDRAW);
	assert_int_equal(s.actions.count, 0);
	stage_connect(&s, 2);
	assert_int_equal(s.actions.count, 1);
	expect_publish(&s, 0, MESSAGE_DOWN, 3);
	stage_confirm(&s, MESSAGE_DOWN, 3, RESULT_RETURNED);
	expect(&s, 0, ACTION_CLOSE);
}

static void nothing_left_to_announce_ends_the_instance(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_addresses(&s, 0);
	assert_int_equal(s.actions.count, 0);
	s.now_ms += ANNOUNCER_EMPTY_MS;
	stage_feed(&s, EVENT_TIMER);
	expect_publish(&s, 0, MESSAGE_DOWN, 3);
	stage_confirm(&s, MESSAGE_DOWN, 3, RESULT_CONFIRMED);
	stage_feed(&s, EVENT_DELETED);
	expect(&s, 0, ACTION_NEW_INSTANCE);
	stage_event(&s, (struct announcer_event){.type = EVENT_IDENTITY, .instance = {.bytes = {10}}, .session = {.bytes = {3}}});
	assert_int_equal(s.actions.count, 0);
	assert_string_equal(announcer_status(&s.announcer), "no usable address");
	stage_addresses(&s, 2);
	expect_publish(&s, 0, MESSAGE_PROVISIONAL, 1);
	expect(&s, 1, ACTION_OPEN_MAILBOX);
	assert_int_equal(s.announcer.self.instance.bytes[0], 10);
}

static void what_is_withheld_is_withdrawn_with_the_reason(void **state)
{
	struct stage s;
	struct announcement out;

	(void)state;
	stage_announce(&s);
	stage_event(&s, (struct announcer_event){.type = EVENT_ADDRESSES, .withheld = "its check fails"});
	s.now_ms = announcer_deadline_ms(&s.announcer);
	stage_feed(&s, EVENT_TIMER);
	expect_publish(&s, 0, MESSAGE_DOWN, 3);
	announcer_compose(&s.announcer, &s.actions.list[0], &out);
	assert_string_equal(out.reason, "its check fails");
	stage_confirm(&s, MESSAGE_DOWN, 3, RESULT_CONFIRMED);
	stage_feed(&s, EVENT_DELETED);
	expect(&s, 0, ACTION_NEW_INSTANCE);
	stage_event(&s, (struct announcer_event){.type = EVENT_IDENTITY, .instance = {.bytes = {10}}, .session = {.bytes = {2}}});
	assert_int_equal(s.announcer.state, ANNOUNCER_IDLE);
	assert_string_equal(announcer_status(&s.announcer), "not ready");
	/* It ends at once: the name is not there. */
	stage_addresses(&s, 1);
	expect_publish(&s, 0, MESSAGE_PROVISIONAL, 1);
	/* Leaving has no reason, whatever the check said last. */
	stage_event(&s, (struct announcer_event){.type = EVENT_ADDRESSES, .withheld = "its check fails"});
	stage_feed(&s, EVENT_WITHDRAW);
	expect_publish(&s, 0, MESSAGE_DOWN, 2);
	announcer_compose(&s.announcer, &s.actions.list[0], &out);
	assert_string_equal(out.reason, "");
}

/* Hosts that listened all the while, to a broker that was gone, have the name still. */
static void what_went_while_offline_is_withdrawn_on_the_next_connection(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_feed(&s, EVENT_DISCONNECTED);
	stage_addresses(&s, 0);
	stage_connect(&s, 2);
	assert_int_equal(s.actions.count, 1);
	expect_publish(&s, 0, MESSAGE_DOWN, 3);
	stage_confirm(&s, MESSAGE_DOWN, 3, RESULT_CONFIRMED);
	assert_int_equal(s.actions.count, 1);
	expect(&s, 0, ACTION_NEW_INSTANCE);
	stage_event(&s, (struct announcer_event){.type = EVENT_IDENTITY, .instance = {.bytes = {10}}, .session = {.bytes = {3}}});
	assert_int_equal(s.announcer.state, ANNOUNCER_IDLE);
	stage_addresses(&s, 1);
	expect_publish(&s, 0, MESSAGE_PROVISIONAL, 1);
}

static void an_address_replaced_in_time_is_one_up(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_addresses(&s, 0);
	s.addresses[0].bytes[3] = 77;
	stage_addresses(&s, 1);
	s.now_ms += ANNOUNCER_EMPTY_MS;
	stage_feed(&s, EVENT_TIMER);
	assert_int_equal(s.actions.count, 1);
	expect_publish(&s, 0, MESSAGE_UP, 3);
}

static void down_said_and_lost_begins_a_new_instance(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_addresses(&s, 0);
	s.now_ms += ANNOUNCER_EMPTY_MS;
	stage_feed(&s, EVENT_TIMER);
	stage_feed(&s, EVENT_DISCONNECTED);
	expect(&s, 0, ACTION_NEW_INSTANCE);
}

static void no_confirm_in_time_is_a_new_connection_but_not_while_blocked(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	stage_addresses(&s, 2);
	s.now_ms += ANNOUNCER_SETTLE_MS;
	stage_feed(&s, EVENT_TIMER);
	stage_feed(&s, EVENT_BLOCKED);
	assert_int_equal(announcer_deadline_ms(&s.announcer), CLOCK_NEVER);
	s.now_ms += 60000;
	stage_feed(&s, EVENT_TIMER);
	assert_int_equal(s.actions.count, 0);
	stage_feed(&s, EVENT_UNBLOCKED);
	stage_feed(&s, EVENT_TIMER);
	assert_int_equal(s.actions.count, 0);
	s.now_ms += ANNOUNCER_CONFIRM_MS;
	stage_feed(&s, EVENT_TIMER);
	expect(&s, 0, ACTION_FAIL);
}

/* A broker under a crowd takes minutes to make a mailbox. What follows that has no less time for it. */
static void the_first_will_has_its_time_once_the_mailbox_stands(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	stage_connect(&s, 1);
	assert_int_equal(announcer_deadline_ms(&s.announcer), CLOCK_NEVER);
	s.now_ms += 600000;
	stage_feed(&s, EVENT_TIMER);
	assert_int_equal(s.actions.count, 0);
	stage_feed(&s, EVENT_CONSUMING);
	assert_int_equal(announcer_deadline_ms(&s.announcer), s.now_ms + ANNOUNCER_CONFIRM_MS);
	s.now_ms += ANNOUNCER_CONFIRM_MS;
	stage_feed(&s, EVENT_TIMER);
	expect(&s, 0, ACTION_FAIL);
}

/* Nothing says that a broker may not hand the will over before it says that it does. */
static void a_will_that_comes_before_the_consumer_stands_is_held(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	stage_connect(&s, 1);
	stage_will(&s, 1);
	assert_int_equal(s.actions.count, 0);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
	expect_publish(&s, 0, MESSAGE_UP, 2);
	stage_feed(&s, EVENT_CONSUMING);
	assert_int_equal(s.actions.count, 0);
	stage_confirm(&s, MESSAGE_UP, 2, RESULT_CONFIRMED);
	assert_true(announcer_is_announced(&s.announcer));
	assert_int_equal(announcer_deadline_ms(&s.announcer), s.now_ms + 120000);
}

static void a_will_that_is_not_taken_is_a_new_connection(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	stage_connect(&s, 1);
	stage_feed(&s, EVENT_CONSUMING);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_RETURNED);
	expect(&s, 0, ACTION_FAIL);
}

/* Its exchange was made anew, and the mailbox's bindings went with the old one: the session, and the will that is held, are as good as before. */
static void a_renewal_that_comes_back_binds_again_once(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	s.now_ms += 120000;
	stage_feed(&s, EVENT_TIMER);
	expect_publish(&s, 0, MESSAGE_WILL, 0);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_RETURNED);
	expect(&s, 0, ACTION_BIND_MAILBOX);
	expect_publish(&s, 1, MESSAGE_WILL, 0);
	assert_int_equal(s.actions.count, 2);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_RETURNED);
	expect(&s, 0, ACTION_FAIL);
}

/* The broker has said for how long a message may be held. Only the will is replaced in that time; hosts hear of us as often as before. */
static void a_will_is_not_held_for_longer_than_the_broker_lets(void **state)
{
	struct stage s;
	uint64_t tag;

	(void)state;
	stage_init(&s);
	assert_int_equal(announcer_set_hold(&s.announcer, 30000), 15000);
	stage_connect(&s, 1);
	stage_feed(&s, EVENT_CONSUMING);
	stage_will(&s, 1);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
	stage_confirm(&s, MESSAGE_UP, 2, RESULT_CONFIRMED);
	for (tag = 2; tag < 9; tag++) {
		assert_int_equal(announcer_deadline_ms(&s.announcer), s.now_ms + 15000);
		s.now_ms += 15000;
		stage_feed(&s, EVENT_TIMER);
		expect_publish(&s, 0, MESSAGE_WILL, 0);
		stage_will(&s, tag);
		stage_confirm(&s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
		expect_ack(&s, 0, tag - 1);
		assert_int_equal(s.actions.count, 1);
	}
	s.now_ms += 15000;
	stage_feed(&s, EVENT_TIMER);
	stage_will(&s, tag);
	stage_confirm(&s, MESSAGE_WILL, 0, RESULT_CONFIRMED);
	expect_ack(&s, 0, tag - 1);
	expect_publish(&s, 1, MESSAGE_UP, 3);
}

static void a_time_that_is_longer_than_the_renewals_changes_nothing(void **state)
{
	struct stage s;

	(void)state;
	stage_announce(&s);
	assert_int_equal(announcer_set_hold(&s.announcer, 1800000), 120000);
	assert_int_equal(announcer_set_hold(&s.announcer, 10), 1000);
}

/* Whatever comes in whatever order: the will in our hands is never acked but for a new one or after a confirmed down, and seq only grows. */
static void any_order_of_events_keeps_the_promises(void **state)
{
	uint32_t seed = 1;
	unsigned round, step, i;

	(void)state;
	for (round = 0; round < 20000; round++) {
		struct stage s;
		uint64_t last_seq = 0, tag = 1, held, down_seq = 0;
		enum announcer_state before;
		bool down_confirmed = false;

		stage_init(&s);
		for (step = 0; step < 40; step++) {
			struct announcer_event event = {.addresses = s.addresses, .tag = ++tag, .spread_ms = 50};

			seed = seed * 1664525u + 1013904223u;
			event.type = (enum announcer_event_type)((seed >> 16) % ANNOUNCER_EVENTS);
			if (event.type == EVENT_WITHDRAW && (seed >> 9) % 8 != 0)
				continue;
			event.message = (enum announcer_message)((seed >> 8) % 4);
			event.result = (enum announcer_result)((seed >> 11) % 3);
			event.naddresses = (seed >> 13) % 3;
			event.seq = s.announcer.up_seq;
			event.random = seed;
			event.instance.bytes[0] = (uint8_t)round;
			s.now_ms += (seed >> 4) % 4000;
			held = s.announcer.will_tag;
			if (event.type == EVENT_CONFIRM && event.message == MESSAGE_DOWN && down_seq != 0)
				down_confirmed = event.result != RESULT_NACKED;
			before = s.announcer.state;
			stage_event(&s, event);
			if (before == ANNOUNCER_OFFLINE && event.type == EVENT_CONNECTED)
				down_confirmed = false;
			if ((before == ANNOUNCER_OFFLINE || before == ANNOUNCER_FRESH) && event.type == EVENT_IDENTITY) {
				down_confirmed = false;
				last_seq = down_seq = 0;
			}
			for (i = 0; i < s.actions.count; i++) {
				const struct announcer_action *action = &s.actions.list[i];

				if (action->type == ACTION_ACK && held != 0 && action->tag == held)
					assert_true(down_confirmed || s.announcer.will_tag != 0);
				if (action->type != ACTION_PUBLISH || action->message == MESSAGE_WILL)
					continue;
				assert_true(action->seq > last_seq);
				last_seq = action->seq;
				if (down_seq != 0)
					assert_int_equal(action->message, MESSAGE_DOWN);
				if (action->message == MESSAGE_DOWN)
					down_seq = action->seq;
				else
					assert_true(s.announcer.self.naddresses > 0);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_session_is_provisional_then_will_then_full),
		cmocka_unit_test(later_sessions_have_no_provisional_up),
		cmocka_unit_test(renewal_acks_the_old_will_only_when_it_holds_the_new),
		cmocka_unit_test(renewal_takes_a_wake_up_that_comes_a_moment_before),
		cmocka_unit_test(several_roll_calls_are_answered_once_within_the_spread),
		cmocka_unit_test(a_roll_call_is_not_answered_before_the_host_can_have_its_own_copy),
		cmocka_unit_test(roll_call_during_an_up_gets_an_up_of_its_own),
		cmocka_unit_test(returned_up_is_retried_with_backoff),
		cmocka_unit_test(refused_up_gets_a_fresh_connection),
		cmocka_unit_test(a_stale_confirm_counts_for_nothing),
		cmocka_unit_test(leaving_is_down_then_ack_then_delete_then_close),
		cmocka_unit_test(a_refused_down_leaves_the_will_to_speak),
		cmocka_unit_test(withdrawing_ends_in_time_in_every_state),
		cmocka_unit_test(never_announced_ends_at_once),
		cmocka_unit_test(announced_earlier_says_down_on_the_next_connection),
		cmocka_unit_test(nothing_left_to_announce_ends_the_instance),
		cmocka_unit_test(what_is_withheld_is_withdrawn_with_the_reason),
		cmocka_unit_test(what_went_while_offline_is_withdrawn_on_the_next_connection),
		cmocka_unit_test(an_address_replaced_in_time_is_one_up),
		cmocka_unit_test(down_said_and_lost_begins_a_new_instance),
		cmocka_unit_test(no_confirm_in_time_is_a_new_connection_but_not_while_blocked),
		cmocka_unit_test(the_first_will_has_its_time_once_the_mailbox_stands),
		cmocka_unit_test(a_will_that_comes_before_the_consumer_stands_is_held),
		cmocka_unit_test(a_will_that_is_not_taken_is_a_new_connection),
		cmocka_unit_test(a_renewal_that_comes_back_binds_again_once),
		cmocka_unit_test(a_will_is_not_held_for_longer_than_the_broker_lets),
		cmocka_unit_test(a_time_that_is_longer_than_the_renewals_changes_nothing),
		cmocka_unit_test(any_order_of_events_keeps_the_promises),
	};

	return cmocka_run_group_tests_name("emit_announcer", tests, NULL, NULL);
}
