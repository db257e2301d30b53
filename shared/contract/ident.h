#ifndef CALLSIGN_IDENT_H
#define CALLSIGN_IDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 128 bits: an instance, a session or a nonce. On the wire: 32 lower-case hex digits. */
struct ident {
	uint8_t bytes[16];
};

#define IDENT_TEXT_LENGTH 32
#define IDENT_TEXT_SIZE (IDENT_TEXT_LENGTH + 1)

/* Exactly 32 hex digits (lower case only): 0 and *out, or -1. text need not be terminated. */
int ident_parse(const char *text, size_t length, struct ident *out);

/* Returns out, terminated. */
const char *ident_format(const struct ident *ident, char out[IDENT_TEXT_SIZE]);

bool ident_equal(const struct ident *a, const struct ident *b);

/* Like memcmp: UUIDv7s sort by the time they were made. */
int ident_compare(const struct ident *a, const struct ident *b);

/* 128 bits from getrandom(2). 0, or -1 with errno. */
int ident_random(struct ident *out);

/* A UUIDv7 (RFC 9562, section 5.7) for the given Unix time in milliseconds, its other bits from getrandom(2). 0 or -1. */
int ident_uuid7(struct ident *out, uint64_t unix_ms);

/* A new instance's: a UUIDv7 of this moment. 0 or -1. */
int ident_new(struct ident *out);

#endif
