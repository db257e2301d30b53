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

#endif
