#include <config.h>

#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemonjson.h"

/* Asked for once it stays: without --search nothing is taken away. Likewise 1, 0 or -1. */
static int add_searches(const struct setup *setup, json_t *settings)
{
	int result = setup->search ? daemonjson_add_search(settings, setup->domain) : 0;

	for (unsigned i = 0; i < setup->nfurther && setup->search && result != -1; i++) {
		int one = daemonjson_add_search(settings, setup->further[i]);

		result = one == -1 ? -1 : result | one;
	}
	return result;
}

static void merge(struct setup *setup, json_t *settings)
{
	bool runtime = setup->agent && daemonjson_add_runtime(settings);
	int searched = add_searches(setup, settings);
	char *text;

	if (searched == -1) {
		setup_error(setup, SETUP_DAEMON_JSON ": \"dns-search\" is no list");
		return;
	}
	if (daemonjson_is_first(settings, setup->docker) && !runtime && searched == 0)
		return;
	text = daemonjson_is_first(settings, setup->docker) || daemonjson_put_first(settings, setup->docker) ? daemonjson_print(settings) : NULL;
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
