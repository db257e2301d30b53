#include <config.h>

#include "host/sinks/zone/conf.h"
#include "host/sinks/zone/key.h"
#include "host/sinks/zone/message.h"
#include "host/sinks/zone/name.h"
#include "host/sinks/zone/records.h"

#include <string.h>

#include "tests/unit/hostkit.h"

/* The pure parts of the sink that keeps a zone: names, keys, records, messages. */

static void names_go_to_wire_and_back(void **state)
{
	static const char *const good[] = {"docker", "a.b.c", "_callsign.web.docker", "*.web.docker", "_callsign.*.web.docker", "_http._tcp.web.docker", "4.0.18.198.in-addr.arpa"};
	static const char *const bad[] = {"", ".", "a..b", ".a", "a."};
	uint8_t wire[ZONE_NAME_WIRE_MAX];
	char text[ZONE_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		size_t length = zone_name_to_wire(good[i], wire);

		assert_int_equal(length, strlen(good[i]) + 2);
		assert_int_equal(zone_name_from_wire(wire, length, text), 0);
		assert_string_equal(text, good[i]);
		assert_int_equal(zone_name_from_wire(wire, length - 1, text), -1);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(zone_name_to_wire(bad[i], wire), 0);
	assert_int_equal(zone_name_from_wire((const uint8_t *)"\3WEB\6Docker", 12, text), 0);
	assert_string_equal(text, "web.docker");
	assert_int_equal(zone_name_from_wire((const uint8_t *)"\3a*b", 5, text), -1);
	assert_int_equal(zone_name_from_wire((const uint8_t *)"\2**", 4, text), -1);
	assert_int_equal(zone_name_from_wire((const uint8_t *)"\1a\1*\1b", 7, text), -1);
	assert_int_equal(zone_name_from_wire((const uint8_t *)"\300\14", 2, text), -1);
	assert_int_equal(zone_name_from_wire((const uint8_t *)"", 1, text), -1);
}

static void a_name_of_full_length_has_room_and_one_more_has_not(void **state)
{
	char name[ZONE_NAME_SIZE + 1], out[ZONE_NAME_SIZE];
	uint8_t wire[ZONE_NAME_WIRE_MAX];

	(void)state;
	for (int i = 0; i < ZONE_NAME_SIZE; i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	name[253] = '\0';
	assert_int_equal(zone_name_to_wire(name, wire), 255);
	assert_int_equal(zone_name_from_wire(wire, 255, out), 0);
	assert_string_equal(out, name);
	assert_int_equal(zone_name_join("x", name, out), -1);
}

static void zones_hold_themselves_and_what_is_below(void **state)
{
	(void)state;
	assert_true(zone_name_within("web.docker", "docker"));
	assert_true(zone_name_within("docker", "docker"));
	assert_false(zone_name_within("webdocker", "docker"));
	assert_false(zone_name_within("ocker", "docker"));
	assert_string_equal(zone_name_owned("_callsign.web.docker"), "web.docker");
	assert_null(zone_name_owned("_callsign"));
	assert_null(zone_name_owned("_callsigns.web"));
}

static void addresses_have_reverse_names(void **state)
{
	static const char *const reverse[] = {"in-addr.arpa", "17.172.in-addr.arpa", "0.18.198.in-addr.arpa", "ip6.arpa", "d.f.ip6.arpa"};
	static const char *const forward[] = {"docker", "x.in-addr.arpa", "1720.in-addr.arpa", ".in-addr.arpa", "0-127.0.10.in-addr.arpa", "fd.ip6.arpa",
	                                      "g.ip6.arpa", "17..172.in-addr.arpa", "in-addr.arpa.docker"};
	struct address address;
	char out[ZONE_NAME_SIZE];

	(void)state;
	assert_int_equal(address_parse("198.18.0.4", 10, &address), 0);
	zone_name_reverse(&address, out);
	assert_string_equal(out, "4.0.18.198.in-addr.arpa");
	assert_int_equal(address_parse("fd00::12", 8, &address), 0);
	zone_name_reverse(&address, out);
	assert_string_equal(out, "2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa");
	for (size_t i = 0; i < sizeof reverse / sizeof reverse[0]; i++)
		assert_true(zone_name_is_reverse(reverse[i]));
	for (size_t i = 0; i < sizeof forward / sizeof forward[0]; i++)
		assert_false(zone_name_is_reverse(forward[i]));
}

/* ---- keys ---- */

#define SECRET "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"

static const char *parse_key(const char *text, const char *name, const char *algorithm, struct zone_key *key)
{
	static char error[ZONE_KEY_ERROR_SIZE];
	size_t length = strlen(text);
	char *exact = malloc(length + 1);
	int result;

	assert_non_null(exact);
	memcpy(exact, text, length);
	result = zone_key_parse(exact, length, name, algorithm, key, error);
	free(exact);
	return result == 0 ? NULL : error;
}

static void keys_are_read_as_a_secret_alone_or_as_bind_writes_them(void **state)
{
	static const char *const same[] = {
		"key \"callsign\" {\n\talgorithm hmac-sha256;\n\tsecret \"" SECRET "\";\n};\n",
		"// made by hand\nkey callsign. { secret " SECRET "; # here\n algorithm HMAC-SHA256; }",
	};
	struct zone_key key;

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		assert_null(parse_key(same[i], NULL, NULL, &key));
		assert_string_equal(key.name, "callsign");
		assert_string_equal(key.algorithm, "hmac-sha256");
		assert_string_equal(key.secret, SECRET);
		zone_key_clear(&key);
	}
	assert_null(parse_key(SECRET "\n", "Other.Key.", "hmac-sha512", &key));
	assert_string_equal(key.name, "other.key");
	assert_string_equal(key.algorithm, "hmac-sha512");
	zone_key_clear(&key);
}

static void broken_keys_are_refused_with_a_reason(void **state)
{
	static const char *const bad[] = {
		"", "\n", "key", "key \"a\"", "key \"a\" {", "key \"a\" { secret \"" SECRET "\"; ", "key \"a\" { secret \"short\"; };",
		"key \"a\" { algorithm hmac-md5; secret \"" SECRET "\"; };", "key \"a\" { secret \"" SECRET "\"; secret \"" SECRET "\"; };",
		"key \"a\" { secret \"" SECRET "\"; }; key \"b\" { };", "not base64 at all", SECRET, "key \"a b\" { secret \"" SECRET "\"; };",
	};
	struct zone_key key;
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		error = parse_key(bad[i], NULL, NULL, &key);
		assert_non_null(error);
		assert_true(error[0] != '\0');
		assert_null(strstr(error, SECRET));
		assert_null(key.secret);
	}
	assert_non_null(strstr(parse_key("key \"a\" { secret \"" SECRET "\"; };", "b", NULL, &key), "\"a\""));
	assert_non_null(parse_key("key \"a\" { algorithm hmac-sha256; secret \"" SECRET "\"; };", NULL, "hmac-sha512", &key));
}

static void a_server_is_an_address_with_a_port_or_without(void **state)
{
	static const char *const bad[] = {"", "ns.example", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "[127.0.0.1]:53", "fd00::1:x", "[fd00::1]53",
	                                  "0.0.0.0", "[::]:53", "127.0.0.1:053"};
	struct address address;
	uint16_t port;

	(void)state;
	assert_int_equal(zone_conf_parse_server("127.0.0.1", &address, &port), 0);
	assert_int_equal(port, 53);
	assert_int_equal(zone_conf_parse_server("127.0.0.1:5353", &address, &port), 0);
	assert_int_equal(port, 5353);
	assert_int_equal(zone_conf_parse_server("fd00::1", &address, &port), 0);
	assert_int_equal(port, 53);
	assert_int_equal(zone_conf_parse_server("[fd00::1]:54", &address, &port), 0);
	assert_int_equal(port, 54);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(zone_conf_parse_server(bad[i], &address, &port), -1);
}

/* ---- records ---- */

struct collected {
	char text[2048];
	const char *foreign[2];
};

static bool is_foreign(void *arg, const char *fqdn)
{
	const struct collected *all = arg;

	for (size_t i = 0; i < 2; i++)
		if (all->foreign[i] != NULL && strcmp(all->foreign[i], fqdn) == 0)
			return true;
	return false;
}

static int collect(void *arg, const char *name, uint16_t type, const uint8_t *data, size_t length)
{
	struct collected *all = arg;
	char line[512];
	size_t used = (size_t)snprintf(line, sizeof line, "%s %u ", name, type);

	if (type == ZONE_A)
		used += (size_t)snprintf(line + used, sizeof line - used, "%u.%u.%u.%u", data[0], data[1], data[2], data[3]);
	else if (type == ZONE_TXT)
		for (size_t at = 0; at < length; at += 1U + data[at])
			used += (size_t)snprintf(line + used, sizeof line - used, "[%.*s]", data[at], (const char *)&data[at + 1]);
	else if (type == ZONE_SRV || type == ZONE_PTR) {
		char target[ZONE_NAME_SIZE];
		size_t skip = type == ZONE_SRV ? 6 : 0;

		assert_int_equal(zone_name_from_wire(data + skip, length - skip, target), 0);
		if (type == ZONE_SRV)
			used += (size_t)snprintf(line + used, sizeof line - used, "%u %u %u ", data[0] << 8 | data[1], data[2] << 8 | data[3],
			                         data[4] << 8 | data[5]);
		snprintf(line + used, sizeof line - used, "%s", target);
	}
	assert_true(strlen(all->text) + strlen(line) + 2 < sizeof all->text);
	strncat(all->text, line, sizeof all->text - strlen(all->text) - 2);
	strncat(all->text, "\n", 2);
	return 0;
}

static void a_listing_becomes_addresses_services_and_pointers(void **state)
{
	static const struct announcement_port ports[] = {{.name = "http", .port = 8080}, {.name = "metrics", .port = 9100}};
	struct policy_domain domains[] = {{.name = (char[]){"docker"}}, {.name = (char[]){"other"}}};
	struct policy policy = {.domains = domains, .ndomains = 2};
	const struct address addresses[] = {{4, {198, 18, 0, 4}}, {4, {198, 18, 0, 5}}};
	const char *const aliases[] = {"www", "hidden"};
	struct fact fact = {.name = "web", .naddresses = 2, .addresses = addresses, .naliases = 2, .aliases = aliases, .nports = 2, .ports = ports};
	struct listing listing = {.fact = &fact, .names = 3, .addresses = 1};
	struct collected all = {.text = ""};
	struct zone_writer docker = {.zone = "docker", .emit = collect, .foreign = is_foreign, .arg = &all};
	struct zone_writer wildcard = {.zone = "docker", .wildcard = true, .emit = collect, .foreign = is_foreign, .arg = &all};
	struct zone_writer other = {.zone = "other", .emit = collect, .foreign = is_foreign, .arg = &all};

	(void)state;
	assert_int_equal(zone_records(&policy, &listing, &docker), 0);
	assert_string_equal(all.text, "web.docker 1 198.18.0.4\n"
	                              "web.docker 16 [http=8080][metrics=9100]\n"
	                              "_http._tcp.web.docker 33 0 1 8080 web.docker\n"
	                              "_metrics._tcp.web.docker 33 0 1 9100 web.docker\n"
	                              "4.0.18.198.in-addr.arpa 12 web.docker\n"
	                              "www.docker 1 198.18.0.4\n"
	                              "www.docker 16 [http=8080][metrics=9100]\n"
	                              "_http._tcp.www.docker 33 0 1 8080 web.docker\n"
	                              "_metrics._tcp.www.docker 33 0 1 9100 web.docker\n");
	all.text[0] = '\0';
	listing.names = 1;
	assert_int_equal(zone_records(&policy, &listing, &wildcard), 0);
	assert_string_equal(all.text, "web.docker 1 198.18.0.4\n"
	                              "*.web.docker 1 198.18.0.4\n"
	                              "web.docker 16 [http=8080][metrics=9100]\n"
	                              "_http._tcp.web.docker 33 0 1 8080 web.docker\n"
	                              "_metrics._tcp.web.docker 33 0 1 9100 web.docker\n"
	                              "4.0.18.198.in-addr.arpa 12 web.docker\n");
	listing.names = 3;
	all.text[0] = '\0';
	assert_int_equal(zone_records(&policy, &listing, &other), 0);
	assert_string_equal(all.text, "");
	listing.addresses = 0;
	assert_int_equal(zone_records(&policy, &listing, &docker), 0);
	assert_string_equal(all.text, "");
}

/* What belongs to a name goes with it elsewhere (table.h): addresses and services of a name of others are written as if it were ours. */
static void nothing_leads_to_a_name_of_others(void **state)
{
	static const struct announcement_port ports[] = {{.name = "http", .port = 8080}};
	struct policy_domain domains[] = {{.name = (char[]){"docker"}}};
	struct policy policy = {.domains = domains, .ndomains = 1};
	const struct address addresses[] = {{4, {198, 18, 0, 4}}};
	const char *const aliases[] = {"www"};
	struct fact fact = {.name = "web", .naddresses = 1, .addresses = addresses, .naliases = 1, .aliases = aliases, .nports = 1, .ports = ports};
	struct listing listing = {.fact = &fact, .names = 3, .addresses = 1};
	struct collected all = {.foreign = {"web.docker"}};
	struct zone_writer writer = {.zone = "docker", .emit = collect, .foreign = is_foreign, .arg = &all};
	char name[HOSTNAME_NAME_SIZE];
	uint64_t lead;

	(void)state;
	assert_int_equal(zone_records(&policy, &listing, &writer), 0);
	assert_string_equal(all.text, "web.docker 1 198.18.0.4\n"
	                              "web.docker 16 [http=8080]\n"
	                              "_http._tcp.web.docker 33 0 1 8080 web.docker\n"
	                              "www.docker 1 198.18.0.4\n"
	                              "www.docker 16 [http=8080]\n"
	                              "_http._tcp.www.docker 33 0 1 8080 www.docker\n"
	                              "4.0.18.198.in-addr.arpa 12 www.docker\n");
	/* What makes no difference is not one. */
	lead = zone_records_lead(&policy, &listing, &writer);
	all = (struct collected){.foreign = {"www.docker"}};
	assert_int_not_equal(zone_records_lead(&policy, &listing, &writer), lead);
	lead = zone_records_lead(&policy, &listing, &writer);
	all = (struct collected){.text = ""};
	assert_int_equal(zone_records_lead(&policy, &listing, &writer), lead);
	all = (struct collected){.foreign = {"web.docker", "www.docker"}};
	assert_int_not_equal(zone_records_lead(&policy, &listing, &writer), lead);
	assert_int_equal(zone_records(&policy, &listing, &writer), 0);
	assert_null(strstr(all.text, "in-addr.arpa"));
	/* Nor to one that is too long for its owner's record, and so is not written. */
	all = (struct collected){.text = ""};
	memset(name, 'a', sizeof name);
	for (size_t i = 63; i < HOSTNAME_NAME_SIZE; i += 64)
		name[i] = '.';
	name[HOSTNAME_NAME_SIZE - 1] = '\0';
	fact.name = name;
	writer.zone = domains[0].name = (char[]){"a-domain-in-which-that-name-has-just-enough-room"};
	assert_int_equal(zone_records(&policy, &listing, &writer), 0);
	assert_null(strstr(all.text, "aaa"));
	assert_non_null(strstr(all.text, " 33 0 1 8080 www.a-domain"));
	assert_non_null(strstr(all.text, "in-addr.arpa 12 www.a-domain"));
}

/* ---- messages ---- */

static struct zone_key test_key(void)
{
	struct zone_key key;

	assert_null(parse_key(SECRET, "callsign", NULL, &key));
	return key;
}

static void an_update_has_its_conditions_and_its_changes(void **state)
{
	static const uint8_t owner[] = "\5owner", address[4] = {198, 18, 0, 4};
	struct zone_table *table = zone_table_new();
	struct zone_marks marks = {.count = 1, .list = {{"\5owner", 6}}};
	struct zone_key key = test_key();
	struct zone_update *update;
	struct zone_proof proof;
	struct zone_wish wish;
	struct zone_node *node;
	size_t length;
	uint8_t *wire;
	bool solo;

	(void)state;
	zone_table_want(table, "web.docker", ZONE_A, address, 4, &wish);
	node = zone_table_take(table, &solo);
	update = zone_update_new("docker", &marks, owner, 6, 5);
	assert_non_null(update);
	assert_int_equal(zone_update_add(update, node), 0);
	wire = zone_update_finish(update, &key, 0x1234, &length, &proof);
	assert_non_null(wire);
	/* Header: id, UPDATE; one zone, three conditions (the mark, the name and its owner not there), two changes, one signature. */
	assert_memory_equal(wire, "\x12\x34\x28\x00\0\1\0\3\0\2\0\1", 12);
	assert_memory_equal(wire + 12, "\6docker\0\0\6\0\1", 12);
	assert_int_equal(proof.mac_length, 32);
	free(wire);
	zone_update_free(update);
	zone_table_put_back(table, node);
	zone_table_free(table);
	zone_key_clear(&key);
}

/* Our own request, turned into an answer: the signature is right for a request, and no answer's. */
static void what_is_not_signed_for_us_is_no_answer(void **state)
{
	struct zone_key key = test_key();
	struct zone_proof proof;
	struct zone_answer answer;
	uint8_t *wire;
	size_t length;

	(void)state;
	wire = zone_message_question("docker", ZONE_SOA, &key, 7, &length, &proof);
	assert_non_null(wire);
	assert_int_equal(zone_message_answer(wire, length, &key, &proof, NULL, NULL, &answer), ZONE_ANSWER_OTHER);
	wire[2] |= 0x80;
	assert_int_equal(zone_message_answer(wire, length, &key, &proof, NULL, NULL, &answer), ZONE_ANSWER_BROKEN);
	assert_false(answer.is_signed);
	assert_string_not_equal(answer.error, "");
	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *exact = malloc(cut + 1);

		memcpy(exact, wire, cut);
		assert_int_not_equal(zone_message_answer(exact, cut, &key, &proof, NULL, NULL, &answer), ZONE_ANSWER_TAKEN);
		free(exact);
	}
	/* Unsigned altogether: the bare header and question. */
	wire[10] = wire[11] = 0;
	assert_int_equal(zone_message_answer(wire, 12 + 12, &key, &proof, NULL, NULL, &answer), ZONE_ANSWER_BROKEN);
	assert_non_null(strstr(answer.error, "not signed"));
	/* A refusal without a signature: its code is what tells the operator more. */
	wire[3] = (uint8_t)((wire[3] & 0xf0) | ZONE_REFUSED);
	assert_int_equal(zone_message_answer(wire, 12 + 12, &key, &proof, NULL, NULL, &answer), ZONE_ANSWER_BROKEN);
	assert_non_null(strstr(answer.error, "REFUSED"));
	assert_null(strstr(answer.error, "not signed"));
	free(wire);
	zone_key_clear(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_to_wire_and_back),
		cmocka_unit_test(a_name_of_full_length_has_room_and_one_more_has_not),
		cmocka_unit_test(zones_hold_themselves_and_what_is_below),
		cmocka_unit_test(addresses_have_reverse_names),
		cmocka_unit_test(keys_are_read_as_a_secret_alone_or_as_bind_writes_them),
		cmocka_unit_test(broken_keys_are_refused_with_a_reason),
		cmocka_unit_test(a_server_is_an_address_with_a_port_or_without),
		cmocka_unit_test(a_listing_becomes_addresses_services_and_pointers),
		cmocka_unit_test(nothing_leads_to_a_name_of_others),
		cmocka_unit_test(an_update_has_its_conditions_and_its_changes),
		cmocka_unit_test(what_is_not_signed_for_us_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
