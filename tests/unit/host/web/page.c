#include <config.h>

#include <openssl/evp.h>

#include "host/web/page.h"
#include "host/web/page_parts.h"
#include "tests/unit/hostkit.h"

static struct kit kit;
static struct conf conf = {.domain = (char[]){"docker"}};
static struct metrics metrics;
static char *text;
static size_t length;

/* Nothing that reaches the page is trusted to have been checked before. */
#define EVIL "<i>&\"'\xff\x01"
#define EVIL_ESCAPED "&lt;i&gt;&amp;&quot;&#39;??"

static int setup(void **state)
{
	struct registry_options options = kit_options();

	(void)state;
	kit_open(&kit, &options, VIEW_ALL);
	memset(&metrics, 0, sizeof metrics);
	metrics.status.clock.now_ms = KIT_START_MS;
	metrics.status.dnsmasq.served_serial = HOSTSFILE_SERIAL_NONE;
	policy_init(&conf.policy);
	kit_serve(&conf.policy, "docker");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kit_close(&kit);
	policy_clear(&conf.policy);
	free(text);
	text = NULL;
	return 0;
}

static FILE *begin(void)
{
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &length);
	assert_non_null(out);
	return out;
}

static const char *page(const char *search)
{
	struct status_sources sources = {.conf = &conf, .view = kit.view, .registry = kit.registry};
	FILE *out = begin();

	page_write(&sources, &metrics, search, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void announce(const char *name, unsigned number, const char *user, const char *alias)
{
	struct announcement message = kit_announce(name, number, number, 1, number);

	if (alias != NULL)
		kit_add_alias(&message, alias);
	assert_int_equal(registry_up(kit.registry, &message, user, kit.now_ms), REGISTRY_APPLIED);
	kit_settle(&kit);
	metrics.status.registry.facts++;
}

static unsigned count(const char *words)
{
	const char *at = text;
	unsigned found = 0;

	while ((at = strstr(at, words)) != NULL) {
		at++;
		found++;
	}
	return found;
}

static void text_is_escaped(void **state)
{
	FILE *out = begin();

	(void)state;
	page_escape(out, EVIL "plain");
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, EVIL_ESCAPED "plain");
}

static void whatever_is_shown_is_escaped(void **state)
{
	(void)state;
	announce("a" EVIL, 1, EVIL, "b" EVIL);
	metrics.status.nwarnings = 1;
	snprintf(metrics.status.warnings[0], sizeof metrics.status.warnings[0], "c%s", EVIL);
	snprintf(metrics.status.hostname, sizeof metrics.status.hostname, "d%s", EVIL);
	metrics.status.changes.last = STATUS_CAME;
	snprintf(metrics.status.changes.last_name, sizeof metrics.status.changes.last_name, "e%s", EVIL);
	page("");
	assert_null(strstr(text, "<i>"));
	assert_int_equal(count("a" EVIL_ESCAPED), 1);
	assert_int_equal(count("b" EVIL_ESCAPED), 1);
	assert_int_equal(count("c" EVIL_ESCAPED), 1);
	assert_int_equal(count("d" EVIL_ESCAPED), 2); /* title and heading */
	assert_int_equal(count("e" EVIL_ESCAPED), 1);
	assert_null(strstr(page("\"><i>"), "<i>"));
	assert_int_equal(count("value=\"&quot;&gt;&lt;i&gt;\""), 1);
}

static void the_search_narrows(void **state)
{
	(void)state;
	announce("web", 1, "u", "shop");
	announce("db", 2, "u", NULL);
	page(NULL);
	assert_int_equal(count("<tr><th scope=\"row\">"), 2);
	assert_true(strstr(text, ">db<") < strstr(text, ">web<")); /* sorted */
	page("WE");
	assert_int_equal(count("<tr><th scope=\"row\">"), 1);
	assert_int_equal(count("1 of 2 announcements"), 1);
	page("sh?p");
	assert_int_equal(count(">web<"), 1);
	page("198.18.0.2");
	assert_int_equal(count(">db<") + 10 * count(">web<"), 1);
	page("nothing-like-it");
	assert_int_equal(count("<table>"), 0);
	/* Longer than any that is looked for: nothing is cut, nothing is found. */
	page("*****************************************************************");
	assert_int_equal(count("<table>"), 0);
}

static void no_more_rows_than_the_limit(void **state)
{
	char name[32];
	unsigned i;

	(void)state;
	for (i = 1; i <= PAGE_ROWS + 20; i++) {
		snprintf(name, sizeof name, "n%u", i);
		announce(name, i, "u", NULL);
	}
	page(NULL);
	assert_int_equal(count("<tr><th scope=\"row\">"), PAGE_ROWS);
	assert_int_equal(count("520 announcements; 500 are shown"), 1);
}

static void the_plots_show_the_last_hour(void **state)
{
	struct dnsmasq_stats stats = {.reloads = 2, .last_reload_us = 3400};
	int64_t now_ms = KIT_START_MS;
	int i;

	(void)state;
	page(NULL);
	assert_int_equal(count("<rect"), 0);
	assert_int_equal(count("Changes: 0 in the last hour"), 1);
	for (i = 0; i < 7; i++)
		measure_change(&metrics.measure, now_ms - 60000);
	measure_change(&metrics.measure, now_ms);
	measure_reloads(&metrics.measure, &stats, now_ms);
	page(NULL);
	assert_int_equal(count("Changes: 8 in the last hour, 7 in the busiest minute"), 1);
	assert_int_equal(count("10 a minute"), 1);
	assert_int_equal(count("y=\"18\" width=\"4\" height=\"42\""), 1); /* 7 of 10, of 60 */
	assert_int_equal(count("<rect"), 2);
	assert_int_equal(count("2 in the last hour, the slowest took 3.4 ms"), 1);
	assert_int_equal(count("<circle"), 1);
	metrics.status.clock.now_ms += 3600000;
	page(NULL);
	assert_int_equal(count("<rect") + count("<circle"), 0);
}

/* tag: the part of the page whose text CSP Level 3 has hashed: what stands between the tags. */
static void hash_is_in_the_policy(const char *tag)
{
	unsigned char digest[EVP_MAX_MD_SIZE], base64[sizeof digest * 2];
	char begin[16], end[16], source[sizeof base64 + 16];
	const char *first, *last;
	unsigned size;

	snprintf(begin, sizeof begin, "<%s>", tag);
	snprintf(end, sizeof end, "</%s>", tag);
	first = strstr(page(NULL), begin);
	assert_non_null(first);
	first += strlen(begin);
	last = strstr(first, end);
	assert_non_null(last);
	assert_int_equal(EVP_Digest(first, (size_t)(last - first), digest, &size, EVP_sha256(), NULL), 1);
	EVP_EncodeBlock(base64, digest, (int)size);
	snprintf(source, sizeof source, "%s-src 'sha256-%s'", tag, (const char *)base64);
	if (strstr(page_csp(), source) == NULL)
		fail_msg("host/web/page_static.c: the hash of the %s is %s now", tag, (const char *)base64);
}

static void the_policy_names_no_source_but_hashes(void **state)
{
	(void)state;
	assert_non_null(strstr(page_csp(), "default-src 'none'"));
	assert_null(strstr(page_csp(), "unsafe"));
	assert_null(strstr(page_csp(), "http"));
	hash_is_in_the_policy("style");
	hash_is_in_the_policy("script");
	page(NULL);
	assert_int_equal(count("<script"), 1);
	assert_int_equal(count("<style"), 1);
	assert_int_equal(count(" style="), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(text_is_escaped),
		TEST(whatever_is_shown_is_escaped),
		TEST(the_search_narrows),
		TEST(no_more_rows_than_the_limit),
		TEST(the_plots_show_the_last_hour),
		TEST(the_policy_names_no_source_but_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
