#include <config.h>

#include "dnsquery.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>

#define HEADER_SIZE   12
#define LABEL_MAX     63
#define NAME_WIRE_MAX 255

static uint8_t *put16(uint8_t *at, unsigned value)
{
	*at++ = (uint8_t)(value >> 8);
	*at++ = (uint8_t)(value & 0xff);
	return at;
}

/* name as length-prefixed labels. The end, or NULL. */
static uint8_t *put_name(uint8_t *at, const char *name)
{
	const uint8_t *limit = at + NAME_WIRE_MAX;

	while (*name != '\0') {
		size_t length = strcspn(name, ".");

		if (length == 0 || length > LABEL_MAX || (size_t)(limit - at) < length + 2)
			return NULL;
		*at++ = (uint8_t)length;
		memcpy(at, name, length);
		at += length;
		name += length;
		if (*name == '.' && *++name == '\0')
			return NULL;
	}
	*at++ = 0;
	return at;
}

int dnsquery_build(uint16_t id, const char *name, uint8_t out[DNSQUERY_SIZE])
{
	uint8_t *at;

	memset(out, 0, HEADER_SIZE); /* a standard query, no flags */
	put16(out, id);
	put16(out + 4, 1);
	at = *name == '\0' ? NULL : put_name(out + HEADER_SIZE, name);
	if (at == NULL)
		return -1;
	at = put16(at, ns_t_a);
	at = put16(at, ns_c_in);
	return (int)(at - out);
}

/* Whether this is a response to a query with this id and exactly this question. Servers may change the case of letters.
 */
static int is_ours(ns_msg *message, uint16_t id, const char *name)
{
	ns_rr question;

	return ns_msg_id(*message) == id && ns_msg_getflag(*message, ns_f_qr) && ns_msg_count(*message, ns_s_qd) == 1 &&
	       ns_parserr(message, ns_s_qd, 0, &question) == 0 && ns_rr_type(question) == ns_t_a &&
	       ns_rr_class(question) == ns_c_in && strcasecmp(ns_rr_name(question), name) == 0;
}

/* 0, or -1: a record that is not well-formed. */
static int take_addresses(ns_msg *message, const char *name, struct dnsquery_answer *out)
{
	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		ns_rr record;

		if (ns_parserr(message, ns_s_an, i, &record) != 0)
			return -1;
		out->besides = (unsigned)(ns_msg_end(*message) - (ns_rr_rdata(record) + ns_rr_rdlen(record)));
		if (ns_rr_type(record) != ns_t_a || ns_rr_class(record) != ns_c_in ||
		    ns_rr_rdlen(record) != NS_INADDRSZ || strcasecmp(ns_rr_name(record), name) != 0)
			continue;
		if (out->naddresses < DNSQUERY_ADDRESSES_MAX)
			out->addresses[out->naddresses++] = ns_get32(ns_rr_rdata(record)) & UINT32_MAX;
	}
	return 0;
}

enum dnsquery_result dnsquery_parse(const uint8_t *packet, size_t length, uint16_t id, const char *name,
				    struct dnsquery_answer *out)
{
	ns_msg message;

	memset(out, 0, sizeof(*out));
	if (length > DNSQUERY_ANSWER_SIZE || ns_initparse(packet, (int)length, &message) != 0 ||
	    !is_ours(&message, id, name))
		return DNSQUERY_NOT_OURS;
	switch (ns_msg_getflag(message, ns_f_rcode)) {
	case ns_r_noerror:
		break;
	case ns_r_nxdomain:
		return DNSQUERY_NO_NAME;
	default:
		return DNSQUERY_REFUSED;
	}
	/* Truncated (ns_f_tc) is no hindrance: the records that are there are whole, and one of them is enough. */
	if (take_addresses(&message, name, out) != 0) {
		out->naddresses = out->besides = 0;
		return DNSQUERY_NOT_OURS;
	}
	return out->naddresses > 0 ? DNSQUERY_ANSWERED : DNSQUERY_NO_DATA;
}
