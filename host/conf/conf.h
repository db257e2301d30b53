#ifndef CALLSIGN_HOST_CONF_H
#define CALLSIGN_HOST_CONF_H

/*
 * The room host/conf/: callsignd.conf as plain values. It uses the values' own types (policy, registry options, broker URLs) and must not know what
 * becomes of them; what a sink's section means its own room tells it (section.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/policy.h"
#include "registry/registry.h"
#include "registry/view.h"
#include "shared/bus/busconf.h"
#include "shared/log.h"

struct conf_section; /* section.h */

/* callsignd.conf, validated, as plain values. Modules are given the part that is theirs. */

/* A name for this host itself, and where it points: a fixed address, or whatever an interface has. */
struct conf_host_name {
	char *name;
	char *interface; /* NULL: address */
	struct address address;
};

struct conf_queue {
	char *name; /* whole: callsign.host.HOSTNAME */
	char *type; /* "classic" or "quorum" */
	uint32_t expires_s;
	uint32_t max_length;
};

struct conf_dnsmasq {
	bool enabled;  /* false: the hosts file is only the daemon's memory, nobody is signalled or asked */
	char *hosts_file;
	char *pid_file;
	char *server; /* address as text, or NULL: docker0's IPv4 address whenever it is asked */
	uint16_t port;
	char **forwarders; /* pid files of those dnsmasqs that ask it */
	size_t nforwarders;
};

struct conf_control {
	char *socket; /* path */
	char *group;  /* who may open it besides root */
};

struct conf_metrics {
	bool on;
	struct address address;
	uint16_t port;
};

#define CONF_SECTIONS_MAX 8

struct conf {
	char *domain; /* the first of policy.domains */
	char *hostname; /* this host's name in roll calls and replies */
	struct busconf bus;
	struct conf_queue queue;
	struct registry_options registry;
	enum view_conflict conflict;
	enum view_conflict conflicts[POLICY_DOMAINS_MAX]; /* of each domain */
	struct policy policy;
	struct conf_dnsmasq dnsmasq;
	struct conf_control control;
	struct conf_metrics metrics;
	struct conf_host_name *host_names;
	size_t nhost_names;
	bool legacy; /* the older wire format is taken too */
	char *pid_file;
	char *run_as; /* NULL: not given */
	enum log_level log_level;
	const struct conf_section *const *sections; /* the other rooms', ended by NULL; borrowed */
	void *own[CONF_SECTIONS_MAX];               /* what each of them has made of the file, in their order */
};

/*
 * Read path, with the sections of other rooms (at most CONF_SECTIONS_MAX, ended by NULL; they are borrowed for as long as the configuration lives).
 * Every error is logged as path:line: key: what is wrong and what is allowed; all that are found are logged. NULL if there was one. Free with
 * conf_free().
 */
struct conf *conf_load(const char *path, const struct conf_section *const *sections);
void conf_free(struct conf *conf); /* wipes passwords; NULL is allowed */

/* What section has made of the file; NULL if it was not among those given to conf_load(). */
const void *conf_own(const struct conf *conf, const struct conf_section *section);

/* Whether a connection made for a is as good for b: the same brokers, users, TLS and queue. */
bool conf_same_bus(const struct conf *a, const struct conf *b);

#endif
