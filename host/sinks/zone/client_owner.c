#include <config.h>

#include "client_internal.h"

#include <stdio.h>
#include <string.h>

#include "shared/log.h"

/* Whose zone it is: a mark in it says so, and without ours it stays untouched. */

#define ASK_STRANGER_MS 2000 /* how often we ask whether a zone has become ours */

static void mark_name(const struct zone_client *client, char out[ZONE_NAME_SIZE])
{
	/* The configuration has checked that there is room. */
	if (zone_name_join(ZONE_OWNER_LABEL, client->zone, out) == -1)
		out[0] = '\0';
}

bool zone_client_is_ours(const struct zone_client *client, const uint8_t *data, size_t length)
{
	return length == client->owner_length && memcmp(data, client->owner, length) == 0;
}

int zone_client_read_mark(void *arg, const struct zone_answer_record *record)
{
	struct zone_client *client = arg;
	struct zone_marks *marks = &client->fresh;
	char name[ZONE_NAME_SIZE];

	mark_name(client, name);
	if (record->type != ZONE_TXT || strcmp(record->name, name) != 0)
		return 0;
	/* One that we could not repeat makes the whole condition fail: then nothing is ours. */
	if (marks->count == ZONE_MARKS_MAX || record->length == 0 || record->length > sizeof marks->list[0].data) {
		marks->count = ZONE_MARKS_MAX + 1;
		return -1;
	}
	memcpy(marks->list[marks->count].data, record->data, record->length);
	marks->list[marks->count++].length = record->length;
	return 0;
}

static bool same_marks(const struct zone_marks *a, const struct zone_marks *b)
{
	unsigned i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++) {
		if (a->list[i].length != b->list[i].length || memcmp(a->list[i].data, b->list[i].data, a->list[i].length) != 0)
			return false;
	}
	return true;
}

static bool among_marks(const struct zone_client *client, const struct zone_marks *marks)
{
	unsigned i;

	for (i = 0; marks->count <= ZONE_MARKS_MAX && i < marks->count; i++) {
		if (zone_client_is_ours(client, marks->list[i].data, marks->list[i].length))
			return true;
	}
	return false;
}

static void stranger(struct zone_client *client, int64_t now_ms)
{
	zone_client_drop_batch(client, false);
	zone_client_read_stop(client);
	client->owned = client->known = false;
	client->marks_ms = now_ms + ASK_STRANGER_MS;
	if (!client->stranger_told)
		log_warnx("zone %s is not ours and stays untouched: an operator has to say so first, by the record _callsign.%s TXT \"callsign owner=%s\" "
		          "in it (nsupdate; callsignd.conf(5), zone)",
		          client->zone, client->zone, client->conf->owner);
	client->stranger_told = true;
}

void zone_client_marked(struct zone_client *client, const struct zone_answer *answer, int64_t now_ms)
{
	bool ours, another;

	if (answer->code != ZONE_NOERROR && answer->code != ZONE_NXDOMAIN) {
		zone_client_fail(client, now_ms, "it does not answer for this zone (%s)", zone_code_text(answer->code));
		return;
	}
	if (!answer->authoritative) {
		zone_client_fail(client, now_ms, "it does not have this zone itself");
		return;
	}
	client->trouble[0] = '\0';
	backoff_reset(&client->backoff);
	client->marks_known = true;
	ours = answer->code == ZONE_NOERROR && among_marks(client, &client->fresh);
	another = !same_marks(&client->marks, &client->fresh);
	client->marks = client->fresh;
	if (!ours) {
		stranger(client, now_ms);
		return;
	}
	/* It was not the names that an update failed for. */
	if (another) {
		zone_client_drop_batch(client, false);
		client->unfit = 0;
	}
	if (!client->owned) {
		log_info("zone=%s is ours owner=%s server=%s", client->zone, client->conf->owner, zone_client_server(client));
		client->reading.wanted = true;
	}
	client->owned = true;
	client->stranger_told = false;
}

void zone_client_ask_marks(struct zone_client *client, int64_t now_ms)
{
	char name[ZONE_NAME_SIZE];

	mark_name(client, name);
	client->fresh.count = 0;
	zone_client_ask_for(client, ZONE_ASK_MARKS, name, ZONE_TXT, now_ms);
}

const char *zone_client_stranger(struct zone_client *client)
{
	char address[ADDRESS_TEXT_SIZE];

	snprintf(client->shown, sizeof client->shown,
	         "zone %s is not ours and stays untouched; to give it to us: printf 'server %s %u\\nupdate add _callsign.%s 3600 TXT \"callsign "
	         "owner=%s\"\\nsend\\n' | nsupdate -k KEYFILE",
	         client->zone, address_format(&client->conf->address, address), (unsigned)client->conf->port, client->zone, client->conf->owner);
	return client->shown;
}
