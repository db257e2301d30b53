#include <config.h>

#include "busconf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostname.h"

#define PART_MAX     255  /* bytes of a user or vhost: AMQP 0-9-1 short strings */
#define PASSWORD_MAX 1024 /* bytes */

/*
 * No error here quotes the URL: a forgotten or stray character makes a part of the password look like a host or a port,
 * and these errors go to logs.
 */
__attribute__((format(printf, 2, 3))) static int refuse(char error[BUSCONF_ERROR_SIZE], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, BUSCONF_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return -1;
}

void busconf_init(struct busconf *conf)
{
	*conf = (struct busconf){.tls.verify = true, .heartbeat_s = BUS_HEARTBEAT_S};
}

static void wipe_and_free(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void endpoint_clear(struct bus_endpoint *endpoint)
{
	free(endpoint->host);
	free(endpoint->vhost);
	free(endpoint->user);
	wipe_and_free(endpoint->password);
	*endpoint = (struct bus_endpoint){0};
}

static void endpoints_free(struct bus_endpoint *endpoints, size_t count)
{
	for (size_t i = 0; i < count; i++)
		endpoint_clear(&endpoints[i]);
	free(endpoints);
}

void busconf_clear(struct busconf *conf)
{
	endpoints_free(conf->endpoints, conf->nendpoints);
	free(conf->tls.ca);
	free(conf->tls.cert);
	free(conf->tls.key);
	free(conf->tls.server_name);
	busconf_init(conf);
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
		refuse(error, "out of memory");
		return NULL;
	}
	while (part.begin < part.end) {
		int byte = part_take(&part);

		if (byte < 0x20 || byte == 0x7f) { /* includes -1 and NUL */
			refuse(error,
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
	refuse(error, used == 0 ? "the %s is empty" : "the %s is longer than %zu bytes", what, max);
fail:
	explicit_bzero(out, used);
	free(out);
	return NULL;
}

/* amqp:// or amqps://, case ignored (RFC 3986, section 3.1); url without it. */
static int take_scheme(struct part *url, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	if (strncasecmp(url->begin, "amqp://", 7) == 0 && part_length(*url) >= 7) {
		url->begin += 7;
	} else if (strncasecmp(url->begin, "amqps://", 8) == 0 && part_length(*url) >= 8) {
		url->begin += 8;
		out->tls = true;
	} else {
		return refuse(error, "the URL does not begin with amqp:// or amqps://");
	}
	out->port = out->tls ? 5671 : 5672;
	return 0;
}

static int check_characters(struct part url, char error[BUSCONF_ERROR_SIZE])
{
	for (const char *c = url.begin; c < url.end; c++) {
		if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f)
			return refuse(error, "the URL holds a blank, a control character or a byte that is not ASCII: "
					     "percent-encode it");
		if (*c == '?')
			return refuse(error, "the URL holds a '?': there are no query parameters here "
					     "(in a user, password or vhost write %%3F)");
		if (*c == '#')
			return refuse(error, "the URL holds a '#': there are no fragments here "
					     "(in a user, password or vhost write %%23)");
	}
	return 0;
}

static int parse_userinfo(struct part userinfo, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	const char *colon = part_find(userinfo, ':');
	struct part user = {userinfo.begin, colon == NULL ? userinfo.end : colon};
	struct part password;

	out->user = part_decode(user, "user", PART_MAX, error);
	if (out->user == NULL || colon == NULL)
		return out->user == NULL ? -1 : 0;
	password = (struct part){colon + 1, userinfo.end};
	if (part_find(password, ':') != NULL)
		return refuse(error, "there is more than one ':' before the '@' (in a password write %%3A)");
	if (part_length(password) == 0)
		return refuse(error, "the password is empty (without the ':' the configured password applies)");
	out->password = part_decode(password, "password", PASSWORD_MAX, error);
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
		return refuse(error, "what stands in brackets is not an IPv6 address");
	if (strchr(text, ':') != NULL)
		return refuse(error, "the host holds a ':' (an IPv6 address goes in brackets)");
	problem = hostname_fold_fqdn(text, length, folded);
	if (problem != HOSTNAME_OK)
		return refuse(error, "the host is not a name: %s", hostname_error_text(problem));
	/* getaddrinfo() takes "10.1" for 10.0.0.1; the last label of a real name is never a number (RFC 1123,
	 * section 2.1). */
	if (dot == NULL ? strspn(text, "0123456789") == length : dot[1 + strspn(dot + 1, "0123456789")] == '\0')
		return refuse(error, "the host is a number, but not an IPv4 address of four parts");
	memcpy(text, folded, length + 1);
	return 0;
}

static int parse_port(struct part port, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	unsigned value = 0;

	if (part_length(port) == 0 || part_length(port) > 5)
		return refuse(error, "the port is not 1 to 65535");
	for (const char *c = port.begin; c < port.end; c++) {
		if (*c < '0' || *c > '9')
			return refuse(error, "the port is not a number (is the '@' before the host missing?)");
		value = value * 10 + (unsigned)(*c - '0');
	}
	if (value == 0 || value > UINT16_MAX)
		return refuse(error, "the port is not 1 to 65535");
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
			return refuse(error, "a '[' without its ']'");
		rest = host.end + 1;
		if (rest < hostport.end && *rest != ':')
			return refuse(error, "only a port may follow the ']'");
	} else {
		rest = part_find(hostport, ':');
		if (rest == NULL)
			rest = hostport.end;
		host.end = rest;
	}
	/* A name's limit is less than a part's: left to check_host(), which has the words for it. */
	out->host = part_decode(host, "host", PART_MAX, error);
	if (out->host == NULL || check_host(out->host, bracketed, error) == -1)
		return -1;
	return rest == hostport.end ? 0 : parse_port((struct part){rest + 1, hostport.end}, out, error);
}

/* What follows the host: nothing (the vhost "/"), or a slash and the vhost's name. */
static int parse_path(struct part path, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
	if (part_length(path) == 0) {
		out->vhost = strdup("/");
		return out->vhost == NULL ? refuse(error, "out of memory") : 0;
	}
	path.begin++;
	if (part_length(path) == 0)
		return refuse(error,
			      "a '/' alone means the vhost with the empty name: leave it out, or write /%%2F, for "
			      "the vhost \"/\"");
	if (part_find(path, '/') != NULL)
		return refuse(error, "the vhost holds a '/': write %%2F");
	if (part_find(path, '@') != NULL)
		return refuse(error,
			      "an '@' behind the host: in a user or password write %%2F for '/' and %%40 for '@'");
	out->vhost = part_decode(path, "vhost", PART_MAX, error);
	return out->vhost == NULL ? -1 : 0;
}

static int parse_url(struct part url, struct bus_endpoint *out, char error[BUSCONF_ERROR_SIZE])
{
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
			return refuse(error, "out of memory");
	} else {
		if (parse_userinfo((struct part){authority.begin, at}, out, error) == -1)
			return -1;
		authority.begin = at + 1;
	}
	if (part_find(authority, '@') != NULL)
		return refuse(error, "there is more than one '@' (in a user or password write %%40)");
	if (parse_hostport(authority, out, error) == -1)
		return -1;
	return parse_path(path, out, error);
}

static int add_part(struct busconf *conf, struct part url, char error[BUSCONF_ERROR_SIZE])
{
	struct bus_endpoint endpoint = {0};
	struct bus_endpoint *grown;

	if (parse_url(url, &endpoint, error) == -1)
		goto fail;
	grown = realloc(conf->endpoints, (conf->nendpoints + 1) * sizeof(*grown));
	if (grown == NULL) {
		refuse(error, "out of memory");
		goto fail;
	}
	conf->endpoints = grown;
	conf->endpoints[conf->nendpoints++] = endpoint;
	return 0;
fail:
	endpoint_clear(&endpoint);
	return -1;
}

int busconf_add_url(struct busconf *conf, const char *url, char error[BUSCONF_ERROR_SIZE])
{
	return add_part(conf, (struct part){url, url + strlen(url)}, error);
}

static struct part trim(struct part part)
{
	while (part.begin < part.end && (*part.begin == ' ' || *part.begin == '\t'))
		part.begin++;
	while (part.begin < part.end && (part.end[-1] == ' ' || part.end[-1] == '\t'))
		part.end--;
	return part;
}

/* With more than one URL, an error says which. */
static int refuse_nth(size_t n, char error[BUSCONF_ERROR_SIZE])
{
	char reason[BUSCONF_ERROR_SIZE];

	memcpy(reason, error, sizeof(reason));
	return refuse(error, "URL %zu: %.*s", n, BUSCONF_ERROR_SIZE - 32, reason);
}

int busconf_set_urls(struct busconf *conf, const char *urls, char error[BUSCONF_ERROR_SIZE])
{
	struct part all = trim((struct part){urls, urls + strlen(urls)});
	bool several = part_find(all, ',') != NULL;
	struct busconf fresh;

	busconf_init(&fresh);
	while (all.begin < all.end) {
		const char *comma = part_find(all, ',');
		struct part url = trim((struct part){all.begin, comma == NULL ? all.end : comma});

		if (add_part(&fresh, url, error) == -1) {
			if (several)
				refuse_nth(fresh.nendpoints + 1, error);
			busconf_clear(&fresh);
			return -1;
		}
		all.begin = comma == NULL ? all.end : comma + 1;
	}
	endpoints_free(conf->endpoints, conf->nendpoints);
	conf->endpoints = fresh.endpoints;
	conf->nendpoints = fresh.nendpoints;
	return 0;
}

int busconf_set_password(struct busconf *conf, const char *password)
{
	for (size_t i = 0; i < conf->nendpoints; i++) {
		struct bus_endpoint *endpoint = &conf->endpoints[i];

		if (endpoint->password != NULL)
			continue;
		endpoint->password = strdup(password);
		if (endpoint->password == NULL)
			return -1;
	}
	return 0;
}

/* Whole, or up to size bytes. The count, or -1 with errno. */
static ssize_t read_full(int fd, char *buffer, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = read(fd, buffer + used, size - used);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

/* The length of the first line without its end (LF or CR LF). */
static size_t first_line(const char *text, size_t length)
{
	const char *newline = length == 0 ? NULL : memchr(text, '\n', length);

	if (newline == NULL)
		return length;
	length = (size_t)(newline - text);
	return length > 0 && text[length - 1] == '\r' ? length - 1 : length;
}

static int take_password(const char *path, const char *text, size_t length, char **password,
			 char error[BUSCONF_ERROR_SIZE])
{
	if (length == 0)
		return refuse(error, "%s: the password in its first line is empty", path);
	if (length > PASSWORD_MAX)
		return refuse(error, "%s: the password is longer than %d bytes", path, PASSWORD_MAX);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return refuse(error, "%s: the password holds a control character", path);
	*password = strndup(text, length);
	return *password == NULL ? refuse(error, "%s: out of memory", path) : 0;
}

static int check_file(int fd, const char *path, char error[BUSCONF_ERROR_SIZE])
{
	struct stat status;

	if (fstat(fd, &status) == -1)
		return refuse(error, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return refuse(error, "%s: not a regular file", path);
	if (status.st_mode & S_IRWXO)
		return refuse(error, "%s: others may read or change it (mode %04o): chmod o= it", path,
			      (unsigned)status.st_mode & 07777);
	return 0;
}

int busconf_read_password(const char *path, char **password, char error[BUSCONF_ERROR_SIZE])
{
	char buffer[PASSWORD_MAX + sizeof("\r\n")]; /* one byte more than is allowed, to notice */
	ssize_t length;
	int result;
	/* O_NONBLOCK: opening a FIFO must not hang. Symbolic links are followed: secret stores are made of them. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1)
		return refuse(error, "%s: %s", path, strerror(errno));
	result = check_file(fd, path, error);
	if (result == 0) {
		length = read_full(fd, buffer, sizeof(buffer));
		if (length == -1)
			result = refuse(error, "%s: %s", path, strerror(errno));
		else
			result = take_password(path, buffer, first_line(buffer, (size_t)length), password, error);
		explicit_bzero(buffer, sizeof(buffer));
	}
	close(fd);
	return result;
}

/* ---- an endpoint as text ---- */

struct writer {
	char *out;
	size_t size, used;
	bool cut;
};

static void put_char(struct writer *writer, char c)
{
	if (writer->used + 1 < writer->size)
		writer->out[writer->used++] = c;
	else
		writer->cut = true;
}

static void put(struct writer *writer, const char *text)
{
	for (; *text != '\0'; text++)
		put_char(writer, *text);
}

/* All but RFC 3986's unreserved characters encoded: one line, safe for a log, and a URL again. */
static void put_encoded(struct writer *writer, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
		    strchr("-._~", byte) != NULL) {
			put_char(writer, *text);
		} else {
			put_char(writer, '%');
			put_char(writer, digits[byte >> 4]);
			put_char(writer, digits[byte & 0x0f]);
		}
	}
}

const char *busconf_endpoint_text(const struct bus_endpoint *endpoint, char *out, size_t size)
{
	struct writer writer = {.out = out, .size = size};
	bool brackets = strchr(endpoint->host, ':') != NULL;
	char port[sizeof(":65535")];

	if (size == 0)
		return out;
	put(&writer, endpoint->tls ? "amqps://" : "amqp://");
	put_encoded(&writer, endpoint->user);
	put(&writer, brackets ? "@[" : "@");
	put(&writer, endpoint->host);
	snprintf(port, sizeof(port), ":%u", (unsigned)endpoint->port);
	put(&writer, brackets ? "]" : "");
	put(&writer, port);
	put(&writer, "/");
	put_encoded(&writer, endpoint->vhost);
	out[writer.used] = '\0';
	if (writer.cut && writer.used >= 3)
		memcpy(out + writer.used - 3, "...", 3);
	return out;
}
