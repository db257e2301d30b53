#ifndef CALLSIGN_DNSQUERY_H
#define CALLSIGN_DNSQUERY_H

#include <stddef.h>
#include <stdint.h>

/* One DNS question for an A record, and its answer (RFC 1035, section 4). Pure. */

#define DNSQUERY_SIZE          272 /* header 12, name 255, type and class 4 */
#define DNSQUERY_ANSWER_SIZE   1232
#define DNSQUERY_ADDRESSES_MAX 8

/*
 * A query with recursion not desired: a server that is not the authority must not go and ask the world for it. name:
 * without the final dot, as hostname_fold_fqdn() gives it. Returns the length, or -1 (a name that does not fit).
 */
int dnsquery_build(uint16_t id, const char *name, uint8_t out[DNSQUERY_SIZE]);

enum dnsquery_result {
	DNSQUERY_ANSWERED, /* at least one A record */
	DNSQUERY_NO_NAME,  /* NXDOMAIN */
	DNSQUERY_NO_DATA,  /* the name has no A record, as far as this server knows */
	DNSQUERY_REFUSED,  /* any other error code of the server */
	DNSQUERY_NOT_OURS  /* another question's answer, or no well-formed one: go on waiting */
};

struct dnsquery_answer {
	unsigned naddresses;                        /* those beyond DNSQUERY_ADDRESSES_MAX are left out */
	uint32_t addresses[DNSQUERY_ADDRESSES_MAX]; /* host order */
	unsigned besides;                           /* bytes behind the last address's record: what else the server says with each answer */
};

/* The answer to the query with this id and name. out is set in every case. */
enum dnsquery_result dnsquery_parse(const uint8_t *packet, size_t length, uint16_t id, const char *name,
				    struct dnsquery_answer *out);

#endif
