#ifndef CALLSIGN_STATUS_INTERNAL_H
#define CALLSIGN_STATUS_INTERNAL_H

#include <jansson.h>
#include <stdint.h>

#include "status.h"

/* What the JSON answers of json.c, entry.c and why.c are put together from. */

/* An object in the making. A key that finds no memory makes the whole answer fail: nothing is left out silently. */
struct object {
	json_t *json;
	bool failed;
};

struct object object_new(void);
void object_set(struct object *object, const char *key, json_t *value); /* takes value over */
json_t *object_done(struct object *object);                             /* a new reference, or NULL */

/* Sets KEY (a time) and KEY_age_s; both null for a time that never was. */
void object_set_time(struct object *object, const char *key, int64_t ms, struct status_clock clock);

json_t *status_place_json(const struct place *place); /* null: not known */

/* Takes value over; NULL, too, if there is no memory. */
json_t *array_add(json_t *array, json_t *value);

json_t *text_or_null(const char *text);
json_t *count_json(uint64_t count);
json_t *domains_json(const struct policy *policy, uint32_t domains);

/* The broker's users are bytes of others' choosing; JSON wants UTF-8. */
json_t *user_json(const char *user);

/* Where the name is served, or else would be; else in the first domain. user NULL: nobody's in particular. */
json_t *fqdn_json(const struct policy *policy, const char *user, const char *name, uint32_t served);

#endif
