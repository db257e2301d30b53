#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/bus/intake.h"
#include "host/conf/conf.h"
#include "host/sinks/sections.h"
#include "shared/log.h"
#include "tests/unit/exact.h"

/*
 * What keeps tenants apart, read from a configuration as a host reads it: limits for each user, the addresses of the host itself, the rate at which
 * the intake takes messages.
 */
#define HEAD "bus { urls = {\"amqp://h:x@127.0.0.1/v\"} }\nqueue { name = \"h\" }\n"

static struct conf *conf;

static struct conf *load(const char *text)
{
	char path[] = "/tmp/callsign-tenants-XXXXXX";
	int fd = mkstemp(path);
	struct conf *loaded;

	assert_true(fd != -1);
	assert_int_equal(write(fd, HEAD, strlen(HEAD)), strlen(HEAD));
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	loaded = conf_load(path, sinks_sections);
	unlink(path);
	return loaded;
}

static void use(const char *text)
{
	conf = load(text);
	assert_non_null(conf);
}

static int teardown(void **state)
{
	(void)state;
	conf_free(conf);
	conf = NULL;
	return 0;
}

static struct address address(const char *text)
{
	struct address out;

	assert_int_equal(address_parse(text, strlen(text), &out), 0);
	return out;
}

static bool allowed(const char *user, const char *text)
{
	struct address one = address(text);

	return policy_address_allowed(&conf->policy, user, &one);
}

/* ---- limits ---- */

static void bounds_names_but_no_rate_by_default(void **state)
{
	const struct policy_limits *limits;

	(void)state;
	use("");
	limits = policy_limits(&conf->policy, "anyone");
	assert_int_equal(limits->max_names, 20000);
	assert_int_equal(limits->rate.per_s, 0);
}

static void a_user_has_his_own_limits_or_the_policys(void **state)
{
	(void)state;
	use("policy { max_names = 50 rate = 7 burst = 9 }\n"
	    "user \"red\" { max_names = 3 rate = 0 }\n"
	    "user \"blue\" { names = {\"blue-*\"} }\n"
	    "user \"green\" { max_names = 0 burst = 1 }\n");
	assert_int_equal(policy_limits(&conf->policy, "red")->max_names, 3);
	assert_int_equal(policy_limits(&conf->policy, "red")->rate.per_s, 0);
	assert_int_equal(policy_limits(&conf->policy, "blue")->max_names, 50);
	assert_int_equal(policy_limits(&conf->policy, "blue")->rate.per_s, 7);
	assert_int_equal(policy_limits(&conf->policy, "blue")->rate.burst, 9);
	assert_int_equal(policy_limits(&conf->policy, "green")->max_names, 0);
	assert_int_equal(policy_limits(&conf->policy, "green")->rate.burst, 1);
	assert_int_equal(policy_limits(&conf->policy, "gree")->max_names, 50);
}

static void the_burst_covers_a_roll_call_unless_given(void **state)
{
	(void)state;
	use("policy { rate = 10 }\nuser \"red\" { max_names = 100 }\nuser \"blue\" { max_names = 0 }\n");
	assert_int_equal(policy_limits(&conf->policy, "anyone")->rate.burst, 60000);
	assert_int_equal(policy_limits(&conf->policy, "red")->rate.burst, 300);
	assert_true(policy_limits(&conf->policy, "blue")->rate.burst >= 1000000);
}

static void refuses_limits_that_make_no_sense(void **state)
{
	static const char *const texts[] = {
		"policy { max_names = -1 }",
		"policy { rate = -1 }",
		"policy { burst = 1.5 }",
		"policy { max_names = 99999999999999999999 }",
		"user \"red\" { rate = many }",
		"user \"red\" { max_names = -1 }",
		"user \"red\" { unsigned = true }",
		"policy { host_addresses = perhaps }",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_null(load(texts[i]));
}

/* ---- secrets ---- */

static void refuses_a_password_that_others_may_read(void **state)
{
	char path[] = "/tmp/callsign-tenants-XXXXXX";
	int fd = mkstemp(path);
	struct conf *loaded[3];

	(void)state;
	assert_true(fd != -1);
	assert_int_equal(write(fd, HEAD, strlen(HEAD)), strlen(HEAD));
	assert_int_equal(fchmod(fd, 0644), 0);
	loaded[0] = conf_load(path, sinks_sections);
	assert_int_equal(fchmod(fd, 0602), 0);
	loaded[1] = conf_load(path, sinks_sections);
	assert_int_equal(fchmod(fd, 0640), 0);
	loaded[2] = conf_load(path, sinks_sections);
	close(fd);
	unlink(path);
	assert_null(loaded[0]);
	assert_null(loaded[1]);
	assert_non_null(loaded[2]);
	conf_free(loaded[2]);
}

/* ---- names ---- */

static void reserves_what_clients_ask_for_below_any_search_domain(void **state)
{
	static const char *const names[] = {"wpad", "wpad.corp", "isatap.corp.dev", "x.wpad", "localhost", "a.localhost", "callsign", "serial.callsign"};

	(void)state;
	use("");
	for (size_t i = 0; i < COUNT(names); i++)
		assert_true(policy_reserved(&conf->policy, names[i]));
	assert_false(policy_reserved(&conf->policy, "wpadx.corp"));
	assert_false(policy_reserved(&conf->policy, "corp.wpa"));
	assert_false(policy_reserved(&conf->policy, "callsign.web"));
}

/* ---- the host's own addresses ---- */

static void set_host_addresses(void)
{
	struct address list[] = {address("198.18.0.1"), address("10.0.0.1"), address("fd00::1"), address("198.18.5.5")};

	assert_int_equal(policy_set_host_addresses(&conf->policy, list, COUNT(list)), 0);
}

static void nobody_announces_the_hosts_own_addresses(void **state)
{
	struct announcement message = {.op = ANNOUNCEMENT_UP, .name = "web", .naddresses = 2};
	char reason[POLICY_REASON_SIZE];

	(void)state;
	use("policy { subnets = {\"198.18.0.0/16\", \"fd00::/8\"} }");
	assert_true(allowed("red", "198.18.0.1"));
	set_host_addresses();
	assert_false(allowed("red", "198.18.0.1"));
	assert_false(allowed("red", "198.18.5.5"));
	assert_false(allowed("red", "fd00::1"));
	assert_true(allowed("red", "198.18.0.2"));
	assert_true(allowed("red", "fd00::2"));
	message.addresses[0] = address("198.18.0.2");
	message.addresses[1] = address("198.18.0.1");
	assert_non_null(policy_refuses(&conf->policy, "red", &message, reason));
	assert_non_null(strstr(reason, "198.18.0.1 is this host's own"));
}

static void unless_the_policy_or_the_very_address_says_so(void **state)
{
	(void)state;
	use("policy { host_addresses = true }");
	set_host_addresses();
	assert_true(allowed("red", "198.18.0.1"));
	conf_free(conf);
	use("user \"red\" { subnets = {\"198.18.0.0/16\", \"198.18.0.1\", \"fd00::1/128\"} }\nuser \"blue\" { subnets = {\"198.18.0.0/31\"} }");
	set_host_addresses();
	assert_true(allowed("red", "198.18.0.1"));
	assert_true(allowed("red", "fd00::1"));
	assert_false(allowed("red", "198.18.5.5"));
	assert_false(allowed("blue", "198.18.0.1"));
	conf_free(conf);
	use("policy { subnets = {\"198.18.0.1/32\", \"198.18.0.0/16\"} }");
	set_host_addresses();
	assert_true(allowed("red", "198.18.0.1"));
	assert_false(allowed("red", "198.18.5.5"));
}

static void the_list_may_be_replaced_and_empty(void **state)
{
	(void)state;
	use("");
	set_host_addresses();
	assert_int_equal(policy_set_host_addresses(&conf->policy, NULL, 0), 0);
	assert_true(allowed("red", "198.18.0.1"));
}

/* ---- the rate ---- */

static struct intake intake;
static struct announcement message;

static bool count_one(void *arg, const struct refusal *refusal)
{
	(void)refusal;
	++*(unsigned *)arg;
	return true;
}

static enum intake_result send(const char *user, const char *exchange, const char *body, int64_t now_ms)
{
	struct bus_delivery delivery = {.tag = 1};
	struct intake_outcome outcome;

	delivery.exchange = (struct bus_text){exchange, strlen(exchange)};
	delivery.routing_key = (struct bus_text){"up.x", 4};
	delivery.user_id = (struct bus_text){user, strlen(user)};
	delivery.body = (struct bus_text){body, strlen(body)};
	intake_take(&intake, &delivery, &message, now_ms, &outcome);
	if (outcome.result == INTAKE_REFUSED && strstr(outcome.reason, "rate=") != NULL)
		assert_false(outcome.understood);
	return outcome.result;
}

#define UP_X "{\"v\":1,\"op\":\"up\",\"name\":\"x\",\"instance\":\"0197a3c25e1f7d0e9c41f2b6a8d3e570\",\"seq\":%u,\"addresses\":[\"198.18.0.2\"],\"lease\":60}"

static void a_flood_is_refused_unread_counted_and_hides_nothing(void **state)
{
	static const char rollcall[] =
		"{\"v\":1,\"op\":\"rollcall\",\"host\":\"h\",\"nonce\":\"0197a3c25e1f7d0e9c41f2b6a8d3e570\",\"spread_ms\":500}";
	struct registry_options options = {.max_lease_s = 60, .max_ended_per_user = 10};
	struct registry_watcher nobody = {0};
	unsigned taken = 0, kept = 0;
	char body[256];

	(void)state;
	use("policy { rate = 10 burst = 20 }\nuser \"blue\" { rate = 0 }\n");
	intake = (struct intake){
		.policy = &conf->policy, .registry = registry_new(&options, &nobody, 0), .refusals = refusals_new(), .rates = rates_new(),
	};
	for (unsigned i = 1; i <= 5000; i++) {
		snprintf(body, sizeof(body), UP_X, i);
		taken += send("red", "callsign", body, 1000) == INTAKE_TAKEN;
	}
	assert_int_equal(taken, 20);
	assert_int_equal(refusals_total(intake.refusals), 4980);
	assert_int_equal(intake.refused[INTAKE_RATE], 4980);
	refusals_each(intake.refusals, count_one, &kept);
	assert_int_equal(kept, 1);
	/* Hosts' roll calls are not an emitter's flood; blue has no limit; red has the rate again a second later. */
	assert_int_equal(send("red", "callsign.rollcall", rollcall, 1000), INTAKE_IGNORED);
	assert_int_equal(send("blue", "callsign", "{}", 1000), INTAKE_REFUSED);
	kept = 0;
	refusals_each(intake.refusals, count_one, &kept);
	assert_int_equal(kept, 2);
	snprintf(body, sizeof(body), UP_X, 9999U);
	assert_int_equal(send("red", "callsign", body, 2000), INTAKE_TAKEN);
	registry_free(intake.registry);
	refusals_free(intake.refusals);
	rates_free(intake.rates);
}

#define TEST(function) cmocka_unit_test_teardown(function, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bounds_names_but_no_rate_by_default),
		TEST(a_user_has_his_own_limits_or_the_policys),
		TEST(the_burst_covers_a_roll_call_unless_given),
		TEST(refuses_limits_that_make_no_sense),
		TEST(refuses_a_password_that_others_may_read),
		TEST(reserves_what_clients_ask_for_below_any_search_domain),
		TEST(nobody_announces_the_hosts_own_addresses),
		TEST(unless_the_policy_or_the_very_address_says_so),
		TEST(the_list_may_be_replaced_and_empty),
		TEST(a_flood_is_refused_unread_counted_and_hides_nothing),
	};

	return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}
