#ifndef CALLSIGN_OPTIONS_H
#define CALLSIGN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/contract/announcement.h"

/* The command line, validated. */
enum options_mode { MODE_RUN, MODE_ONCE_UP, MODE_ONCE_DOWN, MODE_CHECK, MODE_HEALTH, MODE_HELP, MODE_VERSION };

#define OPTIONS_WAIT_S 30
#define OPTIONS_WAIT_MAX_S 86400

/* --check-KEY: of which kind, and the rules; the names are those of the configuration's section. */
enum options_check { OPTIONS_CHECK_COMMAND, OPTIONS_CHECK_TCP, OPTIONS_CHECK_HTTP, OPTIONS_CHECK_INTERVAL, OPTIONS_CHECK_TIMEOUT,
	OPTIONS_CHECK_RISE, OPTIONS_CHECK_FALL, OPTIONS_CHECKS };
extern const char *const options_check_keys[OPTIONS_CHECKS];

struct options {
	enum options_mode mode;
	const char *conf_path;  /* NULL: the default */
	const char *name;       /* as CALLSIGN_NAME; NULL: not given */
	const char *ports[ANNOUNCEMENT_PORTS_MAX]; /* NAME=NUMBER, not looked at yet */
	unsigned nports;
	bool strict;            /* no COMMAND without a name */
	bool legacy;            /* on, whatever the configuration says */
	uint32_t wait_s;        /* 0: do not wait */
	uint32_t lease_s;       /* --once */
	const char *state_path; /* --once; NULL: the default */
	const char *check[OPTIONS_CHECKS]; /* as given, not looked at yet; NULL: not given */
	char **command;         /* NULL: none. Ends with NULL */
};

/* 0, or -1 after saying what is wrong on standard error. Points into argv. */
int options_read(struct options *options, int argc, char **argv);

void options_help(void);

#endif
