#include <config.h>

#include "doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports.h"
#include "resolver.h"
#include "system/process.h"

#define DAEMON_JSON "/etc/docker/daemon.json"
#define DOCKER_PID "/run/docker.pid"
#define SETUP "callsign-setup"

/* ---- the host's own resolver ---- */

/* Ask as every program on this host does: getaddrinfo(3). Returns its error, or 0 with the address. */
static int look_up(const char *name, char out[INET_ADDRSTRLEN])
{
	const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found;
	int error;

	setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
	error = getaddrinfo(name, NULL, &hints, &found);
	if (error != 0)
		return error;
	inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr, out, INET_ADDRSTRLEN);
	freeaddrinfo(found);
	return 0;
}

/* " '~docker' '~lab.example'", as resolvectl takes them. */
static const char *routed(const struct policy *policy, char *out, size_t size)
{
	size_t used = 0, i;

	out[0] = '\0';
	for (i = 0; i < policy->ndomains && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, " '~%s'", policy->domains[i].name);
	return out;
}

static void mend_resolver(const struct doctor *doctor, const struct resolver *resolver, const char *server, char *out, size_t size)
{
	char names[1024];

	switch (resolver->kind) {
	case RESOLVER_RESOLVED:
		snprintf(out, size, SETUP " (or: resolvectl dns docker0 %s && resolvectl domain docker0%s)", server,
		         routed(&doctor->conf->policy, names, sizeof names));
		break;
	case RESOLVER_NETWORKMANAGER:
	case RESOLVER_LOOPBACK:
		snprintf(out, size, SETUP);
		break;
	case RESOLVER_STATIC:
	case RESOLVER_NONE:
		snprintf(out, size, "as the first line of /etc/resolv.conf, by way of whatever writes that file: nameserver %s", server);
		break;
	}
}

void doctor_resolver(struct doctor *doctor, struct doctor_finding *finding)
{
	char name[HOSTNAME_FQDN_SIZE], address[INET_ADDRSTRLEN], server[ADDRESS_TEXT_SIZE], mend[DOCTOR_MEND_SIZE];
	struct resolver resolver;
	int error = look_up(doctor_serial_name(doctor, name), address);

	resolver_find("", &resolver);
	address_format(&doctor->containers, server);
	mend_resolver(doctor, &resolver, server, mend, sizeof mend);
	if (error != 0 && resolver.kind == RESOLVER_STATIC && !resolver_asks(&resolver, server))
		doctor_warning(finding, mend, "containers find names below %s, this host's own programs do not: they ask %s", doctor->conf->domain,
		               resolver_kind_text(resolver.kind));
	else if (error != 0)
		doctor_broken(finding, mend, "this host's own programs do not find names below %s: %s; they ask %s", doctor->conf->domain,
		              error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error), resolver_kind_text(resolver.kind));
	else if (strncmp(address, "127.", 4) != 0)
		doctor_broken(finding, mend, "somebody else answers for names below %s: %s is %s", doctor->conf->domain, name, address);
	else if (resolver.kind == RESOLVER_STATIC && !resolver_asks(&resolver, server))
		doctor_warning(finding, "", "names below %s resolve, though /etc/resolv.conf does not name %s", doctor->conf->domain, server);
	else
		doctor_ok(finding, "this host's own programs find names below %s, through %s", doctor->conf->domain, resolver_kind_text(resolver.kind));
}

/* ---- Docker's setting ---- */

static bool in_path(const char *program)
{
	static const char *const folders[] = {"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/snap/bin"};
	char path[256];

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s/%s", folders[i], program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Where dns names server: 0 first, 1 later, -1 not at all. */
static int place_in(const json_t *dns, const char *server)
{
	for (size_t i = 0; i < json_array_size(dns); i++) {
		const char *one = json_string_value(json_array_get(dns, i));

		if (one != NULL && strcmp(one, server) == 0)
			return i > 0;
	}
	return -1;
}

static bool searches(const json_t *settings, const char *domain)
{
	return place_in(json_object_get(settings, "dns-search"), domain) != -1;
}

/* Docker reads the file when it starts, and by no signal again; its pid file is as old as it is. */
static bool is_older_than_its_file(void)
{
	char reason[PROCESS_REASON_SIZE];
	struct stat settings, started;
	struct process engine;

	if (process_open(DOCKER_PID, "dockerd", &engine, reason) != PROCESS_FOUND)
		return false;
	process_close(&engine);
	return stat(DAEMON_JSON, &settings) == 0 && stat(DOCKER_PID, &started) == 0 &&
	       (settings.st_mtim.tv_sec != started.st_mtim.tv_sec ? settings.st_mtim.tv_sec > started.st_mtim.tv_sec
	                                                          : settings.st_mtim.tv_nsec > started.st_mtim.tv_nsec);
}

static void judge_docker(const json_t *settings, const char *server, const char *domain, struct doctor_finding *finding)
{
	const char *restart = SETUP ", then restart Docker";
	const json_t *dns = json_object_get(settings, "dns");

	if (dns == NULL)
		doctor_broken(finding, restart, DAEMON_JSON " has no \"dns\": containers do not ask dnsmasq (%s)", server);
	else if (place_in(dns, server) == -1)
		doctor_broken(finding, restart, DAEMON_JSON ": \"dns\" does not name %s, where dnsmasq answers", server);
	else if (place_in(dns, server) > 0)
		doctor_warning(finding, restart, DAEMON_JSON ": \"dns\" names another server before %s; that one is asked first", server);
	else if (json_array_size(dns) > 1)
		doctor_warning(finding, "let dnsmasq ask the others (server=ADDRESS), then callsign-setup, then restart Docker",
		               DAEMON_JSON ": \"dns\" names another server besides %s: programs linked with musl (Alpine's) ask both at once, and believe the first answer",
		               server);
	else if (is_older_than_its_file())
		doctor_warning(finding, "restart Docker, when that suits the containers that run",
		               DAEMON_JSON " was changed after Docker had started: until its next start Docker gives containers what it said before");
	else
		doctor_ok(finding, "Docker gives containers %s as their name server%s", server, searches(settings, domain) ? ", and searches the domain" : "");
}

void doctor_docker(struct doctor *doctor, struct doctor_finding *finding)
{
	char server[ADDRESS_TEXT_SIZE] = "docker0's address";
	json_error_t error;
	json_t *settings;

	if (!in_path("dockerd") && access(DAEMON_JSON, F_OK) == -1) {
		doctor_ok(finding, "there is no Docker here");
		return;
	}
	if (doctor->containers.family != 0)
		address_format(&doctor->containers, server);
	settings = json_load_file(DAEMON_JSON, 0, &error);
	if (settings != NULL)
		judge_docker(settings, server, doctor->conf->domain, finding);
	else if (access(DAEMON_JSON, F_OK) == -1)
		doctor_broken(finding, SETUP ", then restart Docker", "there is no " DAEMON_JSON ": containers do not ask dnsmasq (%s)", server);
	else
		doctor_broken(finding, "mend " DAEMON_JSON, DAEMON_JSON ":%d: %s", error.line, error.text);
	json_decref(settings);
}

/* ---- who else is on port 53 ---- */

struct neighbours {
	const struct doctor *doctor;
	char in_the_way[256], beside[256];
	bool dnsmasq; /* where containers ask */
};

static void meet(void *arg, const struct ports_listener *listener)
{
	struct neighbours *all = arg;
	char text[ADDRESS_TEXT_SIZE];
	bool wildcard = listener->wildcard, ours = address_equal(&listener->address, &all->doctor->containers);
	char *out = wildcard || ours ? all->in_the_way : all->beside;
	size_t length = strlen(out);

	/* Whose it is is not known to everybody. */
	all->dnsmasq |= (wildcard || ours) && (strcmp(listener->program, "dnsmasq") == 0 || listener->pid == 0);
	if (strcmp(listener->program, "dnsmasq") == 0 || strstr(out, listener->program) != NULL)
		return;
	snprintf(out + length, 256 - length, "%s%s (pid %d, on %s)", length > 0 ? ", " : "", listener->program, (int)listener->pid,
	         wildcard ? "every address" : address_format(&listener->address, text));
}

void doctor_port53(struct doctor *doctor, struct doctor_finding *finding)
{
	struct neighbours all = {.doctor = doctor};
	char mend[DOCTOR_MEND_SIZE];
	unsigned port = doctor->containers_port;

	if (ports_each(doctor->containers_port, meet, &all) == -1)
		doctor_warning(finding, "", "not known: /proc/net cannot be read: %s", strerror(errno));
	else if (all.in_the_way[0] != '\0')
		doctor_broken(finding, "let it listen elsewhere, or stop it; then restart dnsmasq", "port %u is also taken by %s",
		              port, all.in_the_way);
	else if (!all.dnsmasq)
		doctor_broken(finding, doctor_service(mend, sizeof mend, "restart", "dnsmasq"), "nobody is on port %u where containers ask: dnsmasq does not "
		              "run, or does not listen there", port);
	else if (all.beside[0] != '\0')
		doctor_ok(finding, "port %u: dnsmasq, and on other addresses %s", port, all.beside);
	else
		doctor_ok(finding, "nobody but dnsmasq is on port %u", port);
}
