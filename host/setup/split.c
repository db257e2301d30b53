#include <config.h>

#include "setup.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/dnsmasqconf.h"
#include "doctor/ports.h"
#include "doctor/servers.h"
#include "shared/address.h"

#define NETWORKMANAGER_DNSMASQ "/etc/NetworkManager/dnsmasq.d"

/* ---- this host's own programs ---- */

/*
 * A server for the link alone, not a global one: a global server would be asked for every name, and dnsmasq would ask systemd-resolved
 * again. A unit, since docker0 may appear after the boot, and what resolvectl sets goes with the link.
 *
 * Networks come and go, and callsignd writes their reverse zones into a file; a path unit lets them be told again. Of each link systemd-resolved takes some hundreds of
 * domains, and with more of them none at all: so 200 of these at most.
 *
 * Docker takes docker0 away and makes it anew when it starts, so quickly that systemd, which is told of both at once, would stop what is bound to the
 * device and find no reason to start it again. So the unit is a part of docker.service, too, and starts again behind it.
 *
 * Others set links, too: NetworkManager, where it manages docker0, takes away what it did not set itself when a link comes or goes. systemd-resolved
 * keeps a file for each link that somebody has set, which is replaced or removed then: another path unit sees it, whoever it was, and what is missing is told
 * again. Only then, for to be told writes that file, too.
 *
 * systemd-resolved asks nobody on a link without a carrier, and docker0 has one only while a container is on it; those on networks of
 * their own (compose) are not. So a pair of interfaces keeps it up.
 */
#define RESOLVED_LINKS "/run/systemd/resolve/netif"
#define DOMAINS \
	"/bin/sh -c 'exec /usr/bin/resolvectl domain docker0%s%s" \
	" $$(grep ^server= " SETUP_REVERSE " 2>/dev/null | cut -d/ -f2 | sed s/^/~/ | head -n 200)'\n"

static const char networks_path[] =
	"# Made by callsign-setup; callsign-setup --undo takes it away.\n"
	"[Unit]\n"
	"Description=Networks of containers come and go\n"
	"PartOf=callsign-dns.service\n"
	"StartLimitIntervalSec=0\n\n"
	"[Path]\n"
	"PathChanged=" SETUP_REVERSE "\n";

static const char networks_service[] =
	"# Made by callsign-setup; callsign-setup --undo takes it away.\n"
	"[Unit]\n"
	"Description=Reverse names of all networks of containers are asked for on docker0\n"
	"StartLimitIntervalSec=0\n\n"
	"[Service]\n"
	"Type=oneshot\n"
	"ExecStart=/bin/systemctl try-reload-or-restart callsign-dns.service\n";

static const char kept_path[] =
	"# Made by callsign-setup; callsign-setup --undo takes it away.\n"
	"[Unit]\n"
	"Description=Somebody sets whom systemd-resolved asks on a link\n"
	"PartOf=callsign-dns.service\n"
	"StartLimitIntervalSec=0\n\n"
	"[Path]\n"
	"PathChanged=" RESOLVED_LINKS "\n";

/*
 * %s: a domain that is to be asked for there. What happens while it runs starts it no second time (systemd.path(5): it runs already), so it looks again when
 * it has told, until it has found all in place; somebody may take it away again while it is being told.
 */
static const char kept_service[] =
	"# Made by callsign-setup; callsign-setup --undo takes it away.\n"
	"[Unit]\n"
	"Description=Names below %s are asked for on docker0 again, where somebody has taken that away\n"
	"StartLimitIntervalSec=0\n\n"
	"[Service]\n"
	"Type=oneshot\n"
	"ExecStart=/bin/sh -c 'told() { ! /sbin/ip link show docker0 >/dev/null 2>&1 || /usr/bin/resolvectl domain docker0 | grep -qF \" ~%s\"; };"
	" for round in 1 2 3 4 5; do told || /bin/systemctl try-reload-or-restart callsign-dns.service; sleep 1; ! told || exit 0; done;"
	" echo \"docker0: somebody takes its domains away as fast as they are told\"'\n";

#define TELL_SIZE (1024 + SETUP_DOMAINS_SIZE + SETUP_ZONES_SIZE)

/* All that systemd-resolved is told of the link, as lines of a unit: when is Start or Reload. */
static const char *tell_resolved(const struct setup *setup, const char *when, char out[TELL_SIZE])
{
	char routed[SETUP_DOMAINS_SIZE], zones[SETUP_ZONES_SIZE], server[SETUP_SERVER_SIZE];

	/* Between quotes, for the shell takes ~NAME for somebody's home. */
	setup_domains(setup, true, " \"~", "\"", routed, sizeof routed);
	setup_reverse_zones(setup, " \"~", "\"", zones, sizeof zones);
	snprintf(out, TELL_SIZE,
	         "Exec%s=/usr/bin/resolvectl dns docker0 %s\n"
	         "Exec%s=" DOMAINS
	         "Exec%s=/usr/bin/resolvectl default-route docker0 no\n"
	         "# The domain is nobody's in the world, so nobody can have signed it, and dnsmasq does not speak TLS.\n"
	         "Exec%s=/usr/bin/resolvectl dnssec docker0 no\n"
	         "Exec%s=/usr/bin/resolvectl dnsovertls docker0 no\n",
	         when, setup_own_server(setup, ":", server), when, routed, zones, when, when, when);
	return out;
}

static void split_resolved(struct setup *setup)
{
	char text[4096 + 2 * TELL_SIZE], start[TELL_SIZE], reload[TELL_SIZE];

	snprintf(text, sizeof text,
	         "# Made by callsign-setup; callsign-setup --undo takes it away.\n"
	         "[Unit]\n"
	         "Description=Names below %s are asked for on docker0\n"
	         "BindsTo=sys-subsystem-net-devices-docker0.device\n"
	         "After=sys-subsystem-net-devices-docker0.device systemd-resolved.service docker.service\n"
	         "PartOf=systemd-resolved.service docker.service\n"
	         "Wants=callsign-dns-networks.path callsign-dns-kept.path\n"
	         "# It starts with each of the three, however often they do.\n"
	         "StartLimitIntervalSec=0\n\n"
	         "[Service]\n"
	         "Type=oneshot\n"
	         "RemainAfterExit=yes\n"
	         "# systemd-resolved asks nobody on a link without a carrier: this pair keeps docker0 up where no container is on it.\n"
	         "ExecStart=-/sbin/ip link add callsign0 type veth peer name callsign1\n"
	         "ExecStart=/sbin/ip link set callsign1 up\n"
	         "ExecStart=/sbin/ip link set callsign0 master docker0 up\n"
	         "%s"
	         "# Whoever makes the bridge his own may have put the pair out.\n"
	         "ExecReload=-/sbin/ip link set callsign0 master docker0 up\n"
	         "%s"
	         "ExecStop=-/usr/bin/resolvectl revert docker0\n"
	         "ExecStop=-/sbin/ip link delete callsign0\n\n"
	         "[Install]\n"
	         "WantedBy=sys-subsystem-net-devices-docker0.device systemd-resolved.service docker.service\n",
	         setup->domain, tell_resolved(setup, "Start", start), tell_resolved(setup, "Reload", reload));
	setup->resolver_changed |= setup_write(setup, SETUP_DNS_PATH, networks_path, 0644, SETUP_PLAIN);
	setup->resolver_changed |= setup_write(setup, SETUP_DNS_NETWORKS, networks_service, 0644, SETUP_PLAIN);
	setup->resolver_changed |= setup_write(setup, SETUP_DNS_KEPT_PATH, kept_path, 0644, SETUP_PLAIN);
	setup->resolver_changed |= setup_write(setup, SETUP_DNS_UNIT, text, 0644, SETUP_PLAIN);
	snprintf(text, sizeof text, kept_service, setup->domain, setup->domain);
	setup->resolver_changed |= setup_write(setup, SETUP_DNS_KEPT, text, 0644, SETUP_PLAIN);
}

/* As the host's own dnsmasq NetworkManager's takes one such file, and does not start with two. */
static bool has_servers_file(const struct setup *setup)
{
	char path[PATH_MAX], line[1024];
	struct dirent *entry;
	bool found = false;
	DIR *folder;

	snprintf(path, sizeof path, "%s" NETWORKMANAGER_DNSMASQ, setup->root);
	folder = opendir(path);
	while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
		FILE *file;

		if (strcmp(entry->d_name, "callsign.conf") == 0 ||
		    (size_t)snprintf(path, sizeof path, "%s" NETWORKMANAGER_DNSMASQ "/%s", setup->root, entry->d_name) >= sizeof path)
			continue;
		file = fopen(path, "re");
		while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
			found = strncmp(line + strspn(line, " \t"), "servers-file", strlen("servers-file")) == 0;
		if (file != NULL)
			fclose(file);
	}
	if (folder != NULL)
		closedir(folder);
	return found;
}

/* NetworkManager's own dnsmasq asks ours for the domain, and writes 127.0.0.1 into resolv.conf. */
static void split_networkmanager(struct setup *setup)
{
	char text[512 + SETUP_DOMAINS_SIZE + SETUP_ZONES_SIZE], behind[SETUP_SERVER_SIZE + 4], servers[SETUP_DOMAINS_SIZE], zones[SETUP_ZONES_SIZE];
	char server[SETUP_SERVER_SIZE];

	snprintf(behind, sizeof behind, "/%s\n", setup_own_server(setup, "#", server));
	setup_domains(setup, true, "server=/", behind, servers, sizeof servers);
	setup_reverse_zones(setup, "server=/", behind, zones, sizeof zones);
	snprintf(text, sizeof text, "# Made by callsign-setup; callsign-setup --undo takes it away.\n%s%s%s", servers, zones,
	         has_servers_file(setup) ? "" : "servers-file=" SETUP_FORWARD "\n");
	setup->resolver_changed |= setup_write(setup, SETUP_NM_DNSMASQ, text, 0644, SETUP_PLAIN);
	setup->resolver_changed |= setup_write(setup, SETUP_NM_CONF, "# Made by callsign-setup; callsign-setup --undo takes it away.\n[main]\ndns=dnsmasq\n",
	                                       0644, SETUP_PLAIN);
}

/* ---- another name server on the loopback ---- */

/* Whether that dnsmasq reads the folder that our piece is in, as the one of this host's service does. Unless that can be seen not to be so, it does. */
static bool reads_our_piece(pid_t pid)
{
	static const char folder[] = "/etc/dnsmasq.d";
	struct dnsmasqconf conf;
	bool reads;

	if (pid == 0)
		return true;
	dnsmasqconf_of_process(&conf, pid);
	reads = conf.incomplete;
	for (size_t i = 0; i < conf.count && !reads; i++) {
		const char *value = conf.options[i].value;

		reads = strcmp(conf.options[i].key, "conf-dir") == 0 && strncmp(value, folder, sizeof folder - 1) == 0 &&
		        strchr(",/", value[sizeof folder - 1]) != NULL;
	}
	dnsmasqconf_free(&conf);
	return reads;
}

/* What systemd-resolved, NetworkManager's dnsmasq or this host's own holds is no matter: they are told by us. */
static bool is_told(const struct setup *setup, const struct ports_listener *listener)
{
	if (strncmp(listener->program, "systemd-resolve", strlen("systemd-resolve")) == 0)
		return true;
	return strcmp(listener->program, "dnsmasq") == 0 && (setup->resolver.kind != RESOLVER_LOOPBACK || reads_our_piece(listener->pid));
}

static void meet(void *arg, const struct ports_listener *listener)
{
	static const struct address loopback = {.family = 4, .bytes = {127, 0, 0, 1}};
	struct setup *setup = arg;

	if ((listener->wildcard || address_equal(&listener->address, &loopback)) && !is_told(setup, listener))
		snprintf(setup->holder, sizeof setup->holder, "%s", listener->program);
}

void setup_find_holder(struct setup *setup)
{
	if (setup->root[0] == '\0')
		(void)ports_each(53, meet, setup);
}

/* Its configuration is the administrator's: the lines are said. */
static void tell_holder(const struct setup *setup)
{
	char lines[4096], zone[SETUP_ZONES_SIZE];
	struct servers_way way = {.domain = setup->domain, .reverse = zone, .address = setup_own(setup) ? SETUP_OWN_ADDRESS : setup->docker,
	                          .port = setup_own(setup) ? SETUP_OWN_PORT_NUMBER : 53};

	setup_reverse_zones(setup, "", "\n", zone, sizeof zone);
	zone[strcspn(zone, "\n")] = '\0'; /* the first; a network that is no whole label has several */
	if (servers_lines(setup->holder, &way, lines, sizeof lines) != NULL)
		setup_say("%s is this host's name server, on port 53 of the loopback. For this host's own programs it is to ask for the names of containers:\n%s",
		          setup->holder, lines);
	else
		setup_say("%s is on port 53 of the loopback: for this host's own programs let it ask %s port %u for names below %s", setup->holder,
		          way.address, way.port, setup->domain);
}

/* nss-mdns takes names below .local for its own, and with mdns_minimal [NOTFOUND=return] nobody else is asked. */
static void warn_of_mdns(const struct setup *setup)
{
	size_t length = strlen(setup->domain);
	char *text;

	if (strcmp(setup->domain, "local") != 0 && (length < 6 || strcmp(setup->domain + length - 6, ".local") != 0))
		return;
	text = setup_read(setup, "/etc/nsswitch.conf");
	if (text != NULL && strstr(text, "mdns") != NULL)
		setup_say("/etc/nsswitch.conf has mdns: this host's programs ask multicast DNS for names below .local, and dnsmasq never; choose "
		          "another domain than %s", setup->domain);
	free(text);
}

void setup_split_dns(struct setup *setup)
{
	warn_of_mdns(setup);
	setup_tell_writer(setup);
	switch (setup->resolver.kind) {
	case RESOLVER_RESOLVED:
		split_resolved(setup);
		break;
	case RESOLVER_NETWORKMANAGER:
		split_networkmanager(setup);
		break;
	case RESOLVER_LOOPBACK: /* dnsmasq itself, which knows the names by now, or that one */
		if (setup->holder[0] != '\0')
			tell_holder(setup);
		break;
	case RESOLVER_STATIC:
	case RESOLVER_NONE:
		if (setup->writer == SETUP_WRITER_NONE && !resolver_asks(&setup->resolver, setup->docker))
			setup_say("/etc/resolv.conf is never edited here, and nobody writes it who could be told: containers find the names, and so do this "
			          "host's own programs once its first line is: nameserver %s", setup->docker);
		break;
	}
}
