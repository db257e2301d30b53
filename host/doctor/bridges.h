#ifndef CALLSIGN_BRIDGES_H
#define CALLSIGN_BRIDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shared/address.h"

/*
 * The bridges that containers of this host are on. docker0 is the default network's, and each other network of Docker's (so each compose project) has a
 * br-… of its own, unless it was made with a name (com.docker.network.bridge.name); Podman, LXC and libvirt have their own names.
 */
#define BRIDGES_NAME_SIZE 16 /* IFNAMSIZ */
#define BRIDGES_OF_DOCKER "br-*" /* as dnsmasq's interface= takes it */

struct bridges {
	char (*names)[BRIDGES_NAME_SIZE];
	size_t count;
};

/*
 * Those of a name of their own, neither docker0 nor br-…: Docker's, as its engine tells, and Podman's, LXC's and libvirt's that are there, as far as
 * nobody but the process dnsmasq (0: none) answers on port 53 of their address. libvirt and LXC run a dnsmasq there themselves, and Podman
 * aardvark-dns: a second one would take the port from them. Sorted, each once. To be freed with bridges_free().
 */
void bridges_find(struct bridges *out, pid_t dnsmasq);
void bridges_free(struct bridges *bridges);

/* How long the prefix of that address is on the interface that has it: 1 to 32 or 128; 0: no interface has it. */
unsigned bridges_prefix(const struct address *address);

/* Whether dnsmasq's interface=pattern, which may end in a *, means that interface. */
bool bridges_match(const char *pattern, const char *name);

#endif
