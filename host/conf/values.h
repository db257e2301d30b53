#ifndef CALLSIGN_HOST_CONF_VALUES_H
#define CALLSIGN_HOST_CONF_VALUES_H

#include <confuse.h>

#include "conf.h"

#define CONF_AS_POLICY (-1) /* an integer of a user section that is not given */
#define CONF_AS_AGENT (-1.0) /* lost_grace of a user: not said */

/*
 * What each kind of value in callsignd.conf must look like: libconfuse's callbacks (its tables name them), which see
 * the line they are on. They report a bad value and go on, so that one run shows every mistake; libconfuse's callbacks
 * have no argument of their own, so what was found is counted here.
 */
void conf_values_reset(const char *path); /* path: for the messages; must outlive them */
unsigned conf_values_errors(void);

/* "path:line: section.key: ..." and count. key may be NULL. */
void conf_values_error(cfg_t *section, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* libconfuse's own errors: syntax, unknown keys. */
void conf_values_syntax(cfg_t *section, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

int conf_take_integer(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_seconds(cfg_t *section, cfg_opt_t *option, const char *value, void *result); /* fractions allowed */
int conf_take_path(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_domain(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_urls(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_queue_name(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_choice(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_pattern(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_subnet(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_server(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_host_name(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_socket(cfg_t *section, cfg_opt_t *option, const char *value,
		     void *result); /* a path that fits into sockaddr_un */
int conf_take_group(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_listen(cfg_t *section, cfg_opt_t *option, const char *value, void *result);
int conf_take_text(cfg_t *section, cfg_opt_t *option, const char *value, void *result); /* not empty */

/* For callbacks that know their own limits: a whole number; one of these texts (ended by NULL). */
int conf_take_within(cfg_t *section, cfg_opt_t *option, const char *value, void *result, long least, long most);
int conf_take_one_of(cfg_t *section, cfg_opt_t *option, const char *value, void *result, const char *const *allowed);

/* NAME=ADDRESS or NAME=INTERFACE. 0 and *out (its strings to be freed), or -1 with the reason. */
int conf_parse_host_name(const char *value, struct conf_host_name *out, const char **reason);

/* A port, whole and decimal, without leading zeros. 0: it is none. */
uint16_t conf_parse_port(const char *text);

/* ADDRESS:PORT, [IPV6]:PORT, or PORT alone, which is loopback's: whoever wants others to see it writes where. 0 and
 * out's address and port, or -1. */
int conf_parse_listen(const char *value, struct conf_metrics *out);

/* copy.c: what was parsed, as plain values (others_may_read: the file; then it must hold no password), with checks
 * of what only shows when keys are seen together (reported as errors). 0, or -1: no memory. */
int conf_copy(cfg_t *cfg, bool others_may_read, struct conf *conf);

#endif
