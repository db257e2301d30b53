#ifndef CALLSIGN_CHANGELOG_H
#define CALLSIGN_CHANGELOG_H

#include <stdint.h>

#include "registry.h"

/*
 * One log line for each name that comes, changes or goes, at most CHANGELOG_PER_S in a second; of more (a host of thousands coming back at
 * once) their number is logged when the second is over.
 */
struct changelog;

#define CHANGELOG_PER_S 50

struct changelog *changelog_new(void); /* NULL with errno */
void changelog_free(struct changelog *changelog);

void changelog_changed(struct changelog *changelog, const struct fact *fact, int64_t now_ms);
void changelog_gone(struct changelog *changelog, const struct fact *fact, const char *why, const char *reason, int64_t now_ms);

/* counts as they are now: says once if the last resync left so many names unconfirmed that it is not believed. */
void changelog_resync(struct changelog *changelog, const struct registry_counts *counts);

int64_t changelog_deadline_ms(const struct changelog *changelog);
void changelog_tick(struct changelog *changelog, int64_t now_ms);

#endif
