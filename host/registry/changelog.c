#include <config.h>

#include "changelog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"

struct changelog {
	int64_t second_ms;
	unsigned logged;
	uint64_t suppressed;
};

struct changelog *changelog_new(void)
{
	return calloc(1, sizeof(struct changelog));
}

void changelog_free(struct changelog *changelog)
{
	free(changelog);
}

int64_t changelog_deadline_ms(const struct changelog *changelog)
{
	return changelog->suppressed > 0 ? changelog->second_ms + 1000 : CLOCK_NEVER;
}

void changelog_tick(struct changelog *changelog, int64_t now_ms)
{
	if (now_ms < changelog->second_ms + 1000)
		return;
	if (changelog->suppressed > 0)
		log_info("changed count=%" PRIu64 " note=\"more changes, not logged one by one\"", changelog->suppressed);
	changelog->suppressed = 0;
	changelog->logged = 0;
	changelog->second_ms = now_ms;
}

/* Whether a line may be written now; if not it is counted. */
static bool changelog_may(struct changelog *changelog, int64_t now_ms)
{
	if (!log_enabled(LOG_LEVEL_INFO))
		return false;
	changelog_tick(changelog, now_ms);
	if (changelog->logged < CHANGELOG_PER_S) {
		changelog->logged++;
		return true;
	}
	changelog->suppressed++;
	return false;
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

void changelog_gone(struct changelog *changelog, const struct fact *fact, const char *why, int64_t now_ms)
{
	char user[LOG_SAFE_MAX], instance[IDENT_TEXT_SIZE], reason[ANNOUNCEMENT_REASON_MAX + 3];
	char *quote;

	if (!changelog_may(changelog, now_ms))
		return;
	snprintf(reason, sizeof reason, "%s%s", fact->reason != NULL ? ": " : "", fact->reason != NULL ? fact->reason : "");
	for (quote = reason; (quote = strchr(quote, '"')) != NULL; quote++)
		*quote = '\'';
	log_each(LOG_LEVEL_INFO, "gone name=%s why=\"%s%s\" user=%s instance=%s", fact->name, why, reason,
	         log_safe(user, sizeof user, fact->user, strlen(fact->user)), ident_format(&fact->instance, instance));
}
