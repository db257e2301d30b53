#include <config.h>

#include "chorus_parts.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"

/* ---- singers ---- */

void singer_init(struct singer *singer, void *owner)
{
	singer->chorus = NULL;
	singer->owner = owner;
	singer->status = NULL;
	singer->asks = singer->opens = singer->deletes = false;
}

/* A free slot, made if there is none: its index, or nslots if memory is out. */
static size_t find_slot(struct chorus *c)
{
	struct singer **larger;
	size_t i = 0;

	while (i < c->nslots && c->singers[i] != NULL)
		i++;
	if (i < c->nslots)
		return i;
	larger = reallocarray(c->singers, c->nslots == 0 ? 16 : c->nslots * 2, sizeof(*larger));
	if (larger == NULL)
		return i;
	c->singers = larger;
	c->nslots = c->nslots == 0 ? 16 : c->nslots * 2;
	memset(c->singers + i, 0, (c->nslots - i) * sizeof(*larger));
	return i;
}

int chorus_join(struct chorus *c, struct singer *singer, int64_t now_ms)
{
	struct announcer_event event = {.type = EVENT_CONNECTED, .session = c->session};
	size_t slot = c->nsingers < CHORUS_SINGERS_MAX ? find_slot(c) : c->nslots;

	if (slot >= c->nslots)
		return -1;
	c->now_ms = now_ms;
	c->singers[slot] = singer;
	c->nsingers++;
	singer->chorus = c;
	singer->slot = (uint32_t)slot;
	singer->number = ++c->last_number;
	if (c->hold_timeout_ms != 0)
		announcer_set_hold(&singer->announcer, c->hold_timeout_ms);
	if (bus_is_up(c->bus))
		chorus_feed(singer, &event);
	if (bus_is_up(c->bus) && bus_is_blocked(c->bus))
		chorus_feed(singer, &(struct announcer_event){.type = EVENT_BLOCKED});
	return 0;
}

void chorus_leave(struct singer *singer)
{
	if (singer->chorus == NULL)
		return;
	singer->chorus->singers[singer->slot] = NULL;
	singer->chorus->nsingers--;
	singer->chorus = NULL;
}

void chorus_addresses(struct singer *singer, const struct address *addresses, unsigned count, int64_t now_ms)
{
	struct announcer_event event = {.type = EVENT_ADDRESSES, .addresses = addresses, .naddresses = count};

	singer->chorus->now_ms = now_ms;
	chorus_feed(singer, &event);
}

void chorus_withdraw(struct singer *singer, int64_t now_ms)
{
	singer->chorus->now_ms = now_ms;
	chorus_feed(singer, &(struct announcer_event){.type = EVENT_WITHDRAW});
}

bool singer_ended(const struct singer *singer)
{
	return singer->announcer.state == ANNOUNCER_ENDED;
}

size_t chorus_count(const struct chorus *c)
{
	return c->nsingers;
}

bool chorus_is_up(const struct chorus *c)
{
	return bus_is_up(c->bus);
}

/* ---- the connection ---- */

struct chorus *chorus_new(const struct chorus_options *options, const struct chorus_watcher *watcher, int64_t now_ms)
{
	struct chorus *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->bus = bus_new(&chorus_callbacks, c)) == NULL) {
		log_error("starting");
		chorus_free(c);
		return NULL;
	}
	c->options = *options;
	c->watcher = *watcher;
	snprintf(c->client_name, sizeof(c->client_name), "callsign-agent %s", options->host);
	c->bus_options = (struct bus_options){.client_name = c->client_name, .heartbeat_s = options->bus->heartbeat_s,
	                                      .connect_ms = BUS_CONNECT_MS, .user_timeout_ms = BUS_USER_TIMEOUT_MS,
	                                      .frame_max = BUS_FRAME_MAX_EMITTER, .tls = &options->bus->tls};
	backoff_init(&c->backoff, CHORUS_RETRY_FIRST_MS, CHORUS_RETRY_MAX_MS);
	c->now_ms = now_ms;
	chorus_connect_next(c);
	return c;
}

void chorus_free(struct chorus *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->nslots; i++) {
		if (c->singers[i] != NULL)
			c->singers[i]->chorus = NULL;
	}
	bus_free(c->bus);
	flights_clear(&c->flights);
	outbox_clear(&c->outbox);
	free(c->singers);
	free(c);
}

int chorus_fd(const struct chorus *c)
{
	return bus_fd(c->bus);
}

short chorus_events(const struct chorus *c)
{
	/* A broker in alarm reads nothing, and says so when that is over. */
	bool writes = c->outbox.first != NULL && bus_is_up(c->bus) && !bus_is_blocked(c->bus) && !chorus_waits_for_will(c);

	return writes ? POLLIN | POLLOUT : POLLIN;
}

int64_t chorus_deadline_ms(const struct chorus *c)
{
	int64_t deadline_ms = c->open ? bus_deadline_ms(c->bus) : c->retry_at_ms;

	for (size_t i = 0; i < c->nslots; i++) {
		int64_t own_ms = c->singers[i] != NULL ? announcer_deadline_ms(&c->singers[i]->announcer) : CLOCK_NEVER;

		deadline_ms = own_ms < deadline_ms ? own_ms : deadline_ms;
	}
	return deadline_ms;
}

void chorus_step(struct chorus *c, int64_t now_ms)
{
	c->now_ms = now_ms;
	/* First the bus: what it has to tell may well be what an announcer's deadline is waiting for. */
	while (c->open && bus_step(c->bus, now_ms, 0))
		continue;
	for (size_t i = 0; i < c->nslots; i++) {
		if (c->singers[i] != NULL && announcer_takes_timer(&c->singers[i]->announcer, now_ms))
			chorus_feed(c->singers[i], &(struct announcer_event){.type = EVENT_TIMER});
	}
	chorus_flush(c);
	if (!c->open && now_ms >= c->retry_at_ms)
		chorus_connect_next(c);
}
