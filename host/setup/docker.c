#include <config.h>

#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The order of keys stays (jansson keeps it); layout and the notation of numbers become ours. */
static char *print(const json_t *settings)
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

/* server comes first; the others stay behind it, for when dnsmasq is away. false: "dns" is no list. */
static bool put_first(json_t *settings, const char *server)
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
static bool is_first(const json_t *settings, const char *server)
{
	const char *first = json_string_value(json_array_get(json_object_get(settings, "dns"), 0));

	return first != NULL && strcmp(first, server) == 0;
}

/* 1: in it now, 0: it was already, -1: "dns-search" is no list. What else is searched stays before it. */
static int add_search(json_t *settings, const char *domain)
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

/* Asked for once it stays: without --search nothing is taken away. Likewise 1, 0 or -1. */
static int add_searches(const struct setup *setup, json_t *settings)
{
	int result = setup->search ? add_search(settings, setup->domain) : 0;

	for (unsigned i = 0; i < setup->nfurther && setup->search && result != -1; i++) {
		int one = add_search(settings, setup->further[i]);

		result = one == -1 ? -1 : result | one;
	}
	return result;
}

static void merge(struct setup *setup, json_t *settings)
{
	bool runtime = setup->agent && setup_agent_runtime(settings);
	int searched = add_searches(setup, settings);
	char *text;

	if (searched == -1) {
		setup_error(setup, SETUP_DAEMON_JSON ": \"dns-search\" is no list");
		return;
	}
	if (is_first(settings, setup->docker) && !runtime && searched == 0)
		return;
	text = is_first(settings, setup->docker) || put_first(settings, setup->docker) ? print(settings) : NULL;
	if (text == NULL)
		setup_error(setup, SETUP_DAEMON_JSON ": \"dns\" is no list");
	else
		setup->docker_changed |= setup_write(setup, SETUP_DAEMON_JSON, text, 0644, SETUP_PLAIN);
	free(text);
}

void setup_docker(struct setup *setup)
{
	char *old = setup_read(setup, SETUP_DAEMON_JSON);
	json_error_t error = {.line = 0};
	json_t *settings;

	if (old == NULL && errno != ENOENT) {
		setup_error(setup, SETUP_DAEMON_JSON ": cannot be read: %s", strerror(errno));
		return;
	}
	settings = old != NULL ? json_loads(old, JSON_REJECT_DUPLICATES, &error) : json_object();
	if (json_is_object(settings))
		merge(setup, settings);
	else
		setup_error(setup, SETUP_DAEMON_JSON ":%d: %s: left as it is; mend it and run this again", error.line,
		            settings == NULL ? error.text : "it is no object");
	json_decref(settings);
	free(old);
}

char *setup_docker_without(const char *text, const char *server, bool *empty)
{
	json_t *settings = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *dns = json_object_get(settings, "dns");
	char *out = NULL;

	if (json_is_array(dns)) {
		remove_server(dns, server);
		if (json_array_size(dns) == 0)
			json_object_del(settings, "dns");
		setup_agent_runtime_remove(settings);
		*empty = json_object_size(settings) == 0;
		out = print(settings);
	}
	json_decref(settings);
	return out;
}
