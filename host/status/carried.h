#ifndef CALLSIGN_STATUS_CARRIED_H
#define CALLSIGN_STATUS_CARRIED_H

#include <jansson.h>
#include <stdio.h>

/* What callsignd carries of others: the bus's libraries (shared/bus/bus_carried.h), and those of the host, by the release that it was built with. */

/* {"librabbitmq": "0.11.0", ...}, or NULL without memory. */
json_t *status_carried_json(void);

/* One line each. */
void status_carried_print(FILE *out);

#endif
