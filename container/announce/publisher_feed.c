#include <config.h>

#include "publisher_parts.h"

#include <stdio.h>
#include <string.h>

#include "shared/jitter.h"

/* What the announcer hears, and what comes of it. */

static void log_announced(const struct publisher *p)
{
	const struct announcer_self *self = &p->announcer.self;
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

static void new_instance(struct publisher *p)
{
	struct announcer_event event = {.type = EVENT_IDENTITY};

	if (ident_new(&event.instance) == -1 ||
	    ident_random(&event.session) == -1) {
		bus_fail(p->bus, "no random numbers");
		return;
	}
	publisher_feed(p, &event);
}

void publisher_feed(struct publisher *p, struct announcer_event *event)
{
	struct announcer_actions actions;
	unsigned i;

	event->random = jitter_bits();
	announcer_handle(&p->announcer, event, p->now_ms, &actions);
	for (i = 0; i < actions.count; i++) {
		if (actions.list[i].type == ACTION_NEW_INSTANCE)
			new_instance(p);
		else
			publisher_carry_out(p, &actions.list[i]);
	}
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

/* ---- addresses ---- */

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
