#ifndef CALLSIGN_BUS_AMQP_H
#define CALLSIGN_BUS_AMQP_H

/* The inside of the bus. The only file that includes librabbitmq's headers; only bus*.c include it. */

/* Where they are since 0.12, and where 0.11 has them; there they are still in later versions, with a warning. */
#ifdef HAVE_RABBITMQ_C_AMQP_H
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/tcp_socket.h>
#ifdef WITH_TLS
#include <rabbitmq-c/ssl_socket.h>
#endif
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#ifdef WITH_TLS
#include <amqp_ssl_socket.h>
#endif
#endif
#include <stdatomic.h>

#include "bus.h"
#include "bus_input.h"
#include "bus_wire.h"
#include "confirms.h"

#define BUS_CHANNEL 1
#define BUS_REQUESTS_MAX 64 /* on their way at once; setting up a session takes about ten */
#define BUS_COUNT_MS 120000 /* bus_queue_count() may take longer */

/*
 * One login, run by a thread of its own because librabbitmq has only blocking calls for it. The thread and the bus share this: the one
 * that lets go last frees it, so that a bus that gives up need not wait for a name server.
 */
struct bus_login {
	atomic_bool released; /* by one of both */
	int done_fd;          /* eventfd: readable when the thread has finished */
	struct bus_endpoint endpoint; /* copies */
	struct bus_tls tls;
	struct bus_options options;
	char *client_name;
	bool in_turns;        /* the broker may take no handshake at once: not to be tried */
	amqp_connection_state_t connection; /* the result; NULL: failure */
	void *ssl;            /* OpenSSL's, with TLS */
	uint16_t heartbeat_s; /* agreed on */
	bool blocked;         /* the broker was in alarm, and said so already */
	struct bus_broker broker;
	struct bus_failure failure;
};

/* NULL with errno. in_turns: as the last login has found. */
struct bus_login *bus_login_start(const struct bus_endpoint *endpoint, const struct bus_options *options, bool in_turns);

/* What a login has found. connection: now the caller's, or NULL with the failure. in_turns: for the next login. */
struct bus_login_end {
	amqp_connection_state_t connection;
	void *ssl;
	uint16_t heartbeat_s;
	bool blocked, in_turns;
	struct bus_broker broker;
	struct bus_failure failure;
};

/* After done_fd was readable; login is gone afterwards. */
void bus_login_finish(struct bus_login *login, struct bus_login_end *out);

/* Do not wait for it. */
void bus_login_abandon(struct bus_login *login);

/*
 * bus_handshake.c, for the login's thread, with login->connection connected. Both block. in_turns keeps to what amqp_set_handshake_timeout() was told.
 */
enum bus_handshake_end {
	BUS_HANDSHAKE_ANSWERED, /* logged in or refused: *reply */
	BUS_HANDSHAKE_UNCLEAR,  /* it failed, maybe because the broker takes it in turns only: so the next time. *reply says how */
	BUS_HANDSHAKE_AGAIN     /* in turns, on another connection, now; *reply is of no use */
};
amqp_rpc_reply_t bus_handshake_in_turns(struct bus_login *login);
bool bus_handshake_fits_at_once(const struct bus_login *login);
enum bus_handshake_end bus_handshake_at_once(struct bus_login *login, int64_t deadline_ms, amqp_rpc_reply_t *reply);

enum bus_state {
	BUS_DOWN,
	BUS_LOGIN,  /* the thread is at work */
	BUS_UP,
	BUS_FAILING /* broken: `down` is due in the next step */
};

/* A short string of a message's, kept while the rest of it comes. */
struct bus_word {
	bool present;
	unsigned char length;
	char text[255];
};

/* A message on its way in: a method frame, a header frame, body frames. */
struct bus_content {
	enum { BUS_CONTENT_NONE, BUS_CONTENT_DELIVER, BUS_CONTENT_RETURN } kind;
	uint64_t tag;
	bool redelivered;
	struct bus_word consumer_tag, exchange, routing_key;
	bool headed;     /* the header frame has come, and with it what follows */
	bool unreadable, dead_lettered, federated;
	struct bus_word content_type, type, user_id, reply_to, correlation_id, death_queue;
	uint64_t size;
	uint64_t received;
	char body[BUS_BODY_MAX];
};

struct bus {
	const struct bus_callbacks *callbacks;
	void *arg;
	enum bus_state state;
	struct bus_login *login;
	struct bus_input input; /* while up */
	struct bus_broker broker;
	bool in_turns;          /* see bus_login_start(). Never taken back: taking turns costs only time */
	struct bus_endpoint where; /* for messages and bus_user(); without password */
	amqp_connection_state_t connection;
	int64_t opened_us, login_us;
	int64_t login_deadline_ms;
	int64_t request_ms;
	size_t receive_max;
	int64_t now_ms;         /* of the last step */
	int64_t stepped_ms;
	int64_t heartbeat_ms;   /* 0: none agreed */
	int64_t beat_ms;        /* our last heartbeat, or the login */
	int64_t heard_ms;       /* when the broker may have said something */
	int64_t read_ms;        /* when something of it was read */
	bool late;              /* its heartbeats are overdue */
	int low_water;          /* bytes that poll() waits for */
	struct bus_failure failure;
	bool more;              /* the last step has left something unread */
	bool blocked;
	uint64_t held_ack;      /* a multiple ack that waits for the end of the broker's alarm */
	struct confirms confirms;
	struct {
		enum bus_request request;
		int64_t sent_ms;
	} requests[BUS_REQUESTS_MAX]; /* ring: answers come in this order */
	unsigned first_request, nrequests;
	struct bus_content content;
};

/* bus_break.c: the connection is of no use any more; the first reason counts. text may be NULL. */
void bus_break(struct bus *bus, enum bus_failure_kind kind, uint16_t code, enum bus_request request, const char *text,
               size_t length);

/* bus_read.c: as long as there is something, up to so many frames. Returns whether max_frames stopped it. */
bool bus_read(struct bus *bus, unsigned max_frames);

/* bus_request.c. Whether the socket takes more now: librabbitmq's sends wait until it does, for ever, and the loop must not. */
bool bus_writable(const struct bus *bus);

void bus_channel_open(struct bus *bus);

/* bus_method.c: the broker's alarm begins or ends. */
void bus_set_blocked(struct bus *bus, bool blocked, const char *reason);

/* bus_method.c: a method frame's payload. false: it cannot be read. */
bool bus_method(struct bus *bus, uint16_t channel, const unsigned char *payload, size_t length);

/* bus_content.c. deliver or returned: a message begins, with that method's arguments. Then its header frame, and body frames; the last one hands it on. */
void bus_content_deliver(struct bus *bus, struct wire *arguments);
void bus_content_returned(struct bus *bus, struct wire *arguments);
bool bus_content_header(struct bus *bus, const struct bus_raw *frame);
bool bus_content_body(struct bus *bus, const struct bus_raw *frame);

/* bus_beat.c. begin: after the login. step: before reading, may break the connection. wait: after all was read. */
void bus_beat_begin(struct bus *bus);
int64_t bus_beat_due_ms(const struct bus *bus);
void bus_beat_step(struct bus *bus);
void bus_beat_wait(struct bus *bus);

/* The oldest request is answered: which it was, or BUS_REQUEST_NONE if none was due. */
enum bus_request bus_request_pop(struct bus *bus);

#endif
