#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/bus/subscriber.h"
#include "host/control/client.h"
#include "host/control/control.h"
#include "host/control/stream.h"
#include "host/sinks/dnsmasq/dnsmasq.h"
#include "tests/unit/hostkit.h"

/*
 * The control socket with everything behind it but a broker: what clients of every kind get, and what they cost the daemon. Time is the test's own, so
 * that no test waits for a time limit.
 */
struct lab {
	struct kit kit;
	struct conf conf;
	char directory[64], socket[96], hosts[96];
	struct refusals *refusals;
	struct subscriber *subscriber;
	struct localaddr *localaddr;
	struct dnsmasq *dnsmasq;
	struct control *control;
	struct status_changes changes;
	struct status_reloads reloads;
	uint64_t generation;
	unsigned reloaded, called;
	bool connected;
	int64_t longest_us; /* of all turns, in time of this thread */
};

static void lab_sources(void *arg, struct status_sources *out)
{
	struct lab *lab = arg;

	*out = (struct status_sources){
		.conf = &lab->conf,
		.view = lab->kit.view,
		.registry = lab->kit.registry,
		.refusals = lab->refusals,
		.subscriber = lab->subscriber,
		.dnsmasq = lab->dnsmasq,
		.generation = lab->generation,
		.served = lab->generation,
		.changes = &lab->changes,
		.reloads = &lab->reloads,
	};
}

static bool lab_reload(void *arg, int64_t now_ms)
{
	struct lab *lab = arg;

	(void)now_ms;
	return lab->reloaded++ == 0;
}

static bool lab_rollcall(void *arg, int64_t now_ms)
{
	struct lab *lab = arg;

	(void)now_ms;
	lab->called++;
	return lab->connected;
}

static size_t lab_forget(void *arg, const char *name, int64_t now_ms)
{
	struct lab *lab = arg;

	return registry_forget(lab->kit.registry, name, now_ms);
}

static int setup(void **state)
{
	static struct lab lab;
	struct registry_options options = kit_options();
	struct control_daemon daemon = {lab_sources, lab_reload, lab_rollcall, lab_forget, &lab};
	char error[BUSCONF_ERROR_SIZE];
	static char domain[] = "docker", hostname[] = "h", queue[] = "callsign.host.h", group[] = "no-such-group-here";
	static char pid_file[] = "/nonexistent/pid", url[] = "amqp://u:p@127.0.0.1:1/v";

	memset(&lab, 0, sizeof lab);
	kit_open_synced(&lab.kit, &options, VIEW_ALL);
	snprintf(lab.directory, sizeof lab.directory, "/tmp/control-test.XXXXXX");
	assert_non_null(mkdtemp(lab.directory));
	snprintf(lab.socket, sizeof lab.socket, "%s/control.sock", lab.directory);
	snprintf(lab.hosts, sizeof lab.hosts, "%s/hosts", lab.directory);
	lab.conf.domain = domain;
	lab.conf.hostname = hostname;
	lab.conf.queue.name = queue;
	lab.conf.dnsmasq = (struct conf_dnsmasq){.enabled = true, .hosts_file = lab.hosts, .pid_file = pid_file, .port = 53};
	lab.conf.control = (struct conf_control){.socket = lab.socket, .group = group};
	policy_init(&lab.conf.policy);
	kit_serve(&lab.conf.policy, "docker");
	busconf_init(&lab.conf.bus);
	assert_int_equal(busconf_add_url(&lab.conf.bus, url, error), 0);
	lab.refusals = refusals_new();
	lab.subscriber = subscriber_new(&lab.conf, lab.kit.registry, lab.refusals, lab.kit.now_ms);
	lab.localaddr = localaddr_new(lab.kit.now_ms);
	assert_non_null(lab.localaddr);
	lab.dnsmasq = dnsmasq_new(&lab.conf, lab.localaddr, lab.kit.now_ms);
	lab.control = control_new(&daemon);
	assert_true(lab.refusals && lab.subscriber && lab.dnsmasq && lab.control);
	control_configure(lab.control, &lab.conf);
	*state = &lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;
	struct sink sink = dnsmasq_sink(lab->dnsmasq);

	control_free(lab->control);
	assert_int_equal(access(lab->socket, F_OK), -1);
	sink.operations->free(sink.self);
	localaddr_free(lab->localaddr);
	subscriber_free(lab->subscriber);
	refusals_free(lab->refusals);
	busconf_clear(&lab->conf.bus);
	policy_clear(&lab->conf.policy);
	kit_close(&lab->kit);
	assert_int_equal(rmdir(lab->directory), 0);
	return 0;
}

static int64_t thread_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void turn(struct lab *lab)
{
	int64_t begin_us = thread_us(), took_us;

	control_step(lab->control, true, lab->kit.now_ms);
	control_publish(lab->control, lab->kit.now_ms);
	took_us = thread_us() - begin_us;
	lab->longest_us = took_us > lab->longest_us ? took_us : lab->longest_us;
}

static void turns(struct lab *lab, unsigned count)
{
	while (count-- > 0)
		turn(lab);
}

/* ---- clients ---- */

static int dial(struct lab *lab)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd != -1);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", lab->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#define LINE_PIECE 512 /* of a line, at once */

/* The next line, while the daemon takes its turns. NULL: the connection has ended. What stands behind it stays in the socket. */
static const char *hear(struct lab *lab, int fd)
{
	static char line[1 << 20];
	size_t used = 0;
	int left;

	for (left = 100000; left > 0; left--) {
		size_t room = sizeof line - used < LINE_PIECE ? sizeof line - used : LINE_PIECE;
		ssize_t got = recv(fd, line + used, room, MSG_PEEK);
		const char *end;

		if (got == 0 || (got == -1 && errno != EAGAIN))
			return NULL;
		if (got == -1) {
			turn(lab);
			continue;
		}
		end = memchr(line + used, '\n', (size_t)got);
		if (end != NULL)
			got = end + 1 - (line + used);
		assert_int_equal(recv(fd, line + used, (size_t)got, 0), got);
		used += (size_t)got;
		if (end != NULL) {
			line[used - 1] = '\0';
			return line;
		}
		assert_true(used < sizeof line);
	}
	fail_msg("no line came");
	return NULL;
}

static void expect(struct lab *lab, int fd, const char *part)
{
	const char *line = hear(lab, fd);

	assert_non_null(line);
	if (strstr(line, part) == NULL)
		fail_msg("\"%s\" is not in: %s", part, line);
}

/* Whether the daemon hangs up after a few turns; what it said before is thrown away. */
static bool hung_up(struct lab *lab, int fd)
{
	char buffer[65536];
	ssize_t got;
	int left;

	for (left = 100; left > 0; left--) {
		while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0)
			;
		if (got == 0 || errno == ECONNRESET || errno == EPIPE)
			return true;
		turn(lab);
	}
	return false;
}

/* count instances web-0, web-1 … as if announced. */
static void announce(struct lab *lab, unsigned first, unsigned count)
{
	char name[32];
	unsigned i;

	for (i = first; i < first + count; i++) {
		struct announcement message;

		snprintf(name, sizeof name, "web-%u", i);
		message = kit_announce(name, i, 1, 1, i % 50000 + 1);
		/* kit_instance() has room for 65,536 */
		message.instance.bytes[15] = (uint8_t)(message.instance.bytes[15] + (i >> 16));
		assert_int_equal(registry_up(lab->kit.registry, &message, "web", lab->kit.now_ms), REGISTRY_APPLIED);
		control_changed(lab->control, registry_find(lab->kit.registry, &message.instance));
	}
	view_refresh(lab->kit.view);
	lab->generation++;
}

/* ---- tests ---- */

static void answers_questions(void **state)
{
	struct lab *lab = *state;
	int fd = dial(lab);

	announce(lab, 1, 3);
	say(fd, "{\"op\":\"status\"}\n");
	expect(lab, fd, "\"instances\":3");
	say(fd, "{\"op\":\"list\",\"pattern\":\"web-2*\"}\n");
	expect(lab, fd, "{\"entry\":{\"name\":\"web-2\",\"fqdn\":\"web-2.docker\",\"state\":\"confirmed\"");
	expect(lab, fd, "{\"ok\":true,\"count\":1}");
	say(fd, "{\"op\":\"list\",\"pattern\":\"*.docker\"}\n{\"op\":\"why\",\"name\":\"WEB-1.docker.\"}\n");
	expect(lab, fd, "web-1");
	expect(lab, fd, "web-2");
	expect(lab, fd, "web-3");
	expect(lab, fd, "{\"ok\":true,\"count\":3}");
	expect(lab, fd, "\"serves_it\":true");
	close(fd);
}

static void says_what_is_wrong_with_a_request(void **state)
{
	static const struct {
		const char *line, *part;
	} rows[] = {
		{"\n", "not JSON"},
		{"[]\n", "\\\"op\\\""},
		{"{\"op\":\"dance\"}\n", "unknown op: dance"},
		{"{\"op\":\"list\",\"op\":\"list\"}\n", "duplicate"},
		{"{\"op\":\"list\",\"pattern\":7}\n", "not a string"},
		{"{\"op\":\"list\",\"pattern\":\"a b\"}\n", "not a pattern"},
		{"{\"op\":\"status\",\"name\":\"a\"}\n", "does not have"},
		{"{\"op\":\"why\"}\n", "missing"},
		{"{\"op\":\"why\",\"name\":\"-\"}\n", "hyphen"},
		{"{\"op\":\"why\",\"name\":\"a\\u0000b\"}\n", "not JSON"},
	};
	struct lab *lab = *state;
	int fd = dial(lab);
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		say(fd, rows[i].line);
		expect(lab, fd, rows[i].part);
	}
	say(fd, "{\"op\":\"status\"}\n");
	expect(lab, fd, "\"ok\":true");
	close(fd);
}

static void does_what_root_says(void **state)
{
	struct lab *lab = *state;
	int fd = dial(lab);

	if (geteuid() != 0) {
		say(fd, "{\"op\":\"reload\"}\n");
		expect(lab, fd, "denied");
		close(fd);
		return;
	}
	announce(lab, 1, 2);
	say(fd, "{\"op\":\"reload\"}\n{\"op\":\"reload\"}\n{\"op\":\"rollcall\"}\n{\"op\":\"forget\",\"name\":\"web-1\"}\n{\"op\":\"forget\",\"name\":\"web-1\"}\n");
	expect(lab, fd, "{\"ok\":true}");
	expect(lab, fd, "the old one stays in force");
	expect(lab, fd, "unavailable");
	expect(lab, fd, "\"forgotten\":1");
	expect(lab, fd, "absent");
	assert_int_equal(kit_counts(&lab->kit).facts, 1);
	close(fd);
}

/* In the child: its exit status tells whether everything that changes something was refused. */
static int child_as_nobody(struct lab *lab)
{
	static const char question[] = "{\"op\":\"forget\",\"name\":\"web-1\"}\n{\"op\":\"reload\"}\n{\"op\":\"rollcall\"}\n{\"op\":\"status\"}\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[65536] = "";
	size_t used = 0;
	ssize_t got;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), denied = 0;

	snprintf(address.sun_path, sizeof address.sun_path, "%s", lab->socket);
	if (setgid(65534) == -1 || setuid(65534) == -1 || connect(fd, (struct sockaddr *)&address, sizeof address) == -1 ||
	    send(fd, question, sizeof question - 1, 0) == -1 || shutdown(fd, SHUT_WR) == -1)
		return 100;
	while ((got = recv(fd, text + used, sizeof text - 1 - used, 0)) > 0)
		used += (size_t)got;
	for (const char *at = text; (at = strstr(at, "\"denied\"")) != NULL; at++)
		denied++;
	return strstr(text, "\"health\"") != NULL ? denied : 101;
}

static void does_not_do_what_others_say(void **state)
{
	struct lab *lab = *state;
	pid_t pid;
	int status;

	if (geteuid() != 0)
		return; /* then every other test's client is such a one */
	announce(lab, 1, 1);
	assert_int_equal(chmod(lab->directory, 0755), 0);
	assert_int_equal(chmod(lab->socket, 0666), 0);
	pid = fork();
	if (pid == 0)
		_exit(child_as_nobody(lab));
	while (waitpid(pid, &status, WNOHANG) == 0)
		turn(lab);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(lab->reloaded + lab->called, 0);
	assert_int_equal(kit_counts(&lab->kit).facts, 1);
}

static void lets_only_root_in_without_the_group(void **state)
{
	struct lab *lab = *state;
	struct stat status;

	assert_int_equal(stat(lab->socket, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

static void drops_half_a_line_after_a_minute(void **state)
{
	struct lab *lab = *state;
	int fd = dial(lab);

	turn(lab);
	say(fd, "{\"op\":");
	turns(lab, 3);
	/* A byte now and then is no request. */
	lab->kit.now_ms += CLIENT_IDLE_MS - 1;
	say(fd, "\"");
	assert_false(hung_up(lab, fd));
	assert_int_equal(control_deadline_ms(lab->control, lab->kit.now_ms), lab->kit.now_ms + 1);
	lab->kit.now_ms += 1;
	assert_true(hung_up(lab, fd));
	close(fd);
}

static void refuses_endless_lines(void **state)
{
	struct lab *lab = *state;
	char block[65536];
	size_t sent = 0;
	int fd = dial(lab);

	memset(block, 'x', sizeof block);
	while (sent < 1 << 20) {
		ssize_t wrote = send(fd, block, sizeof block, MSG_NOSIGNAL);

		if (wrote == -1 && errno != EAGAIN)
			break;
		sent += wrote > 0 ? (size_t)wrote : 0;
		turn(lab);
	}
	assert_true(sent < 1 << 20);
	assert_true(hung_up(lab, fd));
	close(fd);
	fd = dial(lab);
	memset(block, 'x', CONTROL_LINE_MAX + 1);
	assert_int_equal(send(fd, block, CONTROL_LINE_MAX + 1, 0), CONTROL_LINE_MAX + 1);
	expect(lab, fd, "longer than 4096 bytes");
	assert_null(hear(lab, fd));
	close(fd);
}

static void turns_away_too_many(void **state)
{
	struct lab *lab = *state;
	unsigned most = geteuid() == 0 ? CONTROL_CLIENTS_MAX : CONTROL_CLIENTS_OTHERS, busy = 0, i;
	int fds[100];
	char text[256];

	for (i = 0; i < 100; i++) {
		fds[i] = dial(lab);
		turn(lab);
	}
	for (i = 0; i < 100; i++)
		busy += recv(fds[i], text, sizeof text, 0) > 0 && strstr(text, "\"busy\"") != NULL;
	assert_int_equal(busy, 100 - most);
	for (i = 0; i < 100; i++)
		close(fds[i]);
	turns(lab, 10);
	fds[0] = dial(lab);
	say(fds[0], "{\"op\":\"status\"}\n");
	expect(lab, fds[0], "\"ok\":true");
	close(fds[0]);
}

static void drops_who_does_not_read(void **state)
{
	struct lab *lab = *state;
	int fd = dial(lab);

	announce(lab, 1, 5000);
	say(fd, "{\"op\":\"list\"}\n{\"op\":\"list\"}\n{\"op\":\"list\"}\n");
	turns(lab, 200);
	assert_int_equal(control_deadline_ms(lab->control, lab->kit.now_ms), lab->kit.now_ms + CLIENT_STALLED_MS);
	lab->kit.now_ms += CLIENT_STALLED_MS;
	turn(lab);
	assert_int_equal(control_deadline_ms(lab->control, lab->kit.now_ms), CLOCK_NEVER); /* nobody is left */
	close(fd);
}

static void lists_many_in_pieces(void **state)
{
	struct lab *lab = *state;
	const char *line;
	unsigned count = 0;
	int fd = dial(lab);

	announce(lab, 1, 20000);
	say(fd, "{\"op\":\"list\"}\n");
	while ((line = hear(lab, fd)) != NULL && strstr(line, "\"entry\"") != NULL)
		count++;
	assert_string_equal(line, "{\"ok\":true,\"count\":20000}");
	assert_int_equal(count, 20000);
	print_message("20,000 names listed; the longest turn took %" PRId64 " µs\n", lab->longest_us);
	close(fd);
}

static void tells_watchers(void **state)
{
	struct lab *lab = *state;
	int fd = dial(lab);
	struct fact *fact;

	announce(lab, 1, 1);
	say(fd, "{\"op\":\"watch\"}\n");
	expect(lab, fd, "\"daemon\"");
	expect(lab, fd, "{\"event\":\"list\",\"lagged\":false}");
	expect(lab, fd, "\"web-1\"");
	expect(lab, fd, "{\"event\":\"live\"");
	announce(lab, 2, 1);
	expect(lab, fd, "\"web-2\"");
	expect(lab, fd, "{\"event\":\"served\"");
	fact = kit_find(&lab->kit, 2);
	control_gone(lab->control, fact, "down");
	assert_int_equal(registry_forget(lab->kit.registry, "web-2", lab->kit.now_ms), 1);
	expect(lab, fd, "\"why\":\"down\"");
	shutdown(fd, SHUT_WR);
	assert_true(hung_up(lab, fd));
	close(fd);
}

static void lists_anew_for_who_falls_behind(void **state)
{
	struct lab *lab = *state;
	unsigned i, listed = 0;
	const char *line;
	int fd = dial(lab);

	say(fd, "{\"op\":\"watch\"}\n");
	expect(lab, fd, "\"daemon\"");
	expect(lab, fd, "\"list\"");
	expect(lab, fd, "\"live\"");
	for (i = 0; i < 40; i++) { /* a flood that nobody reads */
		announce(lab, 1 + i * 400, 400);
		turn(lab);
	}
	do {
		line = hear(lab, fd);
		assert_non_null(line);
		lab->kit.now_ms += STREAM_RELIST_MS;
	} while (strstr(line, "\"lagged\":true") == NULL);
	while ((line = hear(lab, fd)) != NULL && strstr(line, "\"live\"") == NULL)
		listed += strstr(line, "\"entry\"") != NULL;
	assert_non_null(line);
	assert_int_equal(listed, 16000);
	close(fd);
}

/* All of them at once, and somebody who only wants the status. */
static void hostile_clients_do_not_stall(void **state)
{
	struct lab *lab = *state;
	int fds[20], fd = dial(lab), worst = 0;
	unsigned i, round;

	announce(lab, 1, 20000);
	turn(lab);
	lab->longest_us = 0;
	for (i = 0; i < 20; i++) {
		fds[i] = dial(lab);
		say(fds[i], i % 4 == 0   ? "{\"op\":\"watch\"}\n"
		            : i % 4 == 1 ? "{\"op\":\"list\"}\n{\"op\":\"list\"}\n{\"op\":\"list\"}\n"
		            : i % 4 == 2 ? "{\"op\":"
		                         : "{\"op\":\"list\",\"pattern\":\"nobody\"}\n{\"op\":\"list\",\"pattern\":\"nobody\"}\n");
	}
	for (round = 0; round < 100; round++) {
		int waited = 0;

		announce(lab, 20001 + round * 100, 100);
		say(fd, "{\"op\":\"status\"}\n");
		for (turn(lab); recv(fd, &(char){0}, 1, MSG_PEEK) == -1; turn(lab))
			assert_true(++waited < 100);
		worst = waited > worst ? waited : worst;
		expect(lab, fd, "\"ok\":true");
	}
	print_message("among 20 hostile clients: status after at most %d turns; the longest turn took %" PRId64 " µs\n", worst + 1,
	              lab->longest_us);
	assert_true(worst <= 3);
	assert_true(lab->longest_us < 200000);
	for (i = 0; i < 20; i++)
		close(fds[i]);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_questions, setup, teardown),
		cmocka_unit_test_setup_teardown(says_what_is_wrong_with_a_request, setup, teardown),
		cmocka_unit_test_setup_teardown(does_what_root_says, setup, teardown),
		cmocka_unit_test_setup_teardown(does_not_do_what_others_say, setup, teardown),
		cmocka_unit_test_setup_teardown(lets_only_root_in_without_the_group, setup, teardown),
		cmocka_unit_test_setup_teardown(drops_half_a_line_after_a_minute, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_endless_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(turns_away_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(drops_who_does_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_many_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_watchers, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_anew_for_who_falls_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_clients_do_not_stall, setup, teardown),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
