#ifndef CALLSIGN_READINESS_H
#define CALLSIGN_READINESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "check.h"
#include "conf.h"
#include "probe.h"

/* Whether the container is ready, by the check of the configuration: check.h says when it is asked, probe.h how. Logs what changes. */
#define READINESS_TEXT_SIZE (PROBE_WHY_SIZE + 48)

struct readiness {
	bool configured; /* false, as all zero: it is always ready */
	const char *name;
	struct check check;
	struct probe probe;
	char text[READINESS_TEXT_SIZE];
};

/* name, conf and mask (a command's signals) must outlive it. The first question is due at once. */
void readiness_init(struct readiness *readiness, const struct conf *conf, const char *name, const sigset_t *mask, int64_t now_ms);

/* NULL: ready. Else why not, in words; they stay in this place and change with the reason. */
const char *readiness_missing(const struct readiness *readiness);

int readiness_fd(const struct readiness *readiness);
short readiness_events(const struct readiness *readiness);
int64_t readiness_deadline_ms(const struct readiness *readiness);

/* ready: poll(2) told something of the descriptor. Returns whether readiness_missing() turned to or from NULL. */
bool readiness_step(struct readiness *readiness, bool ready, int64_t now_ms);

/* See probe_buried(). */
void readiness_buried(struct readiness *readiness, pid_t pid, int wait_status);

/* Ask no more. */
void readiness_stop(struct readiness *readiness);

#endif
