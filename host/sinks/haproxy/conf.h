#ifndef CALLSIGN_HAPROXY_CONF_H
#define CALLSIGN_HAPROXY_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/section.h"

/* The section haproxy { } of callsignd.conf. */
struct haproxy_conf {
	char *socket; /* HAProxy's runtime socket; NULL: there is no such sink */
	char *map_file;
	char *pid_file;        /* of its master process, */
	bool reload;           /* which is told to reload where the socket does not work */
	uint16_t default_port; /* of containers that announce no port "http"; 0: none */
	bool required;
	bool wildcard; /* what is below a name leads to it, too */
};

extern const struct conf_section haproxy_section;

/* What conf says there; NULL if conf was loaded without this section. */
const struct haproxy_conf *haproxy_conf(const struct conf *conf);

#endif
