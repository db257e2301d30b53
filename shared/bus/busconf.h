#ifndef CALLSIGN_BUSCONF_H
#define CALLSIGN_BUSCONF_H

#include <stddef.h>
#include <sys/types.h>

#include "bus.h"

/* What both sides configure about the bus: URLs, a password kept apart from them, TLS, the heartbeat. */
struct busconf {
	struct bus_endpoint *endpoints; /* in the order they are tried */
	size_t nendpoints;
	struct bus_tls tls;
	uint16_t heartbeat_s;
};

#define BUSCONF_ERROR_SIZE 256
#define BUSCONF_HEARTBEAT_MIN_S 1
#define BUSCONF_HEARTBEAT_MAX_S 600

void busconf_init(struct busconf *conf);  /* no endpoint, verify true, heartbeat BUS_HEARTBEAT_S */
void busconf_clear(struct busconf *conf); /* frees what is inside, passwords wiped first; then as after busconf_init */

/*
 * Add amqp://USER[:PASSWORD]@HOST[:PORT][/VHOST] or amqps://… (AMQP URI specification: percent-encoding in every part; port 5672
 * or 5671; no path, or "/" alone, means the vhost "/"; IPv6 in brackets). 0,
 * or -1 with the reason in error, which never holds the password.
 */
int busconf_add_url(struct busconf *conf, const char *url, char error[BUSCONF_ERROR_SIZE]);

/* Comma-separated URLs, blanks around them ignored: replaces all endpoints. The empty string means none. */
int busconf_set_urls(struct busconf *conf, const char *urls, char error[BUSCONF_ERROR_SIZE]);

/* For every endpoint without a password of its own. Copies. 0, or -1 (no memory). */
int busconf_set_password(struct busconf *conf, const char *password);

/*
 * Read a password from the first line of a file. Refused: not a regular file, empty, over 1,024 bytes, what others may write to. What others may
 * read is refused, too, where mode is NULL: on a host that is everybody's. In a container it is how engines mount secrets (0444): it is taken, and
 * *mode has the file's permissions. *password is to be wiped and freed by the caller. 0, or -1 with error.
 */
int busconf_read_password(const char *path, mode_t *mode, char **password, char error[BUSCONF_ERROR_SIZE]);

/* amqp[s]://USER@HOST:PORT/VHOST without the password, for messages. Returns out. */
const char *busconf_endpoint_text(const struct bus_endpoint *endpoint, char *out, size_t size);

#endif
