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

/*
 * musl asks all servers of "dns" at once and believes the first answer, so that a name of ours loses to somebody else's "no such name". One that dnsmasq asks itself
 * is of no more use in the list. Whether one was taken out; kept: the first that stays.
 */
static bool take_out_others(const struct setup *setup, json_t *settings, const char **kept)
{
	json_t *dns = json_object_get(settings, "dns");
	bool changed = false;

	*kept = NULL;
	for (size_t i = json_array_size(dns); i > 0; i--) {
		const char *one = json_string_value(json_array_get(dns, i - 1));

		if (one == NULL || strcmp(one, setup->docker) == 0)
			continue;
		if (setup_dnsmasq_asks(setup, one))
			changed |= json_array_remove(dns, i - 1) == 0;
		else
			*kept = one;
	}
	return changed;
}

static void merge(struct setup *setup, json_t *settings)
{
	bool runtime = setup->agent && daemonjson_add_runtime(settings);
	int searched = add_searches(setup, settings);
	bool fewer;
	const char *kept;
	char *text;

	if (searched == -1) {
		setup_error(setup, SETUP_DAEMON_JSON ": \"dns-search\" is no list");
		return;
	}
	fewer = take_out_others(setup, settings, &kept);
	if (daemonjson_is_first(settings, setup->docker) && !runtime && searched == 0 && !fewer)
		return;
	if (kept != NULL)
		setup_say("\"dns\" keeps %s beside dnsmasq: programs linked with musl (Alpine's) ask both at once, and believe the first answer. To be without it let "
		          "dnsmasq ask it (server=%s), and run this again", kept, kept);
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
