#ifndef CALLSIGN_ANNOUNCEMENT_H
#define CALLSIGN_ANNOUNCEMENT_H

/*
 * The room shared/contract/: what both sides have agreed on (docs/protocol.md), as values and as bytes. It uses shared/ and jansson, and is pure
 * but for what makes identities (ident.h) and reads a place (place.h). It must not know how a message travels, nor what either side does with it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hostname.h"
#include "ident.h"
#include "place.h"
#include "shared/address.h"

/*
 * THE CONTRACT: what emitters and hosts say to each other, version 1. docs/protocol describes it for people who write an
 * emitter in another language; this header is its C form. Decoding takes a message whole or not at all: nothing is ever
 * truncated, and what is refused is refused with a reason.
 */
#define ANNOUNCEMENT_VERSION 1
#define ANNOUNCEMENT_CONTENT_TYPE "application/json"
#define ANNOUNCEMENT_TYPE "callsign.v1" /* the AMQP property "type" */
#define ANNOUNCEMENT_BODY_MAX 4096      /* bytes */
#define ANNOUNCEMENT_KEY_MAX 255        /* bytes in a routing key (AMQP 0-9-1 short string) */
#define ANNOUNCEMENT_ADDRESSES_MAX 16
#define ANNOUNCEMENT_ALIASES_MAX 32
#define ANNOUNCEMENT_PORTS_MAX 16
#define ANNOUNCEMENT_PORT_NAME_MAX 15 /* RFC 6335, section 5.1 */
#define ANNOUNCEMENT_LEASE_MIN_S 5
#define ANNOUNCEMENT_LEASE_MAX_S 86400
#define ANNOUNCEMENT_LEASE_PROVISIONAL_S 10
#define ANNOUNCEMENT_SEQ_MAX INT64_MAX
#define ANNOUNCEMENT_SPREAD_MAX_MS 600000
#define ANNOUNCEMENT_REASON_MAX 200
#define ANNOUNCEMENT_AGENT_MAX 80

/* Broker objects. */
#define EXCHANGE_ANNOUNCE "callsign"          /* topic: emitters to hosts */
#define EXCHANGE_WILL "callsign.will"         /* topic: an emitter to its own mailbox */
#define EXCHANGE_ROLLCALL "callsign.rollcall" /* fanout: hosts to emitters, and back to the hosts as a marker */
#define QUEUE_HOST_PREFIX "callsign.host."
#define QUEUE_WILL_PREFIX "callsign.will."
#define QUEUE_NAME_MAX 255
/* callsign.will.@agent.HOST.SESSION: of an agent's connection, which speaks for all containers of HOST. '@' is in no name. */
#define QUEUE_AGENT_PREFIX QUEUE_WILL_PREFIX "@agent."
#define QUEUE_AGENT_HOST_MAX 128 /* RabbitMQ takes 208 bytes (3.10.8) */
#define QUEUE_AGENT_SIZE (sizeof(QUEUE_AGENT_PREFIX) + QUEUE_AGENT_HOST_MAX + 1 + IDENT_TEXT_LENGTH)
/* callsign.will.NAME.SESSION */
#define QUEUE_WILL_SIZE (sizeof(QUEUE_WILL_PREFIX) + HOSTNAME_NAME_MAX + 1 + IDENT_TEXT_LENGTH)

enum announcement_op {
	ANNOUNCEMENT_UP,
	ANNOUNCEMENT_DOWN,
	ANNOUNCEMENT_LOST,     /* the last will */
	ANNOUNCEMENT_ROLLCALL, /* a host asks everyone to announce again */
	ANNOUNCEMENT_RESOLVES, /* a host answers an up that had reply_to */
	ANNOUNCEMENT_REFUSED   /* likewise */
};

/* Where a service of the container listens, by the service's name: http, 9090. */
struct announcement_port {
	char name[ANNOUNCEMENT_PORT_NAME_MAX + 1]; /* folded to lower case */
	uint16_t port;                             /* 1 to 65535 */
};

struct announcement {
	enum announcement_op op;
	char name[HOSTNAME_NAME_SIZE]; /* up, down, lost, resolves, refused; folded to lower case */
	struct ident instance;         /* up, down, lost */
	bool has_session;              /* up, down: false for --once; lost: always true */
	struct ident session;
	uint64_t seq;                  /* up, down: 1 to ANNOUNCEMENT_SEQ_MAX */
	uint32_t lease_s;              /* up */
	unsigned naddresses;           /* up: at least 1 */
	unsigned naliases;             /* up: 0 or more; no duplicate, none equal to name */
	struct address addresses[ANNOUNCEMENT_ADDRESSES_MAX]; /* up: each usable (address_unusable), no duplicate */
	char aliases[ANNOUNCEMENT_ALIASES_MAX][HOSTNAME_NAME_SIZE];
	unsigned nports;               /* up: 0 or more; sorted by name, no name twice */
	struct announcement_port ports[ANNOUNCEMENT_PORTS_MAX];
	struct place place;            /* up with a session: where the addresses are; none: not said */
	char agent[ANNOUNCEMENT_AGENT_MAX + 1]; /* up: what the emitter is, printable ASCII; "": not said */
	char host[HOSTNAME_FQDN_SIZE]; /* rollcall, resolves, refused */
	struct ident nonce;            /* rollcall */
	uint32_t spread_ms;            /* rollcall */
	char fqdn[HOSTNAME_FQDN_SIZE]; /* resolves, refused; may be empty */
	char reason[ANNOUNCEMENT_REASON_MAX + 1]; /* refused, down; printable ASCII. In down "" stands for none */
};

#define ANNOUNCEMENT_ERROR_SIZE 200

/*
 * Decode a body. Refused, with the reason in error (fit for a log line: what came from the message is escaped): more than
 * ANNOUNCEMENT_BODY_MAX bytes; not JSON, not UTF-8, a NUL inside, a duplicate key, not an object; unknown v or op; a missing key or one of
 * the wrong type; a name, alias or address that breaks a rule; too many; a number out of range. Unknown keys are ignored.
 * Fields that the op does not have are left unset, but for lists, place, agent and reason: of those there is none. Returns 0, or -1.
 */
int announcement_decode(const void *body, size_t length, struct announcement *out, char error[ANNOUNCEMENT_ERROR_SIZE]);

/*
 * Encode into body, not terminated. Returns the length, or -1 if it would be over ANNOUNCEMENT_BODY_MAX. A place that does not fit any more is left
 * out: what was said before there were places can still be said.
 */
int announcement_encode(const struct announcement *announcement, char body[ANNOUNCEMENT_BODY_MAX]);

/* "up", "down", … */
const char *announcement_op_name(enum announcement_op op);

/* The routing key OP.NAME into out. Returns out. */
const char *announcement_key(enum announcement_op op, const char *name, char out[ANNOUNCEMENT_KEY_MAX + 1]);

/* Whether a routing key (length bytes, any case, not terminated) is OP.NAME for exactly this op and name. */
bool announcement_key_matches(const struct announcement *announcement, const char *key, size_t length);

/* callsign.will.NAME.SESSION into out. Returns out. */
const char *announcement_will_queue(const char *name, const struct ident *session, char out[QUEUE_WILL_SIZE]);

/* callsign.will.@agent.HOST.SESSION into out; host: at most QUEUE_AGENT_HOST_MAX bytes. Returns out. */
const char *announcement_agent_queue(const char *host, const struct ident *session, char out[QUEUE_AGENT_SIZE]);

/* Whether a queue's name (length bytes, not terminated) is that of an agent's connection of this session, on whichever host. */
bool announcement_is_agent_queue(const char *queue, size_t length, const struct ident *session);

/*
 * A service's name by RFC 6335, section 5.1, folded to lower case into out: 1 to 15 letters, digits and hyphens, at least one letter, no hyphen
 * at either end and no two in a row. text: length bytes. NULL, or what is wrong with it, in words; then out is the empty string.
 */
const char *announcement_port_name(const char *text, size_t length, char out[ANNOUNCEMENT_PORT_NAME_MAX + 1]);

/* A port in decimal, 1 to 65535, no sign and no leading zero: the port; 0 for anything else. */
uint16_t announcement_port_number(const char *text, size_t length);

/* Put a folded name into its place among count others. NULL, or why not: the name is there already, or there are ANNOUNCEMENT_PORTS_MAX. */
const char *announcement_port_add(struct announcement_port *ports, unsigned *count, const struct announcement_port *port);

bool announcement_ports_equal(const struct announcement_port *a, unsigned na, const struct announcement_port *b, unsigned nb);

/* Whether a and b announce the same addresses and aliases (in the same order), ports and place. */
bool announcement_same_records(const struct announcement *a, const struct announcement *b);

#endif
