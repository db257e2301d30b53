#include <config.h>

#include "dnsmasqconf.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8 /* files that name files */

static void read_file(struct dnsmasqconf *conf, const char *path, unsigned depth);
static void read_folder(struct dnsmasqconf *conf, const char *value, unsigned depth);

static void add(struct dnsmasqconf *conf, const char *key, const char *value, const char *where, unsigned depth)
{
	struct dnsmasqconf_option *more = reallocarray(conf->options, conf->count + 1, sizeof *more);
	struct dnsmasqconf_option option = {.key = strdup(key), .value = strdup(value), .where = strdup(where)};

	if (more != NULL)
		conf->options = more;
	if (more == NULL || option.key == NULL || option.value == NULL || option.where == NULL) {
		free(option.key);
		free(option.value);
		free(option.where);
		conf->incomplete = true;
		return;
	}
	conf->options[conf->count++] = option;
	if (strcmp(key, "conf-file") == 0)
		read_file(conf, value, depth + 1);
	else if (strcmp(key, "conf-dir") == 0)
		read_folder(conf, value, depth + 1);
}

/* ---- files ---- */

static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

/* A comment begins at a # at the start or after a blank, as dnsmasq sees it. */
static void cut_comment(char *line)
{
	for (char *at = line; *at != '\0'; at++) {
		if (*at == '#' && (at == line || isspace((unsigned char)at[-1]))) {
			*at = '\0';
			return;
		}
	}
}

static void read_line(struct dnsmasqconf *conf, char *line, const char *where, unsigned depth)
{
	char *value;

	cut_comment(line);
	line = trim(line);
	if (line[0] == '\0')
		return;
	value = strchr(line, '=');
	if (value != NULL)
		*value++ = '\0';
	add(conf, trim(line), value != NULL ? trim(value) : "", where, depth);
}

static void read_file(struct dnsmasqconf *conf, const char *path, unsigned depth)
{
	char full[4096], where[4096];
	char *line = NULL;
	size_t size = 0;
	unsigned number = 0;
	FILE *file;

	snprintf(full, sizeof full, "%s%s", conf->root, path);
	file = depth <= DEPTH_MAX ? fopen(full, "re") : NULL;
	if (file == NULL) {
		conf->incomplete = true;
		return;
	}
	while (getline(&line, &size, file) != -1) {
		snprintf(where, sizeof where, "%.4000s:%u", path, ++number);
		read_line(conf, line, where, depth);
	}
	free(line);
	fclose(file);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);

	return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* FOLDER[,EXTENSION...]: those endings are skipped, or, with a *, only those are read. */
static bool wanted(const char *name, const char *rules)
{
	char copy[512], *rest = copy, *rule;
	bool only = false;

	if (name[0] == '.' || name[0] == '#' || name[strlen(name) - 1] == '~')
		return false;
	snprintf(copy, sizeof copy, "%s", rules);
	while ((rule = strsep(&rest, ",")) != NULL) {
		if (rule[0] == '*' && rule[1] != '\0') {
			only = true;
			if (ends_with(name, rule + 1))
				return true;
		} else if (rule[0] != '\0' && rule[0] != '*' && ends_with(name, rule)) {
			return false;
		}
	}
	return !only;
}

static void read_folder(struct dnsmasqconf *conf, const char *value, unsigned depth)
{
	size_t length = strcspn(value, ",");
	char path[2048], file[4096];
	struct dirent **entries;
	int count;

	snprintf(path, sizeof path, "%s%.*s", conf->root, (int)length, value);
	count = scandir(path, &entries, NULL, alphasort);
	conf->incomplete |= count == -1;
	for (int i = 0; i < count; i++) {
		if (wanted(entries[i]->d_name, value[length] == ',' ? value + length + 1 : "")) {
			snprintf(file, sizeof file, "%.*s/%s", (int)length, value, entries[i]->d_name);
			read_file(conf, file, depth);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* ---- the command line ---- */

/* Those short options that matter here. */
static const struct {
	char letter;
	const char *key;
} letters[] = {{'C', "conf-file"}, {'7', "conf-dir"}, {'H', "addn-hosts"}, {'i', "interface"}, {'I', "except-interface"}, {'a', "listen-address"},
               {'z', "bind-interfaces"}, {'p', "port"}, {'T', "local-ttl"}, {'S', "server"}, {'h', "no-hosts"}, {'R', "no-resolv"}};

static const char *key_of(char letter)
{
	for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
		if (letters[i].letter == letter)
			return letters[i].key;
	return NULL;
}

static bool takes_value(const char *key)
{
	return strcmp(key, "bind-interfaces") != 0 && strcmp(key, "no-hosts") != 0 && strcmp(key, "no-resolv") != 0;
}

/* One argument, and the one behind it. Returns how many of them it was. */
static size_t read_argument(struct dnsmasqconf *conf, char *argument, const char *next, bool *has_file)
{
	const char *key, *value = "";
	size_t taken = 1;

	if (strncmp(argument, "--", 2) == 0) {
		char *equals = strchr(argument, '=');

		key = argument + 2;
		if (equals != NULL) {
			*equals = '\0';
			value = equals + 1;
		}
	} else if (argument[0] == '-' && (key = key_of(argument[1])) != NULL) {
		if (takes_value(key) && argument[2] != '\0') {
			value = argument + 2;
		} else if (takes_value(key) && next != NULL) {
			value = next;
			taken = 2;
		}
	} else {
		return 1;
	}
	*has_file |= strcmp(key, "conf-file") == 0;
	add(conf, key, value, "its command line", 0);
	return taken;
}

void dnsmasqconf_of_process(struct dnsmasqconf *conf, pid_t pid)
{
	char path[64], text[8192], *arguments[256];
	size_t length, count = 0;
	bool has_file = false;
	FILE *file;

	*conf = (struct dnsmasqconf){.root = ""};
	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "re");
	length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
	conf->incomplete = file == NULL;
	if (file != NULL)
		fclose(file);
	text[length] = '\0';
	for (char *at = text; at < text + length && count < 256; at += strlen(at) + 1)
		arguments[count++] = at;
	for (size_t i = 1; i < count;)
		i += read_argument(conf, arguments[i], i + 1 < count ? arguments[i + 1] : NULL, &has_file);
	if (!has_file) /* the default of dnsmasq(8) */
		read_file(conf, "/etc/dnsmasq.conf", 0);
}

void dnsmasqconf_of_system(struct dnsmasqconf *conf, const char *root)
{
	*conf = (struct dnsmasqconf){.root = root};
	read_file(conf, "/etc/dnsmasq.conf", 0);
	read_folder(conf, "/etc/dnsmasq.d,.dpkg-dist,.dpkg-old,.dpkg-new", 0);
}

void dnsmasqconf_free(struct dnsmasqconf *conf)
{
	for (size_t i = 0; i < conf->count; i++) {
		free(conf->options[i].key);
		free(conf->options[i].value);
		free(conf->options[i].where);
	}
	free(conf->options);
	*conf = (struct dnsmasqconf){.root = ""};
}

const struct dnsmasqconf_option *dnsmasqconf_find(const struct dnsmasqconf *conf, const char *key, const char *value)
{
	for (size_t i = 0; i < conf->count; i++)
		if (strcmp(conf->options[i].key, key) == 0 && (value == NULL || strcmp(conf->options[i].value, value) == 0))
			return &conf->options[i];
	return NULL;
}
