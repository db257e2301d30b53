#include <config.h>

#include "shared/contract/legacy.h"

#include "host/bus/intake.h"
#include "shared/log.h"
#include "tests/unit/exact.h"
#include "tests/unit/hostkit.h"

/* The older wire format: its bodies, its facts beside those of version 1, and what a host takes of it. */

static struct announcement message;
static char error[ANNOUNCEMENT_ERROR_SIZE];

/* In a buffer that ends where the body ends. */
static int decode(const char *body, size_t length)
{
	char *copy = malloc(length > 0 ? length : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, body, length);
	result = legacy_decode(copy, length, &message, error);
	free(copy);
	return result;
}

static void bodies_that_are_taken(void **state)
{
	char name[HOSTNAME_NAME_SIZE], body[LEGACY_BODY_MAX + 1];
	size_t length;

	(void)state;
	assert_int_equal(decode("198.18.0.7:web:up", 17), 0);
	assert_int_equal(message.op, ANNOUNCEMENT_UP);
	assert_string_equal(message.name, "web");
	assert_int_equal(message.naddresses, 1);
	assert_int_equal(message.addresses[0].bytes[3], 7);
	assert_int_equal(message.naliases, 0);
	assert_false(message.has_session);
	assert_true(legacy_is_instance(&message.instance));
	assert_int_equal(decode("198.18.0.7:My-Cool-Host.dev:down", 32), 0);
	assert_int_equal(message.op, ANNOUNCEMENT_DOWN);
	assert_string_equal(message.name, "my-cool-host.dev");
	/* The longest there is. */
	memset(name, 'a', sizeof(name));
	for (size_t i = 60; i < HOSTNAME_NAME_MAX; i += 61)
		name[i] = '.';
	name[HOSTNAME_NAME_MAX - 1] = 'a';
	name[HOSTNAME_NAME_MAX] = '\0';
	assert_int_equal(decode("223.255.255.254:x:down", 22), 0);
	length = legacy_encode(ANNOUNCEMENT_DOWN, name, &message.addresses[0], body);
	assert_int_equal(length, LEGACY_BODY_MAX);
	assert_int_equal(decode(body, length), 0);
	assert_string_equal(message.name, name);
}

static void the_instance_is_the_same_for_the_same_words(void **state)
{
	struct ident first;

	(void)state;
	decode("198.18.0.7:web:up", 17);
	first = message.instance;
	decode("198.18.0.7:WEB:down", 19);
	assert_true(ident_equal(&first, &message.instance));
	decode("198.18.0.8:web:up", 17);
	assert_false(ident_equal(&first, &message.instance));
	decode("198.18.0.7:wec:up", 17);
	assert_false(ident_equal(&first, &message.instance));
}

static void bodies_that_are_refused(void **state)
{
	static const char *const bodies[] = {
		"", ":", "::", ":::", "up", "198.18.0.7", "198.18.0.7:web", "198.18.0.7:web:", "198.18.0.7:web:UP", "198.18.0.7:web:upp",
		"198.18.0.7:web:up ", "198.18.0.7:web:up\n", " 198.18.0.7:web:up", "198.18.0.7:web:up:up", "198.18.0.7::up", ":web:up",
		"198.18.0.07:web:up", "198.18.0:web:up", "198.18.0.256:web:up", "0x7f.1.1.1:web:up", "127.0.0.1:web:up", "0.0.0.0:web:up",
		"224.0.0.1:web:up", "169.254.1.1:web:up", "255.255.255.255:web:up", "fd00::2:web:up", "[fd00::2]:web:up", "198.18.0.7:we b:up",
		"198.18.0.7:-web:up", "198.18.0.7:web_1:up", "198.18.0.7:../etc:up", "198.18.0.7:localhost:up", "198.18.0.7:web.:up",
		("198.18.0.7:w\xc3\xa4" "b:up"), "198.18.0.7:web;rm -rf:up", "{\"v\":1}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		error[0] = '\0';
		if (decode(bodies[i], strlen(bodies[i])) == 0)
			fail_msg("taken: %s", bodies[i]);
		assert_true(error[0] != '\0');
		assert_null(strpbrk(error, "\n\r\t"));
	}
	assert_int_equal(decode("198.18.0.7:web\0:up", 18), -1);
	assert_int_equal(decode("198.18.0.7:web:up\0", 18), -1);
}

static void a_long_body_is_refused_whole(void **state)
{
	char body[LEGACY_BODY_MAX + 2];

	(void)state;
	memset(body, 'a', sizeof(body));
	memcpy(body, "198.18.0.7:", 11);
	memcpy(body + sizeof(body) - 3, ":up", 3);
	assert_int_equal(decode(body, sizeof(body)), -1);
	assert_non_null(strstr(error, "are allowed"));
}

/* ---- facts ---- */

static struct kit kit;

static void open_kit(void)
{
	struct registry_options options = kit_options();

	kit_open(&kit, &options, VIEW_ALL);
}

static enum registry_verdict legacy(const char *body)
{
	enum registry_verdict verdict;

	assert_int_equal(decode(body, strlen(body)), 0);
	verdict = message.op == ANNOUNCEMENT_UP ? registry_legacy_up(kit.registry, &message, kit.now_ms)
	                                        : registry_legacy_down(kit.registry, &message, kit.now_ms);
	kit_settle(&kit);
	return verdict;
}

struct names {
	const char *name;
	unsigned addresses; /* the last bytes of those that are served under it, summed up */
};

static bool add_served(void *arg, const struct listing *listing)
{
	struct names *names = arg;

	for (unsigned i = 0; i < listing->fact->naddresses; i++)
		if (strcmp(listing->fact->name, names->name) == 0 && (listing->addresses >> i & 1) != 0 && (listing->names & 1) != 0)
			names->addresses += listing->fact->addresses[i].bytes[3];
	return true;
}

static unsigned served(const char *name)
{
	struct names names = {.name = name};

	view_each(kit.view, add_served, &names);
	return names.addresses;
}

static void it_lasts_until_its_down(void **state)
{
	(void)state;
	open_kit();
	assert_int_equal(legacy("198.18.0.7:web:up"), REGISTRY_APPLIED);
	assert_int_equal(served("web"), 7);
	assert_int_equal(legacy("198.18.0.7:web:up"), REGISTRY_IGNORED_OLD);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_pass(&kit, 400 * INT64_C(86400000)); /* longer than any lease and resync */
	registry_disconnected(kit.registry, kit.now_ms);
	kit_pass(&kit, 86400000);
	kit_connect(&kit);
	kit_marker(&kit);
	kit_pass(&kit, 60000);
	assert_int_equal(served("web"), 7);
	assert_int_equal(legacy("198.18.0.8:web:down"), REGISTRY_IGNORED_STALE);
	assert_int_equal(served("web"), 7);
	assert_int_equal(legacy("198.18.0.7:web:down"), REGISTRY_APPLIED);
	assert_int_equal(served("web"), 0);
	assert_int_equal(legacy("198.18.0.7:web:up"), REGISTRY_APPLIED); /* and again, whenever */
	assert_int_equal(served("web"), 7);
	kit_close(&kit);
}

static void another_name_at_its_address_ends_it(void **state)
{
	(void)state;
	open_kit();
	legacy("198.18.0.7:web:up");
	legacy("198.18.0.8:web:up"); /* two containers of one name */
	assert_int_equal(served("web"), 15);
	legacy("198.18.0.7:db:up");
	assert_int_equal(served("web"), 8);
	assert_int_equal(served("db"), 7);
	assert_string_equal(kit.why, "address claimed");
	kit_close(&kit);
}

static void version_1_at_its_address_ends_it(void **state)
{
	struct announcement renewal;

	(void)state;
	open_kit();
	kit_connect(&kit);
	kit_marker(&kit);
	legacy("198.18.0.7:web:up");
	kit_up(&kit, "new", 1, 1, 1, 7);
	assert_int_equal(served("web"), 0);
	assert_int_equal(served("new"), 7);
	/* What already had the address claims nothing by saying so again: it is perhaps a ghost, and the older container lives. */
	legacy("198.18.0.7:web:up");
	assert_int_equal(served("web"), 0);
	renewal = kit_announce("new", 1, 1, 2, 7);
	kit_deliver(&kit, &renewal, "web");
	kit_down(&kit, "new", 1, 1, 3);
	assert_int_equal(served("web"), 7);
	/* But one that gets the address later does. */
	kit_up(&kit, "moves", 2, 1, 1, 9);
	kit_up(&kit, "moves", 2, 1, 2, 7);
	assert_int_equal(served("web"), 0);
	assert_int_equal(served("moves"), 7);
	kit_close(&kit);
}

static void a_name_that_a_user_has_stays_his(void **state)
{
	(void)state;
	open_kit();
	kit_connect(&kit);
	kit_marker(&kit);
	kit_up(&kit, "web", 1, 1, 1, 3);
	assert_int_equal(legacy("198.18.0.7:web:up"), REGISTRY_APPLIED);
	assert_int_equal(served("web"), 3); /* it waits */
	kit_down(&kit, "web", 1, 1, 2);
	assert_int_equal(served("web"), 7);
	kit_close(&kit);
}

static void it_has_bounds(void **state)
{
	(void)state;
	open_kit();
	kit.max_names = 2;
	legacy("198.18.0.1:a:up");
	legacy("198.18.0.2:b:up");
	assert_int_equal(legacy("198.18.0.3:c:up"), REGISTRY_REJECTED_LIMIT);
	assert_int_equal(legacy("198.18.0.2:c:up"), REGISTRY_APPLIED); /* in the place of b */
	assert_int_equal(registry_legacy_end(kit.registry, kit.now_ms), 2);
	kit_settle(&kit);
	assert_int_equal(served("a") + served("c"), 0);
	kit_close(&kit);
}

/* ---- what a host takes ---- */

static struct policy policy;
static struct intake intake;
static struct intake_outcome outcome;

static struct bus_text text(const char *words)
{
	return (struct bus_text){.data = words, .length = words != NULL ? strlen(words) : 0};
}

static enum intake_result take(const char *exchange, const char *body, const char *user)
{
	struct bus_delivery delivery = {.tag = 1, .exchange = text(exchange), .routing_key = text(""), .body = text(body),
	                                .body_length = strlen(body), .user_id = text(user)};

	intake_take(&intake, &delivery, &message, kit.now_ms, &outcome);
	return outcome.result;
}

static void open_intake(void)
{
	open_kit();
	policy_init(&policy);
	intake = (struct intake){.policy = &policy, .registry = kit.registry, .refusals = refusals_new(), .rates = rates_new(), .legacy = true};
	log_set_level(LOG_LEVEL_ERROR);
}

static void close_intake(void)
{
	refusals_free(intake.refusals);
	rates_free(intake.rates);
	kit_close(&kit);
}

#define V1_AS(instance) \
	"{\"v\":1,\"op\":\"up\",\"name\":\"web\",\"instance\":\"" instance "\",\"seq\":1,\"addresses\":[\"198.18.0.9\"],\"lease\":60}"

static void only_through_its_own_exchange(void **state)
{
	char reserved[] = "web", *list[] = {reserved}, ident[IDENT_TEXT_SIZE], body[512];
	struct bus_delivery delivery;

	(void)state;
	open_intake();
	assert_int_equal(take(EXCHANGE_ANNOUNCE, "198.18.0.7:web:up", "blue"), INTAKE_REFUSED);
	assert_int_equal(take(EXCHANGE_LEGACY, V1_AS("0197a3c25e1f7d0e9c41f2b6a8d3e570"), "blue"), INTAKE_REFUSED);
	assert_int_equal(take(EXCHANGE_LEGACY, "198.18.0.7:web:up", NULL), INTAKE_TAKEN);
	assert_true(outcome.legacy);
	assert_int_equal(take(EXCHANGE_LEGACY, "198.18.0.7:web:up", NULL), INTAKE_IGNORED);
	assert_int_equal(take(EXCHANGE_LEGACY, "198.18.0.7:web:down", NULL), INTAKE_TAKEN);
	/* The policy holds for them too. */
	policy.reserved = list;
	policy.nreserved = 1;
	assert_int_equal(take(EXCHANGE_LEGACY, "198.18.0.7:web:up", NULL), INTAKE_REFUSED);
	policy.nreserved = 0;
	/* Nobody else can pass for one of them. */
	assert_int_equal(take(EXCHANGE_LEGACY, "198.18.0.7:web:up", NULL), INTAKE_TAKEN);
	snprintf(body, sizeof(body), "{\"v\":1,\"op\":\"down\",\"name\":\"web\",\"instance\":\"%s\",\"seq\":1}",
	         ident_format(&message.instance, ident));
	delivery = (struct bus_delivery){.tag = 1, .exchange = text(EXCHANGE_ANNOUNCE), .routing_key = text("down.web"), .body = text(body),
	                                 .body_length = strlen(body), .user_id = text("blue")};
	intake_take(&intake, &delivery, &message, kit.now_ms, &outcome);
	assert_int_equal(outcome.result, INTAKE_REFUSED);
	snprintf(body, sizeof(body), "%s", V1_AS("0197a3c25e1f7d0e9c41f2b6a8d3e570"));
	delivery.routing_key = text("up.web");
	delivery.body = text(body);
	delivery.user_id = text(REGISTRY_LEGACY_USER);
	intake_take(&intake, &delivery, &message, kit.now_ms, &outcome);
	assert_int_equal(outcome.result, INTAKE_REFUSED);
	/* Off: not a word. */
	intake.legacy = false;
	assert_int_equal(take(EXCHANGE_LEGACY, "198.18.0.8:db:up", NULL), INTAKE_IGNORED);
	close_intake();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_that_are_taken),
		cmocka_unit_test(the_instance_is_the_same_for_the_same_words),
		cmocka_unit_test(bodies_that_are_refused),
		cmocka_unit_test(a_long_body_is_refused_whole),
		cmocka_unit_test(it_lasts_until_its_down),
		cmocka_unit_test(another_name_at_its_address_ends_it),
		cmocka_unit_test(version_1_at_its_address_ends_it),
		cmocka_unit_test(a_name_that_a_user_has_stays_his),
		cmocka_unit_test(it_has_bounds),
		cmocka_unit_test(only_through_its_own_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
