#include <config.h>

#include "message.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUDGE_S 300 /* RFC 8945, section 10 */
#define TSIG_MAC 3  /* which field of a TSIG record it is */
#define TSIG_ERROR 5
#define SOA_SERIAL 2

/* ---- records ---- */

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* length 0: no data at all, as conditions and deletions have it. NULL: no memory. */
static ldns_rr *make_record(const char *name, uint16_t type, ldns_rr_class class, uint32_t ttl_s, const uint8_t *data, size_t length)
{
	uint8_t wire[ZONE_NAME_WIRE_MAX + 10 + ZONE_DATA_MAX];
	size_t used = zone_name_to_wire(name, wire), at = 0;
	ldns_rr *record = NULL;

	if (used == 0 || length > ZONE_DATA_MAX)
		return NULL;
	put16(wire + used, type);
	put16(wire + used + 2, (uint16_t)class);
	put16(wire + used + 4, (uint16_t)(ttl_s >> 16));
	put16(wire + used + 6, (uint16_t)ttl_s);
	put16(wire + used + 8, (uint16_t)length);
	if (length > 0)
		memcpy(wire + used + 10, data, length);
	if (length > 0)
		return ldns_wire2rr(&record, wire, used + 10 + length, &at, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK ? record : NULL;
	record = ldns_rr_new();
	if (record == NULL)
		return NULL;
	ldns_rr_set_owner(record, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, used, wire));
	ldns_rr_set_type(record, (ldns_rr_type)type);
	ldns_rr_set_class(record, class);
	ldns_rr_set_ttl(record, ttl_s);
	if (ldns_rr_owner(record) != NULL)
		return record;
	ldns_rr_free(record);
	return NULL;
}

/* The packet takes the record. */
static int push(ldns_pkt *packet, ldns_pkt_section section, ldns_rr *record)
{
	if (record != NULL && ldns_pkt_push_rr(packet, section, record))
		return 0;
	ldns_rr_free(record);
	return -1;
}

static ldns_pkt *make_packet(const char *name, uint16_t type, ldns_pkt_opcode opcode)
{
	ldns_pkt *packet = ldns_pkt_new();
	ldns_rr *question = packet != NULL ? make_record(name, type, LDNS_RR_CLASS_IN, 0, NULL, 0) : NULL;

	if (question != NULL)
		ldns_rr_set_question(question, true);
	if (packet == NULL)
		return NULL;
	ldns_pkt_set_opcode(packet, opcode);
	if (push(packet, LDNS_SECTION_QUESTION, question) == 0)
		return packet;
	ldns_pkt_free(packet);
	return NULL;
}

/* ---- signing ---- */

static void absolute(const char *name, char out[ZONE_NAME_SIZE + 1])
{
	snprintf(out, ZONE_NAME_SIZE + 1, "%s.", name);
}

/* The mac of a signed packet. -1: it has none, or none that we could use. */
static int keep_mac(const ldns_pkt *packet, struct zone_proof *proof)
{
	ldns_rr *tsig = ldns_pkt_tsig(packet);
	ldns_rdf *mac = tsig != NULL ? ldns_rr_rdf(tsig, TSIG_MAC) : NULL;

	/* Its length stands before it. */
	if (mac == NULL || ldns_rdf_size(mac) < 2 || ldns_rdf_size(mac) > sizeof proof->mac + 2)
		return -1;
	proof->mac_length = ldns_rdf_size(mac) - 2;
	memcpy(proof->mac, ldns_rdf_data(mac) + 2, proof->mac_length);
	return 0;
}

static uint8_t *sign(ldns_pkt *packet, const struct zone_key *key, uint16_t id, size_t *length, struct zone_proof *proof)
{
	char name[ZONE_NAME_SIZE + 1], algorithm[sizeof key->algorithm + 1];
	uint8_t *wire = NULL;

	absolute(key->name, name);
	snprintf(algorithm, sizeof algorithm, "%s.", key->algorithm);
	ldns_pkt_set_id(packet, id);
	memset(proof, 0, sizeof *proof);
	proof->id = id;
	proof->first = true;
	if (ldns_pkt_tsig_sign(packet, name, key->secret, FUDGE_S, algorithm, NULL) != LDNS_STATUS_OK || keep_mac(packet, proof) == -1 ||
	    ldns_pkt2wire(&wire, packet, length) != LDNS_STATUS_OK)
		return NULL;
	return wire;
}

uint8_t *zone_message_question(const char *name, uint16_t type, const struct zone_key *key, uint16_t id, size_t *length,
                               struct zone_proof *proof)
{
	ldns_pkt *packet = make_packet(name, type, LDNS_PACKET_QUERY);
	uint8_t *wire = packet != NULL ? sign(packet, key, id, length, proof) : NULL;

	ldns_pkt_free(packet);
	return wire;
}

/* ---- updates ---- */

/* RFC 2136: the sections of an update stand where an answer's do. */
#define CONDITIONS LDNS_SECTION_ANSWER
#define CHANGES LDNS_SECTION_AUTHORITY

struct zone_update {
	ldns_pkt *packet;
	const uint8_t *owner;
	size_t owner_length;
	uint32_t ttl_s;
	size_t size;
};

static int update_put(struct zone_update *update, ldns_pkt_section section, const char *name, uint16_t type, ldns_rr_class class,
                      uint32_t ttl_s, const uint8_t *data, size_t length)
{
	update->size += strlen(name) + 2 + 10 + length;
	return push(update->packet, section, make_record(name, type, class, ttl_s, data, length));
}

static int put_marks(struct zone_update *update, const char *zone, const struct zone_marks *marks)
{
	char name[ZONE_NAME_SIZE];
	unsigned i;

	if (zone_name_join(ZONE_OWNER_LABEL, zone, name) == -1)
		return -1;
	for (i = 0; i < marks->count; i++) {
		if (update_put(update, CONDITIONS, name, ZONE_TXT, LDNS_RR_CLASS_IN, 0, marks->list[i].data, marks->list[i].length) == -1)
			return -1;
	}
	return 0;
}

struct zone_update *zone_update_new(const char *zone, const struct zone_marks *marks, const uint8_t *owner, size_t owner_length, uint32_t ttl_s)
{
	struct zone_update *update = calloc(1, sizeof *update);

	if (update == NULL)
		return NULL;
	update->owner = owner;
	update->owner_length = owner_length;
	update->ttl_s = ttl_s;
	update->packet = make_packet(zone, ZONE_SOA, LDNS_PACKET_UPDATE);
	if (update->packet != NULL && put_marks(update, zone, marks) == 0)
		return update;
	zone_update_free(update);
	return NULL;
}

void zone_update_free(struct zone_update *update)
{
	if (update == NULL)
		return;
	ldns_pkt_free(update->packet);
	free(update);
}

static int put_condition(struct zone_update *update, const struct zone_node *node, const char *owner)
{
	if (zone_node_owner(node) == ZONE_OURS) /* section 2.4.2 */
		return update_put(update, CONDITIONS, owner, ZONE_TXT, LDNS_RR_CLASS_IN, 0, update->owner, update->owner_length);
	/* Section 2.4.5: no record at all. */
	if (update_put(update, CONDITIONS, zone_node_name(node), LDNS_RR_TYPE_ANY, LDNS_RR_CLASS_NONE, 0, NULL, 0) == -1)
		return -1;
	return update_put(update, CONDITIONS, owner, LDNS_RR_TYPE_ANY, LDNS_RR_CLASS_NONE, 0, NULL, 0);
}

/* Section 2.5.4 (deletions, before what comes) and 2.5.1. */
static int put_records(struct zone_update *update, const struct zone_node *node, bool additions)
{
	const struct zone_record *record;

	for (record = zone_node_records(node); record != NULL; record = record->next) {
		/* What has another time to live goes and comes back: RFC 2136, section 3.4.2.2, would have it replaced, and Knot does not. */
		if (!record->renewed && (record->held == record->sent || record->sent != additions))
			continue;
		if (update_put(update, CHANGES, zone_node_name(node), record->type, additions ? LDNS_RR_CLASS_IN : LDNS_RR_CLASS_NONE,
		               additions ? update->ttl_s : 0, record->data, record->length) == -1)
			return -1;
	}
	return 0;
}

int zone_update_add(struct zone_update *update, const struct zone_node *node)
{
	bool owned = zone_node_owner(node) == ZONE_OURS, stays = zone_node_sent(node);
	char owner[ZONE_NAME_SIZE];

	if (zone_name_join(ZONE_OWNER_LABEL, zone_node_name(node), owner) == -1)
		return -1;
	if (put_condition(update, node, owner) == -1 || put_records(update, node, false) == -1 || put_records(update, node, true) == -1)
		return -1;
	if (owned == stays)
		return 0;
	return update_put(update, CHANGES, owner, ZONE_TXT, stays ? LDNS_RR_CLASS_IN : LDNS_RR_CLASS_NONE, stays ? update->ttl_s : 0, update->owner,
	                  update->owner_length);
}

int zone_update_add_truth(struct zone_update *update, const char *zone)
{
	char name[ZONE_NAME_SIZE];

	/* Section 2.4.5, as for each name that is new. Too long: the zone's owners alone are asked about, then. */
	if (zone_name_join("_unused." ZONE_OWNER_LABEL, zone, name) == -1)
		return 0;
	return update_put(update, CONDITIONS, name, LDNS_RR_TYPE_ANY, LDNS_RR_CLASS_NONE, 0, NULL, 0);
}

size_t zone_update_size(const struct zone_update *update)
{
	return update->size;
}

uint8_t *zone_update_finish(struct zone_update *update, const struct zone_key *key, uint16_t id, size_t *length, struct zone_proof *proof)
{
	return sign(update->packet, key, id, length, proof);
}

/* ---- answers ---- */

const char *zone_code_text(unsigned code)
{
	static const char *const texts[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
	                                    "NOTAUTH", "NOTZONE"};

	return code < sizeof texts / sizeof texts[0] ? texts[code] : "an unknown code";
}

static bool verify(ldns_pkt *packet, const uint8_t *wire, size_t length, const struct zone_key *key, struct zone_proof *proof)
{
	ldns_rdf *mac;
	char name[ZONE_NAME_SIZE + 1];
	uint8_t data[sizeof proof->mac + 2];
	bool good;

	put16(data, (uint16_t)proof->mac_length);
	memcpy(data + 2, proof->mac, proof->mac_length);
	mac = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, proof->mac_length + 2, data);
	if (mac == NULL)
		return false;
	absolute(key->name, name);
	good = ldns_pkt_tsig_verify_next(packet, wire, length, name, key->secret, mac, proof->first ? 0 : 1);
	ldns_rdf_deep_free(mac);
	if (!good || keep_mac(packet, proof) == -1)
		return false;
	proof->first = false;
	return true;
}

/* RFC 8945, section 3: what the server has against our own signature, in words. */
static const char *tsig_error(const ldns_pkt *packet, char unsigned_error[ZONE_ERROR_SIZE])
{
	unsigned code = (unsigned)ldns_pkt_get_rcode(packet);

	ldns_rr *tsig = ldns_pkt_tsig(packet);
	ldns_rdf *error = tsig != NULL && ldns_rr_rd_count(tsig) > TSIG_ERROR ? ldns_rr_rdf(tsig, TSIG_ERROR) : NULL;

	if (tsig == NULL && code != ZONE_NOERROR) {
		snprintf(unsigned_error, ZONE_ERROR_SIZE, "it answers %s, without a signature: does it have this zone, know the key, and may the key do this there?",
		         zone_code_text(code));
		return unsigned_error;
	}
	if (tsig == NULL)
		return "the answer is not signed: does the server know the key?";
	switch (error != NULL && ldns_rdf_size(error) == 2 ? ldns_rdf2native_int16(error) : 0) {
	case 16:
		return "the server refuses our signature (BADSIG): the key's secret is another one there";
	case 17:
		return "the server does not know the key (BADKEY): its name or algorithm is another one there";
	case 18:
		return "the server's clock differs from ours by more than 5 minutes (BADTIME)";
	default:
		return "the answer's signature is wrong: the key's secret is another one there, or somebody is between us";
	}
}

/* The record's data, uncompressed, with the names in it in lower case. 0: too long. */
static size_t copy_data(const ldns_rr *record, uint8_t out[ZONE_DATA_MAX])
{
	size_t used = 0, i, j;

	for (i = 0; i < ldns_rr_rd_count(record); i++) {
		const ldns_rdf *field = ldns_rr_rdf(record, i);
		size_t size = ldns_rdf_size(field);

		if (used + size > ZONE_DATA_MAX)
			return 0;
		memcpy(out + used, ldns_rdf_data(field), size);
		/* The lengths of labels are under 64, so that they are no letters. */
		for (j = 0; ldns_rdf_get_type(field) == LDNS_RDF_TYPE_DNAME && j < size; j++)
			out[used + j] = (uint8_t)LDNS_DNAME_NORMALIZE((int)out[used + j]);
		used += size;
	}
	return used;
}

static int visit_record(const ldns_rr *from, int (*visit)(void *arg, const struct zone_answer_record *record), void *arg)
{
	struct zone_answer_record record = {.type = (uint16_t)ldns_rr_get_type(from), .ttl_s = ldns_rr_ttl(from)};
	const ldns_rdf *owner = ldns_rr_owner(from);
	uint8_t data[ZONE_DATA_MAX];

	if (owner == NULL || zone_name_from_wire(ldns_rdf_data(owner), ldns_rdf_size(owner), record.name) == -1)
		return 0;
	record.data = data;
	record.length = copy_data(from, data);
	if (record.type == ZONE_SOA && ldns_rr_rd_count(from) > SOA_SERIAL && ldns_rdf_size(ldns_rr_rdf(from, SOA_SERIAL)) == 4)
		record.serial = ldns_rdf2native_int32(ldns_rr_rdf(from, SOA_SERIAL));
	return visit(arg, &record);
}

static void visit_answers(const ldns_pkt *packet, int (*visit)(void *arg, const struct zone_answer_record *record), void *arg)
{
	const ldns_rr_list *list = ldns_pkt_answer(packet);
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(list); i++) {
		if (visit_record(ldns_rr_list_rr(list, i), visit, arg) == -1)
			return;
	}
}

enum zone_answer_result zone_message_answer(const uint8_t *wire, size_t length, const struct zone_key *key, struct zone_proof *proof,
                                            int (*visit)(void *arg, const struct zone_answer_record *record), void *arg,
                                            struct zone_answer *out)
{
	char unsigned_error[ZONE_ERROR_SIZE];
	ldns_pkt *packet = NULL;
	enum zone_answer_result result = ZONE_ANSWER_TAKEN;

	memset(out, 0, sizeof *out);
	snprintf(out->error, sizeof out->error, "what came is no DNS message");
	if (length < LDNS_HEADER_SIZE || ldns_wire2pkt(&packet, wire, length) != LDNS_STATUS_OK)
		return ZONE_ANSWER_BROKEN;
	out->code = (unsigned)ldns_pkt_get_rcode(packet);
	out->authoritative = ldns_pkt_aa(packet);
	if (!ldns_pkt_qr(packet) || ldns_pkt_id(packet) != proof->id)
		result = ZONE_ANSWER_OTHER;
	else if (!verify(packet, wire, length, key, proof)) {
		snprintf(out->error, sizeof out->error, "%s", tsig_error(packet, unsigned_error));
		result = ZONE_ANSWER_BROKEN;
	} else {
		out->is_signed = true;
		out->error[0] = '\0';
		if (visit != NULL)
			visit_answers(packet, visit, arg);
	}
	ldns_pkt_free(packet);
	return result;
}
