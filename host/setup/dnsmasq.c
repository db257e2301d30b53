#include <config.h>

#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/bridges.h"
#include "doctor/dnsmasqconf.h"

/*
 * Our piece of dnsmasq's configuration: which names are its own, and where it answers.
 *
 * Containers on any network but Docker's default one (each compose project has its own) ask Docker, which asks dnsmasq for them from where they are:
 * what is sent to docker0's address then comes in over their bridge, and dnsmasq answers nobody over an interface that it was not told of. So its
 * interface= lines name all bridges that containers are on, not docker0 alone.
 */
#define PIECE "interface="
#define RESOLVED_SERVERS "/run/systemd/resolve/resolv.conf"

/* ---- where it answers ---- */

/* The lines that another run wrote, among dnsmasq's, are not what somebody else wants of it. */
static const struct dnsmasqconf_option *others(const struct dnsmasqconf *conf, const char *key)
{
	for (size_t i = 0; i < conf->count; i++)
		if (strcmp(conf->options[i].key, key) == 0 && strncmp(conf->options[i].where, SETUP_DNSMASQ ":", sizeof SETUP_DNSMASQ) != 0)
			return &conf->options[i];
	return NULL;
}

static bool is_asked_for(const struct dnsmasqconf *conf, const char *key)
{
	return others(conf, key) != NULL;
}

static bool has_line(const char *text, const char *line)
{
	size_t length = strlen(line);

	for (const char *at = text; at != NULL && *at != '\0'; at = strchr(at, '\n'), at += at != NULL)
		if (strncmp(at, line, length) == 0 && (at[length] == '\n' || at[length] == '\0'))
			return true;
	return false;
}

/* What an earlier run wrote stays: a bridge may be away for a while. */
static void print_old(const char *old, FILE *out)
{
	for (const char *at = old; at != NULL && *at != '\0'; at = strchr(at, '\n'), at += at != NULL) {
		size_t length = strcspn(at, "\n");

		if (strncmp(at, PIECE, sizeof PIECE - 1) == 0 && strncmp(at, PIECE "docker0\n", sizeof PIECE + 7) != 0 &&
		    strncmp(at, PIECE BRIDGES_OF_DOCKER "\n", sizeof(PIECE BRIDGES_OF_DOCKER)) != 0)
			fprintf(out, "%.*s\n", (int)length, at);
	}
}

static pid_t running_dnsmasq(void)
{
	FILE *file = fopen("/run/dnsmasq/dnsmasq.pid", "re");
	long pid = 0;

	/* NOLINTNEXTLINE(cert-err34-c): 0 is as good as no number */
	if (file != NULL && fscanf(file, "%ld", &pid) != 1)
		pid = 0;
	if (file != NULL)
		fclose(file);
	return (pid_t)pid;
}

static void print_bridges(const struct setup *setup, const char *old, FILE *out)
{
	struct bridges bridges = {.names = NULL};

	fputs(PIECE "docker0\n" PIECE BRIDGES_OF_DOCKER "\n", out);
	print_old(old, out);
	if (setup->root[0] != '\0')
		return;
	bridges_find(&bridges, running_dnsmasq());
	for (size_t i = 0; i < bridges.count; i++) {
		char line[BRIDGES_NAME_SIZE + sizeof PIECE];

		snprintf(line, sizeof line, PIECE "%s", bridges.names[i]);
		if (old == NULL || !has_line(old, line))
			fprintf(out, "%s\n", line);
	}
	bridges_free(&bridges);
}

/*
 * Where dnsmasq listens is a matter of what it does besides. If it is this host's own resolver (resolv.conf names the loopback), it goes on
 * listening where it did; else it answers containers alone, so that it is in nobody's way, and this host's programs, too, where resolv.conf can be made
 * to name it (writer.c). old: what an earlier run found out stays, since by now resolv.conf may be as we made it.
 */
static void print_listening(struct setup *setup, const char *old, FILE *out)
{
	struct dnsmasqconf conf;
	bool named, bound, alone, told = setup->writer != SETUP_WRITER_NONE || (old != NULL && has_line(old, "bind-dynamic"));

	dnsmasqconf_of_system(&conf, setup->root);
	named = is_asked_for(&conf, "interface") || is_asked_for(&conf, "listen-address");
	bound = is_asked_for(&conf, "bind-interfaces");
	alone = setup->writer != SETUP_WRITER_NONE ? false : old != NULL ? has_line(old, "except-interface=lo") : setup->resolver.kind != RESOLVER_LOOPBACK || setup->holder[0] != '\0';
	if (alone || told || named || (old != NULL && has_line(old, PIECE "docker0")))
		print_bridges(setup, old, out);
	if (alone)
		fputs("except-interface=lo\n", out);
	if ((alone || told) && !bound)
		fputs("bind-dynamic\n", out);
	if (bound && !(old != NULL && has_line(old, PIECE BRIDGES_OF_DOCKER)))
		setup_say("dnsmasq has bind-interfaces (%s): it does not follow a docker0 that appears later; restart it then",
		          dnsmasqconf_find(&conf, "bind-interfaces", NULL)->where);
	dnsmasqconf_free(&conf);
}

/* ---- whom it asks ---- */

/*
 * Debian's dnsmasq reads /run/dnsmasq/resolv.conf as soon as there is a /sbin/resolvconf, which the package resolvconf keeps current; the one that
 * comes with systemd-resolved knows nothing of that file, so that dnsmasq would have nobody to ask.
 */
static void print_servers(const struct setup *setup, FILE *out)
{
	struct dnsmasqconf conf;
	char *known, *file;
	bool tool;

	if (setup->resolver.kind != RESOLVER_RESOLVED)
		return;
	dnsmasqconf_of_system(&conf, setup->root);
	known = setup_read(setup, "/run/dnsmasq/resolv.conf");
	tool = setup_there(setup, "/sbin/resolvconf");
	file = setup_read(setup, RESOLVED_SERVERS);
	if (known == NULL && tool && file != NULL && !is_asked_for(&conf, "resolv-file") &&
	    !is_asked_for(&conf, "no-resolv") && !is_asked_for(&conf, "server"))
		fputs("resolv-file=" RESOLVED_SERVERS "\n", out);
	free(known);
	free(file);
	dnsmasqconf_free(&conf);
}

/*
 * The reverse zones of docker0's networks stand in the piece itself; those of others, as they come and go, in a file that callsignd keeps and that dnsmasq reads again at
 * each SIGHUP. dnsmasq takes one such file, and does not start with two.
 */
static void print_networks(struct setup *setup, FILE *out)
{
	const struct dnsmasqconf_option *other;
	struct dnsmasqconf conf;

	dnsmasqconf_of_system(&conf, setup->root);
	other = others(&conf, "servers-file");
	if (other == NULL)
		fputs("servers-file=" SETUP_REVERSE "\n", out);
	else
		setup_say("dnsmasq has a servers-file (%s), and takes no second one: reverse names are found on docker0's own networks alone, unless that file "
		          "has the lines of %s", other->where, setup_own(setup) ? SETUP_FORWARD : SETUP_REVERSE);
	dnsmasqconf_free(&conf);
}

/* ---- the file ---- */

static char *compose(struct setup *setup, const char *old)
{
	char names[SETUP_DOMAINS_SIZE], local[SETUP_DOMAINS_SIZE], zones[SETUP_ZONES_SIZE], *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	setup_domains(setup, false, ", ", "", names, sizeof names);
	setup_domains(setup, true, "local=/", "/\n", local, sizeof local);
	fprintf(out, "# Made by callsign-setup; callsign-setup --undo takes it away. The names of containers: callsignd replaces this file\n"
	             "# as a whole and sends SIGHUP. Names below %s%s are answered from here, and never asked for in the world.\n"
	             "addn-hosts=/run/callsign/hosts\n%s",
	        setup->domain, names, local);
	fputs(setup_reverse_zones(setup, "local=/", "/\n", zones, sizeof zones), out);
	print_networks(setup, out);
	print_listening(setup, old, out);
	print_servers(setup, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void refuse(struct setup *setup)
{
	char *old = setup_read(setup, SETUP_DNSMASQ);

	if (old == NULL || strstr(old, "addn-hosts=/run/callsign/hosts") == NULL)
		setup_error(setup, SETUP_DNSMASQ " is not callsign-setup's: move it away, and run this again");
	else
		setup_say(SETUP_DNSMASQ " was written by hand, and is left as it is");
	free(old);
}

void setup_dnsmasq(struct setup *setup)
{
	char *old, *text, *forwarding;

	if (!setup_is_ours(setup, SETUP_DNSMASQ)) {
		refuse(setup);
		return;
	}
	old = setup_read(setup, SETUP_DNSMASQ);
	text = compose(setup, old);
	forwarding = text != NULL ? setup_own_forward(setup, text) : NULL;
	if (forwarding == NULL)
		setup_error(setup, SETUP_DNSMASQ ": out of memory");
	else
		setup->dnsmasq_changed |= setup_write(setup, SETUP_DNSMASQ, forwarding, 0644, SETUP_PLAIN);
	free(forwarding);
	free(text);
	free(old);
}
