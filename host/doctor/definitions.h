#ifndef CALLSIGN_DEFINITIONS_H
#define CALLSIGN_DEFINITIONS_H

#include <jansson.h>

/*
 * All users, vhosts, permissions and exchanges of the broker on this host, as `rabbitmqctl export_definitions` tells them. It takes root, and about a
 * second. New; NULL: why says why (DEFINITIONS_WHY_SIZE bytes), and errno is ENOENT if there is no rabbitmqctl here, else something else.
 */
#define DEFINITIONS_WHY_SIZE 600

json_t *definitions_fetch(char *why, unsigned timeout_s);

#endif
