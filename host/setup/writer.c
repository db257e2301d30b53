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
 *   resolvconf  dnsmasq registers itself as it starts, if DNSMASQ_EXCEPT does not keep it from that
 */
#define HOOK "/etc/dhcp/dhclient-enter-hooks.d/callsign"
#define SCRIPT "/sbin/dhclient-script"
#define SCRIPT_S 30
#define LOOPBACK "127.0.0.1"

static const char hook[] =
	"# Made by callsign-setup; callsign-setup --undo takes it away. Programs here ask dnsmasq first, which asks the servers behind it.\n"
	"new_domain_name_servers=\"${new_domain_name_servers:+" LOOPBACK " $new_domain_name_servers}\"\n"
	"new_dhcp6_name_servers=\"${new_dhcp6_name_servers:+" LOOPBACK " $new_dhcp6_name_servers}\"\n";

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

void setup_find_writer(struct setup *setup)
{
	char *text = setup_read(setup, "/etc/resolv.conf"), where[SETUP_WHERE_SIZE];
	bool undecided = text != NULL && setup->resolver.kind == RESOLVER_STATIC && setup->holder[0] == '\0';

	/* Once it was told the file names the loopback, as it would where dnsmasq was the resolver before. */
	if (setup_recorded(setup, HOOK) || (undecided && !by_resolvconf(setup, text) && by_dhclient(setup, text)))
		setup->writer = SETUP_WRITER_DHCLIENT;
	else if (text != NULL && (undecided || is_stranded(setup)) && by_resolvconf(setup, text) && setup_registers(setup) &&
	         !setup_leaves_loopback(setup, where))
		setup->writer = SETUP_WRITER_RESOLVCONF;
	else
		setup->writer = SETUP_WRITER_NONE;
	free(text);
}

/* ---- telling it ---- */

void setup_tell_writer(struct setup *setup)
{
	if (setup->writer == SETUP_WRITER_DHCLIENT)
		setup->resolver_changed |= setup_write(setup, HOOK, hook, 0644, SETUP_PLAIN);
}

/* The hook of ours, whoever it is that is to write now. */
bool setup_writer_told(const struct setup *setup)
{
	return setup_recorded(setup, HOOK);
}

bool setup_writer_pending(const struct setup *setup)
{
	return setup_pending(setup, HOOK);
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

/* dhclient itself is asked nothing and loses nothing: its script writes what the file says by now, as it would at the next renewal of the lease. A
 * lease's own settings (an address, routes) are not touched by a reason that is IPv6's without an address. */
void setup_writer_writes(struct setup *setup)
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
	if (!setup_there(setup, SCRIPT))
		return; /* its package has gone since */
	printf("%s: " SCRIPT " writes /etc/resolv.conf once more\n", setup->no_services ? "not run" : "run");
	if (!setup->dry_run && !setup->no_services && command_run(argv, NULL, 0, NULL, NULL, SCRIPT_S) != 0)
		setup_error(setup, SCRIPT " failed: /etc/resolv.conf is as it was until the lease is renewed");
}
