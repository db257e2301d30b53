#include <config.h>

#include "door.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hookwire.h"
#include "process.h"
#include "shared/log.h"
#include "shared/shortage.h"

#define BACKLOG 4096
#define ASK_MS 10000

static int make_address(const char *path, struct sockaddr_un *out)
{
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(out->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(out->sun_path, path, strlen(path));
	return 0;
}

static int make_socket(int flags)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
}

/* The one before us may have left its socket; one that answers is another agent's. */
static bool somebody_answers(const struct sockaddr_un *address)
{
	int fd = make_socket(SOCK_NONBLOCK);
	bool answers = fd != -1 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN);

	if (fd != -1)
		close(fd);
	return answers;
}

static int bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int result = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(before);
	return result;
}

int door_open(const char *path)
{
	struct sockaddr_un address;
	int fd = make_socket(SOCK_NONBLOCK);

	if (fd != -1 && make_address(path, &address) == 0 && !somebody_answers(&address)) {
		unlink(path);
		if (bind_private(fd, &address) == 0 && listen(fd, BACKLOG) == 0)
			return fd;
	} else if (fd != -1 && errno == 0) {
		errno = EADDRINUSE;
	}
	log_error("%s: no hook can reach us there", path);
	if (fd != -1)
		close(fd);
	return -1;
}

/* Its connection is there, and it is not, or a zombie: it has waited as long as it may. Nobody can tell any more who it was. */
static bool has_gone(const struct ucred *who)
{
	return who->uid == 0 && who->pid > 0 && process_network(who->pid) == 0;
}

static bool may_come_in(int caller, bool *gone)
{
	struct ucred who;
	socklen_t length = sizeof(who);
	int root;

	if (getsockopt(caller, SOL_SOCKET, SO_PEERCRED, &who, &length) == -1)
		return false;
	root = who.uid == 0 && who.pid > 0 ? process_is_host_root(who.pid) : 0;
	if (root == 1)
		return true;
	if ((root == -1 && shortage_is(errno)) || has_gone(&who)) {
		*gone = true;
		return false;
	}
	log_warnx("turned away: pid=%ld uid=%lu: only root of this machine itself may tell of containers", (long)who.pid, (unsigned long)who.uid);
	return false;
}

int door_accept(int door, struct accepting *accepting, int64_t now_ms, bool *gone)
{
	*gone = false;
	for (;;) {
		int caller = accepting_take(accepting, door, "hooks", now_ms);

		if (caller == -1 || may_come_in(caller, gone))
			return caller;
		close(caller);
	}
}

/* The first descriptor that came is ours; any others are nobody's. */
static int take_descriptor(struct msghdr *all)
{
	int taken = -1;

	for (struct cmsghdr *one = CMSG_FIRSTHDR(all); one != NULL; one = CMSG_NXTHDR(all, one)) {
		size_t count = one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_RIGHTS ? (one->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(one) + i * sizeof(fd), sizeof(fd));
			if (taken == -1)
				taken = fd;
			else
				close(fd);
		}
	}
	return taken;
}

int door_receive(int caller, struct door_message *message)
{
	char header[HOOKWIRE_HEADER];
	struct iovec parts[] = {{header, sizeof(header)}, {message->text, DOOR_TEXT_SIZE - 1}};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr all = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(caller, &all, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (got == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	message->pidfd = take_descriptor(&all);
	if (got >= HOOKWIRE_HEADER && header[0] == HOOKWIRE_VERSION && (all.msg_flags & MSG_TRUNC) == 0) {
		message->kind = header[1];
		message->length = (size_t)got - HOOKWIRE_HEADER;
		message->text[message->length] = '\0';
		return 1;
	}
	if (got > 0)
		log_warnx("a hook's message is not understood: %zd bytes", got);
	if (message->pidfd != -1)
		close(message->pidfd);
	return -1;
}

void door_answer(int caller, const char *text, size_t length)
{
	/* Who does not wait for it any more does not need it. */
	(void)send(caller, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- the other side ---- */

static int say(int fd, char kind, const char *text, int pidfd)
{
	char header[HOOKWIRE_HEADER] = {HOOKWIRE_VERSION, kind};
	struct iovec parts[] = {{header, sizeof(header)}, {(void *)(uintptr_t)text, strlen(text)}};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct msghdr all = {.msg_iov = parts, .msg_iovlen = 2};

	if (pidfd != -1) {
		memcpy(CMSG_DATA(&control.header), &pidfd, sizeof(pidfd));
		all.msg_control = &control;
		all.msg_controllen = sizeof(control);
	}
	return sendmsg(fd, &all, MSG_NOSIGNAL) == -1 ? -1 : 0;
}

int door_ask(const char *path, char kind, const char *text, int pidfd, char answer[DOOR_ANSWER_SIZE])
{
	struct sockaddr_un address;
	int fd = make_socket(0), length = -1;
	struct pollfd one = {.fd = fd, .events = POLLIN};

	if (fd == -1)
		return -1;
	if (make_address(path, &address) == 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && say(fd, kind, text, pidfd) == 0) {
		errno = ETIMEDOUT;
		if (poll(&one, 1, ASK_MS) == 1) {
			length = (int)recv(fd, answer, DOOR_ANSWER_SIZE - 1, 0);
			errno = length == 0 ? ECONNRESET : errno;
		}
	}
	if (length > 0)
		answer[length] = '\0';
	close(fd);
	return length > 0 ? length : -1;
}
