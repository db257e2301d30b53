#ifndef CALLSIGN_SINKS_SECTIONS_H
#define CALLSIGN_SINKS_SECTIONS_H

#include "conf/section.h"

/* What the sinks' sections of callsignd.conf mean, for conf_load(). Apart from sinkset.h: who only reads the file need not bring all sinks along. */
extern const struct conf_section *const sinks_sections[];

#endif
