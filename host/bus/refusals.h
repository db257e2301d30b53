#ifndef CALLSIGN_REFUSALS_H
#define CALLSIGN_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/contract/announcement.h"

/*
 * What was refused, by whom it came and why: one log line each, but no more than REFUSALS_LOG_PER_S in a second (the rest is counted: a flood
 * must not fill the disk), and the last few kept for `callsignctl why`.
 */
struct refusals;

#define REFUSALS_KEPT 512
#define REFUSALS_LOG_PER_S 20
#define REFUSALS_REASON_SIZE 320
#define REFUSALS_TEXT_SIZE 128

struct refusal {
	int64_t when_ms;
	char user[REFUSALS_TEXT_SIZE]; /* escaped, as are the others: log_safe() */
	char key[REFUSALS_TEXT_SIZE];  /* the routing key */
	char name[HOSTNAME_NAME_SIZE]; /* of the announcement, if it could be read that far, else "" */
	char reason[REFUSALS_REASON_SIZE];
};

struct refusals *refusals_new(void); /* NULL with errno */
void refusals_free(struct refusals *refusals);

/* user and key need not be terminated and may hold any bytes; name is NULL or a valid name; reason is fit for a log line. */
void refusals_note(struct refusals *refusals, const char *user, size_t user_length, const char *key, size_t key_length,
                   const char *name, const char *reason, int64_t now_ms);

/* One more, neither kept nor logged by itself: it only counts. For what is refused before it is read. */
void refusals_count(struct refusals *refusals, int64_t now_ms);

/* How many lines the rate has suppressed are told of when a second is over: call at this deadline or later. */
int64_t refusals_deadline_ms(const struct refusals *refusals);
void refusals_tick(struct refusals *refusals, int64_t now_ms);

uint64_t refusals_total(const struct refusals *refusals);

/* Newest first; visit returns false to stop. */
void refusals_each(const struct refusals *refusals, bool (*visit)(void *arg, const struct refusal *refusal), void *arg);

#endif
