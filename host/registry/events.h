#ifndef CALLSIGN_EVENTS_H
#define CALLSIGN_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "registry.h"

/*
 * Which instances changed in this turn of the loop, each once, for those who watch. Only noted here: how they fare is known once the view has
 * decided. Pure.
 */
struct events;

#define EVENTS_MAX 512 /* more in one turn: watchers list everything anew instead, which costs the loop less */

struct event {
	struct ident instance;
	const char *why; /* NULL: it is there; else it went, for this reason */
	char *name;      /* why != NULL only */
};

struct events *events_new(void); /* NULL with errno */
void events_free(struct events *events);

void events_changed(struct events *events, const struct fact *fact);
void events_gone(struct events *events, const struct fact *fact, const char *why); /* why: a string that stays */

/* More than EVENTS_MAX, or no memory: what events_each() tells is not all. */
bool events_overflowed(const struct events *events);
size_t events_count(const struct events *events);

/* In the order in which they were first noted. */
void events_each(const struct events *events, void (*visit)(void *arg, const struct event *event), void *arg);
void events_clear(struct events *events);

#endif
