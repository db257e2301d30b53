#ifndef CALLSIGN_CONTROL_WATCH_H
#define CALLSIGN_CONTROL_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "registry/events.h"
#include "status/status.h"

/* What those who watch are told: which names changed or went, what dnsmasq serves by now, and how the daemon is. */
struct control_brief {
	enum subscriber_state broker;
	bool blocked;
	enum registry_resync resync;
};

struct control_watch {
	struct events *events; /* since the last turn: fill it only while somebody watches */
	uint64_t served;       /* told of */
	struct control_brief brief;
};

int control_watch_init(struct control_watch *watch); /* 0, or -1 without memory */
void control_watch_free(struct control_watch *watch);

/* From here on this client watches. */
void control_watch_begin(struct client *client, const struct status_sources *sources, int64_t now_ms);

/* Tell all of clients that watch what is new. What it writes stands in their buffers; sending is the caller's. */
void control_watch_publish(struct control_watch *watch, struct client *clients, const struct status_sources *sources,
                           struct status_clock clock);

#endif
