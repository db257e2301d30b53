#ifndef CALLSIGN_ZONE_MESSAGE_H
#define CALLSIGN_ZONE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"
#include "table.h"

/*
 * The messages that go to and come from a name server: questions, updates (RFC 2136), transfers (RFC 5936), all signed (TSIG, RFC 8945). Pure, but
 * that a signature has the wall clock's time in it. Only message.c includes ldns.
 */

/* What an answer is checked with, and told apart by. */
struct zone_proof {
	uint16_t id;
	uint8_t mac[64]; /* of the request, or of the message before in a transfer */
	size_t mac_length;
	bool first;      /* of a transfer: later ones are signed otherwise */
};

/* A signed question into *wire (to be freed). NULL: no memory. */
uint8_t *zone_message_question(const char *name, uint16_t type, const struct zone_key *key, uint16_t id, size_t *length,
                               struct zone_proof *proof);

/* ---- updates ---- */

/* The owner records of the zone itself, as they were read: nothing is written unless they are the same still. */
#define ZONE_MARKS_MAX 16
struct zone_marks {
	unsigned count;
	struct {
		uint8_t data[ZONE_OWNER_MAX + 1];
		size_t length;
	} list[ZONE_MARKS_MAX];
};

struct zone_update;

/* owner: the data of our owner record. NULL: no memory. */
struct zone_update *zone_update_new(const char *zone, const struct zone_marks *marks, const uint8_t *owner, size_t owner_length, uint32_t ttl_s);
void zone_update_free(struct zone_update *update);
/* What is to become of this name (zone_table_take()), under the condition that it is ours, or that there is nothing. 0, or -1: no memory. */
int zone_update_add(struct zone_update *update, const struct zone_node *node);
/* One that changes nothing, under a further condition that holds: nothing is at a name that nobody uses. 0, or -1: no memory. */
int zone_update_add_truth(struct zone_update *update, const char *zone);
/* About how long it is by now, in bytes. */
size_t zone_update_size(const struct zone_update *update);
/* Signed, into *wire (to be freed). NULL: no memory. */
uint8_t *zone_update_finish(struct zone_update *update, const struct zone_key *key, uint16_t id, size_t *length, struct zone_proof *proof);

/* ---- answers ---- */

/* As RFC 1035, 2136 and 8945 number them. */
enum zone_code {
	ZONE_NOERROR = 0, ZONE_FORMERR = 1, ZONE_SERVFAIL = 2, ZONE_NXDOMAIN = 3, ZONE_NOTIMP = 4, ZONE_REFUSED = 5, ZONE_YXDOMAIN = 6,
	ZONE_YXRRSET = 7, ZONE_NXRRSET = 8, ZONE_NOTAUTH = 9, ZONE_NOTZONE = 10
};

const char *zone_code_text(unsigned code); /* "REFUSED" … */

struct zone_answer_record {
	char name[ZONE_NAME_SIZE];
	uint16_t type;
	uint32_t ttl_s;
	const uint8_t *data; /* names in it in lower case */
	size_t length;       /* 0: longer than ZONE_DATA_MAX, so none of ours */
	uint32_t serial;     /* of a SOA */
};

#define ZONE_ERROR_SIZE 160
struct zone_answer {
	unsigned code;
	bool is_signed;     /* by our key, and it is the answer to our request */
	char error[ZONE_ERROR_SIZE]; /* why it is not, in words; "" if it is */
	bool authoritative;
};

enum zone_answer_result { ZONE_ANSWER_TAKEN, ZONE_ANSWER_OTHER, ZONE_ANSWER_BROKEN };

/*
 * The answer to what proof is of; its answer section's records are handed to visit (NULL: none is) if it is signed: visit returns -1 to stop. OTHER: the
 * answer to something else. BROKEN: no message, or an unsigned one; out->error. Records at names that are no names of ours are left out. In a
 * transfer proof goes on to the next message.
 */
enum zone_answer_result zone_message_answer(const uint8_t *wire, size_t length, const struct zone_key *key, struct zone_proof *proof,
                                            int (*visit)(void *arg, const struct zone_answer_record *record), void *arg,
                                            struct zone_answer *out);

#endif
