#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/sinks/dnsmasq/dnsmasq.h"
#include "host/sinks/dnsmasq/dnsquery.h"
#include "host/sinks/dnsmasq/streams.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "tests/unit/child.h"
#include "tests/unit/range.h"

/* The sink against a real dnsmasq on a port of its own at 127.0.0.1. Everything is waited for with a deadline. */
#define WAIT_MS 10000
#define HEAL_MS 2000 /* promised: this long after dnsmasq's return everything is served */

static const char *const programs[] = {"/usr/sbin/dnsmasq", "/usr/bin/dnsmasq", "/usr/local/sbin/dnsmasq"};

struct lab {
	char directory[64], run[96], hosts[128], pid_file[128], conf_file[128];
	char server[16], domain[16];
	struct conf conf;
	struct localaddr *localaddr;
	struct dnsmasq *dnsmasq;
	struct sink sink;
	uint64_t generation;
	pid_t pid; /* of dnsmasq; 0: not running */
	int64_t ahead_ms; /* the sink's time is so much later than the clock: what it asks and waits for then is due in that time, too */
	struct fact fact;
	struct address address;
	struct listing listing;
};

static const char *find_program(void)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (access(programs[i], X_OK) == 0)
			return programs[i];
	return NULL;
}

static bool port_is_free(uint16_t port, int type)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	bool is_free;

	assert_true(fd >= 0);
	is_free = bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0;
	close(fd);
	return is_free;
}

/*
 * For UDP and TCP, as dnsmasq takes both. Below the ports that the kernel gives to whoever connects (ip(7), ip_local_port_range): of those one may be
 * anybody's again before dnsmasq has it, and dnsmasq then ends at once.
 */
static uint16_t free_port(void)
{
	static unsigned tried;
	uint16_t port;

	do {
		port = (uint16_t)(10000 + ((unsigned)getpid() * 16 + tried++) % 20000);
		assert_true(tried < 20000);
	} while (!port_is_free(port, SOCK_DGRAM) || !port_is_free(port, SOCK_STREAM));
	return port;
}

static void write_conf_file(struct lab *lab, const char *reads)
{
	FILE *file = fopen(lab->conf_file, "w");

	assert_non_null(file);
	fprintf(file,
		"no-resolv\nno-hosts\nlocal=/docker/"
		"\nbind-interfaces\nlisten-address=127.0.0.1\nport=%u\npid-file=%s\nuser=\n%s%s\n",
		lab->conf.dnsmasq.port, lab->pid_file, reads != NULL ? "addn-hosts=" : "", reads != NULL ? reads : "");
	assert_int_equal(fclose(file), 0);
}

static void start_dnsmasq(struct lab *lab)
{
	const char *program = find_program();

	lab->pid = fork();
	assert_true(lab->pid >= 0);
	if (lab->pid == 0) {
		char option[160];
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, STDERR_FILENO);
		snprintf(option, sizeof(option), "--conf-file=%s", lab->conf_file);
		execl(program, "dnsmasq", "-k", option, "--log-facility=-", (char *)NULL);
		_exit(127);
	}
}

static void stop_dnsmasq(struct lab *lab, int number)
{
	if (lab->pid == 0)
		return;
	kill(lab->pid, number);
	waitpid(lab->pid, NULL, 0);
	lab->pid = 0;
}

static int64_t lab_ms(const struct lab *lab)
{
	return clock_ms() + lab->ahead_ms;
}

static void open_sink(struct lab *lab)
{
	lab->dnsmasq = dnsmasq_new(&lab->conf, lab->localaddr, clock_ms());
	assert_non_null(lab->dnsmasq);
	lab->sink = dnsmasq_sink(lab->dnsmasq);
	lab->generation = 0;
}

static void restore_nothing(void *arg, const struct announcement *message, const char *user, int64_t until_ms, const struct view_held *listed)
{
	(void)listed;
	(void)arg;
	(void)message;
	(void)user;
	(void)until_ms;
}

static void flush(struct lab *lab)
{
	lab->sink.operations->flush(lab->sink.self, ++lab->generation, lab_ms(lab));
}

/* The one container of these tests gets another address. */
static void announce(struct lab *lab, unsigned address)
{
	lab->fact = (struct fact){.instance = {{1}},
				  .has_session = true,
				  .session = {{2}},
				  .user = "web",
				  .name = "box",
				  .naddresses = 1,
				  .addresses = &lab->address};
	lab->address = (struct address){4, {198, 18, (uint8_t)(address >> 8), (uint8_t)address}};
	lab->listing = (struct listing){.fact = &lab->fact, .names = 1, .addresses = 1};
	lab->sink.operations->listing(lab->sink.self, &lab->listing, true);
	flush(lab);
}

/* The file has the address that announce() gave. */
static bool file_has(const struct lab *lab, unsigned address)
{
	char wanted[32], line[512];
	bool found = false;
	FILE *file = fopen(lab->hosts, "r");

	assert_non_null(file);
	snprintf(wanted, sizeof(wanted), "198.18.%u.%u ", address >> 8 & 255, address & 255);
	while (fgets(line, sizeof(line), file) != NULL)
		found |= strncmp(line, wanted, strlen(wanted)) == 0;
	fclose(file);
	return found;
}

/* One turn of a loop, at most until end_ms. */
static void turn(struct lab *lab, int64_t end_ms)
{
	struct pollfd fds[SINK_POLLFDS_MAX];
	int count = lab->sink.operations->pollfds(lab->sink.self, fds);
	int64_t due_ms = lab->sink.operations->deadline_ms(lab->sink.self);

	assert_true(count <= SINK_POLLFDS_MAX);
	poll(fds, (nfds_t)count, clock_poll_timeout(lab_ms(lab), due_ms < end_ms ? due_ms : end_ms));
	lab->sink.operations->step(lab->sink.self, fds, count, lab_ms(lab));
}

static bool is_served(struct lab *lab)
{
	return lab->sink.operations->served(lab->sink.self) == lab->generation;
}

static const char *trouble(const struct lab *lab)
{
	return lab->sink.operations->trouble(lab->sink.self);
}

static bool is_at_rest(struct lab *lab)
{
	return lab->sink.operations->deadline_ms(lab->sink.self) == CLOCK_NEVER;
}

/* Until everything is served, nothing is wrong and nothing is being asked. Returns how long it took. */
static int64_t wait_served(struct lab *lab)
{
	int64_t start_ms = lab_ms(lab);

	while (!is_served(lab) || trouble(lab) != NULL || !is_at_rest(lab)) {
		if (lab_ms(lab) > start_ms + WAIT_MS)
			fail_msg("not served: %s", trouble(lab) != NULL ? trouble(lab) : "no trouble known");
		turn(lab, start_ms + WAIT_MS + 1);
	}
	return lab_ms(lab) - start_ms;
}

static void wait_trouble(struct lab *lab, const char *text)
{
	int64_t start_ms = lab_ms(lab);

	while (trouble(lab) == NULL || strstr(trouble(lab), text) == NULL) {
		if (lab_ms(lab) > start_ms + WAIT_MS)
			fail_msg("\"%s\" is not said, but: %s", text, trouble(lab) != NULL ? trouble(lab) : "nothing");
		turn(lab, start_ms + WAIT_MS + 1);
	}
}

static void assert_at_rest(struct lab *lab)
{
	struct pollfd fds[SINK_POLLFDS_MAX];

	assert_true(is_at_rest(lab));
	assert_int_equal(lab->sink.operations->pollfds(lab->sink.self, fds), 1); /* the process's end */
}

static struct dnsmasq_stats stats(const struct lab *lab)
{
	struct dnsmasq_stats out;

	dnsmasq_stats(lab->dnsmasq, &out);
	return out;
}

static int open_lab(void **state)
{
	static struct lab lab;

	memset(&lab, 0, sizeof(lab));
	/* As on a host, where the file is in /run: on a disk each write waits for it. */
	snprintf(lab.directory, sizeof(lab.directory), "%s/callsign-dnsmasq-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(lab.directory) == NULL || chmod(lab.directory, 0755) < 0)
		return -1;
	snprintf(lab.run, sizeof(lab.run), "%s/run", lab.directory);
	snprintf(lab.hosts, sizeof(lab.hosts), "%s/hosts", lab.run);
	snprintf(lab.pid_file, sizeof(lab.pid_file), "%s/pid", lab.directory);
	snprintf(lab.conf_file, sizeof(lab.conf_file), "%s/conf", lab.directory);
	snprintf(lab.server, sizeof(lab.server), "127.0.0.1");
	snprintf(lab.domain, sizeof(lab.domain), "docker");
	lab.conf.domain = lab.domain;
	lab.conf.dnsmasq = (struct conf_dnsmasq){.enabled = true, .hosts_file = lab.hosts, .pid_file = lab.pid_file, .server = lab.server, .port = free_port()};
	write_conf_file(&lab, lab.hosts);
	lab.localaddr = localaddr_new(clock_ms());
	assert_non_null(lab.localaddr);
	open_sink(&lab);
	dnsmasq_restore(lab.dnsmasq, restore_nothing, NULL);
	*state = &lab;
	return 0;
}

static int close_lab(void **state)
{
	struct lab *lab = *state;

	stop_dnsmasq(lab, SIGTERM);
	lab->sink.operations->free(lab->sink.self);
	localaddr_free(lab->localaddr);
	unlink(lab->hosts);
	rmdir(lab->run);
	unlink(lab->run);
	unlink(lab->pid_file);
	unlink(lab->conf_file);
	return rmdir(lab->directory);
}

static void start_serving(struct lab *lab)
{
	announce(lab, 1);
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), lab->generation);
	start_dnsmasq(lab);
	wait_served(lab);
}

static void a_dnsmasq_that_starts_later_is_found(void **state)
{
	struct lab *lab = *state;

	announce(lab, 1); /* the directory of the file is made, too */
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), 1);
	wait_trouble(lab, "does not exist");
	assert_false(is_served(lab));
	start_dnsmasq(lab);
	assert_true(wait_served(lab) < HEAL_MS);
	assert_int_equal(stats(lab).signals, 0); /* it has read the newest file at its start */
	assert_at_rest(lab);
}

static void a_change_is_served_and_its_time_known(void **state)
{
	struct lab *lab = *state;
	int64_t start_us, stored_us;

	start_serving(lab);
	for (unsigned i = 2; i < 12; i++) {
		start_us = clock_us();
		announce(lab, i);
		assert_int_equal(stats(lab).stored, lab->generation);
		stored_us = stats(lab).stored_us;
		assert_true(stored_us >= start_us && stored_us <= clock_us());
		wait_served(lab);
		assert_int_equal(stats(lab).stored_us, stored_us);
		print_message("served after %.1f ms\n", (double)(clock_us() - start_us) / 1000);
	}
	assert_int_equal(stats(lab).signals, 10);
	assert_int_equal(stats(lab).reloads, 10);
	assert_int_equal(stats(lab).written_serial, stats(lab).served_serial);
	assert_at_rest(lab);
}

static void a_change_of_session_alone_needs_no_signal(void **state)
{
	struct lab *lab = *state;
	struct dnsmasq_stats before;

	start_serving(lab);
	before = stats(lab);
	lab->fact.session.bytes[0]++;
	lab->fact.origin++;
	lab->sink.operations->listing(lab->sink.self, &lab->listing, false);
	flush(lab);
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), lab->generation);
	assert_true(is_served(lab));
	assert_int_equal(stats(lab).signals, before.signals);
	assert_int_equal(stats(lab).writes, before.writes + 1);
	assert_int_equal(stats(lab).written_serial, before.written_serial);
	assert_at_rest(lab);
}

static void a_batch_without_change_is_stored_and_served_at_once(void **state)
{
	struct lab *lab = *state;
	struct dnsmasq_stats before;

	start_serving(lab);
	before = stats(lab);
	flush(lab);
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), lab->generation);
	assert_true(is_served(lab));
	assert_int_equal(stats(lab).writes, before.writes);
}

static void a_killed_dnsmasq_is_noticed_and_its_return_too(void **state)
{
	struct lab *lab = *state;

	start_serving(lab);
	stop_dnsmasq(lab, SIGKILL); /* its pid file stays */
	wait_trouble(lab, "has ended");
	announce(lab, 2);
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), lab->generation);
	assert_false(is_served(lab));
	start_dnsmasq(lab);
	assert_true(wait_served(lab) < HEAL_MS);
	assert_int_equal(stats(lab).signals, 0);
	assert_at_rest(lab);
}

/* The last dnsmasq's answer was taken for one of today: an emitter with --wait was told that its name resolves while nobody answered. */
static void what_an_ended_dnsmasq_served_is_served_no_more(void **state)
{
	struct lab *lab = *state;

	start_serving(lab);
	stop_dnsmasq(lab, SIGKILL);
	wait_trouble(lab, "has ended");
	assert_int_equal(stats(lab).served_serial, HOSTSFILE_SERIAL_NONE);
	flush(lab);
	assert_false(is_served(lab));
	start_dnsmasq(lab);
	assert_true(wait_served(lab) < HEAL_MS);
}

/* So many addresses of one name are in the file as dnsmasq reads it. */
static size_t lines_of(const struct lab *lab, const char *name)
{
	char line[512], *at;
	size_t count = 0;
	FILE *file = fopen(lab->hosts, "r");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		at = strchr(line, '#');
		if (at != NULL)
			*at = '\0';
		count += strstr(line, name) != NULL;
	}
	fclose(file);
	return count;
}

static void step_at(struct lab *lab, int64_t now_ms)
{
	lab->sink.operations->step(lab->sink.self, NULL, 0, now_ms);
}

/* Others of them after a minute, and no sooner; nothing is due once there are few again. */
static void a_name_with_too_many_addresses_is_served_in_turn(void **state)
{
	enum { COUNT = 40 };
	struct lab *lab = *state;
	static struct fact facts[COUNT];
	static struct address addresses[COUNT];
	struct listing listing;
	int64_t before_ms, due_ms;
	struct crowd crowd;
	uint64_t writes;

	before_ms = clock_ms();
	for (unsigned i = 0; i < COUNT; i++) {
		addresses[i] = (struct address){4, {198, 18, 7, (uint8_t)(1 + i)}};
		facts[i] = (struct fact){.instance = {{[15] = (uint8_t)(1 + i)}}, .has_session = true, .session = {{2}}, .user = "web",
		                         .name = "web", .naddresses = 1, .addresses = &addresses[i]};
		listing = (struct listing){.fact = &facts[i], .names = 1, .addresses = 1, .crowded = 1};
		lab->sink.operations->listing(lab->sink.self, &listing, true);
	}
	flush(lab);
	start_dnsmasq(lab);
	/* It may answer before its pid file is there: then it is asked once more as soon as it is found, and served are those that it says then. */
	while (stats(lab).served_serial != stats(lab).written_serial || trouble(lab) != NULL) {
		assert_true(clock_ms() < before_ms + WAIT_MS);
		turn(lab, before_ms + WAIT_MS);
	}
	assert_true(is_served(lab));
	assert_int_equal(lines_of(lab, "web.docker"), 30);
	assert_int_equal(stats(lab).in_turn, 1);
	assert_true(dnsmasq_in_turn(lab->dnsmasq, 4, "web.docker", &crowd));
	assert_int_equal(crowd.count, COUNT);
	assert_false(dnsmasq_in_turn(lab->dnsmasq, 6, "web.docker", &crowd));
	assert_true(file_has(lab, 7 << 8 | 30));
	assert_false(file_has(lab, 7 << 8 | 31));
	due_ms = lab->sink.operations->deadline_ms(lab->sink.self);
	assert_true(due_ms >= before_ms + 55000 && due_ms <= clock_ms() + 60000);
	writes = stats(lab).writes;
	step_at(lab, due_ms - 1);
	assert_int_equal(stats(lab).writes, writes);
	lab->ahead_ms = due_ms - clock_ms();
	step_at(lab, due_ms);
	step_at(lab, due_ms + 50); /* dnsmasq may have been told a moment ago */
	assert_int_equal(stats(lab).writes, writes + 1);
	assert_int_equal(lines_of(lab, "web.docker"), 30);
	assert_true(file_has(lab, 7 << 8 | 31));
	assert_false(file_has(lab, 7 << 8 | 21));
	for (unsigned i = 0; i < COUNT / 2; i++)
		lab->sink.operations->gone(lab->sink.self, &(struct listing){.fact = &facts[i]});
	flush(lab);
	wait_served(lab);
	assert_int_equal(lines_of(lab, "web.docker"), COUNT / 2);
	assert_int_equal(stats(lab).in_turn, 0);
}

static void write_pid_file(const struct lab *lab, const char *text)
{
	FILE *file = fopen(lab->pid_file, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void another_program_is_named_and_never_signalled(void **state)
{
	struct lab *lab = *state;
	char text[32];
	pid_t victim = child_start("innocent", SIGHUP, SIG_DFL); /* this test's own name is dnsmasq, too */
	int status;

	snprintf(text, sizeof(text), "%ld\n", (long)victim);
	write_pid_file(lab, text);
	announce(lab, 1);
	wait_trouble(lab, "not dnsmasq");
	announce(lab, 2);
	write_pid_file(lab, "");
	wait_trouble(lab, "is empty");
	write_pid_file(lab, "0\n");
	wait_trouble(lab, "does not hold a process number");
	assert_int_equal(stats(lab).signals, 0);
	assert_int_equal(waitpid(victim, &status, WNOHANG), 0);
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	start_dnsmasq(lab);
	assert_true(wait_served(lab) < HEAL_MS);
}

/* ---- a connection over TCP ---- */

static int open_stream(const struct lab *lab)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(lab->conf.dnsmasq.port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

/* The one address that it has for box, 0 if it knows no such name. Each message has its length before it (RFC 1035, section 4.2.2). */
static uint32_t ask_stream(int fd)
{
	uint8_t message[2 + DNSQUERY_ANSWER_SIZE];
	struct dnsquery_answer answer;
	int length = dnsquery_build(7, "box.docker", message + 2);
	enum dnsquery_result result;

	assert_true(length > 0);
	message[0] = 0;
	message[1] = (uint8_t)length;
	assert_int_equal(write(fd, message, (size_t)length + 2), length + 2);
	assert_int_equal(recv(fd, message, 2, MSG_WAITALL), 2);
	length = message[0] << 8 | message[1];
	assert_true((size_t)length <= DNSQUERY_ANSWER_SIZE);
	assert_int_equal(recv(fd, message + 2, (size_t)length, MSG_WAITALL), length);
	result = dnsquery_parse(message + 2, (size_t)length, 7, "box.docker", &answer);
	if (result == DNSQUERY_NO_NAME)
		return 0;
	assert_int_equal(result, DNSQUERY_ANSWERED);
	assert_int_equal(answer.naddresses, 1);
	return answer.addresses[0];
}

static bool is_closed(int fd, int timeout_ms)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&pollfd, 1, timeout_ms) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static void run_for(struct lab *lab, int64_t ms)
{
	int64_t end_ms = lab_ms(lab) + ms;

	while (lab_ms(lab) < end_ms)
		turn(lab, end_ms);
}

static void a_dnsmasq_that_does_not_read_the_file_is_told_apart(void **state)
{
	struct lab *lab = *state;
	int64_t start_ms;
	int fd;

	write_conf_file(lab, NULL);
	announce(lab, 1);
	start_dnsmasq(lab);
	wait_trouble(lab, "add addn-hosts=");
	fd = open_stream(lab);
	start_ms = clock_ms();
	while (clock_ms() < start_ms + 3000)
		turn(lab, start_ms + 3000);
	assert_int_in_range(stats(lab).signals, 1, 4); /* it costs one SIGHUP in 2 s, no more */
	assert_false(is_closed(fd, 0));                /* nor anybody's connection: it has read nothing */
	close(fd);
	stop_dnsmasq(lab, SIGTERM);
	write_conf_file(lab, lab->hosts);
	start_dnsmasq(lab);
	assert_true(wait_served(lab) < HEAL_MS);
}

static void a_dnsmasq_elsewhere_is_told_apart(void **state)
{
	struct lab *lab = *state;
	uint16_t port = lab->conf.dnsmasq.port;
	int fd;

	announce(lab, 1);
	start_dnsmasq(lab);
	wait_served(lab);
	fd = open_stream(lab);
	lab->conf.dnsmasq.port = free_port();
	announce(lab, 2);
	wait_trouble(lab, "does not answer at 127.0.0.1 port");
	assert_int_in_range(stats(lab).signals, 1, 3);
	run_for(lab, STREAMS_GRACE_MS + 100);
	assert_true(is_closed(fd, 0)); /* it will have read the file all the same */
	close(fd);
	lab->conf.dnsmasq.port = port;
	assert_true(wait_served(lab) < HEAL_MS);
	assert_at_rest(lab);
}

static void a_file_that_cannot_be_written_is_written_later(void **state)
{
	struct lab *lab = *state;
	int fd = open(lab->run, O_CREAT | O_WRONLY, 0600); /* where its directory should be */

	assert_true(fd >= 0);
	close(fd);
	announce(lab, 1);
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), 0);
	wait_trouble(lab, "cannot be written");
	announce(lab, 2);
	assert_int_equal(unlink(lab->run), 0);
	start_dnsmasq(lab);
	assert_true(wait_served(lab) < HEAL_MS);
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), lab->generation);
	/* The directory goes while all is well: made again by the next change. */
	assert_int_equal(unlink(lab->hosts), 0);
	assert_int_equal(rmdir(lab->run), 0);
	announce(lab, 3);
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), lab->generation);
	wait_served(lab);
}

static void a_storm_of_changes_is_paced(void **state)
{
	struct lab *lab = *state;
	int64_t start_us;

	start_serving(lab);
	start_us = clock_us();
	for (unsigned i = 0; i < 2000; i++) {
		announce(lab, i + 2);
		turn(lab, clock_ms());
	}
	wait_served(lab);
	print_message("2000 changes in %.0f ms: signals=%llu reloads=%llu mean reload %.2f ms\n",
		      (double)(clock_us() - start_us) / 1000, (unsigned long long)stats(lab).signals,
		      (unsigned long long)stats(lab).reloads,
		      (double)stats(lab).sum_reload_us / 1000 / (double)stats(lab).reloads);
	assert_true(stats(lab).signals < 2000);
	/* Changes that dnsmasq may not be told of yet share a write. */
	assert_true(stats(lab).writes < 2000);
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), lab->generation);
	assert_int_equal(stats(lab).served_serial, stats(lab).written_serial);
	assert_at_rest(lab);
}

/* dnsmasq is told nothing more for a while after a storm; acks may not wait for that. */
static void a_change_in_a_storm_is_stored_soon(void **state)
{
	struct lab *lab = *state;
	int64_t begin_ms;

	start_serving(lab);
	for (unsigned i = 0; stats(lab).writes == stats(lab).signals && i < 100000; i++) {
		announce(lab, i + 2);
		turn(lab, clock_ms());
	}
	announce(lab, 1);
	begin_ms = clock_ms();
	while (lab->sink.operations->stored(lab->sink.self) < lab->generation)
		turn(lab, clock_ms());
	assert_int_in_range(clock_ms() - begin_ms, 0, 200);
	wait_served(lab);
}

/* Its next reload takes this long. */
static void reload_slowly(struct lab *lab, unsigned address, int64_t ms)
{
	int64_t end_ms = clock_ms() + ms;

	kill(lab->pid, SIGSTOP);
	announce(lab, address);
	while (clock_ms() < end_ms)
		turn(lab, end_ms);
	kill(lab->pid, SIGCONT);
	wait_served(lab);
}

/* A change that waits for the next SIGHUP goes with it, also if that one was due for an older change anyway. */
static void what_waits_for_a_signal_goes_with_it(void **state)
{
	struct lab *lab = *state;
	uint64_t signals;
	int64_t due_ms;

	start_serving(lab);
	/* With the fourth their time counts, and it is more than was saved. */
	for (unsigned i = 2; i < 6; i++)
		reload_slowly(lab, i, 100);
	signals = stats(lab).signals;
	announce(lab, 7);
	while (lab->sink.operations->stored(lab->sink.self) < lab->generation)
		turn(lab, clock_ms() + 1);
	assert_int_equal(stats(lab).signals, signals);
	due_ms = lab->sink.operations->deadline_ms(lab->sink.self);
	poll(NULL, 0, clock_poll_timeout(clock_ms(), due_ms - 10)); /* or a little longer: then 8 is written and signalled at once */
	announce(lab, 8);
	while (stats(lab).signals == signals)
		turn(lab, clock_ms() + WAIT_MS);
	assert_int_equal(lab->sink.operations->stored(lab->sink.self), lab->generation);
	assert_true(file_has(lab, 8));
	wait_served(lab);
	assert_int_equal(stats(lab).signals, signals + 1);
}

/* What waited to be written with more is in the file that the next daemon finds. */
static void an_end_loses_no_change(void **state)
{
	struct lab *lab = *state;
	unsigned i;

	start_serving(lab);
	for (i = 2; lab->sink.operations->stored(lab->sink.self) == lab->generation && i < 100000; i++)
		announce(lab, i);
	lab->sink.operations->free(lab->sink.self);
	assert_true(file_has(lab, i - 1));
	open_sink(lab);
	dnsmasq_restore(lab->dnsmasq, restore_nothing, NULL);
	flush(lab);
}

/* The next daemon goes on where the last one stopped. */
static void a_restart_continues_the_serial(void **state)
{
	struct lab *lab = *state;
	uint32_t serial;

	start_serving(lab);
	serial = stats(lab).written_serial;
	lab->sink.operations->free(lab->sink.self);
	open_sink(lab);
	dnsmasq_restore(lab->dnsmasq, restore_nothing, NULL);
	flush(lab);
	wait_served(lab);
	assert_int_equal(stats(lab).written_serial, hostsfile_serial_next(serial));
}

/* A daemon that comes back to what the one before has left, and knows the same by then. */
static void restart(struct lab *lab)
{
	lab->sink.operations->free(lab->sink.self);
	open_sink(lab);
	dnsmasq_restore(lab->dnsmasq, restore_nothing, NULL);
	announce(lab, 1);
}

/* dnsmasq answers nobody while it reads a hundred thousand names that it has read already. */
static void a_restart_with_the_same_names_needs_no_signal(void **state)
{
	struct lab *lab = *state;
	struct stat before, after;
	uint32_t serial;

	start_serving(lab);
	serial = stats(lab).written_serial;
	assert_int_equal(stat(lab->hosts, &before), 0);
	restart(lab);
	wait_served(lab);
	assert_int_equal(stats(lab).written_serial, serial);
	assert_int_equal(stats(lab).signals, 0);
	assert_int_equal(stat(lab->hosts, &after), 0);
	assert_true(before.st_ino == after.st_ino && stats(lab).writes == 0);
	announce(lab, 2);
	wait_served(lab);
	assert_int_equal(stats(lab).written_serial, hostsfile_serial_next(serial));
	assert_int_equal(stats(lab).signals, 1);
}

/* dnsmasq was told of an older one, or of none, by the daemon that ended. */
static void a_restart_tells_a_dnsmasq_that_has_not_read_the_file(void **state)
{
	struct lab *lab = *state;
	uint32_t serial;

	start_serving(lab);
	announce(lab, 2);
	announce(lab, 1);
	while (lab->sink.operations->stored(lab->sink.self) != lab->generation)
		turn(lab, clock_ms() + WAIT_MS);
	assert_true(file_has(lab, 1));
	serial = stats(lab).written_serial;
	restart(lab);
	wait_served(lab);
	assert_int_equal(stats(lab).written_serial, serial);
	assert_int_equal(stats(lab).served_serial, serial);
}

/* The daemon before has written the reverse zones, and ended before it could tell of them: dnsmasq reads them with the hosts file, at a signal. */
static void a_restart_tells_of_reverse_zones_that_nobody_was_told_of(void **state)
{
	struct lab *lab = *state;
	struct timespec later[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
	char path[160];
	struct stat status;
	uint32_t serial;

	start_serving(lab);
	serial = stats(lab).written_serial;
	snprintf(path, sizeof(path), "%s/reverse", lab->run);
	assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
	assert_int_equal(stat(lab->hosts, &status), 0);
	later[1] = status.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, path, later, 0), 0);
	restart(lab);
	assert_int_equal(stats(lab).written_serial, serial);
	later[1].tv_sec++;
	assert_int_equal(utimensat(AT_FDCWD, path, later, 0), 0);
	restart(lab);
	wait_served(lab);
	assert_int_equal(stats(lab).written_serial, hostsfile_serial_next(serial));
	assert_int_equal(stats(lab).signals, 1);
	assert_int_equal(unlink(path), 0);
}

/* A file that dnsmasq cannot read, or that somebody has put a line into. */
static void a_restart_heals_the_file(void **state)
{
	struct lab *lab = *state;
	struct stat status;
	uint32_t serial;
	FILE *file;

	start_serving(lab);
	serial = stats(lab).written_serial;
	assert_int_equal(chmod(lab->hosts, 0600), 0);
	restart(lab);
	wait_served(lab);
	assert_int_equal(stats(lab).written_serial, hostsfile_serial_next(serial));
	assert_int_equal(stat(lab->hosts, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	file = fopen(lab->hosts, "a");
	assert_non_null(file);
	fputs("198.18.9.9 planted\n", file);
	fclose(file);
	restart(lab);
	wait_served(lab);
	assert_int_equal(stats(lab).written_serial, hostsfile_serial_next(hostsfile_serial_next(serial)));
	assert_false(file_has(lab, 9 << 8 | 9));
}

/* ---- connections that are kept ---- */

/* Whoever keeps one is told nothing that is not so any more: this dnsmasq's own process for it would do for 150 s. */
static void a_connection_that_is_kept_ends_with_a_change(void **state)
{
	struct lab *lab = *state;
	int asked, silent, later;

	start_serving(lab);
	asked = open_stream(lab);
	silent = open_stream(lab);
	assert_int_equal(ask_stream(asked), 0xc6120001);
	run_for(lab, STREAMS_GRACE_MS + 100);
	assert_at_rest(lab);
	assert_int_equal(ask_stream(asked), 0xc6120001); /* without a change they stay, however old */
	announce(lab, 2);
	wait_served(lab);
	assert_true(is_closed(asked, 1000));
	assert_true(is_closed(silent, 1000));
	assert_int_equal(stats(lab).streams_ended, 2);
	assert_at_rest(lab);
	later = open_stream(lab);
	assert_int_equal(ask_stream(later), 0xc6120002);
	run_for(lab, 100);
	assert_int_equal(ask_stream(later), 0xc6120002);
	assert_int_equal(stats(lab).streams_ended, 2);
	close(asked);
	close(silent);
	close(later);
}

static void a_connection_of_just_now_is_left_its_time(void **state)
{
	struct lab *lab = *state;
	int64_t open_ms;
	int fd;

	start_serving(lab);
	fd = open_stream(lab);
	assert_int_equal(ask_stream(fd), 0xc6120001);
	open_ms = lab_ms(lab);
	announce(lab, 2);
	while (!is_served(lab))
		turn(lab, lab_ms(lab) + 10);
	assert_false(is_closed(fd, 0));
	assert_false(is_at_rest(lab));
	/* Many changes do not put its end off. */
	for (unsigned i = 3; !is_closed(fd, 0); i++) {
		assert_true(lab_ms(lab) < open_ms + STREAMS_GRACE_MS + WAIT_MS);
		announce(lab, i);
		run_for(lab, 50);
	}
	assert_true(lab_ms(lab) >= open_ms + STREAMS_GRACE_MS - 20);
	print_message("ended after %d ms\n", (int)(lab_ms(lab) - open_ms));
	assert_int_equal(stats(lab).streams_ended, 1);
	wait_served(lab);
	close(fd);
}

/* A daemon that was started anew cannot know what its predecessor has told dnsmasq, and whom it left. */
static void a_restart_ends_what_its_predecessor_left(void **state)
{
	struct lab *lab = *state;
	int fd;

	start_serving(lab);
	fd = open_stream(lab);
	assert_int_equal(ask_stream(fd), 0xc6120001);
	restart(lab);
	wait_served(lab); /* at rest: the connection was old enough at last */
	assert_true(is_closed(fd, 1000));
	assert_int_equal(stats(lab).streams_ended, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_dnsmasq_that_starts_later_is_found, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_change_is_served_and_its_time_known, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_change_of_session_alone_needs_no_signal, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(what_an_ended_dnsmasq_served_is_served_no_more, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_name_with_too_many_addresses_is_served_in_turn, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_batch_without_change_is_stored_and_served_at_once, open_lab,
						close_lab),
		cmocka_unit_test_setup_teardown(a_killed_dnsmasq_is_noticed_and_its_return_too, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(another_program_is_named_and_never_signalled, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_dnsmasq_that_does_not_read_the_file_is_told_apart, open_lab,
						close_lab),
		cmocka_unit_test_setup_teardown(a_dnsmasq_elsewhere_is_told_apart, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_written_is_written_later, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_storm_of_changes_is_paced, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_change_in_a_storm_is_stored_soon, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(what_waits_for_a_signal_goes_with_it, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(an_end_loses_no_change, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_restart_continues_the_serial, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_restart_with_the_same_names_needs_no_signal, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_restart_tells_a_dnsmasq_that_has_not_read_the_file, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_restart_tells_of_reverse_zones_that_nobody_was_told_of, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_restart_heals_the_file, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_connection_that_is_kept_ends_with_a_change, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_connection_of_just_now_is_left_its_time, open_lab, close_lab),
		cmocka_unit_test_setup_teardown(a_restart_ends_what_its_predecessor_left, open_lab, close_lab),
	};

	if (find_program() == NULL) {
		print_message("SKIPPED: dnsmasq is not installed\n");
		return getenv("CI") != NULL ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
