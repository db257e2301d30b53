#include <config.h>

#include "setup.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemonjson.h"

/*
 * Docker writes a container's runtime down by its name when the container is made, also where that was the default one. Without one of that name it does
 * not start the container any more ("Unknown runtime specified", 20.10), nor after its own restart those that are always to run.
 */

#define DATA_ROOT "/var/lib/docker"
#define NAMES_SIZE 512

/* Docker's containers; below a data-root with userns-remap they are one folder further down. */
static const char *const places[] = {"%s%s/containers/*/hostconfig.json", "%s%s/[0-9]*.[0-9]*/containers/*/hostconfig.json"};

/* Where it is: the settings' word, under today's name or the older one. */
static const char *data_root(const json_t *settings)
{
	const char *root = json_string_value(json_object_get(settings, "data-root"));

	if (root == NULL)
		root = json_string_value(json_object_get(settings, "graph"));
	return root != NULL && root[0] == '/' ? root : DATA_ROOT;
}

static bool is_of_ours(const char *path)
{
	json_t *host = json_load_file(path, 0, NULL);
	const char *runtime = json_string_value(json_object_get(host, "Runtime"));
	bool ours = runtime != NULL && strcmp(runtime, "callsign") == 0;

	json_decref(host);
	return ours;
}

/* "/NAME" in config.v2.json, beside hostconfig.json; else the beginning of its id, which is the folder's name. */
static void append_name(const char *path, char *names)
{
	size_t used = strlen(names);
	const char *slash = strrchr(path, '/'), *name;
	char beside[PATH_MAX];
	json_t *config;

	if (snprintf(beside, sizeof beside, "%.*s/config.v2.json", (int)(slash - path), path) >= (int)sizeof beside)
		return;
	config = json_load_file(beside, 0, NULL);
	name = json_string_value(json_object_get(config, "Name"));
	if (name != NULL && name[0] == '/')
		snprintf(names + used, NAMES_SIZE - used, " %s", name + 1);
	else if (slash - path > 64)
		snprintf(names + used, NAMES_SIZE - used, " %.12s", slash - 64);
	json_decref(config);
}

/* How many; their names, as many as there is room for, each behind a blank. */
static size_t find(const struct setup *setup, const json_t *settings, char names[NAMES_SIZE])
{
	char pattern[PATH_MAX];
	size_t count = 0;

	names[0] = '\0';
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		glob_t found;

/* One of the two above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (snprintf(pattern, sizeof pattern, places[i], setup->root, data_root(settings)) >= (int)sizeof pattern ||
		    glob(pattern, 0, NULL, &found) != 0)
			continue;
#pragma GCC diagnostic pop
		for (size_t k = 0; k < found.gl_pathc; k++) {
			if (!is_of_ours(found.gl_pathv[k]))
				continue;
			append_name(found.gl_pathv[k], names);
			count++;
		}
		globfree(&found);
	}
	return count;
}

static void write_settings(struct setup *setup, const json_t *settings)
{
	char *text = daemonjson_print(settings);

	if (text == NULL)
		setup_error(setup, SETUP_DAEMON_JSON ": out of memory");
	else
		setup->docker_changed |= setup_write(setup, SETUP_DAEMON_JSON, text, 0644, SETUP_PLAIN);
	free(text);
}

/* Without a word left in it, it is as good as none. */
static void take_left(struct setup *setup, const json_t *settings)
{
	if (json_object_size(settings) > 0) {
		write_settings(setup, settings);
		return;
	}
	setup_remove(setup, SETUP_DAEMON_JSON);
	setup->docker_changed = true;
}

void setup_runtime_undo(struct setup *setup)
{
	char *text = setup_read(setup, SETUP_DAEMON_JSON), names[NAMES_SIZE];
	json_t *settings = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : json_object();
	size_t count = json_is_object(settings) ? find(setup, settings, names) : 0;

	if (count > 0) {
		if (!setup->dry_run && daemonjson_leave_runtime(settings))
			write_settings(setup, settings);
		setup_say(SETUP_DAEMON_JSON ": the runtime callsign stays, as runc: %zu container%s made with it:%s. Make %s anew, and run callsign-setup --undo "
		          "once more", count, count == 1 ? " was" : "s were", names, count == 1 ? "it" : "them");
	} else if (!setup->dry_run && daemonjson_take_left(settings)) {
		take_left(setup, settings);
	}
	json_decref(settings);
	free(text);
}
