#include <config.h>

#include "streams.h"

#include <signal.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "system/children.h"

void streams_init(struct streams *streams)
{
	*streams = (struct streams){.due_ms = CLOCK_NEVER};
}

void streams_forget(struct streams *streams)
{
	streams->due_ms = CLOCK_NEVER;
}

void streams_reloaded(struct streams *streams, const struct process *dnsmasq, int64_t now_ms)
{
	if (dnsmasq->pidfd < 0)
		return;
	streams->stale_ms = streams->due_ms = now_ms;
	streams_step(streams, dnsmasq, now_ms);
}

void streams_step(struct streams *streams, const struct process *dnsmasq, int64_t now_ms)
{
	int64_t fresh_ms = now_ms - streams->stale_ms; /* younger ones know the new names */
	int64_t oldest_ms;
	size_t ended;

	if (streams->due_ms > now_ms)
		return;
	ended = children_signal(dnsmasq, SIGALRM, fresh_ms > STREAMS_GRACE_MS ? fresh_ms : STREAMS_GRACE_MS, &oldest_ms);
	if (ended > 0)
		log_debug("dnsmasq: connections=%zu over TCP that had not heard of the newest names are ended", ended);
	streams->ended += ended;
	streams->due_ms = fresh_ms < STREAMS_GRACE_MS && oldest_ms >= fresh_ms ? now_ms + STREAMS_GRACE_MS - oldest_ms : CLOCK_NEVER;
}
