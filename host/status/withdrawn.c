#include <config.h>

#include <string.h>

#include "shared/log.h"
#include "status.h"

struct list {
	struct status_clock clock;
	const char *name; /* NULL: all */
	json_t *json;
	bool failed;
};

static bool add(void *arg, const struct withdrawal *withdrawal)
{
	struct list *list = arg;
	char user[LOG_SAFE_MAX], instance[IDENT_TEXT_SIZE], time[STATUS_TIME_SIZE];
	json_t *entry;

	if (list->name != NULL && strcmp(list->name, withdrawal->name) != 0)
		return true;
	entry = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f}", "name", withdrawal->name,
	                  "user", log_safe(user, sizeof user, withdrawal->user, strlen(withdrawal->user)),
	                  "instance", ident_format(&withdrawal->instance, instance), "reason", withdrawal->reason,
	                  "since", status_time(withdrawal->when_ms, list->clock, time),
	                  "since_age_s", (double)(list->clock.now_ms - withdrawal->when_ms) / 1000);
	list->failed |= json_array_append_new(list->json, entry) == -1;
	return !list->failed;
}

json_t *status_withdrawn_json(const struct status_sources *sources, const char *name, struct status_clock clock)
{
	struct list list = {.clock = clock, .name = name, .json = json_array()};

	if (sources->withdrawals != NULL)
		withdrawals_each(sources->withdrawals, add, &list);
	if (!list.failed)
		return list.json;
	json_decref(list.json);
	return NULL;
}
