/*
 * handover NAME INTERPRETER SCRIPT [ARGUMENT…]: have this done by the process that listens on the abstract socket NAME,
 * which has loaded INTERPRETER and SCRIPT already; if nobody does, do it here. Ends as it did.
 *
 * One packet goes there: the folder, SCRIPT and its arguments, each with a NUL behind it, and the three standard files.
 * One byte comes back, the exit status. Without one, the other has died: 1.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX (1 << 20)

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "handover: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* connected: the socket, or -1 if nobody listens there. */
static int connected(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = strlen(name);
	const int room = REQUEST_MAX;
	int fd;

	if (size >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		fail(name);
	}
	memcpy(address.sun_path + 1, name, size);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) != 0)
		fail("a socket");
	if (connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size)) ==
	    0)
		return fd;
	if (errno != ECONNREFUSED)
		fail(name);
	close(fd);
	return -1;
}

/* request: of SIZE bytes, for the caller to free. */
static char *request(char **words, size_t *size)
{
	char folder[PATH_MAX], *text;
	FILE *out = open_memstream(&text, size);

	if (out == NULL || getcwd(folder, sizeof folder) == NULL)
		fail("a request");
	fwrite(folder, 1, strlen(folder) + 1, out);
	for (; *words != NULL; words++)
		fwrite(*words, 1, strlen(*words) + 1, out);
	if (fclose(out) != 0)
		fail("a request");
	return text;
}

static void hand_over(int fd, char *text, size_t size)
{
	const int files[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof files)];
	} control = {0};
	struct iovec part = {.iov_base = text, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof files);
	memcpy(CMSG_DATA(header), files, sizeof files);
	if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		fail("handing over");
}

int main(int argc, char **argv)
{
	unsigned char status;
	size_t size;
	char *text;
	int fd;

	if (argc < 4) {
		fputs("usage: handover NAME INTERPRETER SCRIPT [ARGUMENT...]\n", stderr);
		return 2;
	}
	fd = connected(argv[1]);
	if (fd < 0) {
		execv(argv[2], argv + 2);
		fail(argv[2]);
	}
	text = request(argv + 3, &size);
	hand_over(fd, text, size);
	free(text);
	return recv(fd, &status, 1, 0) == 1 ? status : 1;
}
