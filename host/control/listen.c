#include <config.h>

#include "listen.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/log.h"

#define BACKLOG 64

static struct sockaddr_un listen_address(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return address;
}

/* Whether somebody answers there. A full backlog is somebody, too. */
static bool listen_answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool answers;

	if (fd == -1)
		return false;
	answers = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
	close(fd);
	return answers;
}

/* What a daemon that was killed has left behind. 0: the place is free. */
static int listen_clear(const struct sockaddr_un *address)
{
	struct stat status;

	if (lstat(address->sun_path, &status) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(status.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	if (listen_answers(address)) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(address->sun_path);
}

/* The directory is on a tmpfs and gone after each boot. */
static int listen_make_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return 0;
	snprintf(directory, sizeof directory, "%.*s", (int)(slash - path), path);
	return mkdir(directory, 0755) == -1 && errno != EEXIST ? -1 : 0;
}

static void listen_admit(const char *path, const char *name)
{
	const struct group *group = getgrnam(name);

	if (group == NULL) {
		log_info("there is no group=%s: only root may use the control socket=%s", name, path);
		return;
	}
	/* First the group, then what it may: for no moment may anybody else. */
	if (chown(path, (uid_t)-1, group->gr_gid) == -1 || chmod(path, 0660) == -1)
		log_warn("group=%s cannot be let in: only root may use the control socket=%s", name, path);
}

static int listen_bind(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0177);
	int result = bind(fd, (const struct sockaddr *)address, sizeof *address);

	umask(mask);
	return result;
}

int control_listen_open(struct control_listen *listening, const char *path, const char *group)
{
	struct sockaddr_un address = listen_address(path);

	if (listening->fd != -1 && strcmp(listening->path, path) == 0 && strcmp(listening->group, group) == 0)
		return 0;
	control_listen_close(listening);
	if (listen_make_directory(path) == -1 || listen_clear(&address) == -1)
		goto failed;
	listening->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listening->fd == -1 || listen_bind(listening->fd, &address) == -1)
		goto failed;
	snprintf(listening->path, sizeof listening->path, "%s", path);
	snprintf(listening->group, sizeof listening->group, "%s", group);
	listen_admit(path, group);
	if (listen(listening->fd, BACKLOG) == -1)
		goto failed;
	return 0;
failed:
	log_warn("callsignctl will find no daemon: control socket=%s", path);
	control_listen_close(listening);
	return -1;
}

int control_listen_accept(struct control_listen *listening, struct ucred *peer, int64_t now_ms)
{
	socklen_t length = sizeof *peer;
	int fd = accepting_take(&listening->accepting, listening->fd, "control socket", now_ms);

	if (fd == -1)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &length) == 0)
		return fd;
	log_warn("control socket: who connects is not known");
	close(fd);
	return -1;
}

void control_listen_close(struct control_listen *listening)
{
	if (listening->fd == -1)
		return;
	close(listening->fd);
	listening->fd = -1;
	if (listening->path[0] != '\0')
		unlink(listening->path);
	listening->path[0] = '\0';
}
