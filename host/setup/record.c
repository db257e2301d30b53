#include <config.h>

#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "shared/atomicfile.h"

static const char *record_path(const struct setup *setup, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s/record.json", setup->root, setup->state);
	return out;
}

int setup_record_load(struct setup *setup)
{
	char path[PATH_MAX];
	json_error_t error;

	setup->record = json_load_file(record_path(setup, path), 0, &error);
	if (setup->record == NULL && json_error_code(&error) == json_error_cannot_open_file && errno == ENOENT)
		setup->record = json_object();
	if (json_is_object(setup->record))
		return 0;
	setup_error(setup, "%s: line %d: %s: this is the record of what was changed; without it nothing can be taken back", path, error.line,
	            error.text);
	return -1;
}

/* Mode 0700: originals stand in it. */
static int make_folder(const struct setup *setup)
{
	char path[PATH_MAX];
	size_t start = strlen(setup->root);

	snprintf(path, sizeof path, "%s%s/", setup->root, setup->state);
	for (char *slash = strchr(path + start + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, slash[1] == '\0' ? 0700 : 0755) == -1 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

/*
 * Two runs at once would each save a record without what the other one made, and rabbitmqctl would be given one's definitions for the other's. The
 * descriptor stays open: the lock goes with this process, however it ends, and none of its children has it.
 */
int setup_record_lock(struct setup *setup)
{
	char path[PATH_MAX];
	int fd = -1, result = -1;

	if (setup->dry_run)
		return 0;
	snprintf(path, sizeof path, "%s%s", setup->root, setup->state);
	if (make_folder(setup) == 0)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1)
		result = flock(fd, LOCK_EX | LOCK_NB);
	if (result == -1 && errno == EWOULDBLOCK) {
		fprintf(stderr, "callsign-setup: another one runs here: this one goes on when that has ended\n");
		result = flock(fd, LOCK_EX);
	}
	if (result == -1)
		setup_error(setup, "%s: cannot be made or locked: %s", path, strerror(errno));
	return result;
}

int setup_record_save(struct setup *setup)
{
	char path[PATH_MAX], *text;
	int result = -1;

	if (setup->dry_run)
		return 0;
	atomicfile_sweep(record_path(setup, path));
	if (json_object_size(setup->record) == 0)
		return remove(path) == 0 || errno == ENOENT ? 0 : -1;
	text = json_dumps(setup->record, JSON_INDENT(1));
	if (text != NULL && make_folder(setup) == 0)
		result = atomicfile_replace(path, 0600, text, strlen(text));
	if (result == -1)
		setup_error(setup, "%s: cannot be written: %s", path, strerror(errno));
	free(text);
	return result;
}

json_t *setup_record_list(struct setup *setup, const char *key)
{
	json_t *list = json_object_get(setup->record, key);

	if (list == NULL) {
		list = json_array();
		json_object_set_new(setup->record, key, list);
	}
	return list;
}
