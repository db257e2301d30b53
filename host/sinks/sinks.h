#ifndef CALLSIGN_SINKS_H
#define CALLSIGN_SINKS_H

/*
 * The room host/sinks/: all the sinks as one, and the table of their kinds (kinds.h). It uses host/sinks/common, and must not
 * know more of a kind than its name.
 */

#include "sinks/common/sink.h"

/*
 * All the sinks of the daemon as one. A sink works on its batch at once if it can, and says later how far it is; what is stored or served by all is
 * what every required one has stored or serves. The others may be as slow as they like.
 */
#define SINKS_POLLFDS_MAX (SINKS_MAX * SINK_POLLFDS_MAX)

struct sinks {
	struct sink list[SINKS_MAX];
	unsigned count;
	uint64_t generation; /* of the last batch handed out */
	bool changed;        /* they were told of something since, or are to look at their configuration */
	unsigned missing;    /* configured, but could not be started */
	int npollfds[SINKS_MAX];
};

void sinks_add(struct sinks *sinks, struct sink sink); /* at most SINKS_MAX */
void sinks_remove(struct sinks *sinks, unsigned i);    /* frees it */
void sinks_free(struct sinks *sinks);

void sinks_listing(struct sinks *sinks, const struct listing *listing, bool records);
void sinks_gone(struct sinks *sinks, const struct listing *listing);

/* After each refresh of the view, before a flush. */
void sinks_renew(struct sinks *sinks);

/* The batch is complete: it gets the next generation. */
void sinks_flush(struct sinks *sinks, int64_t now_ms);

/* A resync has ended: told to all, and to those that come later. */
void sinks_settled(struct sinks *sinks, int64_t now_ms);

uint64_t sinks_stored(const struct sinks *sinks);
uint64_t sinks_served(const struct sinks *sinks);

/* fds: room for SINKS_POLLFDS_MAX; returns how many. The same ones go to sinks_step() after the poll. */
int sinks_pollfds(struct sinks *sinks, struct pollfd *fds);
int64_t sinks_deadline_ms(const struct sinks *sinks);
void sinks_step(struct sinks *sinks, const struct pollfd *fds, int64_t now_ms);

#endif
