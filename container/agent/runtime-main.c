/*
 * callsign-runtime: an OCI runtime that is runc or crun with one hook more. It stands between containerd and the real runtime, adds callsign-hook to
 * the config.json of a bundle that is to become a container, and becomes the real runtime, with the same arguments, descriptors and environment.
 * Nothing that goes wrong on the way keeps a container from running: then it has no name, and the log says why.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hooksedit.h"
#include "runtimeargs.h"
#include "shared/atomicfile.h"
#include "shared/log.h"
#include "shared/log_syslog.h"

#define CONFIG_SIZE_MAX ((size_t)16 << 20)
#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define EXIT_NO_RUNTIME 127

#ifndef CALLSIGN_HOOK_PATH
#define CALLSIGN_HOOK_PATH "/usr/lib/callsign/callsign-hook"
#endif

static const char *const engines_own[] = {"runc", "crun"}; /* what Docker and Podman look for, if nobody says otherwise */

/* ---- the bundle ---- */

/* Whole, in memory that the caller frees. NULL with errno. */
static char *read_whole(const char *path, size_t *length, mode_t *mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	char *text = NULL;
	ssize_t got = -1;

	if (fd == -1)
		return NULL;
	errno = EINVAL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
		errno = EFBIG;
		if ((size_t)status.st_size <= CONFIG_SIZE_MAX && (text = malloc((size_t)status.st_size + 1)) != NULL)
			got = read(fd, text, (size_t)status.st_size);
	}
	close(fd);
	if (got == -1 || got != status.st_size) {
		free(text);
		return NULL;
	}
	*length = (size_t)got;
	*mode = status.st_mode & 07777;
	return text;
}

static void take_edit(const char *path, mode_t mode, enum hooksedit_result result, const char *text, size_t length, const char *why)
{
	if (result == HOOKSEDIT_UNKNOWN)
		log_warnx("%s: %s: left as it is, the container gets no name", path, why);
	else if (result == HOOKSEDIT_MEMORY)
		log_warn("%s: left as it is, the container gets no name", path);
	else if (result == HOOKSEDIT_ADDED && atomicfile_replace(path, mode, text, length) == -1)
		log_warn("%s: it cannot be written, the container gets no name", path);
}

static void add_hook(const struct runtimeargs *args)
{
	const char *hook = args->hook != NULL ? args->hook : CALLSIGN_HOOK_PATH, *why = NULL;
	char path[PATH_MAX], *text, *changed = NULL;
	size_t length, changed_length = 0;
	enum hooksedit_result result;
	mode_t mode;

	/* A runtime does not start a container whose hook it cannot find. */
	if (access(hook, X_OK) == -1) {
		log_warn("%s: the container gets no name", hook);
		return;
	}
	if (snprintf(path, sizeof(path), "%s/config.json", args->bundle) >= (int)sizeof(path))
		return;
	text = read_whole(path, &length, &mode);
	if (text == NULL) {
		log_warn("%s: left as it is, the container gets no name", path);
		return;
	}
	result = hooksedit_add(text, length, hook, args->timeout, &changed, &changed_length, &why);
	take_edit(path, mode, result, changed, changed_length, why);
	free(changed);
	free(text);
}

/* ---- the real runtime ---- */

/* A runtime that is a link to us would be started for ever. */
static bool is_runtime(const char *path)
{
	struct stat self, other;

	if (access(path, X_OK) == -1 || stat(path, &other) == -1 || !S_ISREG(other.st_mode))
		return false;
	return stat("/proc/self/exe", &self) == -1 || self.st_dev != other.st_dev || self.st_ino != other.st_ino;
}

static bool find_in(const char *folders, const char *name, char out[PATH_MAX])
{
	while (*folders != '\0') {
		size_t length = strcspn(folders, ":");

		if (length > 0 && snprintf(out, PATH_MAX, "%.*s/%s", (int)length, folders, name) < PATH_MAX && is_runtime(out))
			return true;
		folders += length + (folders[length] == ':');
	}
	return false;
}

static bool find_runtime(const char *name, char out[PATH_MAX])
{
	const char *folders = getenv("PATH");

	if (strchr(name, '/') != NULL)
		return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX && is_runtime(out);
	return find_in(folders != NULL && *folders != '\0' ? folders : PATH_DEFAULT, name, out);
}

static int become(const struct runtimeargs *args, char **argv)
{
	char path[PATH_MAX];
	bool found = args->runtime != NULL && find_runtime(args->runtime, path);

	for (size_t i = 0; args->runtime == NULL && !found && i < sizeof(engines_own) / sizeof(engines_own[0]); i++)
		found = find_runtime(engines_own[i], path);
	if (found) {
		argv[args->first - 1] = path;
		execv(path, argv + args->first - 1);
	}
	/* The engine shows what a runtime says on its standard error. */
	fprintf(stderr, "callsign-runtime: %s: %s\n", args->runtime != NULL ? args->runtime : "neither runc nor crun",
	        found ? strerror(errno) : "not found on PATH; --callsign-runtime=PATH says where");
	return EXIT_NO_RUNTIME;
}

int main(int argc, char **argv)
{
	struct runtimeargs args;
	const char *error;

	if (runtimeargs_read(argc, (const char *const *)argv, &args, &error) == -1) {
		fprintf(stderr, "callsign-runtime: %s\n", error);
		return EXIT_NO_RUNTIME;
	}
	if (args.creates) {
		log_open(&log_to_syslog, "callsign-runtime", LOG_LEVEL_INFO);
		add_hook(&args);
	}
	return become(&args, argv);
}
