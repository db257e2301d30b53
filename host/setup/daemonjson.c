#include <config.h>

#include "daemonjson.h"

#include <stdlib.h>
#include <string.h>

#define RUNTIME_LEFT "runc"

/* The order of keys stays (jansson keeps it); layout and the notation of numbers become ours. */
char *daemonjson_print(const json_t *settings)
{
	char *bare = json_dumps(settings, JSON_INDENT(4)), *text;
	size_t length = bare != NULL ? strlen(bare) : 0;

	text = bare != NULL ? realloc(bare, length + 2) : NULL;
	if (text == NULL) {
		free(bare);
		return NULL;
	}
	memcpy(text + length, "\n", 2);
	return text;
}

static void remove_server(json_t *dns, const char *server)
{
	for (size_t i = json_array_size(dns); i > 0; i--) {
		const char *one = json_string_value(json_array_get(dns, i - 1));

		if (one != NULL && strcmp(one, server) == 0)
			json_array_remove(dns, i - 1);
	}
}

/* server comes first, the others behind it. false: "dns" is no list. */
bool daemonjson_put_first(json_t *settings, const char *server)
{
	json_t *dns = json_object_get(settings, "dns");

	if (dns != NULL && !json_is_array(dns))
		return false;
	if (dns == NULL) {
		dns = json_array();
		json_object_set_new(settings, "dns", dns);
	}
	remove_server(dns, server);
	return json_array_insert_new(dns, 0, json_string(server)) == 0;
}

/* Already as it should be: then not a blank is changed. */
bool daemonjson_is_first(const json_t *settings, const char *server)
{
	const char *first = json_string_value(json_array_get(json_object_get(settings, "dns"), 0));

	return first != NULL && strcmp(first, server) == 0;
}

/* 1: in it now, 0: it was already, -1: "dns-search" is no list. What else is searched stays before it. */
int daemonjson_add_search(json_t *settings, const char *domain)
{
	json_t *list = json_object_get(settings, "dns-search");

	if (list != NULL && !json_is_array(list))
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_is_string(json_array_get(list, i)) && strcmp(json_string_value(json_array_get(list, i)), domain) == 0)
			return 0;
	if (list == NULL) {
		list = json_array();
		json_object_set_new(settings, "dns-search", list);
	}
	return json_array_append_new(list, json_string(domain)) == 0 ? 1 : -1;
}

/* What the package leaves when it goes (debian/callsign-host.prerm): containers of our runtime start without it. */
static bool is_left(const json_t *runtime)
{
	const char *path = json_string_value(json_object_get(runtime, "path"));

	return path != NULL && strcmp(path, RUNTIME_LEFT) == 0 && json_object_size(runtime) == 1;
}

bool daemonjson_is_left(const char *written, const char *now)
{
	static const char ours[] = "\"" CALLSIGN_RUNTIME_PATH "\"", left[] = "\"" RUNTIME_LEFT "\"";
	const char *at;

	for (; (at = strstr(written, ours)) != NULL; written = at + sizeof(ours) - 1) {
		size_t length = (size_t)(at - written);

		if (strncmp(now, written, length) != 0 || strncmp(now + length, left, sizeof(left) - 1) != 0)
			return false;
		now += length + sizeof(left) - 1;
	}
	return strcmp(now, written) == 0;
}

static bool is_ours(const json_t *runtime)
{
	const char *path = json_string_value(json_object_get(runtime, "path"));

	return (path != NULL && strcmp(path, CALLSIGN_RUNTIME_PATH) == 0) || is_left(runtime);
}

/* Docker's own runtime stays the default: that is for the administrator to change. */
bool daemonjson_add_runtime(json_t *settings)
{
	json_t *runtimes = json_object_get(settings, "runtimes"), *there;
	json_t *wanted = json_pack("{s:s}", "path", CALLSIGN_RUNTIME_PATH);
	bool changed = false;

	if (runtimes == NULL) {
		runtimes = json_object();
		json_object_set_new(settings, "runtimes", runtimes);
	}
	there = json_object_get(runtimes, "callsign");
	if (json_is_object(runtimes) && (there == NULL || is_left(there)))
		changed = json_object_set(runtimes, "callsign", wanted) == 0;
	json_decref(wanted);
	return changed;
}

/* For containers that were made with it: an engine that does not know a container's runtime does not start it. */
bool daemonjson_leave_runtime(json_t *settings)
{
	json_t *runtimes = json_object_get(settings, "runtimes");

	if (runtimes == NULL) {
		runtimes = json_object();
		json_object_set_new(settings, "runtimes", runtimes);
	}
	if (!json_is_object(runtimes) || json_object_get(runtimes, "callsign") != NULL)
		return false;
	return json_object_set_new(runtimes, "callsign", json_pack("{s:s}", "path", RUNTIME_LEFT)) == 0;
}

/* With it what an administrator has made of it: Docker does not start with a default that it does not know. */
static void remove_runtime(json_t *settings)
{
	json_t *runtimes = json_object_get(settings, "runtimes");
	const char *standard = json_string_value(json_object_get(settings, "default-runtime"));

	if (!is_ours(json_object_get(runtimes, "callsign")))
		return;
	if (standard != NULL && strcmp(standard, "callsign") == 0)
		json_object_del(settings, "default-runtime");
	json_object_del(runtimes, "callsign");
	if (json_object_size(runtimes) == 0)
		json_object_del(settings, "runtimes");
}

bool daemonjson_take_left(json_t *settings)
{
	if (!is_left(json_object_get(json_object_get(settings, "runtimes"), "callsign")))
		return false;
	remove_runtime(settings);
	return true;
}

/* "dns" as it was, or nothing. */
static void restore_servers(json_t *settings, const char *original)
{
	json_t *before = original != NULL ? json_loads(original, JSON_REJECT_DUPLICATES, NULL) : NULL, *dns = json_object_get(before, "dns");

	if (json_is_array(dns) && json_array_size(dns) > 0)
		json_object_set(settings, "dns", dns);
	else
		json_object_del(settings, "dns");
	json_decref(before);
}

char *daemonjson_without(const char *text, const char *server, const char *original, bool *empty)
{
	json_t *settings = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *dns = json_object_get(settings, "dns");
	char *out = NULL;

	if (json_is_array(dns)) {
		remove_server(dns, server);
		if (json_array_size(dns) == 0)
			restore_servers(settings, original);
		remove_runtime(settings);
		*empty = json_object_size(settings) == 0;
		out = daemonjson_print(settings);
	}
	json_decref(settings);
	return out;
}
