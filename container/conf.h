#ifndef CALLSIGN_EMIT_CONF_H
#define CALLSIGN_EMIT_CONF_H

#include <stdint.h>

#include "addrselect.h"
#include "shared/announcement.h"
#include "shared/busconf.h"
#include "shared/log.h"

/* emit.conf and the CALLSIGN_* variables, validated, as plain values. emit.conf(5) describes them. */
struct conf {
	struct busconf bus; /* no endpoint: not configured, there is nothing to do */
	char *name;         /* folded, or NULL: the machine's hostname */
	char aliases[ANNOUNCEMENT_ALIASES_MAX][HOSTNAME_NAME_SIZE];
	unsigned naliases;
	struct addrselect_wish wish;
	uint32_t renew_s;
	enum log_level log_level;
	char *password; /* only until it is given to the endpoints */
	char *password_file;
};

#define CONF_PATH "/etc/callsign/emit.conf"
#define CONF_RENEW_S 120
#define CONF_RENEW_MIN_S 1
#define CONF_RENEW_MAX_S 600

void conf_init(struct conf *conf);

/*
 * Read path, then the variables, which win. path NULL: CONF_PATH, which need not exist. Every error that is found is logged, as
 * path:line: key: what is wrong and allowed, or VARIABLE: …. 0, or -1. Free with conf_clear() in both cases.
 *
 * CALLSIGN_PASSWORD and CALLSIGN_URLS are taken out of the environment whatever comes of it, so that COMMAND does not inherit them, and are
 * overwritten where they lay: /proc/PID/environ goes on showing that memory.
 */
int conf_load(struct conf *conf, const char *path);
void conf_clear(struct conf *conf); /* wipes passwords */

/*
 * The name to announce: conf->name, or the machine's hostname by the same rules. Checks too that every message of it fits. Drops an alias that
 * equals it. 0, or -1 after it has logged which rule is broken.
 */
int conf_choose_name(struct conf *conf, char name[HOSTNAME_NAME_SIZE]);

#endif
