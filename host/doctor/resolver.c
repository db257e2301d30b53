#include <config.h>

#include "resolver.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The file that resolv.conf is, with links that point out of root followed inside it. */
static void locate(const char *root, char path[PATH_MAX], char target[PATH_MAX])
{
	ssize_t length;

	snprintf(path, PATH_MAX, "%s/etc/resolv.conf", root);
	length = readlink(path, target, PATH_MAX - 1);
	target[length > 0 ? length : 0] = '\0';
	if (target[0] == '/')
		snprintf(path, PATH_MAX, "%s%s", root, target);
}

static void read_line(const char *line, struct resolver *out, bool *generated)
{
	char server[RESOLVER_SERVER_SIZE];

	if (line[0] == '#' && strstr(line, "NetworkManager") != NULL)
		*generated = true;
	if (out->nservers < RESOLVER_SERVERS_MAX && sscanf(line, " nameserver %63s", server) == 1)
		memcpy(out->servers[out->nservers++], server, sizeof server);
}

static bool is_loopback(const char *server)
{
	return strncmp(server, "127.", 4) == 0 || strcmp(server, "::1") == 0;
}

static enum resolver_kind judge(const struct resolver *resolver, const char *target, bool generated)
{
	/* Its two stub listeners (systemd-resolved.service(8)). */
	if (strstr(target, "/systemd/resolve/") != NULL || resolver_asks(resolver, "127.0.0.53") || resolver_asks(resolver, "127.0.0.54"))
		return RESOLVER_RESOLVED;
	if (generated || strstr(target, "/NetworkManager/") != NULL)
		return RESOLVER_NETWORKMANAGER;
	if (resolver->nservers == 0)
		return RESOLVER_NONE;
	return is_loopback(resolver->servers[0]) ? RESOLVER_LOOPBACK : RESOLVER_STATIC;
}

void resolver_find(const char *root, struct resolver *out)
{
	char path[PATH_MAX], target[PATH_MAX], line[1024];
	bool generated = false;
	FILE *file;

	memset(out, 0, sizeof *out);
	locate(root, path, target);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		read_line(line, out, &generated);
	if (file != NULL)
		fclose(file);
	out->kind = judge(out, target, generated);
}

bool resolver_asks(const struct resolver *resolver, const char *server)
{
	for (unsigned i = 0; i < resolver->nservers; i++)
		if (strcmp(resolver->servers[i], server) == 0)
			return true;
	return false;
}

const char *resolver_kind_text(enum resolver_kind kind)
{
	static const char *const texts[] = {
		[RESOLVER_RESOLVED] = "systemd-resolved",
		[RESOLVER_NETWORKMANAGER] = "NetworkManager",
		[RESOLVER_LOOPBACK] = "a name server on the loopback",
		[RESOLVER_STATIC] = "the servers in /etc/resolv.conf",
		[RESOLVER_NONE] = "nobody: /etc/resolv.conf names no server",
	};

	return texts[kind];
}
