#include <config.h>

#include "sinks.h"

#include <string.h>

#include "shared/clock.h"

/* A reload may come between poll() and sinks_step(): what the poll said was of other sinks. It says so again. */
static void forget_pollfds(struct sinks *sinks)
{
	memset(sinks->npollfds, 0, sizeof(sinks->npollfds));
}

void sinks_add(struct sinks *sinks, struct sink sink)
{
	sinks->list[sinks->count++] = sink;
	forget_pollfds(sinks);
}

void sinks_remove(struct sinks *sinks, unsigned i)
{
	sinks->list[i].operations->free(sinks->list[i].self);
	sinks->count--;
	memmove(&sinks->list[i], &sinks->list[i + 1], (sinks->count - i) * sizeof(sinks->list[0]));
	forget_pollfds(sinks);
}

void sinks_free(struct sinks *sinks)
{
	unsigned i;

	for (i = 0; i < sinks->count; i++)
		sinks->list[i].operations->free(sinks->list[i].self);
	sinks->count = 0;
}

void sinks_listing(struct sinks *sinks, const struct listing *listing, bool records)
{
	unsigned i;

	sinks->changed = true;
	for (i = 0; i < sinks->count; i++)
		sinks->list[i].operations->listing(sinks->list[i].self, listing, records);
}

void sinks_gone(struct sinks *sinks, const struct listing *listing)
{
	unsigned i;

	sinks->changed = true;
	for (i = 0; i < sinks->count; i++)
		sinks->list[i].operations->gone(sinks->list[i].self, listing);
}

void sinks_renew(struct sinks *sinks)
{
	unsigned i;

	for (i = 0; i < sinks->count; i++) {
		if (sinks->list[i].operations->renew != NULL && sinks->list[i].operations->renew(sinks->list[i].self))
			sinks->changed = true;
	}
}

void sinks_flush(struct sinks *sinks, int64_t now_ms)
{
	unsigned i;

	sinks->generation++;
	sinks->changed = false;
	for (i = 0; i < sinks->count; i++)
		sinks->list[i].operations->flush(sinks->list[i].self, sinks->generation, now_ms);
}

void sinks_settled(struct sinks *sinks, int64_t now_ms)
{
	unsigned i;

	for (i = 0; i < sinks->count; i++) {
		if (sinks->list[i].operations->settled != NULL)
			sinks->list[i].operations->settled(sinks->list[i].self, now_ms);
	}
}

uint64_t sinks_stored(const struct sinks *sinks)
{
	uint64_t least = sinks->generation, stored;
	unsigned i;

	for (i = 0; i < sinks->count; i++) {
		stored = sinks->list[i].operations->stored(sinks->list[i].self);
		if (sinks->list[i].required && stored < least)
			least = stored;
	}
	return least;
}

uint64_t sinks_served(const struct sinks *sinks)
{
	uint64_t least = sinks->generation, served;
	unsigned i;

	for (i = 0; i < sinks->count; i++) {
		served = sinks->list[i].operations->served(sinks->list[i].self);
		if (sinks->list[i].required && served < least)
			least = served;
	}
	return least;
}

int sinks_pollfds(struct sinks *sinks, struct pollfd *fds)
{
	int count = 0;
	unsigned i;

	for (i = 0; i < sinks->count; i++) {
		sinks->npollfds[i] = sinks->list[i].operations->pollfds(sinks->list[i].self, &fds[count]);
		count += sinks->npollfds[i];
	}
	return count;
}

int64_t sinks_deadline_ms(const struct sinks *sinks)
{
	int64_t due = CLOCK_NEVER, other;
	unsigned i;

	for (i = 0; i < sinks->count; i++) {
		other = sinks->list[i].operations->deadline_ms(sinks->list[i].self);
		due = other < due ? other : due;
	}
	return due;
}

void sinks_step(struct sinks *sinks, const struct pollfd *fds, int64_t now_ms)
{
	unsigned i;

	for (i = 0; i < sinks->count; i++) {
		sinks->list[i].operations->step(sinks->list[i].self, fds, sinks->npollfds[i], now_ms);
		fds += sinks->npollfds[i];
	}
}
