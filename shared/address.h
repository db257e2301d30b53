#ifndef CALLSIGN_ADDRESS_H
#define CALLSIGN_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

#define ADDRESS_TEXT_SIZE 46 /* INET6_ADDRSTRLEN */

struct address {
	uint8_t family;    /* 4 or 6 */
	uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest are 0, so whole structs compare with memcmp */
};

struct prefix {
	struct address base; /* bits behind length are 0 */
	uint8_t length;
};

/*
 * Dotted decimal without leading zeros, or RFC 4291 text; no zone, no port, no blanks. 0 and *out, or -1. length bytes,
 * not terminated.
 */
int address_parse(const char *text, size_t length, struct address *out);

/* RFC 5952. Returns out, terminated. */
const char *address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE]);

/* AF_INET and AF_INET6 only: 0, or -1. An IPv4-mapped IPv6 address becomes IPv4 (a socket's own view of it). */
int address_from_sockaddr(const struct sockaddr *sockaddr, struct address *out);

bool address_equal(const struct address *a, const struct address *b);
int address_compare(const struct address *a, const struct address *b);

/*
 * NULL if the address may be announced; else why not, in words: unspecified or "this network" (0.0.0.0/8, ::), loopback,
 * link-local, multicast, broadcast and reserved (240.0.0.0/4), IPv4-mapped or IPv4-compatible IPv6, site-local (fec0::/10).
 */
const char *address_unusable(const struct address *address);

/* "10.0.0.0/8", or an address alone for its full length. Bits set behind the length are an error. 0, or -1. */
int prefix_parse(const char *text, size_t length, struct prefix *out);
bool prefix_contains(const struct prefix *prefix, const struct address *address);

#endif
