/* Containers as the agent keeps them: their end, and the hooks that wait for their names. With processes of the test's own; as root only. */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <utlist.h>

#include "container/agent/agent_parts.h"
#include "container/agent/hookwire.h"
#include "container/agent/process.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/exact.h"
#include "tests/unit/range.h"

#define CONFIG "{\"hostname\":\"web\",\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]}}"

static char folder[] = "/tmp/callsign-wards.XXXXXX";
static struct agentconf conf;
static struct agent agent;

/* A broker that is not there: nothing is ever sent. */
static void begin(bool wait)
{
	static char hostname[] = "{hostname}";
	static char *names[] = {hostname};
	char error[BUSCONF_ERROR_SIZE], state[sizeof(folder) + 8];
	bool fresh;

	memset(&conf, 0, sizeof(conf));
	busconf_init(&conf.bus);
	assert_int_equal(busconf_set_urls(&conf.bus, "amqp://a:b@127.0.0.1:1/v", error), 0);
	snprintf(conf.host, sizeof(conf.host), "h");
	conf.names.texts = names;
	conf.names.count = 1;
	conf.renew_s = 120;
	conf.wait = wait;
	snprintf(state, sizeof(state), "%s/state", folder);
	agent = (struct agent){.conf = &conf, .epoll = epoll_create1(EPOLL_CLOEXEC), .door = -1, .now_ms = clock_ms()};
	agent_wait_begin(&agent);
	agent.network = process_network(getpid());
	agent.folder = keep_open(state, &fresh);
	agent.errands = errands_open();
	assert_non_null(agent.errands);
	assert_true(agent.folder >= 0 && agent.epoll >= 0);
	assert_int_equal(agent_connect(&agent), 0);
}

static void finish(void)
{
	assert_null(agent.wards);
	assert_int_equal(agent.nleaving, 0);
	assert_null(agent.readings);
	errands_close(agent.errands);
	for (size_t i = 0; i < agent.nchoruses; i++)
		chorus_free(agent.choruses[i]);
	free(agent.choruses);
	close(agent.epoll);
	close(agent.folder);
	busconf_clear(&conf.bus);
}

static bool run_ip(const char *const words[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execvp("ip", (char *const *)(uintptr_t)words);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define IP(...) run_ip((const char *const[]){"ip", __VA_ARGS__, NULL})

static bool add_address(void)
{
	return IP("link", "add", "veth0", "type", "veth", "peer", "name", "veth1") && IP("link", "set", "veth1", "up") &&
	       IP("link", "set", "veth0", "up") && IP("address", "add", "198.18.0.7/24", "dev", "veth0");
}

/* A process in a network of its own, with an address there if the machine can make one. */
static pid_t make_container(bool *addressed)
{
	int ready[2];
	char made = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		made = unshare(CLONE_NEWNET) == -1 ? 'n' : add_address() ? 'a' : 'o';
		if (write(ready[1], &made, 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &made, 1), 1);
	close(ready[0]);
	*addressed = made == 'a';
	if (made != 'n')
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

static void end_container(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static size_t ends_seen(void)
{
	struct epoll_event events[8];
	int count = epoll_wait(agent.epoll, events, COUNT(events), 0);
	size_t ends = 0;

	for (int i = 0; i < count; i++) {
		if ((events[i].data.u64 & 3) == MARK_END)
			ends++;
	}
	return ends;
}

/* The hook's own descriptor is the same open file: an epoll set tells of it until both are closed. */
static void its_end_is_told_once_though_the_hook_still_has_the_pidfd(void **state)
{
	const struct naming naming = {.name = "web"};
	bool addressed;
	struct ward *ward;
	pid_t pid;
	int pidfd, hooks;

	(void)state;
	if (geteuid() != 0 || (pid = make_container(&addressed)) == -1)
		skip();
	begin(false);
	pidfd = process_open(pid);
	hooks = dup(pidfd);
	assert_true(hooks >= 0);
	ward = agent_add(&agent, "c1", pid, process_start(pid), pidfd, &naming, NULL);
	assert_non_null(ward);
	assert_int_equal(ends_seen(), 0);
	end_container(pid);
	assert_int_equal(ends_seen(), 1);
	agent_end(&agent, ward);
	agent_sweep(&agent);
	assert_int_equal(ends_seen(), 0);
	close(hooks);
	finish();
}

/* It stayed without a name until it was started anew. */
static void whose_network_cannot_be_looked_into_is_looked_at_again(void **state)
{
	const struct naming naming = {.name = "web"};
	struct rlimit before;
	bool addressed;
	struct ward *ward;
	pid_t pid;
	int pidfd;

	(void)state;
	if (geteuid() != 0 || (pid = make_container(&addressed)) == -1)
		skip();
	begin(false);
	pidfd = process_open(pid);
	leave_descriptors(0, &before);
	ward = agent_add(&agent, "c1", pid, process_start(pid), pidfd, &naming, NULL);
	assert_non_null(ward);
	assert_true(addrwatch_is_lost(ward->watch));
	assert_int_in_range(agent.lost_at_ms, agent.now_ms, agent.now_ms + 1000);
	agent.now_ms = agent.lost_at_ms;
	agent_follow_lost(&agent);
	assert_true(addrwatch_is_lost(ward->watch));
	assert_int_in_range(agent.lost_at_ms, agent.now_ms + 750, agent.now_ms + 2000);
	assert_int_equal(ward->singer.announcer.self.naddresses, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	agent.now_ms = agent.lost_at_ms;
	agent_follow_lost(&agent);
	assert_int_equal(agent.lost_at_ms, CLOCK_NEVER);
	while (addrwatch_is_lost(ward->watch)) {
		struct epoll_event event;

		assert_int_equal(epoll_wait(agent.epoll, &event, 1, 1000), 1);
		assert_int_equal(event.data.u64, (uint64_t)(uintptr_t)ward | MARK_NETWORK);
		agent_follow(&agent, ward);
	}
	assert_int_equal(ward->singer.announcer.self.naddresses, addressed);
	assert_true(place_known(&ward->singer.announcer.self.place));
	end_container(pid);
	assert_int_equal(ends_seen(), 1);
	agent_end(&agent, ward);
	agent_sweep(&agent);
	finish();
}

/* What all of them lack may last, and the loop has others to look after. */
static void of_many_that_cannot_be_looked_into_a_few_are_tried_at_a_time(void **state)
{
	const struct naming naming = {.name = "web"};
	struct rlimit before;
	bool addressed;
	struct ward *ward;
	size_t lost = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || (pid = make_container(&addressed)) == -1)
		skip();
	begin(false);
	for (unsigned i = 0; i < 40; i++) {
		int pidfd = process_open(pid);

		leave_descriptors(0, &before);
		assert_non_null(agent_add(&agent, "c1", pid, process_start(pid), pidfd, &naming, NULL));
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	}
	agent.now_ms += 1000;
	for (unsigned turn = 1; turn <= 3; turn++) {
		agent_follow_lost(&agent);
		lost = 0;
		DL_FOREACH(agent.wards, ward)
			lost += addrwatch_fd(ward->watch) == -1;
		assert_int_equal(lost, turn < 3 ? 40 - turn * 16 : 0);
		assert_true(turn < 3 ? agent.lost_at_ms <= agent.now_ms : agent.lost_at_ms == CLOCK_NEVER);
	}
	end_container(pid);
	while (agent.wards != NULL) {
		agent_end(&agent, agent.wards);
		agent_sweep(&agent);
	}
	finish();
}

static void write_bundle(char path[64])
{
	char file[96];
	FILE *out;

	snprintf(path, 64, "%s/bundle", folder);
	snprintf(file, sizeof(file), "%s/config.json", path);
	mkdir(path, 0700);
	out = fopen(file, "w");
	assert_non_null(out);
	assert_true(fputs(CONFIG, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* As the loop does, until everything has been read. */
static void take_all(void)
{
	while (errands_out(agent.errands) > 0) {
		struct pollfd one = {.fd = errands_fd(agent.errands), .events = POLLIN};

		assert_int_equal(poll(&one, 1, 10000), 1);
		errands_take(agent.errands);
	}
}

static void knock(struct guest *guest, const char *bundle, pid_t pid)
{
	static struct door_message message;

	message.kind = HOOKWIRE_CREATE;
	message.pidfd = process_open(pid);
	message.length = (size_t)snprintf(message.text, sizeof(message.text), "{\"id\":\"c1\",\"pid\":%ld,\"bundle\":\"%s\"}", (long)pid, bundle);
	agent_hear(&agent, guest, &message);
}

static bool is_answered(int hook)
{
	char answer;

	return recv(hook, &answer, 1, MSG_DONTWAIT) == 1 && answer == HOOKWIRE_ANSWER;
}

static void a_hook_is_answered(bool wait)
{
	char bundle[64];
	int pair[2];
	bool addressed;
	pid_t pid;

	if (geteuid() != 0 || (pid = make_container(&addressed)) == -1)
		skip();
	begin(wait);
	write_bundle(bundle);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	agent.guests = &(struct guest){.fd = pair[0], .end_ms = CLOCK_NEVER};
	agent.guests->prev = agent.guests;
	knock(agent.guests, bundle, pid);
	/* Its files are read aside. */
	assert_null(agent.wards);
	assert_false(is_answered(pair[1]));
	take_all();
	assert_non_null(agent.wards);
	assert_string_equal(agent.wards->singer.announcer.self.name, "web");
	/* Where there is no address yet, there is nothing to wait for. */
	assert_int_equal(is_answered(pair[1]), !wait || !addressed);
	if (wait && addressed) {
		assert_ptr_equal(agent.guests->awaits, agent.wards);
		agent_resolves(&agent, agent.wards);
		assert_true(is_answered(pair[1]));
		assert_int_equal(agent.guests->end_ms, 0);
	}
	close(pair[0]);
	close(pair[1]);
	agent.guests = NULL;
	end_container(pid);
	agent_end(&agent, agent.wards);
	agent_sweep(&agent);
	finish();
}

static void a_hook_is_answered_at_once(void **state)
{
	(void)state;
	a_hook_is_answered(false);
}

static void with_wait_a_hook_is_answered_when_the_name_resolves(void **state)
{
	(void)state;
	a_hook_is_answered(true);
}

/* By the runtime's own way and by CDI, say; and one of them does not wait. */
static void of_two_hooks_of_one_container_one_names_it(void **state)
{
	struct guest guests[2] = {{.end_ms = CLOCK_NEVER}, {.end_ms = CLOCK_NEVER}};
	int pairs[2][2];
	char bundle[64];
	bool addressed;
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || (pid = make_container(&addressed)) == -1)
		skip();
	begin(false);
	write_bundle(bundle);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]), 0);
		guests[i].fd = pairs[i][0];
		knock(&guests[i], bundle, pid);
	}
	agent_read_leave(&guests[0]);
	take_all();
	assert_int_equal(agent.nwards, 1);
	assert_false(is_answered(pairs[0][1]));
	assert_true(is_answered(pairs[1][1]));
	for (int i = 0; i < 4; i++)
		close(pairs[i / 2][i % 2]);
	end_container(pid);
	agent_end(&agent, agent.wards);
	agent_sweep(&agent);
	finish();
}

/* That nobody could look at it is no answer: it had no name until it was started anew. */
static void of_whom_a_hook_tells_while_descriptors_are_short_is_looked_for(void **state)
{
	struct guest guest = {.end_ms = CLOCK_NEVER};
	struct rlimit before;
	char bundle[64];
	bool addressed;
	int pair[2];
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || (pid = make_container(&addressed)) == -1)
		skip();
	begin(false);
	write_bundle(bundle);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	guest.fd = pair[0];
	for (unsigned left = 0; left < 3; left++) {
		/* None for its process; none to see whose that is; one, but two for its bundle. */
		leave_descriptors(left, &before);
		knock(&guest, bundle, pid);
		take_all();
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_null(agent.wards);
		assert_true(is_answered(pair[1]));
		assert_true(agent.missed);
		/* A second, and up to one more; then twice as long, less at most a quarter. */
		assert_int_in_range(agent.search_at_ms - agent.now_ms, 1000 + (left > 0 ? 750 << left : 0), 1000 + (1000 << left));
		agent.search_at_ms = CLOCK_NEVER;
		agent.missed = false;
	}
	knock(&guest, bundle, pid);
	take_all();
	assert_non_null(agent.wards);
	assert_false(agent.missed);
	assert_int_equal(agent.search_at_ms, CLOCK_NEVER);
	close(pair[0]);
	close(pair[1]);
	end_container(pid);
	agent_end(&agent, agent.wards);
	agent_sweep(&agent);
	finish();
}

static void a_search_that_comes_too_soon_for_somebody_is_made_again(void **state)
{
	(void)state;
	agent = (struct agent){.now_ms = 10000};
	agent_wait_begin(&agent);
	assert_false(agent_search_due(&agent));
	errno = ENOENT;
	assert_false(agent_misses(&agent));
	assert_int_equal(agent.search_at_ms, CLOCK_NEVER);
	errno = EMFILE;
	assert_true(agent_misses(&agent));
	assert_int_in_range(agent.search_at_ms, 11000, 12000);
	/* Another one that cannot be looked at, just before: its runtime has not written it down when the search begins. */
	agent.now_ms = agent.search_at_ms - 1;
	assert_true(agent_misses(&agent));
	agent.now_ms++;
	assert_true(agent_search_due(&agent));
	assert_int_equal(agent.search_at_ms, agent.now_ms + 999);
	agent.now_ms = agent.search_at_ms;
	assert_true(agent_search_due(&agent));
	assert_int_equal(agent.search_at_ms, CLOCK_NEVER);
	/* However long is waited for what is lacking, who could not tell is looked for in a second. */
	for (unsigned i = 0; i < 10; i++) {
		agent.now_ms += 100000;
		(void)agent_search_due(&agent);
		agent.missed = false; /* as a search begins */
		errno = ENOMEM;
		assert_true(agent_misses(&agent));
	}
	assert_int_in_range(agent.search_at_ms - agent.now_ms, 46000, 61000);
	agent_search_later(&agent);
	assert_int_equal(agent.search_at_ms, agent.now_ms + 1000);
}

static void who_ends_while_it_is_read_has_no_name(void **state)
{
	struct guest guest = {.end_ms = CLOCK_NEVER};
	char bundle[64];
	bool addressed;
	int pair[2];
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || (pid = make_container(&addressed)) == -1)
		skip();
	begin(false);
	write_bundle(bundle);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	guest.fd = pair[0];
	knock(&guest, bundle, pid);
	end_container(pid);
	take_all();
	assert_null(agent.wards);
	assert_true(is_answered(pair[1]));
	close(pair[0]);
	close(pair[1]);
	finish();
}

/* What a hook says is worth what its process is; of one that has ended nobody knows what it was. But that there was one is worth a look around. */
static void a_hook_that_has_gone_is_not_heard_but_told_of(void **state)
{
	char path[64], answer[DOOR_ANSWER_SIZE];
	int door, caller, pidfd;
	struct accepting accepting = {0};
	bool gone = true;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "%s/socket", folder);
	door = door_open(path);
	assert_true(door >= 0);
	assert_int_equal(door_accept(door, &accepting, 0, &gone), -1);
	assert_false(gone);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(1); /* by a signal that nothing here waits for: as a hook whose time is up */
		_exit(door_ask(path, HOOKWIRE_LIST, "", -1, answer) == -1);
	}
	pidfd = process_open(pid);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(process_lives(pidfd));
	close(pidfd);
	caller = door_accept(door, &accepting, 0, &gone);
	assert_int_equal(caller, -1);
	assert_true(gone);
	close(door);
	unlink(path);
}

static int make_folder(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const files[] = {"state/begun", "state", "bundle/config.json", "bundle", ""};
	char path[64];

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		remove(path);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_end_is_told_once_though_the_hook_still_has_the_pidfd),
		cmocka_unit_test(a_hook_is_answered_at_once),
		cmocka_unit_test(a_hook_that_has_gone_is_not_heard_but_told_of),
		cmocka_unit_test(of_two_hooks_of_one_container_one_names_it),
		cmocka_unit_test(whose_network_cannot_be_looked_into_is_looked_at_again),
		cmocka_unit_test(of_many_that_cannot_be_looked_into_a_few_are_tried_at_a_time),
		cmocka_unit_test(of_whom_a_hook_tells_while_descriptors_are_short_is_looked_for),
		cmocka_unit_test(a_search_that_comes_too_soon_for_somebody_is_made_again),
		cmocka_unit_test(who_ends_while_it_is_read_has_no_name),
		cmocka_unit_test(with_wait_a_hook_is_answered_when_the_name_resolves),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
