#include <config.h>

#include "doctor.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sinks/haproxy/conf.h"

/* What callsignd, which is not root, needs of the file system for HAProxy: to replace the map, and to open the socket. */

#define CALLSIGN_USER "callsign" /* whom callsignd becomes without run_as */
#define MAY_PASS 1 /* as in a mode's last three bits */
#define MAY_WRITE 2

/* What the mode lets this user do; access lists are not looked at, so more may be possible, and nothing here is broken for certain. */
static bool may(const struct stat *status, uid_t uid, gid_t gid, unsigned wanted)
{
	unsigned bits = status->st_uid == uid ? status->st_mode >> 6 : status->st_gid == gid ? status->st_mode >> 3 : status->st_mode;

	return uid == 0 || (bits & wanted) == wanted;
}

/* The first folder on the way to path that this user may not pass, or whose last one does not let it do wanted, into out. 0: there is none; else an errno. */
static int find_barrier(const char *path, uid_t uid, gid_t gid, unsigned wanted, char out[PATH_MAX])
{
	const char *last = strrchr(path, '/'), *at = path;

	for (; at != NULL && at <= last; at = strchr(at + 1, '/')) {
		struct stat status;
		size_t length = at == path ? 1 : (size_t)(at - path);

		snprintf(out, PATH_MAX, "%.*s", (int)length, path);
		if (stat(out, &status) == -1)
			return errno;
		if (!may(&status, uid, gid, at == last ? MAY_PASS | wanted : MAY_PASS))
			return EACCES;
	}
	return 0;
}

static bool find_user(const struct doctor *doctor, struct passwd *out, char text[1024])
{
	const char *name = doctor->conf->run_as != NULL ? doctor->conf->run_as : CALLSIGN_USER;
	struct passwd *found = NULL;

	return getpwnam_r(name, out, text, 1024, &found) == 0 && found != NULL;
}

static void judge_map(const struct haproxy_conf *haproxy, const struct passwd *user, struct doctor_finding *finding)
{
	char barrier[PATH_MAX], mend[2 * PATH_MAX];
	const char *last = strrchr(haproxy->map_file, '/');
	int error = find_barrier(haproxy->map_file, user->pw_uid, user->pw_gid, MAY_WRITE, barrier);

	if (error == 0)
		return;
	if (error == ENOENT || (size_t)(last - haproxy->map_file) == strlen(barrier))
		snprintf(mend, sizeof mend, "install -d -o %s -g %s -m 0755 %.*s", user->pw_name, user->pw_name, (int)(last - haproxy->map_file),
		         haproxy->map_file);
	else
		snprintf(mend, sizeof mend, "chmod o+x %s", barrier);
	doctor_warning(finding, mend, "haproxy.map_file %s cannot be replaced by %s: folder %s: %s", haproxy->map_file, user->pw_name, barrier,
	               strerror(error));
}

static void judge_socket(const struct haproxy_conf *haproxy, const struct passwd *user, struct doctor_finding *finding)
{
	char barrier[PATH_MAX], mend[PATH_MAX + 64];
	int error = find_barrier(haproxy->socket, user->pw_uid, user->pw_gid, 0, barrier);
	struct stat status;

	if (error == EACCES) {
		snprintf(mend, sizeof mend, "chmod o+x %s", barrier);
		doctor_warning(finding, mend, "haproxy.socket %s cannot be reached by %s: it may not pass the folder %s", haproxy->socket, user->pw_name, barrier);
	} else if (error != 0 || stat(haproxy->socket, &status) == -1) {
		doctor_warning(finding, "in HAProxy's configuration: stats socket PATH user callsign (examples/haproxy/callsign.cfg), then restart it",
		               "haproxy.socket %s is not there: %s", haproxy->socket, strerror(error != 0 ? error : errno));
	} else if (!may(&status, user->pw_uid, user->pw_gid, MAY_WRITE)) {
		doctor_warning(finding, "in HAProxy's configuration, behind stats socket PATH: user callsign mode 600, and level operator (level admin with HAProxy 3.3 "
		                        "or newer)",
		               "haproxy.socket %s may not be opened by %s", haproxy->socket, user->pw_name);
	}
}

void doctor_haproxy(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct haproxy_conf *haproxy = haproxy_conf(doctor->conf);
	struct passwd user;
	char text[1024];

	if (haproxy == NULL || haproxy->socket == NULL) {
		doctor_ok(finding, "callsignd.conf has none");
		return;
	}
	if (!find_user(doctor, &user, text)) {
		doctor_skipped(finding, "not checked: callsignd runs as root, where there is no user " CALLSIGN_USER);
		return;
	}
	doctor_ok(finding, "%s may replace %s and open %s", user.pw_name, haproxy->map_file, haproxy->socket);
	judge_map(haproxy, &user, finding);
	if (finding->verdict == DOCTOR_OK)
		judge_socket(haproxy, &user, finding);
}
