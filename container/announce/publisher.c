#include <config.h>

#include "publisher_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/bus/bus_carried.h"
#include "shared/clock.h"
#include "shared/jitter.h"

static void log_announced(const struct publisher *p)
{
	const struct announcement *self = &p->announcer.self;
	char list[ANNOUNCEMENT_ADDRESSES_MAX * (ADDRESS_TEXT_SIZE + 1)] = "", text[ADDRESS_TEXT_SIZE];
	size_t length = 0;
	unsigned i;

	for (i = 0; i < self->naddresses; i++)
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", i > 0 ? "," : "",
		                           address_format(&self->addresses[i], text));
	log_info("announced name=%s addresses=%s seq=%llu lease=%u", self->name, list,
	         (unsigned long long)p->announcer.up_seq, announcer_lease_s(&p->announcer));
}

static void log_status(struct publisher *p)
{
	const char *status = announcer_status(&p->announcer);

	if (status == p->status)
		return;
	p->status = status;
	if (p->announcer.withdrawing)
		log_debug("withdrawing name=%s", p->announcer.self.name);
	else if (announcer_is_announced(&p->announcer))
		log_announced(p);
	else if (p->announcer.unheard || p->announcer.refused || p->announcer.blocked)
		log_warnx("not announced name=%s: %s; retrying", p->announcer.self.name, status);
	else if (p->announcer.state == ANNOUNCER_IDLE && p->withheld == NULL)
		log_warnx("not announced name=%s: %s; waiting for one", p->announcer.self.name, status);
	else
		log_debug("%s name=%s", status, p->announcer.self.name);
}

void publisher_feed(struct publisher *p, struct announcer_event *event)
{
	struct announcer_actions actions;
	unsigned i;

	event->random = jitter_bits();
	announcer_handle(&p->announcer, event, p->now_ms, &actions);
	for (i = 0; i < actions.count; i++)
		publisher_carry_out(p, &actions.list[i]);
	if (announcer_is_announced(&p->announcer)) {
		backoff_reset(&p->backoff);
		patience_reset(&p->patience);
		p->failures = 0;
		faultlog_reset(&p->faultlog);
	}
	log_status(p);
}

void publisher_feed_type(struct publisher *p, enum announcer_event_type type)
{
	struct announcer_event event = {.type = type};

	publisher_feed(p, &event);
}

/*
 * A connection whose local address is gone is dead, but nothing says so before a timeout: what we send leaves under an address that
 * is nobody's any more, or somebody else's. An address that never was on an interface (a local route) proves nothing.
 */
static bool connection_is_cut(struct publisher *p, const struct address *local)
{
	bool had = p->own_address;
	char text[ADDRESS_TEXT_SIZE], why[ADDRESS_TEXT_SIZE + 64];

	p->own_address = addrselect_has(addrwatch_facts(p->watch), local);
	if (p->own_address || !had)
		return false;
	snprintf(why, sizeof(why), "the connection's own address %s is gone", address_format(local, text));
	p->hurry = true; /* nobody else's is: this is no herd */
	bus_mute(p->bus); /* our will would take the name away while we are on our way back */
	bus_fail(p->bus, why);
	return true;
}

/* Once for each number of them. */
static void log_beyond(struct publisher *p, const struct address *local)
{
	struct address list[ADDRSELECT_BEYOND_MAX];
	char words[ADDRSELECT_BEYOND_MAX * (ADDRESS_TEXT_SIZE + 1)] = "", text[ADDRESS_TEXT_SIZE];
	unsigned i, count = addrselect_beyond(addrwatch_facts(p->watch), &p->conf->wish, local, list);
	size_t length = 0;

	if (count == p->beyond)
		return;
	p->beyond = count;
	for (i = 0; i < count; i++)
		length += (size_t)snprintf(words + length, sizeof(words) - length, "%s%s", i > 0 ? "," : "", address_format(&list[i], text));
	if (count > 0)
		log_warnx("more addresses than the %d that a message holds: left out=%s%s; IPv4 goes first, and the broker's interface", ANNOUNCEMENT_ADDRESSES_MAX,
		          words, count == ADDRSELECT_BEYOND_MAX ? ",..." : "");
}

void publisher_feed_addresses(struct publisher *p)
{
	struct address list[ANNOUNCEMENT_ADDRESSES_MAX], local;
	struct announcer_event event = {.type = EVENT_ADDRESSES, .addresses = list, .withheld = p->withheld};
	bool connected = bus_local_address(p->bus, &local) == 0;

	/* Without a connection there is nothing to go by, as a rule, and what was announced stands until there is one. */
	if (!connected || connection_is_cut(p, &local))
		return;
	memset(list, 0, sizeof(list));
	if (p->withheld == NULL)
		event.naddresses = addrselect(addrwatch_facts(p->watch), &p->conf->wish, &local, list);
	if (p->beyond > 0 || event.naddresses == ANNOUNCEMENT_ADDRESSES_MAX)
		log_beyond(p, &local);
	publisher_feed(p, &event);
}

/* ---- the connection ---- */

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

static void connect_next(struct publisher *p)
{
	p->tried_ms = p->now_ms;
	p->options.handshake_ms = patience_ms(&p->patience, BUS_HANDSHAKE_MS);
	p->options.request_ms = patience_ms(&p->patience, BUS_REQUEST_MS);
	if (bus_open(p->bus, &p->conf->bus.endpoints[p->endpoint], &p->options, p->now_ms) == 0) {
		p->open = true;
		return;
	}
	log_warn("connecting");
	publisher_retry_later(p, false);
	if (p->retry_at_ms <= p->now_ms)
		p->retry_at_ms = p->now_ms + PUBLISHER_RETRY_FIRST_MS;
}

/* Where the kernel does not tell, or somebody stands in for it, an address is this instance's alone, as it was before there were places. */
static void tell_place(struct publisher *p)
{
	struct place place;

	if (place_read(&place) == -1)
		log_debug("which host and network namespace this is cannot be told: announced without place");
	announcer_set_place(&p->announcer, &place);
}

/* So that a host can tell which of its containers carry an old one. */
static void tell_agent(struct publisher *p)
{
	char agent[ANNOUNCEMENT_AGENT_MAX + 1];

	announcer_set_agent(&p->announcer, bus_carried_agent("callsign-emit", agent, sizeof(agent)));
}

struct publisher *publisher_new(const struct conf *conf, const char *name, const struct addrwatch *watch, bool want_answer,
                                int64_t now_ms)
{
	struct publisher *p = calloc(1, sizeof(*p));
	struct ident instance;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (p == NULL || (p->bus = bus_new(&publisher_callbacks, p)) == NULL ||
	    ident_uuid7(&instance, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) == -1) {
		log_error("starting");
		publisher_free(p);
		return NULL;
	}
	p->conf = conf;
	p->watch = watch;
	p->want_answer = want_answer;
	snprintf(p->client_name, sizeof(p->client_name), "callsign-emit %s", name);
	p->options = (struct bus_options){.client_name = p->client_name, .heartbeat_s = conf->bus.heartbeat_s,
	                                  .connect_ms = BUS_CONNECT_MS, .user_timeout_ms = BUS_USER_TIMEOUT_MS,
	                                  .frame_max = BUS_FRAME_MAX_EMITTER, .tls = &conf->bus.tls};
	announcer_init(&p->announcer, name, conf->aliases, conf->naliases, conf->renew_s, &instance);
	announcer_set_ports(&p->announcer, conf->ports, conf->nports);
	backoff_init(&p->backoff, PUBLISHER_RETRY_FIRST_MS, PUBLISHER_RETRY_MAX_MS);
	p->now_ms = now_ms;
	connect_next(p);
	tell_agent(p);
	tell_place(p); /* while the login is under way */
	return p;
}

void publisher_free(struct publisher *p)
{
	if (p == NULL)
		return;
	bus_free(p->bus);
	free(p);
}

int publisher_fd(const struct publisher *p)
{
	return bus_fd(p->bus);
}

int64_t publisher_deadline_ms(const struct publisher *p)
{
	int64_t deadline_ms = announcer_deadline_ms(&p->announcer);
	int64_t bus_ms = p->open ? bus_deadline_ms(p->bus) : p->retry_at_ms;

	if (publisher_ended(p))
		return CLOCK_NEVER;
	return bus_ms < deadline_ms ? bus_ms : deadline_ms;
}

static void close_if_wanted(struct publisher *p)
{
	if (!p->close_wanted)
		return;
	bus_close(p->bus);
	p->open = false;
	p->close_wanted = false;
}

void publisher_step(struct publisher *p, int64_t now_ms)
{
	p->now_ms = now_ms;
	if (publisher_ended(p))
		return;
	/* First the bus: what it has to tell may well be what the announcer's deadline is waiting for. */
	if (p->open)
		while (bus_step(p->bus, now_ms, 0) && p->open)
			continue;
	if (!publisher_ended(p) && announcer_takes_timer(&p->announcer, now_ms))
		publisher_feed_type(p, EVENT_TIMER);
	close_if_wanted(p);
	if (!p->open && !publisher_ended(p) && now_ms >= p->retry_at_ms)
		connect_next(p);
}

/*
 * A try that began with the wrong address, or none of the routes, would be waited for until it times out. Not so early, and not so often,
 * that a slow login among flapping routes never comes to its end.
 */
static void give_up_if_stuck(struct publisher *p)
{
	struct address local;

	if (bus_local_address(p->bus, &local) == 0 || p->hurried >= 8 || p->now_ms - p->tried_ms < (PUBLISHER_STUCK_MS << p->hurried))
		return;
	p->hurried++;
	p->hurry = true;
	bus_fail(p->bus, "the network has changed");
}

void publisher_network_changed(struct publisher *p, int64_t now_ms)
{
	p->now_ms = now_ms;
	if (publisher_ended(p))
		return;
	if (p->open) {
		give_up_if_stuck(p);
		publisher_feed_addresses(p);
	} else if (p->retry_at_ms > p->tried_ms + PUBLISHER_NEWS_MS) {
		p->retry_at_ms = p->tried_ms + PUBLISHER_NEWS_MS;
	}
	close_if_wanted(p);
}

void publisher_withhold(struct publisher *p, const char *why, int64_t now_ms)
{
	p->withheld = why;
	p->now_ms = now_ms;
	if (p->open && !publisher_ended(p))
		publisher_feed_addresses(p);
	close_if_wanted(p);
}

void publisher_withdraw(struct publisher *p, int64_t now_ms)
{
	p->now_ms = now_ms;
	publisher_feed_type(p, EVENT_WITHDRAW);
	close_if_wanted(p);
}

bool publisher_ended(const struct publisher *p)
{
	return p->announcer.state == ANNOUNCER_ENDED;
}

enum publisher_answer publisher_answer(const struct publisher *p)
{
	return p->answer;
}

const char *publisher_why_not(const struct publisher *p)
{
	if (p->why_not[0] != '\0')
		return p->why_not;
	return announcer_is_announced(&p->announcer) ? "announced, but no host has answered" : announcer_status(&p->announcer);
}

bool publisher_is_announced(const struct publisher *p)
{
	return announcer_is_announced(&p->announcer);
}

const char *publisher_status(const struct publisher *p)
{
	return announcer_status(&p->announcer);
}
