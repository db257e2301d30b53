#include <config.h>

#include "engines.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "jsonfile.h"
#include "shared/shortage.h"

struct visitor {
	void (*visit)(void *arg, const struct engines_container *container);
	void *arg;
	int lack; /* an errno; 0: all that is there was looked at */
};

static void note_lack(struct visitor *visitor, int error)
{
	if (shortage_is(error))
		visitor->lack = error;
}

/* The last one, as runc itself has it: it puts its own behind what comes from the annotations, and one of those may be called bundle. */
static const char *runc_bundle(const json_t *state)
{
	const json_t *labels = json_object_get(json_object_get(state, "config"), "labels");
	const char *bundle = NULL;

	for (size_t i = 0; i < json_array_size(labels); i++) {
		const char *label = json_string_value(json_array_get(labels, i));

		if (label != NULL && strncmp(label, "bundle=", 7) == 0)
			bundle = label + 7;
	}
	return bundle;
}

/* runc's state.json, crun's status. */
static void look_at(struct visitor *visitor, const char *root, const char *id)
{
	struct engines_container container = {.id = id};
	char path[PATH_MAX];
	json_t *state;

	if (snprintf(path, sizeof(path), "%s/%s/state.json", root, id) >= (int)sizeof(path))
		return;
	state = jsonfile_read(path);
	if (state == NULL)
		note_lack(visitor, errno);
	if (state != NULL) {
		container.pid = (pid_t)jsonfile_number(state, "init_process_pid");
		container.start = jsonfile_number(state, "init_process_start");
		container.bundle = runc_bundle(state);
	} else if (snprintf(path, sizeof(path), "%s/%s/status", root, id) < (int)sizeof(path) && (state = jsonfile_read(path)) != NULL) {
		container.pid = (pid_t)jsonfile_number(state, "pid");
		container.start = jsonfile_number(state, "process-start-time");
		container.bundle = jsonfile_text(state, "bundle");
	} else {
		note_lack(visitor, errno);
	}
	if (container.pid > 1 && container.bundle != NULL)
		visitor->visit(visitor->arg, &container);
	json_decref(state);
}

static void look_through(struct visitor *visitor, const char *root)
{
	DIR *folder = opendir(root);
	const struct dirent *entry;

	if (folder == NULL) {
		note_lack(visitor, errno);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] != '.')
			look_at(visitor, root, entry->d_name);
	}
	closedir(folder);
}

/* glob(3) goes on without what it cannot open, and says so to this alone, which has no argument. */
static _Thread_local int glob_lack;

static int note_unopened(const char *path, int error)
{
	(void)path;
	if (shortage_is(error))
		glob_lack = error;
	return 0;
}

int engines_each(char *const *roots, size_t nroots, void (*visit)(void *arg, const struct engines_container *container), void *arg)
{
	struct visitor visitor = {visit, arg, 0};

	glob_lack = 0;
	for (size_t i = 0; i < nroots; i++) {
		glob_t found;

		int result = glob(roots[i], GLOB_NOSORT, note_unopened, &found);

		if (result == GLOB_NOSPACE)
			note_lack(&visitor, ENOMEM);
		if (result != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			look_through(&visitor, found.gl_pathv[k]);
		globfree(&found);
	}
	note_lack(&visitor, glob_lack);
	errno = visitor.lack;
	return visitor.lack == 0 ? 0 : -1;
}
