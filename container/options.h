#ifndef CALLSIGN_OPTIONS_H
#define CALLSIGN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* The command line, validated. */
enum options_mode { MODE_RUN, MODE_ONCE_UP, MODE_ONCE_DOWN, MODE_CHECK, MODE_HEALTH, MODE_HELP, MODE_VERSION };

#define OPTIONS_WAIT_S 30
#define OPTIONS_WAIT_MAX_S 86400

struct options {
	enum options_mode mode;
	const char *conf_path;  /* NULL: the default */
	uint32_t wait_s;        /* 0: do not wait */
	uint32_t lease_s;       /* --once */
	const char *state_path; /* --once; NULL: the default */
	char **command;         /* NULL: none. Ends with NULL */
};

/* 0, or -1 after saying what is wrong on standard error. Points into argv. */
int options_read(struct options *options, int argc, char **argv);

void options_help(void);

#endif
