#include <config.h>

#include "keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jsonfile.h"
#include "shared/atomicfile.h"
#include "shared/log.h"
#include "shared/shortage.h"

#define SUFFIX ".json"
#define PATH_SIZE 64 /* "/proc/self/fd/N/INSTANCE.json", with room */
#define BEGUN "begun" /* an agent has been here since the machine's start */

/* Not whether the folder was there: systemd makes it before the first agent begins (RuntimeDirectory=). */
static bool is_first(int folder)
{
	int fd = openat(folder, BEGUN, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

int keep_open(const char *folder, bool *fresh)
{
	struct stat status;
	int fd;

	*fresh = false;
	mkdir(folder, 0700); /* what is there, by whomever, is looked at below */
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	errno = EPERM; /* not only root's: whoever can write there could name any process */
	if (fstat(fd, &status) == 0 && status.st_uid == 0 && (status.st_mode & 022) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*fresh = is_first(fd);
		return fd;
	}
	close(fd);
	return -1;
}

static void path_of(int folder, const struct ident *instance, char out[PATH_SIZE + IDENT_TEXT_SIZE])
{
	char text[IDENT_TEXT_SIZE];

	snprintf(out, PATH_SIZE + IDENT_TEXT_SIZE, "/proc/self/fd/%d/%s" SUFFIX, folder, ident_format(instance, text));
}

static json_t *aliases_json(const struct naming *naming)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < naming->naliases; i++)
		json_array_append_new(list, json_string(naming->aliases[i]));
	return list;
}

static json_t *ports_json(const struct naming *naming)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < naming->nports; i++)
		json_object_set_new(object, naming->ports[i].name, json_integer(naming->ports[i].port));
	return object;
}

int keep_write(int folder, const struct keep_entry *entry)
{
	char path[PATH_SIZE + IDENT_TEXT_SIZE], instance[IDENT_TEXT_SIZE], *text;
	json_t *json = json_pack("{s:i, s:s, s:I, s:I, s:s, s:I, s:s, s:o, s:o}", "v", 1, "id", entry->id, "pid", (json_int_t)entry->pid, "start",
	                         (json_int_t)entry->start, "instance", ident_format(&entry->instance, instance), "seq", (json_int_t)entry->seq,
	                         "name", entry->naming.name, "aliases", aliases_json(&entry->naming), "ports", ports_json(&entry->naming));
	int result = -1;

	text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (text == NULL) {
		errno = ENOMEM;
		return -1;
	}
	path_of(folder, &entry->instance, path);
	result = atomicfile_replace(path, 0600, text, strlen(text));
	free(text);
	return result;
}

void keep_remove(int folder, const struct ident *instance)
{
	char path[PATH_SIZE + IDENT_TEXT_SIZE];

	path_of(folder, instance, path);
	unlink(path);
}

/* ---- reading ---- */

static bool fold_into(const char *text, char out[HOSTNAME_NAME_SIZE])
{
	return text != NULL && hostname_fold(text, strlen(text), out) == HOSTNAME_OK;
}

static bool read_names(const json_t *json, struct naming *naming)
{
	const json_t *aliases = json_object_get(json, "aliases");

	if (!fold_into(jsonfile_text(json, "name"), naming->name) || json_array_size(aliases) > ANNOUNCEMENT_ALIASES_MAX)
		return false;
	for (; naming->naliases < json_array_size(aliases); naming->naliases++) {
		if (!fold_into(json_string_value(json_array_get(aliases, naming->naliases)), naming->aliases[naming->naliases]))
			return false;
	}
	return true;
}

static bool read_ports(json_t *json, struct naming *naming)
{
	json_t *ports = json_object_get(json, "ports"), *value;
	const char *key;

	json_object_foreach(ports, key, value) {
		struct announcement_port port = {.port = (uint16_t)json_number_value(value)};

		if (announcement_port_name(key, strlen(key), port.name) != NULL || port.port == 0 ||
		    announcement_port_add(naming->ports, &naming->nports, &port) != NULL)
			return false;
	}
	return true;
}

static bool read_entry(json_t *json, struct keep_entry *out)
{
	const char *id = jsonfile_text(json, "id"), *instance = jsonfile_text(json, "instance");

	memset(out, 0, sizeof(*out));
	if (jsonfile_number(json, "v") != 1 || id == NULL || strlen(id) > KEEP_ID_MAX || instance == NULL ||
	    ident_parse(instance, strlen(instance), &out->instance) == -1)
		return false;
	memcpy(out->id, id, strlen(id) + 1);
	out->pid = (pid_t)jsonfile_number(json, "pid");
	out->start = jsonfile_number(json, "start");
	out->seq = jsonfile_number(json, "seq");
	return out->pid > 1 && out->start > 0 && read_names(json, &out->naming) && read_ports(json, &out->naming);
}

/* 0, or -1 with errno: something was lacking to read it. */
static int read_file(int folder, const char *name, void (*visit)(void *arg, const struct keep_entry *entry), void *arg)
{
	char path[PATH_SIZE + NAME_MAX];
	static struct keep_entry entry;
	int error = 0;
	json_t *json;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", folder, name);
	json = jsonfile_read(path);
	if (json != NULL && read_entry(json, &entry)) {
		visit(arg, &entry);
	} else if (json == NULL && shortage_is(errno)) {
		error = errno;
		log_warn("%s: cannot be read yet", name);
	} else {
		log_warnx("%s: not understood: removed", name);
		unlink(path);
	}
	json_decref(json);
	errno = error;
	return error == 0 ? 0 : -1;
}

int keep_each(int folder, void (*visit)(void *arg, const struct keep_entry *entry), void *arg)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = copy != -1 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	int error = list == NULL ? errno : 0;

	if (list == NULL) {
		log_warn("what the agent before this one has left cannot be listed");
		if (copy != -1)
			close(copy);
		errno = error;
		return -1;
	}
	while ((entry = readdir(list)) != NULL) {
		size_t length = strlen(entry->d_name);

		/* Dot files are what a write that did not come to its end left behind. */
		if (entry->d_name[0] == '.' && length > 2)
			unlinkat(folder, entry->d_name, 0);
		else if (length > strlen(SUFFIX) && strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0)
			error = read_file(folder, entry->d_name, visit, arg) == -1 ? errno : error;
	}
	closedir(list);
	errno = error;
	return error == 0 ? 0 : -1;
}

uint64_t keep_next_seq(const struct keep_entry *entry, int64_t boottime_ms)
{
	return entry->seq > (uint64_t)boottime_ms ? entry->seq : (uint64_t)boottime_ms;
}
