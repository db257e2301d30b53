#ifndef CALLSIGN_SETUP_H
#define CALLSIGN_SETUP_H

/*
 * The room host/setup/: callsign-setup, the only program that changes the machine, and can take it back. It uses
 * what host/doctor can read, and must not know the daemon's inside.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "doctor/resolver.h"
#include "shared/bus/busconf.h"

struct setup_remote {
	bool on;               /* the broker is on another machine */
	bool first;            /* no host is on it yet: it needs the user for containers, too */
	bool print_only;
	struct busconf conf;
	const struct bus_endpoint *endpoint; /* in conf */
	json_t *known;         /* what an earlier run was told */
};

/*
 * callsign-setup: makes a bare host work, shows beforehand what it would change, and takes it back. Everything it changes stands in a record with the
 * original, so that --undo knows. Run again it finds nothing to do.
 */
#define SETUP_FURTHER_MAX 15

/* --dnsmasq: who answers for the names of containers. */
enum setup_dnsmasq_kind {
	SETUP_DNSMASQ_AS_BEFORE, /* as an earlier run left it; on a new host our own */
	SETUP_DNSMASQ_SHARED,    /* this host's dnsmasq */
	SETUP_DNSMASQ_OWN        /* a second one, which that one asks */
};

/* Who writes a resolv.conf that names servers elsewhere, and can be told of dnsmasq (writer.c). */
enum setup_writer { SETUP_WRITER_NONE, SETUP_WRITER_DHCLIENT, SETUP_WRITER_DHCPCD, SETUP_WRITER_RESOLVCONF };

struct setup {
	const char *root;      /* where / is; "": the real one */
	const char *state;     /* folder of the record, below root */
	const char *domain, *hostname, *vhost;
	const char *further[SETUP_FURTHER_MAX]; /* domains besides */
	unsigned nfurther;
	const char *docker;    /* docker0's address as text */
	const char *host_user; /* this host's, on the broker */
	const char *host_password_file; /* given; NULL: SETUP_HOST_PASSWORD, made if it is missing */
	struct setup_remote remote;
	unsigned connections;  /* limit for each emitter user */
	bool dry_run, no_broker, no_services;
	bool search;           /* containers look short names up below the domains, too */
	bool legacy;           /* the host's user has what legacy = true needs */
	bool agent;            /* names for containers that carry nothing, too */
	json_t *record;        /* {"files": [...], "broker": {...}, "groups": [...]} */
	struct resolver resolver;
	char holder[16];       /* the program on port 53 of the loopback, if it is neither dnsmasq nor systemd-resolved; or "" */
	enum setup_writer writer; /* other than none: dnsmasq is to be this host's resolver, too */
	enum setup_dnsmasq_kind dnsmasq;
	bool own_changed, own_gone; /* the second dnsmasq's files; they are to go */
	bool failed;           /* something was said that an operator must see to */
	bool changed;          /* anything, or would be */
	bool agent_changed;
	bool docker_changed, dnsmasq_changed, resolver_changed, daemon_changed;
	bool unregisters; /* dnsmasq from resolvconf */
};

#define SETUP_GROUP "callsign"
#define SETUP_HOST_USER "callsign-host"
#define SETUP_EMIT_USER "callsign-emit"
#define SETUP_HOST_PASSWORD "/etc/callsign/host.password"
#define SETUP_EMIT_PASSWORD "/etc/callsign/emit.password"
#define SETUP_AGENT_USER "callsign-agent"
#define SETUP_AGENT_PASSWORD "/etc/callsign/agent.password"
#define SETUP_AGENT_CONF "/etc/callsign/agent.conf"
#define SETUP_AGENT_PODMAN "/usr/share/containers/oci/hooks.d/callsign.json"
#define SETUP_AGENT_CDI "/etc/cdi/callsign.json"
#define SETUP_TENANTS "/etc/callsign/tenants"
#define SETUP_CONF "/etc/callsign/callsignd.conf"
#define SETUP_DNSMASQ "/etc/dnsmasq.d/callsign"
#define SETUP_DAEMON_JSON "/etc/docker/daemon.json"
#define SETUP_DNS_UNIT "/etc/systemd/system/callsign-dns.service"
#define SETUP_DNS_PATH "/etc/systemd/system/callsign-dns-networks.path"
#define SETUP_DNS_NETWORKS "/etc/systemd/system/callsign-dns-networks.service"
#define SETUP_DNS_KEPT_PATH "/etc/systemd/system/callsign-dns-kept.path"
#define SETUP_DNS_KEPT "/etc/systemd/system/callsign-dns-kept.service"
#define SETUP_OWN_CONF "/etc/callsign/dnsmasq.conf"
#define SETUP_NM_DNSMASQ "/etc/NetworkManager/dnsmasq.d/callsign.conf"
#define SETUP_NM_CONF "/etc/NetworkManager/conf.d/callsign.conf"
#define SETUP_OWN_UNIT "/etc/systemd/system/callsign-dnsmasq.service"
#define SETUP_OWN_SCRIPT "/etc/init.d/callsign-dnsmasq"
#define SETUP_OWN_PID "/run/callsign-dnsmasq/dnsmasq.pid"
#define SETUP_REVERSE "/run/callsign/reverse" /* callsignd keeps both: host/sinks/dnsmasq/reversezones.h */
#define SETUP_FORWARD "/run/callsign/forward"
#define SETUP_OWN_ADDRESS "127.0.0.1"
#define SETUP_OWN_PORT "253"
#define SETUP_OWN_PORT_NUMBER 253
#define SETUP_PASSWORD_SIZE 256
#define SETUP_DOMAINS_SIZE 8192
#define SETUP_ZONES_SIZE 32768
#define SETUP_SERVER_SIZE 64

/* ---- messages ---- */

void setup_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Also notes that setup failed. */
void setup_error(struct setup *setup, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- files (files.c). Paths are as without root ---- */

/* The whole text, terminated, to be freed. NULL with errno. */
char *setup_read(const struct setup *setup, const char *path);

/* Whether words stand in a configuration of ours (setup_read()), outside of its comments. */
bool setup_conf_says(const char *text, const char *words);

/* Whether there is anything at path. */
bool setup_there(const struct setup *setup, const char *path);

enum setup_kind { SETUP_PLAIN, SETUP_SECRET /* its content is never shown or recorded */ };

/* Make path hold text: shown, recorded, done. Nothing if it does already. true: it changed (or would). */
bool setup_write(struct setup *setup, const char *path, const char *text, mode_t mode, enum setup_kind kind);

/* Whether path is as we wrote it, or not there at all: then it may be replaced. */
bool setup_is_ours(const struct setup *setup, const char *path);

/* Away with a file that is ours, and not recorded. */
void setup_remove(struct setup *setup, const char *path);

/* Take one recorded file back, and forget it. */
void setup_take_back(struct setup *setup, const char *path);

/* Whether path was written, and what reads it was not restarted since: by a run that ended half-way, or left the services alone. */
bool setup_pending(const struct setup *setup, const char *path);
void setup_settled(struct setup *setup); /* all were */

/* Take all recorded files back, the newest first. */
void setup_files_undo(struct setup *setup);

/* The lines that differ, as "- old" and "+ new". Either may be NULL: no file. */
void setup_print_difference(const char *path, const char *old, const char *new);

/* ---- record (record.c) ---- */

int setup_record_lock(struct setup *setup);  /* until this process ends nobody else changes anything; waits. 0, or -1 after saying why */
int setup_record_load(struct setup *setup);  /* 0, or -1 after saying why */
int setup_record_save(struct setup *setup);
json_t *setup_record_list(struct setup *setup, const char *key); /* an array, borrowed; made if it is missing */

/* ---- steps ---- */

void setup_group(struct setup *setup);
/* path's password (password.c), made if it is not there. false: failed. */
bool setup_password(struct setup *setup, const char *path, char out[SETUP_PASSWORD_SIZE]);
void setup_conf(struct setup *setup);
void setup_dnsmasq(struct setup *setup); /* dnsmasq.c */
void setup_resolvconf(struct setup *setup); /* resolvconf.c */
#define SETUP_WHERE_SIZE 256
bool setup_leaves_loopback(const struct setup *setup, char *where); /* dnsmasq, because of somebody else's line, which where has then */
bool setup_ignores_resolvconf(const struct setup *setup); /* whether dnsmasq asks the servers in /etc/resolv.conf even if resolvconf has some for it */
bool setup_resolvconf_pending(const struct setup *setup);
void setup_unregister(const struct setup *setup); /* from resolvconf, once dnsmasq is restarted as it is told to be */
bool setup_registers(const struct setup *setup); /* whether dnsmasq registers with resolvconf, but for what we have written ourselves */
void setup_split_dns(struct setup *setup);
void setup_find_holder(struct setup *setup); /* sets setup->holder (split.c) */
void setup_find_writer(struct setup *setup); /* sets setup->writer; writer.c, and so the next ones */
void setup_tell_writer(struct setup *setup);
bool setup_writer_told(const struct setup *setup);
bool setup_writer_pending(const struct setup *setup);
void setup_writer_writes(struct setup *setup); /* resolv.conf, with what it is told by now */
void setup_docker(struct setup *setup);
/* Whether this host's dnsmasq asks that server, of which Docker has been told, for what it does not know (upstream.c). */
bool setup_dnsmasq_asks(const struct setup *setup, const char *server);
/* What answers names; then whether that answers for the world, too; and only then Docker, which is told of it and restarted. */
void setup_services(struct setup *setup);
void setup_note_services(struct setup *setup); /* before anything is changed: how they stand, for an undo */
bool setup_world(struct setup *setup); /* world.c */
void setup_resolver_back(struct setup *setup); /* before an error: what Docker depends on without being told */
void setup_docker_service(struct setup *setup);
void setup_restart_dnsmasq(struct setup *setup);
void setup_services_before_undo(struct setup *setup);
void setup_services_after_undo(struct setup *setup);
bool setup_recorded(const struct setup *setup, const char *path);

/* ---- domains (domains.c) ---- */

/* before, the domain, behind, for each further domain; first: for the first one, too. */
void setup_domains(const struct setup *setup, bool first, const char *before, const char *behind, char *out, size_t size);

/* The reverse zones of docker0's own networks, each with before and behind around it (reverse.h). Returns out. */
char *setup_reverse_zones(const struct setup *setup, const char *before, const char *behind, char *out, size_t size);

/* ---- a dnsmasq of our own (own.c): what it is for stands there ---- */

/* Sets setup->dnsmasq, unless it was given, and records it. Before all that follows. */
void setup_own_choose(struct setup *setup);
bool setup_own(const struct setup *setup);

/* Whom this host's resolver asks for the names, with separator before a port that is not 53. Returns out. */
const char *setup_own_server(const struct setup *setup, const char *separator, char out[SETUP_SERVER_SIZE]);

/* What callsignd.conf says of it; of a file that is there already, changed. */
const char *setup_own_section(const struct setup *setup);
void setup_own_daemon(struct setup *setup);

/* What this host's dnsmasq is to be told, from what it would be told without one of our own (new, to be freed). NULL: no memory. */
char *setup_own_forward(const struct setup *setup, const char *text);

/* Its configuration and its unit or script; or, if it is not wanted any more, what is to be done at the end: setup_own_away(). */
void setup_own_instance(struct setup *setup);
void setup_own_service(struct setup *setup);
void setup_own_away(struct setup *setup);

/* ---- agent (agent.c) ---- */

void setup_agent(struct setup *setup);

/* The end of an undo: while Docker has containers of our runtime it goes on knowing one of that name, its own (runtime.c). */
void setup_runtime_undo(struct setup *setup);

/* ---- broker ---- */

void setup_broker_agent(struct setup *setup, const char *password);

/* Users, vhost, rights and exchanges. Passwords: NULL, as they are. */
void setup_broker(struct setup *setup, const char *host_password, const char *emit_password);
void setup_broker_undo(struct setup *setup);
int setup_tenant(struct setup *setup, const char *name, const char *prefix); /* an exit status */

/*
 * rabbitmqctl.c: 0.6 to 1 s a call, so one for all that is there and one for all that is to be. argv: rabbitmqctl, --quiet, its command, ...; *output as
 * of command_run(). false: it was said why not.
 */
#define SETUP_BROKER_S 60 /* it starts a whole Erlang; on a busy machine that takes its time */
bool setup_rabbitmqctl(struct setup *setup, const char *const argv[], char **output);
bool setup_import(struct setup *setup, const json_t *definitions);

/* ---- a broker on another machine (remote.c) ---- */

/* url: given, or NULL: what an earlier run was told, if that was anything. 0, or -1 after saying why. Both as long as the record is there. */
int setup_remote_find(struct setup *setup, const char *url);
void setup_remote_free(struct setup *setup);

/* Its URL for that user, without a password. Returns out. */
const char *setup_remote_url(const struct setup *setup, const char *user, char *out, size_t size);

/* The commands for the broker's machine. emit_password: NULL, that user is there already. */
void setup_remote_print(const struct setup *setup, const char *host_password, const char *emit_password);
void setup_remote_print_tenant(const struct setup *setup, const char *name, const char *prefix, const char *password);
void setup_remote_undo(struct setup *setup);

/* What is to be on the broker, as its definitions (rights.c). Pure but for the salt. NULL: no memory. */
json_t *setup_rights_host(const struct setup *setup, const char *password);
json_t *setup_rights_emitter(const struct setup *setup, const char *user, const char *prefix, const char *password);
json_t *setup_rights_agent(const struct setup *setup, const char *password);
bool setup_rights_password_is(const char *stored, const char *password);

/* What of wanted is missing in have, or otherwise there: new (to be imported), and the old of what is replaced. Twice in wanted counts once. */
void setup_definitions_compare(const json_t *have, const json_t *wanted, json_t *missing, json_t *replaced, json_t *made);

void setup_image(const struct setup *setup);

#endif
