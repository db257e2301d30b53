#ifndef CALLSIGN_RELOAD_TROUBLE_H
#define CALLSIGN_RELOAD_TROUBLE_H

#include "reload.h"

/* What is wrong with dnsmasq, in words: logged once when it begins and once when it is over. For reload.c alone. */
#define RELOAD_DEFAULT_INTERFACE "docker0"

/* There is no process to be signalled, for that reason. */
static inline enum reload_trouble reload_trouble_process(enum process_state state)
{
	return (enum reload_trouble)((int)RELOAD_NO_PROCESS + (int)state);
}

/* The trouble is now this one. Its text is kept, and logged if the last one was of another kind. */
void reload_trouble_begin(enum reload_trouble *kind, enum reload_trouble now, char text[RELOAD_TEXT_SIZE],
			  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* There is none (any more): how that is to be said. */
void reload_trouble_end(enum reload_trouble *kind, const char *text);

/* The answers are wrong in this way. */
void reload_trouble_answer(struct reload *reload, enum reload_trouble kind);

#endif
