#include <config.h>

#include "refusals.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/log.h"
#include "shared/lograte.h"

struct refusals {
	struct refusal ring[REFUSALS_KEPT];
	size_t next, count;
	uint64_t total;
	struct lograte rate;
};

struct refusals *refusals_new(void)
{
	struct refusals *refusals = calloc(1, sizeof *refusals);

	if (refusals != NULL)
		refusals->rate.per_s = REFUSALS_LOG_PER_S;
	return refusals;
}

void refusals_free(struct refusals *refusals)
{
	free(refusals);
}

void refusals_tick(struct refusals *refusals, int64_t now_ms)
{
	uint64_t suppressed = lograte_tick(&refusals->rate, now_ms);

	if (suppressed > 0)
		log_warnx("refused count=%" PRIu64 " reason=\"more like those above, not logged one by one\"", suppressed);
}

int64_t refusals_deadline_ms(const struct refusals *refusals)
{
	return lograte_deadline_ms(&refusals->rate);
}

void refusals_count(struct refusals *refusals, int64_t now_ms)
{
	refusals->total++;
	refusals_tick(refusals, now_ms);
	refusals->rate.suppressed++;
}

void refusals_note(struct refusals *refusals, const char *user, size_t user_length, const char *key, size_t key_length,
                   const char *name, const char *reason, int64_t now_ms)
{
	struct refusal *refusal = &refusals->ring[refusals->next];
	char *quote;

	refusals->next = (refusals->next + 1) % REFUSALS_KEPT;
	refusals->count += refusals->count < REFUSALS_KEPT;
	refusals->total++;
	refusal->when_ms = now_ms;
	log_safe(refusal->user, sizeof refusal->user, user, user_length);
	log_safe(refusal->key, sizeof refusal->key, key, key_length);
	snprintf(refusal->name, sizeof refusal->name, "%s", name != NULL ? name : "");
	snprintf(refusal->reason, sizeof refusal->reason, "%s", reason);
	/* It stands between double quotes in the log. */
	for (quote = refusal->reason; (quote = strchr(quote, '"')) != NULL; quote++)
		*quote = '\'';

	refusals_tick(refusals, now_ms);
	if (!lograte_take(&refusals->rate))
		return;
	/* The rate is bounded above; of what is within it each line tells of another message. */
	log_each(LOG_LEVEL_WARNING, "refused user=%s key=%s reason=\"%s\"", refusal->user, refusal->key, refusal->reason);
}

uint64_t refusals_total(const struct refusals *refusals)
{
	return refusals->total;
}

void refusals_each(const struct refusals *refusals, bool (*visit)(void *arg, const struct refusal *refusal), void *arg)
{
	size_t i;

	for (i = 1; i <= refusals->count; i++) {
		if (!visit(arg, &refusals->ring[(refusals->next + REFUSALS_KEPT - i) % REFUSALS_KEPT]))
			return;
	}
}
