#ifndef CALLSIGN_GATEWAY_H
#define CALLSIGN_GATEWAY_H

#include "address.h"

/*
 * The next hop of the default route with the lowest metric, IPv4 before IPv6: where a container finds its host when the bus URL's host
 * part is "gateway". Reads /proc/net/route and /proc/net/ipv6_route. An IPv6 next hop that is link-local is returned with its
 * interface ("fe80::1%eth0"). 0, or -1 if there is no default route (errno ENETUNREACH) or /proc cannot be read.
 */
#define GATEWAY_TEXT_SIZE (ADDRESS_TEXT_SIZE + 17)

int gateway_find(char out[GATEWAY_TEXT_SIZE]);

/* One line of /proc/net/route or /proc/net/ipv6_route: 0 with *metric and the text of the gateway if it is a default route by way of a
 * gateway that is up, else -1. Pure. */
int gateway_parse_ipv4(const char *line, unsigned long *metric, char out[GATEWAY_TEXT_SIZE]);
int gateway_parse_ipv6(const char *line, unsigned long *metric, char out[GATEWAY_TEXT_SIZE]);

#endif
