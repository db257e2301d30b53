#ifndef CALLSIGN_DOCTOR_H
#define CALLSIGN_DOCTOR_H

/*
 * The room host/doctor/: `callsignctl doctor` looks at each link of the chain by itself, daemon or no daemon, and says what mends it. What it has learnt
 * to read (firewalls, resolvers, rights, dnsmasq's configuration) callsign-setup uses too. It must leave nothing
 * changed, and must not know callsignd's inside: it asks it, as everybody does.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "ctl/ctl.h"
#include "shared/bus/bus.h"
#include "sinks/dnsmasq/probe.h"

/*
 * callsignctl doctor: the chain from the configuration to a name that resolves, link by link. Each check is one function that says ok, warning or
 * broken, what it saw, and the command that mends it. A check whose links before it are broken is skipped: it could only repeat them.
 */
enum doctor_verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_BROKEN, DOCTOR_SKIPPED };

#define DOCTOR_WHAT_SIZE 2048
#define DOCTOR_MEND_SIZE 4096

struct doctor_finding {
	enum doctor_verdict verdict;
	char what[DOCTOR_WHAT_SIZE];
	char mend[DOCTOR_MEND_SIZE]; /* commands, one a line, or in a few words what to do; "": nothing */
	json_t *steps;               /* of the round trip, or NULL */
};

/* What the checks hand on to those behind them. */
struct doctor {
	const char *conf_path;
	const char *socket;        /* NULL: as configured */
	struct conf *conf;         /* NULL: could not be read */
	size_t endpoint;           /* the broker that answered */
	bool reached;              /* failure is its answer to the login, or it let us in */
	struct bus_failure failure;
	json_t *status;            /* the daemon's, or NULL */
	struct address server;     /* where the dnsmasq that the daemon signals is asked; family 0: not known */
	struct address containers; /* where containers ask: the same, or (a dnsmasq of our own) this host's dnsmasq, which asks that one */
	uint16_t containers_port;
	bool own;                  /* it is one of our own, on the loopback */
};

/* finding.c */
void doctor_ok(struct doctor_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doctor_warning(struct doctor_finding *finding, const char *mend, const char *format, ...) __attribute__((format(printf, 3, 4)));
void doctor_broken(struct doctor_finding *finding, const char *mend, const char *format, ...) __attribute__((format(printf, 3, 4)));
void doctor_skipped(struct doctor_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

typedef void doctor_check(struct doctor *doctor, struct doctor_finding *finding);

/* check_daemon.c */
doctor_check doctor_configuration, doctor_daemon, doctor_sinks;
/* check_broker.c */
doctor_check doctor_broker, doctor_login, doctor_vhost, doctor_exchanges, doctor_queue, doctor_permissions;
/* check_users.c */
doctor_check doctor_users;

/* check_agent.c */
doctor_check doctor_agent;
/* check_haproxy.c */
doctor_check doctor_haproxy;
/* check_timeout.c */
doctor_check doctor_timeout;
/* check_dnsmasq.c */
doctor_check doctor_dnsmasq, doctor_hosts_file, doctor_local, doctor_listening, doctor_serial, doctor_sighup;
/* check_host.c */
doctor_check doctor_resolver, doctor_docker, doctor_port53;
/* check_firewall.c */
doctor_check doctor_firewall;
/* check_path.c */
doctor_check doctor_path;
/* check_own.c */
doctor_check doctor_forwarding;
/* check_reverse.c */
doctor_check doctor_reverse;
/* check_bridges.c */
doctor_check doctor_bridges;
/* check_trip.c */
doctor_check doctor_trip;

/* The dnsmasq that containers ask: what it was told, to be freed, and its pid file. */
struct dnsmasqconf;
void doctor_containers_conf(const struct doctor *doctor, struct dnsmasqconf *out);
const char *doctor_containers_pid_file(const struct doctor *doctor);

/* The service of the dnsmasq that the daemon signals. */
const char *doctor_dnsmasq_service(const struct doctor *doctor);

/* Whether that address of a broker is this machine itself. */
bool doctor_is_here(const char *host);

/* Whether this host has an init system of that kind: decides which command is named. */
bool doctor_has_systemd(void);

/* "systemctl VERB SERVICE" or "/etc/init.d/SERVICE VERB". Returns out. */
const char *doctor_service(char *out, size_t size, const char *verb, const char *service);

/*
 * Ask the host's dnsmasq for name's A record, again and again until it says something or timeout_ms is over. PROBE_NOTHING: it did not.
 */
enum probe_result doctor_ask(const struct doctor *doctor, const char *name, unsigned timeout_ms, enum dnsquery_result *result,
                             struct dnsquery_answer *answer);

/* The same question, to that server. */
enum probe_result doctor_ask_at(const struct address *server, uint16_t port, const char *name, unsigned timeout_ms, enum dnsquery_result *result,
                                struct dnsquery_answer *answer);

/* The name whose address is the serial of the hosts file; out has HOSTNAME_FQDN_SIZE bytes. Returns out. */
/* All domains, with commas between them, as far as they fit. Returns out. */
const char *doctor_domains(const struct doctor *doctor, char *out, size_t size);
const char *doctor_serial_name(const struct doctor *doctor, char *out);

/* The serial in the hosts file (host order); 0, or -1: there is none, and errno is 0 if the file could be read. */
int doctor_written_serial(const struct doctor *doctor, uint32_t *serial);

#endif
