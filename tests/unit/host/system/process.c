#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/pidfile.h"
#include "host/system/process.h"
#include "tests/unit/child.h"

static char directory[] = "/tmp/callsign-process-XXXXXX";
static char path[sizeof(directory) + 16];

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/pid", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static void write_pid_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void write_pid(pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", (long)pid);
	write_pid_file(text);
}

/* A process called name that waits to be ended; it tells through its exit status whether SIGHUP came (3). */
static void on_hangup(int number)
{
	(void)number;
	_exit(3);
}

static pid_t start_process(const char *name)
{
	return child_start(name, SIGHUP, on_hangup);
}

static int end_process(pid_t pid, int number)
{
	int status;

	assert_int_equal(kill(pid, number), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static enum process_state open_state(char reason[PROCESS_REASON_SIZE])
{
	struct process process;
	enum process_state state = process_open(path, "dnsmasq", &process, reason);

	if (state != PROCESS_FOUND)
		assert_int_equal(process.pidfd, -1);
	process_close(&process);
	return state;
}

static void the_right_process_is_found_signalled_and_its_end_seen(void **state)
{
	char reason[PROCESS_REASON_SIZE];
	pid_t pid = start_process("dnsmasq");
	struct process process;
	int status;

	(void)state;
	write_pid(pid);
	assert_int_equal(process_open(path, "dnsmasq", &process, reason), PROCESS_FOUND);
	assert_int_equal(process.pid, pid);
	assert_false(process_ended(&process));
	assert_int_equal(process_signal(&process, SIGHUP), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	assert_true(process_ended(&process));
	errno = 0;
	assert_int_equal(process_signal(&process, SIGHUP), -1);
	assert_int_equal(errno, ESRCH);
	process_close(&process);
}

static void another_program_is_refused_and_named(void **state)
{
	char reason[PROCESS_REASON_SIZE];
	pid_t pid = start_process("victim \"x");
	int status;

	(void)state;
	write_pid(pid);
	assert_int_equal(open_state(reason), PROCESS_OTHER);
	assert_non_null(strstr(reason, "victim"));
	status = end_process(pid, SIGTERM);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM); /* it never had a SIGHUP */
}

/* "dnsmasq2" or "dnsmas" is no dnsmasq. */
static void a_name_is_compared_whole(void **state)
{
	char reason[PROCESS_REASON_SIZE];
	pid_t longer = start_process("dnsmasq2"), shorter = start_process("dnsmas");

	(void)state;
	write_pid(longer);
	assert_int_equal(open_state(reason), PROCESS_OTHER);
	write_pid(shorter);
	assert_int_equal(open_state(reason), PROCESS_OTHER);
	end_process(longer, SIGKILL);
	end_process(shorter, SIGKILL);
}

static void a_stale_pid_file_is_seen(void **state)
{
	char reason[PROCESS_REASON_SIZE];
	pid_t pid = start_process("dnsmasq");

	(void)state;
	end_process(pid, SIGKILL);
	write_pid(pid);
	assert_int_equal(open_state(reason), PROCESS_STALE);
	assert_non_null(strstr(reason, "stale"));
}

/* Dead, but not yet waited for: its entry in /proc still has the name. */
static void a_zombie_is_stale(void **state)
{
	char reason[PROCESS_REASON_SIZE];
	pid_t pid = start_process("dnsmasq");
	siginfo_t info;

	(void)state;
	write_pid(pid);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(open_state(reason), PROCESS_STALE);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void files_that_hold_no_number_are_refused(void **state)
{
	static const char *const texts[] = {"0\n",  "1\n",           "-1\n",         "-5",           "+7\n",   " 7\n",
					    "7 \n", "07\n",          "0x10\n",       "7\n\n",        "7\n8\n", "abc",
					    "\n",   "99999999999\n", "2147483648\n", "4294967298\n", "7\r\n",  "7.0"};
	char reason[PROCESS_REASON_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_pid_file(texts[i]);
		assert_int_equal(open_state(reason), PROCESS_MALFORMED);
		assert_non_null(strstr(reason, path));
	}
	write_pid_file("");
	assert_int_equal(open_state(reason), PROCESS_EMPTY);
}

static void what_is_no_pid_file_is_said(void **state)
{
	char reason[PROCESS_REASON_SIZE];

	(void)state;
	unlink(path);
	assert_int_equal(open_state(reason), PROCESS_NO_FILE);
	assert_int_equal(mkfifo(path, 0600), 0); /* opening one must not hang */
	assert_int_equal(open_state(reason), PROCESS_UNREADABLE);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_state(reason), PROCESS_UNREADABLE);
	rmdir(path);
}

static void numbers_are_parsed_strictly(void **state)
{
	pid_t pid = 0;

	(void)state;
	assert_int_equal(process_parse_pid("2147483647", 10, &pid), 0);
	assert_int_equal(pid, INT32_MAX);
	assert_int_equal(process_parse_pid("23\n", 3, &pid), 0);
	assert_int_equal(pid, 23);
	assert_int_equal(process_parse_pid("2\0", 2, &pid), -1);
	assert_int_equal(process_parse_pid("", 0, &pid), -1);
	assert_int_equal(pid, 23);
}

/* ---- our own pid file ---- */

static void a_pid_file_is_held_by_its_lock(void **state)
{
	int fd = -1, second = -1, status;
	pid_t holder, child;

	(void)state;
	write_pid(getppid()); /* left by a daemon that was killed; the number is a living process's by now */
	assert_int_equal(pidfile_take(path, &fd, &holder), PIDFILE_TAKEN);
	child = fork();
	if (child == 0)
		_exit(pidfile_take(path, &second, &holder) == PIDFILE_HELD && holder == getppid() ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	pidfile_drop(path, fd);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_pid_file_makes_its_directory(void **state)
{
	char below[sizeof(path) + 16], parent[sizeof(path)];
	pid_t holder;
	int fd = -1;

	(void)state;
	snprintf(parent, sizeof(parent), "%s/run", directory);
	snprintf(below, sizeof(below), "%s/pid", parent);
	assert_int_equal(pidfile_take(below, &fd, &holder), PIDFILE_TAKEN);
	pidfile_drop(below, fd);
	assert_int_equal(rmdir(parent), 0);
}

static void a_link_is_no_pid_file(void **state)
{
	pid_t holder;
	int fd = -1;

	(void)state;
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(pidfile_take(path, &fd, &holder), PIDFILE_FAILED);
	assert_int_equal(errno, ELOOP);
	unlink(path);
}

static void stat_as_the_kernel_writes_it(void **state)
{
	struct process_stat stat;

	(void)state;
	assert_int_equal(process_parse_stat("11 (dnsmasq) S 10 10 10 0 -1 4194368 41 0 0 0 0 0 0 0 20 0 1 0 5041422 9617408 101 18446744073709551615 1\n", &stat), 0);
	assert_int_equal(stat.parent, 10);
	assert_int_equal(stat.started, 5041422);
	assert_string_equal(stat.name, "dnsmasq");
	assert_int_equal(process_parse_stat("11 (a) S 9 (b) S 10 10 10 0 -1 4194368 41 0 0 0 0 0 0 0 20 0 1 0 77 9617408", &stat), 0);
	assert_int_equal(stat.parent, 10);
	assert_int_equal(stat.started, 77);
	assert_string_equal(stat.name, "a) S 9 (b");
	assert_int_equal(process_parse_stat("11 () S 10 10 10 0 -1 4194368 41 0 0 0 0 0 0 0 20 0 1 0 77 9617408", &stat), 0);
	assert_string_equal(stat.name, "");
}

static void what_is_no_stat(void **state)
{
	static const char *const texts[] = {"", "11", "11 (dnsmasq", "11 dnsmasq) S 10", ")(", "11 (dnsmasq)", "11 (dnsmasq) S", "11 (dnsmasq) S x",
	                                    "11 (dnsmasq) S 10 10 10 0 -1 4194368 41 0 0 0 0 0 0 0 20 0 1 0",
	                                    "11 (dnsmasq) S 10 10 10 0 -1 4194368 41 0 0 0 0 0 0 0 20 0 1 0 x 1",
	                                    "11 (dnsmasq) S 10 10 10 0 -1 4194368 41 0 0 0 0 0 0 0 20 0 1 0 7x 1", "11 (dnsmasq) S -10 10 10 0 -1 4194368 41 0 0 0 0 0 0 0 20 0 1 0 77 1",
	                                    "11 (0123456789012345678901234567890123456789012345678901234567890123) S 10 10 10 0 -1 4194368 41 0 0 0 0 0 "
	                                    "0 0 20 0 1 0 77 9617408"};
	struct process_stat stat;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(process_parse_stat(texts[i], &stat), -1);
}

/* SIGALRM is number 14 on Linux: bit 13; SIGUSR2, by which HAProxy's master is known, 12. */
static void what_is_caught(void **state)
{
	(void)state;
	assert_true(process_parse_caught("Name:\tx\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000002000\nCapInh:\t0\n", SIGALRM));
	assert_false(process_parse_caught("Name:\tx\nSigIgn:\t0000000000002000\nSigCgt:\tffffffffffffdfff\n", SIGALRM));
	assert_true(process_parse_caught("x\nSigCgt:\t8000000000000000\n", 64));
	assert_false(process_parse_caught("x\nSigCgt:\t", SIGALRM));
	assert_false(process_parse_caught("SigCgt: 2000", SIGALRM)); /* never the first line: a name could not say so */
	assert_true(process_parse_caught("Name:\thaproxy\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000014a03\nSigCgt2:\t0\n", SIGUSR2));
	assert_false(process_parse_caught("Name:\thaproxy\nSigCgt:\t0000000000014203\n", SIGUSR2));
	assert_false(process_parse_caught("Name:\tSigCgt:\t0000000000000800\n", SIGUSR2));
	assert_false(process_parse_caught("", SIGALRM));
}

static void what_is_on_its_way(void **state)
{
	(void)state;
	assert_true(process_parse_pending("Name:\tx\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000002000\nSigBlk:\t0\n", SIGALRM));
	assert_false(process_parse_pending("Name:\tx\nSigPnd:\t0000000000002000\nShdPnd:\t0000000000000001\nSigCgt:\t0000000000002000\n", SIGALRM));
	assert_false(process_parse_pending("", SIGALRM));
}

static void a_process_as_it_is(void **state)
{
	pid_t pid = child_start("a (b) 1 c)", SIGHUP, on_hangup);
	struct process_stat stat;

	(void)state;
	assert_int_equal(process_read_stat(pid, &stat), 0);
	assert_int_equal(stat.parent, getpid());
	assert_string_equal(stat.name, "a (b) 1 c)");
	assert_true(process_catches(pid, SIGHUP));
	assert_false(process_catches(pid, SIGUSR2));
	end_process(pid, SIGKILL);
	assert_int_equal(process_read_stat(pid, &stat), -1);
	assert_false(process_catches(pid, SIGHUP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_process_is_found_signalled_and_its_end_seen),
		cmocka_unit_test(another_program_is_refused_and_named),
		cmocka_unit_test(a_name_is_compared_whole),
		cmocka_unit_test(a_stale_pid_file_is_seen),
		cmocka_unit_test(a_zombie_is_stale),
		cmocka_unit_test(files_that_hold_no_number_are_refused),
		cmocka_unit_test(what_is_no_pid_file_is_said),
		cmocka_unit_test(numbers_are_parsed_strictly),
		cmocka_unit_test(a_pid_file_is_held_by_its_lock),
		cmocka_unit_test(a_pid_file_makes_its_directory),
		cmocka_unit_test(a_link_is_no_pid_file),
		cmocka_unit_test(stat_as_the_kernel_writes_it),
		cmocka_unit_test(what_is_no_stat),
		cmocka_unit_test(what_is_caught),
		cmocka_unit_test(what_is_on_its_way),
		cmocka_unit_test(a_process_as_it_is),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
