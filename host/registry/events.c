#include <config.h>

#include "events.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct noted {
	struct event event;
	UT_hash_handle hh;
};

struct events {
	struct noted *noted; /* uthash keeps the order of arrival */
	bool overflowed;
};

struct events *events_new(void)
{
	return calloc(1, sizeof(struct events));
}

static struct noted *events_note(struct events *events, const struct ident *instance)
{
	struct noted *noted;

	if (events->overflowed)
		return NULL;
	HASH_FIND(hh, events->noted, instance, sizeof *instance, noted);
	if (noted != NULL)
		return noted;
	if (HASH_COUNT(events->noted) >= EVENTS_MAX || (noted = calloc(1, sizeof *noted)) == NULL) {
		events->overflowed = true;
		return NULL;
	}
	noted->event.instance = *instance;
	HASH_ADD(hh, events->noted, event.instance, sizeof noted->event.instance, noted);
	return noted;
}

static void noted_set(struct noted *noted, const char *why, char *name)
{
	free(noted->event.name);
	noted->event.why = why;
	noted->event.name = name;
}

void events_changed(struct events *events, const struct fact *fact)
{
	struct noted *noted = events_note(events, &fact->instance);

	if (noted != NULL)
		noted_set(noted, NULL, NULL);
}

void events_gone(struct events *events, const struct fact *fact, const char *why)
{
	struct noted *noted = events_note(events, &fact->instance);
	char *name;

	if (noted == NULL)
		return;
	name = strdup(fact->name);
	if (name == NULL)
		events->overflowed = true;
	else
		noted_set(noted, why, name);
}

bool events_overflowed(const struct events *events)
{
	return events->overflowed;
}

size_t events_count(const struct events *events)
{
	return HASH_COUNT(events->noted);
}

void events_each(const struct events *events, void (*visit)(void *arg, const struct event *event), void *arg)
{
	const struct noted *noted;

	for (noted = events->noted; noted != NULL; noted = noted->hh.next)
		visit(arg, &noted->event);
}

void events_clear(struct events *events)
{
	struct noted *noted, *next;

	HASH_ITER(hh, events->noted, noted, next) {
		HASH_DEL(events->noted, noted);
		free(noted->event.name);
		free(noted);
	}
	events->overflowed = false;
}

void events_free(struct events *events)
{
	if (events == NULL)
		return;
	events_clear(events);
	free(events);
}
