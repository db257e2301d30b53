#include <config.h>

#include "bundle.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "jsonfile.h"
#include "shared/shortage.h"

#define HOOK_NAME "callsign-hook"

/* ---- Docker: config.v2.json lies beside the files that are mounted over those of /etc, in a folder that is called by the container's id ---- */

static bool is_dockers(const char *destination)
{
	return strcmp(destination, "/etc/hostname") == 0 || strcmp(destination, "/etc/hosts") == 0 || strcmp(destination, "/etc/resolv.conf") == 0;
}

/* What is in front of the last two parts of a path: the length, 0 if there is nothing. */
static int folder_of_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (path[0] != '/' || slash == path)
		return 0;
	do
		slash--;
	while (*slash != '/');
	return (int)(slash - path);
}

/*
 * By its own id: a container on another one's network has the other's files mounted, whose labels are not its own; and whoever runs it may have mounted a
 * file of his.
 */
static json_t *read_beside(const char *source, const char *id)
{
	int length = folder_of_folder(source);
	char path[PATH_MAX];
	const char *known;
	json_t *json;

	if (length == 0 || snprintf(path, sizeof(path), "%.*s/%s/config.v2.json", length, source, id) >= (int)sizeof(path))
		return NULL;
	json = jsonfile_read(path);
	known = jsonfile_text(json, "ID");
	if (known != NULL && strcmp(known, id) == 0)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *read_docker(const json_t *config, const char *id)
{
	const json_t *mounts = json_object_get(config, "mounts");
	json_t *found = NULL;

	for (size_t i = 0; i < json_array_size(mounts) && found == NULL && !shortage_is(errno); i++) {
		const json_t *mount = json_array_get(mounts, i);
		const char *destination = jsonfile_text(mount, "destination"), *source = jsonfile_text(mount, "source");

		if (destination != NULL && source != NULL && is_dockers(destination))
			found = read_beside(source, id);
	}
	return found;
}

static void take_docker(struct bundle *bundle)
{
	const char *name = jsonfile_text(bundle->engine, "Name");

	bundle->facts.container = name != NULL && name[0] == '/' ? name + 1 : name;
	bundle->facts.labels = json_object_get(json_object_get(bundle->engine, "Config"), "Labels");
}

/* ---- Podman: STORAGE/…-containers/ID/userdata is the bundle, containers.json beside the IDs ---- */

static json_t *read_podman(const char *path, const char *id)
{
	char list_path[PATH_MAX];
	json_t *list, *found = NULL;

	if (snprintf(list_path, sizeof(list_path), "%s/../../containers.json", path) >= (int)sizeof(list_path))
		return NULL;
	list = jsonfile_read(list_path);
	for (size_t i = 0; i < json_array_size(list) && found == NULL; i++) {
		json_t *entry = json_array_get(list, i);
		const char *entry_id = jsonfile_text(entry, "id");

		if (entry_id != NULL && strcmp(entry_id, id) == 0)
			found = json_incref(entry);
	}
	json_decref(list);
	return found;
}

/* ---- config.json ---- */

/* NULL: the container shares its runtime's. With a path it is one that is there already. */
static const json_t *namespace_of(const json_t *config, const char *type)
{
	const json_t *namespaces = json_object_get(json_object_get(config, "linux"), "namespaces");

	for (size_t i = 0; i < json_array_size(namespaces); i++) {
		const json_t *namespace = json_array_get(namespaces, i);
		const char *one = jsonfile_text(namespace, "type");

		if (one != NULL && strcmp(one, type) == 0)
			return namespace;
	}
	return NULL;
}

int bundle_read(const char *path, const char *id, struct bundle *out)
{
	char config_path[PATH_MAX];

	memset(out, 0, sizeof(*out));
	out->facts.id = id;
	if (snprintf(config_path, sizeof(config_path), "%s/config.json", path) >= (int)sizeof(config_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	out->config = jsonfile_read(config_path);
	if (out->config == NULL)
		return -1;
	out->facts.hostname = jsonfile_text(out->config, "hostname");
	out->facts.own_hostname = namespace_of(out->config, "uts") != NULL;
	out->facts.joins_network = jsonfile_text(namespace_of(out->config, "network"), "path") != NULL;
	out->facts.env = json_object_get(json_object_get(out->config, "process"), "env");
	out->facts.annotations = json_object_get(out->config, "annotations");
	errno = 0;
	out->engine = read_docker(out->config, id);
	if (out->engine != NULL)
		take_docker(out);
	else if (!shortage_is(errno) && (out->engine = read_podman(path, id)) != NULL)
		out->facts.container = json_string_value(json_array_get(json_object_get(out->engine, "names"), 0));
	/* Its labels may say that it is to have another name, or none. */
	return out->engine == NULL && shortage_is(errno) ? -1 : 0;
}

void bundle_clear(struct bundle *bundle)
{
	json_decref(bundle->config);
	json_decref(bundle->engine);
	memset(bundle, 0, sizeof(*bundle));
}

bool bundle_has_hook(const struct bundle *bundle)
{
	const json_t *list = json_object_get(json_object_get(bundle->config, "hooks"), "createRuntime");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *path = jsonfile_text(json_array_get(list, i), "path"), *slash = path != NULL ? strrchr(path, '/') : NULL;

		if (slash != NULL && strcmp(slash + 1, HOOK_NAME) == 0)
			return true;
	}
	return false;
}
