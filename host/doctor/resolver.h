#ifndef CALLSIGN_RESOLVER_H
#define CALLSIGN_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Who decides where this host's own programs ask for names: found by what /etc/resolv.conf is and says. It is only read, never written.
 */
enum resolver_kind {
	RESOLVER_RESOLVED,       /* systemd-resolved */
	RESOLVER_NETWORKMANAGER, /* NetworkManager writes resolv.conf itself */
	RESOLVER_LOOPBACK,       /* a name server on this host's loopback: dnsmasq, as a rule */
	RESOLVER_STATIC,         /* a file with servers elsewhere, whoever writes it */
	RESOLVER_NONE            /* no resolv.conf, or no server in it */
};

#define RESOLVER_SERVERS_MAX 3 /* resolv.conf(5): MAXNS */
#define RESOLVER_SERVER_SIZE 64

struct resolver {
	enum resolver_kind kind;
	unsigned nservers;
	char servers[RESOLVER_SERVERS_MAX][RESOLVER_SERVER_SIZE];
};

/* root: where / is; "": the real one. */
void resolver_find(const char *root, struct resolver *out);

/* Whether resolv.conf names this server. */
bool resolver_asks(const struct resolver *resolver, const char *server);

/* "systemd-resolved", ... */
const char *resolver_kind_text(enum resolver_kind kind);

#endif
