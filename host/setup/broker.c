#include <config.h>

#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/definitions.h"
#include "doctor/rights_review.h"
#include "shared/contract/legacy.h"

static json_t *fetch(struct setup *setup)
{
	char why[DEFINITIONS_WHY_SIZE];
	json_t *definitions = definitions_fetch(why, SETUP_BROKER_S);

	if (definitions == NULL && errno == ENOENT)
		setup_error(setup, "%s: run callsign-setup where the broker runs, or with --broker URL or --no-broker", why);
	else if (definitions == NULL)
		setup_error(setup, "%s", why);
	return definitions;
}

/* ---- what is shown ---- */

static void print_object(char sign, const char *kind, const json_t *object)
{
	json_t *shown = json_deep_copy(object);
	char *text;

	if (json_object_get(shown, "password_hash") != NULL)
		json_object_set_new(shown, "password_hash", json_string("(not shown)"));
	text = json_dumps(shown, JSON_COMPACT);
	printf("%c %s %s\n", sign, kind, text != NULL ? text : "");
	free(text);
	json_decref(shown);
}

static void print_all(char sign, json_t *definitions)
{
	const char *kind;
	json_t *list;

	json_object_foreach(definitions, kind, list) {
		for (size_t i = 0; i < json_array_size(list); i++)
			print_object(sign, kind, json_array_get(list, i));
	}
}

/* ---- the record: what was made, and what stood there before ---- */

static void merge(json_t *into, json_t *from)
{
	const char *kind;
	json_t *list, *mine;

	json_object_foreach(from, kind, list) {
		mine = json_object_get(into, kind);
		if (mine == NULL) {
			mine = json_array();
			json_object_set_new(into, kind, mine);
		}
		json_array_extend(mine, list);
	}
}

static json_t *part(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (value == NULL) {
		value = json_object();
		json_object_set_new(object, key, value);
	}
	return value;
}

/* An object that we made or changed earlier has its original in the record already. */
static bool recorded(const json_t *broker, const char *kind, json_t *object)
{
	static const char *const parts[] = {"made", "replaced"};
	json_t *wanted = json_pack("{s:[O]}", kind, object), *none = json_object();
	bool found = false;

	for (size_t i = 0; i < 2 && !found; i++) {
		json_t *missing = json_object(), *replaced = json_object(), *made = json_object();

		setup_definitions_compare(json_object_get(broker, parts[i]), wanted, missing, replaced, made);
		found = json_object_size(made) == 0;
		json_decref(missing);
		json_decref(replaced);
		json_decref(made);
	}
	json_decref(wanted);
	json_decref(none);
	return found;
}

static void drop_recorded(const json_t *broker, json_t *definitions)
{
	const char *kind;
	json_t *list;

	json_object_foreach(definitions, kind, list) {
		for (size_t i = json_array_size(list); i > 0; i--)
			if (recorded(broker, kind, json_array_get(list, i - 1)))
				json_array_remove(list, i - 1);
	}
}

static int remember(struct setup *setup, json_t *made, json_t *replaced)
{
	json_t *broker = part(setup->record, "broker");
	const json_t *users;

	made = json_deep_copy(made);
	replaced = json_deep_copy(replaced);
	users = json_object_get(made, "users");
	for (size_t i = 0; i < json_array_size(users); i++)
		json_object_del(json_array_get(users, i), "password_hash");
	drop_recorded(broker, made);
	drop_recorded(broker, replaced);
	merge(part(broker, "made"), made);
	merge(part(broker, "replaced"), replaced);
	json_decref(made);
	json_decref(replaced);
	return setup_record_save(setup);
}

/* ---- doing it ---- */

/* A user who has this password already keeps the hash that is there. */
static void keep_hash(const json_t *have, json_t *wanted, const char *password)
{
	const json_t *users = json_object_get(have, "users");
	json_t *user = json_array_get(json_object_get(wanted, "users"), 0);

	for (size_t i = 0; i < json_array_size(users); i++) {
		json_t *one = json_array_get(users, i), *hash = json_object_get(one, "password_hash");

		if (json_equal(json_object_get(one, "name"), json_object_get(user, "name")) && json_is_string(hash) &&
		    setup_rights_password_is(json_string_value(hash), password))
			json_object_set(user, "password_hash", hash);
	}
}

static void apply(struct setup *setup, const json_t *have, const json_t *wanted)
{
	json_t *missing = json_object(), *replaced = json_object(), *made = json_object();

	setup_definitions_compare(have, wanted, missing, replaced, made);
	if (json_object_size(missing) > 0) {
		setup->changed = true;
		printf("broker, vhost %s: changed\n", setup->vhost);
		print_all('-', replaced);
		print_all('+', missing);
		if (!setup->dry_run && remember(setup, made, replaced) == 0)
			setup_import(setup, missing);
	}
	json_decref(missing);
	json_decref(replaced);
	json_decref(made);
}

static bool has_legacy(const struct setup *setup, const json_t *have)
{
	const json_t *list = json_object_get(have, "permissions");
	const char *user, *vhost, *read;

	for (size_t i = 0; i < json_array_size(list); i++) {
		if (json_unpack(json_array_get(list, i), "{s:s, s:s, s:s}", "user", &user, "vhost", &vhost, "read", &read) == 0 &&
		    strcmp(user, setup->host_user) == 0 && strcmp(vhost, setup->vhost) == 0)
			return strstr(read, EXCHANGE_LEGACY) != NULL;
	}
	return false;
}

void setup_broker(struct setup *setup, const char *host_password, const char *emit_password)
{
	json_t *have = fetch(setup), *host, *emit;

	if (have == NULL)
		return;
	/* Once given it stays: who runs set-up again did not ask to take it away. */
	setup->legacy |= has_legacy(setup, have);
	host = setup_rights_host(setup, host_password);
	emit = setup_rights_emitter(setup, SETUP_EMIT_USER, "", emit_password);
	if (host == NULL || emit == NULL) {
		setup_error(setup, "out of memory");
	} else {
		keep_hash(have, host, host_password);
		keep_hash(have, emit, emit_password);
		merge(host, emit);
		apply(setup, have, host);
	}
	json_decref(host);
	json_decref(emit);
	json_decref(have);
}

void setup_broker_agent(struct setup *setup, const char *password)
{
	json_t *have = fetch(setup), *agent = have != NULL ? setup_rights_agent(setup, password) : NULL;

	if (have != NULL && agent == NULL)
		setup_error(setup, "out of memory");
	if (agent != NULL) {
		keep_hash(have, agent, password);
		apply(setup, have, agent);
	}
	json_decref(agent);
	json_decref(have);
}

/* ---- undo ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static void run(struct setup *setup, const char *verb, const char *a, const char *b, const char *c)
{
	const char *argv[] = {"rabbitmqctl", "--quiet", verb, a, b, c, NULL};
	char *output = NULL;

	setup->changed = true;
	printf("broker: %s %s%s%s%s%s\n", verb, a, b != NULL ? " " : "", b != NULL ? b : "", c != NULL ? " " : "", c != NULL ? c : "");
	if (!setup->dry_run)
		setup_rabbitmqctl(setup, argv, &output);
	free(output);
}

static bool has(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(text_of(json_array_get(list, i), "name"), name) == 0)
			return true;
	return false;
}

/* Somebody may have taken it away meanwhile: then it is as it should be. */
static void remove_it(struct setup *setup, const json_t *have, const char *kind, const char *verb, const char *name)
{
	if (has(json_object_get(have, kind), name))
		run(setup, verb, name, NULL, NULL);
	else
		setup_say("broker: %s is gone already", name);
}

/* What goes with neither its vhost nor its user, where that vhost is there still. */
static void undo_rest(struct setup *setup, const json_t *have, const json_t *made)
{
	const json_t *there = json_object_get(have, "vhosts");
	const json_t *vhosts = json_object_get(made, "vhosts"), *users = json_object_get(made, "users");
	const json_t *permissions = json_object_get(made, "permissions"), *parameters = json_object_get(made, "parameters");
	size_t i;

	for (i = 0; i < json_array_size(permissions); i++) {
		const json_t *one = json_array_get(permissions, i);

		if (has(there, text_of(one, "vhost")) && !has(vhosts, text_of(one, "vhost")) && !has(users, text_of(one, "user")))
			run(setup, "clear_permissions", "-p", text_of(one, "vhost"), text_of(one, "user"));
	}
	for (i = 0; i < json_array_size(parameters); i++) {
		const json_t *one = json_array_get(parameters, i);

		if (has(there, text_of(one, "vhost")) && !has(vhosts, text_of(one, "vhost")))
			run(setup, "clear_operator_policy", "-p", text_of(one, "vhost"), text_of(one, "name"));
	}
	if (json_array_size(json_object_get(made, "exchanges")) > 0 && json_array_size(vhosts) == 0)
		setup_say("the exchanges stay: the vhost was there before, and others may use them");
}

void setup_broker_undo(struct setup *setup)
{
	json_t *broker = json_object_get(setup->record, "broker");
	json_t *made = json_object_get(broker, "made"), *replaced = json_object_get(broker, "replaced");
	const json_t *vhosts = json_object_get(made, "vhosts"), *users = json_object_get(made, "users");
	json_t *have = fetch(setup);
	size_t i;

	if (have == NULL)
		return;
	undo_rest(setup, have, made);
	for (i = 0; i < json_array_size(vhosts); i++)
		remove_it(setup, have, "vhosts", "delete_vhost", text_of(json_array_get(vhosts, i), "name"));
	for (i = 0; i < json_array_size(users); i++)
		remove_it(setup, have, "users", "delete_user", text_of(json_array_get(users, i), "name"));
	if (json_object_size(replaced) > 0) {
		setup->changed = true;
		printf("broker: put back\n");
		print_all('+', replaced);
		if (!setup->dry_run)
			setup_import(setup, replaced);
	}
	json_decref(have);
}

/* ---- tenants ---- */

/* Whether some other tenant's names would be ours, or ours his. The user for everything is the operator's own. */
static bool overlaps(struct setup *setup, const json_t *have, const char *user, const char *prefix)
{
	const json_t *list = json_object_get(have, "topic_permissions");
	char other[RIGHTS_PREFIX_SIZE];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (strcmp(text_of(one, "vhost"), setup->vhost) != 0 || strcmp(text_of(one, "user"), user) == 0 ||
		    strcmp(text_of(one, "exchange"), "callsign") != 0 || rights_prefix(text_of(one, "write"), other) == -1 ||
		    !rights_overlap(other, prefix))
			continue;
		setup_error(setup, "the prefix %s overlaps with %s, which is %s's", prefix, other, text_of(one, "user"));
		return true;
	}
	return false;
}

static bool word_of(const char *text, const char *also, size_t longest)
{
	size_t length = strlen(text);

	return length > 0 && length <= longest && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789") > 0 &&
	       strspn(text, also) == length;
}

static void explain(const struct setup *setup, const char *name, const char *file)
{
	char url[512];

	snprintf(url, sizeof url, "amqp://%s@gateway/%s", name, setup->vhost);
	if (setup->remote.on)
		setup_remote_url(setup, name, url, sizeof url);
	printf("\nThe tenant's containers may announce names that begin with their prefix, and are run with:\n\n"
	       "  docker run --hostname PREFIX... \\\n"
	       "    --env CALLSIGN_URLS=%s \\\n"
	       "    --env CALLSIGN_PASSWORD_FILE=/run/secrets/callsign \\\n"
	       "    --mount type=bind,source=%s,target=/run/secrets/callsign,readonly IMAGE\n\n"
	       "Its password is in %s. %s may announce any name: give its password to no tenant.\n",
	       url, file, file, SETUP_EMIT_USER);
}

static int remote_tenant(struct setup *setup, const char *name, const char *prefix, const char *file)
{
	char password[SETUP_PASSWORD_SIZE];

	if (!setup_password(setup, file, password))
		return 1;
	setup_remote_print_tenant(setup, name, prefix, password);
	if (!setup->remote.print_only)
		explain(setup, name, file);
	explicit_bzero(password, sizeof password);
	return setup->failed || fflush(stdout) != 0 ? 1 : 0;
}

int setup_tenant(struct setup *setup, const char *name, const char *prefix)
{
	char file[256], password[SETUP_PASSWORD_SIZE];
	json_t *have, *wanted;

	if (!word_of(name, "abcdefghijklmnopqrstuvwxyz0123456789-_", 64) || strncmp(name, "callsign-", 9) == 0) {
		setup_error(setup, "tenant: the name is one to 64 of a-z, 0-9, - and _, and does not begin with callsign-");
		return 2;
	}
	if (!word_of(prefix, "abcdefghijklmnopqrstuvwxyz0123456789-.", 100)) {
		setup_error(setup, "tenant: the prefix is one to 100 of a-z, 0-9, - and ., for example web-");
		return 2;
	}
	snprintf(file, sizeof file, SETUP_TENANTS "/%s.password", name);
	if (setup->remote.on)
		return remote_tenant(setup, name, prefix, file);
	have = fetch(setup);
	if (have != NULL && has(json_object_get(have, "users"), name) &&
	    !has(json_object_get(json_object_get(json_object_get(setup->record, "broker"), "made"), "users"), name))
		setup_error(setup, "the broker has a user %s already, and not from callsign-setup: choose another name", name);
	if (have == NULL || setup->failed || overlaps(setup, have, name, prefix)) {
		json_decref(have);
		return 1;
	}
	wanted = setup_password(setup, file, password) ? setup_rights_emitter(setup, name, prefix, password) : NULL;
	if (wanted != NULL) {
		keep_hash(have, wanted, password);
		apply(setup, have, wanted);
		if (!setup->failed)
			explain(setup, name, file);
	}
	json_decref(wanted);
	json_decref(have);
	return setup->failed ? 1 : 0;
}
