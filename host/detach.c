#include <config.h>

#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <libdaemon/daemon.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pidfile.h"
#include "shared/log_syslog.h"

#define IDENT "callsignd"

/* What stays open from start to end; there is one daemon in a process. */
static struct {
	bool waited_for; /* the starting process still waits for our word */
	const char *pid_file;
	int pid_fd;
} detached = {.pid_fd = -1};

/* The starting process: until the daemon says how its start went. */
static int wait_for_daemon(void)
{
	int code;

	errno = 0;
	code = daemon_retval_wait(DETACH_READY_TIMEOUT_S);
	if (code >= 0)
		return code;
	if (errno == ETIMEDOUT) {
		log_errorx("not ready after %d seconds; it goes on trying in the background", DETACH_READY_TIMEOUT_S);
		return DETACH_TIMEOUT;
	}
	log_errorx("the daemon ended before it was ready: see the system's log");
	return DETACH_FAILED;
}

/* DETACH_CONTINUE in the daemon, else the starting process's code. */
static int fork_daemon(void)
{
	int terminal;
	pid_t pid;

	if (daemon_retval_init() < 0) {
		log_error("cannot make a pipe");
		return DETACH_FORK;
	}
	terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	pid = daemon_fork();
	if (pid > 0)
		return wait_for_daemon();
	if (pid < 0) {
		daemon_retval_done();
		log_errorx("cannot fork");
		return DETACH_FORK;
	}
	detached.waited_for = true;
	if (terminal >= 0)
		dup2(terminal, STDERR_FILENO); /* daemon_fork() made it /dev/null: nobody would see why a start fails */
	return DETACH_CONTINUE;
}

/* Whoever started us may have left signals blocked or ignored, and descriptors open. */
static int clean_up(bool foreground)
{
	umask(022); /* daemon_fork() leaves one that hides files from everyone else */
	if (daemon_reset_sigs(-1) < 0 || daemon_unblock_sigs(-1) < 0 || (!foreground && daemon_close_all(-1) < 0)) {
		log_error("cannot reset what was inherited");
		return DETACH_FAILED;
	}
	return DETACH_CONTINUE;
}

static int take_pid_file(const char *path)
{
	pid_t holder;

	switch (pidfile_take(path, &detached.pid_fd, &holder)) {
	case PIDFILE_TAKEN:
		detached.pid_file = path;
		return DETACH_CONTINUE;
	case PIDFILE_HELD:
		log_errorx("another callsignd runs already: pid=%ld holds pid_file=%s", (long)holder, path);
		return DETACH_RUNNING;
	default:
		log_error("pid_file=%s cannot be made", path);
		return DETACH_PID_FILE;
	}
}

/* Until the daemon is ready its messages are also for whoever started it. */
static void open_log(enum log_level level)
{
	log_open(&log_to_syslog, IDENT, level);
	log_syslog_echo(true);
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_syslog_echo(false);
	if (null >= 0 && dup2(null, STDERR_FILENO) >= 0)
		close(null);
}

int detach_start(const char *pid_file, bool foreground, enum log_level level)
{
	int code = foreground ? DETACH_CONTINUE : fork_daemon();

	if (code != DETACH_CONTINUE)
		return code;
	code = clean_up(foreground);
	if (foreground)
		log_open(&log_to_stderr, IDENT, level);
	else
		open_log(level);
	if (code == DETACH_CONTINUE)
		code = take_pid_file(pid_file);
	if (code != DETACH_CONTINUE)
		detach_end(code);
	return code;
}

static void tell(int code)
{
	if (detached.waited_for)
		daemon_retval_send(code);
	detached.waited_for = false;
}

void detach_ready(void)
{
	if (detached.waited_for)
		leave_terminal();
	tell(DETACH_OK);
}

void detach_end(int code)
{
	tell(code);
	if (detached.pid_fd >= 0)
		pidfile_drop(detached.pid_file, detached.pid_fd);
	detached.pid_fd = -1;
}
