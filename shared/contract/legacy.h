#ifndef CALLSIGN_LEGACY_H
#define CALLSIGN_LEGACY_H

#include "announcement.h"

/*
 * The older wire format, of Network Scripts' containers: `IP:HOSTNAME:up` and `IP:HOSTNAME:down` as a message's body, without properties, through a
 * fanout exchange with an empty routing key. Whoever comes first declares the exchange, so all must declare it in the same way: type fanout, not
 * durable, not auto-delete. docs/legacy.md. Pure.
 */
#define EXCHANGE_LEGACY "my-docker-network"
#define LEGACY_EXCHANGE_TYPE "fanout"
#define LEGACY_BODY_MAX (15 + 1 + HOSTNAME_NAME_MAX + 1 + 4) /* bytes */

/*
 * Decode a body: an IPv4 address that may be announced, a name by the rules of hostname.h (folded), up or down in lower case, and nothing else. Fills op,
 * name, one address, and an instance of its own making: the same for the same address and name, and no UUIDv7. Everything else is 0. Returns 0, or -1 with
 * the reason in error (fit for a log line).
 */
int legacy_decode(const void *body, size_t length, struct announcement *out, char error[ANNOUNCEMENT_ERROR_SIZE]);

/* The body for up or down; address must be IPv4. Returns its length; it is terminated too. */
size_t legacy_encode(enum announcement_op op, const char *name, const struct address *address, char body[LEGACY_BODY_MAX + 1]);

/* Whether it is one of those that legacy_decode() makes. */
bool legacy_is_instance(const struct ident *instance);

#endif
