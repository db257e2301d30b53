#ifndef CALLSIGN_HOST_CONF_SECTION_H
#define CALLSIGN_HOST_CONF_SECTION_H

#include <confuse.h>

struct conf;

/*
 * A section of callsignd.conf that belongs to another room: that room alone knows what its keys mean. conf_load() is given a list of these and reads
 * them with the rest, so that a mistake in one is reported like any other, with its file and line.
 */
struct conf_section {
	const char *name;
	cfg_opt_t *options;
	cfg_flag_t flags; /* CFGF_NONE, or as libconfuse has them for a section that may come more than once */
	unsigned most;    /* then: how often. One more is a mistake, with its line */
	/*
	 * What all sections of this name in cfg say, as plain values of the room's own: 0 and *own, or -1 (no memory) with *own NULL or as far as it got.
	 * Mistakes are reported as values.h says. conf has everything else by then but the other rooms' sections.
	 */
	int (*copy)(cfg_t *cfg, const struct conf *conf, void **own);
	void (*free)(void *own); /* NULL is allowed, and so is what copy left half-made */
};

#endif
