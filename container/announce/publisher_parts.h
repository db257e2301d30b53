#ifndef CALLSIGN_PUBLISHER_PARTS_H
#define CALLSIGN_PUBLISHER_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "announcer.h"
#include "faultlog.h"
#include "publisher.h"
#include "shared/bus/bus.h"
#include "shared/bus/patience.h"

/*
 * What the parts of the publisher share, and nobody else. Each calls those behind it alone: publisher.c has what others ask for, publisher_hear.c is
 * told by the bus, publisher_feed.c lets the announcer hear of it, publisher_send.c carries out what that wants, and publisher_connect.c decides when and
 * where to connect.
 */
#define IN_FLIGHT_MAX 8
#define PLAIN_BIT(p) (UINT64_C(1) << ((p)->endpoint % 64))

struct in_flight {
	uint64_t sequence; /* the bus's; 0: free */
	enum announcer_message message;
	uint64_t seq;
};

struct publisher {
	const struct conf *conf;
	const struct addrwatch *watch;
	struct announcer announcer;
	struct bus *bus;
	struct bus_options options;
	char client_name[sizeof("callsign-emit ") + HOSTNAME_NAME_MAX];
	size_t endpoint;        /* the next one to try */
	size_t failures;        /* since the backoff was last asked */
	bool open;              /* bus_open() was called and `down` was not */
	bool own_address;       /* the connection's local address was seen on an interface */
	bool hurry;             /* the connection ends for something that is no reason to wait: no pause before the next */
	bool same;              /* and the next goes to the same endpoint */
	unsigned hurried;       /* tries given up for that, since the last login */
	bool close_wanted;      /* the announcer is done; the bus may not be closed inside its callbacks */
	struct backoff backoff;
	struct patience patience;
	int64_t tried_ms, retry_at_ms;
	struct faultlog faultlog;
	const char *status;     /* as last logged */
	unsigned beyond;        /* addresses that a message had no room for, as last logged */
	char mailbox[QUEUE_WILL_SIZE];
	uint64_t plain;         /* endpoints, a bit each (PLAIN_BIT), whose broker does not take x-consumer-timeout */
	unsigned consumers_due; /* consume-oks to come */
	unsigned sessions;      /* how many there were */
	struct in_flight in_flight[IN_FLIGHT_MAX];
	const char *withheld;   /* why nothing is to be announced now; NULL: it is */
	bool want_answer;
	bool answers_come;      /* this connection consumes them: a second time would be an error that ends the channel */
	enum publisher_answer answer;
	char why_not[ANNOUNCEMENT_REASON_MAX + HOSTNAME_FQDN_SIZE + 32];
	int64_t now_ms;
};

/* publisher_hear.c: their argument is the struct publisher. */
extern const struct bus_callbacks publisher_callbacks;

/* publisher_feed.c: the announcer hears of it, and what it wants is carried out. */
void publisher_feed(struct publisher *p, struct announcer_event *event);
void publisher_feed_type(struct publisher *p, enum announcer_event_type type);

/* What there is to announce over this connection, if there is one. */
void publisher_feed_addresses(struct publisher *p);

/* publisher_send.c */
void publisher_carry_out(struct publisher *p, const struct announcer_action *action);

/* publisher_connect.c. stood: the connection that has just ended had worked. */
void publisher_retry_later(struct publisher *p, bool stood);
void publisher_connect_next(struct publisher *p);

#endif
