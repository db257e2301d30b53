#ifndef CALLSIGN_RIGHTS_H
#define CALLSIGN_RIGHTS_H

#include <stdbool.h>

/*
 * Who may do what on the broker, as RabbitMQ's regular expressions: docs/protocol.md, "Who may do what". Pure. callsign-setup gives these rights,
 * callsignctl doctor compares what is there with them (rights_review.h).
 */
#define RIGHTS_TEXT 1024
#define RIGHTS_PREFIX_SIZE 256 /* of a prefix, with its '\0' */

struct rights {
	char configure[RIGHTS_TEXT], write[RIGHTS_TEXT], read[RIGHTS_TEXT];
};

/* Of an emitter besides: its topic permissions, for write and read on callsign.will the same. */
struct rights_topic {
	char announce_write[RIGHTS_TEXT], announce_read[RIGHTS_TEXT], will[RIGHTS_TEXT];
};

/* "." and whatever else means something in a regular expression gets a backslash. out: 2 × length + 1 bytes. Returns out. */
char *rights_escape(const char *text, char *out);

/* host: its name on the broker, less than RIGHTS_PREFIX_SIZE bytes. legacy: it takes the older format, too (docs/legacy.md). */
void rights_host(const char *host, bool legacy, struct rights *out);

/*
 * host: of an agent, which speaks for that host's containers: any name, and a mailbox and an exchange of its own for their wills. At most
 * QUEUE_AGENT_HOST_MAX bytes. It has nothing to say to callsign.will, so topic->will is not for it.
 */
void rights_agent(const char *host, struct rights *out, struct rights_topic *topic);

/* prefix: of the names that it may announce, less than RIGHTS_PREFIX_SIZE bytes; "": any. */
void rights_emitter(const char *prefix, struct rights *out, struct rights_topic *topic);

#endif
