#ifndef CALLSIGN_BUS_H
#define CALLSIGN_BUS_H

/*
 * The room shared/bus/: one connection to a RabbitMQ broker. All that includes librabbitmq is here. It must not know what is said over it:
 * bodies are bytes, and exchanges and queues have the names that callers give them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shared/address.h"

/*
 * One connection to a RabbitMQ broker with one channel, for a poll loop. This is the only module that knows librabbitmq.
 *
 * Nothing here blocks the caller: looking up, connecting and logging in (which librabbitmq can only do blocking) happen in a
 * short-lived thread; after that every request is sent at once and its answer arrives through a callback, in order. The
 * caller polls bus_fd() for reading, and calls bus_step() when it is readable and at the latest at bus_deadline_ms().
 *
 * Callbacks run inside bus_step() only. They may call every function here except bus_step, bus_open, bus_close and bus_free.
 * After `down` was called the connection is gone; bus_open() may be called again (not from within the callback).
 */
struct bus;

struct bus_tls {
	char *ca;          /* a file of trusted certificates, or NULL: the system's bundle */
	char *cert;        /* client certificate (PEM) and its key, or NULL */
	char *key;
	char *server_name; /* the name to verify, or NULL: the endpoint's host */
	bool verify;       /* false: encrypt, but believe anyone */
};

struct bus_endpoint {
	char *host; /* a name, an address, or "gateway": the default route's next hop */
	uint16_t port;
	char *vhost;
	char *user;
	char *password; /* NULL with a client certificate: SASL EXTERNAL */
	bool tls;
};

struct bus_options {
	const char *client_name;  /* shows in the broker's list of connections */
	uint16_t heartbeat_s;     /* asked for; the smaller of both sides' wishes is used */
	uint32_t connect_ms;      /* for the TCP connection to each address */
	uint32_t handshake_ms;    /* for the whole login, TLS included */
	uint32_t request_ms;      /* for the answer to each request and publish; 0: BUS_REQUEST_MS */
	uint32_t user_timeout_ms; /* TCP_USER_TIMEOUT */
	int frame_max;            /* asked for; what we send keeps to it */
	int receive_max;          /* of a frame that is longer than this and frame_max the message has no properties. See BUS_RECEIVE_MAX_HOST */
	const struct bus_tls *tls;
};

#define BUS_CONNECT_MS 1000
#define BUS_HANDSHAKE_MS 3000
/*
 * Whether the broker lives is for heartbeats to tell. One that has thousands of queues to make at once takes half a minute and more for each of
 * them, and a session that is given up meanwhile is work for it twice.
 */
#define BUS_REQUEST_MS 60000
#define BUS_HEARTBEAT_S 10
#define BUS_USER_TIMEOUT_MS 20000
#define BUS_FRAME_MAX_EMITTER 16384
#define BUS_FRAME_MAX_HOST 131072

/*
 * RabbitMQ never splits a message's headers, however long they have become: a tenant whose headers just fit into a frame has its mailbox
 * dead-letter them, the broker adds x-death, and the frame that the host gets is longer than what was agreed on. Who gives up the connection then gets
 * the message again with the next one, for ever. Each dead-lettering adds 128 KiB at most, so this is hundreds of mailboxes in a row; of what is longer
 * still the sender stays unnamed. Memory is taken for the one frame.
 */
#define BUS_RECEIVE_MAX_HOST (64 << 20)

/* A counted string inside a delivery; valid during the callback only. */
struct bus_text {
	const char *data;
	size_t length;
};

static inline bool bus_text_is(const struct bus_text *text, const char *wanted)
{
	return text->data != NULL && text->length == strlen(wanted) && memcmp(text->data, wanted, text->length) == 0;
}

#define BUS_BODY_MAX 8192 /* a longer body is read and dropped: the delivery says too_long and has no body */

struct bus_delivery {
	uint64_t tag;
	bool redelivered;
	bool too_long;
	bool unreadable; /* its properties, or headers, are not as the standard has them, or longer than `receive_max`: what was read of them is here */
	size_t body_length; /* what the header said */
	struct bus_text consumer_tag, exchange, routing_key, body;
	struct bus_text content_type, type, user_id, reply_to, correlation_id; /* data NULL: not present */
	bool dead_lettered;          /* there is an x-death header, well-formed or not */
	struct bus_text death_queue; /* its newest entry's queue; data NULL if that is missing or malformed */
	bool federated;              /* there is an x-received-from header: it came by federation, or says so itself */
};

struct bus_properties {
	bool persistent;            /* delivery_mode 2, else 1 */
	const char *content_type, *type, *user_id, *reply_to; /* NULL: leave out */
	const void *correlation_id; /* NULL: leave out */
	size_t correlation_id_length;
};

/* What was asked of the broker, for `done` and in failures. */
enum bus_request {
	BUS_REQUEST_NONE,
	BUS_REQUEST_CHANNEL,
	BUS_REQUEST_CONFIRM_SELECT,
	BUS_REQUEST_EXCHANGE_DECLARE,
	BUS_REQUEST_QUEUE_DECLARE,
	BUS_REQUEST_QUEUE_BIND,
	BUS_REQUEST_QUEUE_UNBIND,
	BUS_REQUEST_QUEUE_DELETE,
	BUS_REQUEST_QUEUE_PURGE,
	BUS_REQUEST_QOS,
	BUS_REQUEST_CONSUME
};

enum bus_confirm { BUS_CONFIRMED, BUS_RETURNED, BUS_NACKED };

enum bus_failure_kind {
	BUS_FAILED_LOOKUP,
	BUS_FAILED_CONNECT,   /* refused, unreachable, timed out */
	BUS_FAILED_TLS,
	BUS_FAILED_HANDSHAKE, /* no AMQP broker there, or it is silent */
	BUS_FAILED_LOGIN,     /* wrong user or password; vhost missing or not allowed */
	BUS_FAILED_BROKER,    /* it is no RabbitMQ, or too old a one */
	BUS_FAILED_CHANNEL,   /* the broker closed the channel: code and request tell why */
	BUS_FAILED_CLOSED,    /* the broker closed the connection */
	BUS_FAILED_LOST,      /* the connection broke, or no heartbeat came */
	BUS_FAILED_TIMEOUT,   /* a request was not answered in time */
	BUS_FAILED_LOCAL      /* no memory, no descriptor, bus_fail() */
};

/* Why it refused, as far as its words tell (bus_cause.h). */
enum bus_cause_kind {
	BUS_CAUSE_UNKNOWN,
	BUS_CAUSE_DIFFERS,     /* 406: the object exists, and this argument of it is another one */
	BUS_CAUSE_ARGUMENT,    /* 406: this argument is not taken, or not with this value */
	BUS_CAUSE_ACK_TIMEOUT, /* 406: a delivery was not acked within timeout_ms (the broker's consumer_timeout) */
	BUS_CAUSE_RIGHT,       /* 403: the user has not this right on it */
	BUS_CAUSE_MISSING      /* 404: there is no such exchange */
};

#define BUS_CAUSE_TEXT 64

struct bus_cause {
	enum bus_cause_kind kind;
	char word[BUS_CAUSE_TEXT]; /* the argument, or configure, write or read; else "" */
	char object[256];          /* of a right: the queue, the exchange or the topic; or the missing exchange; else "" */
	uint32_t timeout_ms;
};

/* What the other side says it is. */
struct bus_broker {
	char product[32], version[32]; /* printable; "" if it did not say */
	uint32_t number;               /* of RabbitMQ: BUS_VERSION(); else 0 */
};

#define BUS_VERSION(major, minor, patch) ((uint32_t)(major) << 16 | (uint32_t)(minor) << 8 | (uint32_t)(patch))
#define BUS_VERSION_OLDEST BUS_VERSION(3, 8, 0)

#define BUS_FAILURE_TEXT 640

struct bus_failure {
	enum bus_failure_kind kind;
	uint16_t code;            /* AMQP reply code, or 0 */
	enum bus_request request; /* which request it answers, if any */
	struct bus_cause cause;
	char text[BUS_FAILURE_TEXT]; /* one line, escaped, with the endpoint; never a password */
};

/*
 * Whether it was too slow for us rather than out of reach: it took our connection, and then a deadline of ours passed, or one of its own for our
 * login (RabbitMQ's handshake_timeout, 10 s). Of a login over TLS that cannot be told.
 */
bool bus_failure_is_slowness(const struct bus_failure *failure);

struct bus_callbacks {
	/* Logged in, channel asked for: requests and publishes may be sent from here on. */
	void (*up)(void *arg);
	void (*down)(void *arg, const struct bus_failure *failure);
	/* A request was answered well. count: messages in a declared queue, or purged from it, else 0. */
	void (*done)(void *arg, enum bus_request request, uint32_t count);
	void (*delivery)(void *arg, const struct bus_delivery *delivery);
	/* sequence: what bus_publish() returned. Called exactly once for each publish, unless the connection goes down first. */
	void (*confirm)(void *arg, uint64_t sequence, enum bus_confirm result);
	void (*cancelled)(void *arg);             /* the broker cancelled our consumer, for instance as its queue was deleted */
	void (*blocked)(void *arg, bool blocked, const char *reason); /* publishing is held up by the broker's alarm */
};

/* NULL with errno. arg is handed to every callback. callbacks must outlive the bus; unused ones may be NULL. */
struct bus *bus_new(const struct bus_callbacks *callbacks, void *arg);

/* Closes at once, without a word to the broker, and frees. NULL is allowed. */
void bus_free(struct bus *bus);

/*
 * Begin to connect. endpoint and options (and what they point to) must stay until `up` or `down`. 0, or -1 with errno (no thread, or
 * already open). A failure is told through `down`.
 */
int bus_open(struct bus *bus, const struct bus_endpoint *endpoint, const struct bus_options *options, int64_t now_ms);

/* The descriptor to poll for reading now (it changes with the state), or -1. */
int bus_fd(const struct bus *bus);

int64_t bus_deadline_ms(const struct bus *bus);

/* Read what there is, at most max_frames frames, send heartbeats, notice timeouts. Returns true if frames may be left over: call again without polling.
 * max_frames 0: so many that only a flood has more, and then false all the same: bus_deadline_ms() is now. */
bool bus_step(struct bus *bus, int64_t now_ms, unsigned max_frames);

/* Whether `up` was called and `down` was not. */
bool bus_is_up(const struct bus *bus);
bool bus_is_blocked(const struct bus *bus);

/* The local address of the connection, once up: 0, or -1. */
int bus_local_address(const struct bus *bus, struct address *out);

struct sockaddr_storage;

/* Where the connection goes to, once up: the address's length, or 0. */
size_t bus_peer(const struct bus *bus, struct sockaddr_storage *out);

/* Which broker it is, once up. */
const struct bus_broker *bus_broker(const struct bus *bus);

/* The user that we logged in as, once up (for user_id). */
const char *bus_user(const struct bus *bus);

/* Microseconds that the last login took, from bus_open() to `up`. */
int64_t bus_login_us(const struct bus *bus);

/*
 * Requests, answered through `done` in the order they were sent. A refusal by the broker closes the channel: `down`. An answer
 * that takes over request_ms (not counted while blocked) is a failure too.
 */
void bus_confirm_select(struct bus *bus);
void bus_exchange_declare(struct bus *bus, const char *exchange, const char *type, bool passive, bool durable);
/* A fanout exchange that goes with the last queue that is bound to it. */
void bus_exchange_declare_own(struct bus *bus, const char *exchange);

struct bus_queue_arguments {
	const char *type;                    /* x-queue-type, or NULL */
	uint32_t expires_ms;                 /* 0: leave out; likewise below */
	bool message_ttl_zero;               /* x-message-ttl=0 */
	uint32_t max_length;
	const char *overflow;                /* x-overflow, or NULL */
	const char *dead_letter_exchange;    /* or NULL */
	const char *dead_letter_routing_key; /* or NULL */
	uint32_t consumer_timeout_ms;        /* left out where the broker is known to refuse it */
};

void bus_queue_declare(struct bus *bus, const char *queue, bool passive, const struct bus_queue_arguments *arguments);
/* Ask how many messages wait in a queue: `done` with BUS_REQUEST_QUEUE_DECLARE. It changes nothing, and false: it would have had to wait just now. */
bool bus_queue_count(struct bus *bus, const char *queue);
void bus_queue_bind(struct bus *bus, const char *queue, const char *exchange, const char *routing_key);
void bus_queue_unbind(struct bus *bus, const char *queue, const char *exchange, const char *routing_key);
void bus_queue_delete(struct bus *bus, const char *queue, bool if_unused);
void bus_queue_purge(struct bus *bus, const char *queue); /* what is ready in it goes; `done` has how many */
void bus_qos(struct bus *bus, uint16_t prefetch);

/* Manual acks unless no_ack. priority: x-priority; a newer consumer of the same queue should have a higher one. */
void bus_consume(struct bus *bus, const char *queue, bool exclusive, bool no_ack, int32_t priority);
void bus_ack(struct bus *bus, uint64_t tag, bool multiple);

/*
 * Send a message, mandatory or not. Returns its sequence number for `confirm` (after bus_confirm_select), or 0 if it could not be
 * sent; then `down` follows from the next bus_step().
 */
uint64_t bus_publish(struct bus *bus, const char *exchange, const char *routing_key, bool mandatory,
                     const struct bus_properties *properties, const void *body, size_t length);

/* Whether a message may be published now without waiting; what is published while the socket is full ends the connection. */
bool bus_takes(const struct bus *bus);

/* The last delivery that has begun on this connection, also when it has just ended: its exchange and routing key. false: there was none. */
bool bus_last_delivery(const struct bus *bus, struct bus_text *exchange, struct bus_text *routing_key);

/* Published, not confirmed yet. */
size_t bus_unconfirmed(const struct bus *bus);

/*
 * Nothing that is sent on this connection leaves the machine any more, its end neither: for one whose own address is gone. Its FIN would still be sent by any
 * route that is left, and the broker would take it for our death, before we can say over the next connection that we live. Best effort (Linux 5.7 or CAP_NET_RAW).
 */
void bus_mute(struct bus *bus);

/* Give up this connection: `down` follows from the next bus_step() with BUS_FAILED_LOCAL and this text. */
void bus_fail(struct bus *bus, const char *text);

/* Orderly close: says goodbye to the broker, unless the socket is full, and waits for no answer. `down` is not called. */
void bus_close(struct bus *bus);

#endif
