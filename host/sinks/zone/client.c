#include <config.h>

#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_internal.h"
#include "shared/clock.h"
#include "shared/log.h"

#define FIRST_RETRY_MS 100
#define LAST_RETRY_MS 10000
#define LAST_UPDATE_PAUSE_MS 5000
#define LAST_READING_PAUSE_MS 30000
#define FIRST_REFUSED_PAUSE_MS 20000
#define LAST_REFUSED_PAUSE_MS 1800000

/* ---- questions and answers ---- */

static int read_serial(void *arg, const struct zone_answer_record *record)
{
	struct zone_client *client = arg;

	if (record->type == ZONE_SOA && strcmp(record->name, client->zone) == 0)
		client->fresh_serial = record->serial;
	return 0;
}

static void serial_came(struct zone_client *client, const struct zone_answer *answer, int64_t now_ms)
{
	client->check_ms = now_ms + client->conf->check_ms;
	if (answer->code != ZONE_NOERROR) {
		zone_client_fail(client, now_ms, "it does not answer for this zone (%s)", zone_code_text(answer->code));
		return;
	}
	if (client->serial_known && client->fresh_serial != client->serial) {
		/* After a reading beside updates of our own nobody can tell which of them it shows. */
		if (client->serial_more == 0)
			log_info("zone=%s was changed by others, or is an older one: serial=%" PRIu32 " expected=%" PRIu32 "; it is read again",
			         client->zone, client->fresh_serial, client->serial);
		client->reading.wanted = true;
	}
	client->serial = client->fresh_serial;
	client->serial_more = 0;
	client->serial_known = true;
}

static int read_look(void *arg, const struct zone_answer_record *record)
{
	struct zone_client *client = arg;

	if (client->question == ZONE_ASK_USE) {
		client->look_any = true;
		return -1;
	}
	if (record->type != ZONE_TXT)
		return 0;
	client->look_ours = !client->look_any && zone_client_is_ours(client, record->data, record->length);
	client->look_any = true;
	return 0;
}

static int read_answer(void *arg, const struct zone_answer_record *record)
{
	const struct zone_client *client = arg;

	switch (client->question) {
	case ZONE_ASK_MARKS:
		return zone_client_read_mark(arg, record);
	case ZONE_ASK_SERIAL:
		return read_serial(arg, record);
	case ZONE_ASK_LOOK:
	case ZONE_ASK_USE:
		return read_look(arg, record);
	default:
		return -1;
	}
}

static void take_answer(struct zone_client *client, const uint8_t *message, size_t length, int64_t now_ms)
{
	struct zone_answer answer;
	enum zone_answer_result result = ZONE_ANSWER_OTHER;
	enum zone_question question = client->question;

	if (question != ZONE_ASK_NOTHING)
		result = zone_message_answer(message, length, &client->conf->key, &client->proof, read_answer, client, &answer);
	if (result == ZONE_ANSWER_OTHER)
		return;
	if (result == ZONE_ANSWER_BROKEN) {
		zone_client_fail(client, now_ms, "%s", answer.error);
		return;
	}
	client->question = ZONE_ASK_NOTHING;
	if (question == ZONE_ASK_MARKS)
		zone_client_marked(client, &answer, now_ms);
	else if (question == ZONE_ASK_SERIAL)
		serial_came(client, &answer, now_ms);
	else if (question == ZONE_ASK_FITNESS)
		zone_client_fitness(client, &answer, now_ms);
	else if (question == ZONE_ASK_UPDATE)
		zone_client_updated(client, &answer, now_ms);
	else
		zone_client_looked(client, question, &answer, now_ms);
}

/* ---- going on ---- */

static bool may_update(const struct zone_client *client, int64_t now_ms)
{
	return client->known && client->fit && now_ms >= client->update_ms && zone_table_waiting(client->table);
}

static void next_question(struct zone_client *client, int64_t now_ms)
{
	if (!client->marks_known || (!client->owned && now_ms >= client->marks_ms))
		zone_client_ask_marks(client, now_ms);
	else if (!client->owned)
		return;
	else if (!client->fit && now_ms >= client->fitness_ms)
		zone_client_send_fitness(client, now_ms);
	else if (client->look)
		zone_client_send_look(client, now_ms);
	else if (may_update(client, now_ms))
		zone_client_send_update(client, now_ms);
	if (client->question == ZONE_ASK_NOTHING && client->stream.fd != -1 && client->owned && now_ms >= client->check_ms)
		zone_client_ask_for(client, ZONE_ASK_SERIAL, client->zone, ZONE_SOA, now_ms);
}

static void read_on(struct zone_client *client, int64_t now_ms)
{
	const uint8_t *message;
	size_t length;

	while (client->stream.fd != -1 && client->stream.ready) {
		switch (zone_stream_step(&client->stream, &message, &length)) {
		case ZONE_STREAM_MESSAGE:
			take_answer(client, message, length, now_ms);
			break;
		case ZONE_STREAM_NOTHING:
			client->stream.ready = false;
			break;
		case ZONE_STREAM_CLOSED:
			zone_client_closed(client, now_ms);
			break;
		case ZONE_STREAM_FAILED:
			zone_client_fail(client, now_ms, "%s", strerror(errno));
			break;
		}
	}
}

static bool waits(const struct zone_client *client)
{
	return client->stream.fd != -1 && (!client->stream.connected || client->question != ZONE_ASK_NOTHING);
}

void zone_client_step(struct zone_client *client, int64_t now_ms)
{
	if (client->conf->standby)
		return;
	read_on(client, now_ms);
	if (waits(client) && now_ms >= client->until_ms)
		zone_client_fail(client, now_ms, "no answer within %.3g s", (double)client->conf->timeout_ms / 1000);
	if (client->stream.fd == -1 && now_ms >= client->retry_ms)
		zone_client_connect(client, now_ms);
	if (client->stream.fd != -1 && client->question == ZONE_ASK_NOTHING)
		next_question(client, now_ms);
	/* What was just put on its way goes now, not at the next turn. */
	read_on(client, now_ms);
	if (now_ms >= client->retry_refused_ms) {
		client->retry_refused_ms = CLOCK_NEVER;
		client->reading.wanted = true;
	}
	zone_client_read_step(client, now_ms);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t zone_client_deadline_ms(const struct zone_client *client)
{
	int64_t due = zone_client_read_deadline_ms(client);

	if (client->conf->standby)
		return CLOCK_NEVER;
	if (client->stream.fd == -1)
		return earlier(due, client->retry_ms);
	if (waits(client))
		return earlier(due, client->until_ms);
	if (!client->marks_known)
		return 0;
	if (!client->owned)
		return earlier(due, client->marks_ms);
	if (client->look)
		return 0;
	if (!client->fit)
		due = earlier(due, client->fitness_ms);
	else if (client->known && zone_table_waiting(client->table))
		due = earlier(due, client->update_ms);
	return earlier(earlier(due, client->retry_refused_ms), client->check_ms);
}

/* ---- beginning and end ---- */

struct zone_client *zone_client_new(const char *zone, const struct zone_conf *conf, int epoll, int64_t now_ms)
{
	struct zone_client *client = calloc(1, sizeof *client);
	char owner[ZONE_OWNER_MAX];

	if (client == NULL || (client->table = zone_table_new()) == NULL) {
		free(client);
		return NULL;
	}
	snprintf(owner, sizeof owner, "callsign owner=%s", conf->owner);
	client->owner_length = zone_data_string(owner, 0, client->owner);
	zone_stream_init(&client->stream, epoll);
	zone_stream_init(&client->reading.stream, epoll);
	backoff_init(&client->backoff, FIRST_RETRY_MS, LAST_RETRY_MS);
	backoff_init(&client->update_backoff, FIRST_RETRY_MS, LAST_UPDATE_PAUSE_MS);
	backoff_init(&client->refused_backoff, FIRST_REFUSED_PAUSE_MS, LAST_REFUSED_PAUSE_MS);
	client->retry_refused_ms = CLOCK_NEVER;
	backoff_init(&client->reading.backoff, FIRST_RETRY_MS, LAST_READING_PAUSE_MS);
	client->retry_ms = client->check_ms = now_ms;
	zone_client_configure(client, zone, conf);
	return client;
}

void zone_client_configure(struct zone_client *client, const char *zone, const struct zone_conf *conf)
{
	client->zone = zone;
	client->conf = conf;
}

void zone_client_free(struct zone_client *client)
{
	if (client == NULL)
		return;
	zone_client_drop_batch(client, false);
	zone_client_read_stop(client);
	zone_stream_close(&client->stream);
	zone_table_free(client->table);
	free(client);
}

const char *zone_client_zone(const struct zone_client *client)
{
	return client->zone;
}

struct zone_table *zone_client_table(struct zone_client *client)
{
	return client->table;
}

const char *zone_client_trouble(struct zone_client *client)
{
	struct zone_table_counts counts;

	if (client->trouble[0] != '\0')
		return client->trouble;
	if (client->conf->standby)
		return NULL;
	if (client->marks_known && !client->owned)
		return zone_client_stranger(client);
	if (client->unfit >= ZONE_UNFIT_MAX) {
		snprintf(client->shown, sizeof client->shown, "zone %s: %s", client->zone, zone_client_unfit);
		return client->shown;
	}
	if (client->reading.trouble[0] != '\0')
		return client->reading.trouble;
	if (client->update_trouble[0] != '\0')
		return client->update_trouble;
	zone_table_count(client->table, &counts);
	if (counts.refused == 0)
		return NULL;
	snprintf(client->shown, sizeof client->shown, "zone %s: %zu name(s) are left alone, for example %s: %s", client->zone, counts.refused, counts.example,
	         counts.reason);
	return client->shown;
}
