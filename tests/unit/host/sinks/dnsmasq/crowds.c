/* Names with more addresses than an answer has room for: how many there is room for, and whose turn it is. */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/sinks/dnsmasq/crowds.h"
#include "shared/contract/hostname.h"

static const char domains[2][HOSTNAME_FQDN_SIZE] = {"docker", "containers.example"};

static struct crowds *crowds;

static int open_crowds(void **state)
{
	(void)state;
	crowds = crowds_new();
	return crowds == NULL ? -1 : 0;
}

static int close_crowds(void **state)
{
	(void)state;
	crowds_free(crowds);
	return 0;
}

static void count(unsigned family, const char *name, size_t addresses)
{
	for (size_t i = 0; i < addresses; i++)
		crowds_count(crowds, family, name, strlen(name));
}

static void count_one(unsigned family, const char *name, size_t addresses)
{
	crowds_begin(crowds);
	count(family, name, addresses);
	crowds_counted(crowds, domains, 2);
}

/* One letter for each address: which of them are served. */
static const char *served(unsigned family, const char *name, size_t addresses)
{
	static char text[128];

	assert_true(addresses < sizeof(text));
	for (size_t i = 0; i < addresses; i++)
		text[i] = crowds_serve(crowds, family, name, strlen(name)) ? 'x' : '-';
	text[addresses] = '\0';
	return text;
}

static size_t number(const char *text)
{
	size_t all = 0;

	for (; *text != '\0'; text++)
		all += *text == 'x';
	return all;
}

/* As seen of dnsmasq 2.90, 2.91: findings/dnsmasq-forwarded-truncation.sh and tests/networks/63-crowds.bats. */
static void room_is_what_512_bytes_leave(void **state)
{
	(void)state;
	assert_int_equal(crowds_room(strlen("web.docker"), 4, 0), 30);
	assert_int_equal(crowds_room(strlen("web.docker"), 6, 0), 17);
	assert_int_equal(crowds_room(strlen("web.docker"), 4, 38), 27);
	assert_int_equal(crowds_room(strlen("web.docker"), 6, 38), 15);
	assert_int_equal(crowds_room(128, 4, 0), 22);
	assert_int_equal(crowds_room(128, 6, 0), 13);
	assert_int_equal(crowds_room(253, 4, 0), 15);
	assert_int_equal(crowds_room(253, 6, 0), 8); /* VIEW_CROWD is no more than this */
	assert_int_equal(crowds_room(253, 6, 230), 1);
	assert_int_equal(crowds_room(253, 6, 100000), 1);
}

static void what_fits_is_served_whole(void **state)
{
	(void)state;
	count_one(4, "web.docker", 30);
	assert_int_equal(number(served(4, "web.docker", 30)), 30);
	assert_int_equal(crowds_over(crowds), 0);
	crowds_turn(crowds);
	count_one(4, "web.docker", 30);
	assert_int_equal(number(served(4, "web.docker", 30)), 30);
	assert_true(crowds_serve(crowds, 4, "other.docker", strlen("other.docker")));
}

static void each_has_its_turn(void **state)
{
	size_t times[40] = {0};

	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		const char *text;

		count_one(4, "web.docker", 40);
		text = served(4, "web.docker", 40);
		assert_int_equal(number(text), 30);
		for (size_t i = 0; i < 40; i++)
			times[i] += text[i] == 'x';
		assert_int_equal(crowds_over(crowds), 1);
		crowds_turn(crowds);
	}
	/* Three of four: no one more often than another. */
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(times[i], 3);
}

static void without_a_turn_the_same_are_served(void **state)
{
	char first[128];

	(void)state;
	count_one(4, "web.docker", 40);
	crowds_turn(crowds);
	count_one(4, "web.docker", 40);
	snprintf(first, sizeof(first), "%s", served(4, "web.docker", 40));
	assert_string_equal(first, "xxxxxxxxxxxxxxxxxxxx----------xxxxxxxxxx");
	count_one(4, "web.docker", 40);
	assert_string_equal(served(4, "web.docker", 40), first);
}

/* Whoever goes leaves no gap, however far the turn is. */
static void as_many_as_fit_whoever_goes(void **state)
{
	(void)state;
	count_one(4, "web.docker", 64);
	crowds_turn(crowds);
	for (size_t left = 64; left > 30; left--) {
		count_one(4, "web.docker", left);
		assert_int_equal(number(served(4, "web.docker", left)), 30);
		crowds_turn(crowds);
	}
	count_one(4, "web.docker", 29);
	assert_int_equal(number(served(4, "web.docker", 29)), 29);
}

static void families_and_names_are_counted_each_by_itself(void **state)
{
	(void)state;
	crowds_begin(crowds);
	count(4, "web.docker", 20);
	count(6, "web.docker", 20);
	count(4, "www.docker", 31);
	crowds_counted(crowds, domains, 2);
	assert_int_equal(crowds_over(crowds), 2);
	assert_int_equal(number(served(4, "web.docker", 20)), 20);
	assert_int_equal(number(served(6, "web.docker", 20)), 17);
	assert_int_equal(number(served(4, "www.docker", 31)), 30);
}

static void an_authority_says_more_and_below_a_longer_domain_more_yet(void **state)
{
	struct crowd crowd;

	(void)state;
	crowds_set_besides(crowds, 38);
	crowds_begin(crowds);
	count(4, "web.docker", 40);
	count(4, "web.containers.example", 40);
	crowds_counted(crowds, domains, 2);
	assert_true(crowds_find(crowds, 4, "web.docker", &crowd));
	assert_int_equal(crowd.room, 27);
	assert_int_equal(crowd.count, 40);
	assert_true(crowds_find(crowds, 4, "web.containers.example", &crowd));
	/* 512 - 12 - 24 - 4 - (38 + 12) are 422 bytes, of 16 each. */
	assert_int_equal(crowd.room, 26);
	assert_false(crowds_find(crowds, 6, "web.docker", &crowd));
	crowds_set_besides(crowds, CROWDS_ENDLESS);
	count_one(4, "web.docker", 40);
	assert_false(crowds_find(crowds, 4, "web.docker", &crowd));
	assert_int_equal(number(served(4, "web.docker", 40)), 40);
}

static char news[256];

static void note(void *arg, const struct crowd *crowd, bool over)
{
	size_t used = strlen(news);

	(void)arg;
	snprintf(news + used, sizeof(news) - used, "%s %u %zu %zu %s\n", crowd->name, crowd->family, crowd->count, crowd->room,
	         over ? "over" : "fits");
}

static const char *news_of(size_t addresses)
{
	count_one(4, "web.docker", addresses);
	news[0] = '\0';
	crowds_news(crowds, note, NULL);
	return news;
}

static void it_is_said_once(void **state)
{
	(void)state;
	assert_string_equal(news_of(30), "");
	assert_string_equal(news_of(31), "web.docker 4 31 30 over\n");
	assert_string_equal(news_of(32), "");
	/* One that comes and goes at the bound. */
	assert_string_equal(news_of(30), "");
	assert_string_equal(news_of(31), "");
	assert_string_equal(news_of(20), "web.docker 4 20 30 fits\n");
	assert_string_equal(news_of(20), "");
	assert_string_equal(news_of(31), "web.docker 4 31 30 over\n");
	assert_string_equal(news_of(0), "");
	assert_int_equal(crowds_over(crowds), 0);
}

static void a_name_that_is_none_is_served(void **state)
{
	char name[1024];

	(void)state;
	memset(name, 'a', sizeof(name));
	crowds_begin(crowds);
	crowds_count(crowds, 4, name, sizeof(name));
	crowds_counted(crowds, domains, 2);
	assert_true(crowds_serve(crowds, 4, name, sizeof(name)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_crowds, close_crowds)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(room_is_what_512_bytes_leave),
		TEST(what_fits_is_served_whole),
		TEST(each_has_its_turn),
		TEST(without_a_turn_the_same_are_served),
		TEST(as_many_as_fit_whoever_goes),
		TEST(families_and_names_are_counted_each_by_itself),
		TEST(an_authority_says_more_and_below_a_longer_domain_more_yet),
		TEST(it_is_said_once),
		TEST(a_name_that_is_none_is_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
