#ifndef CALLSIGN_WITHDRAWALS_H
#define CALLSIGN_WITHDRAWALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry.h"

/*
 * Names that their emitters have withdrawn with a reason, and have not announced again since: containers that are there but not ready. The last
 * WITHDRAWALS_KEPT, for `callsignctl`; whether the container still runs nobody knows. Pure.
 */
struct withdrawals;

#define WITHDRAWALS_KEPT 512

struct withdrawal {
	char *name, *user; /* NULL: an empty place */
	struct ident instance;
	int64_t when_ms;
	char reason[ANNOUNCEMENT_REASON_MAX + 1]; /* printable ASCII, without double quotes */
};

struct withdrawals *withdrawals_new(void); /* NULL with errno */
void withdrawals_free(struct withdrawals *withdrawals);

/* Takes the place of what was noted for this name and user; without memory nothing is. */
void withdrawals_note(struct withdrawals *withdrawals, const struct fact *fact, const char *reason, int64_t now_ms);

/* It is announced again. */
void withdrawals_forget(struct withdrawals *withdrawals, const struct fact *fact);

/* Newest first; visit returns false to stop. */
void withdrawals_each(const struct withdrawals *withdrawals, bool (*visit)(void *arg, const struct withdrawal *withdrawal), void *arg);

#endif
