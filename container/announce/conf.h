#ifndef CALLSIGN_EMIT_CONF_H
#define CALLSIGN_EMIT_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "addrselect.h"
#include "check.h"
#include "checktarget.h"
#include "shared/bus/busconf.h"
#include "shared/contract/announcement.h"
#include "shared/log.h"

/* What names the container: a fault in one of these does not make the configuration invalid, it leaves the container without a name. */
enum conf_naming { CONF_NAME, CONF_ALIASES, CONF_NAMINGS };

#define CONF_MISNOMER_SIZE 512

/* emit.conf and the CALLSIGN_* variables, validated, as plain values. emit.conf(5) describes them. */
struct conf {
	struct busconf bus; /* no endpoint: not configured, there is nothing to do */
	char *name;         /* folded, or with variables (template.h) as given; NULL: the machine's hostname */
	char aliases[ANNOUNCEMENT_ALIASES_MAX][HOSTNAME_NAME_SIZE];
	unsigned naliases, nexpanded; /* the last nexpanded of them were made of templates */
	char *templates[ANNOUNCEMENT_ALIASES_MAX]; /* further aliases, with variables */
	unsigned ntemplates;
	char *misnomers[CONF_NAMINGS]; /* why the name, or the aliases, cannot be what they are written to be; NULL: they can */
	struct announcement_port ports[ANNOUNCEMENT_PORTS_MAX];
	unsigned nports;
	struct addrselect_wish wish;
	struct checktarget check; /* CHECK_NONE: ready from the start */
	struct check_rules check_rules;
	uint32_t renew_s;
	bool legacy; /* speak the older wire format, and nothing else */
	enum log_level log_level;
	char *password; /* only until it is given to the endpoints */
	char *password_file;
	mode_t secret_mode; /* of password_file, once it is read */
};

#define CONF_PATH "/etc/callsign/emit.conf"
#define CONF_RENEW_S 120
#define CONF_RENEW_MIN_S 1
#define CONF_RENEW_MAX_S 600
#define CONF_CHECK_INTERVAL_S 5
#define CONF_CHECK_TIMEOUT_S 2
#define CONF_CHECK_RISE 1
#define CONF_CHECK_FALL 3

void conf_init(struct conf *conf);

/*
 * Read path, then the variables, which win. path NULL: CONF_PATH, which need not exist. Every error that is found is logged, as
 * path:line: key: what is wrong and allowed, or VARIABLE: …. 0, or -1. Free with conf_clear() in both cases.
 *
 * CALLSIGN_PASSWORD and CALLSIGN_URLS are taken out of the environment whatever comes of it, so that COMMAND does not inherit them, and are
 * overwritten where they lay: /proc/PID/environ goes on showing that memory.
 */
int conf_load(struct conf *conf, const char *path);

/*
 * Why somebody who did configure it may be told that something is not there, as the end of a sentence; "" if nothing is known. systemd reads the p%40x of
 * a URL as a specifier of its own, and drops the variable with a line in its own log; podman makes "export" of an env file part of the variable's name.
 */
const char *conf_environment_hint(void);
void conf_clear(struct conf *conf); /* wipes passwords */

/* --name, which wins over the file and the variable. A misnomer is kept as theirs is. */
void conf_set_name(struct conf *conf, const char *text);

/* One more alias with variables in it, as given. Room for it is the caller's matter. 0, or -1 with the reason in error (SETTING_ERROR_SIZE bytes). */
int conf_add_template(struct conf *conf, const char *text, size_t length, char *error);
void conf_clear_templates(struct conf *conf);

/* NAME=NUMBER (length bytes) as one more port. With replace one of the same name gives way. 0, or -1 with the reason in error. */
int conf_add_port(struct conf *conf, const char *text, size_t length, bool replace, char *error, size_t size);

/*
 * An option of the command line, which wins over both: `--check-KEY TEXT`. The kinds take each other's place. 0, or -1 after logging what is wrong.
 */
int conf_set_check(struct conf *conf, const char *key, const char *text);

/*
 * The name to announce: conf->name with its variables filled in from the environment, or the machine's hostname by the same rules; likewise the
 * aliases. Checks too that every message of it fits. Drops an alias that
 * equals it. 0, or -1 with what cannot be announced, and which rule it breaks, in why: then all of it is not, a name without one of its aliases neither.
 * Called again, it goes by the hostname of then.
 */
int conf_choose_name(struct conf *conf, char name[HOSTNAME_NAME_SIZE], char why[CONF_MISNOMER_SIZE]);

#endif
