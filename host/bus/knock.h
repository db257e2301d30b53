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
 *
 * RabbitMQ has told its port to close by the time that it closes the first connection, but on a busy machine the port takes connections for some
 * milliseconds more (3.10.8 with a quarter of a processor: in 4 of 30 stops, for 1 to 5.4 ms). So of several connections that are lost at once nothing is
 * believed before a second look. Of one alone it is: nearly always that is a container's death, and each would be told of that much later.
 */
struct knock;

#define KNOCK_MS 200
#define KNOCK_PAUSE_MS 5  /* between two; thousands that die at once are asked about together */
#define KNOCK_AGAIN_MS 10 /* before a second look */

/* NULL with errno. */
struct knock *knock_new(void);
void knock_free(struct knock *knock); /* NULL is allowed */

/* Poll for writing; -1: nothing to wait for. */
int knock_fd(const struct knock *knock);
int64_t knock_deadline_ms(const struct knock *knock, const struct registry *registry);

/* Call after deliveries were read, and before registry_tick. */
void knock_step(struct knock *knock, struct registry *registry, const struct subscriber *subscriber, int64_t now_ms);

#endif
