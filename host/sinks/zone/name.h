#ifndef CALLSIGN_ZONE_NAME_H
#define CALLSIGN_ZONE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/address.h"
#include "shared/contract/hostname.h"

/*
 * Names and record data as DNS has them (RFC 1035, section 3). Pure. Names are text in lower case without the final dot, of letters, digits,
 * hyphens and underscores; a whole label may be a star where a wildcard's is: whatever else a zone may hold is no name of ours.
 */
#define ZONE_NAME_WIRE_MAX 255 /* RFC 1035, section 2.3.4 */
#define ZONE_NAME_SIZE HOSTNAME_FQDN_SIZE
#define ZONE_DATA_MAX 512      /* of one record that we write */

/* What stands in front of a name that is ours, or of a zone that we may write to, to say so. No host's name has an underscore. */
#define ZONE_OWNER_LABEL "_callsign"
#define ZONE_OWNER_MAX 200
#define ZONE_WILDCARD_LABEL "*" /* RFC 4592 */

/*
 * RFC 2782 has 0 for what is not chosen between, and takes equal weights for equal. HAProxy, which looks services up for server-template,
 * sends nothing to a weight of 0: with all at 0 it answers 503.
 */
#define ZONE_SRV_WEIGHT 1

enum zone_type { ZONE_A = 1, ZONE_SOA = 6, ZONE_PTR = 12, ZONE_TXT = 16, ZONE_AAAA = 28, ZONE_SRV = 33, ZONE_AXFR = 252, ZONE_ANY = 255 };

/* Uncompressed. Returns the length, or 0 if name is none. */
size_t zone_name_to_wire(const char *name, uint8_t out[ZONE_NAME_WIRE_MAX]);

/* wire: length bytes, uncompressed, nothing behind it. 0 and out, or -1: not a name of the kind above (the root included). */
int zone_name_from_wire(const uint8_t *wire, size_t length, char out[ZONE_NAME_SIZE]);

/* Whether name is zone, or below it. */
bool zone_name_within(const char *name, const char *zone);

/* FIRST.REST. 0, or -1: too long. */
int zone_name_join(const char *first, const char *rest, char out[ZONE_NAME_SIZE]);

/* The name's own part of _callsign.NAME, or NULL if it is no such name. */
const char *zone_name_owned(const char *name);

/* Below in-addr.arpa (RFC 1035, section 3.5) or ip6.arpa (RFC 3596, section 2.5). */
void zone_name_reverse(const struct address *address, char out[ZONE_NAME_SIZE]);

/* Whether it is a zone for addresses: in-addr.arpa or ip6.arpa, or whole labels of digits below them. */
bool zone_name_is_reverse(const char *name);

/* Record data into out, ZONE_DATA_MAX bytes; each returns its length, 0 if it does not fit. */
size_t zone_data_address(const struct address *address, uint8_t *out);
size_t zone_data_name(const char *name, uint8_t *out);
size_t zone_data_srv(uint16_t port, const char *target, uint8_t *out); /* RFC 2782: priority 0, weight ZONE_SRV_WEIGHT */
/* One more string behind the used bytes; up to 255 bytes of text. */
size_t zone_data_string(const char *text, size_t used, uint8_t *out);

#endif
