#ifndef CALLSIGN_KNOCK_H
#define CALLSIGN_KNOCK_H

#include <stdint.h>

#include "registry/registry.h"
#include "subscriber.h"

/*
 * Answers what the registry asks about a lost (registry_asks): does the broker still take connections? It knocks: it connects to where our own
 * connection goes, says nothing, and closes. RabbitMQ takes that for a health check, and does not log it.
 *
 * Only a connection that is refused means no. No descriptor, no way there, no answer within KNOCK_MS: then the lost is what it says. Behind a proxy,
 * which answers for the broker, too.
 */
struct knock;

#define KNOCK_MS 200
#define KNOCK_PAUSE_MS 5 /* between two; thousands that die at once are asked about together */

/* NULL with errno. */
struct knock *knock_new(void);
void knock_free(struct knock *knock); /* NULL is allowed */

/* Poll for writing; -1: nothing to wait for. */
int knock_fd(const struct knock *knock);
int64_t knock_deadline_ms(const struct knock *knock, const struct registry *registry);

/* Call after deliveries were read, and before registry_tick. */
void knock_step(struct knock *knock, struct registry *registry, const struct subscriber *subscriber, int64_t now_ms);

#endif
