#include <config.h>

#include "announcement_decode.h"

#include <string.h>

struct reader {
	const char *at, *end;
	struct announcement *out;
	unsigned seen; /* keys */
	struct place place;
};

enum {
	KEY_V = 1 << 0,
	KEY_OP = 1 << 1,
	KEY_NAME = 1 << 2,
	KEY_INSTANCE = 1 << 3,
	KEY_SESSION = 1 << 4,
	KEY_SEQ = 1 << 5,
	KEY_LEASE = 1 << 6,
	KEY_ADDRESSES = 1 << 7,
	KEY_ALIASES = 1 << 8,
	KEY_PORTS = 1 << 9,
	KEY_PLACE = 1 << 10,
	KEY_AGENT = 1 << 11,
	KEY_REASON = 1 << 12,
};

/* What an op must have, and what it may have besides. */
static const struct {
	unsigned required, allowed;
} keys_of[] = {
	[ANNOUNCEMENT_UP] = {KEY_V | KEY_OP | KEY_NAME | KEY_INSTANCE | KEY_SEQ | KEY_ADDRESSES | KEY_LEASE,
	                     KEY_SESSION | KEY_ALIASES | KEY_PORTS | KEY_PLACE | KEY_AGENT},
	[ANNOUNCEMENT_DOWN] = {KEY_V | KEY_OP | KEY_NAME | KEY_INSTANCE | KEY_SEQ, KEY_SESSION | KEY_REASON},
	[ANNOUNCEMENT_LOST] = {KEY_V | KEY_OP | KEY_NAME | KEY_INSTANCE | KEY_SESSION, 0},
};

/* ---- JSON, as far as it is plain ---- */

static bool take_byte(struct reader *in, char wanted)
{
	if (in->at == in->end || *in->at != wanted)
		return false;
	in->at++;
	return true;
}

/* Printable ASCII without an escape. */
static bool take_text(struct reader *in, const char **text, size_t *length)
{
	if (!take_byte(in, '"'))
		return false;
	*text = in->at;
	while (in->at < in->end && *in->at >= 0x20 && *in->at <= 0x7e && *in->at != '"' && *in->at != '\\')
		in->at++;
	*length = (size_t)(in->at - *text);
	return take_byte(in, '"');
}

#define DIGITS_MAX 18 /* fit into 63 bits, whatever they are */

static bool take_number(struct reader *in, int64_t min, int64_t max, int64_t *out)
{
	const char *first = in->at;

	*out = 0;
	while (in->at < in->end && *in->at >= '0' && *in->at <= '9' && in->at - first < DIGITS_MAX)
		*out = *out * 10 + (*in->at++ - '0');
	return in->at > first && (*first != '0' || in->at - first == 1) && *out >= min && *out <= max;
}

static bool take_list(struct reader *in, bool (*add)(struct reader *in))
{
	if (!take_byte(in, '['))
		return false;
	if (take_byte(in, ']'))
		return true;
	do {
		if (!add(in))
			return false;
	} while (take_byte(in, ','));
	return take_byte(in, ']');
}

/* ---- values ---- */

static bool take_v(struct reader *in)
{
	int64_t version;

	return take_number(in, ANNOUNCEMENT_VERSION, ANNOUNCEMENT_VERSION, &version);
}

static bool take_op(struct reader *in)
{
	const char *text;
	size_t length;

	if (!take_text(in, &text, &length))
		return false;
	for (size_t op = 0; op < sizeof(keys_of) / sizeof(*keys_of); op++) {
		const char *name = announcement_op_name((enum announcement_op)op);

		if (length == strlen(name) && memcmp(text, name, length) == 0) {
			in->out->op = (enum announcement_op)op;
			return true;
		}
	}
	return false;
}

static bool take_name(struct reader *in)
{
	const char *text;
	size_t length;

	return take_text(in, &text, &length) && hostname_fold(text, length, in->out->name) == HOSTNAME_OK;
}

static bool take_ident(struct reader *in, struct ident *out)
{
	const char *text;
	size_t length;

	return take_text(in, &text, &length) && ident_parse(text, length, out) == 0;
}

static bool take_instance(struct reader *in)
{
	return take_ident(in, &in->out->instance);
}

static bool take_session(struct reader *in)
{
	return take_ident(in, &in->out->session);
}

static bool take_seq(struct reader *in)
{
	int64_t seq;

	if (!take_number(in, 1, ANNOUNCEMENT_SEQ_MAX, &seq))
		return false;
	in->out->seq = (uint64_t)seq;
	return true;
}

static bool take_lease(struct reader *in)
{
	int64_t lease_s;

	if (!take_number(in, ANNOUNCEMENT_LEASE_MIN_S, ANNOUNCEMENT_LEASE_MAX_S, &lease_s))
		return false;
	in->out->lease_s = (uint32_t)lease_s;
	return true;
}

static bool add_address(struct reader *in)
{
	struct announcement *out = in->out;
	struct address *address = &out->addresses[out->naddresses];
	const char *text;
	size_t length;

	if (out->naddresses == ANNOUNCEMENT_ADDRESSES_MAX || !take_text(in, &text, &length) || address_parse(text, length, address) == -1 ||
	    address_unusable(address) != NULL)
		return false;
	for (unsigned i = 0; i < out->naddresses; i++)
		if (address_equal(&out->addresses[i], address))
			return false;
	out->naddresses++;
	return true;
}

static bool take_addresses(struct reader *in)
{
	return take_list(in, add_address) && in->out->naddresses > 0;
}

static bool add_alias(struct reader *in)
{
	struct announcement *out = in->out;
	const char *text;
	size_t length;

	if (out->naliases == ANNOUNCEMENT_ALIASES_MAX || !take_text(in, &text, &length) ||
	    hostname_fold(text, length, out->aliases[out->naliases]) != HOSTNAME_OK)
		return false;
	for (unsigned i = 0; i < out->naliases; i++)
		if (strcmp(out->aliases[i], out->aliases[out->naliases]) == 0)
			return false;
	out->naliases++;
	return true;
}

static bool take_aliases(struct reader *in)
{
	return take_list(in, add_alias);
}

static bool add_port(struct reader *in)
{
	struct announcement_port port = {.port = 0};
	const char *text;
	int64_t number;
	size_t length;

	if (!take_text(in, &text, &length) || !take_byte(in, ':') || !take_number(in, 1, UINT16_MAX, &number) ||
	    announcement_port_name(text, length, port.name) != NULL)
		return false;
	port.port = (uint16_t)number;
	return announcement_port_add(in->out->ports, &in->out->nports, &port) == NULL;
}

static bool take_ports(struct reader *in)
{
	if (!take_byte(in, '{'))
		return false;
	if (take_byte(in, '}'))
		return true;
	do {
		if (!add_port(in))
			return false;
	} while (take_byte(in, ','));
	return take_byte(in, '}');
}

static bool take_place(struct reader *in)
{
	const char *text;
	size_t length;

	return take_text(in, &text, &length) && place_parse(text, length, &in->place) == 0;
}

static bool copy_text(struct reader *in, char *out, size_t min, size_t max)
{
	const char *text;
	size_t length;

	if (!take_text(in, &text, &length) || length < min || length > max)
		return false;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

static bool take_agent(struct reader *in)
{
	return copy_text(in, in->out->agent, 1, ANNOUNCEMENT_AGENT_MAX);
}

static bool take_reason(struct reader *in)
{
	return copy_text(in, in->out->reason, 0, ANNOUNCEMENT_REASON_MAX);
}

/* ---- the object ---- */

static const struct {
	const char *name;
	unsigned key;
	bool (*take)(struct reader *in);
} members[] = {
	{"v", KEY_V, take_v},
	{"op", KEY_OP, take_op},
	{"name", KEY_NAME, take_name},
	{"instance", KEY_INSTANCE, take_instance},
	{"session", KEY_SESSION, take_session},
	{"seq", KEY_SEQ, take_seq},
	{"addresses", KEY_ADDRESSES, take_addresses},
	{"aliases", KEY_ALIASES, take_aliases},
	{"ports", KEY_PORTS, take_ports},
	{"place", KEY_PLACE, take_place},
	{"agent", KEY_AGENT, take_agent},
	{"lease", KEY_LEASE, take_lease},
	{"reason", KEY_REASON, take_reason},
};

/* A key of others', or one that is there twice, is for the careful way to judge. */
static bool take_member(struct reader *in)
{
	const char *text;
	size_t length;

	if (!take_text(in, &text, &length) || !take_byte(in, ':'))
		return false;
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (members[i].name[0] != text[0] || strlen(members[i].name) != length || memcmp(members[i].name, text, length) != 0)
			continue;
		if ((in->seen & members[i].key) != 0)
			return false;
		in->seen |= members[i].key;
		return members[i].take(in);
	}
	return false;
}

static bool is_whole(const struct reader *in)
{
	const struct announcement *out = in->out;
	unsigned required, allowed;

	if (in->at != in->end || (in->seen & KEY_OP) == 0)
		return false;
	required = keys_of[out->op].required;
	allowed = required | keys_of[out->op].allowed;
	if ((in->seen & required) != required || (in->seen & ~allowed) != 0)
		return false;
	for (unsigned i = 0; i < out->naliases; i++)
		if (strcmp(out->aliases[i], out->name) == 0)
			return false;
	return true;
}

bool announcement_decode_plain(const char *body, size_t length, struct announcement *out)
{
	struct reader in = {.at = body, .end = body + length, .out = out};

	announcement_decode_begin(out);
	if (!take_byte(&in, '{'))
		return false;
	do {
		if (!take_member(&in))
			return false;
	} while (take_byte(&in, ','));
	if (!take_byte(&in, '}') || !is_whole(&in))
		return false;
	out->has_session = (in.seen & KEY_SESSION) != 0;
	/* Without a session it counts for nothing. */
	if (out->has_session)
		out->place = in.place;
	return true;
}
