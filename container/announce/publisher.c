#include <config.h>

#include "publisher_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/bus/bus_carried.h"
#include "shared/clock.h"

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

	if (p == NULL || (p->bus = bus_new(&publisher_callbacks, p)) == NULL ||
	    ident_new(&instance) == -1) {
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
	publisher_connect_next(p);
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
		publisher_connect_next(p);
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
