#include <config.h>

#include "busconf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "busurl.h"

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

static int add_endpoint(struct busconf *conf, const char *url, size_t length, char error[BUSCONF_ERROR_SIZE])
{
	struct bus_endpoint endpoint = {0};
	struct bus_endpoint *grown;

	if (busurl_parse(url, length, &endpoint, error) == -1)
		goto fail;
	grown = realloc(conf->endpoints, (conf->nendpoints + 1) * sizeof(*grown));
	if (grown == NULL) {
		busurl_refuse(error, "out of memory");
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
	return add_endpoint(conf, url, strlen(url), error);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* With more than one URL, an error says which. */
static int refuse_nth(size_t n, char error[BUSCONF_ERROR_SIZE])
{
	char reason[BUSCONF_ERROR_SIZE];

	memcpy(reason, error, sizeof(reason));
	return busurl_refuse(error, "URL %zu: %.*s", n, BUSCONF_ERROR_SIZE - 32, reason);
}

/* urls up to the end of the text or a comma, blanks around it left out. */
static int add_next(struct busconf *conf, const char *urls, size_t length, char error[BUSCONF_ERROR_SIZE])
{
	while (length > 0 && is_blank(*urls)) {
		urls++;
		length--;
	}
	while (length > 0 && is_blank(urls[length - 1]))
		length--;
	return add_endpoint(conf, urls, length, error);
}

int busconf_set_urls(struct busconf *conf, const char *urls, char error[BUSCONF_ERROR_SIZE])
{
	bool several = strchr(urls, ',') != NULL;
	struct busconf fresh;

	busconf_init(&fresh);
	while (urls != NULL && urls[strspn(urls, " \t")] != '\0') {
		size_t length = strcspn(urls, ",");

		if (add_next(&fresh, urls, length, error) == -1) {
			if (several)
				refuse_nth(fresh.nendpoints + 1, error);
			busconf_clear(&fresh);
			return -1;
		}
		urls = urls[length] == '\0' ? NULL : urls + length + 1;
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
		return busurl_refuse(error, "%s: the password in its first line is empty", path);
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return busurl_refuse(error, "%s: begins with a byte order mark (EF BB BF): write it without", path);
	if (length > BUSCONF_PASSWORD_MAX)
		return busurl_refuse(error, "%s: the password is longer than %d bytes", path, BUSCONF_PASSWORD_MAX);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return busurl_refuse(error, "%s: the password holds a control character", path);
	*password = strndup(text, length);
	return *password == NULL ? busurl_refuse(error, "%s: out of memory", path) : 0;
}

static int check_file(int fd, const char *path, mode_t *mode, char error[BUSCONF_ERROR_SIZE])
{
	struct stat status;

	if (fstat(fd, &status) == -1)
		return busurl_refuse(error, "%s: %s", path, strerror(errno));
	if (S_ISDIR(status.st_mode))
		return busurl_refuse(error, "%s: a directory, not a file: engines make one where the file that is to be mounted is missing on the host", path);
	if (!S_ISREG(status.st_mode))
		return busurl_refuse(error, "%s: not a regular file", path);
	if ((status.st_mode & (mode == NULL ? S_IRWXO : S_IWOTH)) != 0)
		return busurl_refuse(error, "%s: others may %s it (mode %04o): chmod %s it", path, mode == NULL ? "read or change" : "change",
			      (unsigned)status.st_mode & 07777, mode == NULL ? "o=" : "o-w");
	if (mode != NULL)
		*mode = status.st_mode & 07777;
	return 0;
}

/* Whose it is, and whose we are: the secret of an image that does not run as root is mounted for root, as a rule. */
static int refuse_open(const char *path, char error[BUSCONF_ERROR_SIZE])
{
	int saved = errno;
	struct stat status;

	if (saved == EACCES && stat(path, &status) == 0)
		return busurl_refuse(error, "%s: %s: this is user %u, the file is user %u's, mode %04o: mount it so that this user may read it", path,
			      strerror(saved), (unsigned)geteuid(), (unsigned)status.st_uid, (unsigned)status.st_mode & 07777);
	return busurl_refuse(error, "%s: %s", path, strerror(saved));
}

int busconf_read_password(const char *path, mode_t *mode, char **password, char error[BUSCONF_ERROR_SIZE])
{
	char buffer[BUSCONF_PASSWORD_MAX + sizeof("\r\n")]; /* one byte more than is allowed, to notice */
	ssize_t length;
	int result;
	/* O_NONBLOCK: opening a FIFO must not hang. Symbolic links are followed: secret stores are made of them. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1)
		return refuse_open(path, error);
	result = check_file(fd, path, mode, error);
	if (result == 0) {
		length = read_full(fd, buffer, sizeof(buffer));
		if (length == -1)
			result = busurl_refuse(error, "%s: %s", path, strerror(errno));
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
