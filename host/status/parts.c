#include <config.h>

#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "registry/served.h"
#include "shared/log.h"

struct object object_new(void)
{
	json_t *json = json_object();

	return (struct object){.json = json, .failed = json == NULL};
}

void object_set(struct object *object, const char *key, json_t *value)
{
	if (json_object_set_new(object->json, key, value) == -1)
		object->failed = true;
}

json_t *object_done(struct object *object)
{
	if (!object->failed)
		return object->json;
	json_decref(object->json);
	return NULL;
}

json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

json_t *count_json(uint64_t count)
{
	return json_integer((json_int_t)count);
}

void object_set_time(struct object *object, const char *key, int64_t ms, struct status_clock clock)
{
	char age_key[32], text[STATUS_TIME_SIZE];

	snprintf(age_key, sizeof age_key, "%s_age_s", key);
	object_set(object, key, ms > 0 ? json_string(status_time(ms, clock, text)) : json_null());
	object_set(object, age_key, ms > 0 ? json_real((double)(clock.now_ms - ms) / 1000) : json_null());
}

json_t *array_add(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) == 0)
		return array;
	json_decref(array);
	return NULL;
}

json_t *domains_json(const struct policy *policy, uint32_t domains)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < policy->ndomains; i++) {
		if ((domains >> i & 1) != 0)
			array = array_add(array, json_string(policy->domains[i].name));
	}
	return array;
}

json_t *user_json(const char *user)
{
	char safe[4 * POLICY_USER_MAX + 1];

	return json_string(log_safe(safe, sizeof safe, user, strlen(user)));
}

json_t *fqdn_json(const struct policy *policy, const char *user, const char *name, uint32_t served)
{
	uint32_t domains = served != 0 || user == NULL ? served : policy_name_domains(policy, user, name);
	int first = served_first(domains);
	char fqdn[HOSTNAME_FQDN_SIZE];

	if (first < 0 || (size_t)first >= policy->ndomains)
		first = 0;
	return policy->ndomains > 0 && hostname_join(name, policy->domains[first].name, fqdn) == HOSTNAME_OK ? json_string(fqdn) : json_null();
}
