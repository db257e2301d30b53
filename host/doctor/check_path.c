#include <config.h>

#include "doctor.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "line.h"
#include "ports.h"
#include "resolver.h"
#include "servers.h"
#include "shared/clock.h"
#include "trip.h"

/*
 * Whether this host's programs see what is true now: a throw-away name is asked for, the way they ask (getaddrinfo(3), so that nscd and every server
 * on the way take part), before it is there, while it is, and after it has gone; and its address for its name.
 */
#define PATIENCE_MS 3000 /* for each of the three */
#define EVERY_MS 50
#define AT_ONCE_MS (1000 + 4 * EVERY_MS) /* the second that is pdns-recursor's least packet cache; and that we ask in steps, each with a question that takes its time */

struct path {
	char fqdn[HOSTNAME_FQDN_SIZE];
	struct address address;
	bool early, reverse; /* it was denied before it was there; its address leads to it */
	int64_t found_ms, gone_ms; /* -1: not within PATIENCE_MS */
};

/* ---- asking ---- */

static bool resolves(const char *name)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found;

	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

/* How long it took until the name resolves, or does not; -1: longer than we wait. */
static int64_t await(const char *name, bool wanted)
{
	int64_t begun_ms = clock_ms();

	while (resolves(name) != wanted) {
		if (clock_ms() - begun_ms > PATIENCE_MS)
			return -1;
		poll(NULL, 0, EVERY_MS);
	}
	return clock_ms() - begun_ms;
}

static bool leads_back(const struct path *path)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	char name[NI_MAXHOST];

	memcpy(&to.sin_addr, path->address.bytes, sizeof to.sin_addr);
	return getnameinfo((const struct sockaddr *)(const void *)&to, sizeof to, name, sizeof name, NULL, 0, NI_NAMEREQD) == 0 &&
	       strcasecmp(name, path->fqdn) == 0;
}

/* ---- the name ---- */

/* The last address but one of the network that address is one of this host's in. false: there is none, or it is too small. */
static bool last_of_network(const struct address *address, struct address *out)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (address->family != 4 || getifaddrs(&all) == -1)
		return false;
	for (const struct ifaddrs *one = all; one != NULL && !found; one = one->ifa_next) {
		struct in_addr own, mask;
		uint32_t last;

		if (one->ifa_addr == NULL || one->ifa_netmask == NULL || one->ifa_addr->sa_family != AF_INET)
			continue;
		own = ((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr;
		mask = ((const struct sockaddr_in *)(const void *)one->ifa_netmask)->sin_addr;
		if (memcmp(&own, address->bytes, sizeof own) != 0 || ~ntohl(mask.s_addr) < 3)
			continue;
		last = htonl((ntohl(own.s_addr) | ~ntohl(mask.s_addr)) - 1);
		*out = (struct address){.family = 4};
		memcpy(out->bytes, &last, sizeof last);
		found = true;
	}
	freeifaddrs(all);
	return found;
}

/* Reverse names are asked for in docker0's network; the last address but one of it is nobody's as a rule, and if it is somebody's, or may not
 * be announced, the usual one is taken, whose reverse name nobody asks us for. */
static void choose_reverse(const struct doctor *doctor, struct announcement *up)
{
	const struct policy_rule *rule = &doctor->conf->policy.rule;
	struct path path = {.found_ms = -1};

	if (rule->nsubnets == 0 && last_of_network(&doctor->containers, &path.address) && !address_equal(&path.address, &doctor->containers) && !leads_back(&path))
		up->addresses[0] = path.address;
}

static bool has_reverse(const struct doctor *doctor, const struct path *path)
{
	return path->address.family == 4 && memcmp(path->address.bytes, doctor->containers.bytes, 2) == 0;
}

/* false: the way was not gone to its end, and the round trip will say why. */
static bool walk(const struct doctor *doctor, struct line *line, struct announcement *up, struct path *path)
{
	bool served;

	path->early = !resolves(path->fqdn);
	if (trip_publish(line, up) == -1)
		return false;
	served = line->result == BUS_CONFIRMED && trip_await(doctor, line, up->name, true);
	if (served) {
		path->found_ms = await(path->fqdn, true);
		path->reverse = !has_reverse(doctor, path) || leads_back(path);
	}
	up->op = ANNOUNCEMENT_DOWN;
	up->seq++;
	if (trip_publish(line, up) == -1 || !served || !trip_await(doctor, line, up->name, false))
		return false;
	path->gone_ms = await(path->fqdn, false);
	return true;
}

/* ---- who it was ---- */

static void meet(void *arg, const struct ports_listener *listener)
{
	static const struct address loopback = {.family = 4, .bytes = {127, 0, 0, 1}};

	if (listener->wildcard || address_equal(&listener->address, &loopback))
		snprintf(arg, 16, "%s", listener->program);
}

/* The nearest one that keeps answers. Returns out. */
static const char *who(char out[16])
{
	struct resolver resolver;

	resolver_find("", &resolver);
	out[0] = '\0';
	if (access("/run/nscd/socket", F_OK) == 0)
		snprintf(out, 16, "nscd");
	else if (resolver.kind == RESOLVER_RESOLVED)
		snprintf(out, 16, "systemd-resolve");
	else if (resolver.kind == RESOLVER_LOOPBACK || resolver.kind == RESOLVER_NETWORKMANAGER)
		(void)ports_each(53, meet, out);
	return out;
}

static void advise(const struct doctor *doctor, const char *program, char *out, size_t size)
{
	const uint8_t *bytes = doctor->containers.bytes;
	char address[ADDRESS_TEXT_SIZE], reverse[64];
	struct servers_way way = {.domain = doctor->conf->domain, .reverse = reverse, .port = doctor->conf->dnsmasq.port};

	way.address = address_format(&doctor->server, address);
	snprintf(reverse, sizeof reverse, "%u.%u.in-addr.arpa", bytes[1], bytes[0]);
	if (servers_lines(program, &way, out, size) == NULL)
		snprintf(out, size, "docs/resolvers.md has the settings of each name server");
}

static const char *kept(int64_t took_ms, char *out, size_t size)
{
	if (took_ms == -1)
		snprintf(out, size, "longer than %d s", PATIENCE_MS / 1000);
	else
		snprintf(out, size, "%.1f s", (double)took_ms / 1000);
	return out;
}

static void judge(const struct doctor *doctor, const struct path *path, struct doctor_finding *finding)
{
	char program[16], by[40] = "", mend[DOCTOR_MEND_SIZE], time[32];

	if (who(program)[0] != '\0')
		snprintf(by, sizeof by, " (%s)", program);
	advise(doctor, program, mend, sizeof mend);
	if (path->found_ms == -1 || path->found_ms > AT_ONCE_MS)
		doctor_warning(finding, mend, "somebody on the way of this host's programs%s keeps \"no such name\": a name that was asked for too early was not "
		               "found for %s after it was there", by, kept(path->found_ms, time, sizeof time));
	else if (path->gone_ms == -1 || path->gone_ms > AT_ONCE_MS)
		doctor_warning(finding, mend, "somebody on the way of this host's programs%s keeps addresses: a name was found for %s after it had gone", by,
		               kept(path->gone_ms, time, sizeof time));
	else if (!path->reverse)
		doctor_warning(finding, mend, "this host's programs%s do not find the name of a container's address", by);
	else
		doctor_ok(finding, "what this host's programs find is so now: a name asked for too early after %lld ms, none after %lld ms",
		          (long long)path->found_ms, (long long)path->gone_ms);
}

void doctor_path(struct doctor *doctor, struct doctor_finding *finding)
{
	struct path path = {.found_ms = -1, .gone_ms = -1};
	struct announcement up;
	struct resolver resolver;
	char server[ADDRESS_TEXT_SIZE], serial[HOSTNAME_FQDN_SIZE];
	struct line line;

	resolver_find("", &resolver);
	if (resolver.kind == RESOLVER_STATIC && !resolver_asks(&resolver, address_format(&doctor->containers, server)) &&
	    !resolves(doctor_serial_name(doctor, serial))) {
		doctor_skipped(finding, "not looked at: this host's own programs ask %s", resolver_kind_text(resolver.kind));
		return;
	}
	setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
	if (trip_compose(doctor, &up) == -1 || hostname_join(up.name, trip_domain(doctor, up.name), path.fqdn) != HOSTNAME_OK) {
		doctor_broken(finding, "", "no random numbers");
		return;
	}
	choose_reverse(doctor, &up);
	path.address = up.addresses[0];
	if (line_open(&line, doctor->conf, doctor->endpoint) == 0 && line_replies(&line) == 0 && walk(doctor, &line, &up, &path))
		judge(doctor, &path, finding);
	else
		doctor_warning(finding, "", "not known: a throw-away name did not come and go; the round trip says more");
	line_close(&line);
}
