/* What one agent leaves to the next, and messages without their confirm. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "container/agent/agent.h"
#include "container/agent/chorus_parts.h"
#include "container/agent/hookwire.h"
#include "container/agent/keep.h"
#include "container/agent/process.h"
#include "shared/log.h"
#include "tests/unit/exact.h"

static char folder[] = "/tmp/callsign-keep.XXXXXX";
static char inner[sizeof(folder) + 8];
static struct keep_entry seen[4];
static size_t nseen;

static int make_folder(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	assert_non_null(mkdtemp(folder));
	snprintf(inner, sizeof(inner), "%s/state", folder);
	return 0;
}

static int remove_folder(void **state)
{
	char begun[sizeof(inner) + 8];

	(void)state;
	snprintf(begun, sizeof(begun), "%s/begun", inner);
	unlink(begun);
	rmdir(inner);
	return rmdir(folder);
}

static void see(void *arg, const struct keep_entry *entry)
{
	(void)arg;
	assert_true(nseen < COUNT(seen));
	seen[nseen++] = *entry;
}

static size_t look(int fd)
{
	nseen = 0;
	keep_each(fd, see, NULL);
	return nseen;
}

static struct keep_entry entry_of(uint8_t number)
{
	struct keep_entry entry = {.id = "c1", .pid = 4711, .start = 123456789012, .seq = 7};

	memset(entry.instance.bytes, number, sizeof(entry.instance.bytes));
	memcpy(entry.naming.name, "web", 4);
	memcpy(entry.naming.aliases[0], "www", 4);
	entry.naming.naliases = 1;
	memcpy(entry.naming.ports[0].name, "http", 5);
	entry.naming.ports[0].port = 80;
	entry.naming.nports = 1;
	return entry;
}

static void what_is_written_is_read_again(void **state)
{
	struct keep_entry one = entry_of(1), two = entry_of(2);
	bool fresh;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = keep_open(inner, &fresh);
	assert_true(fd >= 0 && fresh);
	assert_int_equal(keep_write(fd, &one), 0);
	assert_int_equal(keep_write(fd, &two), 0);
	assert_int_equal(keep_write(fd, &one), 0);
	assert_int_equal(look(fd), 2);
	assert_memory_equal(&seen[seen[0].instance.bytes[0] == 1 ? 0 : 1], &one, sizeof(one));
	keep_remove(fd, &one.instance);
	keep_remove(fd, &one.instance);
	assert_int_equal(look(fd), 1);
	keep_remove(fd, &two.instance);
	assert_int_equal(look(fd), 0);
	close(fd);
	fd = keep_open(inner, &fresh);
	assert_true(fd >= 0 && !fresh);
	close(fd);
}

/* systemd's RuntimeDirectory= makes the folder before the first agent begins. */
static void the_first_agent_is_the_first_in_a_folder_that_was_made_for_it(void **state)
{
	char made[sizeof(folder) + 8], begun[sizeof(made) + 8];
	bool fresh;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(made, sizeof(made), "%s/made", folder);
	snprintf(begun, sizeof(begun), "%s/begun", made);
	assert_int_equal(mkdir(made, 0700), 0);
	fd = keep_open(made, &fresh);
	assert_true(fd >= 0 && fresh);
	close(fd);
	fd = keep_open(made, &fresh);
	assert_true(fd >= 0 && !fresh);
	close(fd);
	assert_int_equal(unlink(begun), 0);
	assert_int_equal(rmdir(made), 0);
}

/* Another user's folder, as callsignd's is, would be one in which somebody else can take the socket's place, and in which the unit's root cannot make it. */
static void the_socket_is_in_the_folder_that_is_roots_alone(void **state)
{
	(void)state;
	assert_int_equal(strncmp(HOOKWIRE_SOCKET, AGENT_STATE "/", strlen(AGENT_STATE "/")), 0);
}

static void fill(int fd)
{
	int file = openat(fd, "filler", O_WRONLY | O_CREAT, 0600);
	char block[4096] = {1};

	assert_true(file >= 0);
	while (write(file, block, sizeof(block)) > 0)
		continue;
	assert_int_equal(errno, ENOSPC);
	close(file);
}

/* In a child, whose mounts go with it. What was written stays whole, and what could not be is not there by half. */
static int keep_on_a_full_disk(void)
{
	struct keep_entry one = entry_of(1), two = entry_of(2), changed = entry_of(1);
	bool fresh;
	int fd;

	mkdir(inner, 0700);
	if (unshare(CLONE_NEWNS) == -1 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("tmpfs", inner, "tmpfs", 0, "size=32k,mode=0700") == -1)
		return 77;
	fd = keep_open(inner, &fresh);
	if (fd == -1 || keep_write(fd, &one) == -1)
		return 1;
	fill(fd);
	changed.seq++;
	if (keep_write(fd, &two) != -1 || errno != ENOSPC || keep_write(fd, &changed) != -1)
		return 2;
	if (look(fd) != 1 || memcmp(&seen[0], &one, sizeof(one)) != 0)
		return 3;
	close(fd);
	fd = keep_open(inner, &fresh);
	if (fd == -1 || fresh || look(fd) != 1)
		return 4;
	keep_remove(fd, &one.instance);
	return look(fd) == 0 && keep_write(fd, &two) == 0 && look(fd) == 1 ? 0 : 5;
}

static void a_full_disk_costs_nothing_that_was_kept(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(keep_on_a_full_disk());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) /* it may not mount */
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void put(int fd, const char *name, const char *text)
{
	int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(file >= 0);
	assert_int_equal(write(file, text, strlen(text)), strlen(text));
	close(file);
}

static void what_makes_no_sense_is_removed(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "{\"v\":2}",
		"{\"v\":1,\"id\":\"c\",\"pid\":1,\"start\":5,\"instance\":\"01010101010101010101010101010101\",\"seq\":1,\"name\":\"web\"}",
		"{\"v\":1,\"id\":\"c\",\"pid\":5,\"start\":0,\"instance\":\"01010101010101010101010101010101\",\"seq\":1,\"name\":\"web\"}",
		"{\"v\":1,\"id\":\"c\",\"pid\":5,\"start\":5,\"instance\":\"x\",\"seq\":1,\"name\":\"web\"}",
		"{\"v\":1,\"id\":\"c\",\"pid\":5,\"start\":5,\"instance\":\"01010101010101010101010101010101\",\"seq\":1,\"name\":\"a_b\"}",
		"{\"v\":1,\"id\":\"c\",\"pid\":5,\"start\":5,\"instance\":\"01010101010101010101010101010101\",\"seq\":1,\"name\":\"a\",\"aliases\":[1]}",
		"{\"v\":1,\"id\":\"c\",\"pid\":5,\"start\":5,\"instance\":\"01010101010101010101010101010101\",\"seq\":1,\"name\":\"a\",\"ports\":{\"x\":0}}",
	};
	bool fresh;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	log_set_level(LOG_LEVEL_ERROR);
	fd = keep_open(inner, &fresh);
	assert_true(fd >= 0);
	for (size_t i = 0; i < COUNT(texts); i++) {
		put(fd, "01010101010101010101010101010101.json", texts[i]);
		put(fd, ".left.by.a.kill", "x");
		assert_int_equal(look(fd), 0);
		assert_int_equal(faccessat(fd, "01010101010101010101010101010101.json", F_OK, 0), -1);
		assert_int_equal(faccessat(fd, ".left.by.a.kill", F_OK, 0), -1);
	}
	close(fd);
}

/* Room for the folder's descriptor, and none for the file's. */
static void what_cannot_be_read_for_want_of_descriptors_stays(void **state)
{
	struct keep_entry entry = entry_of(1);
	struct rlimit all, few;
	bool fresh;
	int fd, next;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = keep_open(inner, &fresh);
	assert_true(fd >= 0);
	assert_int_equal(keep_write(fd, &entry), 0);
	next = dup(fd);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = all;
	few.rlim_cur = (rlim_t)next + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	look(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_int_equal(nseen, 0);
	assert_int_equal(look(fd), 1);
	keep_remove(fd, &entry.instance);
	close(fd);
}

static void nobody_but_root_may_write_there(void **state)
{
	bool fresh;

	(void)state;
	if (geteuid() != 0)
		skip();
	mkdir(inner, 0700);
	assert_int_equal(chmod(inner, 0770), 0);
	assert_int_equal(keep_open(inner, &fresh), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(chmod(inner, 0700), 0);
	assert_int_equal(chown(inner, 1, 0), 0);
	assert_int_equal(keep_open(inner, &fresh), -1);
	assert_int_equal(chown(inner, 0, 0), 0);
}

static void there_is_one_agent_at_a_time(void **state)
{
	bool fresh;
	int fd, second;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = keep_open(inner, &fresh);
	assert_true(fd >= 0);
	second = keep_open(inner, &fresh);
	assert_int_equal(second, -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(fd);
}

static void a_number_that_nobody_has_used(void **state)
{
	struct keep_entry entry = {.seq = 5};

	(void)state;
	assert_int_equal(keep_next_seq(&entry, 1000), 1000);
	entry.seq = 2000;
	assert_int_equal(keep_next_seq(&entry, 1000), 2000);
}

/* ---- a process, and no other of its number ---- */

static void a_process_is_pinned(void **state)
{
	int status, pipes[2], pidfd;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		close(pipes[1]);
		_exit(read(pipes[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(pipes[0]);
	pidfd = process_open(pid);
	assert_true(pidfd >= 0);
	assert_int_equal(process_pid(pidfd), pid);
	assert_true(process_lives(pidfd));
	assert_true(process_start(pid) >= process_start(getpid()) && process_start(pid) > 0);
	assert_true(process_network(pid) == process_network(getpid()) && process_network(pid) != 0);
	close(pipes[1]);
	while (process_lives(pidfd))
		usleep(1000);
	assert_int_equal(process_pid(pidfd), pid); /* a zombie */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(process_pid(pidfd), 0);
	assert_false(process_lives(pidfd));
	close(pidfd);
	assert_int_equal(process_pid(0), 0);
	assert_int_equal(process_start(pid), 0);
}

static void who_is_root_is_looked_at_whole(void **state)
{
	int pipes[2];
	char byte = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_true(process_is_host_root(getpid()));
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		/* As a setuid program of root's begins, started by somebody else. */
		if (setresuid(1000, 0, 0) == -1 || write(pipes[1], &byte, 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_false(process_is_host_root(pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
}

/* ---- messages without their confirm ---- */

static void flights_come_back_in_any_order(void **state)
{
	struct flights flights = {0};
	struct flight flight;

	(void)state;
	assert_false(flights_take(&flights, 1, &flight));
	for (uint64_t i = 1; i <= 1000; i++)
		assert_int_equal(flights_add(&flights, i, &(struct flight){.slot = (uint32_t)i, .number = i}), 0);
	for (uint64_t i = 2; i <= 1000; i += 2) {
		assert_true(flights_take(&flights, i, &flight));
		assert_int_equal(flight.slot, i);
	}
	assert_false(flights_take(&flights, 2, &flight));
	for (uint64_t i = 1001; i <= 3000; i++)
		assert_int_equal(flights_add(&flights, i, &(struct flight){.slot = (uint32_t)i, .number = i}), 0);
	for (uint64_t i = 1; i <= 3000; i++)
		assert_int_equal(flights_take(&flights, i, &flight), i > 1000 || i % 2 == 1);
	assert_int_equal(flights.count, 0);
	assert_int_equal(flights_add(&flights, 3001, &(struct flight){.number = 1}), 0);
	assert_true(flights_take(&flights, 3001, &flight));
	flights_clear(&flights);
	assert_int_equal(flights_add(&flights, 1, &(struct flight){.number = 1}), 0);
	assert_true(flights_take(&flights, 1, &flight));
	flights_clear(&flights);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(the_first_agent_is_the_first_in_a_folder_that_was_made_for_it),
		cmocka_unit_test(a_full_disk_costs_nothing_that_was_kept),
		cmocka_unit_test(the_socket_is_in_the_folder_that_is_roots_alone),
		cmocka_unit_test(what_makes_no_sense_is_removed),
		cmocka_unit_test(what_cannot_be_read_for_want_of_descriptors_stays),
		cmocka_unit_test(nobody_but_root_may_write_there),
		cmocka_unit_test(there_is_one_agent_at_a_time),
		cmocka_unit_test(a_number_that_nobody_has_used),
		cmocka_unit_test(a_process_is_pinned),
		cmocka_unit_test(who_is_root_is_looked_at_whole),
		cmocka_unit_test(flights_come_back_in_any_order),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
