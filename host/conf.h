#ifndef CALLSIGN_HOST_CONF_H
#define CALLSIGN_HOST_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"
#include "registry.h"
#include "shared/busconf.h"
#include "shared/log.h"
#include "view.h"

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
	char *hosts_file;
	char *pid_file;
	char *server; /* address as text, or NULL: docker0's IPv4 address whenever it is asked */
	uint16_t port;
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

struct conf {
	char *domain;
	char *hostname; /* this host's name in roll calls and replies */
	struct busconf bus;
	struct conf_queue queue;
	struct registry_options registry;
	enum view_conflict conflict;
	struct policy policy;
	struct conf_dnsmasq dnsmasq;
	struct conf_control control;
	struct conf_metrics metrics;
	struct conf_host_name *host_names;
	size_t nhost_names;
	char *pid_file;
	char *run_as; /* NULL: not given */
	enum log_level log_level;
};

/*
 * Read path. Every error is logged as path:line: key: what is wrong and what is allowed; all that are found are logged. NULL if there was
 * one. Free with conf_free().
 */
struct conf *conf_load(const char *path);
void conf_free(struct conf *conf); /* wipes passwords; NULL is allowed */

/* Whether a connection made for a is as good for b: the same brokers, users, TLS and queue. */
bool conf_same_bus(const struct conf *a, const struct conf *b);

#endif
