#include <config.h>

#include "chorus_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/jitter.h"
#include "shared/log.h"

/* ---- what is said of each name ---- */

static void log_announced(const struct announcer *announcer)
{
	const struct announcement *self = &announcer->self;
	char list[ANNOUNCEMENT_ADDRESSES_MAX * (ADDRESS_TEXT_SIZE + 1)] = "", text[ADDRESS_TEXT_SIZE];
	size_t length = 0;

	for (unsigned i = 0; i < self->naddresses; i++)
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", i > 0 ? "," : "", address_format(&self->addresses[i], text));
	log_info("announced name=%s addresses=%s seq=%llu lease=%u", self->name, list, (unsigned long long)announcer->up_seq,
	         announcer_lease_s(announcer));
}

static void log_status(struct singer *singer)
{
	const struct announcer *announcer = &singer->announcer;
	const char *status = announcer_status(announcer);

	if (status == singer->status)
		return;
	singer->status = status;
	if (announcer_is_announced(announcer))
		log_announced(announcer);
	else if (announcer->unheard || announcer->refused)
		log_warnx("not announced name=%s: %s; retrying", announcer->self.name, status);
	else
		log_debug("%s name=%s", status, announcer->self.name);
}

/* ---- singers ---- */

void singer_init(struct singer *singer, void *owner)
{
	singer->chorus = NULL;
	singer->owner = owner;
	singer->status = NULL;
	singer->asks = singer->opens = singer->deletes = false;
}

static void feed_once(struct singer *singer, struct announcer_event *event)
{
	struct announcer_actions actions;

	event->random = jitter_bits();
	announcer_handle(&singer->announcer, event, singer->chorus->now_ms, &actions);
	for (unsigned i = 0; i < actions.count; i++)
		chorus_carry_out(singer, &actions.list[i]);
}

/* What the announcer asks for is there already, as it is everybody's: so it hears at once that it is. */
static void answer_wishes(struct singer *singer)
{
	if (singer->opens && singer->chorus->consuming) {
		singer->opens = false;
		feed_once(singer, &(struct announcer_event){.type = EVENT_CONSUMING});
	}
	if (singer->deletes) {
		singer->deletes = false;
		feed_once(singer, &(struct announcer_event){.type = EVENT_DELETED});
	}
}

void chorus_feed(struct singer *singer, struct announcer_event *event)
{
	struct chorus *c = singer->chorus;

	if (event->type == EVENT_DISCONNECTED || event->type == EVENT_CONNECTED || event->type == EVENT_CONSUMING)
		singer->opens = false;
	feed_once(singer, event);
	answer_wishes(singer);
	if (announcer_is_announced(&singer->announcer)) {
		backoff_reset(&c->backoff);
		patience_reset(&c->patience);
		c->failures = 0;
		faultlog_reset(&c->faultlog);
	}
	log_status(singer);
}

void chorus_feed_all(struct chorus *c, const struct announcer_event *event)
{
	for (size_t i = 0; i < c->nslots; i++) {
		struct announcer_event own = *event;

		if (c->singers[i] != NULL)
			chorus_feed(c->singers[i], &own);
	}
}

struct singer *chorus_singer(const struct chorus *c, uint32_t slot, uint64_t number)
{
	struct singer *singer = slot < c->nslots ? c->singers[slot] : NULL;

	return singer != NULL && singer->number == number ? singer : NULL;
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

size_t chorus_announced(const struct chorus *c)
{
	size_t count = 0;

	for (size_t i = 0; i < c->nslots; i++)
		count += c->singers[i] != NULL && announcer_is_announced(&c->singers[i]->announcer);
	return count;
}

bool chorus_is_up(const struct chorus *c)
{
	return bus_is_up(c->bus);
}

/* ---- the connection ---- */

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

static void connect_next(struct chorus *c)
{
	c->bus_options.handshake_ms = patience_ms(&c->patience, BUS_HANDSHAKE_MS);
	c->bus_options.request_ms = patience_ms(&c->patience, BUS_REQUEST_MS);
	if (bus_open(c->bus, &c->options.bus->endpoints[c->endpoint], &c->bus_options, c->now_ms) == 0) {
		c->open = true;
		return;
	}
	log_warn("connecting");
	chorus_retry_later(c, false);
	if (c->retry_at_ms <= c->now_ms)
		c->retry_at_ms = c->now_ms + CHORUS_RETRY_FIRST_MS;
}

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
	connect_next(c);
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
	free(c->singers);
	free(c);
}

int chorus_fd(const struct chorus *c)
{
	return bus_fd(c->bus);
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
	if (!c->open && now_ms >= c->retry_at_ms)
		connect_next(c);
}
