#include <config.h>

#include "client_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/jitter.h"
#include "shared/log.h"

#define SERIAL_AFTER_MS 200 /* after the last of several updates */
#define CONTRADICTIONS_MAX 3

static const char server_contradicts[] =
	"the server says that a condition of its update fails, and yet has nothing there that is somebody else's: it does not keep to RFC 2136, section 3.2";

#define REFUSES(code) "the server refuses its update (" code ")"

/* As reasons have to be: static. */
static const char *server_refuses(unsigned code)
{
	static const char *const reasons[] = {
		[ZONE_FORMERR] = REFUSES("FORMERR"), [ZONE_SERVFAIL] = REFUSES("SERVFAIL"), [ZONE_NOTIMP] = REFUSES("NOTIMP"),
		[ZONE_REFUSED] = REFUSES("REFUSED"), [ZONE_NOTAUTH] = REFUSES("NOTAUTH"), [ZONE_NOTZONE] = REFUSES("NOTZONE"),
	};

	return code < sizeof reasons / sizeof reasons[0] && reasons[code] != NULL ? reasons[code] : "the server refuses its update; the log has the code";
}

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

static bool is_condition(unsigned code)
{
	return code == ZONE_NXDOMAIN || code == ZONE_YXDOMAIN || code == ZONE_YXRRSET || code == ZONE_NXRRSET;
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

/* For what the server has against it; a reading gives it another try, and nobody but us may ever cause one. */
static void leave_out(struct zone_client *client, struct zone_node *node, const char *reason, int64_t now_ms)
{
	zone_table_refuse(client->table, node, false, reason);
	client->retry_refused_ms = now_ms + backoff_next(&client->refused_backoff, jitter_bits());
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
		leave_out(client, node, server_refuses(code), now_ms);
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
	if (answer->code == ZONE_NOERROR)
		taken(client, now_ms);
	else if (is_condition(answer->code))
		condition_failed(client);
	else
		refused(client, answer->code, now_ms);
}

/* ---- what the server makes of conditions ---- */

#define FITNESS_AGAIN_MS 60000

/*
 * Each change of ours has several conditions on what a record says: the zone's owners, and each name's. YADIFA 2.6 lets an update fail whose conditions
 * hold: where the records are not as long as each other, and where "nothing is there" comes behind one (findings/yadifa-prerequisites.sh). No order of
 * ours helps: a name that goes has two of them. Better to say so than to have each name fail; the order here is one that such a server fails.
 */
void zone_client_send_fitness(struct zone_client *client, int64_t now_ms)
{
	struct zone_update *update =
		zone_update_new(client->zone, &client->marks, client->owner, client->owner_length, client->conf->ttl_s);
	uint8_t *wire = NULL;
	size_t length = 0;

	if (update != NULL && zone_update_add_truth(update, client->zone) == 0)
		wire = zone_update_finish(update, &client->conf->key, (uint16_t)jitter_bits(), &length, &client->proof);
	zone_update_free(update);
	zone_client_ask(client, ZONE_ASK_FITNESS, wire, length, now_ms);
}

const char zone_client_unfit[] =
	"its server says that conditions of an update fail which hold, as YADIFA does where several are on what a record says (RFC 2136, section "
	"2.4.2): nothing is written there; BIND, Knot and PowerDNS can do it";

void zone_client_fitness(struct zone_client *client, const struct zone_answer *answer, int64_t now_ms)
{
	client->fit = !is_condition(answer->code);
	if (client->fit) {
		client->unfit = 0;
		return;
	}
	client->marks_known = false;
	if (++client->unfit < ZONE_UNFIT_MAX)
		return;
	client->fitness_ms = now_ms + FITNESS_AGAIN_MS;
	if (client->unfit == ZONE_UNFIT_MAX)
		log_warnx("zone %s: %s", client->zone, zone_client_unfit);
}

/* ---- whose is it? ---- */

void zone_client_send_look(struct zone_client *client, int64_t now_ms)
{
	const char *name = zone_node_name(client->batch[0]);
	char owner[ZONE_NAME_SIZE];
	uint16_t type = client->look_use ? ZONE_ANY : ZONE_TXT;
	uint8_t *wire = NULL;
	size_t length = 0;

	if (client->look_use || zone_name_join(ZONE_OWNER_LABEL, name, owner) == 0)
		wire = zone_message_question(client->look_use ? name : owner, type, &client->conf->key, (uint16_t)jitter_bits(), &length,
		                             &client->proof);
	client->look_ours = client->look_any = false;
	zone_client_ask(client, client->look_use ? ZONE_ASK_USE : ZONE_ASK_LOOK, wire, length, now_ms);
}

/* The server says that a condition fails, and what it answers says that it holds: a race, or no server that we can use. */
static void contradicted(struct zone_client *client, struct zone_node *node, int64_t now_ms)
{
	if (zone_node_tries(node) >= CONTRADICTIONS_MAX) {
		leave_out(client, node, server_contradicts, now_ms);
		return;
	}
	client->update_ms = now_ms + backoff_next(&client->update_backoff, jitter_bits());
	zone_table_doubt(client->table, node);
	client->reading.wanted = true;
}

void zone_client_looked(struct zone_client *client, enum zone_question question, const struct zone_answer *answer, int64_t now_ms)
{
	struct zone_node *node = client->batch[0];
	bool known = answer->code == ZONE_NOERROR || answer->code == ZONE_NXDOMAIN;
	bool nobodys = known && !client->look_any && zone_node_owner(node) != ZONE_OURS;

	if (question == ZONE_ASK_LOOK && nobodys) {
		client->look_use = true;
		return;
	}
	client->nbatch = 0;
	client->look = client->look_use = false;
	/* Ours after all, or no longer: the zone is not what we took it for. Or the server does not tell at all. */
	if (!known || nobodys || client->look_ours || (!client->look_any && zone_node_owner(node) == ZONE_OURS))
		contradicted(client, node, now_ms);
	else
		zone_table_refuse(client->table, node, true, zone_node_foreign);
}
