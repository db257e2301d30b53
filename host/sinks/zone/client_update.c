#include <config.h>

#include "client_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/jitter.h"
#include "shared/log.h"

#define SERIAL_AFTER_MS 200 /* after the last of several updates */

static const char not_ours[] = "the zone has records there that are not callsign's, or another owner's";
static const char server_refuses[] = "the server refuses its update; the log has the code";

/* ---- sending ---- */

/* As many names as go into one message. A name that did not go through with others goes alone. NULL: none, or no memory. */
static struct zone_update *fill_update(struct zone_client *client)
{
	struct zone_update *update =
		zone_update_new(client->zone, &client->marks, client->owner, client->owner_length, client->conf->ttl_s);
	bool solo = false;

	client->nbatch = 0;
	while (update != NULL && client->nbatch < ZONE_BATCH_MAX && zone_update_size(update) < ZONE_BATCH_SIZE && !solo) {
		struct zone_node *node = zone_table_take(client->table, &solo);

		if (node == NULL)
			break;
		if (solo && client->nbatch > 0) {
			zone_table_put_back(client->table, node);
			break;
		}
		client->batch[client->nbatch++] = node;
		if (zone_update_add(update, node) == 0)
			continue;
		zone_update_free(update);
		return NULL;
	}
	if (update != NULL && client->nbatch > 0)
		return update;
	zone_update_free(update);
	return NULL;
}

void zone_client_send_update(struct zone_client *client, int64_t now_ms)
{
	struct zone_update *update = fill_update(client);
	uint8_t *wire;
	size_t length;

	if (update == NULL) {
		if (client->nbatch > 0) {
			zone_client_drop_batch(client, false);
			zone_client_fail(client, now_ms, "out of memory");
		}
		return;
	}
	wire = zone_update_finish(update, &client->conf->key, (uint16_t)jitter_bits(), &length, &client->proof);
	zone_update_free(update);
	zone_client_ask(client, ZONE_ASK_UPDATE, wire, length, now_ms);
}

static void taken(struct zone_client *client, int64_t now_ms)
{
	unsigned i;

	for (i = 0; i < client->nbatch; i++)
		zone_table_landed(client->table, client->batch[i]);
	client->nbatch = 0;
	client->updates++;
	client->serial++; /* RFC 2136, section 3.6. A server that counts otherwise is read more often than need be. */
	client->refusals = 0;
	backoff_reset(&client->update_backoff);
	if (client->update_trouble[0] != '\0')
		log_info("zone=%s takes updates again", client->zone);
	client->update_trouble[0] = '\0';
	client->check_ms = now_ms + SERIAL_AFTER_MS;
}

static void split(struct zone_client *client)
{
	while (client->nbatch > 0)
		zone_table_again(client->table, client->batch[--client->nbatch], false);
}

/* RFC 2136, section 3.2: a condition does not hold: somebody else has a name of the batch by now, or the zone itself. */
static void condition_failed(struct zone_client *client)
{
	client->marks_known = false;
	if (client->nbatch > 1)
		split(client);
	else
		client->look = true;
}

/* Once more, alone; then either this name is what the server does not like, or it likes none. */
static void refused(struct zone_client *client, unsigned code, int64_t now_ms)
{
	struct zone_node *node = client->batch[0];

	if (client->nbatch > 1) {
		split(client);
		return;
	}
	client->nbatch = 0;
	if (client->refusals++ == 0) {
		log_warnx("zone=%s name=%s is left out: the server refuses its update (%s)", client->zone, zone_node_name(node), zone_code_text(code));
		zone_table_refuse(client->table, node, false, server_refuses);
		return;
	}
	snprintf(client->update_trouble, sizeof client->update_trouble,
	         "zone %s: %s refuses updates (%s), the last one for %s: may the key %s update this zone there?", client->zone,
	         zone_client_server(client), zone_code_text(code), zone_node_name(node), client->conf->key.name);
	if (client->refusals == 2)
		log_warnx("%s", client->update_trouble);
	zone_table_again(client->table, node, true);
	client->update_ms = now_ms + backoff_next(&client->update_backoff, jitter_bits());
}

void zone_client_updated(struct zone_client *client, const struct zone_answer *answer, int64_t now_ms)
{
	switch (answer->code) {
	case ZONE_NOERROR:
		taken(client, now_ms);
		break;
	case ZONE_NXDOMAIN:
	case ZONE_YXDOMAIN:
	case ZONE_YXRRSET:
	case ZONE_NXRRSET:
		condition_failed(client);
		break;
	default:
		refused(client, answer->code, now_ms);
	}
}

/* ---- whose is it? ---- */

void zone_client_send_look(struct zone_client *client, int64_t now_ms)
{
	char name[ZONE_NAME_SIZE];
	uint8_t *wire = NULL;
	size_t length = 0;

	if (zone_name_join(ZONE_OWNER_LABEL, zone_node_name(client->batch[0]), name) == 0)
		wire = zone_message_question(name, ZONE_TXT, &client->conf->key, (uint16_t)jitter_bits(), &length, &client->proof);
	client->look_ours = client->look_any = false;
	zone_client_ask(client, ZONE_ASK_LOOK, wire, length, now_ms);
}

void zone_client_looked(struct zone_client *client, const struct zone_answer *answer)
{
	struct zone_node *node = client->batch[0];
	bool known = answer->code == ZONE_NOERROR || answer->code == ZONE_NXDOMAIN;

	client->nbatch = 0;
	client->look = false;
	/* Ours after all, or no longer: the zone is not what we took it for. */
	if (!known || client->look_ours || (!client->look_any && zone_node_owner(node) == ZONE_OURS)) {
		zone_table_doubt(client->table, node);
		client->reading.wanted = true;
		return;
	}
	zone_table_refuse(client->table, node, true, not_ours);
}
