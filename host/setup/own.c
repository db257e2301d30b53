#include <config.h>

#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/address.h"

/*
 * A dnsmasq for the names of containers alone. Each SIGHUP empties a dnsmasq's whole cache; this one has nothing else in it, so that this host's own
 * dnsmasq, which forwards the domain to it, keeps what it knows of the world. And it is authoritative: what is not there is denied with a SOA that
 * lets nobody believe so for longer than the answer takes, where a forwarder's denial without one is kept for as long as each resolver likes.
 *
 * It listens on the loopback, on a port of its own that only root can open: whatever holds port 53, on whichever addresses, is in nobody's way. The
 * address must be one of an interface (127.0.0.1 always is): on any other one of 127.0.0.0/8 dnsmasq listens, but is never authoritative.
 */

#define OWN_SECTION \
	"# The dnsmasq of " SETUP_OWN_CONF ".\n" \
	"dnsmasq {\n" \
	"\tpid_file = \"" SETUP_OWN_PID "\"\n" \
	"\tserver = \"" SETUP_OWN_ADDRESS "\"\n" \
	"\tport = " SETUP_OWN_PORT "\n" \
	"}\n"

/* ---- whether ---- */

static bool daemon_knows_own(const struct setup *setup)
{
	char *text = setup_read(setup, SETUP_CONF);
	bool knows = text != NULL && setup_conf_says(text, "\"" SETUP_OWN_PID "\"");

	free(text);
	return knows;
}

static bool is_there(const struct setup *setup, const char *path)
{
	char *text = setup_read(setup, path);
	bool there = text != NULL || errno != ENOENT;

	free(text);
	return there;
}

/* What was set up before stays as it is: the daemon's configuration, if somebody else wrote it, and dnsmasq's. */
static enum setup_dnsmasq_kind usual(const struct setup *setup)
{
	if (is_there(setup, SETUP_DNSMASQ) || (is_there(setup, SETUP_CONF) && !daemon_knows_own(setup)))
		return SETUP_DNSMASQ_SHARED;
	return SETUP_DNSMASQ_OWN;
}

void setup_own_choose(struct setup *setup)
{
	const char *before = json_string_value(json_object_get(setup->record, "dnsmasq"));

	if (setup->dnsmasq == SETUP_DNSMASQ_AS_BEFORE && before != NULL)
		setup->dnsmasq = strcmp(before, "own") == 0 ? SETUP_DNSMASQ_OWN : SETUP_DNSMASQ_SHARED;
	if (setup->dnsmasq == SETUP_DNSMASQ_AS_BEFORE)
		setup->dnsmasq = usual(setup);
	if (!setup->dry_run)
		json_object_set_new(setup->record, "dnsmasq", json_string(setup->dnsmasq == SETUP_DNSMASQ_OWN ? "own" : "shared"));
}

bool setup_own(const struct setup *setup)
{
	return setup->dnsmasq == SETUP_DNSMASQ_OWN;
}

/* ---- who is asked for the names, in the notation of each that asks ---- */

const char *setup_own_server(const struct setup *setup, const char *separator, char out[SETUP_SERVER_SIZE])
{
	if (setup_own(setup))
		snprintf(out, SETUP_SERVER_SIZE, "%s%s%s", SETUP_OWN_ADDRESS, separator, SETUP_OWN_PORT);
	else
		snprintf(out, SETUP_SERVER_SIZE, "%s", setup->docker);
	return out;
}

/* ---- the daemon's configuration ---- */

const char *setup_own_section(const struct setup *setup)
{
	return setup_own(setup) ? OWN_SECTION : "";
}

/* text without the section (new, to be freed), and with it at the end where it is wanted. NULL: no memory. */
static char *with_section(const char *text, bool wanted)
{
	const char *found = strstr(text, OWN_SECTION), *rest = found != NULL ? found + strlen(OWN_SECTION) : "";
	int before = (int)(found != NULL ? (size_t)(found - text) : strlen(text));
	char *out;

	return asprintf(&out, "%.*s%s%s", before, text, rest, wanted ? OWN_SECTION : "") != -1 ? out : NULL;
}

/* One that is there already and is ours changes in this section alone; the administrator's is theirs to change. */
static void change_daemon(struct setup *setup, const char *old)
{
	char *text;

	if (daemon_knows_own(setup) == setup_own(setup))
		return;
	if (!setup_is_ours(setup, SETUP_CONF)) {
		setup_error(setup, "%s is not as callsign-setup wrote it: with --dnsmasq %s it must %s these lines; change it, and run this again\n%s",
		            SETUP_CONF, setup_own(setup) ? "own" : "shared", setup_own(setup) ? "have" : "not have", OWN_SECTION);
		return;
	}
	text = with_section(old, setup_own(setup));
	if (text != NULL)
		setup->daemon_changed |= setup_write(setup, SETUP_CONF, text, 0640, SETUP_PLAIN);
	free(text);
}

void setup_own_daemon(struct setup *setup)
{
	char *old = setup_read(setup, SETUP_CONF);

	if (old != NULL)
		change_daemon(setup, old);
	free(old);
}

/* ---- this host's own dnsmasq ---- */

/* local=/ZONE/, of which nothing is known here any more, becomes the question to ours. Private addresses from a server that is asked would else be
 * taken for an attack where stop-dns-rebind is set. */
static void forward_line(const char *line, size_t length, FILE *out)
{
	static const char key[] = "local=/";
	int zone = (int)(length - strlen(key) - 1);

	if (strncmp(line, key, strlen(key)) == 0 && line[length - 1] == '/') {
		fprintf(out, "server=/%.*s/" SETUP_OWN_ADDRESS "#" SETUP_OWN_PORT "\n", zone, line + strlen(key));
		if (strstr(line, ".arpa/") == NULL || strstr(line, ".arpa/") > line + length)
			fprintf(out, "rebind-domain-ok=/%.*s/\n", zone, line + strlen(key));
	} else if (strncmp(line, "servers-file=" SETUP_REVERSE, strlen("servers-file=" SETUP_REVERSE)) == 0) {
		fputs("servers-file=" SETUP_FORWARD "\n", out);
	} else if (line[0] != '#' && strncmp(line, "addn-hosts=", strlen("addn-hosts=")) != 0) {
		fprintf(out, "%.*s\n", (int)length, line);
	}
}

char *setup_own_forward(const struct setup *setup, const char *text)
{
	char *out = NULL;
	size_t size;
	FILE *stream;

	if (!setup_own(setup))
		return strdup(text);
	stream = open_memstream(&out, &size);
	if (stream == NULL)
		return NULL;
	fputs("# Made by callsign-setup; callsign-setup --undo takes it away. For the names of containers the dnsmasq of\n"
	      "# " SETUP_OWN_CONF " is asked, and nobody else.\n", stream);
	for (size_t length; *text != '\0'; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		forward_line(text, length, stream);
	}
	if (fclose(stream) == 0)
		return out;
	free(out);
	return NULL;
}

/* ---- the second dnsmasq ---- */

static bool has_user(const struct setup *setup, const char *line)
{
	char *text = setup_read(setup, "/etc/passwd");
	bool found = text != NULL && (strncmp(text, line, strlen(line)) == 0 || (strstr(text, line) != NULL && strstr(text, line)[-1] == '\n'));

	free(text);
	return found;
}

/* A line of dnsmasq's configuration has at most 1,024 characters, and one zone as many lines as one likes. */
#define OWN_NETWORKS_LINE 64

static size_t own_everywhere(const struct setup *setup, char *out, size_t size)
{
	size_t used = 0;

	for (unsigned i = 1; i < 224 && used < size; i++)
		if (i % OWN_NETWORKS_LINE == 1)
			used += (size_t)snprintf(out + used, size - used, "%sauth-zone=%s,%u.0.0.0/8", i > 1 ? "\n" : "", setup->domain, i);
		else
			used += (size_t)snprintf(out + used, size - used, ",%u.0.0.0/8", i);
	for (unsigned i = 0; i < 16 && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, i == 0 ? ",::/4" : ",%x000::/4", i);
	used += (size_t)snprintf(out + used, size - used, "\n");
	return used < size ? used : size - 1;
}

/*
 * The last auth-zone is looked at first, and its networks from the last to the first. Without networks it holds names of any address; those with
 * networks are for reverse names alone. They are all that there are, at label boundaries, so that a network that Docker makes later needs no restart whatever its
 * range: what is asked here is for the caller's configuration to choose, and what is beyond these networks is refused, even if it has a name. (0.0.0.0/0 would be
 * no network at all, dnsmasq takes it for 0.0.0.0/32; and the zone of a range wider than a label is named wrongly.)
 */
static void own_zones(const struct setup *setup, char *out, size_t size)
{
	char zones[SETUP_DOMAINS_SIZE], docker[32] = "";
	struct address address;
	size_t used = own_everywhere(setup, out, size);

	setup_domains(setup, false, "auth-zone=", "\n", zones, sizeof zones);
	if (address_parse(setup->docker, strlen(setup->docker), &address) == 0 && address.family == 4)
		snprintf(docker, sizeof docker, ",%u.%u.0.0/16", address.bytes[0], address.bytes[1]);
	snprintf(out + used, size - used,
	         "auth-zone=%s,10.0.0.0/8,172.16.0.0/16,172.17.0.0/16,172.18.0.0/16,172.19.0.0/16,172.20.0.0/16,172.21.0.0/16,172.22.0.0/16,"
	         "172.23.0.0/16,172.24.0.0/16,172.25.0.0/16,172.26.0.0/16,172.27.0.0/16,172.28.0.0/16,172.29.0.0/16,172.30.0.0/16,172.31.0.0/16,"
	         "192.168.0.0/16,fd00::/8%s\n%sauth-zone=%s\n",
	         setup->domain, docker, zones, setup->domain);
}

static void own_conf(struct setup *setup)
{
	char text[10240 + 2 * SETUP_DOMAINS_SIZE], zones[8192 + SETUP_DOMAINS_SIZE];

	own_zones(setup, zones, sizeof zones);
	snprintf(text, sizeof text,
	         "# Made by callsign-setup; callsign-setup --undo takes it away. A dnsmasq for the names of containers alone: callsignd replaces\n"
	         "# the file of addn-hosts as a whole and sends SIGHUP, which leaves the cache of this host's own dnsmasq alone.\n"
	         "port=" SETUP_OWN_PORT "\n"
	         "listen-address=" SETUP_OWN_ADDRESS "\n"
	         "bind-interfaces\n"
	         "no-resolv\n"
	         "no-hosts\n"
	         "%s"
	         "pid-file=" SETUP_OWN_PID "\n"
	         "addn-hosts=/run/callsign/hosts\n"
	         "# Authoritative: a denial carries a SOA that says for how long to believe it. Not at all, and addresses neither.\n"
	         "auth-server=ns.callsign.%s," SETUP_OWN_ADDRESS "\n"
	         "auth-soa=1,hostmaster.%s,60,60,60\n"
	         "auth-ttl=0\n"
	         "%s",
	         has_user(setup, "dnsmasq:") ? "user=dnsmasq\n" : "", setup->domain, setup->domain, zones);
	setup->own_changed |= setup_write(setup, SETUP_OWN_CONF, text, 0644, SETUP_PLAIN);
}

void setup_own_instance(struct setup *setup)
{
	setup->own_gone = !setup_own(setup) && setup_recorded(setup, SETUP_OWN_CONF);
	if (!setup_own(setup))
		return;
	own_conf(setup);
	setup_own_service(setup);
}

void setup_own_away(struct setup *setup)
{
	static const char *const files[] = {SETUP_OWN_CONF, SETUP_OWN_UNIT, SETUP_OWN_SCRIPT};

	for (size_t i = 0; i < sizeof files / sizeof *files && setup->own_gone; i++)
		setup_take_back(setup, files[i]);
}
