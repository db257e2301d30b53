#ifndef CALLSIGN_BUSURL_H
#define CALLSIGN_BUSURL_H

#include <stddef.h>

#include "busconf.h"

#define BUSCONF_PASSWORD_MAX 1024 /* bytes */

/*
 * One AMQP URL (busconf_add_url() tells the rules) of length bytes, any bytes, into *out, which was all zero. 0, or -1 with the
 * reason in error and out partly filled: the caller frees what is in there, the password wiped, in both cases.
 */
int busurl_parse(const char *text, size_t length, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE]);

#define BUSURL_PART_MAX 255 /* bytes of a user or vhost: AMQP 0-9-1 short strings */

/*
 * Say why not; -1. No error quotes the URL: a forgotten or stray character makes a part of the password look like a host or a port, and these errors go
 * to logs.
 */
int busurl_refuse(char error[BUSCONF_ERROR_SIZE], const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
