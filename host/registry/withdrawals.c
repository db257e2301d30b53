#include <config.h>

#include "withdrawals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct withdrawals {
	struct withdrawal ring[WITHDRAWALS_KEPT];
	size_t next, held;
};

struct withdrawals *withdrawals_new(void)
{
	return calloc(1, sizeof(struct withdrawals));
}

static void drop(struct withdrawals *withdrawals, struct withdrawal *withdrawal)
{
	withdrawals->held -= withdrawal->name != NULL;
	free(withdrawal->name);
	free(withdrawal->user);
	withdrawal->name = withdrawal->user = NULL;
}

void withdrawals_free(struct withdrawals *withdrawals)
{
	size_t i;

	if (withdrawals == NULL)
		return;
	for (i = 0; i < WITHDRAWALS_KEPT; i++)
		drop(withdrawals, &withdrawals->ring[i]);
	free(withdrawals);
}

void withdrawals_forget(struct withdrawals *withdrawals, const struct fact *fact)
{
	size_t i;

	/* It is asked for every announcement, and there are none, as a rule. */
	for (i = 0; i < WITHDRAWALS_KEPT && withdrawals->held > 0; i++) {
		struct withdrawal *withdrawal = &withdrawals->ring[i];

		if (withdrawal->name != NULL && strcmp(withdrawal->name, fact->name) == 0 && strcmp(withdrawal->user, fact->user) == 0)
			drop(withdrawals, withdrawal);
	}
}

void withdrawals_note(struct withdrawals *withdrawals, const struct fact *fact, const char *reason, int64_t now_ms)
{
	struct withdrawal *withdrawal = &withdrawals->ring[withdrawals->next];
	char *quote;

	withdrawals_forget(withdrawals, fact);
	drop(withdrawals, withdrawal);
	withdrawal->name = strdup(fact->name);
	withdrawal->user = strdup(fact->user);
	withdrawals->held += withdrawal->name != NULL;
	if (withdrawal->name == NULL || withdrawal->user == NULL) {
		drop(withdrawals, withdrawal);
		return;
	}
	withdrawal->instance = fact->instance;
	withdrawal->when_ms = now_ms;
	snprintf(withdrawal->reason, sizeof withdrawal->reason, "%s", reason);
	for (quote = withdrawal->reason; (quote = strchr(quote, '"')) != NULL; quote++)
		*quote = '\'';
	withdrawals->next = (withdrawals->next + 1) % WITHDRAWALS_KEPT;
}

void withdrawals_each(const struct withdrawals *withdrawals, bool (*visit)(void *arg, const struct withdrawal *withdrawal), void *arg)
{
	size_t i;

	for (i = 1; i <= WITHDRAWALS_KEPT; i++) {
		const struct withdrawal *withdrawal = &withdrawals->ring[(withdrawals->next + WITHDRAWALS_KEPT - i) % WITHDRAWALS_KEPT];

		if (withdrawal->name != NULL && !visit(arg, withdrawal))
			return;
	}
}
