#include <config.h>

#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int address_parse(const char *text, size_t length, struct address *out)
{
	char terminated[ADDRESS_TEXT_SIZE];
	struct address parsed = {0};

	/* inet_pton() stops at a NUL, so that "10.0.0.1\0junk" would pass for an address. */
	if (length == 0 || length >= sizeof(terminated) || memchr(text, '\0', length) != NULL)
		return -1;
	memcpy(terminated, text, length);
	terminated[length] = '\0';
	if (inet_pton(AF_INET, terminated, parsed.bytes) == 1)
		parsed.family = 4;
	else if (inet_pton(AF_INET6, terminated, parsed.bytes) == 1)
		parsed.family = 6;
	else
		return -1;
	*out = parsed;
	return 0;
}

const char *address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE])
{
	if (inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, out, ADDRESS_TEXT_SIZE) == NULL)
		out[0] = '\0';
	return out;
}

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

int address_from_sockaddr(const struct sockaddr *sockaddr, struct address *out)
{
	struct address address = {0};
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (sockaddr->sa_family) {
	case AF_INET:
		/* Copied, not cast: the caller's buffer need not be aligned for it. */
		memcpy(&in, sockaddr, sizeof(in));
		address.family = 4;
		memcpy(address.bytes, &in.sin_addr, 4);
		break;
	case AF_INET6:
		memcpy(&in6, sockaddr, sizeof(in6));
		if (memcmp(&in6.sin6_addr, mapped_prefix, sizeof(mapped_prefix)) == 0) {
			address.family = 4;
			memcpy(address.bytes, in6.sin6_addr.s6_addr + sizeof(mapped_prefix), 4);
		} else {
			address.family = 6;
			memcpy(address.bytes, &in6.sin6_addr, 16);
		}
		break;
	default:
		return -1;
	}
	*out = address;
	return 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int address_compare(const struct address *a, const struct address *b)
{
	return memcmp(a, b, sizeof(*a));
}

/* The blocks that must never be announced, in the order in which they are tried: an address gets its narrowest reason.
 */
static const struct unusable {
	struct prefix prefix;
	const char *why;
} unusable[] = {
	{{{4, {0}}, 8}, "an address of 'this network' (0.0.0.0/8)"},
	{{{4, {127}}, 8}, "a loopback address (127.0.0.0/8)"},
	{{{4, {169, 254}}, 16}, "a link-local address (169.254.0.0/16)"},
	{{{4, {224}}, 4}, "a multicast address (224.0.0.0/4)"},
	{{{4, {255, 255, 255, 255}}, 32}, "the broadcast address"},
	{{{4, {240}}, 4}, "a reserved address (240.0.0.0/4)"},
	{{{6, {0}}, 128}, "the unspecified address (::)"},
	{{{6, {[15] = 1}}, 128}, "the loopback address (::1)"},
	{{{6, {0}}, 96}, "an IPv4-compatible address (::/96)"},
	{{{6, {[10] = 0xff, [11] = 0xff}}, 96}, "an IPv4-mapped address (::ffff:0:0/96)"},
	{{{6, {0xfe, 0x80}}, 10}, "a link-local address (fe80::/10)"},
	{{{6, {0xfe, 0xc0}}, 10}, "a site-local address (fec0::/10)"},
	{{{6, {0xff}}, 8}, "a multicast address (ff00::/8)"},
};

const char *address_unusable(const struct address *address)
{
	for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++)
		if (prefix_contains(&unusable[i].prefix, address))
			return unusable[i].why;
	return NULL;
}

/* One to three decimal digits without a leading zero, at most max; -1 if they are not. */
static int parse_length(const char *text, size_t length, int max)
{
	int value = 0;

	if (length == 0 || length > 3 || (length > 1 && text[0] == '0'))
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value <= max ? value : -1;
}

/* Byte number i of the netmask for a prefix of so many bits. */
static uint8_t mask_byte(unsigned bits, unsigned i)
{
	if (bits >= (i + 1) * 8)
		return 0xff;
	if (bits <= i * 8)
		return 0;
	return (uint8_t)(0xff << (8 - (bits - i * 8)));
}

int prefix_parse(const char *text, size_t length, struct prefix *out)
{
	const char *slash = length == 0 ? NULL : memchr(text, '/', length);
	size_t address_length = slash == NULL ? length : (size_t)(slash - text);
	struct prefix prefix;
	int bits;

	if (address_parse(text, address_length, &prefix.base) == -1)
		return -1;
	bits = prefix.base.family == 4 ? 32 : 128;
	if (slash != NULL)
		bits = parse_length(slash + 1, length - address_length - 1, bits);
	if (bits == -1)
		return -1;
	prefix.length = (uint8_t)bits;
	for (unsigned i = 0; i < sizeof(prefix.base.bytes); i++)
		if (prefix.base.bytes[i] & (uint8_t)~mask_byte(prefix.length, i))
			return -1;
	*out = prefix;
	return 0;
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
	unsigned whole = prefix->length / 8;

	if (prefix->base.family != address->family || memcmp(prefix->base.bytes, address->bytes, whole) != 0)
		return false;
	if (prefix->length % 8 == 0)
		return true;
	return ((prefix->base.bytes[whole] ^ address->bytes[whole]) & mask_byte(prefix->length, whole)) == 0;
}
