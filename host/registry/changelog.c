#include <config.h>

#include "changelog.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/log.h"
#include "shared/lograte.h"

struct changelog {
	struct lograte rate;
	bool mass_loss; /* told of already */
};

struct changelog *changelog_new(void)
{
	struct changelog *changelog = calloc(1, sizeof *changelog);

	if (changelog != NULL)
		changelog->rate.per_s = CHANGELOG_PER_S;
	return changelog;
}

void changelog_free(struct changelog *changelog)
{
	free(changelog);
}

int64_t changelog_deadline_ms(const struct changelog *changelog)
{
	return lograte_deadline_ms(&changelog->rate);
}

void changelog_tick(struct changelog *changelog, int64_t now_ms)
{
	uint64_t suppressed = lograte_tick(&changelog->rate, now_ms);

	if (suppressed > 0)
		log_info("changed count=%" PRIu64 " note=\"more changes, not logged one by one\"", suppressed);
}

/* Whether a line may be written now; if not it is counted. */
static bool changelog_may(struct changelog *changelog, int64_t now_ms)
{
	if (!log_enabled(LOG_LEVEL_INFO))
		return false;
	changelog_tick(changelog, now_ms);
	return lograte_take(&changelog->rate);
}

static const char *addresses_text(const struct fact *fact, char *out, size_t size)
{
	char text[ADDRESS_TEXT_SIZE];
	size_t used = 0;
	unsigned i;

	out[0] = '\0';
	for (i = 0; i < fact->naddresses && used + ADDRESS_TEXT_SIZE + 1 < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? "," : "", address_format(&fact->addresses[i], text));
	return out;
}

void changelog_changed(struct changelog *changelog, const struct fact *fact, int64_t now_ms)
{
	char addresses[ANNOUNCEMENT_ADDRESSES_MAX * (ADDRESS_TEXT_SIZE + 1)];
	char user[LOG_SAFE_MAX], instance[IDENT_TEXT_SIZE];

	if (!changelog_may(changelog, now_ms))
		return;
	log_each(LOG_LEVEL_INFO, "up name=%s addresses=%s user=%s instance=%s lease=%" PRIu32 "%s", fact->name,
	         addresses_text(fact, addresses, sizeof addresses), log_safe(user, sizeof user, fact->user, strlen(fact->user)),
	         ident_format(&fact->instance, instance), fact->lease_s, fact->state == FACT_UNCONFIRMED ? " state=unconfirmed" : "");
}

void changelog_gone(struct changelog *changelog, const struct fact *fact, const char *why, const char *reason, int64_t now_ms)
{
	char user[LOG_SAFE_MAX], instance[IDENT_TEXT_SIZE], said[ANNOUNCEMENT_REASON_MAX + 3];
	char *quote;

	if (!changelog_may(changelog, now_ms))
		return;
	snprintf(said, sizeof said, "%s%s", reason != NULL ? ": " : "", reason != NULL ? reason : "");
	for (quote = said; (quote = strchr(quote, '"')) != NULL; quote++)
		*quote = '\'';
	log_each(LOG_LEVEL_INFO, "gone name=%s why=\"%s%s\" user=%s instance=%s", fact->name, why, said,
	         log_safe(user, sizeof user, fact->user, strlen(fact->user)), ident_format(&fact->instance, instance));
}

void changelog_resync(struct changelog *changelog, const struct registry_counts *counts)
{
	if (counts->mass_loss && !changelog->mass_loss)
		log_warnx("after the reconnect %zu of %zu names were not announced again: that many at once look like a fault, so they stay until "
		          "their leases end; is the vhost the right one, and do the emitters reach this broker?",
		          counts->unconfirmed, counts->facts);
	changelog->mass_loss = counts->mass_loss;
}
