#ifndef CALLSIGN_HOST_CONF_HAPROXY_H
#define CALLSIGN_HOST_CONF_HAPROXY_H

#include <confuse.h>

#include "conf/conf.h"

/* The section haproxy { }. */
extern cfg_opt_t conf_haproxy_options[];

/* 0, or -1: no memory. */
int conf_haproxy_copy(cfg_t *section, struct conf_haproxy *out);
void conf_haproxy_clear(struct conf_haproxy *haproxy);

#endif
