#include <config.h>

#include "setup.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/command.h"

/*
 * Where neither systemd-resolved nor NetworkManager is in charge, resolv.conf is a file that names servers elsewhere, and it is whoever writes it that is
 * told of dnsmasq, never the file itself. Then dnsmasq answers on the loopback, too, and stands there first: 127.0.0.1 refuses at once while dnsmasq does
 * not run, and the next one is asked; docker0's address would be asked in vain, by way of the router, until Docker has made docker0.
 *
 *   dhclient    its script asks the scripts in dhclient-enter-hooks.d (dhclient-script(8)) about what it will write
 *   dhcpcd      its script writes resolv.conf.head (dhcpcd-run-hooks(8)) before the servers of all leases
 *   resolvconf  dnsmasq registers itself as it starts, if DNSMASQ_EXCEPT does not keep it from that
 */
#define HOOK "/etc/dhcp/dhclient-enter-hooks.d/callsign"
#define SCRIPT "/sbin/dhclient-script"
#define SCRIPT_S 30
#define HEAD "/etc/resolv.conf.head"
#define DHCPCD_LEASES "/run/dhcpcd/hook-state/resolv.conf" /* a file for each, of which the script makes the one */
#define LOOPBACK "127.0.0.1"

static const char hook[] =
	"# Made by callsign-setup; callsign-setup --undo takes it away. Programs here ask dnsmasq first, which asks the servers behind it.\n"
	"new_domain_name_servers=\"${new_domain_name_servers:+" LOOPBACK " $new_domain_name_servers}\"\n"
	"new_dhcp6_name_servers=\"${new_dhcp6_name_servers:+" LOOPBACK " $new_dhcp6_name_servers}\"\n";

static const char head[] =
	"# Made by callsign-setup; callsign-setup --undo takes it away. Programs here ask dnsmasq first, which asks the servers behind it.\n"
	"nameserver " LOOPBACK "\n";

/* ---- who it is ---- */

static void read_link(const char *path, char out[PATH_MAX])
{
	ssize_t length = readlink(path, out, PATH_MAX - 1);

	out[length > 0 ? length : 0] = '\0';
}

/* A container's is of no matter to this host. */
static bool is_one(const char *pid, const char *program, const char *network)
{
	char path[64], text[PATH_MAX] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fgets(text, sizeof text, file) == NULL)
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, program) != 0)
		return false;
	snprintf(path, sizeof path, "/proc/%.20s/ns/net", pid);
	read_link(path, text);
	return strcmp(text, network) == 0;
}

static bool runs(const char *program)
{
	char network[PATH_MAX];
	const struct dirent *entry;
	DIR *folder = opendir("/proc");
	bool found = false;

	read_link("/proc/self/ns/net", network);
	while (folder != NULL && !found && (entry = readdir(folder)) != NULL)
		found = isdigit((unsigned char)entry->d_name[0]) && is_one(entry->d_name, program, network);
	if (folder != NULL)
		closedir(folder);
	return found;
}

/* resolvconf and openresolv say so in the file's first lines, and the former's is a link besides. */
static bool by_resolvconf(const struct setup *setup, const char *text)
{
	char path[PATH_MAX], target[PATH_MAX];

	snprintf(path, sizeof path, "%s/etc/resolv.conf", setup->root);
	read_link(path, target);
	return strstr(target, "/resolvconf/") != NULL || strstr(text, "enerated by resolvconf") != NULL;
}

/* In the root of another machine nothing runs: that it is installed has to do. */
static bool by_dhclient(const struct setup *setup, const char *text)
{
	return setup_there(setup, SCRIPT) && strstr(text, "enerated by") == NULL && (setup->root[0] != '\0' || runs("dhclient"));
}

/* An earlier run told dnsmasq to leave the loopback alone, and then resolvconf was installed, which dnsmasq has registered with: nobody answers there. */
static bool is_stranded(const struct setup *setup)
{
	char *piece = setup->resolver.kind == RESOLVER_LOOPBACK && setup->holder[0] == '\0' ? setup_read(setup, SETUP_DNSMASQ) : NULL;
	bool stranded = piece != NULL && strstr(piece, "\nexcept-interface=lo\n") != NULL;

	free(piece);
	return stranded;
}

/* dhcpcd's script, as Debian 12 and 13 have it, and as upstream and testing do. NULL: there is none. */
static const char *dhcpcd_script(const struct setup *setup)
{
	static const char *const paths[] = {"/usr/lib/dhcpcd/dhcpcd-run-hooks", "/usr/libexec/dhcpcd-run-hooks"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (setup_there(setup, paths[i]))
			return paths[i];
	return NULL;
}

static bool by_dhcpcd(const struct setup *setup, const char *text)
{
	return dhcpcd_script(setup) != NULL && strstr(text, "enerated by dhcpcd") != NULL && !by_resolvconf(setup, text) &&
	       (setup->root[0] != '\0' || runs("dhcpcd"));
}

void setup_find_writer(struct setup *setup)
{
	char *text = setup_read(setup, "/etc/resolv.conf"), where[SETUP_WHERE_SIZE];
	bool undecided = text != NULL && setup->resolver.kind == RESOLVER_STATIC && setup->holder[0] == '\0';

	/* Once it was told the file names the loopback, as it would where dnsmasq was the resolver before. */
	if (undecided ? by_dhcpcd(setup, text) : setup_recorded(setup, HEAD))
		setup->writer = SETUP_WRITER_DHCPCD;
	else if (setup_recorded(setup, HOOK) || (undecided && !by_resolvconf(setup, text) && by_dhclient(setup, text)))
		setup->writer = SETUP_WRITER_DHCLIENT;
	else if (text != NULL && (undecided || is_stranded(setup)) && by_resolvconf(setup, text) && setup_registers(setup) &&
	         !setup_leaves_loopback(setup, where))
		setup->writer = SETUP_WRITER_RESOLVCONF;
	else
		setup->writer = SETUP_WRITER_NONE;
	free(text);
}

/* ---- telling it ---- */

/* What somebody else has in there stays, behind ours. */
static void tell_dhcpcd(struct setup *setup)
{
	char *old = setup_read(setup, HEAD), *text = NULL;

	if (old != NULL && strstr(old, head) != NULL)
		; /* as an earlier run wrote it, whatever was added since */
	else if (asprintf(&text, "%s%s", head, old != NULL ? old : "") == -1)
		setup_error(setup, HEAD ": out of memory");
	else
		setup->resolver_changed |= setup_write(setup, HEAD, text, 0644, SETUP_PLAIN);
	free(text);
	free(old);
}

void setup_tell_writer(struct setup *setup)
{
	if (setup->writer == SETUP_WRITER_DHCLIENT)
		setup->resolver_changed |= setup_write(setup, HOOK, hook, 0644, SETUP_PLAIN);
	else if (setup->writer == SETUP_WRITER_DHCPCD)
		tell_dhcpcd(setup);
}

/* What is ours, whoever it is that is to write now. */
bool setup_writer_told(const struct setup *setup)
{
	return setup_recorded(setup, HOOK) || setup_recorded(setup, HEAD);
}

bool setup_writer_pending(const struct setup *setup)
{
	return setup_pending(setup, HOOK) || setup_pending(setup, HEAD);
}

/* ---- having it write ---- */

/* A variable of dhclient-script's: NAME=, and what stands behind each line of that key, but for ourselves. */
struct variable {
	const char *key;
	char text[1024];
	size_t used;
};

static void variable_add(struct variable *variable, const char *line)
{
	char word[256];
	int length;

	line += strlen(variable->key);
	while (sscanf(line, " %255s%n", word, &length) == 1 && word[0] != '#' && word[0] != ';') {
		line += length;
		if (strcmp(word, LOOPBACK) != 0 && variable->used + strlen(word) + 2 <= sizeof variable->text)
			variable->used += (size_t)snprintf(variable->text + variable->used, sizeof variable->text - variable->used, "%s ", word);
	}
}

static void variable_start(struct variable *variable, const char *key, const char *name)
{
	variable->key = key;
	variable->used = (size_t)snprintf(variable->text, sizeof variable->text, "%s=", name);
}

static void run_script(struct setup *setup, const char *const argv[], const char *script)
{
	printf("%s: %s writes /etc/resolv.conf once more\n", setup->no_services ? "not run" : "run", script);
	if (!setup->dry_run && !setup->no_services && command_run(argv, NULL, 0, NULL, NULL, SCRIPT_S) != 0)
		setup_error(setup, "%s failed: /etc/resolv.conf is as it was until the lease is renewed", script);
}

/* dhclient itself is asked nothing and loses nothing: its script writes what the file says by now, as it would at the next renewal of the lease. A
 * lease's own settings (an address, routes) are not touched by a reason that is IPv6's without an address. */
static void dhclient_writes(struct setup *setup)
{
	struct variable variables[3];
	const char *const argv[] = {"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "reason=BOUND6", "interface=lo", variables[0].text,
	                            variables[1].text, variables[2].text, SCRIPT, NULL};
	char *text = setup_read(setup, "/etc/resolv.conf"), *rest = text;

	variable_start(&variables[0], "nameserver", "new_domain_name_servers");
	variable_start(&variables[1], "search", "new_domain_search");
	variable_start(&variables[2], "domain", "new_domain_name");
	for (const char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
		for (size_t i = 0; i < 3; i++)
			if (strncmp(line, variables[i].key, strlen(variables[i].key)) == 0)
				variable_add(&variables[i], line);
	free(text);
	if (setup_there(setup, SCRIPT)) /* its package may have gone since */
		run_script(setup, argv, SCRIPT);
}

static bool has_leases(const struct setup *setup)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	DIR *folder;
	bool found = false;

	snprintf(path, sizeof path, "%s" DHCPCD_LEASES, setup->root);
	folder = opendir(path);
	while (folder != NULL && !found && (entry = readdir(folder)) != NULL)
		found = entry->d_name[0] != '.';
	if (folder != NULL)
		closedir(folder);
	return found;
}

/* Likewise, of the leases that it keeps: as if one had ended that there never was. Without any it would write a file that names nobody. */
static void dhcpcd_writes(struct setup *setup)
{
	/* All its hooks but the one for resolv.conf. */
	static const char skipped[] = "skip_hooks=test wpa_supplicant timezone mtu hostname lookup-hostname yp.conf ypbind ntp-common.conf ntp.conf "
	                              "chrony.conf timesyncd.conf openntpd.conf dhcpcd.exit-hook";
	const char *script = dhcpcd_script(setup);
	const char *const argv[] = {"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "reason=STOPPED", "interface=callsign", "if_configured=true",
	                            "if_up=false", "if_down=true", skipped, script, NULL};

	if (script != NULL && has_leases(setup))
		run_script(setup, argv, script);
}

void setup_writer_writes(struct setup *setup)
{
	if (setup->writer == SETUP_WRITER_DHCLIENT)
		dhclient_writes(setup);
	else if (setup->writer == SETUP_WRITER_DHCPCD)
		dhcpcd_writes(setup);
}
