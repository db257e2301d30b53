#include <config.h>

#include "bridges.h"

#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports.h"
#include "system/command.h"

#define DOCKER_S 20
#define NETWORKS_MAX 1000 /* of which the engine is asked; it makes some thirty unless told otherwise */
#define DNS_PORT 53

/* ---- names ---- */

bool bridges_match(const char *pattern, const char *name)
{
	size_t length = strlen(pattern);

	if (length > 0 && pattern[length - 1] == '*')
		return strncmp(pattern, name, length - 1) == 0;
	return strcmp(pattern, name) == 0;
}

static bool is_usual(const char *name)
{
	return strcmp(name, "docker0") == 0 || bridges_match(BRIDGES_OF_DOCKER, name);
}

/* What may stand in dnsmasq's configuration as it is. */
static bool is_plain(const char *name)
{
	return name[0] != '\0' && strlen(name) < BRIDGES_NAME_SIZE &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

static void add(struct bridges *bridges, const char *name)
{
	char(*more)[BRIDGES_NAME_SIZE];
	size_t at = 0;

	if (!is_plain(name) || is_usual(name))
		return;
	while (at < bridges->count && strcmp(bridges->names[at], name) < 0)
		at++;
	if (at < bridges->count && strcmp(bridges->names[at], name) == 0)
		return;
	more = reallocarray(bridges->names, bridges->count + 1, sizeof *more);
	if (more == NULL)
		return;
	bridges->names = more;
	memmove(more + at + 1, more + at, (bridges->count++ - at) * sizeof *more);
	snprintf(more[at], sizeof more[at], "%s", name);
}

/* ---- Docker's, that were given a name ---- */

static char *docker(const char *const argv[])
{
	char *output = NULL, *errors = NULL;
	int status = command_run(argv, NULL, 0, &output, &errors, DOCKER_S);

	free(errors);
	if (status == 0)
		return output;
	free(output);
	return NULL;
}

static void find_dockers(struct bridges *out)
{
	const char *const list[] = {"docker", "network", "ls", "--quiet", "--filter", "driver=bridge", NULL};
	const char *inspect[NETWORKS_MAX + 6] = {"docker", "network", "inspect", "--format", "{{index .Options \"com.docker.network.bridge.name\"}}"};
	char *ids = docker(list), *names, *rest = ids, *id;
	size_t count = 5;

	while (ids != NULL && count < NETWORKS_MAX + 5 && (id = strsep(&rest, "\n")) != NULL)
		if (id[0] != '\0')
			inspect[count++] = id;
	names = count > 5 ? docker(inspect) : NULL;
	rest = names;
	while (names != NULL && (id = strsep(&rest, "\n")) != NULL)
		add(out, id);
	free(names);
	free(ids);
}

/* ---- others', that are there ---- */

static const char *const others[] = {"podman*", "cni-podman*", "lxcbr*", "lxdbr*", "incusbr*", "virbr*"};

/* The kernel's own word for it. */
static bool is_bridge(int fd, const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request;

	memset(&request, 0, sizeof request);
	memcpy(request.ifr_name, name, strnlen(name, sizeof request.ifr_name - 1));
	request.ifr_data = (void *)&info;
	return ioctl(fd, SIOCETHTOOL, &request) == 0 && strcmp(info.driver, "bridge") == 0;
}

static bool is_others(int fd, const char *name)
{
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (bridges_match(others[i], name))
			return is_bridge(fd, name);
	return false;
}

struct neighbour {
	struct address address;
	pid_t dnsmasq;
	bool met;
};

static void meet(void *arg, const struct ports_listener *listener)
{
	struct neighbour *neighbour = arg;

	neighbour->met |= !listener->wildcard && address_equal(&listener->address, &neighbour->address) &&
	                  (listener->pid == 0 || listener->pid != neighbour->dnsmasq);
}

/* One that containers there may ask: of either family, since a network need not have IPv4; every link has a local one. */
static bool can_be_asked(const struct ifaddrs *one, struct address *address)
{
	return one->ifa_addr != NULL && (one->ifa_addr->sa_family == AF_INET || one->ifa_addr->sa_family == AF_INET6) &&
	       address_from_sockaddr(one->ifa_addr, address) == 0 && address_unusable(address) == NULL;
}

/* Whether another server has port 53 of any of that bridge's addresses, as aardvark-dns. */
static bool is_taken(const struct ifaddrs *all, const char *bridge, pid_t dnsmasq)
{
	struct neighbour neighbour = {.dnsmasq = dnsmasq};

	for (const struct ifaddrs *one = all; one != NULL && !neighbour.met; one = one->ifa_next)
		if (strcmp(one->ifa_name, bridge) == 0 && can_be_asked(one, &neighbour.address))
			(void)ports_each(DNS_PORT, meet, &neighbour);
	return neighbour.met;
}

static void find_others(struct bridges *out, pid_t dnsmasq)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifaddrs *all = NULL;
	struct address address;

	if (fd != -1 && getifaddrs(&all) == 0) {
		for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
			if (is_others(fd, one->ifa_name) && can_be_asked(one, &address) && !is_taken(all, one->ifa_name, dnsmasq))
				add(out, one->ifa_name);
		freeifaddrs(all);
	}
	if (fd != -1)
		close(fd);
}

void bridges_find(struct bridges *out, pid_t dnsmasq)
{
	*out = (struct bridges){.names = NULL};
	find_dockers(out);
	find_others(out, dnsmasq);
}

void bridges_free(struct bridges *bridges)
{
	free(bridges->names);
	*bridges = (struct bridges){.names = NULL};
}

/* ---- prefixes ---- */

static unsigned ones(const struct sockaddr *mask)
{
	struct address address;
	unsigned count = 0;

	if (mask->sa_family == AF_INET)
		memcpy(address.bytes, &((const struct sockaddr_in *)(const void *)mask)->sin_addr, 4);
	else
		memcpy(address.bytes, &((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr, 16);
	while (count < (mask->sa_family == AF_INET ? 32 : 128) && (address.bytes[count / 8] >> (7 - count % 8) & 1) != 0)
		count++;
	return count;
}

unsigned bridges_prefix(const struct address *address)
{
	struct ifaddrs *all = NULL;
	unsigned prefix = 0;

	if (getifaddrs(&all) == -1)
		return 0;
	for (const struct ifaddrs *one = all; one != NULL && prefix == 0; one = one->ifa_next) {
		struct address its;

		if (one->ifa_addr != NULL && one->ifa_netmask != NULL && address_from_sockaddr(one->ifa_addr, &its) == 0 &&
		    address_equal(&its, address))
			prefix = ones(one->ifa_netmask);
	}
	freeifaddrs(all);
	return prefix;
}
