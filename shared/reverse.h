#ifndef CALLSIGN_REVERSE_H
#define CALLSIGN_REVERSE_H

#include <stddef.h>

#include "address.h"

/*
 * The reverse zones of a network, each with before and behind around it: just what is in it, for what is beside it is somebody else's to answer. A zone ends at a
 * label, which is a byte with IPv4 and half of one with IPv6, so a network between two of them has several: a /22 is four zones of a /24
 * (RFC 2317, section 4, says why there is no other way), a /28 sixteen names. Pure.
 *
 * prefix: 1 to 32 or 128. At most 128 zones, each of at most REVERSE_ZONE bytes; what does not fit is left out whole. Returns how many bytes were written.
 */
#define REVERSE_ZONE 80

size_t reverse_zones(const struct address *address, unsigned prefix, const char *before, const char *behind, char *out, size_t size);

#endif
