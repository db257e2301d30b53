#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "host/bus/intake.h"
#include "shared/log.h"
#include "tests/unit/exact.h"
#include "tests/unit/range.h"

/*
 * What a host takes from the bus and what it refuses, delivery by delivery. Each test begins with a delivery that is taken as it is,
 * the blue tenant's, spoils one thing, and looks at three places: the outcome, the list of refusals, and the registry.
 */
#define INSTANCE "0197a3c25e1f7d0e9c41f2b6a8d3e570"
#define SESSION "5f0c2b9de8a14c3f9a7712d4c06be833"
#define OTHER "11111111111111111111111111111111"
#define NONCE "c2d97a5510ee4b06b3f8a94e7d21605c"
#define ENDS "\"instance\":\"" INSTANCE "\",\"session\":\"" SESSION "\""
#define UP(name, addresses, more) \
	"{\"v\":1,\"op\":\"up\",\"name\":\"" name "\"," ENDS ",\"seq\":1,\"addresses\":[" addresses "],\"lease\":360" more "}"
#define DOWN(name) "{\"v\":1,\"op\":\"down\",\"name\":\"" name "\"," ENDS ",\"seq\":2}"
#define LOST(name) "{\"v\":1,\"op\":\"lost\",\"name\":\"" name "\"," ENDS "}"
#define ROLLCALL(nonce) "{\"v\":1,\"op\":\"rollcall\",\"host\":\"h\",\"nonce\":\"" nonce "\",\"spread_ms\":500}"
#define MAILBOX "callsign.will.blue-web." SESSION
#define NOW_MS 5000

static struct policy policy;
static struct intake intake;
static struct bus_delivery delivery;
static struct announcement message;
static struct intake_outcome outcome;

static struct bus_text text(const char *words)
{
	return (struct bus_text){.data = words, .length = words != NULL ? strlen(words) : 0};
}

/* A well-formed announcement of blue's, ready to be spoilt. */
static void deliver(const char *key, const char *body)
{
	memset(&delivery, 0, sizeof(delivery));
	delivery.tag = 1;
	delivery.exchange = text("callsign");
	delivery.routing_key = text(key);
	delivery.body = text(body);
	delivery.body_length = strlen(body);
	delivery.content_type = text("application/json");
	delivery.type = text("callsign.v1");
	delivery.user_id = text("blue");
}

static void deliver_up(void)
{
	deliver("up.blue-web", UP("blue-web", "\"198.18.0.2\"", ""));
}

/* The will as the broker dead-letters it. */
static void deliver_lost(void)
{
	deliver("lost.blue-web", LOST("blue-web"));
	delivery.dead_lettered = true;
	delivery.death_queue = text(MAILBOX);
}

static enum intake_result take(void)
{
	char *body = exact_copy(delivery.body.data, delivery.body.length);
	const char *before = delivery.body.data;

	delivery.body.data = body;
	intake_take(&intake, &delivery, &message, NOW_MS, &outcome);
	delivery.body.data = before;
	free(body);
	return outcome.result;
}

static size_t facts(void)
{
	struct registry_counts counts;

	registry_count(intake.registry, &counts);
	return counts.facts;
}

static bool note_name(void *arg, struct fact *fact)
{
	*(const char **)arg = fact->name;
	return false;
}

static const char *known_name(void)
{
	const char *name = NULL;

	registry_each(intake.registry, note_name, &name);
	return name;
}

static bool first_refusal(void *arg, const struct refusal *refusal)
{
	*(struct refusal *)arg = *refusal;
	return false;
}

/* As it stands between quotes in a log line. */
static const char *unquoted(char *reason)
{
	for (char *p = reason; *p != '\0'; p++)
		if (*p == '"')
			*p = '\'';
	return reason;
}

/* Each is counted under one kind. */
static uint64_t refused_kinds(void)
{
	uint64_t sum = 0;
	int kind;

	for (kind = 0; kind < INTAKE_REFUSALS; kind++)
		sum += intake.refused[kind];
	return sum;
}

/* Taken as it is now, it is refused: with these words in the reason, under its sender's name, and nothing changes. */
static void refused(const char *user, const char *words)
{
	uint64_t kinds = refused_kinds();
	uint64_t before = refusals_total(intake.refusals);
	size_t known = facts();
	struct refusal refusal;

	if (take() != INTAKE_REFUSED || strstr(outcome.reason, words) == NULL)
		fail_msg("result %d, reason \"%s\"; not refused with \"%s\"", (int)outcome.result, outcome.reason, words);
	assert_int_equal(refusals_total(intake.refusals), before + 1);
	assert_int_equal(refused_kinds(), kinds + 1);
	refusals_each(intake.refusals, first_refusal, &refusal);
	assert_string_equal(refusal.user, user);
	assert_string_equal(refusal.reason, unquoted(outcome.reason));
	assert_int_equal(facts(), known);
}

static void ignored(void)
{
	uint64_t before = refusals_total(intake.refusals);
	size_t known = facts();

	assert_int_equal(take(), INTAKE_IGNORED);
	assert_int_equal(refusals_total(intake.refusals), before);
	assert_int_equal(facts(), known);
}

static int setup(void **state)
{
	struct registry_options options = {.resync_timeout_ms = 8000, .max_lease_s = ANNOUNCEMENT_LEASE_MAX_S, .max_ended_per_user = 100};
	struct registry_watcher nobody = {0};

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	policy_init(&policy);
	intake = (struct intake){.policy = &policy, .registry = registry_new(&options, &nobody, 0), .refusals = refusals_new(),
	                         .rates = rates_new()};
	assert_non_null(intake.registry);
	assert_non_null(intake.refusals);
	assert_non_null(intake.rates);
	assert_int_equal(ident_parse(NONCE, IDENT_TEXT_LENGTH, &intake.nonce), 0);
	registry_connected(intake.registry, 0);
	registry_marker(intake.registry, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	registry_free(intake.registry);
	refusals_free(intake.refusals);
	rates_free(intake.rates);
	policy_clear(&policy);
	return 0;
}

/* ---- what is taken ---- */

static void takes_up_down_and_lost(void **state)
{
	(void)state;
	deliver_up();
	assert_int_equal(take(), INTAKE_TAKEN);
	assert_true(outcome.understood);
	assert_int_equal(facts(), 1);
	deliver_lost();
	assert_int_equal(take(), INTAKE_TAKEN);
	assert_int_equal(facts(), 0);
	assert_int_equal(refusals_total(intake.refusals), 0);
}

static void takes_a_down(void **state)
{
	(void)state;
	deliver_up();
	take();
	deliver("down.blue-web", DOWN("blue-web"));
	assert_int_equal(take(), INTAKE_TAKEN);
	assert_int_equal(facts(), 0);
}

static void folds_case_on_both_sides(void **state)
{
	(void)state;
	deliver("up.Blue-WEB", UP("BLUE-web", "\"198.18.0.2\"", ""));
	assert_int_equal(take(), INTAKE_TAKEN);
	assert_string_equal(message.name, "blue-web");
}

static void ignores_what_is_old_or_over_without_a_word(void **state)
{
	(void)state;
	deliver_up();
	take();
	ignored();
	deliver_lost();
	take();
	ignored();
	deliver_up();
	ignored();
}

/* ---- who sent it ---- */

static void refuses_what_nobody_vouches_for(void **state)
{
	(void)state;
	deliver_up();
	delivery.user_id = text(NULL);
	refused("", "no user_id");
	delivery.user_id = text("");
	refused("", "no user_id");
	deliver_lost();
	delivery.user_id = text(NULL);
	refused("", "no user_id");
}

static void refuses_a_user_with_a_nul_inside(void **state)
{
	(void)state;
	deliver_up();
	delivery.user_id = (struct bus_text){.data = "blue\0red", .length = 8};
	refused("blue\\x00red", "no user_id");
}

static void unsigned_messages_pass_only_if_the_policy_says_so(void **state)
{
	(void)state;
	policy.allow_unsigned = true;
	deliver_up();
	delivery.user_id = text(NULL);
	assert_int_equal(take(), INTAKE_TAKEN);
	/* What was announced without a user is nobody's: a user has no say in it. */
	deliver("down.blue-web", DOWN("blue-web"));
	refused("blue", "belongs to another user");
}

static void refuses_to_touch_another_users_instance(void **state)
{
	(void)state;
	deliver_up();
	take();
	delivery.user_id = text("red");
	refused("red", "belongs to another user");
	deliver("down.blue-web", DOWN("blue-web"));
	delivery.user_id = text("red");
	refused("red", "belongs to another user");
	deliver_lost();
	delivery.user_id = text("red");
	refused("red", "belongs to another user");
	assert_int_equal(facts(), 1);
}

static void refuses_another_name_for_an_instance(void **state)
{
	(void)state;
	deliver_up();
	take();
	deliver("up.blue-db", UP("blue-db", "\"198.18.0.2\"", ""));
	refused("blue", "known under another name");
	deliver("down.blue-db", DOWN("blue-db"));
	refused("blue", "known under another name");
}

/* ---- the way it came ---- */

static void refuses_other_exchanges(void **state)
{
	static const char *const exchanges[] = {"", "callsign.will", "callsign.rollcall", "callsign.will.red-x", "callsign2", "Callsign", "amq.topic"};

	(void)state;
	for (size_t i = 0; i < COUNT(exchanges); i++) {
		deliver_up();
		delivery.exchange = text(exchanges[i]);
		refused("blue", "did not come through the exchange callsign");
		deliver_lost();
		delivery.exchange = text(exchanges[i]);
		refused("blue", "did not come through the exchange callsign");
	}
}

static void refuses_a_key_that_disagrees(void **state)
{
	static const char *const keys[] = {"", "up", "up.", "up.blue-db", "down.blue-web", "lost.blue-web", "up.blue-web.", "up.blue-webx",
	                                   "up.blue-we", "up.red-web", "up..blue-web", "callsign.will.blue-web", ".blue-web"};

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		deliver_up();
		delivery.routing_key = text(keys[i]);
		refused("blue", "routing key");
	}
	deliver_up();
	delivery.routing_key = (struct bus_text){.data = "up.blue-web\0", .length = 12};
	refused("blue", "routing key");
}

static void refuses_another_type_but_needs_none(void **state)
{
	(void)state;
	deliver_up();
	delivery.type = text("callsign.v2");
	refused("blue", "type is not callsign.v1");
	delivery.type = text("");
	refused("blue", "type is not callsign.v1");
	delivery.type = text(NULL);
	assert_int_equal(take(), INTAKE_TAKEN);
}

static void refuses_up_and_down_by_way_of_dead_lettering(void **state)
{
	(void)state;
	deliver_up();
	delivery.dead_lettered = true;
	delivery.death_queue = text(MAILBOX);
	refused("blue", "dead-lettered");
	/* A header that no broker wrote, malformed: still no clean way. */
	delivery.death_queue = text(NULL);
	refused("blue", "dead-lettered");
	deliver("down.blue-web", DOWN("blue-web"));
	delivery.dead_lettered = true;
	delivery.death_queue = text(MAILBOX);
	refused("blue", "dead-lettered");
}

static void refuses_lost_that_was_published_straight(void **state)
{
	(void)state;
	deliver_up();
	take();
	deliver("lost.blue-web", LOST("blue-web"));
	refused("blue", "not dead-lettered");
	/* A death_queue that came without the header's being there is none. */
	delivery.death_queue = text(MAILBOX);
	refused("blue", "not dead-lettered");
}

static void refuses_lost_from_any_mailbox_but_its_sessions(void **state)
{
	static const char *const queues[] = {
		"callsign.will.blue-web." OTHER,             /* another session */
		"callsign.will.red-web." SESSION,            /* another name */
		"callsign.will.blue-web.x." SESSION,         /* its name plus a label */
		"callsign.will.x.blue-web." SESSION,         /* a label before it */
		"callsign.will.blue-web." SESSION ".x",      /* something behind */
		"callsign.will.blue-web." SESSION "0",
		"callsign.will.blue-web.5F0C2B9DE8A14C3F9A7712D4C06BE833",
		"callsign.will.blue-web.",
		"callsign.will.blue-web",
		"callsign.host.h",
		"",
	};

	(void)state;
	deliver_up();
	take();
	for (size_t i = 0; i < COUNT(queues); i++) {
		deliver_lost();
		delivery.death_queue = text(queues[i]);
		refused("blue", "another mailbox");
	}
	delivery.death_queue = text(NULL);
	refused("blue", "another mailbox");
}

#define AGENT_MAILBOX "callsign.will.@agent.h.lan." SESSION

static void be_an_agent(const char *user)
{
	policy.users = calloc(1, sizeof(*policy.users));
	assert_non_null(policy.users);
	policy.nusers = 1;
	policy.users[0].user = strdup(user);
	policy.users[0].agent = true;
}

static void takes_lost_from_the_one_mailbox_of_an_agent(void **state)
{
	(void)state;
	be_an_agent("blue");
	deliver_up();
	take();
	deliver_lost();
	delivery.death_queue = text(AGENT_MAILBOX);
	assert_int_equal(take(), INTAKE_TAKEN);
	assert_int_equal(facts(), 0);
}

static void refuses_an_agents_lost_from_any_other(void **state)
{
	static const char *const queues[] = {
		MAILBOX, /* as an emitter has it */
		"callsign.will.@agent.h.lan." OTHER,
		"callsign.will.@agent." SESSION,
		"callsign.will.@agent.." SESSION,
		"callsign.will.@agent.h." SESSION "0",
		"callsign.will.@agent.h." SESSION ".x",
		"callsign.will.@agent.H." SESSION,
		"callsign.will.@agent.a_b." SESSION,
		"callsign.will.@agents.h." SESSION,
		"callsign.will.agent.h." SESSION,
		"callsign.host.h",
		"",
	};

	(void)state;
	be_an_agent("blue");
	deliver_up();
	take();
	for (size_t i = 0; i < COUNT(queues); i++) {
		deliver_lost();
		delivery.death_queue = text(queues[i]);
		refused("blue", "another mailbox");
	}
	delivery.death_queue = text(NULL);
	refused("blue", "another mailbox");
	deliver("lost.blue-web", LOST("blue-web"));
	refused("blue", "not dead-lettered");
}

/* Neither one that the policy does not know, nor whoever says nothing of who it is. */
static void nobody_else_dies_as_an_agent_does(void **state)
{
	(void)state;
	be_an_agent("red");
	deliver_up();
	take();
	deliver_lost();
	delivery.death_queue = text(AGENT_MAILBOX);
	refused("blue", "another mailbox");
	delivery.user_id = text("red");
	refused("red", "belongs to another user");
	delivery.user_id = text(NULL);
	refused("", "another mailbox");
}

static void a_name_that_ends_in_anothers_mailbox_fires_only_its_own(void **state)
{
	(void)state;
	deliver_up();
	take();
	/* red may own "blue-web.x" if nobody bounds its names: its mailbox is no key to blue-web. */
	deliver("lost.blue-web.x", LOST("blue-web.x"));
	delivery.user_id = text("red");
	delivery.dead_lettered = true;
	delivery.death_queue = text("callsign.will.blue-web.x." SESSION);
	refused("red", "belongs to another user");
	assert_int_equal(facts(), 1);
}

static void refuses_a_reply_to_that_leads_into_a_queue(void **state)
{
	static const char *const addresses[] = {"callsign.host.h", ("callsign.will.blue-web." SESSION), "", "amq.rabbitmq.reply-to",
	                                        "amq.rabbitmq.reply-to.", "xamq.rabbitmq.reply-to.g2d", "AMQ.RABBITMQ.REPLY-TO.g2d"};

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		deliver_up();
		delivery.reply_to = text(addresses[i]);
		refused("blue", "reply_to");
	}
	deliver_up();
	delivery.reply_to = text("amq.rabbitmq.reply-to.g2dkABByYWJi");
	assert_int_equal(take(), INTAKE_TAKEN);
}

/* ---- what it says ---- */

static void refuses_what_is_too_long(void **state)
{
	char body[ANNOUNCEMENT_BODY_MAX + 1];

	(void)state;
	deliver_up();
	delivery.too_long = true;
	delivery.body = (struct bus_text){0};
	delivery.body_length = 9000000;
	refused("blue", "9000000 bytes");
	assert_false(outcome.understood);
	memset(body, ' ', sizeof(body));
	memcpy(body, UP("blue-web", "\"198.18.0.2\"", ""), strlen(UP("blue-web", "\"198.18.0.2\"", "")));
	deliver_up();
	delivery.body = (struct bus_text){.data = body, .length = sizeof(body)};
	refused("blue", "4096");
	/* One byte less is what the contract allows. */
	delivery.body.length--;
	assert_int_equal(take(), INTAKE_TAKEN);
}

static void refuses_bodies_that_break_the_contract(void **state)
{
	static const char *const bodies[] = {
		"",
		"nonsense",
		"[]",
		"{\"v\":2}",
		UP("blue-web", "\"198.18.0.2\"", ",\"lease\":360"),
		UP("blue-web", "\"198.18.0.2\"", ",\"aliases\":[\"blue-web\"]"),
		UP("blue-web\\n198.18.0.9 evil", "\"198.18.0.2\"", ""),
		UP("blue-web.", "\"198.18.0.2\"", ""),
		UP("\xd0\xb1lue-web", "\"198.18.0.2\"", ""), /* a Cyrillic look-alike */
		UP("blue-web", "\"127.0.0.1\"", ""),
		UP("blue-web", "\"0.0.0.0\"", ""),
		UP("blue-web", "\"224.0.0.1\"", ""),
		UP("blue-web", "\"169.254.169.254\"", ""),
		UP("blue-web", "\"::1\"", ""),
		UP("blue-web", "\"fe80::1\"", ""),
		UP("blue-web", "\"::ffff:198.18.0.2\"", ""),
		UP("blue-web", "", ""),
		DOWN("blue-web") "}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		deliver("up.blue-web", bodies[i]);
		refused("blue", "");
		assert_false(outcome.understood);
	}
}

static void refuses_numbers_out_of_range(void **state)
{
	static const char *const seqs[] = {"0", "-1", "9223372036854775808", "18446744073709551617", "1.5", "1e3", "\"1\"", "null"};
	static const char *const leases[] = {"0", "-1", "4", "86401", "1000000000", "99999999999999999999", "6.5", "true"};
	char body[512];

	(void)state;
	for (size_t i = 0; i < COUNT(seqs); i++) {
		snprintf(body, sizeof(body),
		         "{\"v\":1,\"op\":\"up\",\"name\":\"blue-web\"," ENDS ",\"seq\":%s,\"addresses\":[\"198.18.0.2\"],\"lease\":60}", seqs[i]);
		deliver("up.blue-web", body);
		refused("blue", i < 2 || i > 3 ? "seq" : "integer");
	}
	for (size_t i = 0; i < COUNT(leases); i++) {
		snprintf(body, sizeof(body),
		         "{\"v\":1,\"op\":\"up\",\"name\":\"blue-web\"," ENDS ",\"seq\":1,\"addresses\":[\"198.18.0.2\"],\"lease\":%s}", leases[i]);
		deliver("up.blue-web", body);
		refused("blue", i != 5 ? "lease" : "integer");
	}
}

static void refuses_reserved_names_and_aliases(void **state)
{
	static const char *const names[] = {"callsign", "serial.callsign", "wpad", "isatap", "localhost", "a.localhost"};
	char body[512], key[64];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(key, sizeof(key), "up.%s", names[i]);
		snprintf(body, sizeof(body), UP("%s", "\"198.18.0.2\"", ""), names[i]);
		deliver(key, body);
		refused("blue", names[i]);
		assert_true(outcome.understood);
		snprintf(body, sizeof(body), UP("blue-web", "\"198.18.0.2\"", ",\"aliases\":[\"www\",\"%s\"]"), names[i]);
		deliver("up.blue-web", body);
		refused("blue", names[i]);
	}
}

static void takes_a_name_back_that_is_no_longer_allowed(void **state)
{
	char *reserved[] = {(char *)"blue-*"};

	(void)state;
	deliver_up();
	take();
	policy.reserved = reserved;
	policy.nreserved = 1;
	refused("blue", "blue-web");
	deliver("down.blue-web", DOWN("blue-web"));
	assert_int_equal(take(), INTAKE_TAKEN);
	policy.reserved = NULL;
	policy.nreserved = 0;
}

/* The key, the mailbox and the instance are the whole name's; what the registry has is without the domain. */
static void a_whole_name_means_itself(void **state)
{
	static char docker[] = "docker";
	struct policy_domain domain = {.name = docker};
	char *reserved[] = {(char[]){"blue-secret"}};

	(void)state;
	policy.domains = &domain;
	policy.ndomains = 1;
	deliver("up.blue-web.docker", UP("blue-web.docker", "\"198.18.0.2\"", ",\"aliases\":[\"blue-web\",\"blue-www.docker\"]"));
	assert_int_equal(take(), INTAKE_TAKEN);
	assert_string_equal(message.name, "blue-web.docker"); /* what was said: it is answered by that */
	assert_string_equal(known_name(), "blue-web");
	deliver("lost.blue-web.docker", LOST("blue-web.docker"));
	delivery.dead_lettered = true;
	delivery.death_queue = text("callsign.will.blue-web.docker." SESSION);
	assert_int_equal(take(), INTAKE_TAKEN);
	assert_int_equal(facts(), 0);
	/* What is always reserved, or by the policy, is so under its whole name, too. */
	policy.reserved = reserved;
	policy.nreserved = 1;
	deliver("up.serial.callsign.docker", UP("serial.callsign.docker", "\"198.18.0.2\"", ""));
	refused("blue", "name serial.callsign is always reserved");
	deliver("up.blue-secret.docker", UP("blue-secret.docker", "\"198.18.0.2\"", ""));
	refused("blue", "name blue-secret is reserved by the policy");
	policy.reserved = NULL;
	policy.domains = NULL;
	policy.nreserved = policy.ndomains = 0;
}

static void refuses_what_only_hosts_say(void **state)
{
	(void)state;
	deliver("up.blue-web", "{\"v\":1,\"op\":\"resolves\",\"name\":\"blue-web\",\"fqdn\":\"blue-web.docker\",\"host\":\"h\"}");
	refused("blue", "only hosts");
	deliver("up.blue-web",
	        "{\"v\":1,\"op\":\"refused\",\"name\":\"blue-web\",\"fqdn\":\"\",\"host\":\"h\",\"reason\":\"because\"}");
	refused("blue", "only hosts");
}

/* ---- roll calls ---- */

static void knows_its_own_roll_call(void **state)
{
	(void)state;
	deliver("", ROLLCALL(NONCE));
	delivery.exchange = text("callsign.rollcall");
	delivery.user_id = text("callsignd");
	assert_int_equal(take(), INTAKE_MARKER);
}

static void another_hosts_roll_call_is_no_news(void **state)
{
	(void)state;
	deliver("", ROLLCALL(OTHER));
	delivery.exchange = text("callsign.rollcall");
	ignored();
}

static void a_dead_lettered_roll_call_is_no_marker_and_no_news(void **state)
{
	(void)state;
	deliver("lost.blue-web", ROLLCALL(NONCE));
	delivery.dead_lettered = true;
	delivery.death_queue = text(MAILBOX);
	ignored();
	/* Whatever exchange it comes through. */
	delivery.exchange = text("callsign.rollcall");
	ignored();
}

static void an_emitters_roll_call_is_refused(void **state)
{
	(void)state;
	/* As a tenant may publish it: under a key of its own, even with the right nonce, which its mailbox was told. */
	deliver("up.blue-web", ROLLCALL(NONCE));
	refused("blue", "roll call");
}

/* ---- logs ---- */

static void what_the_sender_wrote_stays_on_one_line(void **state)
{
	static const char nasty[] = "up.%s%n\n2026 callsignd: all is well \x1b[2J\x7f\"";
	struct refusal refusal;

	(void)state;
	deliver(nasty, "{}");
	delivery.user_id = text("bl\nue %s");
	take();
	refusals_each(intake.refusals, first_refusal, &refusal);
	assert_string_equal(refusal.user, "bl\\x0aue\\x20%s");
	for (const char *p = refusal.key; *p != '\0'; p++)
		assert_int_in_range(*p, '!', '~');
	assert_null(strchr(refusal.key, '"'));
}

static char last_line[1024];

static bool keep_line(int priority, const char *line, size_t length)
{
	(void)priority;
	snprintf(last_line, sizeof(last_line), "%.*s", (int)length, line);
	return true;
}

/* Found by fuzzing: the line about an old message held the user as the broker gave it. */
static void an_ignored_messages_user_is_escaped_too(void **state)
{
	static const struct log_target kept = {.send = keep_line};

	(void)state;
	deliver_up();
	delivery.user_id = text("a b\nname=evil");
	assert_int_equal(take(), INTAKE_TAKEN);
	log_open(&kept, "intake", LOG_LEVEL_DEBUG);
	ignored();
	log_open(&log_to_stderr, "intake", LOG_LEVEL_ERROR);
	assert_non_null(strstr(last_line, " user=a\\x20b\\x0aname=evil reason="));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_up_down_and_lost),
		TEST(takes_a_down),
		TEST(folds_case_on_both_sides),
		TEST(ignores_what_is_old_or_over_without_a_word),
		TEST(refuses_what_nobody_vouches_for),
		TEST(refuses_a_user_with_a_nul_inside),
		TEST(unsigned_messages_pass_only_if_the_policy_says_so),
		TEST(refuses_to_touch_another_users_instance),
		TEST(refuses_another_name_for_an_instance),
		TEST(refuses_other_exchanges),
		TEST(refuses_a_key_that_disagrees),
		TEST(refuses_another_type_but_needs_none),
		TEST(refuses_up_and_down_by_way_of_dead_lettering),
		TEST(refuses_lost_that_was_published_straight),
		TEST(refuses_lost_from_any_mailbox_but_its_sessions),
		TEST(takes_lost_from_the_one_mailbox_of_an_agent),
		TEST(refuses_an_agents_lost_from_any_other),
		TEST(nobody_else_dies_as_an_agent_does),
		TEST(a_name_that_ends_in_anothers_mailbox_fires_only_its_own),
		TEST(refuses_a_reply_to_that_leads_into_a_queue),
		TEST(refuses_what_is_too_long),
		TEST(refuses_bodies_that_break_the_contract),
		TEST(refuses_numbers_out_of_range),
		TEST(refuses_reserved_names_and_aliases),
		TEST(takes_a_name_back_that_is_no_longer_allowed),
		TEST(a_whole_name_means_itself),
		TEST(refuses_what_only_hosts_say),
		TEST(knows_its_own_roll_call),
		TEST(another_hosts_roll_call_is_no_news),
		TEST(a_dead_lettered_roll_call_is_no_marker_and_no_news),
		TEST(an_emitters_roll_call_is_refused),
		TEST(what_the_sender_wrote_stays_on_one_line),
		TEST(an_ignored_messages_user_is_escaped_too),
	};

	return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
