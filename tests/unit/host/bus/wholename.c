#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "host/bus/wholename.h"
#include "tests/unit/exact.h"

static char docker[] = "docker", lab[] = "lab.example.org", shop[] = "shop";
static char *shop_users[] = {shop};
static struct policy_domain domains[] = {{.name = docker}, {.name = lab, .users = shop_users, .nusers = 1}};
static const struct policy policy = {.domains = domains, .ndomains = COUNT(domains)};

static struct announcement message;

/* "NAME ALIAS …" */
static void say(const char *names)
{
	char copy[1024], *word, *rest;

	memset(&message, 0, sizeof(message));
	message.op = ANNOUNCEMENT_UP;
	snprintf(copy, sizeof(copy), "%s", names);
	word = strtok_r(copy, " ", &rest);
	snprintf(message.name, sizeof(message.name), "%s", word);
	while ((word = strtok_r(NULL, " ", &rest)) != NULL)
		snprintf(message.aliases[message.naliases++], sizeof(message.aliases[0]), "%s", word);
}

static void assert_said(const char *expected)
{
	char text[1024];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s", message.name);

	for (unsigned i = 0; i < message.naliases; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", message.aliases[i]);
	assert_string_equal(text, expected);
}

static void cuts_what_ends_in_a_domain_once(void **state)
{
	static const struct {
		const char *known, *said, *taken;
	} rows[] = {
		{NULL, "web", "web"},
		{NULL, "web.docker", "web"},
		{NULL, "web.docker.docker", "web.docker"},
		{NULL, "web.lab.example.org", "web"},
		{NULL, "web.example.org", "web.example.org"},
		{NULL, "docker", "docker"},
		{NULL, "lab.example.org", "lab.example.org"},
		{NULL, "webdocker", "webdocker"},
		{NULL, "docker.docker", "docker"},
		{NULL, "a.b.docker", "a.b"},
		{NULL, "web a.docker b.lab.example.org c", "web a b c"},
		{NULL, "web.docker web", "web"},
		{NULL, "web web.docker x", "web x"},
		{NULL, "web a a.docker a.lab.example.org b", "web a b"},
		/* The instance is known already: a reload has added docker, or taken away example. */
		{"web.docker", "web.docker", "web.docker"},
		{"web", "web.docker", "web"},
		{"web", "web.example", "web"},
		{"web", "web", "web"},
		{"web", "webx.docker", "webx"},
		{"web", "other.docker", "other"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		say(rows[i].said);
		assert_int_equal(wholename_any(&policy, rows[i].known, &message), strcmp(rows[i].said, rows[i].taken) != 0);
		wholename_cut(&policy, rows[i].known, &message);
		assert_said(rows[i].taken);
	}
}

static void a_domain_that_does_not_take_it_is_no_other(void **state)
{
	char reason[POLICY_REASON_SIZE];

	(void)state;
	say("web.lab.example.org");
	assert_null(wholename_refuses(&policy, "shop", NULL, &message, reason));
	assert_non_null(wholename_refuses(&policy, "blue", NULL, &message, reason));
	assert_non_null(strstr(reason, "web.lab.example.org"));
	say("web www.lab.example.org");
	assert_non_null(wholename_refuses(&policy, "blue", NULL, &message, reason));
	say("web.docker www");
	assert_null(wholename_refuses(&policy, "blue", NULL, &message, reason));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_what_ends_in_a_domain_once),
		cmocka_unit_test(a_domain_that_does_not_take_it_is_no_other),
	};

	return cmocka_run_group_tests_name("wholename", tests, NULL, NULL);
}
