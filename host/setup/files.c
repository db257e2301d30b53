#include <config.h>

#include "setup.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemonjson.h"
#include "shared/atomicfile.h"
#include "shared/conftext.h"

#define FILE_MAX ((size_t)1 << 20)

static const char *full_path(const struct setup *setup, const char *path, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s", setup->root, path);
	return out;
}

bool setup_there(const struct setup *setup, const char *path)
{
	char full[PATH_MAX];

	return access(full_path(setup, path, full), F_OK) == 0;
}

char *setup_read(const struct setup *setup, const char *path)
{
	char full[PATH_MAX], *text;
	size_t length;
	FILE *file = fopen(full_path(setup, path, full), "re");

	if (file == NULL)
		return NULL;
	text = calloc(1, FILE_MAX + 1);
	length = text != NULL ? fread(text, 1, FILE_MAX + 1, file) : 0;
	if (text != NULL && (ferror(file) || length > FILE_MAX || memchr(text, '\0', length) != NULL)) {
		free(text);
		text = NULL;
		errno = EFBIG;
	}
	fclose(file);
	return text;
}

bool setup_conf_says(const char *text, const char *words)
{
	char *bare = strdup(text);
	bool says = false;

	if (bare != NULL) {
		conftext_blank(bare);
		says = strstr(bare, words) != NULL;
	}
	free(bare);
	return says;
}

/* ---- what is shown ---- */

static size_t line_length(const char *text)
{
	size_t length = strcspn(text, "\n");

	return length + (text[length] == '\n');
}

static void print_lines(char sign, const char *text, const char *end)
{
	while (text < end) {
		size_t length = line_length(text), shown = text[length - 1] == '\n' ? length - 1 : length;

		printf("%c %.*s\n", sign, (int)shown, text);
		text += length;
	}
}

/* The common lines at both ends are left out, but for one before. */
void setup_print_difference(const char *path, const char *old, const char *new)
{
	const char *a = old != NULL ? old : "", *b = new != NULL ? new : "";
	const char *a_end = a + strlen(a), *b_end = b + strlen(b);

	printf("%s: %s\n", path, old == NULL ? "made" : new == NULL ? "removed" : "changed");
	while (a < a_end && b < b_end && line_length(a) == line_length(b) && memcmp(a, b, line_length(a)) == 0) {
		a += line_length(a);
		b += line_length(b);
	}
	while (a_end > a && b_end > b && a_end[-1] == b_end[-1]) {
		a_end--;
		b_end--;
	}
	/* Back to whole lines. */
	a_end += a_end > a && a_end[-1] == '\n' ? 0 : line_length(a_end);
	b_end += b_end > b && b_end[-1] == '\n' ? 0 : line_length(b_end);
	print_lines('-', a, a_end);
	print_lines('+', b, b_end);
}

/* ---- writing ---- */

static bool has_text(const json_t *list, const char *text)
{
	const char *one;

	for (size_t i = 0; (one = json_string_value(json_array_get(list, i))) != NULL; i++) {
		if (strcmp(one, text) == 0)
			return true;
	}
	return false;
}

/* Folders on the way; those that are not there are recorded first, to be removed again: whoever ends us between the two leaves none that nobody knows of. */
static int make_folders(struct setup *setup, const char *path)
{
	char full[PATH_MAX], part[PATH_MAX];
	bool more = false;

	for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		if (access(full_path(setup, part, full), F_OK) == 0 || has_text(json_object_get(setup->record, "folders"), part))
			continue;
		if (json_array_append_new(setup_record_list(setup, "folders"), json_string(part)) == -1)
			return -1;
		more = true;
	}
	if (more && setup_record_save(setup) == -1)
		return -1;
	for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		if (mkdir(full_path(setup, part, full), 0755) == -1 && errno != EEXIST)
			return -1;
	}
	return 0;
}

/* root:callsign, where there is that group: in a root of another machine by its own /etc/group. */
static gid_t group_id(const struct setup *setup)
{
	const struct group *group = NULL;
	char full[PATH_MAX];
	gid_t id = 0;
	FILE *file = fopen(full_path(setup, "/etc/group", full), "re");

	while (file != NULL && (group = fgetgrent(file)) != NULL && strcmp(group->gr_name, SETUP_GROUP) != 0)
		;
	if (group != NULL)
		id = group->gr_gid;
	if (file != NULL)
		fclose(file);
	return id;
}

static int replace(struct setup *setup, const char *path, const char *text, mode_t mode)
{
	char full[PATH_MAX];

	atomicfile_sweep(full_path(setup, path, full));
	if (make_folders(setup, path) == -1 || atomicfile_replace(full, mode, text, strlen(text)) == -1)
		return -1;
	return (mode & S_IRWXO) == 0 && geteuid() == 0 ? chown(full, 0, group_id(setup)) : 0;
}

/* ---- the record ---- */

/* The entry of path, or NULL. */
static json_t *entry_of(const struct setup *setup, const char *path, size_t *at)
{
	const json_t *files = json_object_get(setup->record, "files");

	for (*at = 0; *at < json_array_size(files); ++*at) {
		json_t *entry = json_array_get(files, *at);
		const char *name = json_string_value(json_object_get(entry, "path"));

		if (name != NULL && strcmp(name, path) == 0)
			return entry;
	}
	return NULL;
}

bool setup_recorded(const struct setup *setup, const char *path)
{
	size_t at;

	return entry_of(setup, path, &at) != NULL;
}

/* The first original is kept: what a later run replaces is our own. */
static int remember(struct setup *setup, const char *path, const char *old, const char *text, enum setup_kind kind)
{
	size_t at;
	json_t *entry = entry_of(setup, path, &at);
	json_t *written = kind == SETUP_SECRET ? json_null() : json_string(text);

	if (entry == NULL) {
		entry = json_pack("{s:s, s:o}", "path", path, "original", old != NULL && kind == SETUP_PLAIN ? json_string(old) : json_null());
		if (entry == NULL || json_array_append_new(setup_record_list(setup, "files"), entry) == -1)
			entry = NULL;
	}
	/* Ended between this and the file's replacement, the next run finds the old text, which is ours as well. */
	if (entry == NULL || json_object_set_new(entry, "written", written) == -1 ||
	    json_object_set_new(entry, "replaced", old != NULL && kind == SETUP_PLAIN ? json_string(old) : json_null()) == -1 ||
	    json_object_set_new(entry, "pending", json_true()) == -1)
		return -1;
	return setup_record_save(setup);
}

static bool is_text(const json_t *entry, const char *key, const char *text)
{
	const char *known = json_string_value(json_object_get(entry, key));

	return known != NULL && strcmp(text, known) == 0;
}

bool setup_pending(const struct setup *setup, const char *path)
{
	size_t at;

	return json_is_true(json_object_get(entry_of(setup, path, &at), "pending"));
}

void setup_settled(struct setup *setup)
{
	json_t *files = json_object_get(setup->record, "files");

	for (size_t i = 0; i < json_array_size(files); i++)
		(void)json_object_del(json_array_get(files, i), "pending");
	(void)setup_record_save(setup);
}

bool setup_is_ours(const struct setup *setup, const char *path)
{
	size_t at;
	const json_t *entry = entry_of(setup, path, &at);
	char *text = setup_read(setup, path);
	bool ours = text == NULL ? errno == ENOENT : is_text(entry, "written", text) || is_text(entry, "replaced", text);

	free(text);
	return ours;
}

bool setup_write(struct setup *setup, const char *path, const char *text, mode_t mode, enum setup_kind kind)
{
	char *old = setup_read(setup, path);
	bool same = old != NULL && strcmp(old, text) == 0;

	if (old == NULL && errno != ENOENT) {
		setup_error(setup, "%s: cannot be read: %s", path, strerror(errno));
		return false;
	}
	if (same) {
		free(old);
		return false;
	}
	setup->changed = true;
	if (kind == SETUP_SECRET)
		printf("%s: made, mode %04o\n", path, (unsigned)mode);
	else
		setup_print_difference(path, old, text);
	/* Recorded first: what is in the record and was not done can be undone, the other way round it could not. */
	if (!setup->dry_run && (remember(setup, path, old, text, kind) == -1 || replace(setup, path, text, mode) == -1))
		setup_error(setup, "%s: cannot be written: %s", path, strerror(errno));
	free(old);
	return !setup->failed || setup->dry_run;
}

/* ---- undo ---- */

static void put_back(struct setup *setup, const char *path, const char *now, const char *original)
{
	char full[PATH_MAX];
	struct stat status;

	setup->changed = true;
	if (now == NULL)
		printf("%s: removed\n", path);
	else
		setup_print_difference(path, now, original);
	if (setup->dry_run)
		return;
	full_path(setup, path, full);
	if (original == NULL && unlink(full) == -1 && errno != ENOENT)
		setup_error(setup, "%s: cannot be removed: %s", path, strerror(errno));
	else if (original != NULL && (stat(full, &status) == -1 || atomicfile_replace(full, status.st_mode & 07777, original, strlen(original)) == -1))
		setup_error(setup, "%s: cannot be put back: %s", path, strerror(errno));
}

void setup_remove(struct setup *setup, const char *path)
{
	put_back(setup, path, NULL, NULL);
}

/* Edited since: only what is ours is taken out, and that we know how to do for daemon.json alone. */
static void take_out(struct setup *setup, const char *path, const char *now, const char *original)
{
	bool empty = false;
	char *without = strcmp(path, SETUP_DAEMON_JSON) == 0 ? daemonjson_without(now, setup->docker, original, &empty) : NULL;

	if (without != NULL)
		put_back(setup, path, now, without);
	else
		setup_error(setup, "%s was edited since: left as it is, remove what callsign-setup wrote by hand", path);
	free(without);
}

static void undo_file(struct setup *setup, const json_t *entry)
{
	const char *path = json_string_value(json_object_get(entry, "path"));
	const char *written = json_string_value(json_object_get(entry, "written"));
	const char *original = json_string_value(json_object_get(entry, "original"));
	char *now = path != NULL ? setup_read(setup, path) : NULL, full[PATH_MAX];

	if (path != NULL && !setup->dry_run)
		atomicfile_sweep(full_path(setup, path, full));
	if (now == NULL)
		return;
	if (written == NULL)
		put_back(setup, path, NULL, NULL);
	else if (original != NULL && strcmp(now, original) == 0)
		; /* it never came to be replaced, or somebody put it back */
	else if (strcmp(now, written) == 0 || is_text(entry, "replaced", now) ||
	         (strcmp(path, SETUP_DAEMON_JSON) == 0 && daemonjson_is_left(written, now)))
		put_back(setup, path, now, original);
	else
		take_out(setup, path, now, original);
	free(now);
}

void setup_take_back(struct setup *setup, const char *path)
{
	size_t at;
	const json_t *entry = entry_of(setup, path, &at);

	if (entry == NULL)
		return;
	undo_file(setup, entry);
	if (!setup->dry_run && !setup->failed) {
		json_array_remove(json_object_get(setup->record, "files"), at);
		(void)setup_record_save(setup);
	}
}

/* Those that are empty by now. */
static void undo_folders(const struct setup *setup)
{
	const json_t *folders = json_object_get(setup->record, "folders");
	char full[PATH_MAX];

	for (size_t i = json_array_size(folders); i > 0 && !setup->dry_run; i--) {
		const char *path = json_string_value(json_array_get(folders, i - 1));

		if (path != NULL)
			(void)rmdir(full_path(setup, path, full));
	}
}

void setup_files_undo(struct setup *setup)
{
	const json_t *files = json_object_get(setup->record, "files");

	for (size_t i = json_array_size(files); i > 0; i--)
		undo_file(setup, json_array_get(files, i - 1));
	undo_folders(setup);
}
