#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/atomicfile.h"
#include "shared/bus/bus.h"
#include "shared/bus/busconf.h"
#include "shared/bus/confirms.h"
#include "shared/clock.h"
#include "shared/conftext.h"
#include "shared/contract/announcement.h"
#include "shared/gateway.h"
#include "tests/unit/exact.h"

/*
 * Memory runs out in shared/: each allocation in turn is made to fail (the linker's --wrap hands them to us), and then every later one too.
 * Whatever is done either succeeds or fails as its header says; nothing is left behind, and afterwards it works again.
 */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);
FILE *__real_fopen(const char *path, const char *mode);
void __real_free(void *memory);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
FILE *__wrap_fopen(const char *path, const char *mode);
void __wrap_free(void *memory);

#define LIVE_MAX 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the bus connects in a thread */
static bool active;
static bool all_later;  /* not only that one: memory stays short */
static unsigned count;  /* allocations since it began */
static unsigned fail_at;
static bool failed;
static void *live[LIVE_MAX];

static bool refuse(void)
{
	bool refused;

	pthread_mutex_lock(&lock);
	count += active;
	refused = active && (count == fail_at || (all_later && count > fail_at));
	failed |= refused;
	pthread_mutex_unlock(&lock);
	if (refused)
		errno = ENOMEM;
	return refused;
}

static void *note(void *memory)
{
	pthread_mutex_lock(&lock);
	if (active && memory != NULL)
		for (unsigned i = 0; i < LIVE_MAX; i++)
			if (live[i] == NULL) {
				live[i] = memory;
				break;
			}
	pthread_mutex_unlock(&lock);
	return memory;
}

static void forget(const void *memory)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; memory != NULL && i < LIVE_MAX; i++)
		if (live[i] == memory)
			live[i] = NULL;
	pthread_mutex_unlock(&lock);
}

void *__wrap_malloc(size_t size)
{
	return refuse() ? NULL : note(__real_malloc(size));
}

void *__wrap_calloc(size_t number, size_t size)
{
	return refuse() ? NULL : note(__real_calloc(number, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
	if (refuse())
		return NULL;
	forget(memory);
	return note(__real_realloc(memory, size));
}

char *__wrap_strdup(const char *text)
{
	return refuse() ? NULL : note(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t length)
{
	return refuse() ? NULL : note(__real_strndup(text, length));
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	return refuse() ? NULL : __real_fopen(path, mode);
}

void __wrap_free(void *memory)
{
	forget(memory);
	__real_free(memory);
}

static unsigned leaked(void)
{
	unsigned number = 0;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < LIVE_MAX; i++)
		number += live[i] != NULL;
	pthread_mutex_unlock(&lock);
	return number;
}

/* act returns whether it succeeded, and asserts what must hold when it did not. */
static void each_in_turn(bool (*act)(void), bool later)
{
	bool good;

	all_later = later;
	for (fail_at = 1;; fail_at++) {
		assert_true(fail_at < 10000);
		memset(live, 0, sizeof(live));
		count = 0;
		failed = false;
		active = true;
		good = act();
		active = false;
		assert_int_equal(leaked(), 0);
		if (!failed)
			break;
	}
	assert_true(good); /* with all the memory it wants, after all that */
	assert_true(fail_at > 1); /* else nothing was tested */
}

static void run(bool (*act)(void))
{
	each_in_turn(act, false);
	each_in_turn(act, true);
}

/* ---- files ---- */

static char directory[64];
static char path[80];

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/callsign-allocation.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/file", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory); /* fails if a dot file was left behind */
}

static void put(const char *content)
{
	FILE *file = __real_fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static void assert_holds(const char *content)
{
	char text[64];
	FILE *file = __real_fopen(path, "r");
	size_t length;

	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	assert_string_equal(text, content);
}

static bool replace_file(void)
{
	int result;

	put("old\n");
	result = atomicfile_replace(path, 0644, "new\n", 4);
	if (result == -1)
		assert_int_equal(errno, ENOMEM);
	assert_holds(result == 0 ? "new\n" : "old\n");
	return result == 0;
}

static void a_file_is_replaced_or_stays(void **state)
{
	(void)state;
	run(replace_file);
}

static bool read_password(void)
{
	char error[BUSCONF_ERROR_SIZE] = "", *password = NULL;
	int result;

	put("secret\n");
	result = busconf_read_password(path, NULL, &password, error);
	if (result == 0)
		assert_string_equal(password, "secret");
	else
		assert_true(error[0] != '\0');
	if (result == 0)
		free(password);
	return result == 0;
}

static void a_password_is_read_or_not(void **state)
{
	(void)state;
	run(read_password);
}

/* What libconfuse itself allocates is not ours to break: it is another library. */
static bool parse_configuration(void)
{
	cfg_opt_t options[] = {CFG_STR("key", "none", CFGF_NONE), CFG_END()};
	FILE *file;
	cfg_t *cfg;
	int result;

	put("# a comment\nkey = \"value\"\n");
	active = false;
	cfg = cfg_init(options, CFGF_NONE);
	file = __real_fopen(path, "r");
	active = true;
	assert_non_null(cfg);
	assert_non_null(file);
	result = conftext_parse(cfg, file);
	if (result == CFG_SUCCESS)
		assert_string_equal(cfg_getstr(cfg, "key"), "value");
	else
		assert_int_equal(errno, ENOMEM);
	fclose(file);
	cfg_free(cfg);
	return result == CFG_SUCCESS;
}

static void a_configuration_is_parsed_or_not(void **state)
{
	(void)state;
	run(parse_configuration);
}

/* ---- what the bus is told ---- */

static bool set_urls(void)
{
	char error[BUSCONF_ERROR_SIZE] = "";
	struct busconf conf;
	int result;

	busconf_init(&conf);
	result = busconf_set_urls(&conf, "amqp://one:first@198.18.0.1:5673/a%2fb, amqps://two@[fd00::1]/, amqp://gateway", error);
	if (result == 0)
		assert_int_equal(conf.nendpoints, 3);
	else
		assert_true(error[0] != '\0');
	if (result == 0)
		result = busconf_set_password(&conf, "second");
	if (result == 0) {
		assert_string_equal(conf.endpoints[0].password, "first");
		assert_string_equal(conf.endpoints[1].password, "second");
	}
	busconf_clear(&conf);
	return result == 0;
}

static void urls_are_taken_whole_or_not(void **state)
{
	(void)state;
	run(set_urls);
}

static bool find_gateway(void)
{
	char text[GATEWAY_TEXT_SIZE];

	/* In a network without a default route it succeeds in telling so. */
	return gateway_find(text) == 0 || errno == ENETUNREACH;
}

static void a_gateway_is_found_or_not(void **state)
{
	(void)state;
	run(find_gateway);
}

/* ---- messages on their way ---- */

#define MESSAGES 300

static bool confirm_messages(void)
{
	struct confirms confirms;
	struct confirm confirm;
	uint64_t last = 0, sequence;
	unsigned sent = 0, settled = 0;

	confirms_init(&confirms);
	for (unsigned i = 0; i < MESSAGES; i++) {
		sequence = confirms_add(&confirms, i, i);
		if (sequence == 0)
			continue;
		/* The broker counts as we do: one that was not taken must leave no gap. */
		assert_int_equal(sequence, last + 1);
		last = sequence;
		sent++;
	}
	while (confirms_settle(&confirms, last, true, &confirm))
		settled++;
	assert_int_equal(settled, sent);
	confirms_clear(&confirms);
	return sent == MESSAGES;
}

static void confirms_are_counted_or_refused(void **state)
{
	(void)state;
	run(confirm_messages);
}

/* Bodies come from the network: that they are understood must not hang on how much memory there is. */
static void a_body_needs_no_memory(void **state)
{
	static const char body[] = "{\"v\":1,\"op\":\"up\",\"name\":\"my-cool-host\",\"instance\":\"0190163d8694739b9ce1b5a4b1a1a1a1\","
	                           "\"session\":\"11111111111111111111111111111111\",\"seq\":7,\"addresses\":[\"198.18.0.2\",\"fd00::2\"],"
	                           "\"aliases\":[\"www\",\"w\\u0077w2\"],\"lease\":360}";
	char error[ANNOUNCEMENT_ERROR_SIZE], again[ANNOUNCEMENT_BODY_MAX];
	struct announcement announcement;
	int result, length;

	(void)state;
	assert_int_equal(announcement_decode(body, sizeof(body) - 1, &announcement, error), 0); /* it sets itself up once */
	memset(&announcement, 0, sizeof(announcement));
	all_later = true;
	count = 0;
	fail_at = 1;
	active = true;
	result = announcement_decode(body, sizeof(body) - 1, &announcement, error);
	length = announcement_encode(&announcement, again);
	active = false;
	assert_int_equal(result, 0);
	assert_string_equal(announcement.name, "my-cool-host");
	assert_string_equal(announcement.aliases[1], "www2");
	assert_true(length > 0);
}

/* ---- the bus ---- */

static bool told_down;

static void on_down(void *arg, const struct bus_failure *failure)
{
	(void)arg;
	assert_true(failure->text[0] != '\0');
	told_down = true;
}

static void step_until_down(struct bus *bus)
{
	int64_t end_ms = clock_ms() + 10000;
	struct pollfd fd = {.events = POLLIN};

	while (!told_down) {
		fd.fd = bus_fd(bus);
		poll(&fd, 1, clock_poll_timeout(clock_ms(), bus_deadline_ms(bus)) == 0 ? 0 : 5);
		bus_step(bus, clock_ms(), 0);
		assert_true(clock_ms() < end_ms);
	}
}

/* The thread that connects may outlive the bus by a moment; what is its own goes with it. */
static void await_thread(void)
{
	int64_t end_ms = clock_ms() + 5000;

	while (leaked() > 0 && clock_ms() < end_ms)
		poll(NULL, 0, 1);
}

/* Nobody listens on port 1: a connection that fails at once is the success here. */
static bool open_bus(void)
{
	static const struct bus_callbacks callbacks = {.down = on_down};
	struct bus_tls tls = {.verify = true};
	char host[] = "127.0.0.1", vhost[] = "/", user[] = "guest", password[] = "guest";
	struct bus_endpoint endpoint = {.host = host, .port = 1, .vhost = vhost, .user = user, .password = password};
	struct bus_options options = {.client_name = "test", .heartbeat_s = 10, .connect_ms = 1000, .handshake_ms = 1000,
	                              .user_timeout_ms = 1000, .frame_max = BUS_FRAME_MAX_EMITTER, .tls = &tls};
	struct bus *bus = bus_new(&callbacks, NULL);

	if (bus == NULL)
		return false;
	told_down = false;
	if (bus_open(bus, &endpoint, &options, clock_ms()) == 0)
		step_until_down(bus);
	bus_free(bus);
	await_thread();
	return told_down;
}

static void a_bus_opens_or_says_so(void **state)
{
	(void)state;
	run(open_bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_replaced_or_stays),
		cmocka_unit_test(a_password_is_read_or_not),
		cmocka_unit_test(a_configuration_is_parsed_or_not),
		cmocka_unit_test(urls_are_taken_whole_or_not),
		cmocka_unit_test(a_gateway_is_found_or_not),
		cmocka_unit_test(confirms_are_counted_or_refused),
		cmocka_unit_test(a_body_needs_no_memory),
		cmocka_unit_test(a_bus_opens_or_says_so),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
