#include <config.h>

#include "client_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/jitter.h"
#include "shared/log.h"

/* The connection over which a zone is asked and changed, and what becomes of what is under way when it ends. */

const char *zone_client_server(const struct zone_client *client)
{
	static char text[ADDRESS_TEXT_SIZE + sizeof "[]:65535"];
	char address[ADDRESS_TEXT_SIZE];

	snprintf(text, sizeof text, client->conf->address.family == 4 ? "%s:%u" : "[%s]:%u", address_format(&client->conf->address, address),
	         (unsigned)client->conf->port);
	return text;
}

void zone_client_drop_batch(struct zone_client *client, bool sent)
{
	while (client->nbatch > 0) {
		struct zone_node *node = client->batch[--client->nbatch];

		if (sent)
			zone_table_doubt(client->table, node);
		else
			zone_table_put_back(client->table, node);
	}
	client->look = client->look_use = false;
}

/* ---- answers ---- */

static void disconnect(struct zone_client *client)
{
	zone_client_drop_batch(client, client->question == ZONE_ASK_UPDATE || client->look);
	client->question = ZONE_ASK_NOTHING;
	zone_stream_close(&client->stream);
}

void zone_client_fail(struct zone_client *client, int64_t now_ms, const char *format, ...)
{
	char before[ZONE_TROUBLE_SIZE], why[ZONE_TROUBLE_SIZE / 2];
	/* A server that answers questions and no update is found well by each question: tried again at once it would be read ten times a second. */
	bool update = client->question == ZONE_ASK_UPDATE || client->question == ZONE_ASK_FITNESS;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof why, format, arguments);
	va_end(arguments);
	memcpy(before, client->trouble, sizeof before);
	snprintf(client->trouble, sizeof client->trouble, "zone %s: no use of the name server %s: %s; names wait until it is there again",
	         client->zone, zone_client_server(client), why);
	if (strcmp(before, client->trouble) != 0)
		log_warnx("%s", client->trouble);
	disconnect(client);
	/* Whatever it is that comes back: it may have lost something. */
	client->marks_known = client->serial_known = client->fit = false;
	client->reading.wanted = true;
	client->retry_ms = now_ms + backoff_next(update ? &client->update_backoff : &client->backoff, jitter_bits());
}

void zone_client_connect(struct zone_client *client, int64_t now_ms)
{
	if (zone_stream_open(&client->stream, &client->conf->address, client->conf->port) == -1)
		zone_client_fail(client, now_ms, "%s", strerror(errno));
	else
		client->until_ms = now_ms + client->conf->timeout_ms;
}

/* Servers close what was idle for long; one that ends closes as well, and after that only the serial tells whether it is the same zone. */
void zone_client_closed(struct zone_client *client, int64_t now_ms)
{
	if (client->question != ZONE_ASK_NOTHING) {
		zone_client_fail(client, now_ms, "it closed the connection instead of an answer");
		return;
	}
	client->reading.wanted |= !client->serial_known;
	client->marks_known = false;
	client->check_ms = now_ms;
	disconnect(client);
}

void zone_client_ask(struct zone_client *client, enum zone_question question, uint8_t *wire, size_t length, int64_t now_ms)
{
	int result = wire != NULL ? zone_stream_send(&client->stream, wire, length) : -1;

	free(wire);
	client->question = question;
	client->until_ms = now_ms + client->conf->timeout_ms;
	if (result == -1)
		zone_client_fail(client, now_ms, "a message could not be made: %s", strerror(errno));
}

void zone_client_ask_for(struct zone_client *client, enum zone_question question, const char *name, uint16_t type, int64_t now_ms)
{
	size_t length = 0;
	uint8_t *wire = zone_message_question(name, type, &client->conf->key, (uint16_t)jitter_bits(), &length, &client->proof);

	zone_client_ask(client, question, wire, length, now_ms);
}
