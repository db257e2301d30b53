#include <config.h>

#include "watch.h"

#include <stdlib.h>
#include <utlist.h>

#include "stream.h"

int control_watch_init(struct control_watch *watch)
{
	*watch = (struct control_watch){.events = events_new()};
	return watch->events != NULL ? 0 : -1;
}

void control_watch_free(struct control_watch *watch)
{
	events_free(watch->events);
	watch->events = NULL;
}

static json_t *brief_json(const struct control_brief *brief)
{
	return json_pack("{s:s, s:s, s:b, s:s}", "event", "daemon", "broker", status_broker_word(brief->broker), "blocked", brief->blocked,
	                 "resync", status_resync_word(brief->resync));
}

static struct control_brief brief_of(const struct status_sources *sources)
{
	struct subscriber_status broker;
	struct registry_counts counts;

	subscriber_status(sources->subscriber, &broker);
	registry_count(sources->registry, &counts);
	return (struct control_brief){.broker = broker.state, .blocked = broker.blocked, .resync = counts.resync};
}

void control_watch_begin(struct client *client, const struct status_sources *sources, int64_t now_ms)
{
	struct control_brief brief = brief_of(sources);

	client_send(client, brief_json(&brief), now_ms);
	stream_begin(client, CLIENT_WATCHING);
}

struct publishing {
	struct control_watch *watch;
	struct client *clients;
	struct status_sources sources;
	struct status_clock clock;
};

/* Takes line over. */
static void publish_line(struct publishing *publishing, json_t *line)
{
	char *text = line != NULL ? json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	struct client *client;

	DL_FOREACH2(publishing->clients, client, next_client) {
		if (text != NULL)
			stream_line(client, text, publishing->clock.now_ms);
		else
			stream_overflowed(client);
	}
	json_decref(line);
	free(text);
}

static void publish_entry(struct publishing *publishing, const struct listing *listing)
{
	char *text = stream_entry_text(listing, &publishing->sources, publishing->clock);
	struct client *client;

	DL_FOREACH2(publishing->clients, client, next_client) {
		if (text != NULL)
			stream_entry(client, listing, publishing->sources.conf, text, publishing->clock.now_ms);
		else
			stream_overflowed(client);
	}
	free(text);
}

static void publish_event(void *arg, const struct event *event)
{
	struct publishing *publishing = arg;
	const struct fact *fact = registry_find(publishing->sources.registry, &event->instance);
	const struct listing *listing = fact != NULL ? view_listing(fact) : NULL;
	char instance[IDENT_TEXT_SIZE];

	if (listing != NULL)
		publish_entry(publishing, listing);
	else if (event->why != NULL)
		publish_line(publishing, json_pack("{s:s, s:I, s:s, s:s, s:s}", "event", "gone", "generation",
		                                   (json_int_t)publishing->sources.generation, "name", event->name, "instance",
		                                   ident_format(&event->instance, instance), "why", event->why));
}

static void publish_events(struct publishing *publishing)
{
	struct client *client;

	if (!events_overflowed(publishing->watch->events)) {
		events_each(publishing->watch->events, publish_event, publishing);
	} else {
		DL_FOREACH2(publishing->clients, client, next_client)
			stream_overflowed(client);
	}
	events_clear(publishing->watch->events);
}

static void publish_brief(struct publishing *publishing)
{
	struct control_brief now = brief_of(&publishing->sources), *told = &publishing->watch->brief;

	if (now.broker == told->broker && now.blocked == told->blocked && now.resync == told->resync)
		return;
	*told = now;
	publish_line(publishing, brief_json(&now));
}

void control_watch_publish(struct control_watch *watch, struct client *clients, const struct status_sources *sources,
                           struct status_clock clock)
{
	struct publishing publishing = {.watch = watch, .clients = clients, .sources = *sources, .clock = clock};

	if (events_count(watch->events) > 0 || events_overflowed(watch->events))
		publish_events(&publishing);
	if (sources->served != watch->served)
		publish_line(&publishing, json_pack("{s:s, s:I}", "event", "served", "generation", (json_int_t)sources->served));
	watch->served = sources->served;
	publish_brief(&publishing);
}
