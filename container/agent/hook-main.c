/*
 * callsign-hook: what an OCI runtime runs while it makes a container (createRuntime) and after it is gone (poststop).
 *
 *   callsign-hook createRuntime|poststop [TIMEOUT_MS] < STATE
 *
 * It passes the runtime's state on to callsign-agent, with a descriptor of the container's process, waits for one byte, and ends with 0 whatever
 * happened: a hook that fails keeps the container from running, so this one never does, and never takes longer than its timeout.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#include "hookstate.h"
#include "hooksys.h"
#include "hookwire.h"

#define RETRY_MS 2
#define TIMEOUT_MAX_MS 10000
#define STDIN 0

static char message[HOOKWIRE_HEADER + HOOKSTATE_SIZE_MAX + 1];
static int64_t end_ms;

/* ---- time ---- */

/* Of 2^20 ns, which is near enough, and spares a division that compilers of 32-bit machines call a library for. */
static int64_t now_ms(void)
{
	struct __kernel_timespec now = {0};

	hooksys(HOOKSYS_CLOCK, CLOCK_MONOTONIC, (long)&now, 0, 0, 0);
	return ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec) >> 20;
}

/* Whether fd (-1: none, just a rest) is ready for events within ms, and within our time. */
static bool wait_for(int fd, short events, int64_t ms)
{
	struct pollfd one = {.fd = fd, .events = events};
	int64_t left_ms = end_ms - now_ms();
	struct __kernel_timespec rest = {0};

	if (left_ms <= 0)
		return false;
	for (rest.tv_nsec = (ms < left_ms ? ms : left_ms) << 20; rest.tv_nsec >= 1000000000; rest.tv_nsec -= 1000000000)
		rest.tv_sec++;
	return hooksys(HOOKSYS_PPOLL, (long)&one, 1, (long)&rest, 0, 0) == 1;
}

/* ---- what came, what goes ---- */

/*
 * Up to its end, or to that of our time: its length. What is more than a state may be is read, too, since a runtime whose write fails may fail the
 * container for it, and is not kept: the agent cannot parse what is left, and says so.
 */
static size_t read_state(char *out)
{
	static char surplus[4096];
	size_t length = 0;

	while (wait_for(STDIN, POLLIN, TIMEOUT_MAX_MS)) {
		bool full = length == HOOKSTATE_SIZE_MAX;
		long got = full ? hooksys(__NR_read, STDIN, (long)surplus, sizeof(surplus), 0, 0)
		                : hooksys(__NR_read, STDIN, (long)(out + length), (long)(HOOKSTATE_SIZE_MAX - length), 0, 0);

		if (got == 0 || (got < 0 && got != -EINTR))
			break;
		if (got > 0 && !full)
			length += (size_t)got;
	}
	return length;
}

static int connect_agent(void)
{
	static const struct sockaddr_un agent = {.sun_family = AF_UNIX, .sun_path = HOOKWIRE_SOCKET};
	long fd = hooksys(__NR_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0, 0);

	while (fd >= 0) {
		long result = hooksys(__NR_connect, fd, (long)&agent, sizeof(agent), 0, 0);

		if (result == 0)
			return (int)fd;
		if (result != -EAGAIN) /* that: the agent has more callers waiting than it may */
			return -1;
		wait_for(-1, 0, RETRY_MS);
		if (now_ms() >= end_ms)
			return -1;
	}
	return -1;
}

static bool tell(int fd, size_t length, int pidfd)
{
	struct iovec part = {message, length};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr all = {.msg_iov = &part, .msg_iovlen = 1};

	if (pidfd >= 0) {
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		*(int *)(void *)CMSG_DATA(&control.header) = pidfd;
		all.msg_control = &control;
		all.msg_controllen = sizeof(control);
	}
	return hooksys(__NR_sendmsg, fd, (long)&all, MSG_NOSIGNAL, 0, 0) == (long)length;
}

static bool same(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static int timeout_ms(const char *text)
{
	int ms = 0;

	if (text == NULL)
		return HOOKWIRE_TIMEOUT_MS;
	for (; *text >= '0' && *text <= '9' && ms <= TIMEOUT_MAX_MS; text++)
		ms = ms * 10 + (*text - '0');
	return *text == '\0' && ms <= TIMEOUT_MAX_MS ? ms : HOOKWIRE_TIMEOUT_MS;
}

static void run(int argc, char **argv)
{
	bool create = argc > 1 && same(argv[1], "createRuntime");
	int pid, fd, pidfd = -1;
	size_t length;
	char answer;

	if (!create && (argc < 2 || !same(argv[1], "poststop")))
		return;
	end_ms = timeout_ms(argc > 2 ? argv[2] : NULL);
	end_ms += now_ms() - (end_ms >> 4); /* our milliseconds are a little long */
	length = read_state(message + HOOKWIRE_HEADER);
	pid = hookstate_pid(message + HOOKWIRE_HEADER, length);
	if (create && pid > 0)
		pidfd = (int)hooksys(__NR_pidfd_open, pid, 0, 0, 0, 0);
	message[0] = HOOKWIRE_VERSION;
	message[1] = create ? HOOKWIRE_CREATE : HOOKWIRE_STOP;
	fd = connect_agent();
	if (fd == -1 || !tell(fd, HOOKWIRE_HEADER + length, pidfd) || !wait_for(fd, POLLIN, TIMEOUT_MAX_MS))
		return;
	hooksys(__NR_read, fd, (long)&answer, 1, 0, 0);
}

#ifdef HOOKSYS_LIBC
int main(int argc, char **argv)
{
	run(argc, argv);
	return 0;
}
#else
void hook_start(long *stack) __attribute__((noreturn, used));

/* stack: as the kernel leaves it, argc and then argv. */
void hook_start(long *stack)
{
	run((int)stack[0], (char **)(stack + 1));
	for (;;)
		hooksys(__NR_exit_group, 0, 0, 0, 0, 0);
}

/* The compiler may call these for what we wrote otherwise. */
void *memset(void *to, int c, size_t length);
void *memcpy(void *restrict to, const void *restrict from, size_t length);

void *memset(void *to, int c, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((volatile char *)to)[i] = (char)c;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((volatile char *)to)[i] = ((const char *)from)[i];
	return to;
}
#endif
