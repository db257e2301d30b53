#include <config.h>

#include "chorus_parts.h"

#include "shared/jitter.h"
#include "shared/log.h"

/* One URL after the other without a pause; after each round, and after a connection that stood, the backoff's delay. */
void chorus_retry_later(struct chorus *c, bool stood)
{
	size_t nendpoints = c->options.bus->nendpoints;

	c->endpoint = (c->endpoint + 1) % nendpoints;
	c->failures++;
	if (stood || c->failures % nendpoints == 0)
		c->retry_at_ms = c->now_ms + backoff_next(&c->backoff, jitter_bits());
	else
		c->retry_at_ms = c->now_ms;
}

void chorus_connect_next(struct chorus *c)
{
	c->bus_options.handshake_ms = patience_ms(&c->patience, BUS_HANDSHAKE_MS);
	c->bus_options.request_ms = patience_request_ms(&c->patience, BUS_REQUEST_MS, c->options.bus->nendpoints > 1);
	if (bus_open(c->bus, &c->options.bus->endpoints[c->endpoint], &c->bus_options, c->now_ms) == 0) {
		c->open = true;
		return;
	}
	log_warn("connecting");
	chorus_retry_later(c, false);
	if (c->retry_at_ms <= c->now_ms)
		c->retry_at_ms = c->now_ms + CHORUS_RETRY_FIRST_MS;
}
