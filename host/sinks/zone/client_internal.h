#ifndef CALLSIGN_ZONE_CLIENT_INTERNAL_H
#define CALLSIGN_ZONE_CLIENT_INTERNAL_H

#include "client.h"
#include "message.h"
#include "shared/backoff.h"
#include "stream.h"

/*
 * What the parts of the client share: client.c asks and decides, client_owner.c whose the zone is, client_update.c changes it, client_read.c reads it, all of
 * them by way of client_line.c.
 */

#define ZONE_BATCH_MAX 256        /* names in an update ... */
#define ZONE_BATCH_SIZE 24000     /* ... and about how many bytes, before it is full */
#define ZONE_TROUBLE_SIZE 384
#define ZONE_UNFIT_MAX 2          /* the first may be somebody who took the zone from us meanwhile */

enum zone_question { ZONE_ASK_NOTHING, ZONE_ASK_MARKS, ZONE_ASK_SERIAL, ZONE_ASK_UPDATE, ZONE_ASK_LOOK, ZONE_ASK_USE, ZONE_ASK_FITNESS };

struct zone_reading {
	struct zone_stream stream;
	struct zone_proof proof;
	bool wanted;
	int64_t begin_ms;    /* not before */
	int64_t until_ms;    /* for its next message */
	int64_t since_ms;
	unsigned soas;       /* the second one is the end */
	uint32_t serial;
	uint64_t updates;    /* that were taken before it began */
	bool failed;         /* while visiting: no memory */
	struct backoff backoff;
	char trouble[ZONE_TROUBLE_SIZE];
};

struct zone_client {
	const char *zone;             /* borrowed */
	const struct zone_conf *conf; /* borrowed */
	struct zone_table *table;
	uint8_t owner[ZONE_OWNER_MAX + 1];
	size_t owner_length;

	struct zone_stream stream;
	enum zone_question question; /* that is under way */
	struct zone_proof proof;
	int64_t until_ms;
	int64_t retry_ms;            /* when to connect again */
	struct backoff backoff;
	char trouble[ZONE_TROUBLE_SIZE]; /* of the connection */

	struct zone_marks marks, fresh; /* fresh: as they come in */
	bool marks_known, owned, stranger_told;
	int64_t marks_ms;            /* when to ask again, while it is not ours */
	bool look_ours, look_any;    /* as the answer comes in */

	bool fit;                    /* the server checks conditions as they are meant; nothing is changed before */
	unsigned unfit;              /* how often it said otherwise */
	int64_t fitness_ms;          /* when to ask it again */

	bool known;                  /* it was read once */
	struct zone_reading reading;

	struct zone_node *batch[ZONE_BATCH_MAX];
	unsigned nbatch;
	bool look;                   /* batch[0] did not go through alone: ask whose it is ... */
	bool look_use;               /* ... and, since nobody says so, whether there is anything at all */
	int64_t update_ms;           /* no update before */
	unsigned refusals;           /* of updates, without one that was taken since */
	struct backoff update_backoff, refused_backoff;
	int64_t retry_refused_ms;    /* when to read because of names that are left out by the server; CLOCK_NEVER: there are none */
	char update_trouble[ZONE_TROUBLE_SIZE];
	uint64_t updates;            /* that were taken */

	bool serial_known;           /* what our last update has left, if nobody else has changed the zone */
	uint32_t serial, fresh_serial;
	uint32_t serial_more;        /* updates that ran beside the last reading, which may show them or not */
	int64_t check_ms;

	char shown[ZONE_TROUBLE_SIZE];
};

/* client_line.c */
void zone_client_fail(struct zone_client *client, int64_t now_ms, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* What goes on the way now is answered within the timeout, or the connection is given up. wire is freed. */
void zone_client_ask(struct zone_client *client, enum zone_question question, uint8_t *wire, size_t length, int64_t now_ms);
void zone_client_ask_for(struct zone_client *client, enum zone_question question, const char *name, uint16_t type, int64_t now_ms);
const char *zone_client_server(const struct zone_client *client); /* as text; overwritten by the next call */
void zone_client_connect(struct zone_client *client, int64_t now_ms);
void zone_client_closed(struct zone_client *client, int64_t now_ms); /* by the server */
/* Names under way, if there are: nobody knows what became of them. sent: false: they never left. */
void zone_client_drop_batch(struct zone_client *client, bool sent);

/* client_owner.c. The marks are asked for, and come one by one into client->fresh; then it is decided whether the zone is ours. */
void zone_client_ask_marks(struct zone_client *client, int64_t now_ms);
int zone_client_read_mark(void *arg, const struct zone_answer_record *record);
void zone_client_marked(struct zone_client *client, const struct zone_answer *answer, int64_t now_ms);
bool zone_client_is_ours(const struct zone_client *client, const uint8_t *data, size_t length); /* a mark of our own */
const char *zone_client_stranger(struct zone_client *client); /* what is to be done that it becomes ours */

/* client_update.c */
void zone_client_send_update(struct zone_client *client, int64_t now_ms);
extern const char zone_client_unfit[]; /* what is wrong with a server that is not fit */
void zone_client_send_fitness(struct zone_client *client, int64_t now_ms);
void zone_client_fitness(struct zone_client *client, const struct zone_answer *answer, int64_t now_ms);
void zone_client_send_look(struct zone_client *client, int64_t now_ms);
void zone_client_updated(struct zone_client *client, const struct zone_answer *answer, int64_t now_ms);
void zone_client_looked(struct zone_client *client, enum zone_question question, const struct zone_answer *answer, int64_t now_ms);

/* client_read.c */
void zone_client_read_step(struct zone_client *client, int64_t now_ms);
void zone_client_read_stop(struct zone_client *client);
int64_t zone_client_read_deadline_ms(const struct zone_client *client);

#endif
