#ifndef CALLSIGN_REPLIES_H
#define CALLSIGN_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replyto.h"
#include "shared/bus/bus.h"
#include "shared/contract/hostname.h"
#include "shared/contract/ident.h"

/* Emitters that wait for an answer (--wait): who, about which instance, and which generation must be served first. */
struct replies;

/* More are forgotten, the oldest one first of the user who has the most: a waiting emitter has its own time limit, and a tenant who
 * asks and asks only pushes out himself. */
#define REPLIES_MAX 4096
#define REPLIES_KEPT_MS 120000
#define REPLIES_CORRELATION_MAX 255

struct reply {
	char to[256]; /* routing key on the default exchange */
	unsigned char correlation_id[REPLIES_CORRELATION_MAX];
	size_t correlation_id_length;
	char user[256]; /* who asked; "" for none */
	char name[HOSTNAME_NAME_SIZE]; /* as it was announced, perhaps with a domain: what the emitter knows itself by */
	struct ident instance;
	uint64_t generation;
	int64_t until_ms;
	struct reply_sender *sender; /* NULL: not in the list */
	struct reply *next;
};

struct replies *replies_new(void); /* NULL with errno */
void replies_free(struct replies *replies);
void replies_clear(struct replies *replies); /* the connection is gone, and with it those who wait */

/* Whether a reply_to may be there at all: it must lead back to the sender, not into somebody's queue. Answered it is only if replyto_valid(). */
bool replies_allowed(const struct bus_text *reply_to);

/* Note one. Only for an allowed reply_to. */
void replies_add(struct replies *replies, const struct bus_delivery *delivery, const struct ident *instance, uint64_t generation,
                 int64_t now_ms);

/* Fill in who is to be answered. Also for answers that need not wait. */
void replies_address(struct reply *reply, const struct bus_delivery *delivery);

/* Hand out those whose generation is served; each is gone after the call. Forgets those that are too old. */
void replies_take(struct replies *replies, uint64_t served, int64_t now_ms, void (*answer)(void *arg, const struct reply *reply),
                  void *arg);

#endif
