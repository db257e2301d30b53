#include <config.h>

#include "bus_cause.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/log.h"

enum { ACCESS_REFUSED = 403, NOT_FOUND = 404, PRECONDITION_FAILED = 406 };

/* What follows `before` in text, up to `end`, into out; whole, or not at all. Returns what is behind it, or NULL. */
static const char *text_behind(const char *text, const char *before, char end, char *out, size_t size)
{
	const char *at = strstr(text, before), *stop;

	if (at == NULL)
		return NULL;
	at += strlen(before);
	stop = strchr(at, end);
	if (stop == NULL || (size_t)(stop - at) >= size)
		return NULL;
	memcpy(out, at, (size_t)(stop - at));
	out[stop - at] = '\0';
	return stop + 1;
}

/* "delivery acknowledgement on channel 1 timed out. Timeout value used: 30000 ms. …" */
static void cause_of_timeout(struct bus_cause *cause, const char *text)
{
	char number[16];
	char *end;
	unsigned long ms;

	if (strstr(text, "delivery acknowledgement") == NULL || text_behind(text, "Timeout value used: ", ' ', number, sizeof number) == NULL)
		return;
	ms = strtoul(number, &end, 10);
	if (*end != '\0' || ms == 0 || ms > UINT32_MAX)
		return;
	cause->kind = BUS_CAUSE_ACK_TIMEOUT;
	cause->timeout_ms = (uint32_t)ms;
}

/* An argument's name, which is said to people: the broker's words are not to add any others there. */
static bool text_names_argument(const char *text, const char *before, char *out, size_t size)
{
	if (text_behind(text, before, '\'', out, size) == NULL)
		return false;
	if (out[strspn(out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0')
		return true;
	out[0] = '\0';
	return false;
}

/* "inequivalent arg 'x-max-length' for queue …" and "invalid arg 'x-consumer-timeout' for queue …" */
static void cause_of_precondition(struct bus_cause *cause, const char *text)
{
	if (text_names_argument(text, "inequivalent arg '", cause->word, sizeof cause->word))
		cause->kind = BUS_CAUSE_DIFFERS;
	else if (text_names_argument(text, "invalid arg '", cause->word, sizeof cause->word))
		cause->kind = BUS_CAUSE_ARGUMENT;
	else
		cause_of_timeout(cause, text);
}

/* "read access to queue 'callsign.host.a' in vhost …", and with 3.x "access to queue …" alone where it does not say which. */
static void cause_of_refusal(struct bus_cause *cause, const char *text)
{
	static const char *const rights[] = {"configure", "write", "read"};
	const char *access = strstr(text, " access to ");
	size_t i, length;

	for (i = 0; access != NULL && i < sizeof rights / sizeof *rights; i++) {
		length = strlen(rights[i]);
		if ((size_t)(access - text) < length || strncmp(access - length, rights[i], length) != 0 ||
		    text_behind(access, "'", '\'', cause->object, sizeof cause->object) == NULL)
			continue;
		cause->kind = BUS_CAUSE_RIGHT;
		snprintf(cause->word, sizeof cause->word, "%s", rights[i]);
	}
}

void bus_cause_read(struct bus_cause *cause, uint16_t code, const char *text, size_t length)
{
	char words[256]; /* a short string, always */

	memset(cause, 0, sizeof *cause);
	if (length >= sizeof words)
		return;
	memcpy(words, text, length);
	words[length] = '\0';
	if (code == PRECONDITION_FAILED)
		cause_of_precondition(cause, words);
	else if (code == ACCESS_REFUSED)
		cause_of_refusal(cause, words);
	/* "no exchange 'callsign' in vhost 'callsign'" */
	else if (code == NOT_FOUND && text_behind(words, "no exchange '", '\'', cause->object, sizeof cause->object) != NULL)
		cause->kind = BUS_CAUSE_MISSING;
}

/*
 * "3.10.8", "4.3.6-rc.1+2": the first three numbers. 0: it has none. By hand: the smallest emitter has a sscanf for libconfuse's formats alone
 * (container/emit/lean.c).
 */
static uint32_t version_number(const char *text)
{
	unsigned long part[3] = {0, 0, 0};
	unsigned count = 0;
	char *end;

	while (count < 3 && *text >= '0' && *text <= '9') {
		part[count++] = strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : "";
	}
	if (count < 2 || part[0] > 999 || part[1] > 255 || part[2] > 255)
		return 0;
	return BUS_VERSION(part[0], part[1], part[2]);
}

static void broker_word(char *out, size_t size, const struct bus_text *text)
{
	out[0] = '\0';
	if (text->data != NULL && text->length < size)
		log_phrase(out, size, text->data, text->length);
}

void bus_broker_read(struct bus_broker *broker, const struct bus_text *product, const struct bus_text *version)
{
	broker_word(broker->product, sizeof broker->product, product);
	broker_word(broker->version, sizeof broker->version, version);
	broker->number = strcmp(broker->product, "RabbitMQ") == 0 ? version_number(broker->version) : 0;
}
