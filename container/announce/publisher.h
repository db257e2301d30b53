#ifndef CALLSIGN_PUBLISHER_H
#define CALLSIGN_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "addrwatch.h"
#include "conf.h"

/*
 * Carries out on the bus what the announcer decides, and keeps a connection to one of the brokers for ever: at once after a loss
 * (with a jitter, so that a thousand emitters do not come back in one millisecond), then backing off up to PUBLISHER_RETRY_MAX_MS, over
 * the list of URLs in turn. A broker that takes the connection and is slow is given more time at each try (patience.h).
 */
struct publisher;

#define PUBLISHER_RETRY_FIRST_MS 100
#define PUBLISHER_RETRY_MAX_MS 5000
#define PUBLISHER_NEWS_MS 20   /* an address or a route is news: try again, so long after the last try. They come in twos and threes */
#define PUBLISHER_STUCK_MS 500 /* a try that has taken as long began on the network as it was; twice as long each time */

/* Whether a host has answered that the name resolves (only if asked by want_answer). */
enum publisher_answer { PUBLISHER_NO_ANSWER, PUBLISHER_RESOLVES };

/* conf, name and watch must outlive it. Begins to connect. NULL after logging why. */
struct publisher *publisher_new(const struct conf *conf, const char *name, const struct addrwatch *watch, bool want_answer,
                                int64_t now_ms);
void publisher_free(struct publisher *publisher); /* closes at once; NULL is allowed */

/* The descriptor to poll for reading (it changes; -1: none), and when publisher_step() is wanted without it. */
int publisher_fd(const struct publisher *publisher);
int64_t publisher_deadline_ms(const struct publisher *publisher);
void publisher_step(struct publisher *publisher, int64_t now_ms);

/* addrwatch says that something changed: announce it, and if there is no connection try again at once. */
void publisher_network_changed(struct publisher *publisher, int64_t now_ms);

/*
 * Not ready, and why: nothing is announced, and what was is withdrawn with that reason. NULL: ready, as at first. The text must stay; it may
 * change.
 */
void publisher_withhold(struct publisher *publisher, const char *why, int64_t now_ms);

/* Withdraw and close: publisher_ended() within ANNOUNCER_WITHDRAW_MS whatever the broker does. */
void publisher_withdraw(struct publisher *publisher, int64_t now_ms);
bool publisher_ended(const struct publisher *publisher);

enum publisher_answer publisher_answer(const struct publisher *publisher);
/* Why the last host that refused did so, or why nobody could answer; fit for a log line. */
const char *publisher_why_not(const struct publisher *publisher);

bool publisher_is_announced(const struct publisher *publisher);
const char *publisher_status(const struct publisher *publisher); /* in a few words */

#endif
