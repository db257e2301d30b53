#include <config.h>

#include "busurl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/contract/hostname.h"

int busurl_refuse(char error[BUSCONF_ERROR_SIZE], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, BUSCONF_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return -1;
}

/* A part of a URL: bytes from begin up to, not including, end. */
struct part {
	const char *begin, *end;
};

static size_t part_length(struct part part)
{
	return (size_t)(part.end - part.begin);
}

static const char *part_find(struct part part, char c)
{
	return part.begin == part.end ? NULL : memchr(part.begin, c, part_length(part));
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* The byte that a part begins with, percent-decoded (RFC 3986, section 2.1), and the part without it; -1 if malformed.
 */
static int part_take(struct part *part)
{
	int high, low;

	if (*part->begin != '%')
		return (unsigned char)*part->begin++;
	if (part_length(*part) < 3)
		return -1;
	high = hex_value(part->begin[1]);
	low = hex_value(part->begin[2]);
	part->begin += 3;
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* A part decoded into new memory, or NULL with error. what names it there. */
static char *part_decode(struct part part, const char *what, size_t max, char error[BUSCONF_ERROR_SIZE])
{
	char *out = malloc(part_length(part) + 1);
	size_t used = 0;

	if (out == NULL) {
		busurl_refuse(error, "out of memory");
		return NULL;
	}
	while (part.begin < part.end) {
		int byte = part_take(&part);

		if (byte < 0x20 || byte == 0x7f) { /* includes -1 and NUL */
			busurl_refuse(error,
			       byte < 0 ? "the %s holds a '%%' without two hex digits (a '%%' itself is %%25)"
					: "the %s holds a control character",
			       what);
			goto fail;
		}
		out[used++] = (char)byte;
	}
	out[used] = '\0';
	if (used > 0 && used <= max)
		return out;
	busurl_refuse(error, used == 0 ? "the %s is empty" : "the %s is longer than %zu bytes", what, max);
fail:
	explicit_bzero(out, used);
	free(out);
	return NULL;
}

/* amqp:// or amqps://, case ignored (RFC 3986, section 3.1); url without it. */
static int take_scheme(struct part *url, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	if (part_length(*url) >= 7 && strncasecmp(url->begin, "amqp://", 7) == 0) {
		url->begin += 7;
	} else if (part_length(*url) >= 8 && strncasecmp(url->begin, "amqps://", 8) == 0) {
		url->begin += 8;
		out->tls = true;
	} else {
		return busurl_refuse(error, "the URL does not begin with amqp:// or amqps://");
	}
	out->port = out->tls ? 5671 : 5672;
	return 0;
}

static int check_characters(struct part url, char error[BUSCONF_ERROR_SIZE])
{
	for (const char *c = url.begin; c < url.end; c++) {
		if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f)
			return busurl_refuse(error, "the URL holds a blank, a control character or a byte that is not ASCII: "
					     "percent-encode it");
		if (*c == '?')
			return busurl_refuse(error, "the URL holds a '?': there are no query parameters here "
					     "(in a user, password or vhost write %%3F)");
		if (*c == '#')
			return busurl_refuse(error, "the URL holds a '#': there are no fragments here "
					     "(in a user, password or vhost write %%23)");
	}
	return 0;
}

static int parse_userinfo(struct part userinfo, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	const char *colon = part_find(userinfo, ':');
	struct part user = {userinfo.begin, colon == NULL ? userinfo.end : colon};
	struct part password;

	out->user = part_decode(user, "user", BUSURL_PART_MAX, error);
	if (out->user == NULL || colon == NULL)
		return out->user == NULL ? -1 : 0;
	password = (struct part){colon + 1, userinfo.end};
	if (part_find(password, ':') != NULL)
		return busurl_refuse(error, "there is more than one ':' before the '@' (in a password write %%3A)");
	if (part_length(password) == 0)
		return busurl_refuse(error, "the password is empty (without the ':' the configured password applies)");
	out->password = part_decode(password, "password", BUSCONF_PASSWORD_MAX, error);
	return out->password == NULL ? -1 : 0;
}

/* text: an address, or a name. "gateway" is a name like any other here; the bus gives it its meaning. */
static int check_host(char *text, bool bracketed, char error[BUSCONF_ERROR_SIZE])
{
	char folded[HOSTNAME_FQDN_SIZE];
	size_t length = strlen(text);
	const char *dot = strrchr(text, '.');
	struct address address;
	enum hostname_error problem;

	if (address_parse(text, length, &address) == 0 && (address.family == 6) == bracketed)
		return 0;
	if (bracketed)
		return busurl_refuse(error, "what stands in brackets is not an IPv6 address");
	if (strchr(text, ':') != NULL)
		return busurl_refuse(error, "the host holds a ':' (an IPv6 address goes in brackets)");
	problem = hostname_fold_fqdn(text, length, folded);
	if (problem != HOSTNAME_OK)
		return busurl_refuse(error, "the host is not a name: %s", hostname_error_text(problem));
	/* getaddrinfo() takes "10.1" for 10.0.0.1; the last label of a real name is never a number (RFC 1123,
	 * section 2.1). */
	if (dot == NULL ? strspn(text, "0123456789") == length : dot[1 + strspn(dot + 1, "0123456789")] == '\0')
		return busurl_refuse(error, "the host is a number, but not an IPv4 address of four parts");
	memcpy(text, folded, length + 1);
	return 0;
}

static int parse_port(struct part port, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	unsigned value = 0;

	for (const char *c = port.begin; c < port.end; c++) {
		if (*c < '0' || *c > '9')
			return busurl_refuse(error, "the port is not a number (is the '@' before the host missing?)");
		if (value <= UINT16_MAX)
			value = value * 10 + (unsigned)(*c - '0');
	}
	if (value == 0 || value > UINT16_MAX)
		return busurl_refuse(error, "the port is not 1 to 65535");
	out->port = (uint16_t)value;
	return 0;
}

/* HOST, HOST:PORT, [IPV6] or [IPV6]:PORT */
static int parse_hostport(struct part hostport, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	bool bracketed = hostport.begin < hostport.end && *hostport.begin == '[';
	struct part host = hostport;
	const char *rest;

	if (bracketed) {
		host.begin++;
		host.end = part_find(hostport, ']');
		if (host.end == NULL)
			return busurl_refuse(error, "a '[' without its ']'");
		rest = host.end + 1;
		if (rest < hostport.end && *rest != ':')
			return busurl_refuse(error, "only a port may follow the ']'");
	} else {
		rest = part_find(hostport, ':');
		if (rest == NULL)
			rest = hostport.end;
		host.end = rest;
	}
	/* A name's limit is less than a part's: left to check_host(), which has the words for it. */
	out->host = part_decode(host, "host", BUSURL_PART_MAX, error);
	if (out->host == NULL || check_host(out->host, bracketed, error) == -1)
		return -1;
	return rest == hostport.end ? 0 : parse_port((struct part){rest + 1, hostport.end}, out, error);
}

/*
 * What follows the host: a slash and the vhost's name, or nothing. A slash alone is the empty vhost by the letter of the specification, which
 * no RabbitMQ has; everybody who writes it means the vhost "/".
 */
static int parse_path(struct part path, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	if (part_length(path) <= 1) {
		out->vhost = strdup("/");
		return out->vhost == NULL ? busurl_refuse(error, "out of memory") : 0;
	}
	path.begin++;
	if (part_find(path, '/') != NULL)
		return busurl_refuse(error, "the vhost holds a '/': write %%2F");
	if (part_find(path, '@') != NULL)
		return busurl_refuse(error,
			      "an '@' behind the host: in a user or password write %%2F for '/' and %%40 for '@'");
	out->vhost = part_decode(path, "vhost", BUSURL_PART_MAX, error);
	return out->vhost == NULL ? -1 : 0;
}

int busurl_parse(const char *text, size_t length, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	struct part url = {text, text + length};
	struct part authority, path;
	const char *at;

	if (take_scheme(&url, out, error) == -1 || check_characters(url, error) == -1)
		return -1;
	path = (struct part){part_find(url, '/'), url.end};
	if (path.begin == NULL)
		path.begin = url.end;
	authority = (struct part){url.begin, path.begin};
	at = part_find(authority, '@');
	if (at == NULL) {
		out->user = strdup("guest");
		if (out->user == NULL)
			return busurl_refuse(error, "out of memory");
	} else {
		if (parse_userinfo((struct part){authority.begin, at}, out, error) == -1)
			return -1;
		authority.begin = at + 1;
	}
	if (part_find(authority, '@') != NULL)
		return busurl_refuse(error, "there is more than one '@' (in a user or password write %%40)");
	if (parse_hostport(authority, out, error) == -1)
		return -1;
	return parse_path(path, out, error);
}
