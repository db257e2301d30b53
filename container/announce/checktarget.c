#include <config.h>

#include "checktarget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* execvp(3) wants them writable, and writes nothing. */
static char shell[] = "/bin/sh";
static char shell_line[] = "-c";

void checktarget_clear(struct checktarget *target)
{
	free(target->text);
	memset(target, 0, sizeof(*target));
}

/* The kinds take each other's place: what was configured last is checked. */
static int take(struct checktarget *target, const struct checktarget *made)
{
	checktarget_clear(target);
	*target = *made;
	return 0;
}

static int refuse(const char **why, const char *text)
{
	*why = text;
	return -1;
}

/* ---- a command ---- */

/* 0, or -1: too many. */
static int split(char *text, char **words)
{
	unsigned count = 0;

	for (;;) {
		if (count == CHECKTARGET_WORDS_MAX)
			return -1;
		words[count++] = text;
		text = strchr(text, CHECKTARGET_WORD_END);
		if (text == NULL)
			return 0;
		*text++ = '\0';
	}
}

/* One word is a program; one text with blanks in it is a line for the shell, as with Docker's HEALTHCHECK. */
int checktarget_command(struct checktarget *target, const char *text, const char **why)
{
	struct checktarget made = {.kind = CHECK_COMMAND};

	if (text[strspn(text, " \t\x1f")] == '\0' || text[0] == CHECKTARGET_WORD_END)
		return refuse(why, "the program is missing");
	if (strlen(text) > CHECKTARGET_TEXT_MAX)
		return refuse(why, "longer than 4096 bytes");
	made.text = strdup(text);
	if (made.text == NULL)
		return refuse(why, "out of memory");
	if (strchr(text, CHECKTARGET_WORD_END) == NULL && strpbrk(text, " \t\n") != NULL) {
		made.words[0] = shell;
		made.words[1] = shell_line;
		made.words[2] = made.text;
	} else if (split(made.text, made.words) == -1) {
		checktarget_clear(&made);
		return refuse(why, "more than 64 words");
	}
	return take(target, &made);
}

/* ---- an address and a port ---- */

static int parse_port(const char *text, size_t length, uint16_t *out)
{
	uint32_t value = 0;
	size_t i;

	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9' || value > UINT16_MAX)
			return -1;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	*out = (uint16_t)value;
	return value >= 1 && value <= UINT16_MAX ? 0 : -1;
}

/* Names are not looked up: that would block, and a check of another machine's service says nothing about this one. */
static int parse_host(const char *text, size_t length, struct address *out)
{
	if (length == strlen("localhost") && memcmp(text, "localhost", length) == 0) {
		text = "127.0.0.1";
		length = strlen(text);
	}
	if (length > 2 && text[0] == '[' && text[length - 1] == ']')
		return address_parse(text + 1, length - 2, out) == 0 && out->family == 6 ? 0 : -1;
	return address_parse(text, length, out) == 0 && out->family == 4 ? 0 : -1;
}

/* HOST or HOST:PORT; without a port the one that is there stays. */
static int parse_place(const char *text, size_t length, struct checktarget *out)
{
	size_t host = length;

	while (host > 0 && text[host - 1] != ':' && text[host - 1] != ']')
		host--;
	if (host == 0 || text[host - 1] == ']')
		host = length;
	else if (parse_port(text + host, length - host, &out->port) == -1)
		return -1;
	else
		host--;
	return parse_host(text, host, &out->address);
}

int checktarget_tcp(struct checktarget *target, const char *text, const char **why)
{
	struct checktarget made = {.kind = CHECK_TCP};
	size_t length = strlen(text);

	if (parse_port(text, length, &made.port) == 0)
		parse_host("127.0.0.1", strlen("127.0.0.1"), &made.address);
	else if (parse_place(text, length, &made) == -1 || made.port == 0)
		return refuse(why, "not a port, or an address and a port: 8080, 127.0.0.1:8080, [::1]:8080");
	return take(target, &made);
}

/* ---- a URL ---- */

/* What may stand in a request's first line (RFC 9112, 3.2): blanks and control characters would make it another request. */
static bool printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~' || *text == '#')
			return false;
	}
	return true;
}

int checktarget_http(struct checktarget *target, const char *text, const char **why)
{
	static const char scheme[] = "http://";
	static const char what[] = "not a URL such as http://127.0.0.1:8080/health (an address or localhost; no https)";
	struct checktarget made = {.kind = CHECK_HTTP, .port = 80};
	const char *place = text + strlen(scheme), *path;

	if (strncmp(text, scheme, strlen(scheme)) != 0 || strlen(text) > CHECKTARGET_TEXT_MAX || !printable(text))
		return refuse(why, what);
	path = place + strcspn(place, "/?");
	if (parse_place(place, (size_t)(path - place), &made) == -1)
		return refuse(why, what);
	if (asprintf(&made.text,
	             "GET %s%s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: callsign-emit/" PACKAGE_VERSION
	             "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
	             *path == '/' ? "" : "/", path, (int)(path - place), place) == -1)
		return refuse(why, "out of memory");
	return take(target, &made);
}

unsigned checktarget_http_status(const char *bytes)
{
	unsigned status = 0, i;

	if (memcmp(bytes, "HTTP/1.", 7) != 0 || bytes[8] != ' ' || (bytes[12] != ' ' && bytes[12] != '\r' && bytes[12] != '\n'))
		return 0;
	for (i = 9; i < 12; i++) {
		if (bytes[i] < '0' || bytes[i] > '9')
			return 0;
		status = status * 10 + (unsigned)(bytes[i] - '0');
	}
	return status;
}
