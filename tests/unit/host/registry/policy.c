#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/registry/policy.h"

static char web[] = "web-*", db[] = "db", gateway[] = "gateway", lab[] = "lab", web1[] = "web-1*",
	    tenant_name[] = "tenant";
static char *names[] = {web, db, gateway, lab}, *reserved_names[] = {gateway}, *own_names[] = {lab},
	    *tenant_names[] = {web1};
static struct prefix subnet, tenant_subnet;
static struct policy_user tenant = {.user = tenant_name, .rule = {&tenant_subnet, 1, tenant_names, 1}};

/* names web-* and db within 198.18.0.0/16; the user "tenant" only web-1* within 198.18.1.0/24; "gateway" reserved; the
 * host is "lab". */
static struct policy sample(void)
{
	assert_int_equal(prefix_parse("198.18.0.0/16", 13, &subnet), 0);
	assert_int_equal(prefix_parse("198.18.1.0/24", 13, &tenant_subnet), 0);
	return (struct policy){.rule = {&subnet, 1, names, 4},
			       .reserved = reserved_names,
			       .nreserved = 1,
			       .host_names = own_names,
			       .nhost_names = 1,
			       .users = &tenant,
			       .nusers = 1};
}

static struct address address(const char *text)
{
	struct address out;

	assert_int_equal(address_parse(text, strlen(text), &out), 0);
	return out;
}

static void some_names_are_always_reserved(void **state)
{
	static const char *const reserved[] = {"callsign",      "serial.callsign", "a.b.callsign",
					       "localhost",     "x.localhost",     "wpad",
					       "wpad.x.isatap", "isatap"};
	static const char *const free_names[] = {"callsigns", "mycallsign", "callsign.example", "wpad2", "local", "a"};
	struct policy policy;

	(void)state;
	policy_init(&policy);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		assert_true(policy_reserved(&policy, reserved[i]));
	for (size_t i = 0; i < sizeof(free_names) / sizeof(free_names[0]); i++) {
		assert_false(policy_reserved(&policy, free_names[i]));
		assert_true(policy_name_allowed(&policy, "anybody", free_names[i]));
	}
	policy_clear(&policy);
}

static void an_empty_policy_allows_every_address(void **state)
{
	struct policy policy;
	struct address v4 = address("198.51.100.1"), v6 = address("fd00::1");

	(void)state;
	policy_init(&policy);
	assert_true(policy_address_allowed(&policy, "", &v4));
	assert_true(policy_address_allowed(&policy, "", &v6));
}

static void a_user_section_narrows_but_never_widens(void **state)
{
	struct policy policy = sample();
	struct address inside = address("198.18.1.7"), outside = address("198.18.2.7"), far = address("10.0.0.1"),
		       v6 = address("fd00::1");

	(void)state;
	assert_true(policy_name_allowed(&policy, "other", "web-2"));
	assert_false(policy_name_allowed(&policy, "tenant", "web-2"));
	assert_true(policy_name_allowed(&policy, "tenant", "web-10"));
	assert_false(policy_name_allowed(&policy, "other", "mail"));
	assert_false(policy_name_allowed(&policy, "other", "gateway"));
	assert_false(policy_name_allowed(&policy, "other", "lab"));
	assert_true(policy_address_allowed(&policy, "tenant", &inside));
	assert_false(policy_address_allowed(&policy, "tenant", &outside));
	assert_true(policy_address_allowed(&policy, "other", &outside));
	assert_false(policy_address_allowed(&policy, "other", &far));
	assert_false(policy_address_allowed(&policy, "other", &v6));
}

static struct announcement up(const char *name, const char *where)
{
	struct announcement message;

	memset(&message, 0, sizeof(message));
	message.op = ANNOUNCEMENT_UP;
	snprintf(message.name, sizeof(message.name), "%s", name);
	message.naddresses = 1;
	message.addresses[0] = address(where);
	return message;
}

static void set_alias(struct announcement *message, const char *alias)
{
	message->naliases = 1;
	snprintf(message->aliases[0], sizeof(message->aliases[0]), "%s", alias);
}

static void assert_refused(const struct announcement *message, const char *user, const char *because)
{
	struct policy policy = sample();
	char reason[POLICY_REASON_SIZE];
	const char *refused = policy_refuses(&policy, user, message, reason);

	if (because == NULL) {
		assert_null(refused);
	} else {
		assert_non_null(refused);
		assert_non_null(strstr(refused, because));
	}
}

static void a_refusal_says_what_and_by_which_rule(void **state)
{
	struct announcement message = up("web-1", "198.18.1.1");

	(void)state;
	assert_refused(&message, "tenant", NULL);
	assert_refused(&message, "other", NULL);
	set_alias(&message, "db");
	assert_refused(&message, "other", NULL);
	assert_refused(&message, "tenant", "name db matches none of this user's names");
	set_alias(&message, "gateway");
	assert_refused(&message, "other", "name gateway is reserved by the policy");
	message = up("lab", "198.18.1.1");
	assert_refused(&message, "other", "name lab is this host's own name");
	message = up("wpad", "198.18.1.1");
	assert_refused(&message, "other", "name wpad is always reserved");
	message = up("web-1", "198.18.2.1");
	assert_refused(&message, "tenant", "address 198.18.2.1 is in none of this user's subnets");
	message = up("web-1", "10.1.1.1");
	assert_refused(&message, "tenant", "address 10.1.1.1 is in none of policy subnets");
}

/* A down carries a name alone: whatever else the struct holds is not looked at. */
static void other_operations_are_judged_by_name_alone(void **state)
{
	struct announcement message = up("web-1", "10.1.1.1");

	(void)state;
	message.op = ANNOUNCEMENT_DOWN;
	assert_refused(&message, "tenant", NULL);
	message = up("mail", "198.18.1.1");
	message.op = ANNOUNCEMENT_LOST;
	assert_refused(&message, "tenant", "name mail matches none of policy names");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_names_are_always_reserved),
		cmocka_unit_test(an_empty_policy_allows_every_address),
		cmocka_unit_test(a_user_section_narrows_but_never_widens),
		cmocka_unit_test(a_refusal_says_what_and_by_which_rule),
		cmocka_unit_test(other_operations_are_judged_by_name_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
