#ifndef CALLSIGN_ANSWERS_H
#define CALLSIGN_ANSWERS_H

#include <stdint.h>

#include "conf/conf.h"
#include "intake.h"
#include "registry/registry.h"
#include "shared/bus/bus.h"

/*
 * Answers to emitters that wait for their name (--wait), by way of the subscriber's connection: `refused` at once, `resolves` or `refused` once the
 * batch that holds the announcement is served (docs/protocol, "Knowing that a name resolves").
 */
struct answers;

/* NULL with errno. bus and registry are borrowed, conf until answers_configure() gives another one. */
struct answers *answers_new(struct bus *bus, struct registry *registry, const struct conf *conf);
void answers_free(struct answers *answers);
void answers_configure(struct answers *answers, const struct conf *conf);

/* An announcement was taken in or refused, in the batch of this generation: note who wants to be told, or tell it. */
void answers_taken(struct answers *answers, const struct bus_delivery *delivery, const struct announcement *message,
                   const struct intake_outcome *outcome, uint64_t generation, int64_t now_ms);

/* Everything up to this generation is served. */
void answers_served(struct answers *answers, uint64_t served, int64_t now_ms);

/* What the connection says: the broker has confirmed what was published with this number; it is gone, and with it those who waited; it was closed by us. */
void answers_confirmed(struct answers *answers, uint64_t sequence);
void answers_down(struct answers *answers, const struct bus_failure *failure, int64_t now_ms);
void answers_clear(struct answers *answers);

#endif
