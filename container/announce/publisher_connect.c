#include <config.h>

#include "publisher_parts.h"

#include "shared/jitter.h"

/* One URL after the other without a pause; after each round, and after a connection that stood, the backoff's delay. */
void publisher_retry_later(struct publisher *p, bool stood)
{
	if (!p->same)
		p->endpoint = (p->endpoint + 1) % p->conf->bus.nendpoints;
	p->same = false;
	p->failures++;
	if (stood || p->failures % p->conf->bus.nendpoints == 0)
		p->retry_at_ms = p->now_ms + backoff_next(&p->backoff, jitter_bits());
	else
		p->retry_at_ms = p->now_ms;
}

void publisher_connect_next(struct publisher *p)
{
	p->tried_ms = p->now_ms;
	p->options.handshake_ms = patience_ms(&p->patience, BUS_HANDSHAKE_MS);
	p->options.request_ms = patience_request_ms(&p->patience, BUS_REQUEST_MS, p->conf->bus.nendpoints > 1);
	if (bus_open(p->bus, &p->conf->bus.endpoints[p->endpoint], &p->options, p->now_ms) == 0) {
		p->open = true;
		return;
	}
	log_warn("connecting");
	publisher_retry_later(p, false);
	if (p->retry_at_ms <= p->now_ms)
		p->retry_at_ms = p->now_ms + PUBLISHER_RETRY_FIRST_MS;
}
