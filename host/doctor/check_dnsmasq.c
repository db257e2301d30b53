#include <config.h>

#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsmasqconf.h"
#include "registry/served.h"
#include "shared/clock.h"
#include "sinks/dnsmasq/hostsfile.h"
#include "system/ifaddr.h"
#include "system/process.h"

#define ASK_AGAIN_MS 250
#define DNS_PORT 53
#define HOST_PID_FILE "/run/dnsmasq/dnsmasq.pid" /* of Debian's dnsmasq */
#define ASK_MS 1500
#define SERIAL_MS 3000
#define CAP_KILL_BIT 5 /* capabilities(7) */
#define SAMPLE "callsign-setup (or copy the sample dnsmasq.d/callsign), then restart dnsmasq"

/* ---- asking ---- */

const char *doctor_serial_name(const struct doctor *doctor, char *out)
{
	snprintf(out, HOSTNAME_FQDN_SIZE, SERVED_SERIAL_NAME ".%.220s", doctor->conf->domain);
	return out;
}

const char *doctor_domains(const struct doctor *doctor, char *out, size_t size)
{
	const struct policy *policy = &doctor->conf->policy;
	size_t used = 0, i;

	out[0] = '\0';
	for (i = 0; i < policy->ndomains && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", policy->domains[i].name);
	return out;
}

/* One question and what comes back within ASK_AGAIN_MS. */
static enum probe_result ask_once(struct probe *probe, int64_t until_ms, enum dnsquery_result *result, struct dnsquery_answer *answer)
{
	struct pollfd fd = {.fd = probe->fd, .events = POLLIN};
	int64_t again_ms = clock_ms() + ASK_AGAIN_MS;
	enum probe_result got;

	(void)probe_ask(probe); /* a refused port shows when reading */
	do {
		int64_t due_ms = again_ms < until_ms ? again_ms : until_ms;

		if (poll(&fd, 1, clock_poll_timeout(clock_ms(), due_ms)) <= 0)
			return PROBE_NOTHING;
		got = probe_read(probe, result, answer);
	} while (got == PROBE_NOTHING && clock_ms() < again_ms);
	return got;
}

enum probe_result doctor_ask_at(const struct address *server, uint16_t port, const char *name, unsigned timeout_ms, enum dnsquery_result *result,
                                struct dnsquery_answer *answer)
{
	int64_t until_ms = clock_ms() + timeout_ms;
	enum probe_result got = PROBE_NOTHING;
	struct probe probe = {.fd = -1};

	if (server->family == 0 || probe_open(&probe, server, port, name) == -1)
		return PROBE_NOTHING;
	while (got == PROBE_NOTHING && clock_ms() < until_ms)
		got = ask_once(&probe, until_ms, result, answer);
	probe_close(&probe);
	return got;
}

enum probe_result doctor_ask(const struct doctor *doctor, const char *name, unsigned timeout_ms, enum dnsquery_result *result,
                             struct dnsquery_answer *answer)
{
	return doctor_ask_at(&doctor->server, doctor->conf->dnsmasq.port, name, timeout_ms, result, answer);
}

int doctor_written_serial(const struct doctor *doctor, uint32_t *serial)
{
	char name[HOSTNAME_FQDN_SIZE], line[1024];
	FILE *file = fopen(doctor->conf->dnsmasq.hosts_file, "re");
	int result = -1;

	if (file == NULL)
		return -1;
	doctor_serial_name(doctor, name);
	while (result == -1 && fgets(line, sizeof line, file) != NULL) {
		char *rest, *address = strtok_r(line, " \n", &rest), *found = strtok_r(NULL, " \n", &rest);
		struct address serial_address;

		if (found == NULL || strcmp(found, name) != 0 ||
		    address_parse(address, strlen(address), &serial_address) == -1 || serial_address.family != 4)
			continue;
		*serial = (uint32_t)serial_address.bytes[0] << 24 | (uint32_t)serial_address.bytes[1] << 16 |
		          (uint32_t)serial_address.bytes[2] << 8 | serial_address.bytes[3];
		result = 0;
	}
	fclose(file);
	errno = 0;
	return result;
}

/* ---- the process and its configuration ---- */

/* No container reaches the loopback: a dnsmasq there is asked by the one that they ask. */
static void find_servers(struct doctor *doctor)
{
	const struct conf_dnsmasq *conf = &doctor->conf->dnsmasq;

	if (conf->server != NULL)
		(void)address_parse(conf->server, strlen(conf->server), &doctor->server);
	else
		(void)ifaddr_ipv4("docker0", &doctor->server);
	doctor->own = doctor->server.family == 4 && doctor->server.bytes[0] == 127;
	doctor->containers = doctor->server;
	doctor->containers_port = conf->port;
	if (!doctor->own)
		return;
	doctor->containers = (struct address){.family = 0};
	doctor->containers_port = DNS_PORT;
	(void)ifaddr_ipv4("docker0", &doctor->containers);
}

const char *doctor_dnsmasq_service(const struct doctor *doctor)
{
	return doctor->own ? "callsign-dnsmasq" : "dnsmasq";
}

void doctor_dnsmasq(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct conf_dnsmasq *conf = &doctor->conf->dnsmasq;
	char reason[PROCESS_REASON_SIZE], mend[DOCTOR_MEND_SIZE];
	struct process process;

	find_servers(doctor);
	if (process_open(conf->pid_file, "dnsmasq", &process, reason) != PROCESS_FOUND) {
		doctor_broken(finding, doctor_service(mend, sizeof mend, "restart", doctor_dnsmasq_service(doctor)), "%s", reason);
		return;
	}
	doctor_ok(finding, "dnsmasq runs, pid %d (%s)", (int)process.pid, conf->pid_file);
	process_close(&process);
}

static void read_conf_of(const char *pid_file, struct dnsmasqconf *out)
{
	char reason[PROCESS_REASON_SIZE];
	struct process process;

	if (process_open(pid_file, "dnsmasq", &process, reason) != PROCESS_FOUND) {
		*out = (struct dnsmasqconf){.root = "", .incomplete = true};
		return;
	}
	dnsmasqconf_of_process(out, process.pid);
	process_close(&process);
}

static void read_conf(const struct doctor *doctor, struct dnsmasqconf *out)
{
	read_conf_of(doctor->conf->dnsmasq.pid_file, out);
}

const char *doctor_containers_pid_file(const struct doctor *doctor)
{
	return doctor->own ? HOST_PID_FILE : doctor->conf->dnsmasq.pid_file;
}

void doctor_containers_conf(const struct doctor *doctor, struct dnsmasqconf *out)
{
	read_conf_of(doctor_containers_pid_file(doctor), out);
}

/* A folder stands for all in it (dnsmasq(8), --addn-hosts, --hostsdir). */
static bool includes(const struct dnsmasqconf *conf, const char *path)
{
	for (size_t i = 0; i < conf->count; i++) {
		const struct dnsmasqconf_option *option = &conf->options[i];
		size_t length = strlen(option->value);

		if (strcmp(option->key, "addn-hosts") != 0 && strcmp(option->key, "hostsdir") != 0)
			continue;
		while (length > 1 && option->value[length - 1] == '/')
			length--;
		if (length > 0 && strncmp(option->value, path, length) == 0 &&
		    (path[length] == '\0' || (path[length] == '/' && strchr(path + length + 1, '/') == NULL)))
			return true;
	}
	return false;
}

void doctor_hosts_file(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *path = doctor->conf->dnsmasq.hosts_file;
	const struct dnsmasqconf_option *ttl;
	struct dnsmasqconf conf;
	char mend[DOCTOR_MEND_SIZE];

	read_conf(doctor, &conf);
	ttl = dnsmasqconf_find(&conf, "local-ttl", NULL);
	if (!includes(&conf, path) && !conf.incomplete)
		doctor_broken(finding, SAMPLE, "dnsmasq's configuration has no addn-hosts=%s", path);
	else if (!includes(&conf, path))
		doctor_warning(finding, SAMPLE, "no addn-hosts=%s was found, but not all of dnsmasq's configuration could be read", path);
	else if (ttl != NULL) {
		snprintf(mend, sizeof mend, "take out local-ttl at %s, then restart dnsmasq", ttl->where);
		doctor_warning(finding, mend, "local-ttl=%s lets resolvers keep the addresses of containers that are gone", ttl->value);
	} else
		doctor_ok(finding, "dnsmasq's configuration names %s", path);
	dnsmasqconf_free(&conf);
}

/* auth-zone=DOMAIN[,NETWORK...] */
static bool is_authoritative(const struct dnsmasqconf *conf, const char *domain)
{
	size_t length = strlen(domain);

	for (size_t i = 0; i < conf->count; i++) {
		const struct dnsmasqconf_option *option = &conf->options[i];

		if (strcmp(option->key, "auth-zone") == 0 && strncmp(option->value, domain, length) == 0 &&
		    (option->value[length] == '\0' || option->value[length] == ','))
			return true;
	}
	return false;
}

/* local= and a server= without an address are the same. */
static bool is_local(const struct dnsmasqconf *conf, const char *domain)
{
	char name[HOSTNAME_FQDN_SIZE + 2];

	if (is_authoritative(conf, domain))
		return true;
	snprintf(name, sizeof name, "/%s/", domain);
	return dnsmasqconf_find(conf, "local", name) != NULL || dnsmasqconf_find(conf, "server", name) != NULL;
}

void doctor_local(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct policy *policy = &doctor->conf->policy;
	char names[1024] = "";
	struct dnsmasqconf conf;
	size_t i;

	read_conf(doctor, &conf);
	for (i = 0; i < policy->ndomains && is_local(&conf, policy->domains[i].name); i++)
		continue;
	if (i == policy->ndomains)
		doctor_ok(finding, "dnsmasq keeps %s to itself", doctor_domains(doctor, names, sizeof names));
	else
		doctor_warning(finding, SAMPLE, "dnsmasq's configuration has no local=/%s/: names that are not there are asked for in the world",
		               policy->domains[i].name);
	dnsmasqconf_free(&conf);
}

/* ---- does it answer, and with what ---- */

void doctor_listening(struct doctor *doctor, struct doctor_finding *finding)
{
	char name[HOSTNAME_FQDN_SIZE], where[ADDRESS_TEXT_SIZE], mend[DOCTOR_MEND_SIZE];
	struct dnsquery_answer answer;
	enum dnsquery_result result;

	if (doctor->server.family == 0) {
		doctor_broken(finding, doctor_service(mend, sizeof mend, "start", "docker"),
		              "there is no docker0 with an IPv4 address (or set dnsmasq { server } in %s)", doctor->conf_path);
		return;
	}
	address_format(&doctor->server, where);
	switch (doctor_ask(doctor, doctor_serial_name(doctor, name), ASK_MS, &result, &answer)) {
	case PROBE_CLOSED_PORT:
		doctor_broken(finding, SAMPLE, "dnsmasq does not listen on %s port %u, where %s", where, doctor->conf->dnsmasq.port,
		              doctor->own ? "it is asked for the names of containers" : "containers ask");
		break;
	case PROBE_NOTHING:
		doctor_broken(finding, "see what drops it: iptables-save, callsignctl doctor's firewall check",
		              "nothing answers on %s port %u", where, doctor->conf->dnsmasq.port);
		break;
	case PROBE_ANSWER:
		doctor_ok(finding, "dnsmasq answers on %s port %u", where, doctor->conf->dnsmasq.port);
		break;
	}
}

static const char *serial_text(uint32_t serial, char out[16])
{
	snprintf(out, 16, "%" PRIu32 ".%" PRIu32 ".%" PRIu32 ".%" PRIu32, serial >> 24, serial >> 16 & 255, serial >> 8 & 255, serial & 255);
	return out;
}

/* The daemon may be writing just now: both are looked at again until they agree, or for SERIAL_MS. 0: no serial at all. */
static bool serials_agree(const struct doctor *doctor, uint32_t *written, uint32_t *served)
{
	int64_t until_ms = clock_ms() + SERIAL_MS;
	char name[HOSTNAME_FQDN_SIZE];
	struct dnsquery_answer answer;
	enum dnsquery_result result;

	doctor_serial_name(doctor, name);
	do {
		*written = *served = 0;
		(void)doctor_written_serial(doctor, written);
		if (doctor_ask(doctor, name, ASK_AGAIN_MS, &result, &answer) == PROBE_ANSWER && result == DNSQUERY_ANSWERED)
			*served = answer.addresses[0];
		if (*written == *served && *written != 0)
			return true;
		poll(NULL, 0, 20);
	} while (clock_ms() < until_ms);
	return false;
}

void doctor_serial(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *path = doctor->conf->dnsmasq.hosts_file;
	char mend[DOCTOR_MEND_SIZE], ours[16], theirs[16];
	uint32_t written, served;

	if (serials_agree(doctor, &written, &served))
		doctor_ok(finding, "dnsmasq serves %s as it is, serial %s", path, serial_text(served, theirs));
	else if (written == 0)
		doctor_broken(finding, doctor_service(mend, sizeof mend, "restart", "callsignd"), "%s %s", path,
		              errno != 0 ? "cannot be read: has callsignd written it?" : "holds no serial: callsignd did not write it");
	else if (served == 0)
		doctor_broken(finding, doctor_service(mend, sizeof mend, "restart", doctor_dnsmasq_service(doctor)), "dnsmasq knows nothing of %s (serial %s is written)",
		              path, serial_text(written, ours));
	else
		doctor_broken(finding, doctor_service(mend, sizeof mend, "reload", doctor_dnsmasq_service(doctor)), "dnsmasq serves serial %s, but %s is written",
		              serial_text(served, theirs), serial_text(written, ours));
}

/* ---- may the daemon signal it? ---- */

/* A line of /proc/PID/status, as a number: the first one after KEY:. 0, or -1. */
static int process_field(pid_t pid, const char *key, int base, unsigned long long *out)
{
	char path[64], line[256];
	size_t length = strlen(key);
	FILE *file;
	int result = -1;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file != NULL && result == -1 && fgets(line, sizeof line, file) != NULL) {
		if (strncmp(line, key, length) == 0 && line[length] == ':') {
			*out = strtoull(line + length + 1, NULL, base);
			result = 0;
		}
	}
	if (file != NULL)
		fclose(file);
	return result;
}

/* kill(2): CAP_KILL, or the same user. */
static bool may_signal(pid_t from, pid_t to)
{
	unsigned long long capabilities, ours, theirs;

	if (process_field(from, "CapEff", 16, &capabilities) == 0 && (capabilities >> CAP_KILL_BIT & 1) != 0)
		return true;
	return process_field(from, "Uid", 10, &ours) == 0 && process_field(to, "Uid", 10, &theirs) == 0 && ours == theirs;
}

void doctor_sighup(struct doctor *doctor, struct doctor_finding *finding)
{
	char reason[PROCESS_REASON_SIZE];
	struct process daemon, dnsmasq;

	if (process_open(doctor->conf->pid_file, "callsignd", &daemon, reason) != PROCESS_FOUND) {
		doctor_warning(finding, "", "not known: %s", reason);
		return;
	}
	if (process_open(doctor->conf->dnsmasq.pid_file, "dnsmasq", &dnsmasq, reason) != PROCESS_FOUND)
		doctor_warning(finding, "", "not known: %s", reason);
	else if (may_signal(daemon.pid, dnsmasq.pid))
		doctor_ok(finding, "callsignd may send dnsmasq SIGHUP");
	else
		doctor_broken(finding, "give callsignd CAP_KILL (callsignd.service has it: CapabilityBoundingSet=CAP_KILL), then restart it",
		              "callsignd may not send SIGHUP to dnsmasq, which runs as another user");
	process_close(&dnsmasq);
	process_close(&daemon);
}
