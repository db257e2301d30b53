#include <config.h>

#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"

void probe_init(struct probe *probe, const struct checktarget *target, uint32_t timeout_s, const sigset_t *mask)
{
	memset(probe, 0, sizeof(*probe));
	probe->target = target;
	probe->mask = mask;
	probe->timeout_s = timeout_s;
	probe->fd = -1;
	probe->by_ms = CLOCK_NEVER;
}

static void hang_up(struct probe *probe)
{
	if (probe->fd != -1)
		close(probe->fd);
	probe->fd = -1;
	probe->by_ms = CLOCK_NEVER;
}

static void failed(struct probe *probe, const char *why)
{
	snprintf(probe->why, sizeof(probe->why), "%s", why);
	probe->state = PROBE_FAILED;
	hang_up(probe);
}

/* ---- a command ---- */

/* Its words are for whoever looks for a fault; otherwise they would fill the container's log. Nothing of ours, nor of who started us, stays open. */
static void __attribute__((noreturn)) exec_command(const struct probe *probe)
{
	struct sigaction action;
	int null;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	sigaction(SIGPIPE, &action, NULL);
	setpgid(0, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null != -1) {
		dup2(null, STDIN_FILENO);
		dup2(log_enabled(LOG_LEVEL_DEBUG) ? STDERR_FILENO : null, STDOUT_FILENO);
		if (!log_enabled(LOG_LEVEL_DEBUG))
			dup2(null, STDERR_FILENO);
	}
	close_range(STDERR_FILENO + 1, ~0U, 0);
	sigprocmask(SIG_SETMASK, probe->mask, NULL);
	execvp(probe->target->words[0], probe->target->words);
	_exit(errno == ENOENT || errno == ENOTDIR ? 127 : 126);
}

static void start_command(struct probe *probe)
{
	pid_t pid = fork();

	if (pid == 0)
		exec_command(probe);
	if (pid == -1) {
		failed(probe, strerror(errno));
		return;
	}
	setpgid(pid, pid); /* whoever is first: it may have to be killed before it ran */
	probe->pid = pid;
}

static void kill_command(const struct probe *probe)
{
	if (probe->pid > 0)
		kill(-probe->pid, SIGKILL);
}

void probe_buried(struct probe *probe, pid_t pid, int wait_status)
{
	char why[PROBE_WHY_SIZE];

	if (pid != probe->pid)
		return;
	kill_command(probe);
	probe->pid = 0;
	if (probe->state != PROBE_RUNS)
		return; /* it was not waited for any more */
	if (probe->killed)
		snprintf(why, sizeof(why), "no answer in %u s", probe->timeout_s);
	else if (WIFSIGNALED(wait_status))
		snprintf(why, sizeof(why), "signal %d ended the command", WTERMSIG(wait_status));
	else if (WEXITSTATUS(wait_status) == 127)
		snprintf(why, sizeof(why), "exit status 127: the command was not found");
	else
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(wait_status));
	if (probe->killed || wait_status != 0) {
		failed(probe, why);
	} else {
		probe->state = PROBE_PASSED;
		hang_up(probe);
	}
}

/* ---- a connection ---- */

static socklen_t socket_address(const struct checktarget *target, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	struct sockaddr_in *four = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (target->address.family == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons(target->port);
		memcpy(&four->sin_addr, target->address.bytes, sizeof(four->sin_addr));
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(target->port);
	memcpy(&six->sin6_addr, target->address.bytes, sizeof(six->sin6_addr));
	return sizeof(*six);
}

/* While nobody listens on a port of the ephemeral range, a connection to it may get that very port as its own, and meet itself. */
static bool met_itself(int fd)
{
	struct sockaddr_storage here, there;
	socklen_t size = sizeof(here), other = sizeof(there);

	memset(&here, 0, sizeof(here));
	memset(&there, 0, sizeof(there));
	return getsockname(fd, (struct sockaddr *)&here, &size) == 0 && getpeername(fd, (struct sockaddr *)&there, &other) == 0 &&
	       size == other && memcmp(&here, &there, size) == 0;
}

static void connected(struct probe *probe)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	const char *request = probe->target->text;

	if (met_itself(probe->fd)) {
		/* Closed in order it would hold the port for a minute, and whoever is to serve it could not. */
		setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		failed(probe, strerror(ECONNREFUSED));
	} else if (probe->target->kind == CHECK_TCP) {
		probe->state = PROBE_PASSED;
		hang_up(probe);
	} else if (send(probe->fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) {
		failed(probe, "the request was not taken"); /* a new connection has room for it */
	} else {
		probe->connected = true;
	}
}

static void start_connection(struct probe *probe)
{
	struct sockaddr_storage address;
	socklen_t size = socket_address(probe->target, &address);

	probe->connected = false;
	probe->got = 0;
	probe->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe->fd != -1 && connect(probe->fd, (const struct sockaddr *)&address, size) == 0)
		connected(probe);
	else if (probe->fd == -1 || errno != EINPROGRESS)
		failed(probe, strerror(errno));
}

static void take_connection(struct probe *probe)
{
	socklen_t size = sizeof(int);
	int fault = 0;

	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &fault, &size) == -1)
		fault = errno;
	if (fault != 0)
		failed(probe, strerror(fault));
	else
		connected(probe);
}

/* ---- an HTTP answer ---- */

static void take_status(struct probe *probe)
{
	unsigned status = checktarget_http_status(probe->head);

	probe->state = status >= 200 && status <= 399 ? PROBE_PASSED : PROBE_FAILED;
	if (status == 0)
		snprintf(probe->why, sizeof(probe->why), "the answer is not HTTP/1");
	else
		snprintf(probe->why, sizeof(probe->why), "HTTP status %u", status);
}

/* The status line decides; what comes after it is read to its end, but neither for long nor much of it. */
static void take_answer(struct probe *probe)
{
	char bytes[2048];
	ssize_t length = recv(probe->fd, bytes, sizeof(bytes), 0);
	size_t room = sizeof(probe->head) - (probe->got < sizeof(probe->head) ? probe->got : sizeof(probe->head));

	if (length == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0) {
		if (probe->state == PROBE_RUNS)
			failed(probe, length == 0 ? "the connection was closed without an answer" : strerror(errno));
		hang_up(probe);
		return;
	}
	if (room > 0)
		memcpy(probe->head + probe->got, bytes, (size_t)length < room ? (size_t)length : room);
	probe->got += (size_t)length;
	if (probe->state == PROBE_RUNS && probe->got >= sizeof(probe->head))
		take_status(probe);
	if (probe->got > PROBE_REST_MAX)
		hang_up(probe);
}

/* ---- all of them ---- */

void probe_start(struct probe *probe, int64_t now_ms)
{
	hang_up(probe);
	if (probe->pid > 0) {
		failed(probe, "the last command cannot be ended");
		return;
	}
	probe->state = PROBE_RUNS;
	probe->killed = false;
	probe->by_ms = now_ms + (int64_t)probe->timeout_s * 1000;
	if (probe->target->kind == CHECK_COMMAND)
		start_command(probe);
	else
		start_connection(probe);
}

int probe_fd(const struct probe *probe)
{
	return probe->fd;
}

short probe_events(const struct probe *probe)
{
	return probe->connected ? POLLIN : POLLOUT;
}

int64_t probe_deadline_ms(const struct probe *probe)
{
	return probe->by_ms;
}

/* A command has its answer when it is buried: the next one is not to find it still there. */
static void late(struct probe *probe, int64_t now_ms)
{
	char why[PROBE_WHY_SIZE];

	if (probe->pid > 0 && !probe->killed) {
		kill_command(probe);
		probe->killed = true;
		probe->by_ms = now_ms + PROBE_BURIAL_MS;
		return;
	}
	snprintf(why, sizeof(why), "no answer in %u s", probe->timeout_s);
	if (probe->state == PROBE_RUNS)
		failed(probe, why);
	hang_up(probe);
}

void probe_step(struct probe *probe, bool ready, int64_t now_ms)
{
	if (ready && probe->fd != -1 && !probe->connected)
		take_connection(probe);
	else if (ready && probe->fd != -1)
		take_answer(probe);
	if (now_ms >= probe->by_ms)
		late(probe, now_ms);
}

void probe_stop(struct probe *probe)
{
	kill_command(probe);
	hang_up(probe);
	probe->state = PROBE_IDLE;
}
