#include <config.h>

#include "privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/log.h"
#include "sinks/haproxy/conf.h"
#include "system/process.h"

#define OWN_DIRECTORY "/run/callsign"

/* ---- whom to become ---- */

/* 1 and *uid, *gid; 0: stay; -1: the user that was asked for does not exist. */
static int find_user(const char *run_as, uid_t *uid, gid_t *gid)
{
	const char *name = run_as != NULL ? run_as : PRIVILEGES_USER;
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (user == NULL && run_as == NULL) {
		log_info("there is no user " PRIVILEGES_USER ": running as root; adduser --system --group " PRIVILEGES_USER " and start again");
		return 0;
	}
	if (user == NULL) {
		log_errorx("run_as=%s: there is no such user%s%s", name, errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
		return -1;
	}
	*uid = user->pw_uid;
	*gid = user->pw_gid;
	return user->pw_uid != 0;
}

/* ---- directories ---- */

/* The directory of path into directory[]. -1: there is none of its own, or it is too long. */
static int directory_of(const char *path, char directory[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path || slash - path >= PATH_MAX)
		return -1;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	return 0;
}

/*
 * Only what we made, or what is ours by its name, is given away: hosts_file = "/etc/hosts.callsign" must not make /etc a user's. Never through a
 * symbolic link: whoever has been that user before us may have put one there.
 */
static int give_directory(const char *path, uid_t uid, gid_t gid)
{
	char directory[PATH_MAX];
	bool made;
	int fd, result = 0;

	if (directory_of(path, directory) == -1)
		return 0;
	made = mkdir(directory, 0755) == 0;
	if (!made && strcmp(directory, OWN_DIRECTORY) != 0)
		return 0;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || fchown(fd, uid, gid) == -1) {
		log_error("directory=%s cannot be given to uid=%ld", directory, (long)uid);
		result = -1;
	}
	if (fd != -1)
		close(fd);
	return result;
}

/* A daemon that ran as root and was killed leaves a pid file that its successor could not write to. */
static void give_pid_file(const char *path, uid_t uid, gid_t gid)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd == -1)
		return;
	/* A second link would be somebody's other file. */
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1 && status.st_uid == 0 &&
	    fchown(fd, uid, gid) == -1)
		log_warn("pid_file=%s cannot be given to uid=%ld", path, (long)uid);
	close(fd);
}

static int give_files(const struct conf *conf, uid_t uid, gid_t gid)
{
	if (give_directory(conf->pid_file, uid, gid) == -1 || give_directory(conf->dnsmasq.hosts_file, uid, gid) == -1)
		return -1;
	give_pid_file(conf->pid_file, uid, gid);
	return 0;
}

/* ---- capabilities ---- */

/* The effective user of a process, or -1. Not the owner of /proc/PID: that is root's once a process has changed its user. */
static long user_of(pid_t pid)
{
	char path[64], line[256];
	long real, effective = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return -1;
	while (fgets(line, sizeof(line), file) != NULL) {
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers */
		if (sscanf(line, "Uid: %ld %ld", &real, &effective) == 2)
			break;
	}
	fclose(file);
	return effective;
}

static bool signals_haproxy(const struct conf *conf)
{
	const struct haproxy_conf *haproxy = haproxy_conf(conf);

	return haproxy != NULL && haproxy->socket != NULL && haproxy->reload;
}

/*
 * Whether the dnsmasq that runs now is a process that uid may signal anyway. One that does not run yet may be anybody's, and HAProxy's master is
 * always root's.
 */
static bool may_signal_anyway(const struct conf *conf, uid_t uid)
{
	char reason[PROCESS_REASON_SIZE];
	struct process dnsmasq;
	bool same;

	if (signals_haproxy(conf))
		return false;
	if (process_open(conf->dnsmasq.pid_file, "dnsmasq", &dnsmasq, reason) != PROCESS_FOUND)
		return false;
	same = user_of(dnsmasq.pid) == (long)uid;
	process_close(&dnsmasq);
	return same;
}

static void choose_capabilities(bool kill)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (kill)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_KILL);
}

/* Trusting nothing that was called before: a daemon that believes it is harmless must be. */
static int check(uid_t uid, gid_t gid)
{
	uid_t real, effective, saved;
	gid_t real_group, effective_group, saved_group;

	if (getresuid(&real, &effective, &saved) == -1 || getresgid(&real_group, &effective_group, &saved_group) == -1)
		return -1;
	if (real != uid || effective != uid || saved != uid || real_group != gid || effective_group != gid || saved_group != gid ||
	    getgroups(0, NULL) != 0 || setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

static int become(const struct conf *conf, uid_t uid, gid_t gid)
{
	int failed;

	choose_capabilities(!may_signal_anyway(conf, uid));
	failed = capng_change_id((int)uid, (int)gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
	if (failed != 0) {
		log_errorx("cannot become uid=%ld gid=%ld (capng_change_id: %d): start as root, or as that user", (long)uid, (long)gid,
		           failed);
		return -1;
	}
	if (check(uid, gid) == -1) {
		log_error("uid=%ld gid=%ld: privileges are left over", (long)uid, (long)gid);
		return -1;
	}
	return 0;
}

static bool has_more_than(bool kill)
{
	unsigned i;

	for (i = 0; i <= CAP_LAST_CAP; i++) {
		if (i != CAP_KILL && capng_have_capability(CAPNG_PERMITTED, i) != 0)
			return true;
	}
	return !kill && capng_have_capability(CAPNG_PERMITTED, CAP_KILL) != 0;
}

/* An ordinary user started us, or a service manager as an ordinary user, perhaps with CAP_KILL. */
static int keep_user(const struct conf *conf)
{
	bool kill = capng_have_capability(CAPNG_PERMITTED, CAP_KILL) != 0 && !may_signal_anyway(conf, geteuid());
	int failed;

	/* A service manager's system call filter may not allow even giving up what there is not. */
	if (!has_more_than(kill))
		return 0;
	choose_capabilities(kill);
	failed = capng_apply(CAPNG_SELECT_CAPS);
	if (failed != 0)
		log_errorx("cannot give up capabilities (capng_apply: %d)", failed);
	return failed != 0 ? -1 : 0;
}

int privileges_drop(const struct conf *conf)
{
	uid_t uid;
	gid_t gid;
	int found;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
		log_error("cannot rule out new privileges");
		return -1;
	}
	if (geteuid() != 0)
		return keep_user(conf);
	found = find_user(conf->run_as, &uid, &gid);
	if (found <= 0)
		return found;
	if (give_files(conf, uid, gid) == -1 || become(conf, uid, gid) == -1)
		return -1;
	return 1;
}

const char *privileges_missing(const struct conf *conf)
{
	if (!signals_haproxy(conf) || geteuid() == 0 || capng_have_capability(CAPNG_EFFECTIVE, CAP_KILL) != 0)
		return NULL;
	return "haproxy.reload: callsignd gave up the right to signal HAProxy (CAP_KILL) at its start, when nothing needed it: restart it, or, while HAProxy's "
	       "socket does not work, names wait";
}
