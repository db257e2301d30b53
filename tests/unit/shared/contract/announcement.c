#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "shared/contract/announcement_decode.h"
#include "tests/unit/exact.h"
#include "tests/unit/range.h"

#define INSTANCE "0190a0b0c0d07000800000000000000a"
#define SESSION  "000102030405060708090a0b0c0d0e0f"
#define L63      "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz"

#define SENDER   "\"name\":\"my-cool-host\",\"instance\":\"" INSTANCE "\""
#define UP_BEGIN "{\"v\":1,\"op\":\"up\"," SENDER ",\"session\":\"" SESSION "\",\"seq\":7,"
#define UP_REST  "\"addresses\":[\"172.17.0.2\",\"fd00::2\"],\"aliases\":[\"www\"],\"lease\":360}"
#define UP       UP_BEGIN UP_REST
#define DOWN     "{\"v\":1,\"op\":\"down\"," SENDER ",\"session\":\"" SESSION "\",\"seq\":8}"
#define LOST     "{\"v\":1,\"op\":\"lost\"," SENDER ",\"session\":\"" SESSION "\"}"
#define ROLLCALL "{\"v\":1,\"op\":\"rollcall\",\"host\":\"host-1\",\"nonce\":\"" SESSION "\",\"spread_ms\":500}"
#define ANSWER   "\"name\":\"my-cool-host\",\"fqdn\":\"my-cool-host.docker\",\"host\":\"host-1\""
#define RESOLVES "{\"v\":1,\"op\":\"resolves\"," ANSWER "}"
#define REFUSED  "{\"v\":1,\"op\":\"refused\"," ANSWER ",\"reason\":\"not \\\"yours\\\" \\\\o/\"}"

/* The short way takes nothing that the careful one would not, and nothing otherwise: tried with every body of every test here. */
static void compare_ways(const char *body, size_t length)
{
	static struct announcement plain, any;
	char error[ANNOUNCEMENT_ERROR_SIZE], said[ANNOUNCEMENT_BODY_MAX], again[ANNOUNCEMENT_BODY_MAX];
	int said_length;

	memset(&plain, 0xa5, sizeof(plain));
	memset(&any, 0x5a, sizeof(any));
	if (!announcement_decode_plain(body, length, &plain))
		return;
	assert_int_equal(announcement_decode_any(body, length, &any, error), 0);
	assert_int_equal(plain.op, any.op);
	assert_int_equal(plain.has_session, any.has_session);
	assert_string_equal(plain.agent, any.agent);
	said_length = announcement_encode(&plain, said);
	assert_int_equal(announcement_encode(&any, again), said_length);
	if (said_length > 0)
		assert_memory_equal(said, again, (size_t)said_length);
}

static int decode_bytes(const char *body, size_t length, struct announcement *out, char error[ANNOUNCEMENT_ERROR_SIZE])
{
	char *copy = exact_copy(body, length);
	int result;

	if (length <= ANNOUNCEMENT_BODY_MAX)
		compare_ways(copy, length);
	memset(out, 0xa5, sizeof(*out)); /* what an op does not have is left unset, and must not be looked at */
	result = announcement_decode(copy, length, out, error);
	free(copy);
	return result;
}

static struct announcement decode(const char *body)
{
	char error[ANNOUNCEMENT_ERROR_SIZE] = "";
	struct announcement out;

	if (decode_bytes(body, strlen(body), &out, error) != 0)
		fail_msg("%s: %s", body, error);
	return out;
}

/* An error is for one log line, and for any terminal. */
static void assert_fit_for_a_log(const char *error)
{
	assert_true(strlen(error) > 0);
	for (const char *c = error; *c != '\0'; c++)
		assert_int_in_range(*c, 0x20, 0x7e);
}

/* The body is refused, for a reason that says so with this word. */
static void assert_refused(const char *body, size_t length, const char *word)
{
	char error[ANNOUNCEMENT_ERROR_SIZE] = "";
	struct announcement out;

	if (decode_bytes(body, length, &out, error) != -1)
		fail_msg("taken: %s", body);
	assert_fit_for_a_log(error);
	if (strstr(error, word) == NULL)
		fail_msg("%s\nwas refused with \"%s\", not for \"%s\"", body, error, word);
}

static void decodes_up(void **state)
{
	struct announcement up = decode(UP);
	char text[ADDRESS_TEXT_SIZE], ident[IDENT_TEXT_SIZE];

	(void)state;
	assert_int_equal(up.op, ANNOUNCEMENT_UP);
	assert_string_equal(up.name, "my-cool-host");
	assert_string_equal(ident_format(&up.instance, ident), INSTANCE);
	assert_true(up.has_session);
	assert_string_equal(ident_format(&up.session, ident), SESSION);
	assert_int_equal(up.seq, 7);
	assert_int_equal(up.lease_s, 360);
	assert_int_equal(up.naddresses, 2);
	assert_string_equal(address_format(&up.addresses[0], text), "172.17.0.2");
	assert_string_equal(address_format(&up.addresses[1], text), "fd00::2");
	assert_int_equal(up.naliases, 1);
	assert_string_equal(up.aliases[0], "www");
}

static void decodes_up_of_once(void **state)
{
	struct announcement up =
		decode("{\"v\":1,\"op\":\"up\"," SENDER ",\"seq\":1,\"addresses\":[\"10.0.0.1\"],\"lease\":5}");

	(void)state;
	assert_false(up.has_session);
	assert_int_equal(up.naliases, 0);
	assert_int_equal(up.lease_s, 5);
}

/* Whoever goes through the lists need not ask for the op: neither a key that the op does not have nor the message before leaves anything in them. */
static void what_an_op_does_not_have_is_not_there(void **state)
{
	static const char *const extra = "\"addresses\":[\"198.18.0.2\"],\"aliases\":[\"www\"],\"ports\":{\"http\":80},"
					 "\"place\":\"713c2c7ca61b8e7f/58401abbd3868d16\",\"agent\":\"other 1.0\"}";
	static const char *const bodies[] = {DOWN, LOST, ROLLCALL, RESOLVES, REFUSED};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		char body[1024];
		struct announcement out = decode(bodies[i]);

		for (unsigned with = 0; with < 2; with++) {
			assert_int_equal(out.naddresses, 0);
			assert_int_equal(out.naliases, 0);
			assert_int_equal(out.nports, 0);
			assert_false(place_known(&out.place));
			assert_string_equal(out.agent, "");
			snprintf(body, sizeof(body), "%.*s,%s", (int)strlen(bodies[i]) - 1, bodies[i], extra);
			out = decode(body);
		}
	}
}

static void decodes_the_others(void **state)
{
	struct announcement down = decode(DOWN), once = decode("{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":2}");
	struct announcement lost = decode(LOST), rollcall = decode(ROLLCALL);
	struct announcement resolves = decode(RESOLVES), refused = decode(REFUSED);
	char ident[IDENT_TEXT_SIZE];

	(void)state;
	assert_int_equal(down.op, ANNOUNCEMENT_DOWN);
	assert_int_equal(down.seq, 8);
	assert_string_equal(down.reason, "");
	down = decode("{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":2,\"reason\":\"its check fails\"}");
	assert_string_equal(down.reason, "its check fails");
	assert_true(decode(DOWN).reason[0] == '\0');
	down = decode(DOWN);
	assert_true(down.has_session);
	assert_false(once.has_session);
	assert_int_equal(lost.op, ANNOUNCEMENT_LOST);
	assert_true(lost.has_session);
	assert_string_equal(ident_format(&lost.session, ident), SESSION);
	assert_int_equal(rollcall.op, ANNOUNCEMENT_ROLLCALL);
	assert_string_equal(rollcall.host, "host-1");
	assert_string_equal(ident_format(&rollcall.nonce, ident), SESSION);
	assert_int_equal(rollcall.spread_ms, 500);
	assert_int_equal(resolves.op, ANNOUNCEMENT_RESOLVES);
	assert_string_equal(resolves.fqdn, "my-cool-host.docker");
	assert_string_equal(resolves.host, "host-1");
	assert_int_equal(refused.op, ANNOUNCEMENT_REFUSED);
	assert_string_equal(refused.reason, "not \"yours\" \\o/");
}

/* What our own programs write goes the short way: nearly every message there is. */
static void takes_its_own_the_short_way(void **state)
{
	static const char *const own[] = {UP, DOWN, LOST};
	static const char *const others[] = {ROLLCALL, RESOLVES, "{\"v\":1,\"v\":1,\"op\":\"lost\"," SENDER ",\"session\":\"" SESSION "\"}",
	                                     "{\"v\":1,\"op\":\"lost\"," SENDER ",\"session\":\"" SESSION "\"} ", UP_BEGIN "\"x\":0," UP_REST, "{}", "{", ""};
	static struct announcement out, again;
	char body[ANNOUNCEMENT_BODY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		int length;

		assert_true(announcement_decode_plain(own[i], strlen(own[i]), &out));
		length = announcement_encode(&out, body);
		assert_true(length > 0 && announcement_decode_plain(body, (size_t)length, &again));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(announcement_decode_plain(others[i], strlen(others[i]), &out));
}

static void folds_case(void **state)
{
	struct announcement up =
		decode("{\"v\":1,\"op\":\"up\",\"name\":\"MY-Host\",\"instance\":\"" INSTANCE
		       "\",\"seq\":1,\"addresses\":[\"10.0.0.1\"],\"aliases\":[\"WWW\"],\"lease\":60}");

	(void)state;
	assert_string_equal(up.name, "my-host");
	assert_string_equal(up.aliases[0], "www");
}

static void accepts_the_unusual(void **state)
{
	static const char *const rows[] = {
		" \n\t" DOWN "\r\n ",
		"{\"v\":1,\"op\":\"down\",\"name\":\"123456\",\"instance\":\"" INSTANCE
		"\",\"seq\":9223372036854775807}",
		"{\"v\":1,\"op\":\"down\",\"name\":\"elasticsearch.dev\",\"instance\":\"" INSTANCE "\",\"seq\":1}",
		"{\"v\":1,\"op\":\"d\\u006fwn\"," SENDER ",\"seq\":1}",
		"{\"seq\":1,\"op\":\"down\"," SENDER ",\"v\":1}",
		"{\"v\":1,\"op\":\"down\"," SENDER
		",\"seq\":1,\"ports\":[{\"a\":[null,1.5e3,true]}],\"\":\"\xc3\xbc\"}",
		"{\"v\":1,\"op\":\"rollcall\",\"host\":\"h\",\"nonce\":\"" SESSION "\",\"spread_ms\":0}",
		"{\"v\":1,\"op\":\"rollcall\",\"host\":\"h\",\"nonce\":\"" SESSION "\",\"spread_ms\":600000}",
		"{\"v\":1,\"op\":\"refused\",\"name\":\"a\",\"fqdn\":\"\",\"host\":\"h\",\"reason\":\"\"}",
		"{\"v\":1,\"op\":\"up\"," SENDER
		",\"seq\":1,\"addresses\":[\"10.0.0.1\"],\"aliases\":[],\"lease\":86400}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		decode(rows[i]);
}

#define DOWN_NAMED(name) "{\"v\":1,\"op\":\"down\",\"name\":\"" name "\",\"instance\":\"" INSTANCE "\",\"seq\":1}"
#define UP_WITH(rest)    "{\"v\":1,\"op\":\"up\"," SENDER ",\"seq\":1," rest "}"
#define UP_PORTS(ports)  UP_WITH("\"addresses\":[\"10.0.0.1\"],\"lease\":60,\"ports\":" ports)
#define UP_AGENT(agent)  UP_WITH("\"addresses\":[\"10.0.0.1\"],\"lease\":60,\"agent\":" agent)
#define AGENT_80 "callsign-emit/0.1.0 librabbitmq/0.15.0-1+deb13u2 abcdefghijklmnopqrstuvwxyz01234"
#define UP_PLACE(place)  UP_WITH("\"session\":\"" SESSION "\",\"addresses\":[\"10.0.0.1\"],\"lease\":60,\"place\":" place)
#define REFUSED_FOR(why) "{\"v\":1,\"op\":\"refused\"," ANSWER ",\"reason\":" why "}"

static const struct bad {
	const char *body, *word;
} bad[] = {
	/* not JSON, or not all of it */
	{"", "empty"},
	{" ", "JSON"},
	{"null", "JSON"},
	{"[]", "object"},
	{"[" DOWN "]", "object"},
	{DOWN "x", "JSON"},
	{DOWN DOWN, "JSON"},
	{"172.17.0.2:my-cool-host:up", "JSON"},
	{"\xef\xbb\xbf" DOWN, "JSON"},
	{"{'v':1}", "JSON"},
	{"{\"v\":1,}", "JSON"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":99999999999999999999}", "JSON"},
	/* a key twice, at any depth */
	{"{\"v\":1,\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1}", "duplicate"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"n\\u0061me\":\"other\"}", "duplicate"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"x\":{\"a\":1,\"a\":2}}", "duplicate"},
	/* not UTF-8; NULs */
	{DOWN_NAMED("a\xff"), "JSON"},
	{DOWN_NAMED("a\xc3"), "JSON"},
	{DOWN_NAMED("\xc0\xaf"), "JSON"},
	{DOWN_NAMED("\\ud800"), "JSON"},
	{DOWN_NAMED("a\\u0000"), "JSON"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"a\\u0000\":1}", "JSON"},
	/* v and op */
	{"{}", "'v' is missing"},
	{"{\"v\":2,\"op\":\"down\"," SENDER ",\"seq\":1}", "'v'"},
	{"{\"v\":0,\"op\":\"down\"," SENDER ",\"seq\":1}", "'v'"},
	{"{\"v\":1.0,\"op\":\"down\"," SENDER ",\"seq\":1}", "'v'"},
	{"{\"v\":\"1\",\"op\":\"down\"," SENDER ",\"seq\":1}", "'v'"},
	{"{\"v\":true,\"op\":\"down\"," SENDER ",\"seq\":1}", "'v'"},
	{"{\"v\":1}", "'op' is missing"},
	{"{\"v\":1,\"op\":1}", "'op'"},
	{"{\"v\":1,\"op\":\"\"}", "unknown 'op'"},
	{"{\"v\":1,\"op\":\"UP\"}", "unknown 'op'"},
	{"{\"v\":1,\"op\":\"up \"}", "unknown 'op'"},
	{"{\"v\":1,\"op\":\"renew\"," SENDER "}", "unknown 'op'"},
	{"{\"v\":1,\"op\":\"\\u001b[2J\\n\"}", "\\x1b"},
	/* names */
	{DOWN_NAMED(""), "empty"},
	{DOWN_NAMED("two words"), "letters"},
	{DOWN_NAMED("a\\n10.0.0.1 victim"), "letters"},
	{DOWN_NAMED("a#b"), "letters"},
	{DOWN_NAMED("*"), "letters"},
	{DOWN_NAMED("a/b"), "letters"},
	{DOWN_NAMED("a_b"), "letters"},
	{DOWN_NAMED("b\xc3\xbc"
		    "cher"),
	 "letters"},
	{DOWN_NAMED("-a"), "hyphen"},
	{DOWN_NAMED("a."), "label is empty"},
	{DOWN_NAMED(L63 "a"), "63"},
	{DOWN_NAMED(L63 "." L63 "." L63 ".123456789"), "200"},
	{"{\"v\":1,\"op\":\"down\",\"instance\":\"" INSTANCE "\",\"seq\":1}", "'name' is missing"},
	{"{\"v\":1,\"op\":\"down\",\"name\":null,\"instance\":\"" INSTANCE "\",\"seq\":1}", "'name'"},
	{"{\"v\":1,\"op\":\"down\",\"name\":[\"a\"],\"instance\":\"" INSTANCE "\",\"seq\":1}", "'name'"},
	{"{\"v\":1,\"op\":\"down\",\"Name\":\"a\",\"instance\":\"" INSTANCE "\",\"seq\":1}", "'name' is missing"},
	/* idents */
	{"{\"v\":1,\"op\":\"down\",\"name\":\"a\",\"seq\":1}", "'instance' is missing"},
	{"{\"v\":1,\"op\":\"down\",\"name\":\"a\",\"instance\":\"\",\"seq\":1}", "'instance'"},
	{"{\"v\":1,\"op\":\"down\",\"name\":\"a\",\"instance\":\"0190A0B0C0D07000800000000000000A\",\"seq\":1}",
	 "'instance'"},
	{"{\"v\":1,\"op\":\"down\",\"name\":\"a\",\"instance\":\"" INSTANCE "0\",\"seq\":1}", "'instance'"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"session\":null,\"seq\":1}", "'session'"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"session\":\"\",\"seq\":1}", "'session'"},
	{"{\"v\":1,\"op\":\"lost\"," SENDER "}", "'session' is missing"},
	{"{\"v\":1,\"op\":\"rollcall\",\"host\":\"h\",\"spread_ms\":0}", "'nonce' is missing"},
	/* numbers */
	{"{\"v\":1,\"op\":\"down\"," SENDER "}", "'seq' is missing"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":0}", "'seq'"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":-1}", "'seq'"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":\"1\"}", "'seq'"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1e0}", "'seq'"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":9223372036854775808}", "JSON"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"]"), "'lease' is missing"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"lease\":4"), "'lease'"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"lease\":86401"), "'lease'"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"lease\":4294967356"), "'lease'"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"lease\":60.5"), "'lease'"},
	{"{\"v\":1,\"op\":\"rollcall\",\"host\":\"h\",\"nonce\":\"" SESSION "\"}", "'spread_ms' is missing"},
	{"{\"v\":1,\"op\":\"rollcall\",\"host\":\"h\",\"nonce\":\"" SESSION "\",\"spread_ms\":-1}", "'spread_ms'"},
	{"{\"v\":1,\"op\":\"rollcall\",\"host\":\"h\",\"nonce\":\"" SESSION "\",\"spread_ms\":600001}",
	 "'spread_ms'"},
	/* ports */
	{UP_PORTS("[]"), "'ports' is not an object"},
	{UP_PORTS("null"), "'ports' is not an object"},
	{UP_PORTS("\"http\""), "'ports' is not an object"},
	{UP_PORTS("{\"\":80}"), "empty"},
	{UP_PORTS("{\"abcdefghijklmnop\":80}"), "15"},
	{UP_PORTS("{\"80\":80}"), "no letter"},
	{UP_PORTS("{\"8-0\":80}"), "no letter"},
	{UP_PORTS("{\"-\":80}"), "hyphen"},
	{UP_PORTS("{\"-a\":80}"), "hyphen"},
	{UP_PORTS("{\"a-\":80}"), "hyphen"},
	{UP_PORTS("{\"a--b\":80}"), "two hyphens"},
	{UP_PORTS("{\"a_b\":80}"), "letters"},
	{UP_PORTS("{\"a b\":80}"), "letters"},
	{UP_PORTS("{\"a\\n10.0.0.1\":80}"), "letters"},
	{UP_PORTS("{\"b\xc3\xbc\":80}"), "letters"},
	{UP_PORTS("{\"http\":0}"), "1 to 65535"},
	{UP_PORTS("{\"http\":65536}"), "1 to 65535"},
	{UP_PORTS("{\"http\":-80}"), "1 to 65535"},
	{UP_PORTS("{\"http\":4294967376}"), "1 to 65535"},
	{UP_PORTS("{\"http\":80.0}"), "1 to 65535"},
	{UP_PORTS("{\"http\":\"80\"}"), "1 to 65535"},
	{UP_PORTS("{\"http\":null}"), "1 to 65535"},
	{UP_PORTS("{\"http\":[80]}"), "1 to 65535"},
	{UP_PORTS("{\"http\":80,\"http\":81}"), "duplicate"},
	{UP_PORTS("{\"http\":80,\"HTTP\":80}"), "twice"},
	{UP_PORTS("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,"
		  "\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1}"),
	 "more than 16"},
	{UP_AGENT("null"), "'agent' is not a string"},
	{UP_AGENT("1"), "'agent' is not a string"},
	{UP_AGENT("[]"), "'agent' is not a string"},
	{UP_AGENT("\"\""), "1 to 80 printable"},
	{UP_AGENT("\"a\\u0007b\""), "1 to 80 printable"},
	{UP_AGENT("\"caf\\u00e9\""), "1 to 80 printable"},
	{UP_AGENT("\"" AGENT_80 "x\""), "1 to 80 printable"},
	{UP_AGENT("\"a\",\"agent\":\"b\""), "duplicate"},
	/* place: also where it counts for nothing */
	{UP_PLACE("null"), "'place' is not a string"},
	{UP_PLACE("1"), "'place' is not a string"},
	{UP_PLACE("[]"), "'place' is not a string"},
	{UP_PLACE("{\"host\":1}"), "'place' is not a string"},
	{UP_PLACE("\"\""), "HOST/NETNS"},
	{UP_PLACE("\"0123456789abcdef\""), "HOST/NETNS"},
	{UP_PLACE("\"0123456789abcdef/fedcba987654321\""), "HOST/NETNS"},
	{UP_PLACE("\"0123456789abcdef/fedcba98765432100\""), "HOST/NETNS"},
	{UP_PLACE("\"0123456789ABCDEF/fedcba9876543210\""), "HOST/NETNS"},
	{UP_PLACE("\"0123456789abcdef-fedcba9876543210\""), "HOST/NETNS"},
	{UP_PLACE("\"0123456789abcde /fedcba9876543210\""), "HOST/NETNS"},
	{UP_PLACE("\"0123456789abcdef/fedcba987654321\\n\""), "\\x0a"},
	{UP_PLACE("\"0123456789abcdef/fedcba9876543210\",\"place\":\"0123456789abcdef/fedcba9876543210\""), "duplicate"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"lease\":60,\"place\":\"here\""), "HOST/NETNS"},
	/* addresses */
	{UP_WITH("\"lease\":60"), "'addresses' is missing"},
	{UP_WITH("\"addresses\":[],\"lease\":60"), "empty"},
	{UP_WITH("\"addresses\":\"10.0.0.1\",\"lease\":60"), "array"},
	{UP_WITH("\"addresses\":{\"0\":\"10.0.0.1\"},\"lease\":60"), "array"},
	{UP_WITH("\"addresses\":[1],\"lease\":60"), "not a string"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\",null],\"lease\":60"), "not a string"},
	{UP_WITH("\"addresses\":[\"10.0.0.256\"],\"lease\":60"), "not an IPv4 or IPv6 address"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\\n\"],\"lease\":60"), "\\x0a"},
	{UP_WITH("\"addresses\":[\"10.0.0.1 victim\"],\"lease\":60"), "not an IPv4 or IPv6 address"},
	{UP_WITH("\"addresses\":[\"127.0.0.1\"],\"lease\":60"), "loopback"},
	{UP_WITH("\"addresses\":[\"::1\"],\"lease\":60"), "loopback"},
	{UP_WITH("\"addresses\":[\"169.254.1.1\"],\"lease\":60"), "link-local"},
	{UP_WITH("\"addresses\":[\"fe80::1\"],\"lease\":60"), "link-local"},
	{UP_WITH("\"addresses\":[\"224.0.0.1\"],\"lease\":60"), "multicast"},
	{UP_WITH("\"addresses\":[\"0.0.0.0\"],\"lease\":60"), "this network"},
	{UP_WITH("\"addresses\":[\"255.255.255.255\"],\"lease\":60"), "broadcast"},
	{UP_WITH("\"addresses\":[\"::ffff:10.0.0.1\"],\"lease\":60"), "IPv4-mapped"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\",\"10.0.0.1\"],\"lease\":60"), "twice"},
	{UP_WITH("\"addresses\":[\"fd00::1\",\"FD00:0::1\"],\"lease\":60"), "twice"},
	/* aliases */
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"aliases\":null,\"lease\":60"), "array"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"aliases\":\"www\",\"lease\":60"), "array"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"aliases\":[0],\"lease\":60"), "not a string"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"aliases\":[\"a b\"],\"lease\":60"), "letters"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"aliases\":[\"\"],\"lease\":60"), "empty"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"aliases\":[\"www\",\"WWW\"],\"lease\":60"), "twice"},
	{UP_WITH("\"addresses\":[\"10.0.0.1\"],\"aliases\":[\"My-Cool-Host\"],\"lease\":60"), "name itself"},
	/* answers */
	{"{\"v\":1,\"op\":\"resolves\",\"name\":\"a\",\"host\":\"h\"}", "'fqdn' is missing"},
	{"{\"v\":1,\"op\":\"resolves\",\"name\":\"a\",\"fqdn\":\"\",\"host\":\"h\"}", "'fqdn'"},
	{"{\"v\":1,\"op\":\"resolves\",\"name\":\"a\",\"fqdn\":\"a.docker\"}", "'host' is missing"},
	{"{\"v\":1,\"op\":\"resolves\",\"name\":\"a\",\"fqdn\":\"a.docker\",\"host\":\"h h\"}", "'host'"},
	{"{\"v\":1,\"op\":\"refused\"," ANSWER "}", "'reason' is missing"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"reason\":1}", "'reason'"},
	{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"reason\":\"a\\nb\"}", "'reason'"},
	{REFUSED_FOR("1"), "'reason'"},
	{REFUSED_FOR("\"a\\nb\""), "'reason'"},
	{REFUSED_FOR("\"\xc3\xbc\""), "'reason'"},
};

static void refuses_bad_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_refused(bad[i].body, strlen(bad[i].body), bad[i].word);
}

static void refuses_every_cut(void **state)
{
	static const char *const whole[] = {UP, DOWN, LOST, ROLLCALL, RESOLVES, REFUSED};

	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++)
		for (size_t length = 0; length < strlen(whole[i]); length++)
			assert_refused(whole[i], length, "");
}

static void survives_every_changed_byte(void **state)
{
	static const char bytes[] = {'\0', '"', '\\', '{',  '}',    '[',    ']',   ',',
				     ':',  '9', '-',  '\n', '\x7f', '\x80', '\xff'};
	char body[] = UP;

	(void)state;
	for (size_t i = 0; i < sizeof(body) - 1; i++)
		for (size_t b = 0; b < sizeof(bytes); b++) {
			char error[ANNOUNCEMENT_ERROR_SIZE] = "", kept = body[i];
			struct announcement out;

			body[i] = bytes[b];
			if (decode_bytes(body, sizeof(body) - 1, &out, error) == -1)
				assert_fit_for_a_log(error);
			body[i] = kept;
		}
}

static void keeps_to_the_size_limit(void **state)
{
	char body[ANNOUNCEMENT_BODY_MAX + 2], error[ANNOUNCEMENT_ERROR_SIZE];
	struct announcement out;

	(void)state;
	memset(body, ' ', sizeof(body));
	memcpy(body, DOWN, strlen(DOWN));
	assert_int_equal(decode_bytes(body, ANNOUNCEMENT_BODY_MAX, &out, error), 0);
	body[sizeof(body) - 1] = '\0';
	assert_refused(body, ANNOUNCEMENT_BODY_MAX + 1, "4096");
}

/* unit over and over behind begin, up to the size limit. */
static size_t fill(char body[ANNOUNCEMENT_BODY_MAX], const char *begin, const char *unit, const char *end)
{
	size_t used = strlen(begin), step = strlen(unit), tail = strlen(end);

	memcpy(body, begin, used);
	for (; used + step + tail <= ANNOUNCEMENT_BODY_MAX; used += step)
		memcpy(body + used, unit, step);
	memcpy(body + used, end, tail);
	return used + tail;
}

static void survives_the_deep_and_the_huge(void **state)
{
	static const char *const refused[][3] = {
		{"", "[", ""},
		{"", "{\"\":", ""},
		{"{\"v\":1,\"x\":", "[", ""},
		{"", "\"", ""},
		{"", "\\", ""},
		{"{\"v\":", "1", "}"},
		{"{\"v\":1,\"op\":\"", "u", "\"}"},
		{"{\"v\":1,\"op\":\"down\",\"name\":\"", "a.", "a\",\"instance\":\"" INSTANCE "\",\"seq\":1}"},
		{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"x\":", "[", ""},
	};
	static const char *const ignored[][3] = {
		{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"x\":[{}", ",{}", "]}"}, /* takes the most memory */
		{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"x\":[[]", ",[]", "]}"},
		{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"x\":[1", ",1", "]}"},
		{"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"x\":\"", "y", "\"}"},
	};
	char body[ANNOUNCEMENT_BODY_MAX], error[ANNOUNCEMENT_ERROR_SIZE] = "";
	struct announcement out;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++)
		assert_refused(body, fill(body, refused[i][0], refused[i][1], refused[i][2]), "");
	for (size_t i = 0; i < COUNT(ignored); i++)
		if (decode_bytes(body, fill(body, ignored[i][0], ignored[i][1], ignored[i][2]), &out, error) != 0)
			fail_msg("%s: %s", ignored[i][1], error);
}

static int up_with_counts(unsigned naddresses, unsigned naliases, struct announcement *out)
{
	char body[ANNOUNCEMENT_BODY_MAX], error[ANNOUNCEMENT_ERROR_SIZE];
	int used = snprintf(body, sizeof(body),
			    "{\"v\":1,\"op\":\"up\"," SENDER ",\"seq\":1,\"lease\":60,\"addresses\":[");

	for (unsigned i = 0; i < naddresses; i++)
		used += snprintf(body + used, sizeof(body) - (size_t)used, "%s\"10.0.0.%u\"", i == 0 ? "" : ",", i + 1);
	used += snprintf(body + used, sizeof(body) - (size_t)used, "],\"aliases\":[");
	for (unsigned i = 0; i < naliases; i++)
		used += snprintf(body + used, sizeof(body) - (size_t)used, "%s\"alias-%u\"", i == 0 ? "" : ",", i);
	used += snprintf(body + used, sizeof(body) - (size_t)used, "]}");
	return decode_bytes(body, (size_t)used, out, error);
}

static void keeps_to_the_counts(void **state)
{
	struct announcement up;

	(void)state;
	assert_int_equal(up_with_counts(ANNOUNCEMENT_ADDRESSES_MAX, ANNOUNCEMENT_ALIASES_MAX, &up), 0);
	assert_int_equal(up.naddresses, ANNOUNCEMENT_ADDRESSES_MAX);
	assert_int_equal(up.naliases, ANNOUNCEMENT_ALIASES_MAX);
	assert_string_equal(up.aliases[ANNOUNCEMENT_ALIASES_MAX - 1], "alias-31");
	assert_int_equal(up_with_counts(ANNOUNCEMENT_ADDRESSES_MAX + 1, 0, &up), -1);
	assert_int_equal(up_with_counts(1, ANNOUNCEMENT_ALIASES_MAX + 1, &up), -1);
}

static void limits_the_reason(void **state)
{
	char reason[ANNOUNCEMENT_REASON_MAX + 2], body[1024], error[ANNOUNCEMENT_ERROR_SIZE];
	struct announcement out;
	int length;

	(void)state;
	memset(reason, 'x', sizeof(reason));
	reason[ANNOUNCEMENT_REASON_MAX] = '\0';
	length = snprintf(body, sizeof(body), REFUSED_FOR("\"%s\""), reason);
	assert_int_equal(decode_bytes(body, (size_t)length, &out, error), 0);
	assert_string_equal(out.reason, reason);
	reason[ANNOUNCEMENT_REASON_MAX] = 'x';
	reason[ANNOUNCEMENT_REASON_MAX + 1] = '\0';
	length = snprintf(body, sizeof(body), REFUSED_FOR("\"%s\""), reason);
	assert_refused(body, (size_t)length, "'reason'");
}

/* Compact, and the keys in the order of docs/protocol: what was encoded is, byte for byte, what is written here. */
static void encodes_what_it_decodes(void **state)
{
	static const char *const rows[] = {
		UP,
		DOWN,
		LOST,
		ROLLCALL,
		RESOLVES,
		REFUSED,
		"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":9223372036854775807}",
		"{\"v\":1,\"op\":\"down\"," SENDER ",\"seq\":1,\"reason\":\"its check fails: HTTP status 503\"}",
		"{\"v\":1,\"op\":\"up\"," SENDER ",\"seq\":1,\"addresses\":[\"10.0.0.1\"],\"lease\":86400}",
		"{\"v\":1,\"op\":\"up\"," SENDER
		",\"seq\":1,\"addresses\":[\"10.0.0.1\"],\"ports\":{\"0a\":1,\"http\":8080,\"ws\":65535},\"lease\":86400}",
		"{\"v\":1,\"op\":\"up\"," SENDER ",\"session\":\"" SESSION
		"\",\"seq\":1,\"addresses\":[\"10.0.0.1\"],\"lease\":86400,\"place\":\"0123456789abcdef/fedcba9876543210\"}",
		"{\"v\":1,\"op\":\"refused\",\"name\":\"a\",\"fqdn\":\"\",\"host\":\"h\",\"reason\":\"\"}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct announcement announcement = decode(rows[i]);
		char out[ANNOUNCEMENT_BODY_MAX];
		int length = announcement_encode(&announcement, out);

		assert_int_equal(length, strlen(rows[i]));
		assert_memory_equal(out, rows[i], (size_t)length);
	}
}

static void refuses_to_encode_too_much(void **state)
{
	struct announcement up;
	char *out = malloc(ANNOUNCEMENT_BODY_MAX);

	(void)state;
	assert_non_null(out);
	assert_int_equal(up_with_counts(1, ANNOUNCEMENT_ALIASES_MAX, &up), 0);
	assert_true(announcement_encode(&up, out) > 0);
	for (unsigned i = 0; i < ANNOUNCEMENT_ALIASES_MAX; i++)
		snprintf(up.aliases[i], sizeof(up.aliases[i]), "%s", L63 "." L63 "." L63);
	assert_int_equal(announcement_encode(&up, out), -1);
	free(out);
}

/* A name of this length: number, then letters, a dot at each fiftieth. */
static void fill_name(char out[HOSTNAME_NAME_SIZE], unsigned length, unsigned number)
{
	for (unsigned i = 0; i < length; i++)
		out[i] = i % 50 == 49 && i + 1 < length ? '.' : 'a';
	out[0] = (char)('a' + number % 26);
	if (length > 1)
		out[1] = (char)('a' + number / 26);
	out[length] = '\0';
}

/* What fitted before there were places fits now. */
static void leaves_out_a_place_that_does_not_fit(void **state)
{
	struct announcement up, again;
	char error[ANNOUNCEMENT_ERROR_SIZE], *out = malloc(ANNOUNCEMENT_BODY_MAX);
	unsigned with = 0, without = 0, refused = 0;

	(void)state;
	assert_non_null(out);
	assert_int_equal(up_with_counts(1, ANNOUNCEMENT_ALIASES_MAX, &up), 0);
	up.has_session = true;
	up.place = (struct place){1, 2};
	for (unsigned i = 0; i + 1 < ANNOUNCEMENT_ALIASES_MAX; i++)
		fill_name(up.aliases[i], 120, i);
	for (unsigned length = 1; length <= HOSTNAME_NAME_MAX; length++) {
		int encoded;

		fill_name(up.aliases[ANNOUNCEMENT_ALIASES_MAX - 1], length, 60);
		encoded = announcement_encode(&up, out);
		refused += encoded == -1;
		if (encoded == -1)
			continue;
		assert_int_equal(refused, 0);
		assert_int_equal(announcement_decode(out, (size_t)encoded, &again, error), 0);
		with += place_known(&again.place);
		without += !place_known(&again.place);
	}
	assert_true(with > 0 && refused > 0);
	assert_int_equal(without, strlen(",\"place\":\"\"") + PLACE_TEXT_LENGTH);
	free(out);
}

static void an_emitter_says_what_it_is(void **state)
{
	struct announcement up = decode(UP_AGENT("\"" AGENT_80 "\"")), again;
	char body[ANNOUNCEMENT_BODY_MAX], error[ANNOUNCEMENT_ERROR_SIZE];
	int length;

	(void)state;
	assert_string_equal(up.agent, AGENT_80);
	memcpy(up.agent, "\"\\", 2); /* what JSON escapes comes back as it was */
	length = announcement_encode(&up, body);
	assert_true(length > 0);
	assert_int_equal(announcement_decode(body, (size_t)length, &again, error), 0);
	assert_string_equal(again.agent, up.agent);
	up = decode(UP_WITH("\"addresses\":[\"10.0.0.1\"],\"lease\":60"));
	assert_string_equal(up.agent, "");
}

static void a_place_needs_a_session(void **state)
{
	struct announcement up = decode(UP_WITH("\"addresses\":[\"10.0.0.1\"],\"lease\":60,\"place\":\"0123456789abcdef/fedcba9876543210\""));

	(void)state;
	assert_false(place_known(&up.place));
	up = decode(UP_PLACE("\"0123456789abcdef/fedcba9876543210\""));
	assert_true(up.place.host == 0x0123456789abcdef && up.place.netns == 0xfedcba9876543210);
	up = decode(UP_PLACE("\"0000000000000000/0000000000000000\""));
	assert_false(place_known(&up.place));
	assert_false(place_known(&(struct place){0}));
}

static void refuses_to_encode_what_nobody_would_read(void **state)
{
	struct announcement refused = decode(REFUSED);
	char out[ANNOUNCEMENT_BODY_MAX];

	(void)state;
	snprintf(refused.reason, sizeof(refused.reason), "line\nbreak");
	assert_int_equal(announcement_encode(&refused, out), -1);
	snprintf(refused.reason, sizeof(refused.reason), "\xc3\xbc");
	assert_int_equal(announcement_encode(&refused, out), -1);
}

static void compares_routing_keys(void **state)
{
	static const struct {
		const char *key;
		bool matches;
	} rows[] = {
		{"up.my-cool-host", true},
		{"UP.My-Cool-HOST", true},
		{"up.my-cool-hos", false},
		{"up.my-cool-host2", false},
		{"down.my-cool-host", false},
		{"lost.my-cool-host", false},
		{"up.other", false},
		{"up", false},
		{"up.", false},
		{"", false},
		{"my-cool-host", false},
		{"up#my-cool-host", false},
		{"up.my-cool-host.", false},
		{"up..my-cool-host", false},
		{"up.my\xad"
		 "cool-host",
		 false},
	};
	struct announcement up = decode(UP), rollcall = decode(ROLLCALL);
	char out[ANNOUNCEMENT_KEY_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *key = exact_copy(rows[i].key, strlen(rows[i].key));

		if (announcement_key_matches(&up, key, strlen(rows[i].key)) != rows[i].matches)
			fail_msg("\"%s\"", rows[i].key);
		free(key);
	}
	assert_false(announcement_key_matches(&up, "up.my-cool-host\0", 16));
	assert_false(announcement_key_matches(&rollcall, "rollcall.", 9));
	assert_string_equal(announcement_key(ANNOUNCEMENT_LOST, "a.b", out), "lost.a.b");
}

static void names_the_mailbox(void **state)
{
	struct announcement up = decode(UP);
	char out[QUEUE_WILL_SIZE], longest[HOSTNAME_NAME_SIZE];

	(void)state;
	assert_string_equal(announcement_will_queue(up.name, &up.session, out), "callsign.will.my-cool-host." SESSION);
	memset(longest, 'a', sizeof(longest));
	longest[HOSTNAME_NAME_MAX] = '\0';
	assert_int_equal(strlen(announcement_will_queue(longest, &up.session, out)), QUEUE_WILL_SIZE - 1);
	assert_true(QUEUE_WILL_SIZE - 1 <= QUEUE_NAME_MAX);
}

static void compares_records(void **state)
{
	struct announcement a = decode(UP), b = decode(UP);

	(void)state;
	b.seq = 8;
	b.lease_s = 10;
	assert_true(announcement_same_records(&a, &b));
	b.addresses[1].bytes[15]++;
	assert_false(announcement_same_records(&a, &b));
	b = a;
	b.naddresses = 1;
	assert_false(announcement_same_records(&a, &b));
	b = a;
	b.naliases = 0;
	assert_false(announcement_same_records(&a, &b));
	b = a;
	b.aliases[0][0] = 'v';
	assert_false(announcement_same_records(&a, &b));
	b = a;
	assert_null(announcement_port_add(b.ports, &b.nports, &(struct announcement_port){"http", 80}));
	assert_false(announcement_same_records(&a, &b));
	a = b;
	b.place = (struct place){1, 2};
	assert_false(announcement_same_records(&a, &b));
	a = b;
	assert_true(announcement_same_records(&a, &b));
	b.ports[0].port = 81;
	assert_false(announcement_same_records(&a, &b));
	b = a;
	b.ports[0].name[0] = 'x';
	assert_false(announcement_same_records(&a, &b));
}

static void ports_are_folded_and_sorted(void **state)
{
	struct announcement up = decode(UP_PORTS("{\"ws\":9091,\"HTTP\":9090,\"a-1\":1,\"x\":65535}"));
	static const struct announcement_port expected[] = {{"a-1", 1}, {"http", 9090}, {"ws", 9091}, {"x", 65535}};

	(void)state;
	assert_true(announcement_ports_equal(up.ports, up.nports, expected, COUNT(expected)));
	assert_int_equal(decode(UP).nports, 0);
	assert_int_equal(decode(UP_PORTS("{}")).nports, 0);
}

static void port_numbers_are_plain(void **state)
{
	static const char *const wrong[] = {"", "0", "08", "65536", "100000", "+1", "-1", "1 ", " 1", "0x1", "1e1"};

	(void)state;
	assert_int_equal(announcement_port_number("1", 1), 1);
	assert_int_equal(announcement_port_number("65535", 5), 65535);
	assert_int_equal(announcement_port_number("80x", 2), 80);
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(announcement_port_number(wrong[i], strlen(wrong[i])), 0);
}

static void there_are_at_most_sixteen_ports(void **state)
{
	struct announcement_port ports[ANNOUNCEMENT_PORTS_MAX], port = {"p", 1};
	unsigned count = 0;

	(void)state;
	for (unsigned i = 0; i < ANNOUNCEMENT_PORTS_MAX; i++) {
		port.name[1] = (char)('z' - i);
		assert_null(announcement_port_add(ports, &count, &port));
	}
	for (unsigned i = 1; i < count; i++)
		assert_true(strcmp(ports[i - 1].name, ports[i].name) < 0);
	assert_string_equal(announcement_port_add(ports, &count, &port), "given twice");
	port.name[1] = '1';
	assert_string_equal(announcement_port_add(ports, &count, &port), "more than 16 ports");
	assert_int_equal(count, ANNOUNCEMENT_PORTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_up),
		cmocka_unit_test(decodes_up_of_once),
		cmocka_unit_test(what_an_op_does_not_have_is_not_there),
		cmocka_unit_test(decodes_the_others),
		cmocka_unit_test(takes_its_own_the_short_way),
		cmocka_unit_test(folds_case),
		cmocka_unit_test(accepts_the_unusual),
		cmocka_unit_test(refuses_bad_bodies),
		cmocka_unit_test(refuses_every_cut),
		cmocka_unit_test(survives_every_changed_byte),
		cmocka_unit_test(keeps_to_the_size_limit),
		cmocka_unit_test(survives_the_deep_and_the_huge),
		cmocka_unit_test(keeps_to_the_counts),
		cmocka_unit_test(limits_the_reason),
		cmocka_unit_test(encodes_what_it_decodes),
		cmocka_unit_test(refuses_to_encode_too_much),
		cmocka_unit_test(leaves_out_a_place_that_does_not_fit),
		cmocka_unit_test(an_emitter_says_what_it_is),
		cmocka_unit_test(a_place_needs_a_session),
		cmocka_unit_test(refuses_to_encode_what_nobody_would_read),
		cmocka_unit_test(compares_routing_keys),
		cmocka_unit_test(names_the_mailbox),
		cmocka_unit_test(compares_records),
		cmocka_unit_test(ports_are_folded_and_sorted),
		cmocka_unit_test(port_numbers_are_plain),
		cmocka_unit_test(there_are_at_most_sixteen_ports),
	};

	return cmocka_run_group_tests_name("announcement", tests, NULL, NULL);
}
