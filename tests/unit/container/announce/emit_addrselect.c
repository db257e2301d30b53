#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "container/announce/addrselect.h"

static struct address parse(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, strlen(text), &address), 0);
	return address;
}

static struct addrselect_link links[] = {
	{.index = 1, .name = "lo", .up = true, .mtu = 65536, .far_end = ADDRSELECT_NO_FAR_END},
	{.index = 2, .name = "eth0", .up = true, .mtu = 1500, .far_end = 0},
	{.index = 3, .name = "eth1", .up = true, .mtu = 1500, .far_end = 0},
	{.index = 4, .name = "off0", .up = false, .mtu = 1500, .far_end = 0},
};
static struct addrselect_address list[32];
static struct addrselect_facts facts = {.links = links, .nlinks = 4, .addresses = list};

static struct addrselect_address *have(unsigned link, const char *text)
{
	struct addrselect_address *address = &list[facts.naddresses++];

	memset(address, 0, sizeof(*address));
	address->link = link;
	address->address = parse(text);
	return address;
}

static int empty(void **state)
{
	(void)state;
	facts.naddresses = 0;
	facts.default_link = 2;
	have(1, "127.0.0.1");
	have(1, "::1");
	return 0;
}

static void expect(const struct addrselect_wish *wish, const char *connection, const char *const wanted[])
{
	static const struct addrselect_wish none;
	struct address out[ANNOUNCEMENT_ADDRESSES_MAX], from;
	unsigned i, count;
	char text[ADDRESS_TEXT_SIZE];

	if (connection != NULL)
		from = parse(connection);
	count = addrselect(&facts, wish != NULL ? wish : &none, connection != NULL ? &from : NULL, out);
	for (i = 0; i < count; i++) {
		assert_non_null(wanted[i]);
		assert_string_equal(address_format(&out[i], text), wanted[i]);
	}
	assert_null(wanted[count]);
}

#define LIST(...) (const char *const[]){__VA_ARGS__, NULL}
#define NOTHING (const char *const[]){NULL}

static void connection_and_the_other_family(void **state)
{
	(void)state;
	have(3, "10.0.0.1");
	have(2, "fe80::1");
	have(2, "fd00::2");
	have(2, "172.17.0.2");
	have(2, "172.17.0.1");
	expect(NULL, "172.17.0.2", LIST("172.17.0.2", "fd00::2"));
	expect(NULL, "fd00::2", LIST("172.17.0.1", "fd00::2"));
	expect(NULL, "10.0.0.1", LIST("10.0.0.1"));
}

static void before_the_facts_are_there_the_connection_stands(void **state)
{
	(void)state;
	facts.naddresses = 0;
	expect(NULL, "172.17.0.2", LIST("172.17.0.2"));
	expect(NULL, "127.0.0.1", NOTHING);
	expect(NULL, "fe80::1", NOTHING);
	expect(NULL, NULL, NOTHING);
}

static void loopback_means_the_default_route(void **state)
{
	(void)state;
	have(3, "10.0.0.1");
	have(2, "2001:db8::5");
	have(2, "192.0.2.7");
	expect(NULL, "127.0.0.1", LIST("192.0.2.7", "2001:db8::5"));
	expect(NULL, "::1", LIST("192.0.2.7", "2001:db8::5"));
	facts.default_link = 0;
	expect(NULL, "127.0.0.1", NOTHING);
}

static void temporary_and_unsettled_ones_give_way(void **state)
{
	(void)state;
	have(2, "172.17.0.2");
	have(2, "2001:db8::1")->lesser = true;
	have(2, "2001:db8::2");
	have(2, "2001:db8::3")->unsettled = true;
	expect(NULL, "172.17.0.2", LIST("172.17.0.2", "2001:db8::2"));
	/* The kernel likes to connect from the temporary one. */
	expect(NULL, "2001:db8::1", LIST("172.17.0.2", "2001:db8::2"));
	facts.naddresses -= 2;
	expect(NULL, "172.17.0.2", LIST("172.17.0.2", "2001:db8::1"));
	facts.naddresses--;
	have(2, "2001:db8::3")->unsettled = true;
	expect(NULL, "172.17.0.2", LIST("172.17.0.2"));
}

static void a_temporary_one_waits_for_the_stable_one_that_is_tentative(void **state)
{
	struct addrselect_wish wish = {.interfaces = {"eth0"}, .ninterfaces = 1};
	struct addrselect_address *stable, *local;

	(void)state;
	have(2, "172.17.0.2");
	local = have(2, "fe80::1");
	local->pending = local->unsettled = true; /* never announced: not waited for */
	list[facts.naddresses++] = (struct addrselect_address){
		.link = 2, .address = parse("2001:db8::1"), .lesser = true, .temporary = true};
	expect(NULL, "172.17.0.2", LIST("172.17.0.2", "2001:db8::1"));
	stable = have(2, "2001:db8::2");
	stable->pending = stable->unsettled = true;
	expect(NULL, "172.17.0.2", LIST("172.17.0.2"));
	expect(NULL, "2001:db8::1", LIST("172.17.0.2"));
	expect(&wish, NULL, LIST("172.17.0.2"));
	stable->pending = false; /* somebody else has it */
	expect(NULL, "172.17.0.2", LIST("172.17.0.2", "2001:db8::1"));
	stable->unsettled = false;
	expect(NULL, "172.17.0.2", LIST("172.17.0.2", "2001:db8::2"));
	/* One that is deprecated was announced before: it stays until the next is ready. */
	stable->lesser = true;
	list[facts.naddresses++] = (struct addrselect_address){
		.link = 2, .address = parse("2001:db8::3"), .pending = true, .unsettled = true};
	expect(NULL, "172.17.0.2", LIST("172.17.0.2", "2001:db8::2"));
}

static void global_before_unique_local(void **state)
{
	(void)state;
	have(2, "172.17.0.2");
	have(2, "fd00::1");
	have(2, "2001:db8::1");
	expect(NULL, "172.17.0.2", LIST("172.17.0.2", "2001:db8::1"));
}

static void interfaces_in_their_order_families_apart(void **state)
{
	struct addrselect_wish wish = {.interfaces = {"eth1", "eth0", "off0"}, .ninterfaces = 3};

	(void)state;
	have(2, "172.17.0.9");
	have(2, "172.17.0.2");
	have(2, "2001:db8::2");
	have(2, "2001:db8::9")->lesser = true;
	have(3, "192.0.2.1");
	have(3, "2001:db8:1::9")->lesser = true;
	have(4, "192.0.2.99");
	expect(&wish, "172.17.0.2", LIST("192.0.2.1", "172.17.0.2", "172.17.0.9", "2001:db8:1::9", "2001:db8::2"));
	expect(&wish, NULL, LIST("192.0.2.1", "172.17.0.2", "172.17.0.9", "2001:db8:1::9", "2001:db8::2"));
}

static void subnets_choose_and_narrow(void **state)
{
	struct addrselect_wish wish = {.nsubnets = 1};

	(void)state;
	assert_int_equal(prefix_parse("10.0.0.0/8", strlen("10.0.0.0/8"), &wish.subnets[0]), 0);
	have(2, "172.17.0.2");
	have(2, "10.0.0.1");
	have(3, "10.1.0.1");
	expect(&wish, "172.17.0.2", LIST("10.0.0.1", "10.1.0.1"));
	memcpy(wish.interfaces[0], "eth1", 5);
	wish.ninterfaces = 1;
	expect(&wish, "172.17.0.2", LIST("10.1.0.1"));
}

static void unusable_ones_never(void **state)
{
	struct addrselect_wish wish = {.interfaces = {"lo", "eth0"}, .ninterfaces = 2};

	(void)state;
	have(2, "169.254.3.4");
	have(2, "fe80::7");
	expect(&wish, "127.0.0.1", NOTHING);
}

static void order_of_the_facts_does_not_matter_and_sixteen_are_enough(void **state)
{
	struct addrselect_wish wish = {.interfaces = {"eth0"}, .ninterfaces = 1};
	struct address first[ANNOUNCEMENT_ADDRESSES_MAX], second[ANNOUNCEMENT_ADDRESSES_MAX];
	struct addrselect_address kept;
	size_t i;

	(void)state;
	for (i = 0; i < 20; i++)
		have(2, "10.0.0.0")->address.bytes[3] = (uint8_t)(40 - i);
	assert_int_equal(addrselect(&facts, &wish, NULL, first), ANNOUNCEMENT_ADDRESSES_MAX);
	for (i = 0; i < facts.naddresses / 2; i++) {
		kept = list[i];
		list[i] = list[facts.naddresses - 1 - i];
		list[facts.naddresses - 1 - i] = kept;
	}
	assert_int_equal(addrselect(&facts, &wish, NULL, second), ANNOUNCEMENT_ADDRESSES_MAX);
	assert_memory_equal(first, second, sizeof(first));
	assert_int_equal(first[0].bytes[3], 21);
}

static void what_is_on_an_interface(void **state)
{
	struct address address = parse("198.18.0.2"), other = parse("198.18.0.3"), six = parse("fd00::2");

	(void)state;
	assert_false(addrselect_has(&facts, &address));
	have(2, "198.18.0.2");
	have(2, "fd00::2");
	assert_true(addrselect_has(&facts, &address));
	assert_true(addrselect_has(&facts, &six));
	assert_false(addrselect_has(&facts, &other));
}

/* What is near goes first: it is what a message has room for. */
static void all_of_every_interface(void **state)
{
	struct addrselect_wish wish = {.all = true};

	(void)state;
	have(3, "10.0.0.1");
	have(3, "fd00::3");
	have(2, "172.17.0.2");
	have(2, "169.254.0.1");
	have(4, "192.168.0.1");
	expect(&wish, "172.17.0.2", LIST("172.17.0.2", "10.0.0.1", "fd00::3"));
	expect(&wish, "10.0.0.1", LIST("10.0.0.1", "172.17.0.2", "fd00::3"));
	expect(&wish, NULL, LIST("172.17.0.2", "10.0.0.1", "fd00::3"));
	wish.ninterfaces = 1;
	memcpy(wish.interfaces[0], "eth1", sizeof("eth1"));
	expect(&wish, "172.17.0.2", LIST("10.0.0.1", "fd00::3"));
}

static void the_overlay_and_not_docker_gwbridge(void **state)
{
	struct addrselect_wish all = {.all = true}, subnets = {.nsubnets = 1};

	(void)state;
	assert_int_equal(prefix_parse("172.17.0.0/16", 13, &subnets.subnets[0]), 0);
	have(2, "172.17.0.3"); /* the default route's */
	have(3, "198.19.64.2");
	links[2].mtu = 1450;
	links[2].far_end = 1;
	expect(NULL, "172.17.0.3", LIST("198.19.64.2"));
	expect(NULL, "127.0.0.1", LIST("198.19.64.2"));
	expect(NULL, "198.19.64.2", LIST("198.19.64.2"));
	expect(&all, "172.17.0.3", LIST("198.19.64.2"));
	expect(&subnets, "172.17.0.3", LIST("172.17.0.3"));
	/* A smaller MTU alone is somebody's option; another far end alone a cable between containers. */
	links[2].far_end = 0;
	expect(NULL, "172.17.0.3", LIST("172.17.0.3"));
	links[2].far_end = 1;
	links[2].mtu = 1500;
	expect(NULL, "172.17.0.3", LIST("172.17.0.3"));
	expect(&all, "172.17.0.3", LIST("172.17.0.3", "198.19.64.2"));
	/* The default route is over the overlay: nothing to choose. */
	links[2].mtu = 1450;
	facts.default_link = 3;
	expect(NULL, "172.17.0.3", LIST("172.17.0.3"));
	links[2].mtu = 1500;
	links[2].far_end = 0;
}

static void names_what_there_is_no_room_for(void **state)
{
	struct addrselect_wish wish = {.all = true};
	struct address out[ANNOUNCEMENT_ADDRESSES_MAX], beyond[ADDRSELECT_BEYOND_MAX], from;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	for (unsigned i = 1; i <= 17; i++) {
		snprintf(text, sizeof(text), "10.0.%u.2", i);
		have(3, text);
	}
	have(2, "172.17.0.2");
	have(2, "fd00::2");
	from = parse("172.17.0.2");
	assert_int_equal(addrselect(&facts, &wish, &from, out), ANNOUNCEMENT_ADDRESSES_MAX);
	assert_string_equal(address_format(&out[0], text), "172.17.0.2");
	assert_string_equal(address_format(&out[15], text), "10.0.15.2");
	assert_int_equal(addrselect_beyond(&facts, &wish, &from, beyond), 3);
	assert_string_equal(address_format(&beyond[0], text), "10.0.16.2");
	assert_string_equal(address_format(&beyond[1], text), "10.0.17.2");
	assert_string_equal(address_format(&beyond[2], text), "fd00::2");
	facts.naddresses = 10;
	assert_int_equal(addrselect_beyond(&facts, &wish, &from, beyond), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_on_an_interface, empty),
		cmocka_unit_test_setup(connection_and_the_other_family, empty),
		cmocka_unit_test_setup(before_the_facts_are_there_the_connection_stands, empty),
		cmocka_unit_test_setup(loopback_means_the_default_route, empty),
		cmocka_unit_test_setup(temporary_and_unsettled_ones_give_way, empty),
		cmocka_unit_test_setup(a_temporary_one_waits_for_the_stable_one_that_is_tentative, empty),
		cmocka_unit_test_setup(global_before_unique_local, empty),
		cmocka_unit_test_setup(interfaces_in_their_order_families_apart, empty),
		cmocka_unit_test_setup(subnets_choose_and_narrow, empty),
		cmocka_unit_test_setup(unusable_ones_never, empty),
		cmocka_unit_test_setup(order_of_the_facts_does_not_matter_and_sixteen_are_enough, empty),
		cmocka_unit_test_setup(all_of_every_interface, empty),
		cmocka_unit_test_setup(the_overlay_and_not_docker_gwbridge, empty),
		cmocka_unit_test_setup(names_what_there_is_no_room_for, empty),
	};

	return cmocka_run_group_tests_name("emit_addrselect", tests, NULL, NULL);
}
