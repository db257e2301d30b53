#include <config.h>

#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/*
 * A broker on another machine, where no rabbitmqctl of ours reaches. What it needs is printed as a command for that machine: definitions, since those
 * take a password's salted hash, so that the password itself leaves this host on nobody's screen.
 */
#define WORDS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

static bool is_word(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= 100 && strspn(text, WORDS) == length;
}

/* ---- which broker: as given, or as an earlier run was told ---- */

/* The URL is not repeated: it may hold a password. */
static int refuse(struct setup *setup, const char *why)
{
	setup_error(setup, "--broker: %s", why);
	return -1;
}

/* Without a user it is this host's own, host-NAME. */
static int parse(struct setup *setup, const char *url)
{
	const char *authority = strstr(url, "://"), *at = authority != NULL ? strchr(authority, '@') : NULL;
	char error[BUSCONF_ERROR_SIZE], full[1024];
	const struct bus_endpoint *endpoint;
	int length;

	if (authority != NULL && at == NULL)
		length = snprintf(full, sizeof full, "%.*s://host-%s@%s", (int)(authority - url), url, setup->hostname, authority + 3);
	else
		length = snprintf(full, sizeof full, "%s", url);
	if (length >= (int)sizeof full || busconf_add_url(&setup->remote.conf, full, error) == -1)
		return refuse(setup, length >= (int)sizeof full ? "too long" : error);
	endpoint = setup->remote.endpoint = &setup->remote.conf.endpoints[0];
	if (endpoint->password != NULL)
		return refuse(setup, "a password has no place on a command line: put it into a file, and give --password-file FILE");
	if (!is_word(endpoint->vhost))
		return refuse(setup, "it names a vhost, of letters, digits, '-', '_' and '.': amqp://broker.example/callsign");
	if (!is_word(endpoint->user) || strcmp(endpoint->user, SETUP_EMIT_USER) == 0)
		return refuse(setup, "the user is this host's own, of letters, digits, '-', '_' and '.'");
	setup->vhost = endpoint->vhost;
	setup->host_user = endpoint->user;
	return 0;
}

int setup_remote_find(struct setup *setup, const char *url)
{
	json_t *known = json_object_get(setup->record, "remote");
	const char *file = json_string_value(json_object_get(known, "password_file"));

	if (url == NULL)
		url = json_string_value(json_object_get(known, "url"));
	if (url == NULL)
		return setup->remote.first || setup->remote.print_only || setup->host_password_file != NULL
		               ? (setup_error(setup, "--first, --password-file and --print-broker-commands go with --broker URL"), -1) : 0;
	setup->remote.on = true;
	busconf_init(&setup->remote.conf);
	setup->remote.first |= json_is_true(json_object_get(known, "first"));
	if (setup->host_password_file == NULL && file != NULL)
		setup->host_password_file = file;
	if (parse(setup, url) == -1)
		return -1;
	json_incref(known); /* host_password_file may be in it */
	setup->remote.known = known;
	json_object_set_new(setup->record, "remote", json_pack("{s:s, s:b, s:s*}", "url", url, "first", setup->remote.first, "password_file",
	                                                       setup->host_password_file));
	return 0;
}

void setup_remote_free(struct setup *setup)
{
	if (setup->remote.on)
		busconf_clear(&setup->remote.conf);
	json_decref(setup->remote.known);
}

const char *setup_remote_url(const struct setup *setup, const char *user, char *out, size_t size)
{
	struct bus_endpoint endpoint = *setup->remote.endpoint;
	char name[128];

	snprintf(name, sizeof name, "%s", user);
	endpoint.user = name;
	return busconf_endpoint_text(&endpoint, out, size);
}

/* ---- what is to be run there ---- */

/*
 * By way of a file that nobody but the user rabbitmq may read: rabbitmqctl becomes that user, and from 4.0 on does not read definitions from its
 * standard input. Before there is a password there is no hash of it either.
 */
static void print_definitions(const struct setup *setup, json_t *definitions)
{
	char *text;

	if (setup->dry_run)
		json_object_set_new(json_array_get(json_object_get(definitions, "users"), 0), "password_hash", json_string("(not in a dry run)"));
	text = json_dumps(definitions, JSON_INDENT(1));
	printf("(file=$(mktemp) && trap 'rm -f \"$file\"' EXIT && cat >\"$file\" && { chown rabbitmq \"$file\" || true; } &&\n"
	       " rabbitmqctl import_definitions \"$file\" </dev/null) <<'CALLSIGN'\n%s\nCALLSIGN\n", text != NULL ? text : "");
	free(text);
}

void setup_remote_print(const struct setup *setup, const char *host_password, const char *emit_password)
{
	json_t *host = setup_rights_host(setup, host_password);
	json_t *emit = emit_password != NULL ? setup_rights_emitter(setup, SETUP_EMIT_USER, "", emit_password) : NULL;

	printf("# On the broker's machine (%s), as root; it may be run again. The user %s of this host, with a hash of its password:\n",
	       setup->remote.endpoint->host, setup->host_user);
	print_definitions(setup, host);
	if (emit != NULL) {
		printf("# And the user that containers log in as, whichever host they are on:\n");
		print_definitions(setup, emit);
	}
	json_decref(host);
	json_decref(emit);
}

void setup_remote_print_tenant(const struct setup *setup, const char *name, const char *prefix, const char *password)
{
	json_t *emit = setup_rights_emitter(setup, name, prefix, password);

	printf("# On the broker's machine (%s), as root; it may be run again. That no other tenant's prefix overlaps with %s cannot be seen from\n"
	       "# here: rabbitmqctl list_topic_permissions -p %s lists them, and callsignctl doctor there compares them.\n",
	       setup->remote.endpoint->host, prefix, setup->vhost);
	print_definitions(setup, emit);
	json_decref(emit);
}

void setup_remote_undo(struct setup *setup)
{
	const char *user = setup->host_user;

	if (!setup->remote.on)
		return;
	setup->changed = true;
	setup_say("On the broker's machine (%s), where nothing was changed from here:\n  rabbitmqctl delete_queue -p %s callsign.host.%s\n"
	          "  rabbitmqctl delete_user %s", setup->remote.endpoint->host, setup->vhost, setup->hostname, user);
}
