#include <config.h>

#include "hostsfile_line.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "registry/served.h"
#include "shared/clock.h"

/* A line is of our form to the letter, or it is nothing: anyone may have cut, edited or planted the file. */

/* The next word, ended by one blank or by the end. Its length; 0: there is none. */
static size_t take_word(struct text *text, const char **word)
{
	const char *blank = memchr(text->at, ' ', (size_t)(text->end - text->at));
	size_t length;

	*word = text->at;
	length = (size_t)((blank != NULL ? blank : text->end) - text->at);
	text->at += length;
	if (blank != NULL && ++text->at == text->end)
		return 0; /* a blank at the end of the line */
	return length;
}

bool hostsfile_take(struct text *text, const char *literal)
{
	size_t length = strlen(literal);

	if ((size_t)(text->end - text->at) < length || memcmp(text->at, literal, length) != 0)
		return false;
	text->at += length;
	return true;
}

/* The name in NAME.DOMAIN, which must be folded already. 0, or -1. */
static int parse_below(const char *word, size_t length, const char *domain, char out[HOSTNAME_NAME_SIZE])
{
	size_t domain_length = strlen(domain), name_length;

	if (length <= domain_length + 1 || length > HOSTNAME_FQDN_MAX ||
	    memcmp(word + length - domain_length, domain, domain_length) != 0 ||
	    word[length - domain_length - 1] != '.')
		return -1;
	name_length = length - domain_length - 1;
	if (hostname_fold(word, name_length, out) != HOSTNAME_OK || memcmp(word, out, name_length) != 0)
		return -1;
	return 0;
}

/* Likewise below any of the domains: the number of it (there is at most one, since none is below another), or -1. */
static int parse_fqdn(const char *word, size_t length, const struct hostsfile_domains *domains, char out[HOSTNAME_NAME_SIZE])
{
	for (unsigned i = 0; i < domains->count; i++)
		if (parse_below(word, length, domains->names[i], out) == 0)
			return (int)i;
	return -1;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A percent-encoded word. The empty one is fine: no user. 0, or -1. */
static int parse_user(const char *word, size_t length, char out[POLICY_USER_MAX + 1])
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		int c = (unsigned char)word[i];

		if (c == '%') {
			if (length - i < 3 || hex_digit(word[i + 1]) < 0 || hex_digit(word[i + 2]) < 0)
				return -1;
			c = hex_digit(word[i + 1]) * 16 + hex_digit(word[i + 2]);
			i += 2;
		} else if (!isalnum(c) && strchr("-._~", c) == NULL) {
			return -1;
		}
		if (c == 0 || used == POLICY_USER_MAX)
			return -1;
		out[used++] = (char)c;
	}
	out[used] = '\0';
	return 0;
}

/* Milliseconds in decimal, without a sign. 0, or -1. */
static int parse_ms(const char *word, size_t length, int64_t *out)
{
	int64_t value = 0;

	if (length == 0 || length > 18) /* what surely fits into 63 bits */
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (word[i] < '0' || word[i] > '9')
			return -1;
		value = value * 10 + (word[i] - '0');
	}
	*out = value;
	return 0;
}

struct names {
	unsigned count;
	char list[ANNOUNCEMENT_ALIASES_MAX + 1][HOSTNAME_NAME_SIZE];
	uint32_t domains[ANNOUNCEMENT_ALIASES_MAX + 1]; /* of each, a bit each */
};

/* 0, or -1: it is there in this domain already, or there are too many. */
static int add_name(struct names *names, const char name[HOSTNAME_NAME_SIZE], int domain)
{
	uint32_t bit = UINT32_C(1) << domain;
	unsigned i = 0;

	while (i < names->count && strcmp(names->list[i], name) != 0)
		i++;
	if (i == ANNOUNCEMENT_ALIASES_MAX + 1 || (i < names->count && (names->domains[i] & bit) != 0))
		return -1;
	if (i == names->count) {
		memset(names->list[i], 0, sizeof(names->list[i]));
		memcpy(names->list[i], name, strlen(name));
		names->domains[i] = 0;
		names->count++;
	}
	names->domains[i] |= bit;
	return 0;
}

/* The listed names, up to " # ". The first goes into aliases too: only the comment tells whether it is the instance's
 * own. 0, or -1. */
static int parse_names(struct text *text, const struct hostsfile_domains *domains, struct names *names)
{
	char name[HOSTNAME_NAME_SIZE];
	const char *word;
	size_t length;
	int domain;

	for (names->count = 0;;) {
		length = take_word(text, &word);
		if (length == 1 && *word == '#')
			return names->count > 0 ? 0 : -1;
		domain = length > 0 ? parse_fqdn(word, length, domains, name) : -1;
		if (domain < 0 || add_name(names, name, domain) < 0)
			return -1;
	}
}

static int parse_ident(struct text *text, struct ident *out)
{
	const char *word;
	size_t length = take_word(text, &word);

	return ident_parse(word, length, out);
}

/* name=NAME: the instance's own name, which is not among those listed. 0, or -1. */
static int parse_own_name(struct text *text, const struct names *names, char own[HOSTNAME_NAME_SIZE])
{
	const char *word;
	size_t length = take_word(text, &word);

	if (hostname_fold(word, length, own) != HOSTNAME_OK || memcmp(word, own, length) != 0)
		return -1;
	for (unsigned i = 0; i < names->count; i++)
		if (strcmp(names->list[i], own) == 0)
			return -1;
	return 0;
}

static int set_names(struct hostsfile_record *record, const struct names *names, const char *own)
{
	struct announcement *message = &record->message;
	unsigned first = own == NULL ? 1 : 0;

	if (names->count - first > ANNOUNCEMENT_ALIASES_MAX)
		return -1;
	memcpy(message->name, own != NULL ? own : names->list[0], HOSTNAME_NAME_SIZE);
	message->naliases = names->count - first;
	memcpy(message->aliases, names->list + first, message->naliases * sizeof(names->list[0]));
	record->listed.names[0] = own == NULL ? names->domains[0] : 0;
	memcpy(record->listed.names + 1, names->domains + first, message->naliases * sizeof(names->domains[0]));
	return 0;
}

/* NAME:NUMBER,NAME:NUMBER, sorted by name: what hostsfile.c writes of the same ports. 0, or -1. */
static int parse_ports(const char *word, size_t length, struct announcement *message)
{
	const char *end = word + length;
	struct announcement_port port;

	memset(&port, 0, sizeof(port));
	for (; word < end; word++) {
		const char *colon = memchr(word, ':', (size_t)(end - word));
		const char *comma = memchr(word, ',', (size_t)(end - word));
		const char *stop = comma != NULL ? comma : end;
		char name[ANNOUNCEMENT_PORT_NAME_MAX + 1];

		if (colon == NULL || colon > stop || announcement_port_name(word, (size_t)(colon - word), name) != NULL ||
		    memcmp(word, name, (size_t)(colon - word)) != 0 || strcmp(port.name, name) >= 0)
			return -1;
		memcpy(port.name, name, sizeof(name));
		port.port = announcement_port_number(colon + 1, (size_t)(stop - colon - 1));
		if (port.port == 0 || announcement_port_add(message->ports, &message->nports, &port) != NULL)
			return -1;
		word = stop;
		if (comma != NULL && comma + 1 == end)
			return -1;
	}
	return length > 0 ? 0 : -1;
}

/* What stands behind "# ", its keys in this order. 0, or -1. */
static int parse_comment(struct text *text, struct hostsfile_record *record, const struct names *names)
{
	struct announcement *message = &record->message;
	char own[HOSTNAME_NAME_SIZE];
	const char *word;
	bool has_own = false;
	size_t length;

	if (!hostsfile_take(text, "instance=") || parse_ident(text, &message->instance) < 0)
		return -1;
	message->has_session = hostsfile_take(text, "session=");
	if (message->has_session && parse_ident(text, &message->session) < 0)
		return -1;
	if (!hostsfile_take(text, "user="))
		return -1;
	length = take_word(text, &word);
	if (parse_user(word, length, record->user) < 0)
		return -1;
	has_own = hostsfile_take(text, "name=");
	if (has_own && parse_own_name(text, names, own) < 0)
		return -1;
	if (hostsfile_take(text, "until=")) {
		length = take_word(text, &word);
		if (parse_ms(word, length, &record->until_ms) < 0)
			return -1;
	}
	if (hostsfile_take(text, "ports=")) {
		length = take_word(text, &word);
		if (parse_ports(word, length, message) < 0)
			return -1;
	}
	return text->at == text->end ? set_names(record, names, has_own ? own : NULL) : -1;
}

/* Nothing said. There is a record of each line of a file, and room for the aliases is most of it: what none of them is says their number. */
static void record_clear(struct hostsfile_record *record)
{
	struct announcement *message = &record->message;

	memset(message, 0, offsetof(struct announcement, aliases));
	memset(&message->nports, 0, sizeof(*message) - offsetof(struct announcement, nports));
	memset(&record->listed, 0, sizeof(record->listed));
	record->user[0] = '\0';
	record->until_ms = CLOCK_NEVER;
	message->op = ANNOUNCEMENT_UP;
}

int hostsfile_line_instance(struct text text, const struct hostsfile_domains *domains, struct hostsfile_record *record)
{
	struct address address;
	struct names names;
	const char *word;
	size_t length = take_word(&text, &word);

	record_clear(record);
	if (address_parse(word, length, &address) < 0 || address_unusable(&address) != NULL)
		return -1;
	record->message.addresses[0] = address;
	record->message.naddresses = 1;
	record->listed.addresses = 1;
	if (parse_names(&text, domains, &names) < 0)
		return -1;
	/* Those that are served are not all: these are. */
	if (hostsfile_take(&text, HOSTSFILE_NAMES) && parse_names(&text, domains, &names) < 0)
		return -1;
	return parse_comment(&text, record, &names);
}

uint32_t hostsfile_line_serial(struct text text, const struct hostsfile_domains *domains)
{
	char name[HOSTNAME_NAME_SIZE];
	struct address address;
	const char *word;
	size_t length = take_word(&text, &word);
	uint32_t serial;

	if (address_parse(word, length, &address) < 0 || address.family != 4)
		return HOSTSFILE_SERIAL_NONE;
	serial = (uint32_t)address.bytes[0] << 24 | (uint32_t)address.bytes[1] << 16 | (uint32_t)address.bytes[2] << 8 |
		 address.bytes[3];
	length = take_word(&text, &word);
	if (serial < HOSTSFILE_SERIAL_MIN || serial > HOSTSFILE_SERIAL_MAX || text.at != text.end ||
	    parse_below(word, length, domains->names[0], name) < 0 || strcmp(name, SERVED_SERIAL_NAME) != 0)
		return HOSTSFILE_SERIAL_NONE;
	return serial;
}

bool hostsfile_line_own(struct text text, const struct hostsfile_domains *domains)
{
	char name[HOSTNAME_NAME_SIZE];
	struct address address;
	const char *word;
	size_t length = take_word(&text, &word);

	if (address_parse(word, length, &address) < 0)
		return false;
	do {
		length = take_word(&text, &word);
		if (length == 0 || parse_fqdn(word, length, domains, name) < 0)
			return false;
	} while (text.at < text.end && *text.at != '#');
	return hostsfile_take(&text, &HOSTSFILE_OWN[1]) && text.at == text.end;
}

static bool same_or_below(const char *name, const char *base)
{
	size_t length = strlen(name), tail = strlen(base);

	return length >= tail && strcmp(name + length - tail, base) == 0 && (length == tail || name[length - tail - 1] == '.');
}

static int add_domain(struct hostsfile_domains *out, const char *word, size_t length)
{
	char name[HOSTNAME_FQDN_SIZE];

	if (out->count == POLICY_DOMAINS_MAX || hostname_fold_fqdn(word, length, name) != HOSTNAME_OK || memcmp(word, name, length) != 0)
		return -1;
	for (unsigned i = 0; i < out->count; i++)
		if (same_or_below(name, out->names[i]) || same_or_below(out->names[i], name))
			return -1;
	memcpy(out->names[out->count++], name, length + 1);
	return 0;
}

int hostsfile_line_domains(struct text text, struct hostsfile_domains *out)
{
	const char *word;
	size_t length;

	out->count = 0;
	if (!hostsfile_take(&text, HOSTSFILE_DOMAINS " ") || text.at == text.end)
		return -1;
	while (text.at < text.end) {
		length = take_word(&text, &word);
		if (length == 0 || add_domain(out, word, length) < 0)
			return -1;
	}
	return 0;
}

static bool has_address(const struct announcement *message, const struct address *address)
{
	for (unsigned i = 0; i < message->naddresses; i++)
		if (address_equal(&message->addresses[i], address))
			return true;
	return false;
}

/* Its number; their count: it is not among them. */
static unsigned find_alias(const struct announcement *message, const char *alias)
{
	unsigned i = 0;

	while (i < message->naliases && strcmp(message->aliases[i], alias) != 0)
		i++;
	return i;
}

int hostsfile_line_add(struct hostsfile_record *record, const struct hostsfile_record *other)
{
	struct announcement *message = &record->message;
	const struct announcement *more = &other->message;
	unsigned fresh = 0;

	for (unsigned i = 0; i < more->naliases; i++)
		fresh += find_alias(message, more->aliases[i]) == message->naliases;
	if (message->naliases + fresh > ANNOUNCEMENT_ALIASES_MAX || message->naddresses == ANNOUNCEMENT_ADDRESSES_MAX ||
	    has_address(message, &more->addresses[0]))
		return -1;
	record->listed.names[0] |= other->listed.names[0];
	for (unsigned i = 0; i < more->naliases; i++) {
		unsigned j = find_alias(message, more->aliases[i]);

		if (j == message->naliases)
			memcpy(message->aliases[message->naliases++], more->aliases[i], sizeof(more->aliases[i]));
		record->listed.names[1 + j] |= other->listed.names[1 + i];
	}
	record->listed.addresses |= (other->listed.addresses & 1) << message->naddresses;
	message->addresses[message->naddresses++] = more->addresses[0];
	return 0;
}
