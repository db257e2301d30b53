#include <config.h>

#include "tests/unit/hostkit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/sinks/dnsmasq/hostsfile.h"
#include "tests/unit/exact.h"

#define BOOT  "16692684-f0b5-440c-a9eb-8f78f531f7bb"
#define HEAD  HOSTSFILE_MAGIC BOOT "\n" HOSTSFILE_NOTICE "\n# domains docker\n127.128.0.7 serial.callsign.docker\n"
#define I1    "01900000000170018002030405060708"
#define I2    "01900000000270018002030405060708"
#define S1    "f4090909090909090909090909090001"
#define TAIL1 " # instance=" I1 " session=" S1 " user=web\n"
#define TAIL2 " # instance=" I2 " session=" S1 " user=web\n"

static const struct hostsfile_domains docker = {1, {"docker"}};
static char directory[64], path[sizeof(directory) + 16];

static int make_directory(void **state)
{
	(void)state;
	/* As on a host, where the file is in /run: on a disk each write waits for it. */
	snprintf(directory, sizeof(directory), "%s/callsign-hostsfile-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/hosts", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

/* ---- what is read, as text ---- */

struct reading {
	char text[4096];
	struct hostsfile_content content;
};

static void visit(void *arg, const struct announcement *message, const char *user, int64_t until_ms, const struct view_held *listed)
{
	struct reading *reading = arg;
	char hex[IDENT_TEXT_SIZE], address[ADDRESS_TEXT_SIZE], place[PLACE_TEXT_SIZE];
	size_t used = strlen(reading->text);

	(void)listed;
#define ADD(...) (used += (size_t)snprintf(reading->text + used, sizeof(reading->text) - used, __VA_ARGS__))
	assert_int_equal(message->op, ANNOUNCEMENT_UP);
	ADD("%s", message->name);
	for (unsigned i = 0; i < message->naliases; i++)
		ADD("+%s", message->aliases[i]);
	for (unsigned i = 0; i < message->naddresses; i++)
		ADD(" %s", address_format(&message->addresses[i], address));
	ADD(" %.2s %s [%s]", ident_format(&message->instance, hex) + 10, message->has_session ? "session" : "alone",
	    user);
	if (until_ms != CLOCK_NEVER)
		ADD(" %" PRId64, until_ms);
	for (unsigned i = 0; i < message->nports; i++)
		ADD(" %s=%u", message->ports[i].name, (unsigned)message->ports[i].port);
	if (place_known(&message->place))
		ADD(" @%s", place_format(&message->place, place));
	ADD("\n");
	assert_true(used < sizeof(reading->text));
#undef ADD
}

static struct reading parse_bytes(const char *bytes, size_t length)
{
	struct reading reading = {.text = ""};
	char *copy = exact_copy(bytes, length);

	hostsfile_parse(copy, length, &docker, BOOT, visit, &reading, &reading.content);
	free(copy);
	return reading;
}

static struct reading parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void assert_parsed(const char *text, const char *expected, size_t skipped)
{
	struct reading reading = parse(text);

	assert_string_equal(reading.text, expected);
	assert_int_equal(reading.content.skipped, skipped);
}

/* One line that must be skipped, before and behind one that must not. */
static void assert_skipped(const char *line)
{
	char text[2 * HOSTSFILE_LINE_MAX];
	int length = snprintf(text, sizeof(text), HEAD "%s\n198.18.0.2 b.docker" TAIL2, line);

	assert_true(length > 0 && (size_t)length < sizeof(text));
	assert_parsed(text, "b 198.18.0.2 02 session [web]\n", 1);
}

/* ---- what is written, as text ---- */

static char written[1 << 16];

static const char *write_and_read(const struct hostsfile *file, uint32_t serial, const struct hostsfile_own *own,
				  size_t nown)
{
	FILE *in;
	size_t length;

	assert_int_equal(hostsfile_write(file, path, serial, BOOT, own, nown), 0);
	in = fopen(path, "r");
	assert_non_null(in);
	length = fread(written, 1, sizeof(written) - 1, in);
	written[length] = '\0';
	fclose(in);
	return written;
}

/* A fact and its listing, without registry and view. */
struct sample {
	struct fact fact;
	struct address addresses[ANNOUNCEMENT_ADDRESSES_MAX];
	const char *aliases[ANNOUNCEMENT_ALIASES_MAX];
	struct listing listing;
};

static void sample_init(struct sample *sample, const char *name, unsigned instance, unsigned session, unsigned address)
{
	memset(sample, 0, sizeof(*sample));
	sample->fact.instance = kit_instance(instance);
	sample->fact.has_session = session != 0;
	sample->fact.session = kit_session(session);
	sample->fact.user = "web";
	sample->fact.name = name;
	sample->fact.expires_ms = 123456;
	sample->fact.addresses = sample->addresses;
	sample->fact.aliases = sample->aliases;
	sample->fact.naddresses = 1;
	sample->addresses[0] = kit_address(address);
	sample->listing = (struct listing){.fact = &sample->fact, .names = 1, .addresses = 1};
}

/* As the registry has it. */
static void sample_move(struct sample *sample, unsigned session)
{
	sample->fact.session = kit_session(session);
	sample->fact.origin++;
}

static void serials_run_in_a_circle(void **state)
{
	(void)state;
	assert_int_equal(hostsfile_serial_next(HOSTSFILE_SERIAL_MIN), HOSTSFILE_SERIAL_MIN + 1);
	assert_int_equal(hostsfile_serial_next(0x7fffffff), 0x7f800000);
	assert_int_equal(hostsfile_serial_next(HOSTSFILE_SERIAL_NONE), HOSTSFILE_SERIAL_MIN);
	assert_int_equal(hostsfile_serial_next(0xc0000201), HOSTSFILE_SERIAL_MIN);
	assert_true(hostsfile_serial_reached(0x7f800000, 0x7fffffff));
	assert_false(hostsfile_serial_reached(0x7fffffff, 0x7f800000));
	assert_true(hostsfile_serial_reached(0x7f800005, 0x7f800005));
	assert_true(hostsfile_serial_reached(0x7f800006, 0x7f800005));
	assert_false(hostsfile_serial_reached(0x7f800004, 0x7f800005));
}

static void append(const char *text)
{
	FILE *out = fopen(path, "a");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

/* Larger than what is read at once, and then another one in one byte. */
static void a_file_is_known_again(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	char names[1000][HOSTNAME_NAME_SIZE];
	static struct sample samples[1000];
	struct stat status;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "name%u", i);
		sample_init(&samples[i], names[i], i + 1, i + 1, i + 1);
		assert_true(hostsfile_listing(file, &samples[i].listing));
	}
	assert_false(hostsfile_is(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0)); /* none is there */
	assert_int_equal(hostsfile_write(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_size > 100000);
	assert_true(hostsfile_is(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0));
	assert_false(hostsfile_is(file, path, HOSTSFILE_SERIAL_MIN + 1, BOOT, NULL, 0));
	assert_false(hostsfile_is(file, path, HOSTSFILE_SERIAL_MIN, "another", NULL, 0));
	assert_int_equal(chmod(path, 0600), 0);
	assert_false(hostsfile_is(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0));
	assert_int_equal(chmod(path, 0644), 0);
	append("#");
	assert_false(hostsfile_is(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0));
	assert_int_equal(truncate(path, status.st_size - 1), 0);
	assert_false(hostsfile_is(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0));
	append("\n");
	assert_true(hostsfile_is(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0));
	sample_move(&samples[999], 1001);
	assert_true(hostsfile_listing(file, &samples[999].listing));
	assert_false(hostsfile_is(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0));
	hostsfile_free(file);
}

static void a_file_is_rendered(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct hostsfile_own own[] = {{"host", 1, {4, {172, 17, 0, 1}}}};
	struct sample a, b;

	(void)state;
	sample_init(&a, "my-cool-host", 1, 1, 1);
	a.fact.user = "we b#%\n";
	a.fact.naliases = 2;
	a.aliases[0] = "www";
	a.aliases[1] = "a.b";
	a.fact.naddresses = 3;
	a.addresses[1] = kit_address(9);
	a.addresses[2] = (struct address){6, {0xfd, 0, [15] = 2}};
	a.listing.names = 1 | 4;
	a.listing.addresses = 1 | 4;
	sample_init(&b, "b", 2, 0, 2);
	assert_true(hostsfile_listing(file, &a.listing));
	assert_true(hostsfile_listing(file, &b.listing));
	assert_int_equal(hostsfile_instances(file), 2);
	assert_string_equal(
		write_and_read(file, 0x7f800007, own, 1),
		HEAD "172.17.0.1 host.docker # host\n"
		     "198.18.0.1 my-cool-host.docker a.b.docker # instance=" I1 " session=" S1 " user=we%20b%23%25%0A\n"
		     "fd00::2 my-cool-host.docker a.b.docker # instance=" I1 " session=" S1 " user=we%20b%23%25%0A\n"
		     "198.18.0.2 b.docker # instance=" I2 " user=web until=123456\n");
	hostsfile_free(file);
}

/* Nobody renews its lease: it is written, and no longer than that. */
static void of_who_is_doubted_the_leases_end_is_written(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct sample a;

	(void)state;
	sample_init(&a, "a", 1, 1, 1);
	assert_true(hostsfile_listing(file, &a.listing));
	a.fact.doubted = true;
	a.fact.expires_ms = 223456;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0),
			    HEAD "198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web until=223456\n");
	a.fact.doubted = false;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0), HEAD "198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web\n");
	hostsfile_free(file);
}

static void who_waits_without_a_session_is_kept_for_the_next_start(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct sample a, b, c;

	(void)state;
	sample_init(&a, "held", 2, 0, 2);
	a.fact.naliases = 1;
	a.aliases[0] = "www";
	a.fact.naddresses = 2;
	a.addresses[1] = kit_address(9);
	a.listing.names = a.listing.addresses = 0;
	sample_init(&b, "held", 1, 1, 1);
	sample_init(&c, "held", 3, 1, 3); /* says it again itself */
	c.listing.names = c.listing.addresses = 0;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_true(hostsfile_listing(file, &b.listing));
	assert_false(hostsfile_listing(file, &c.listing));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0),
			    HEAD "198.18.0.1 held.docker # instance=" I1 " session=" S1 " user=web\n"
				 "# waits 198.18.0.2 held.docker www.docker # instance=" I2 " user=web until=123456\n"
				 "# waits 198.18.0.9 held.docker www.docker # instance=" I2 " user=web until=123456\n");
	/* Its lease is another one: written. Its turn comes: as any other. */
	assert_false(hostsfile_listing(file, &a.listing));
	a.fact.expires_ms = 223456;
	assert_true(hostsfile_listing(file, &a.listing));
	a.listing.names = 1;
	a.listing.addresses = 1;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0),
			    HEAD "198.18.0.2 held.docker # instance=" I2 " user=web until=223456\n"
				 "198.18.0.1 held.docker # instance=" I1 " session=" S1 " user=web\n"
				 "# said 198.18.0.2 held.docker www.docker # instance=" I2 " user=web until=223456\n"
				 "# said 198.18.0.9 held.docker www.docker # instance=" I2 " user=web until=223456\n");
	a.fact.expires_ms = 323456;
	assert_true(hostsfile_listing(file, &a.listing));
	a.listing.names = a.listing.addresses = 3;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0),
			    HEAD "198.18.0.2 held.docker www.docker # instance=" I2 " user=web until=323456\n"
				 "198.18.0.9 held.docker www.docker # instance=" I2 " user=web until=323456\n"
				 "198.18.0.1 held.docker # instance=" I1 " session=" S1 " user=web\n");
	hostsfile_free(file);
}

/* Both what is served and what is not, each in its place; the one that waits for the other's name has an alias in front of its own name. */
static void who_is_served_in_part_is_read_back_whole_behind_all_others(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct reading reading;
	struct sample a, b;

	(void)state;
	sample_init(&a, "web", 1, 0, 1);
	a.fact.naliases = 2;
	a.aliases[0] = "shared";
	a.aliases[1] = "www";
	a.listing.names = 4;
	sample_init(&b, "shared", 2, 1, 2);
	assert_true(hostsfile_listing(file, &a.listing));
	assert_true(hostsfile_listing(file, &b.listing));
	reading = parse(write_and_read(file, 0x7f800007, NULL, 0));
	assert_string_equal(written, HEAD "198.18.0.1 www.docker # instance=" I1 " user=web name=web until=123456\n"
					  "198.18.0.2 shared.docker" TAIL2
					  "# said 198.18.0.1 web.docker shared.docker www.docker # instance=" I1 " user=web until=123456\n");
	assert_string_equal(reading.text, "web+www 198.18.0.1 01 alone [web] 123456\n"
					  "shared 198.18.0.2 02 session [web]\n"
					  "web+shared+www 198.18.0.1 01 alone [web] 123456\n");
	assert_int_equal(reading.content.instances, 2);
	assert_int_equal(reading.content.skipped, 0);
	assert_true(hostsfile_is(file, path, 0x7f800007, BOOT, NULL, 0));
	/* The other one goes, and both parts stand one behind the other. */
	assert_true(hostsfile_gone(file, &b.fact.instance));
	reading = parse(write_and_read(file, 0x7f800007, NULL, 0));
	assert_string_equal(reading.text, "web+www 198.18.0.1 01 alone [web] 123456\n"
					  "web+shared+www 198.18.0.1 01 alone [web] 123456\n");
	assert_int_equal(reading.content.instances, 1);
	assert_int_equal(reading.content.skipped, 0);
	hostsfile_free(file);
}

/* An address for a domain in which somebody else has the name has no line. */
static void an_address_without_a_name_is_kept(void **state)
{
	static const struct hostsfile_domains two = {2, {"docker", "other"}};
	static const uint16_t in[] = {1, 1, 2}; /* the name, and each address */
	struct hostsfile *file = hostsfile_new(&two);
	struct sample a;

	(void)state;
	sample_init(&a, "web", 1, 0, 1);
	a.fact.naddresses = 2;
	a.addresses[1] = kit_address(2);
	a.listing.addresses = 3;
	a.listing.in = in;
	assert_true(hostsfile_listing(file, &a.listing));
	write_and_read(file, 0x7f800007, NULL, 0);
	assert_non_null(strstr(written, "\n198.18.0.1 web.docker # "));
	assert_null(strstr(written, "\n198.18.0.2 "));
	assert_non_null(strstr(written, "\n# said 198.18.0.2 web.docker # "));
	hostsfile_free(file);
}

static void who_is_served_in_part_and_in_turn_is_read_back_whole(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct reading reading;
	struct sample a, b;

	(void)state;
	crowds_set_besides(hostsfile_crowds(file), 464); /* room for one address */
	sample_init(&a, "web", 1, 0, 1);
	a.fact.naliases = 1;
	a.aliases[0] = "held";
	a.listing.crowded = 1;
	sample_init(&b, "web", 2, 1, 2);
	b.listing.crowded = 1;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_true(hostsfile_listing(file, &b.listing));
	for (unsigned turn = 0; turn < 2; turn++) {
		reading = parse(write_and_read(file, 0x7f800007, NULL, 0));
		assert_int_equal(crowds_over(hostsfile_crowds(file)), 1);
		assert_int_equal(strncmp(written + strlen(HEAD), "# waits 198.18.0.1", 18) == 0, turn);
		assert_string_equal(reading.text, "web 198.18.0.1 01 alone [web] 123456\n"
						  "web 198.18.0.2 02 session [web]\n"
						  "web+held 198.18.0.1 01 alone [web] 123456\n");
		assert_int_equal(reading.content.skipped, 0);
		crowds_turn(hostsfile_crowds(file));
	}
	hostsfile_free(file);
}

static void what_was_said_is_of_the_form_or_nothing(void **state)
{
	static const char said[] = "# said 198.18.0.1 a.docker www.docker # instance=" I1 " user=web until=5\n";
	char text[1024];

	(void)state;
	/* Whose served line is lost is known by it alone. */
	snprintf(text, sizeof(text), HEAD "%s# said fd00::2 a.docker www.docker # instance=" I1 " user=web until=5\n", said);
	assert_parsed(text, "a+www 198.18.0.1 fd00::2 01 alone [web] 5\n", 0);
	snprintf(text, sizeof(text), HEAD "%s198.18.0.1 a.docker # instance=" I1 " user=web until=5\n", said);
	assert_parsed(text, "a+www 198.18.0.1 01 alone [web] 5\n", 1);
	snprintf(text, sizeof(text), HEAD "%s%s", said, said);
	assert_parsed(text, "a+www 198.18.0.1 01 alone [web] 5\n", 1);
	assert_skipped("# said 198.18.0.1 a.docker" " # instance=" I1 " session=" S1 " user=web");
	assert_skipped("# said # waits 198.18.0.1 a.docker # instance=" I1 " user=web");
	assert_skipped("# waits # said 198.18.0.1 a.docker # instance=" I1 " user=web");
}

/* With one that has room for one address alone, two are a crowd. */
static void names_with_too_many_addresses_are_served_in_turn(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct sample a, b;
	struct reading reading;

	(void)state;
	crowds_set_besides(hostsfile_crowds(file), 464);
	sample_init(&a, "web", 1, 1, 1);
	a.fact.place = (struct place){.host = 0x1122334455667788, .netns = 0x99aabbccddeeff00};
	sample_init(&b, "own", 2, 1, 2);
	b.fact.naliases = 1;
	b.aliases[0] = "web";
	b.listing.names = 3;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_true(hostsfile_listing(file, &b.listing));
	assert_false(hostsfile_crowded(file));
	a.listing.crowded = 1;
	b.listing.crowded = 2;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_true(hostsfile_listing(file, &b.listing));
	assert_true(hostsfile_crowded(file));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0),
			    HEAD "198.18.0.1 web.docker" TAIL1 "# place 1122334455667788/99aabbccddeeff00\n"
				 "198.18.0.2 own.docker # names own.docker web.docker" TAIL2);
	crowds_turn(hostsfile_crowds(file));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0),
			    HEAD "# waits 198.18.0.1 web.docker" TAIL1 "# place 1122334455667788/99aabbccddeeff00\n"
				 "198.18.0.2 own.docker web.docker" TAIL2);
	/* Whoever reads it back learns of both, and where they are. */
	reading = parse(written);
	assert_string_equal(reading.text, "web 198.18.0.1 01 session [web] @1122334455667788/99aabbccddeeff00\n"
					  "own+web 198.18.0.2 02 session [web]\n");
	crowds_turn(hostsfile_crowds(file));
	reading = parse(write_and_read(file, 0x7f800007, NULL, 0));
	assert_string_equal(reading.text, "web 198.18.0.1 01 session [web] @1122334455667788/99aabbccddeeff00\n"
					  "own+web 198.18.0.2 02 session [web]\n");
	assert_int_equal(reading.content.skipped, 0);
	/* The other one goes: what is left fits. */
	assert_true(hostsfile_gone(file, &a.fact.instance));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0), HEAD "198.18.0.2 own.docker web.docker" TAIL2);
	assert_int_equal(crowds_over(hostsfile_crowds(file)), 0);
	b.listing.crowded = 0;
	assert_true(hostsfile_listing(file, &b.listing));
	assert_false(hostsfile_crowded(file));
	hostsfile_free(file);
}

static void lines_with_all_names_are_of_the_form_or_nothing(void **state)
{
	(void)state;
	assert_parsed(HEAD "198.18.0.1 www.docker # names own.docker www.docker # instance=" I1 " session=" S1 " user=web\n",
	              "own+www 198.18.0.1 01 session [web]\n", 0);
	assert_parsed(HEAD "198.18.0.1 www.docker # names www.docker b.docker # instance=" I1 " session=" S1 " user=web name=own\n",
	              "own+www+b 198.18.0.1 01 session [web]\n", 0);
	assert_skipped("198.18.0.1 www.docker # names # instance=" I1 " session=" S1 " user=web");
	assert_skipped("198.18.0.1 # names www.docker # instance=" I1 " session=" S1 " user=web");
	assert_skipped("198.18.0.1 www.docker # names own.example # instance=" I1 " session=" S1 " user=web");
	assert_skipped("198.18.0.1 www.docker # names own.docker");
	assert_skipped("198.18.0.1 www.docker # names own.docker # names own.docker # instance=" I1 " session=" S1 " user=web");
}

static void only_a_changed_text_is_a_change(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct sample a, b;

	(void)state;
	sample_init(&a, "a", 1, 1, 1);
	sample_init(&b, "b", 2, 1, 2);
	assert_true(hostsfile_listing(file, &a.listing));
	assert_true(hostsfile_listing(file, &b.listing));
	assert_false(hostsfile_listing(file, &a.listing));
	sample_move(&a, 2);
	assert_true(hostsfile_listing(file, &a.listing));
	a.listing.names = 0; /* nothing listed any more */
	assert_true(hostsfile_listing(file, &a.listing));
	assert_false(hostsfile_listing(file, &a.listing));
	assert_true(hostsfile_gone(file, &b.fact.instance));
	assert_false(hostsfile_gone(file, &b.fact.instance));
	assert_int_equal(hostsfile_instances(file), 0);
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0), HEAD);
	hostsfile_free(file);
}

static void an_alias_listed_without_the_name_keeps_the_name(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct sample a;

	(void)state;
	sample_init(&a, "a", 1, 1, 1);
	a.fact.naliases = 1;
	a.aliases[0] = "www";
	a.listing.names = 2;
	hostsfile_listing(file, &a.listing);
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0),
			    HEAD "198.18.0.1 www.docker # instance=" I1 " session=" S1 " user=web name=a\n");
	assert_parsed(written, "a+www 198.18.0.1 01 session [web]\n", 0);
	hostsfile_free(file);
}

static void ports_are_remembered(void **state)
{
	static const struct announcement_port ports[] = {{"http", 9090}, {"ws-2", 65535}};
	struct hostsfile *file = hostsfile_new(&docker);
	struct sample a, b;

	(void)state;
	sample_init(&a, "a", 1, 1, 1);
	a.fact.ports = ports;
	a.fact.nports = 1;
	sample_init(&b, "b", 2, 0, 2);
	b.fact.ports = ports;
	b.fact.nports = 2;
	hostsfile_listing(file, &a.listing);
	hostsfile_listing(file, &b.listing);
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0),
			    HEAD "198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web ports=http:9090\n"
				 "198.18.0.2 b.docker # instance=" I2 " user=web until=123456 ports=http:9090,ws-2:65535\n");
	assert_parsed(written, "a 198.18.0.1 01 session [web] http=9090\nb 198.18.0.2 02 alone [web] 123456 http=9090 ws-2=65535\n", 0);
	hostsfile_free(file);
}

static void ports_of_another_form_are_skipped(void **state)
{
	static const char *const bad[] = {
		"", ":", "http", "http:", ":80", "http:0", "http:65536", "http:080", "HTTP:80", "http:80,", ",http:80", "http:80,,ws:81",
		"ws:81,http:80", "http:80,http:80", "http:80:81", "http:80,ws", "http:80 ws:81", "http:80 ", "80:80", "a--b:80", "a=b:80",
		"a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1,j:1,k:1,l:1,m:1,n:1,o:1,p:1,q:1",
	};
	char line[512];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(line, sizeof(line), "198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web ports=%s", bad[i]);
		assert_skipped(line);
	}
	assert_skipped("198.18.0.1 a.docker # instance=" I1 " session=" S1 " ports=http:80 user=web");
	/* Two lines of one instance that disagree: the second one goes. */
	assert_parsed(HEAD "198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web ports=http:80\n198.18.0.2 a.docker" TAIL1,
		      "a 198.18.0.1 01 session [web] http=80\n", 1);
}

#define PLACE "0123456789abcdef/fedcba9876543210"

static void places_are_remembered(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct sample a, b;

	(void)state;
	sample_init(&a, "a", 1, 1, 1);
	a.fact.place = (struct place){0x0123456789abcdef, 0xfedcba9876543210};
	a.fact.naddresses = 2;
	a.addresses[1] = kit_address(3);
	a.listing.addresses = 3;
	sample_init(&b, "b", 2, 1, 2);
	hostsfile_listing(file, &a.listing);
	hostsfile_listing(file, &b.listing);
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0),
			    HEAD "198.18.0.1 a.docker" TAIL1 "198.18.0.3 a.docker" TAIL1 "# place " PLACE "\n198.18.0.2 b.docker" TAIL2);
	assert_parsed(written, "a 198.18.0.1 198.18.0.3 01 session [web] @" PLACE "\nb 198.18.0.2 02 session [web]\n", 0);
	a.fact.place.netns++;
	a.fact.origin++;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_false(hostsfile_listing(file, &a.listing));
	assert_non_null(strstr(write_and_read(file, 0x7f800007, NULL, 0), "\n# place 0123456789abcdef/fedcba9876543211\n198.18.0.2"));
	/* Nothing listed: no line of its own either. */
	a.listing.addresses = 0;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0), HEAD "198.18.0.2 b.docker" TAIL2);
	hostsfile_free(file);
}

/* What does not belong to the line before it says nothing, and keeps nobody from being read. */
static void places_of_another_form_or_elsewhere_are_skipped(void **state)
{
	static const char *const bad[] = {
		"# place", "# place ", "# place here", "#place " PLACE, "# place  " PLACE, "# place " PLACE " ", "# place " PLACE "0",
		"# place 0123456789ABCDEF/fedcba9876543210", "# place " PLACE " instance=" I1, "# places " PLACE,
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text), HEAD "198.18.0.1 a.docker" TAIL1 "%s\n198.18.0.2 b.docker" TAIL2, bad[i]);
		assert_parsed(text, "a 198.18.0.1 01 session [web]\nb 198.18.0.2 02 session [web]\n", 1);
	}
	assert_skipped("# place " PLACE);
	/* Twice; behind a line that is nobody's; behind a line that was skipped; of an instance without session. */
	assert_parsed(HEAD "198.18.0.1 a.docker" TAIL1 "# place " PLACE "\n# place 1123456789abcdef/fedcba9876543210\n",
		      "a 198.18.0.1 01 session [web] @" PLACE "\n", 1);
	assert_parsed(HEAD "198.18.0.1 a.docker" TAIL1 "127.128.0.8 serial.callsign.docker\n# place " PLACE "\n", "a 198.18.0.1 01 session [web]\n", 2);
	assert_parsed(HEAD "198.18.0.1 a.docker" TAIL1 "198.18.0.2 b.docker" TAIL2 "198.18.0.3 a.docker" TAIL1 "# place " PLACE "\n",
		      "a 198.18.0.1 01 session [web]\nb 198.18.0.2 02 session [web]\n", 2);
	assert_parsed(HEAD "198.18.0.1 a.docker # instance=" I1 " user=web\n# place " PLACE "\n", "a 198.18.0.1 01 alone [web]\n", 1);
}

static void who_shares_an_address_stands_behind_who_comes_first(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct sample a, b;

	(void)state;
	sample_init(&a, "a", 1, 1, 1);
	sample_init(&b, "b", 2, 1, 1);
	a.listing.later = 1;
	hostsfile_listing(file, &a.listing);
	hostsfile_listing(file, &b.listing);
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0), HEAD "198.18.0.1 b.docker" TAIL2 "198.18.0.1 a.docker" TAIL1);
	hostsfile_gone(file, &b.fact.instance);
	a.listing.later = 0;
	assert_true(hostsfile_listing(file, &a.listing));
	assert_false(hostsfile_listing(file, &a.listing));
	assert_string_equal(write_and_read(file, 0x7f800007, NULL, 0), HEAD "198.18.0.1 a.docker" TAIL1);
	hostsfile_free(file);
}

static void another_domain_renders_anew(void **state)
{
	struct hostsfile *file = hostsfile_new(&docker);
	struct sample a;

	(void)state;
	sample_init(&a, "a", 1, 1, 1);
	hostsfile_listing(file, &a.listing);
	hostsfile_set_domains(file, &(struct hostsfile_domains){1, {"lab.example"}});
	assert_true(hostsfile_listing(file, &a.listing));
	assert_non_null(strstr(write_and_read(file, 0x7f800007, NULL, 0), "\n198.18.0.1 a.lab.example # instance=" I1));
	assert_non_null(strstr(written, " serial.callsign.lab.example\n"));
	hostsfile_free(file);
}

static void visit_longest(void *arg, const struct announcement *message, const char *user, int64_t until_ms, const struct view_held *listed)
{
	(void)listed;
	assert_int_equal(message->naliases, ANNOUNCEMENT_ALIASES_MAX);
	assert_int_equal(message->naddresses, ANNOUNCEMENT_ADDRESSES_MAX);
	assert_int_equal(strlen(message->aliases[ANNOUNCEMENT_ALIASES_MAX - 1]), HOSTNAME_NAME_MAX);
	assert_string_equal(user, (const char *)arg);
	assert_true(until_ms == CLOCK_NEVER);
}

/* As long as everything may be: it is written whole, and read whole. */
static void the_longest_listing_survives(void **state)
{
	static char names[ANNOUNCEMENT_ALIASES_MAX + 1][HOSTNAME_NAME_SIZE], user[POLICY_USER_MAX + 1];
	struct hostsfile *file = hostsfile_new(&docker);
	struct hostsfile_content content;
	struct sample a;

	(void)state;
	for (unsigned i = 0; i <= ANNOUNCEMENT_ALIASES_MAX; i++) {
		memset(names[i], 'x', HOSTNAME_NAME_MAX);
		for (unsigned j = 50; j < HOSTNAME_NAME_MAX; j += 50)
			names[i][j] = '.';
		names[i][0] = (char)('a' + i % 26);
		names[i][1] = (char)('a' + i / 26);
	}
	memset(user, '\n', POLICY_USER_MAX);
	sample_init(&a, names[0], 1, 1, 1);
	a.fact.user = user;
	a.fact.naliases = ANNOUNCEMENT_ALIASES_MAX;
	for (unsigned i = 0; i < ANNOUNCEMENT_ALIASES_MAX; i++)
		a.aliases[i] = names[i + 1];
	a.fact.naddresses = ANNOUNCEMENT_ADDRESSES_MAX;
	for (unsigned i = 0; i < ANNOUNCEMENT_ADDRESSES_MAX; i++)
		a.addresses[i] = kit_address(i + 1);
	a.listing.names = UINT64_MAX;
	a.listing.addresses = UINT16_MAX;
	hostsfile_listing(file, &a.listing);
	assert_int_equal(hostsfile_write(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0), 0);
	hostsfile_free(file);
	assert_int_equal(hostsfile_read(path, &docker, BOOT, visit_longest, user, &content), 0);
	assert_int_equal(content.instances, 1);
	assert_int_equal(content.skipped, 0);
}

static void what_was_written_is_read(void **state)
{
	struct reading reading;

	(void)state;
	reading = parse(HEAD "172.17.0.1 host.docker # host\n198.18.0.1 a.docker www.docker" TAIL1
			     "fd00::2 a.docker www.docker" TAIL1 "198.18.0.2 b.docker # instance=" I2
			     " user= until=123456\n");
	assert_string_equal(reading.text,
			    "a+www 198.18.0.1 fd00::2 01 session [web]\nb 198.18.0.2 02 alone [] 123456\n");
	assert_int_equal(reading.content.skipped, 0);
	assert_int_equal(reading.content.instances, 2);
	assert_int_equal(reading.content.serial, 0x7f800007);
	assert_parsed(HEAD "# waits 198.18.0.1 a.docker www.docker # instance=" I1 " user=web until=5\n"
			   "# waits fd00::2 a.docker www.docker # instance=" I1 " user=web until=5\n",
		      "a+www 198.18.0.1 fd00::2 01 alone [web] 5\n", 0);
	assert_parsed(HEAD "198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=we%20b%23%25%0A\n",
		      "a 198.18.0.1 01 session [we b#%\n]\n", 0);
}

static void a_lease_holds_for_one_boot_only(void **state)
{
	static const char line[] = "198.18.0.1 a.docker # instance=" I1 " user=u until=5\n";
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), HEAD "%s", line);
	assert_parsed(text, "a 198.18.0.1 01 alone [u] 5\n", 0);
	text[strlen(HOSTSFILE_MAGIC)] = 'x';
	assert_parsed(text, "a 198.18.0.1 01 alone [u]\n", 0);
	snprintf(text, sizeof(text), HOSTSFILE_MAGIC "\n%s", line); /* written without a boot's id */
	assert_parsed(text, "a 198.18.0.1 01 alone [u]\n", 0);
}

static void empty_and_foreign_files_hold_nothing(void **state)
{
	(void)state;
	assert_parsed("", "", 0);
	assert_parsed("\n", "", 1);
	assert_parsed("127.0.0.1 localhost\n198.18.0.1 a.docker" TAIL1, "", 2);
	assert_parsed("# callsign-hosts 2 boot=" BOOT "\n198.18.0.1 a.docker" TAIL1, "", 2);
	assert_int_equal(parse("127.128.0.7 serial.callsign.docker\n").content.serial, HOSTSFILE_SERIAL_NONE);
}

/* At every byte: whatever is whole before the cut is taken, nothing that is not. */
static void a_cut_file_gives_whole_lines_only(void **state)
{
	static const char text[] = HEAD "198.18.0.1 a.docker" TAIL1 "198.18.0.2 b.docker" TAIL2;
	const size_t first = strlen(HEAD "198.18.0.1 a.docker" TAIL1);

	(void)state;
	for (size_t length = 0; length <= strlen(text); length++) {
		struct reading reading = parse_bytes(text, length);

		assert_int_equal(reading.content.instances, (length >= first) + (length == strlen(text)));
	}
}

static void hostile_lines_are_skipped(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"198.18.0.1",
		"198.18.0.1 ",
		"198.18.0.1 a.docker",
		"198.18.0.1 a.docker #",
		"198.18.0.1 # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1  a.docker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1\ta.docker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web\r",
		"198.18.0.1 a # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 a.example # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 docker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 .docker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 adocker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 A.docker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 a.DOCKER # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 a_b.docker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 -a.docker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 a.docker com.example # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 a.docker a.docker # instance=" I1 " session=" S1 " user=web",
		"127.0.0.1 a.docker # instance=" I1 " session=" S1 " user=web",
		"0.0.0.0 a.docker # instance=" I1 " session=" S1 " user=web",
		"224.0.0.1 a.docker # instance=" I1 " session=" S1 " user=web",
		"::ffff:198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.01 a.docker # instance=" I1 " session=" S1 " user=web",
		"a.docker a.docker # instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 a.docker # session=" S1 " instance=" I1 " user=web",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1,
		"198.18.0.1 a.docker # instance=" I1 "0 session=" S1 " user=web",
		"198.18.0.1 a.docker # instance=0190 session=" S1 " user=web",
		"198.18.0.1 a.docker # instance= session=" S1 " user=web",
		"198.18.0.1 a.docker # instance=0190000000017001800203040506070F session=" S1 " user=web",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=w%2",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=w\"b",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=w\xff",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=w%zz",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=w%00",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web until=-5",
		"198.18.0.1 a.docker # instance=" I1 " user=web until=-5",
		"198.18.0.1 a.docker # instance=" I1 " user=web until=",
		"198.18.0.1 a.docker # instance=" I1 " user=web until=9999999999999999999",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web name=a",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web name=B",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web name=",
		"198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=web more",
		"198.18.0.1 a.docker #instance=" I1 " session=" S1 " user=web",
		"198.18.0.1 a.docker # # instance=" I1 " session=" S1 " user=web",
		"127.128.0.8 serial.callsign.docker",
		"127.0.0.1 localhost.docker",
		"# a remark",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++)
		assert_skipped(lines[i]);
}

static void overlong_lines_and_binary_are_skipped(void **state)
{
	static char line[HOSTSFILE_LINE_MAX + 64];
	static const char nul[] = HEAD "198.18.0.1 a.docker # instance=" I1 " session=" S1 " user=we\0b\n";
	struct reading reading = parse_bytes(nul, sizeof(nul) - 1);

	(void)state;
	assert_int_equal(reading.content.instances, 0);
	assert_int_equal(reading.content.skipped, 1);
	memset(line, 'a', sizeof(line) - 1);
	memcpy(line, "198.18.0.1 ", 11);
	assert_skipped(line);
}

static void an_instance_stands_in_one_place_and_agrees_with_itself(void **state)
{
	(void)state;
	assert_parsed(HEAD "198.18.0.1 a.docker" TAIL1 "198.18.0.2 b.docker" TAIL2 "198.18.0.3 a.docker" TAIL1,
		      "a 198.18.0.1 01 session [web]\nb 198.18.0.2 02 session [web]\n", 1);
	assert_parsed(HEAD "198.18.0.1 a.docker" TAIL1 "198.18.0.3 b.docker" TAIL1, "a 198.18.0.1 01 session [web]\n",
		      1);
	assert_parsed(HEAD "198.18.0.1 a.docker" TAIL1 "198.18.0.1 a.docker" TAIL1, "a 198.18.0.1 01 session [web]\n",
		      1);
	assert_parsed(HEAD "198.18.0.1 a.docker" TAIL1 "198.18.0.3 a.docker # instance=" I1 " session=" S1
			   " user=mallory\n",
		      "a 198.18.0.1 01 session [web]\n", 1);
}

static void serials_out_of_range_are_skipped(void **state)
{
	static const char *const serials[] = {"127.127.255.255", "127.0.0.1", "128.0.0.0", "10.128.0.1"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(serials); i++) {
		snprintf(text, sizeof(text), HOSTSFILE_MAGIC BOOT "\n%s serial.callsign.docker\n", serials[i]);
		assert_int_equal(parse(text).content.serial, HOSTSFILE_SERIAL_NONE);
		assert_int_equal(parse(text).content.skipped, 1);
	}
}

static int read_errno(void)
{
	struct reading reading = {.text = ""};

	errno = 0;
	if (hostsfile_read(path, &docker, BOOT, visit, &reading, &reading.content) == 0)
		return 0;
	assert_int_equal(reading.content.instances, 0);
	return errno;
}

static void only_an_honest_file_is_read(void **state)
{
	int fd;

	(void)state;
	unlink(path);
	assert_int_equal(read_errno(), ENOENT);
	assert_int_equal(symlink("/etc/hosts", path), 0);
	assert_int_equal(read_errno(), ELOOP);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_errno(), EINVAL);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(read_errno(), EINVAL);
	rmdir(path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	assert_int_equal(read_errno(), EPERM);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(read_errno(), 0);
	assert_int_equal(ftruncate(fd, (off_t)HOSTSFILE_SIZE_MAX + 1), 0);
	assert_int_equal(read_errno(), EFBIG);
	close(fd);
	unlink(path);
}

static void count(void *arg, const struct announcement *message, const char *user, int64_t until_ms, const struct view_held *listed)
{
	(void)listed;
	(void)message;
	(void)user;
	(void)until_ms;
	++*(size_t *)arg;
}

/* Figures, not limits. */
static void figures(void **state)
{
	enum { NAMES = 10000 };
	struct hostsfile *file = hostsfile_new(&docker);
	struct hostsfile_content content;
	char(*names)[16] = calloc(NAMES, sizeof(*names));
	struct sample *samples = calloc(NAMES, sizeof(*samples));
	int64_t start_us, rendered_us, written_us, one_us;
	size_t read = 0;

	(void)state;
	assert_non_null(names);
	assert_non_null(samples);
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof(names[i]), "host-%u", i);
		sample_init(&samples[i], names[i], i, 1, i);
	}
	start_us = clock_us();
	for (unsigned i = 0; i < NAMES; i++)
		assert_true(hostsfile_listing(file, &samples[i].listing));
	rendered_us = clock_us();
	assert_int_equal(hostsfile_write(file, path, HOSTSFILE_SERIAL_MIN, BOOT, NULL, 0), 0);
	written_us = clock_us();
	hostsfile_gone(file, &samples[NAMES / 2].fact.instance);
	assert_int_equal(hostsfile_write(file, path, HOSTSFILE_SERIAL_MIN + 1, BOOT, NULL, 0), 0);
	one_us = clock_us();
	assert_int_equal(hostsfile_read(path, &docker, BOOT, count, &read, &content), 0);
	print_message("%d names: render all %.1f ms, write %.1f ms, one change and write %.1f ms, read back %.1f ms\n",
		      NAMES, (double)(rendered_us - start_us) / 1000, (double)(written_us - rendered_us) / 1000,
		      (double)(one_us - written_us) / 1000, (double)(clock_us() - one_us) / 1000);
	assert_int_equal(read, NAMES - 1);
	assert_int_equal(content.skipped, 0);
	hostsfile_free(file);
	free(samples);
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serials_run_in_a_circle),
		cmocka_unit_test(a_file_is_known_again),
		cmocka_unit_test(a_file_is_rendered),
		cmocka_unit_test(of_who_is_doubted_the_leases_end_is_written),
		cmocka_unit_test(who_waits_without_a_session_is_kept_for_the_next_start),
		cmocka_unit_test(who_is_served_in_part_is_read_back_whole_behind_all_others),
		cmocka_unit_test(an_address_without_a_name_is_kept),
		cmocka_unit_test(who_is_served_in_part_and_in_turn_is_read_back_whole),
		cmocka_unit_test(what_was_said_is_of_the_form_or_nothing),
		cmocka_unit_test(names_with_too_many_addresses_are_served_in_turn),
		cmocka_unit_test(lines_with_all_names_are_of_the_form_or_nothing),
		cmocka_unit_test(only_a_changed_text_is_a_change),
		cmocka_unit_test(an_alias_listed_without_the_name_keeps_the_name),
		cmocka_unit_test(ports_are_remembered),
		cmocka_unit_test(ports_of_another_form_are_skipped),
		cmocka_unit_test(places_are_remembered),
		cmocka_unit_test(places_of_another_form_or_elsewhere_are_skipped),
		cmocka_unit_test(who_shares_an_address_stands_behind_who_comes_first),
		cmocka_unit_test(another_domain_renders_anew),
		cmocka_unit_test(the_longest_listing_survives),
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(a_lease_holds_for_one_boot_only),
		cmocka_unit_test(empty_and_foreign_files_hold_nothing),
		cmocka_unit_test(a_cut_file_gives_whole_lines_only),
		cmocka_unit_test(hostile_lines_are_skipped),
		cmocka_unit_test(overlong_lines_and_binary_are_skipped),
		cmocka_unit_test(an_instance_stands_in_one_place_and_agrees_with_itself),
		cmocka_unit_test(serials_out_of_range_are_skipped),
		cmocka_unit_test(only_an_honest_file_is_read),
		cmocka_unit_test(figures),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
