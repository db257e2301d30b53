#include <config.h>

#include "chorus_parts.h"

#include <stdio.h>

#include "shared/jitter.h"
#include "shared/log.h"

/* What announcers hear, and what comes of it. */

static void log_announced(const struct announcer *announcer)
{
	const struct announcer_self *self = &announcer->self;
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

static void new_instance(struct singer *singer)
{
	struct announcer_event event = {.type = EVENT_IDENTITY, .session = singer->chorus->session};

	if (ident_new(&event.instance) == -1) {
		bus_fail(singer->chorus->bus, "no random numbers");
		return;
	}
	chorus_feed(singer, &event);
	if (singer->chorus->watcher.renewed != NULL)
		singer->chorus->watcher.renewed(singer->chorus->watcher.arg, singer);
}

static void feed_once(struct singer *singer, struct announcer_event *event)
{
	struct announcer_actions actions;

	event->random = jitter_bits();
	announcer_handle(&singer->announcer, event, singer->chorus->now_ms, &actions);
	for (unsigned i = 0; i < actions.count; i++) {
		if (actions.list[i].type == ACTION_NEW_INSTANCE)
			new_instance(singer);
		else
			chorus_carry_out(singer, &actions.list[i]);
	}
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

size_t chorus_announced(const struct chorus *c)
{
	size_t count = 0;

	for (size_t i = 0; i < c->nslots; i++)
		count += c->singers[i] != NULL && announcer_is_announced(&c->singers[i]->announcer);
	return count;
}
