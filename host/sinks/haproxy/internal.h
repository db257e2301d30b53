#ifndef CALLSIGN_HAPROXY_INTERNAL_H
#define CALLSIGN_HAPROXY_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "conf.h"
#include "file.h"
#include "routes.h"

/*
 * The HAProxy sink in two parts: the conversation over the runtime socket (talk.c), and the sink around it with its file and its
 * reloads (haproxy.c).
 */
#define HAPROXY_TEXT_SIZE 1024
/* From one reload to the next, doubled each time: each leaves an old worker behind for a while. */
#define HAPROXY_RELOAD_PAUSE_MS 5000

enum haproxy_stage { IDLE, ASKING, CHANGING, PREPARING, FILLING, COMMITTING };

struct haproxy {
	const struct haproxy_conf *conf; /* borrowed */
	struct routes *routes;
	struct haproxy_cli cli;
	struct haproxy_file file;
	enum haproxy_stage stage;
	bool greeted;              /* the prompt's own reply has come */
	bool whole;                /* it is not known what HAProxy has */
	char run[IDENT_TEXT_SIZE]; /* of this sink's life, so that no earlier one's marker is taken for ours */
	uint64_t content;          /* counts the states of the routes */
	uint64_t told;             /* the state that HAProxy has, unless whole */
	uint64_t generation, served;
	uint64_t sending, sending_content; /* what is under way */
	bool refused;                      /* HAProxy did not take one of the changes */
	unsigned version;                  /* of the transaction */
	int64_t answer_ms;                 /* when to stop waiting */
	int64_t next_ms;                   /* when to look at HAProxy again */
	bool hangs;                        /* that is how it fails */
	int64_t failing_ms;                /* since when; CLOCK_NEVER: it works */
	int64_t reload_ms;                 /* no reload before */
	int64_t reload_pause_ms;
	uint64_t loaded; /* the state that it has been given, this way or that */
	bool reloading;  /* the last one by a reload */
	char socket_trouble[HAPROXY_TEXT_SIZE], reload_trouble[HAPROXY_TEXT_SIZE], trouble[3 * HAPROXY_TEXT_SIZE];
};

/* Borrowed from the configuration. */
const char *haproxy_map_file(const struct haproxy *haproxy);

/* What stands in the map beside its entries, and tells this state of this life's from every other. */
void haproxy_format_marker(const struct haproxy *haproxy, uint64_t content, char out[HAPROXY_MARKER_SIZE]);

/* Connect, and ask HAProxy what it has. */
void haproxy_open_line(struct haproxy *haproxy, int64_t now_ms);

/* Read and send what there is, as far as that goes without waiting. */
void haproxy_talk(struct haproxy *haproxy, int64_t now_ms);

/* End the conversation; the next one begins at next_ms. */
void haproxy_hang_up(struct haproxy *haproxy, int64_t next_ms);

#endif
