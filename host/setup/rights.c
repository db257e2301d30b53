#include <config.h>

#include "setup.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "doctor/rights.h"

#define SALT 4
#define HASH 32
#define STORED_SIZE 64 /* base64 of salt and hash: 48 characters */

/* ---- passwords, as RabbitMQ stores them: four bytes of salt, then the SHA-256 of salt and password, in base64 ---- */

static bool hash_password(const unsigned char salt[SALT], const char *password, char out[STORED_SIZE])
{
	unsigned char text[SALT + 1024], stored[SALT + HASH];
	size_t length = strlen(password);

	if (length > sizeof text - SALT)
		return false;
	memcpy(text, salt, SALT);
	memcpy(text + SALT, password, length);
	memcpy(stored, salt, SALT);
	if (EVP_Digest(text, SALT + length, stored + SALT, NULL, EVP_sha256(), NULL) != 1)
		return false;
	explicit_bzero(text, sizeof text);
	EVP_EncodeBlock((unsigned char *)out, stored, sizeof stored);
	return true;
}

bool setup_rights_password_is(const char *stored, const char *password)
{
	unsigned char raw[STORED_SIZE];
	char again[STORED_SIZE];

	if (strlen(stored) != (SALT + HASH) / 3 * 4 || EVP_DecodeBlock(raw, (const unsigned char *)stored, (int)strlen(stored)) < SALT + HASH)
		return false;
	return hash_password(raw, password, again) && strcmp(stored, again) == 0;
}

static json_t *user_json(const char *name, const char *password, unsigned connections)
{
	unsigned char salt[SALT];
	char stored[STORED_SIZE];
	json_t *limits = json_object();

	if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt || !hash_password(salt, password, stored))
		return NULL;
	if (connections > 0) {
		json_object_set_new(limits, "max-connections", json_integer(connections));
		json_object_set_new(limits, "max-channels", json_integer(connections));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", name, "password_hash", stored, "hashing_algorithm",
	                 "rabbit_password_hashing_sha256", "tags", "", "limits", limits);
}

/* ---- rights: docs/protocol.md, "Who may do what" ---- */

static json_t *permission(const struct setup *setup, const char *user, const struct rights *rights)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "user", user, "vhost", setup->vhost, "configure", rights->configure, "write", rights->write,
	                 "read", rights->read);
}

static json_t *topic(const struct setup *setup, const char *user, const char *exchange, const char *write, const char *read)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "user", user, "vhost", setup->vhost, "exchange", exchange, "write", write, "read", read);
}

static json_t *exchange(const struct setup *setup, const char *name, const char *type)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:{}}", "name", name, "vhost", setup->vhost, "type", type, "durable", 1, "auto_delete", 0,
	                 "internal", 0, "arguments");
}

static json_t *host_permission(const struct setup *setup)
{
	struct rights rights;

	rights_host(setup->hostname, setup->legacy, &rights);
	return permission(setup, setup->host_user, &rights);
}

/* Whatever an emitter declares, its mailbox is small and short-lived. */
static json_t *mailbox_policy(const struct setup *setup)
{
	return json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:i, s:{s:i, s:i, s:i}}}", "vhost", setup->vhost, "component", "operator_policy", "name",
	                 "callsign-mailboxes", "value", "pattern", "^callsign\\.will\\.", "apply-to", "queues", "priority", 0, "definition", "expires",
	                 60000, "max-length", 16, "message-ttl", 0);
}

json_t *setup_rights_host(const struct setup *setup, const char *password)
{
	return json_pack("{s:[{s:s}], s:[o], s:[o], s:[o], s:[o, o, o]}", "vhosts", "name", setup->vhost, "users",
	                 user_json(setup->host_user, password, 0), "permissions", host_permission(setup), "parameters", mailbox_policy(setup),
	                 "exchanges", exchange(setup, "callsign", "topic"), exchange(setup, "callsign.will", "topic"),
	                 exchange(setup, "callsign.rollcall", "fanout"));
}

/* The exchanges, too: from RabbitMQ 4.3 on there are no topic permissions for an exchange that is not there. */
json_t *setup_rights_emitter(const struct setup *setup, const char *user, const char *prefix, const char *password)
{
	struct rights_topic its;
	struct rights rights;

	rights_emitter(prefix, &rights, &its);
	return json_pack("{s:[o], s:[o], s:[o, o], s:[o, o]}", "users", user_json(user, password, setup->connections), "permissions",
	                 permission(setup, user, &rights), "topic_permissions",
	                 topic(setup, user, "callsign", its.announce_write, its.announce_read), topic(setup, user, "callsign.will", its.will, its.will),
	                 "exchanges", exchange(setup, "callsign", "topic"), exchange(setup, "callsign.will", "topic"));
}

json_t *setup_rights_agent(const struct setup *setup, const char *password)
{
	struct rights_topic its;
	struct rights rights;

	rights_agent(setup->hostname, &rights, &its);
	return json_pack("{s:[o], s:[o], s:[o]}", "users", user_json(SETUP_AGENT_USER, password, setup->connections), "permissions",
	                 permission(setup, SETUP_AGENT_USER, &rights), "topic_permissions",
	                 topic(setup, SETUP_AGENT_USER, "callsign", its.announce_write, its.announce_read));
}

/* ---- what is there, and what is to be ---- */

/* An object is told from the others of its kind by these keys. */
static const struct {
	const char *kind;
	const char *keys[3];
} kinds[] = {
	{"vhosts", {"name", NULL, NULL}},
	{"users", {"name", NULL, NULL}},
	{"permissions", {"user", "vhost", NULL}},
	{"topic_permissions", {"user", "vhost", "exchange"}},
	{"parameters", {"vhost", "component", "name"}},
	{"exchanges", {"vhost", "name", NULL}},
};

static bool same_object(const json_t *a, const json_t *b, const char *const keys[3])
{
	for (int i = 0; i < 3 && keys[i] != NULL; i++)
		if (!json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])))
			return false;
	return true;
}

static json_t *find(const json_t *list, const json_t *object, const char *const keys[3])
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (same_object(json_array_get(list, i), object, keys))
			return json_array_get(list, i);
	return NULL;
}

/* A password's hash has a salt of its own each time; how tags are written depends on RabbitMQ's version. */
static bool equal_user(const json_t *have, const json_t *wanted)
{
	return json_equal(json_object_get(have, "password_hash"), json_object_get(wanted, "password_hash")) &&
	       json_equal(json_object_get(have, "limits"), json_object_get(wanted, "limits"));
}

static bool as_wanted(const char *kind, const json_t *have, const json_t *wanted)
{
	static const char *const exchange_keys[] = {"type", "durable", NULL};
	const char *key;
	json_t *value;

	if (strcmp(kind, "users") == 0)
		return equal_user(have, wanted);
	if (strcmp(kind, "exchanges") == 0) {
		for (int i = 0; exchange_keys[i] != NULL; i++)
			if (!json_equal(json_object_get(have, exchange_keys[i]), json_object_get(wanted, exchange_keys[i])))
				return false;
		return true;
	}
	json_object_foreach((json_t *)(uintptr_t)wanted, key, value) {
		if (!json_equal(json_object_get(have, key), value))
			return false;
	}
	return true;
}

static void put(json_t *definitions, const char *kind, json_t *object)
{
	json_t *list = json_object_get(definitions, kind);

	if (list == NULL) {
		list = json_array();
		json_object_set_new(definitions, kind, list);
	}
	json_array_append(list, object);
}

void setup_definitions_compare(const json_t *have, const json_t *wanted, json_t *missing, json_t *replaced, json_t *made)
{
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		const json_t *list = json_object_get(wanted, kinds[k].kind);

		for (size_t i = 0; i < json_array_size(list); i++) {
			json_t *object = json_array_get(list, i);
			json_t *old = find(json_object_get(have, kinds[k].kind), object, kinds[k].keys);

			if ((old != NULL && as_wanted(kinds[k].kind, old, object)) ||
			    find(json_object_get(missing, kinds[k].kind), object, kinds[k].keys) != NULL)
				continue;
			put(missing, kinds[k].kind, object);
			put(old != NULL ? replaced : made, kinds[k].kind, old != NULL ? old : object);
		}
	}
}
