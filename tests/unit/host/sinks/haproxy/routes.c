#include <config.h>

#include "host/sinks/haproxy/routes.h"

#include "tests/unit/hostkit.h"

#include <uthash.h>

/*
 * HAProxy's map is played by a table that obeys the commands that routes_write_changes() writes: what is in it
 * afterwards must be what routes_each() says, and in between no number may promise a member that is not there.
 */
#define MAP "/run/callsign/haproxy.map"

struct pair {
	char key[ROUTES_KEY_SIZE];
	char value[ROUTES_VALUE_SIZE];
	UT_hash_handle hh;
};

struct world {
	struct routes *routes;
	struct pair *map;
	char text[4096];
	struct policy policy;
	struct policy_domain domain;
	bool wildcard;
};

static struct pair *find(const struct world *world, const char *key)
{
	struct pair *pair;

	HASH_FIND_STR(world->map, key, pair);
	return pair;
}

static void forget(struct world *world, struct pair *pair)
{
	HASH_DEL(world->map, pair);
	free(pair);
}

static void put(void *arg, const char *key, const char *value)
{
	struct world *world = arg;
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	assert_null(find(world, key)); /* HAProxy would have two */
	snprintf(pair->key, sizeof(pair->key), "%s", key);
	snprintf(pair->value, sizeof(pair->value), "%s", value);
	HASH_ADD_STR(world->map, key, pair);
}

/* Every member that a number promises is there. */
static void check_whole(const struct world *world)
{
	struct pair *pair, *next;
	char key[ROUTES_KEY_SIZE + 32];

	HASH_ITER (hh, world->map, pair, next)
		if (strchr(pair->key, '/') == NULL)
			for (unsigned long i = 0; i < strtoul(pair->value, NULL, 10); i++) {
				snprintf(key, sizeof(key), "%lu/%s", i, pair->key);
				assert_non_null(find(world, key));
			}
}

static void obey(struct world *world, char *line)
{
	char *save, *verb = strtok_r(line, " ", &save), *word = strtok_r(NULL, " ", &save);
	char *map = strtok_r(NULL, " ", &save), *key = strtok_r(NULL, " ", &save), *value = strtok_r(NULL, " ", &save);

	assert_string_equal(word, "map");
	assert_string_equal(map, MAP);
	assert_non_null(key);
	if (strcmp(verb, "add") == 0) {
		put(world, key, value);
	} else if (strcmp(verb, "set") == 0) {
		assert_non_null(find(world, key));
		snprintf(find(world, key)->value, ROUTES_VALUE_SIZE, "%s", value);
	} else {
		assert_string_equal(verb, "del");
		assert_null(value);
		assert_non_null(find(world, key));
		forget(world, find(world, key));
	}
	check_whole(world);
}

static size_t sync(struct world *world)
{
	char *text = NULL, *save, *line;
	size_t length, count, lines = 0;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	count = routes_write_changes(world->routes, MAP, out);
	assert_int_equal(fclose(out), 0);
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save), lines++)
		obey(world, line);
	assert_int_equal(lines, count);
	free(text);
	return count;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
	char *line[2048];
	size_t count;
};

static void add_line(void *arg, const char *key, const char *value)
{
	struct lines *lines = arg;

	assert_true(lines->count < sizeof(lines->line) / sizeof(lines->line[0]));
	assert_true(asprintf(&lines->line[lines->count++], "%s %s", key, value) > 0);
}

static const char *join(struct lines *lines, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	qsort(lines->line, lines->count, sizeof(lines->line[0]), by_text);
	for (size_t i = 0; i < lines->count; i++) {
		if (used < size)
			used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? "; " : "", lines->line[i]);
		free(lines->line[i]);
	}
	return out;
}

/* What HAProxy has, as one sorted text. */
static const char *has(struct world *world)
{
	static struct lines lines;
	struct pair *pair, *next;

	lines.count = 0;
	HASH_ITER (hh, world->map, pair, next)
		add_line(&lines, pair->key, pair->value);
	return join(&lines, world->text, sizeof(world->text));
}

static void check_same(struct world *world)
{
	static struct lines lines;
	static char wanted[65536], got[65536];
	struct pair *pair, *next;

	lines.count = 0;
	routes_each(world->routes, false, add_line, &lines);
	join(&lines, wanted, sizeof(wanted));
	lines.count = 0;
	HASH_ITER (hh, world->map, pair, next)
		add_line(&lines, pair->key, pair->value);
	assert_string_equal(join(&lines, got, sizeof(got)), wanted);
}

static void configure(struct world *world, const char *domain, uint16_t default_port)
{
	free(world->domain.name);
	world->domain.name = strdup(domain);
	world->policy.domains = &world->domain;
	world->policy.ndomains = 1;
	routes_configure(world->routes, &world->policy, default_port, world->wildcard);
}

static void open_world(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->routes = routes_new();
	assert_non_null(world->routes);
	configure(world, "docker", 80);
}

static void clear_map(struct world *world)
{
	struct pair *pair, *next;

	HASH_ITER (hh, world->map, pair, next)
		forget(world, pair);
}

static void close_world(struct world *world)
{
	clear_map(world);
	routes_free(world->routes);
	free(world->domain.name);
}

/* ---- listings ---- */

struct container {
	struct fact fact;
	struct listing listing;
	struct address addresses[2];
	const char *aliases[2];
	struct announcement_port ports[2];
};

static void container_make(struct container *container, unsigned instance, const char *name, unsigned address)
{
	memset(container, 0, sizeof(*container));
	container->fact.instance = kit_instance(instance);
	container->fact.name = name;
	container->addresses[0] = kit_address(address);
	container->fact.addresses = container->addresses;
	container->fact.naddresses = 1;
	container->fact.aliases = container->aliases;
	container->fact.ports = container->ports;
	container->listing = (struct listing){.fact = &container->fact, .names = 1, .addresses = 1};
}

static void container_port(struct container *container, const char *name, uint16_t port)
{
	struct announcement_port *added = &container->ports[container->fact.nports++];

	snprintf(added->name, sizeof(added->name), "%s", name);
	added->port = port;
}

static void container_alias(struct container *container, const char *alias)
{
	container->aliases[container->fact.naliases++] = alias;
	container->listing.names |= UINT64_C(1) << container->fact.naliases;
}

static void say(struct world *world, const struct container *container)
{
	routes_listing(world->routes, &container->listing);
}

static void gone(struct world *world, const struct container *container)
{
	routes_gone(world->routes, &container->fact.instance);
}

/* ---- tests ---- */

static void test_one_container(void **state)
{
	struct world world;
	struct container web;

	(void)state;
	open_world(&world);
	container_make(&web, 1, "web", 7);
	container_port(&web, "http", 9090);
	container_port(&web, "ws", 81);
	say(&world, &web);
	assert_true(routes_changed(world.routes));
	assert_false(routes_changed(world.routes));
	sync(&world);
	assert_string_equal(has(&world), "0/http@web.docker 198.18.0.7:9090; 0/ws@web.docker 198.18.0.7:81; "
					 "http@web.docker 1; ws@web.docker 1");
	say(&world, &web); /* a renewal */
	assert_false(routes_changed(world.routes));
	assert_int_equal(sync(&world), 0);
	close_world(&world);
}

static void test_no_port_is_the_default_one(void **state)
{
	struct world world;
	struct container web;

	(void)state;
	open_world(&world);
	container_make(&web, 1, "web", 7);
	say(&world, &web);
	sync(&world);
	assert_string_equal(has(&world), "0/http@web.docker 198.18.0.7:80; http@web.docker 1");
	configure(&world, "docker", 0);
	say(&world, &web);
	routes_tick(world.routes, 1);
	sync(&world);
	assert_string_equal(has(&world), "http@web.docker 0");
	close_world(&world);
}

static void test_members_and_aliases(void **state)
{
	struct world world;
	struct container a, b, c;

	(void)state;
	open_world(&world);
	container_make(&a, 1, "a", 1);
	container_make(&b, 2, "b", 2);
	container_make(&c, 3, "c", 3);
	container_alias(&a, "all.dev");
	container_alias(&b, "all.dev");
	container_alias(&c, "all.dev");
	a.listing.names = b.listing.names = c.listing.names = 2; /* policy: only the alias */
	say(&world, &a);
	say(&world, &b);
	say(&world, &c);
	sync(&world);
	assert_string_equal(has(&world), "0/http@all.dev.docker 198.18.0.1:80; 1/http@all.dev.docker 198.18.0.2:80; "
					 "2/http@all.dev.docker 198.18.0.3:80; http@all.dev.docker 3");
	gone(&world, &a);
	assert_int_equal(sync(&world), 3); /* the last one moves, the number, the end */
	assert_string_equal(has(&world), "0/http@all.dev.docker 198.18.0.3:80; 1/http@all.dev.docker 198.18.0.2:80; "
					 "http@all.dev.docker 2");
	close_world(&world);
}

static void test_ipv4_first_and_one_member_a_container(void **state)
{
	struct world world;
	struct container web;

	(void)state;
	open_world(&world);
	container_make(&web, 1, "web", 7);
	web.addresses[1] = web.addresses[0];
	assert_int_equal(address_parse("fd00::7", 7, &web.addresses[0]), 0);
	web.fact.naddresses = 2;
	web.listing.addresses = 3;
	say(&world, &web);
	sync(&world);
	assert_string_equal(has(&world), "0/http@web.docker 198.18.0.7:80; http@web.docker 1");
	web.listing.addresses = 1;
	say(&world, &web);
	sync(&world);
	assert_string_equal(has(&world), "0/http@web.docker fd00::7:80; http@web.docker 1");
	close_world(&world);
}

static void test_empty_services_linger(void **state)
{
	struct world world;
	struct container web;

	(void)state;
	open_world(&world);
	container_make(&web, 1, "web", 7);
	say(&world, &web);
	routes_tick(world.routes, 1000);
	assert_true(routes_deadline_ms(world.routes) == CLOCK_NEVER);
	sync(&world);
	gone(&world, &web);
	routes_tick(world.routes, 1000);
	sync(&world);
	assert_string_equal(has(&world), "http@web.docker 0");
	assert_true(routes_deadline_ms(world.routes) == 1000 + ROUTES_LINGER_MS);
	routes_tick(world.routes, 1000 + ROUTES_LINGER_MS - 1);
	assert_int_equal(sync(&world), 0);
	assert_true(routes_changed(world.routes));
	routes_tick(world.routes, 1000 + ROUTES_LINGER_MS);
	assert_true(routes_changed(world.routes));
	sync(&world);
	assert_string_equal(has(&world), "");
	assert_int_equal(routes_services(world.routes), 0);
	close_world(&world);
}

static void test_back_before_its_time_is_over(void **state)
{
	struct world world;
	struct container web;

	(void)state;
	open_world(&world);
	container_make(&web, 1, "web", 7);
	say(&world, &web);
	sync(&world);
	gone(&world, &web);
	routes_tick(world.routes, 1000);
	routes_tick(world.routes, 1000 + ROUTES_LINGER_MS); /* over, but not told yet */
	say(&world, &web);
	routes_tick(world.routes, 1000 + 2 * ROUTES_LINGER_MS);
	sync(&world);
	assert_string_equal(has(&world), "0/http@web.docker 198.18.0.7:80; http@web.docker 1");
	close_world(&world);
}

static void test_whole_and_untold(void **state)
{
	struct world world;
	struct container web;

	(void)state;
	open_world(&world);
	container_make(&web, 1, "web", 7);
	say(&world, &web);
	routes_each(world.routes, true, put, &world);
	assert_int_equal(sync(&world), 0);
	check_same(&world);
	gone(&world, &web);
	routes_tick(world.routes, 1);
	routes_tick(world.routes, 1 + ROUTES_LINGER_MS);
	clear_map(&world); /* HAProxy was restarted meanwhile */
	routes_each(world.routes, true, put, &world);
	assert_string_equal(has(&world), "");
	assert_int_equal(routes_services(world.routes), 0);
	close_world(&world);
}

static void test_configured_anew(void **state)
{
	struct world world;
	struct container web;

	(void)state;
	open_world(&world);
	container_make(&web, 1, "web", 7);
	say(&world, &web);
	sync(&world);
	configure(&world, "lab.example", 8080);
	say(&world, &web);
	routes_tick(world.routes, 1);
	sync(&world);
	assert_string_equal(has(&world),
			    "0/http@web.lab.example 198.18.0.7:8080; http@web.docker 0; http@web.lab.example 1");
	close_world(&world);
}

/* A name that is too long with the domain has no service; neither has a container without an address. */
static void test_what_is_below_a_name(void **state)
{
	struct world world;
	struct container web;
	char name[201];

	(void)state;
	open_world(&world);
	world.wildcard = true;
	configure(&world, "docker", 80);
	container_make(&web, 1, "web", 7);
	say(&world, &web);
	sync(&world);
	assert_string_equal(has(&world), "0/http@*.web.docker 198.18.0.7:80; 0/http@web.docker 198.18.0.7:80; "
					 "http@*.web.docker 1; http@web.docker 1");
	gone(&world, &web);
	sync(&world);
	assert_string_equal(has(&world), "http@*.web.docker 0; http@web.docker 0");
	/* Of the greatest length there is one, and none below it. */
	memset(name, 'a', sizeof(name) - 1);
	name[63] = name[127] = name[191] = '.';
	name[200] = '\0';
	container_make(&web, 2, name, 8);
	say(&world, &web);
	assert_int_equal(routes_services(world.routes), 4);
	close_world(&world);
}

static void test_nothing_to_say(void **state)
{
	struct world world;
	struct container web;
	char domain[HOSTNAME_FQDN_SIZE];

	(void)state;
	open_world(&world);
	memset(domain, 'd', sizeof(domain) - 1);
	domain[sizeof(domain) - 1] = '\0';
	configure(&world, domain, 80);
	container_make(&web, 1, "web", 7);
	say(&world, &web);
	configure(&world, "docker", 80);
	web.listing.addresses = 0;
	say(&world, &web);
	gone(&world, &web);
	sync(&world);
	assert_string_equal(has(&world), "");
	close_world(&world);
}

#define CONTAINERS 12
#define STEPS      20000

/* Whatever happens, and however many changes there are between two conversations with HAProxy. */
static void test_any_history(void **state)
{
	static const char *const names[] = {"a", "b", "c.d", "e"};
	static const char *const ports[] = {"http", "redis", "ws"};
	struct world world;
	struct container container;
	int64_t now_ms = 1000;

	(void)state;
	srandom(7);
	open_world(&world);
	for (int step = 0; step < STEPS; step++) {
		container_make(&container, (unsigned)random() % CONTAINERS, names[random() % 4],
			       1 + (unsigned)random() % 5);
		if (random() % 2)
			container_port(&container, ports[random() % 3], (uint16_t)(1 + random() % 3));
		if (random() % 3 == 0)
			container_alias(&container, "shared");
		if (random() % 4 == 0)
			container.listing.names = (uint64_t)random() & 3;
		if (random() % 3)
			say(&world, &container);
		else
			gone(&world, &container);
		now_ms += random() % 2 ? 10 : random() % 20 ? 0 : ROUTES_LINGER_MS / 2;
		routes_tick(world.routes, now_ms);
		assert_true(routes_deadline_ms(world.routes) > now_ms);
		if (random() % 200 == 0) {
			clear_map(&world);
			routes_each(world.routes, true, put, &world);
		} else if (random() % 3 == 0) {
			sync(&world);
			check_same(&world);
		}
	}
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_container),
		cmocka_unit_test(test_no_port_is_the_default_one),
		cmocka_unit_test(test_members_and_aliases),
		cmocka_unit_test(test_ipv4_first_and_one_member_a_container),
		cmocka_unit_test(test_empty_services_linger),
		cmocka_unit_test(test_back_before_its_time_is_over),
		cmocka_unit_test(test_whole_and_untold),
		cmocka_unit_test(test_configured_anew),
		cmocka_unit_test(test_what_is_below_a_name),
		cmocka_unit_test(test_nothing_to_say),
		cmocka_unit_test(test_any_history),
	};

	return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
