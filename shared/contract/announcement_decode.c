#include <config.h>

#include "announcement_decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/jsonarena.h"
#include "shared/log.h"

/* A message on its way in: what it is read from, where it goes, and where the reason goes if it is refused. */
struct decoder {
	const json_t *root;
	struct announcement *out;
	char *error; /* ANNOUNCEMENT_ERROR_SIZE bytes */
};

#define EXCERPT_SIZE 80 /* of untrusted text in an error, escaped */

__attribute__((format(printf, 2, 3))) static int refuse(const struct decoder *in, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(in->error, ANNOUNCEMENT_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return -1;
}

/* A string's bytes (valid as long as root is), NULL if the key is missing or holds something else: then it was refused.
 */
static const char *get_string(const struct decoder *in, const char *key, size_t *length)
{
	const json_t *value = json_object_get(in->root, key);

	if (json_is_string(value)) {
		*length = json_string_length(value);
		return json_string_value(value);
	}
	refuse(in, value == NULL ? "'%s' is missing" : "'%s' is not a string", key);
	return NULL;
}

static int get_integer(const struct decoder *in, const char *key, int64_t min, int64_t max, int64_t *out)
{
	const json_t *value = json_object_get(in->root, key);
	json_int_t number;

	if (!json_is_integer(value))
		return refuse(in, value == NULL ? "'%s' is missing" : "'%s' is not an integer", key);
	number = json_integer_value(value);
	if (number < min || number > max)
		return refuse(in, "'%s' is %lld, not %lld to %lld", key, (long long)number, (long long)min,
			      (long long)max);
	*out = number;
	return 0;
}

static int get_ident(const struct decoder *in, const char *key, struct ident *out)
{
	char excerpt[EXCERPT_SIZE];
	size_t length;
	const char *text = get_string(in, key, &length);

	if (text == NULL)
		return -1;
	if (ident_parse(text, length, out) == -1)
		return refuse(in, "'%s' is not 32 lower-case hex digits: '%s'", key,
			      log_safe(excerpt, sizeof(excerpt), text, length));
	return 0;
}

static int refuse_name(const struct decoder *in, const char *key, const char *text, size_t length,
		       enum hostname_error error)
{
	char excerpt[EXCERPT_SIZE];

	return refuse(in, "'%s' is '%s': %s", key, log_safe(excerpt, sizeof(excerpt), text, length),
		      hostname_error_text(error));
}

static int get_name(const struct decoder *in)
{
	enum hostname_error error;
	size_t length;
	const char *text = get_string(in, "name", &length);

	if (text == NULL)
		return -1;
	error = hostname_fold(text, length, in->out->name);
	return error == HOSTNAME_OK ? 0 : refuse_name(in, "name", text, length, error);
}

static int get_fqdn(const struct decoder *in, const char *key, char out[HOSTNAME_FQDN_SIZE], bool may_be_empty)
{
	enum hostname_error error;
	size_t length;
	const char *text = get_string(in, key, &length);

	if (text == NULL)
		return -1;
	error = hostname_fold_fqdn(text, length, out);
	if (error == HOSTNAME_OK || (error == HOSTNAME_EMPTY && may_be_empty))
		return 0;
	return refuse_name(in, key, text, length, error);
}

/* What up, down and lost begin with. */
static int get_sender(const struct decoder *in, bool session_required)
{
	if (get_name(in) == -1 || get_ident(in, "instance", &in->out->instance) == -1)
		return -1;
	in->out->has_session = session_required || json_object_get(in->root, "session") != NULL;
	return in->out->has_session ? get_ident(in, "session", &in->out->session) : 0;
}

static int get_seq(const struct decoder *in)
{
	int64_t seq;

	if (get_integer(in, "seq", 1, ANNOUNCEMENT_SEQ_MAX, &seq) == -1)
		return -1;
	in->out->seq = (uint64_t)seq;
	return 0;
}

static int add_address(const struct decoder *in, const char *text, size_t length)
{
	struct announcement *out = in->out;
	struct address *address = &out->addresses[out->naddresses];
	char excerpt[EXCERPT_SIZE];
	const char *why;

	if (address_parse(text, length, address) == -1)
		return refuse(in, "'addresses' holds '%s', which is not an IPv4 or IPv6 address",
			      log_safe(excerpt, sizeof(excerpt), text, length));
	why = address_unusable(address);
	if (why != NULL)
		return refuse(in, "'addresses' holds %s, %s", log_safe(excerpt, sizeof(excerpt), text, length), why);
	for (unsigned i = 0; i < out->naddresses; i++)
		if (address_equal(&out->addresses[i], address))
			return refuse(in, "'addresses' holds %s twice",
				      log_safe(excerpt, sizeof(excerpt), text, length));
	out->naddresses++;
	return 0;
}

static int add_alias(const struct decoder *in, const char *text, size_t length)
{
	struct announcement *out = in->out;
	char *alias = out->aliases[out->naliases];
	enum hostname_error error = hostname_fold(text, length, alias);

	if (error != HOSTNAME_OK)
		return refuse_name(in, "aliases", text, length, error);
	if (strcmp(alias, out->name) == 0)
		return refuse(in, "'aliases' holds the name itself");
	for (unsigned i = 0; i < out->naliases; i++)
		if (strcmp(out->aliases[i], alias) == 0)
			return refuse(in, "'aliases' holds one twice: %.63s%s", alias,
				      strlen(alias) > 63 ? "..." : "");
	out->naliases++;
	return 0;
}

static int get_list(const struct decoder *in, const char *key, size_t min, size_t max,
		    int (*add)(const struct decoder *in, const char *text, size_t length))
{
	const json_t *list = json_object_get(in->root, key);
	size_t size = json_array_size(list); /* 0 for anything but an array */

	if (list == NULL && min == 0)
		return 0;
	if (!json_is_array(list))
		return refuse(in, list == NULL ? "'%s' is missing" : "'%s' is not an array", key);
	if (size < min)
		return refuse(in, "'%s' is empty", key);
	if (size > max)
		return refuse(in, "'%s' holds %zu entries, more than %zu", key, size, max);
	for (size_t i = 0; i < size; i++) {
		const json_t *entry = json_array_get(list, i);

		if (!json_is_string(entry))
			return refuse(in, "'%s' holds something that is not a string", key);
		if (add(in, json_string_value(entry), json_string_length(entry)) == -1)
			return -1;
	}
	return 0;
}

static int add_port(const struct decoder *in, const char *name, const json_t *number)
{
	struct announcement *out = in->out;
	struct announcement_port port = {0};
	char excerpt[EXCERPT_SIZE];
	const char *fault = announcement_port_name(name, strlen(name), port.name);

	if (fault != NULL)
		return refuse(in, "'ports' holds '%s', which is no service's name: %s",
			      log_safe(excerpt, sizeof(excerpt), name, strlen(name)), fault);
	if (!json_is_integer(number) || json_integer_value(number) < 1 || json_integer_value(number) > UINT16_MAX)
		return refuse(in, "'ports' holds '%s' with something that is not an integer from 1 to 65535",
			      port.name);
	port.port = (uint16_t)json_integer_value(number);
	fault = announcement_port_add(out->ports, &out->nports, &port);
	return fault == NULL ? 0 : refuse(in, "'ports' holds '%s': %s", port.name, fault);
}

static int get_ports(const struct decoder *in)
{
	json_t *ports = json_object_get(in->root, "ports"), *number;
	const char *name;

	if (ports == NULL)
		return 0;
	if (!json_is_object(ports))
		return refuse(in, "'ports' is not an object");
	if (json_object_size(ports) > ANNOUNCEMENT_PORTS_MAX)
		return refuse(in, "'ports' holds %zu entries, more than %d", json_object_size(ports),
			      ANNOUNCEMENT_PORTS_MAX);
	json_object_foreach (ports, name, number)
		if (add_port(in, name, number) == -1)
			return -1;
	return 0;
}

/* Without a session nobody notices when it is true no more (the host has booted): then it counts for nothing, but must still be well-formed. */
static int get_place(const struct decoder *in)
{
	char excerpt[EXCERPT_SIZE];
	struct place place;
	const char *text;
	size_t length;

	if (json_object_get(in->root, "place") == NULL)
		return 0;
	text = get_string(in, "place", &length);
	if (text == NULL)
		return -1;
	if (place_parse(text, length, &place) == -1)
		return refuse(in, "'place' is not HOST/NETNS, 16 lower-case hex digits each: '%s'",
			      log_safe(excerpt, sizeof(excerpt), text, length));
	if (in->out->has_session)
		in->out->place = place;
	return 0;
}

static bool is_printable(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return true;
}

static int get_agent(const struct decoder *in)
{
	const char *text;
	size_t length;

	if (json_object_get(in->root, "agent") == NULL)
		return 0;
	text = get_string(in, "agent", &length);
	if (text == NULL)
		return -1;
	if (length == 0 || length > ANNOUNCEMENT_AGENT_MAX || !is_printable(text, length))
		return refuse(in, "'agent' is not 1 to %d printable ASCII characters", ANNOUNCEMENT_AGENT_MAX);
	memcpy(in->out->agent, text, length);
	in->out->agent[length] = '\0';
	return 0;
}

static int decode_up(const struct decoder *in)
{
	int64_t lease_s;

	if (get_sender(in, false) == -1 || get_seq(in) == -1 ||
	    get_list(in, "addresses", 1, ANNOUNCEMENT_ADDRESSES_MAX, add_address) == -1 ||
	    get_list(in, "aliases", 0, ANNOUNCEMENT_ALIASES_MAX, add_alias) == -1 ||
	    get_ports(in) == -1 || get_place(in) == -1 || get_agent(in) == -1 ||
	    get_integer(in, "lease", ANNOUNCEMENT_LEASE_MIN_S, ANNOUNCEMENT_LEASE_MAX_S, &lease_s) == -1)
		return -1;
	in->out->lease_s = (uint32_t)lease_s;
	return 0;
}

static int get_reason(const struct decoder *in)
{
	size_t length;
	const char *reason = get_string(in, "reason", &length);

	if (reason == NULL)
		return -1;
	if (length > ANNOUNCEMENT_REASON_MAX || !is_printable(reason, length))
		return refuse(in, "'reason' is not up to %d printable ASCII characters", ANNOUNCEMENT_REASON_MAX);
	memcpy(in->out->reason, reason, length + 1);
	return 0;
}

static int decode_down(const struct decoder *in)
{
	if (get_sender(in, false) == -1 || get_seq(in) == -1)
		return -1;
	return json_object_get(in->root, "reason") == NULL ? 0 : get_reason(in);
}

static int decode_lost(const struct decoder *in)
{
	return get_sender(in, true);
}

static int decode_rollcall(const struct decoder *in)
{
	int64_t spread_ms;

	if (get_fqdn(in, "host", in->out->host, false) == -1 || get_ident(in, "nonce", &in->out->nonce) == -1 ||
	    get_integer(in, "spread_ms", 0, ANNOUNCEMENT_SPREAD_MAX_MS, &spread_ms) == -1)
		return -1;
	in->out->spread_ms = (uint32_t)spread_ms;
	return 0;
}

static int decode_resolves(const struct decoder *in)
{
	if (get_name(in) == -1 || get_fqdn(in, "fqdn", in->out->fqdn, false) == -1)
		return -1;
	return get_fqdn(in, "host", in->out->host, false);
}

static int decode_refused(const struct decoder *in)
{
	/* A name that a host refuses may have no FQDN: with the domain it can be too long. */
	if (get_name(in) == -1 || get_fqdn(in, "fqdn", in->out->fqdn, true) == -1 ||
	    get_fqdn(in, "host", in->out->host, false) == -1)
		return -1;
	return get_reason(in);
}

static int (*const decoders[])(const struct decoder *in) = {
	[ANNOUNCEMENT_UP] = decode_up,
	[ANNOUNCEMENT_DOWN] = decode_down,
	[ANNOUNCEMENT_LOST] = decode_lost,
	[ANNOUNCEMENT_ROLLCALL] = decode_rollcall,
	[ANNOUNCEMENT_RESOLVES] = decode_resolves,
	[ANNOUNCEMENT_REFUSED] = decode_refused,
};

static int decode_root(const struct decoder *in)
{
	char excerpt[EXCERPT_SIZE];
	const char *text;
	size_t length;
	int64_t version;

	if (!json_is_object(in->root))
		return refuse(in, "not a JSON object");
	/* The version first: in another one, everything else may mean something else. */
	if (get_integer(in, "v", ANNOUNCEMENT_VERSION, ANNOUNCEMENT_VERSION, &version) == -1)
		return -1;
	text = get_string(in, "op", &length);
	if (text == NULL)
		return -1;
	for (size_t op = 0; op < sizeof(decoders) / sizeof(decoders[0]); op++)
		if (strcmp(text, announcement_op_name((enum announcement_op)op)) == 0) {
			in->out->op = (enum announcement_op)op;
			return decoders[op](in);
		}
	return refuse(in, "unknown 'op': '%s'", log_safe(excerpt, sizeof(excerpt), text, length));
}

static int refuse_json(const struct decoder *in, const json_error_t *error)
{
	/* "duplicate object key near '...'": what is near is untrusted, and the position tells as much. */
	const char *near = strstr(error->text, " near ");
	size_t length = near == NULL ? strlen(error->text) : (size_t)(near - error->text);

	return refuse(in, "not valid JSON at byte %d: %.*s", error->position, (int)length, error->text);
}

int announcement_decode_any(const void *body, size_t length, struct announcement *out, char error[ANNOUNCEMENT_ERROR_SIZE])
{
	struct decoder in = {.out = out, .error = error};
	json_error_t json_error;

	announcement_decode_begin(out);
	if (length > ANNOUNCEMENT_BODY_MAX)
		return refuse(&in, "%zu bytes, more than %d", length, ANNOUNCEMENT_BODY_MAX);
	if (length == 0)
		return refuse(&in, "an empty body");
	/* Without JSON_ALLOW_NUL, so that every string's length is its strlen(). */
	in.root = jsonarena_load(body, length, JSON_REJECT_DUPLICATES, &json_error);
	if (in.root == NULL)
		return refuse_json(&in, &json_error);
	return decode_root(&in);
}

int announcement_decode(const void *body, size_t length, struct announcement *out, char error[ANNOUNCEMENT_ERROR_SIZE])
{
	if (length <= ANNOUNCEMENT_BODY_MAX && announcement_decode_plain(body, length, out))
		return 0;
	return announcement_decode_any(body, length, out, error);
}
