#include <config.h>

#include "client_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/jitter.h"
#include "shared/log.h"

#define MESSAGES_A_STEP 2 /* each has up to some thousand records: others wait meanwhile */
#define PAUSE_MS 1000     /* between two readings, or so many times as long as the last one took: */
#define PAUSE_FACTOR 20

void zone_client_read_stop(struct zone_client *client)
{
	zone_stream_close(&client->reading.stream);
}

__attribute__((format(printf, 3, 4))) static void read_failed(struct zone_client *client, int64_t now_ms, const char *format, ...)
{
	struct zone_reading *reading = &client->reading;
	char before[ZONE_TROUBLE_SIZE], why[ZONE_TROUBLE_SIZE / 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof why, format, arguments);
	va_end(arguments);
	memcpy(before, reading->trouble, sizeof before);
	snprintf(reading->trouble, sizeof reading->trouble, "zone %s: cannot be read from %s: %s", client->zone, zone_client_server(client), why);
	if (strcmp(before, reading->trouble) != 0)
		log_warnx("%s", reading->trouble);
	zone_client_read_stop(client);
	reading->wanted = true;
	reading->begin_ms = now_ms + backoff_next(&reading->backoff, jitter_bits());
}

static void begin(struct zone_client *client, int64_t now_ms)
{
	struct zone_reading *reading = &client->reading;
	size_t length;
	uint8_t *wire = zone_message_question(client->zone, ZONE_AXFR, &client->conf->key, (uint16_t)jitter_bits(), &length, &reading->proof);
	int result = wire != NULL ? zone_stream_open(&reading->stream, &client->conf->address, client->conf->port) : -1;

	if (result == 0)
		result = zone_stream_send(&reading->stream, wire, length);
	free(wire);
	if (result == -1) {
		read_failed(client, now_ms, "%s", strerror(errno));
		return;
	}
	reading->wanted = false;
	reading->failed = false;
	reading->soas = 0;
	reading->since_ms = now_ms;
	reading->until_ms = now_ms + client->conf->timeout_ms;
	reading->updates = client->updates;
	zone_table_read_begin(client->table);
}

/* ---- what comes ---- */

static bool is_owner_data(const struct zone_client *client, const struct zone_answer_record *record)
{
	return record->length == client->owner_length && memcmp(record->data, client->owner, record->length) == 0;
}

static int read_record(void *arg, const struct zone_answer_record *record)
{
	struct zone_client *client = arg;
	struct zone_reading *reading = &client->reading;
	const char *owned = zone_name_owned(record->name);
	int result = 0;

	if (record->type == ZONE_SOA && strcmp(record->name, client->zone) == 0) {
		reading->serial = record->serial;
		return ++reading->soas < 2 ? 0 : -1;
	}
	if (reading->soas != 1)
		return -1;
	if (strcmp(record->name, client->zone) == 0)
		return 0;
	if (owned == NULL)
		/* Its time to live does not matter: Knot takes the same record with another one for no change. */
		result = zone_table_read_record(client->table, record->name, record->type, record->data, record->length, true);
	else if (record->type == ZONE_TXT && strcmp(owned, client->zone) != 0)
		result = zone_table_read_owner(client->table, owned, is_owner_data(client, record));
	reading->failed |= result == -1;
	return result;
}

static void finish(struct zone_client *client, int64_t now_ms)
{
	struct zone_reading *reading = &client->reading;
	int64_t took_ms = now_ms - reading->since_ms;
	struct zone_table_counts counts;

	zone_table_read_end(client->table);
	zone_client_read_stop(client);
	reading->begin_ms = now_ms + (took_ms * PAUSE_FACTOR > PAUSE_MS ? took_ms * PAUSE_FACTOR : PAUSE_MS);
	backoff_reset(&reading->backoff);
	reading->trouble[0] = '\0';
	client->known = true;
	/* Somebody sent on while it was read: that may have come after it. */
	reading->wanted |= zone_table_doubting(client->table);
	client->serial = reading->serial;
	client->serial_more = (uint32_t)(client->updates - reading->updates);
	client->serial_known = true;
	zone_table_count(client->table, &counts);
	log_info("zone=%s read serial=%" PRIu32 " ours=%zu differ=%zu refused=%zu ms=%" PRId64, client->zone, reading->serial, counts.names,
	         counts.waiting, counts.refused, took_ms);
}

/* False: it is over, well or not. */
static bool take_message(struct zone_client *client, const uint8_t *message, size_t length, int64_t now_ms)
{
	struct zone_reading *reading = &client->reading;
	struct zone_answer answer;
	enum zone_answer_result result =
		zone_message_answer(message, length, &client->conf->key, &reading->proof, read_record, client, &answer);

	if (result == ZONE_ANSWER_OTHER)
		read_failed(client, now_ms, "an answer came that nobody asked for");
	else if (answer.code != ZONE_NOERROR)
		/* Signed or not: that nothing is taken from it is all that it can bring about. */
		read_failed(client, now_ms,
		            "it refuses the transfer (%s): allow it to the key %s, BIND: allow-transfer, Knot: an acl with action transfer, PowerDNS: the "
		            "zone's TSIG-ALLOW-AXFR",
		            zone_code_text(answer.code), client->conf->key.name);
	else if (result == ZONE_ANSWER_BROKEN)
		read_failed(client, now_ms, "%s", answer.error);
	else if (reading->failed)
		read_failed(client, now_ms, "out of memory");
	else if (reading->soas == 0)
		read_failed(client, now_ms, "the transfer does not begin with the zone's SOA");
	else if (reading->soas == 2)
		finish(client, now_ms);
	else {
		reading->until_ms = now_ms + client->conf->timeout_ms;
		return true;
	}
	return false;
}

static void read_on(struct zone_client *client, int64_t now_ms)
{
	struct zone_reading *reading = &client->reading;
	const uint8_t *message;
	size_t length;
	int i;

	for (i = 0; i < MESSAGES_A_STEP; i++) {
		switch (zone_stream_step(&reading->stream, &message, &length)) {
		case ZONE_STREAM_MESSAGE:
			if (!take_message(client, message, length, now_ms))
				return;
			break;
		case ZONE_STREAM_NOTHING:
			reading->stream.ready = false;
			if (now_ms >= reading->until_ms)
				read_failed(client, now_ms, "nothing came for %" PRId64 " s", client->conf->timeout_ms / 1000);
			return;
		case ZONE_STREAM_CLOSED:
		case ZONE_STREAM_FAILED:
			read_failed(client, now_ms, "the transfer broke off: %s", strerror(errno));
			return;
		}
	}
}

void zone_client_read_step(struct zone_client *client, int64_t now_ms)
{
	struct zone_reading *reading = &client->reading;

	if (reading->stream.fd != -1) {
		if (reading->stream.ready || now_ms >= reading->until_ms)
			read_on(client, now_ms);
	} else if (reading->wanted && client->owned && client->stream.connected && now_ms >= reading->begin_ms) {
		begin(client, now_ms);
	}
}

int64_t zone_client_read_deadline_ms(const struct zone_client *client)
{
	const struct zone_reading *reading = &client->reading;

	if (reading->stream.fd != -1)
		return reading->stream.ready ? 0 : reading->until_ms;
	return reading->wanted && client->owned && client->stream.connected ? reading->begin_ms : CLOCK_NEVER;
}
