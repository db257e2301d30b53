#include <config.h>

#include "announcement.h"

#include <stdio.h>
#include <string.h>

static const char *const op_names[] = {
	[ANNOUNCEMENT_UP] = "up",
	[ANNOUNCEMENT_DOWN] = "down",
	[ANNOUNCEMENT_LOST] = "lost",
	[ANNOUNCEMENT_ROLLCALL] = "rollcall",
	[ANNOUNCEMENT_RESOLVES] = "resolves",
	[ANNOUNCEMENT_REFUSED] = "refused",
};

const char *announcement_op_name(enum announcement_op op)
{
	return op_names[op];
}

/* ---- encoding ---- */

/*
 * Written by hand rather than through jansson: it needs no memory, and names, idents and addresses need no escapes. The
 * keys come in the order that docs/protocol shows.
 */
struct encoder {
	char *body; /* ANNOUNCEMENT_BODY_MAX bytes */
	size_t used;
	bool failed;
};

static void put_bytes(struct encoder *out, const char *bytes, size_t length)
{
	if (out->failed || length > ANNOUNCEMENT_BODY_MAX - out->used) {
		out->failed = true;
		return;
	}
	memcpy(out->body + out->used, bytes, length);
	out->used += length;
}

static void put(struct encoder *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

/* A string value. Anything but printable ASCII would only be refused by its reader, so it fails here. */
static void put_string(struct encoder *out, const char *text)
{
	put_bytes(out, "\"", 1);
	for (; *text != '\0'; text++) {
		if (*text < 0x20 || *text > 0x7e)
			out->failed = true;
		if (*text == '"' || *text == '\\')
			put_bytes(out, "\\", 1);
		put_bytes(out, text, 1);
	}
	put_bytes(out, "\"", 1);
}

static void put_key(struct encoder *out, const char *key)
{
	put(out, ",\"");
	put(out, key);
	put(out, "\":");
}

static void put_text(struct encoder *out, const char *key, const char *text)
{
	put_key(out, key);
	put_string(out, text);
}

static void put_number(struct encoder *out, const char *key, uint64_t number)
{
	char text[sizeof("18446744073709551615")];

	put_key(out, key);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	put(out, text);
}

static void put_ident(struct encoder *out, const char *key, const struct ident *ident)
{
	char text[IDENT_TEXT_SIZE];

	put_text(out, key, ident_format(ident, text));
}

static void put_records(struct encoder *out, const struct announcement *announcement)
{
	char text[ADDRESS_TEXT_SIZE];

	put_key(out, "addresses");
	for (unsigned i = 0; i < announcement->naddresses; i++) {
		put(out, i == 0 ? "[" : ",");
		put_string(out, address_format(&announcement->addresses[i], text));
	}
	put(out, announcement->naddresses == 0 ? "[]" : "]");
	if (announcement->naliases == 0)
		return;
	put_key(out, "aliases");
	for (unsigned i = 0; i < announcement->naliases; i++) {
		put(out, i == 0 ? "[" : ",");
		put_string(out, announcement->aliases[i]);
	}
	put(out, "]");
}

static void put_ports(struct encoder *out, const struct announcement *announcement)
{
	char text[sizeof(":65535")];

	if (announcement->nports == 0)
		return;
	put_key(out, "ports");
	for (unsigned i = 0; i < announcement->nports; i++) {
		put(out, i == 0 ? "{" : ",");
		put_string(out, announcement->ports[i].name);
		snprintf(text, sizeof(text), ":%u", (unsigned)announcement->ports[i].port);
		put(out, text);
	}
	put(out, "}");
}

/* Last, with room for the end of the object. */
static void put_place(struct encoder *out, const struct announcement *announcement)
{
	size_t needed = strlen(",\"place\":\"\"}") + PLACE_TEXT_LENGTH;
	char text[PLACE_TEXT_SIZE];

	if (announcement->has_session && place_known(&announcement->place) && needed <= ANNOUNCEMENT_BODY_MAX - out->used)
		put_text(out, "place", place_format(&announcement->place, text));
}

/* Likewise, after it: of both, where the addresses are counts for more. */
static void put_agent(struct encoder *out, const struct announcement *announcement)
{
	size_t needed = strlen(",\"agent\":\"\"}") + 2 * strlen(announcement->agent);

	if (announcement->agent[0] != '\0' && needed <= ANNOUNCEMENT_BODY_MAX - out->used)
		put_text(out, "agent", announcement->agent);
}

static void put_sender(struct encoder *out, const struct announcement *announcement)
{
	put_text(out, "name", announcement->name);
	put_ident(out, "instance", &announcement->instance);
	if (announcement->has_session || announcement->op == ANNOUNCEMENT_LOST)
		put_ident(out, "session", &announcement->session);
	if (announcement->op != ANNOUNCEMENT_LOST)
		put_number(out, "seq", announcement->seq);
}

static void put_fields(struct encoder *out, const struct announcement *announcement)
{
	switch (announcement->op) {
	case ANNOUNCEMENT_UP:
		put_sender(out, announcement);
		put_records(out, announcement);
		put_ports(out, announcement);
		put_number(out, "lease", announcement->lease_s);
		put_place(out, announcement);
		put_agent(out, announcement);
		break;
	case ANNOUNCEMENT_DOWN:
		put_sender(out, announcement);
		if (announcement->reason[0] != '\0')
			put_text(out, "reason", announcement->reason);
		break;
	case ANNOUNCEMENT_LOST:
		put_sender(out, announcement);
		break;
	case ANNOUNCEMENT_ROLLCALL:
		put_text(out, "host", announcement->host);
		put_ident(out, "nonce", &announcement->nonce);
		put_number(out, "spread_ms", announcement->spread_ms);
		break;
	case ANNOUNCEMENT_RESOLVES:
	case ANNOUNCEMENT_REFUSED:
		put_text(out, "name", announcement->name);
		put_text(out, "fqdn", announcement->fqdn);
		put_text(out, "host", announcement->host);
		if (announcement->op == ANNOUNCEMENT_REFUSED)
			put_text(out, "reason", announcement->reason);
		break;
	}
}

int announcement_encode(const struct announcement *announcement, char body[ANNOUNCEMENT_BODY_MAX])
{
	struct encoder out = {.body = body};

	put(&out, "{\"v\":1");
	put_text(&out, "op", op_names[announcement->op]);
	put_fields(&out, announcement);
	put(&out, "}");
	return out.failed ? -1 : (int)out.used;
}

/* ---- names of things on the broker ---- */

const char *announcement_key(enum announcement_op op, const char *name, char out[ANNOUNCEMENT_KEY_MAX + 1])
{
	snprintf(out, ANNOUNCEMENT_KEY_MAX + 1, "%s.%s", op_names[op], name);
	return out;
}

static bool equal_any_case(const char *text, const char *folded, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != folded[i])
			return false;
	}
	return true;
}

bool announcement_key_matches(const struct announcement *announcement, const char *key, size_t length)
{
	const char *op = op_names[announcement->op];
	size_t op_length = strlen(op);
	size_t name_length;

	if (announcement->op == ANNOUNCEMENT_ROLLCALL)
		return false; /* it has no name, and its exchange no keys */
	name_length = strlen(announcement->name);
	return length == op_length + 1 + name_length && equal_any_case(key, op, op_length) && key[op_length] == '.' &&
	       equal_any_case(key + op_length + 1, announcement->name, name_length);
}

const char *announcement_will_queue(const char *name, const struct ident *session, char out[QUEUE_WILL_SIZE])
{
	char text[IDENT_TEXT_SIZE];

	snprintf(out, QUEUE_WILL_SIZE, QUEUE_WILL_PREFIX "%s.%s", name, ident_format(session, text));
	return out;
}

const char *announcement_agent_queue(const char *host, const struct ident *session, char out[QUEUE_AGENT_SIZE])
{
	char text[IDENT_TEXT_SIZE];

	snprintf(out, QUEUE_AGENT_SIZE, QUEUE_AGENT_PREFIX "%s.%s", host, ident_format(session, text));
	return out;
}

bool announcement_is_agent_queue(const char *queue, size_t length, const struct ident *session)
{
	const size_t prefix = sizeof(QUEUE_AGENT_PREFIX) - 1, tail = 1 + IDENT_TEXT_LENGTH;
	char host[HOSTNAME_NAME_SIZE], text[IDENT_TEXT_SIZE];

	if (length <= prefix + tail || length >= QUEUE_AGENT_SIZE || memcmp(queue, QUEUE_AGENT_PREFIX, prefix) != 0)
		return false;
	if (queue[length - tail] != '.' || memcmp(queue + length - IDENT_TEXT_LENGTH, ident_format(session, text), IDENT_TEXT_LENGTH) != 0)
		return false;
	return hostname_fold(queue + prefix, length - prefix - tail, host) == HOSTNAME_OK && memcmp(queue + prefix, host, strlen(host)) == 0;
}

bool announcement_same_records(const struct announcement *a, const struct announcement *b)
{
	if (a->naddresses != b->naddresses || a->naliases != b->naliases || !place_equal(&a->place, &b->place))
		return false;
	for (unsigned i = 0; i < a->naddresses; i++)
		if (!address_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	for (unsigned i = 0; i < a->naliases; i++)
		if (strcmp(a->aliases[i], b->aliases[i]) != 0)
			return false;
	return announcement_ports_equal(a->ports, a->nports, b->ports, b->nports);
}
