#include <config.h>

#include "host/sinks/hook/conf.h"
#include "host/sinks/hook/hook.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/sinks/hook/minder.h"
#include "host/sinks/hook/table.h"
#include "host/sinks/sinkset.h"
#include "shared/log.h"
#include "tests/unit/hostkit.h"

/* The hook against real commands: shell scripts in a directory of their own. Everything is waited for with a deadline. */
#define PATIENCE_MS 60000

static char directory[] = "/tmp/callsign-hook-XXXXXX";
static char script[256], hosts_file[256], name_w[] = "w", domain[] = "docker", hostname[] = "h1";
static char *command[] = {script, NULL, NULL};
static struct hook_conf own;
static struct hook_confs owns = {&own, 1};
static const struct conf_section *const sections[] = {&hook_section, NULL};
static struct policy_domain policy_domain = {.name = domain};
static struct conf conf;
static struct sink sink;
static uint64_t generation;
static struct kit kit;

/* ---- files ---- */

static const char *path(const char *name)
{
	static char out[4][512];
	static unsigned turn;
	char *text = out[turn++ % 4];

	snprintf(text, sizeof(out[0]), "%s/%s", directory, name);
	return text;
}

static void write_script(const char *words)
{
	FILE *out = fopen(path("new"), "w");

	assert_non_null(out);
	fprintf(out, "#!/bin/sh\nd=%s\n%s\n", directory, words);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path("new"), 0755), 0);
	assert_int_equal(rename(path("new"), script), 0);
}

static bool exists(const char *name)
{
	return access(path(name), F_OK) == 0;
}

static json_t *read_document(const char *name)
{
	json_t *json = json_load_file(path(name), 0, NULL);

	assert_non_null(json);
	return json;
}

static void read_text(const char *name, char *out, size_t size)
{
	FILE *in = fopen(path(name), "r");
	size_t length;

	assert_non_null(in);
	length = fread(out, 1, size - 1, in);
	out[length] = '\0';
	fclose(in);
}

/* ---- the sink ---- */

static bool on_listing(void *arg, const struct listing *listing)
{
	(void)arg;
	sink.operations->listing(sink.self, listing, true);
	return true;
}

static void flush(void)
{
	sink.operations->flush(sink.self, ++generation, clock_ms());
}

static void tell_all(void)
{
	view_each(kit.view, on_listing, NULL);
	flush();
}

/* One turn of a loop. */
static void turn(int64_t most_ms)
{
	struct pollfd fds[SINK_POLLFDS_MAX];
	int count = sink.operations->pollfds(sink.self, fds), timeout;
	int64_t due_ms = sink.operations->deadline_ms(sink.self), now_ms = clock_ms();

	assert_true(count <= SINK_POLLFDS_MAX);
	if (due_ms > now_ms + most_ms)
		due_ms = now_ms + most_ms;
	timeout = due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
	poll(fds, (nfds_t)count, timeout);
	sink.operations->step(sink.self, fds, count, clock_ms());
}

#define wait_until(condition) \
	do { \
		int64_t until_ms = clock_ms() + PATIENCE_MS; \
		while (!(condition)) { \
			assert_true(clock_ms() < until_ms); \
			turn(20); \
		} \
	} while (0)

static bool done(void)
{
	return sink.operations->stored(sink.self) == generation;
}

static const char *trouble(void)
{
	return sink.operations->trouble(sink.self);
}

static void on_view_listing(void *arg, const struct listing *listing, bool records)
{
	(void)arg;
	if (sink.self != NULL)
		sink.operations->listing(sink.self, listing, records);
}

static void on_view_gone(void *arg, const struct listing *listing)
{
	(void)arg;
	if (sink.self != NULL)
		sink.operations->gone(sink.self, listing);
}

static int setup(void **state)
{
	static const struct view_watcher watcher = {.listing = on_view_listing, .gone = on_view_gone};
	struct registry_options options = kit_options();

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(directory));
	snprintf(script, sizeof(script), "%s/script", directory);
	snprintf(hosts_file, sizeof(hosts_file), "%s/hosts", directory);
	own = (struct hook_conf){.name = name_w, .command = command, .timeout_ms = 60000, .retry_ms = 1000, .delay_ms = 0};
	memset(&conf, 0, sizeof(conf));
	conf.sections = sections;
	conf.own[0] = &owns;
	conf.domain = domain;
	conf.hostname = hostname;
	conf.policy.domains = &policy_domain;
	conf.policy.ndomains = 1;
	conf.dnsmasq.hosts_file = hosts_file;
	generation = 0;
	kit_open(&kit, &options, VIEW_ALL);
	view_set_watcher(kit.view, &watcher);
	assert_int_equal(hook_kind.make(&conf, 0, clock_ms(), &sink), 0);
	return 0;
}

static int teardown(void **state)
{
	struct dirent *entry;
	DIR *list;

	(void)state;
	if (sink.self != NULL)
		sink.operations->free(sink.self);
	sink.self = NULL;
	kit_close(&kit);
	list = opendir(directory);
	while ((entry = readdir(list)) != NULL)
		if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
			unlink(path(entry->d_name));
	closedir(list);
	return rmdir(directory);
}

static size_t count_of(const json_t *document, const char *kind)
{
	return json_array_size(json_object_get(json_object_get(document, "changes"), kind));
}

static const char *name_in(const json_t *document, const char *kind, size_t i)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(json_object_get(document, "changes"), kind), i), "name"));
}

static void assert_changes(const json_t *document, size_t names, size_t added, size_t changed, size_t removed)
{
	assert_int_equal(json_array_size(json_object_get(document, "names")), names);
	assert_int_equal(count_of(document, "added"), added);
	assert_int_equal(count_of(document, "changed"), changed);
	assert_int_equal(count_of(document, "removed"), removed);
}

/* ---- what it is told ---- */

static void the_first_run_is_told_everything(void **state)
{
	struct announcement message = kit_announce("web", 1, 1, 1, 7);
	json_t *document, *entry;

	(void)state;
	write_script("cat >$d/out");
	kit_add_alias(&message, "www");
	message.ports[message.nports++] = (struct announcement_port){.name = "http", .port = 9090};
	kit_deliver(&kit, &message, "tenant \"a\"");
	tell_all();
	assert_false(done());
	wait_until(done());
	assert_null(trouble());
	document = read_document("out");
	assert_int_equal(json_integer_value(json_object_get(document, "v")), 1);
	assert_int_equal(json_integer_value(json_object_get(document, "generation")), 1);
	assert_string_equal(json_string_value(json_object_get(document, "host")), "h1");
	assert_string_equal(json_string_value(json_object_get(document, "domain")), "docker");
	assert_true(json_is_true(json_object_get(document, "first")));
	assert_changes(document, 1, 1, 0, 0);
	entry = json_array_get(json_object_get(document, "names"), 0);
	assert_true(json_equal(entry, json_array_get(json_object_get(json_object_get(document, "changes"), "added"), 0)));
	assert_string_equal(json_string_value(json_object_get(entry, "name")), "web");
	assert_string_equal(json_string_value(json_object_get(entry, "fqdn")), "web.docker");
	assert_string_equal(json_string_value(json_array_get(json_object_get(entry, "fqdns"), 1)), "www.docker");
	assert_string_equal(json_string_value(json_array_get(json_object_get(entry, "addresses"), 0)), "198.18.0.7");
	assert_string_equal(json_string_value(json_array_get(json_object_get(entry, "aliases"), 0)), "www");
	assert_string_equal(json_string_value(json_array_get(json_object_get(json_object_get(entry, "domains"), "docker"), 0)), "198.18.0.7");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(entry, "ports"), "http")), 9090);
	assert_string_equal(json_string_value(json_object_get(entry, "user")), "tenant\\x20\\x22a\\x22");
	assert_int_equal(strlen(json_string_value(json_object_get(entry, "since"))), strlen("2026-01-01T00:00:00Z"));
	json_decref(document);
}

static void an_empty_table_is_told_too(void **state)
{
	json_t *document;

	(void)state;
	write_script("cat >$d/out");
	flush();
	wait_until(done());
	document = read_document("out");
	assert_changes(document, 0, 0, 0, 0);
	json_decref(document);
	unlink(path("out"));
	flush(); /* nothing new: nothing runs */
	assert_true(done());
	turn(20);
	assert_false(exists("out"));
}

static void changes_are_named(void **state)
{
	json_t *document;

	(void)state;
	write_script("cat >$d/out");
	kit_up(&kit, "one", 1, 1, 1, 1);
	kit_up(&kit, "two", 2, 1, 1, 2);
	kit_up(&kit, "six", 6, 1, 1, 6);
	flush();
	wait_until(done());
	kit_up(&kit, "one", 1, 1, 2, 11);
	kit_down(&kit, "two", 2, 1, 2);
	kit_up(&kit, "three", 3, 1, 1, 3);
	flush();
	wait_until(done());
	document = read_document("out");
	assert_true(json_is_false(json_object_get(document, "first")));
	assert_changes(document, 3, 1, 1, 1);
	assert_string_equal(name_in(document, "added", 0), "three");
	assert_string_equal(name_in(document, "changed", 0), "one");
	assert_string_equal(name_in(document, "removed", 0), "two");
	json_decref(document);
}

static void changes_of_a_failed_run_are_told_again(void **state)
{
	json_t *document;

	(void)state;
	write_script("cat >$d/out");
	kit_up(&kit, "one", 1, 1, 1, 1);
	flush();
	wait_until(done());
	write_script("exit 3");
	kit_up(&kit, "two", 2, 1, 1, 2);
	flush();
	wait_until(trouble() != NULL);
	assert_non_null(strstr(trouble(), "exit status 3"));
	assert_false(done());
	write_script("cat >$d/out");
	kit_up(&kit, "three", 3, 1, 1, 3);
	kit_down(&kit, "two", 2, 1, 2); /* it may have been taken: its end must be told */
	flush();
	wait_until(done());
	assert_null(trouble());
	document = read_document("out");
	assert_changes(document, 2, 1, 0, 1);
	assert_string_equal(name_in(document, "added", 0), "three");
	assert_string_equal(name_in(document, "removed", 0), "two");
	json_decref(document);
	kit_up(&kit, "four", 4, 1, 1, 4);
	flush();
	wait_until(done());
	document = read_document("out");
	assert_changes(document, 3, 1, 0, 0); /* and only once */
	json_decref(document);
}

static void a_run_that_never_began_leaves_no_doubt(void **state)
{
	json_t *document;

	(void)state;
	write_script("cat >$d/out");
	kit_up(&kit, "one", 1, 1, 1, 1);
	flush();
	wait_until(done());
	unlink(script);
	kit_up(&kit, "two", 2, 1, 1, 2);
	flush();
	wait_until(trouble() != NULL);
	write_script("cat >$d/out");
	kit_down(&kit, "two", 2, 1, 2);
	kit_up(&kit, "three", 3, 1, 1, 3);
	flush();
	wait_until(done());
	document = read_document("out");
	assert_changes(document, 2, 1, 0, 0);
	json_decref(document);
}

static void what_comes_during_a_run_waits_for_the_next(void **state)
{
	char text[64];
	json_t *document;

	(void)state;
	write_script("echo >>$d/runs; cat >$d/out; : >$d/started; while [ ! -e $d/go ]; do sleep 0.01; done");
	kit_up(&kit, "one", 1, 1, 1, 1);
	flush();
	wait_until(exists("started"));
	for (unsigned i = 2; i < 12; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		kit_up(&kit, name, i, 1, 1, i);
		flush();
		turn(1);
	}
	read_text("runs", text, sizeof(text));
	assert_string_equal(text, "\n");
	assert_int_equal(sink.operations->stored(sink.self), 0);
	assert_int_equal(creat(path("go"), 0600) == -1, 0);
	wait_until(done());
	read_text("runs", text, sizeof(text));
	assert_string_equal(text, "\n\n"); /* ten changes, one run */
	document = read_document("out");
	assert_changes(document, 11, 10, 0, 0);
	json_decref(document);
}

/* ---- commands that do not behave ---- */

static void a_command_that_does_not_end_is_ended_with_its_group(void **state)
{
	char text[32];
	pid_t child;

	(void)state;
	own.timeout_ms = 200;
	write_script("trap '' TERM; sh -c \"trap '' TERM; echo \\$\\$ >$d/child.new; mv $d/child.new $d/child; while :; do sleep 1; done\" & "
	             "while :; do sleep 1; done");
	flush();
	wait_until(trouble() != NULL);
	assert_non_null(strstr(trouble(), "did not end within 200 ms"));
	read_text("child", text, sizeof(text));
	child = (pid_t)strtol(text, NULL, 10);
	assert_true(child > 1);
	wait_until(kill(child, 0) == -1);
}

static void a_command_that_reads_nothing_and_says_much(void **state)
{
	(void)state;
	write_script("exec <&-; yes nonsense | head -c 400000; head -c 20000 /dev/zero; : >$d/said");
	for (unsigned i = 1; i <= 2000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		kit_up(&kit, name, i, 1, 1, i);
	}
	flush();
	wait_until(done());
	assert_true(exists("said"));
	assert_null(trouble());
}

static void a_command_that_is_not_there(void **state)
{
	(void)state;
	flush();
	wait_until(trouble() != NULL);
	assert_non_null(strstr(trouble(), "cannot be run: No such file"));
	assert_false(done());
	write_script("exit 0");
	wait_until(done());
	assert_null(trouble());
}

static void a_signalled_command_has_failed(void **state)
{
	(void)state;
	write_script("kill -9 $$");
	flush();
	wait_until(trouble() != NULL);
	assert_non_null(strstr(trouble(), "signal 9"));
}

static void a_daemon_in_the_background_of_another_session_may_stay(void **state)
{
	char text[32];
	pid_t left;

	(void)state;
	/* The script ends only when the other session is there: before, it would be one of its own. */
	write_script("setsid sh -c \"echo \\$\\$ >$d/left.new; mv $d/left.new $d/left; exec sleep 60\" & until [ -s $d/left ]; do sleep 0.01; done");
	flush();
	wait_until(done()); /* though it holds the output open */
	read_text("left", text, sizeof(text));
	left = (pid_t)strtol(text, NULL, 10);
	assert_int_equal(kill(left, 0), 0);
	kill(left, SIGKILL);
}

/* ---- its surroundings ---- */

static void it_gets_nothing_of_the_daemon(void **state)
{
	char text[4096];
	int extra = open("/dev/null", O_RDONLY); /* without close-on-exec */
	sigset_t blocked;

	(void)state;
	assert_true(extra > 2);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	setenv("CALLSIGN_SECRET", "x", 1);
	write_script("ls /proc/self/fd >$d/fds; pwd >$d/pwd; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort >$d/env; "
	             "grep -E '^(SigBlk|SigIgn|CapPrm|CapAmb|NoNewPrivs)' /proc/self/status >$d/status; umask >$d/umask");
	flush();
	wait_until(done());
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	unsetenv("CALLSIGN_SECRET");
	close(extra);
	read_text("fds", text, sizeof(text));
	assert_string_equal(text, "0\n1\n2\n3\n"); /* 3: the directory that ls reads */
	read_text("pwd", text, sizeof(text));
	assert_string_equal(text, "/\n");
	read_text("umask", text, sizeof(text));
	assert_string_equal(text, "0022\n");
	read_text("env", text, sizeof(text));
	assert_string_equal(text, "CALLSIGN_GENERATION=1\nCALLSIGN_HOOK=w\nLANG=C.UTF-8\n"
	                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
	read_text("status", text, sizeof(text));
	assert_non_null(strstr(text, "SigBlk:\t0000000000000000"));
	/* 32 and 33 are glibc's own, which make leaves ignored in what it runs, and which sigaction(3) refuses to touch. */
	assert_non_null(strstr(text, "SigIgn:"));
	assert_int_equal(strtoull(strstr(text, "SigIgn:") + 8, NULL, 16) & ~0x180000000ULL, 0);
	assert_non_null(strstr(text, "CapAmb:\t0000000000000000"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1"));
}

/* A process of our own plays the daemon and is killed while its hook runs; the next one's hook waits for the end of the first. */
static void two_never_run_at_once_even_after_a_kill(void **state)
{
	struct minder first, second;
	char *argv[] = {script, NULL}, *envp[] = {NULL};
	char lock[512], text[64];
	enum minder_result result;
	int input = open("/dev/null", O_RDONLY | O_CLOEXEC), value, ready[2];
	pid_t daemon;

	(void)state;
	snprintf(lock, sizeof(lock), "%s/.lock", directory);
	write_script("trap 'sleep 0.2; rm $d/running; exit 0' TERM; if [ -e $d/running ]; then echo >>$d/twice; fi; : >$d/running; "
	             "echo >>$d/runs; while [ ! -e $d/go ]; do sleep 0.01; done; rm $d/running");
	assert_int_equal(pipe(ready), 0);
	daemon = fork();
	if (daemon == 0) {
		(void)!write(ready[1], minder_start(&first, argv, envp, input, lock) == 0 ? "y" : "n", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], text, 1), 1);
	assert_int_equal(text[0], 'y');
	for (int64_t until_ms = clock_ms() + PATIENCE_MS; !exists("runs"); poll(NULL, 0, 5))
		assert_true(clock_ms() < until_ms);
	kill(daemon, SIGKILL);
	assert_int_equal(minder_start(&second, argv, envp, input, lock), 0);
	for (int64_t until_ms = clock_ms() + PATIENCE_MS; read_text("runs", text, sizeof(text)), strlen(text) < 2; poll(NULL, 0, 5))
		assert_true(clock_ms() < until_ms);
	waitpid(daemon, NULL, 0);
	assert_int_equal(creat(path("go"), 0600) == -1, 0);
	for (int64_t until_ms = clock_ms() + PATIENCE_MS; !minder_done(&second, &result, &value); poll(NULL, 0, 5))
		assert_true(clock_ms() < until_ms);
	assert_int_equal(result, MINDER_EXITED);
	assert_int_equal(value, 0);
	assert_false(exists("twice"));
	minder_clear(&second);
	close(input);
	close(ready[0]);
	close(ready[1]);
}

/* ---- reload ---- */

static void another_command_is_told_everything(void **state)
{
	static char other[] = "other";
	char *new_command[] = {script, other, NULL};
	struct hook_conf new_hook = own;
	struct hook_confs new_hooks = {&new_hook, 1};
	struct conf new_conf = conf;
	json_t *document;

	(void)state;
	write_script("cat >$d/out");
	kit_up(&kit, "one", 1, 1, 1, 1);
	flush();
	wait_until(done());
	assert_false(sink.operations->configure(sink.self, &conf, clock_ms()));
	flush();
	assert_true(done()); /* nothing is new */
	new_hook.command = new_command;
	new_conf.own[0] = &new_hooks;
	assert_false(sink.operations->configure(sink.self, &new_conf, clock_ms()));
	flush();
	wait_until(done());
	document = read_document("out");
	assert_true(json_is_true(json_object_get(document, "first")));
	assert_changes(document, 1, 1, 0, 0);
	json_decref(document);
	sink.operations->free(sink.self);
	sink.self = NULL;
}

static void a_reload_tries_again_at_once(void **state)
{
	(void)state;
	own.retry_ms = 3600000;
	sink.operations->configure(sink.self, &conf, clock_ms());
	write_script("exit 1");
	flush();
	for (unsigned i = 0; i < 3; i++) { /* the pauses grow */
		wait_until(trouble() != NULL && strstr(trouble(), "failed 1 ") == NULL ? true : sink.operations->deadline_ms(sink.self) >
		           clock_ms() + 500);
		sink.operations->configure(sink.self, &conf, clock_ms());
	}
	write_script("exit 0");
	sink.operations->configure(sink.self, &conf, clock_ms());
	wait_until(done());
}

/* ---- many names ---- */

#define MANY 20000

/* What we used of a processor: on a busy machine the clock tells of others. */
static int64_t thread_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void twenty_thousand_names(void **state)
{
	int64_t began_us, worst_us = 0, worst_cpu_us = 0, told_us, cpu_us;
	json_t *document;

	(void)state;
	write_script("cat >$d/out");
	began_us = clock_us();
	for (unsigned i = 1; i <= MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		kit_up(&kit, name, i, 1, 1, i);
	}
	told_us = clock_us() - began_us;
	flush();
	for (int64_t until_ms = clock_ms() + PATIENCE_MS; !done();) {
		struct pollfd fds[SINK_POLLFDS_MAX];
		int count = sink.operations->pollfds(sink.self, fds);

		assert_true(clock_ms() < until_ms);
		poll(fds, (nfds_t)count, 5);
		began_us = clock_us();
		cpu_us = thread_us();
		sink.operations->step(sink.self, fds, count, clock_ms());
		cpu_us = thread_us() - cpu_us;
		if (cpu_us > worst_cpu_us)
			worst_cpu_us = cpu_us;
		if (clock_us() - began_us > worst_us)
			worst_us = clock_us() - began_us;
	}
	print_message("%d names: %lld us to take them all in (registry and view included), at most %lld us in one step (of the processor: %lld)\n",
	              MANY, (long long)told_us, (long long)worst_us, (long long)worst_cpu_us);
	document = read_document("out");
	assert_changes(document, MANY, MANY, 0, 0);
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_run_is_told_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_table_is_told_too, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_of_a_failed_run_are_told_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_run_that_never_began_leaves_no_doubt, setup, teardown),
		cmocka_unit_test_setup_teardown(what_comes_during_a_run_waits_for_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(a_command_that_does_not_end_is_ended_with_its_group, setup, teardown),
		cmocka_unit_test_setup_teardown(a_command_that_reads_nothing_and_says_much, setup, teardown),
		cmocka_unit_test_setup_teardown(a_command_that_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(a_signalled_command_has_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_daemon_in_the_background_of_another_session_may_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(it_gets_nothing_of_the_daemon, setup, teardown),
		cmocka_unit_test_setup_teardown(two_never_run_at_once_even_after_a_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(another_command_is_told_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_tries_again_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(twenty_thousand_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
