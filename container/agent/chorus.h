#ifndef CALLSIGN_AGENT_CHORUS_H
#define CALLSIGN_AGENT_CHORUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "announce/announcer.h"
#include "shared/bus/busconf.h"

/*
 * Many names over one connection: what publisher.h is for one. Each name is a singer with an announcer of its own, which neither knows nor cares that
 * others use the same connection; they share its session, its mailbox and its exchange (docs/protocol.md, "An agent"). A connection is kept for ever,
 * over the list of URLs in turn, as publisher.h has it.
 */
struct chorus;

#define CHORUS_SINGERS_MAX 2000 /* then the next one begins another chorus */
#define CHORUS_RETRY_FIRST_MS 100
#define CHORUS_RETRY_MAX_MS 1000 /* sooner than one of many emitters: a host has one connection, and many names wait for it */

/* Part of whatever has a name. Set up with singer_init(), and read only, but for the announcer's setters before chorus_join(). */
struct singer {
	struct announcer announcer;
	struct chorus *chorus; /* NULL: in none */
	void *owner;
	uint32_t slot;
	uint64_t number;       /* never used twice in a chorus */
	const char *status;    /* as last logged */
	bool asks;             /* hosts are to say that it resolves */
	bool opens, deletes;   /* the announcer wants what the chorus already has, or leaves alone: it is told after its actions */
};

struct chorus_watcher {
	/* A host says that the name resolves. */
	void (*resolves)(void *arg, struct singer *singer);
	/* It has another instance: whoever keeps it for a later process should write it down. */
	void (*renewed)(void *arg, struct singer *singer);
	void *arg;
};

struct chorus_options {
	const struct busconf *bus;
	const char *host; /* at most QUEUE_AGENT_HOST_MAX bytes, a name by the rules */
	bool ask;         /* singers may ask (direct reply-to) */
};

void singer_init(struct singer *singer, void *owner);

/* options and watcher are copied, what they point to is borrowed. Begins to connect. NULL after logging why. */
struct chorus *chorus_new(const struct chorus_options *options, const struct chorus_watcher *watcher, int64_t now_ms);

/* Closes at once, and takes no will back: the hosts hear `lost` of every name that is still in it. NULL is allowed. */
void chorus_free(struct chorus *chorus);

/* The descriptor to poll, and for which events (poll.h): both change from step to step. */
int chorus_fd(const struct chorus *chorus);
short chorus_events(const struct chorus *chorus);
int64_t chorus_deadline_ms(const struct chorus *chorus);
void chorus_step(struct chorus *chorus, int64_t now_ms);

/* How many there are; how many of them are announced. */
size_t chorus_count(const struct chorus *chorus);
size_t chorus_announced(const struct chorus *chorus);
bool chorus_is_up(const struct chorus *chorus);

/* 0, or -1 (no memory, or it is full). */
int chorus_join(struct chorus *chorus, struct singer *singer, int64_t now_ms);

/* What there is to announce now. */
void chorus_addresses(struct singer *singer, const struct address *addresses, unsigned count, int64_t now_ms);

/* Its name goes: singer_ended() within ANNOUNCER_WITHDRAW_MS, whatever the broker does. */
void chorus_withdraw(struct singer *singer, int64_t now_ms);
bool singer_ended(const struct singer *singer);

/* Out of the chorus, without a word. */
void chorus_leave(struct singer *singer);

#endif
