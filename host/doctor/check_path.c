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

#include "asking.h"
#include "dnsmasqconf.h"
#include "line.h"
#include "ports.h"
#include "resolver.h"
#include "servers.h"
#include "shared/clock.h"
#include "trip.h"

/*
 * Whether this host's programs and its containers see what is true now: a throw-away name is asked for before it is there, while it is, and
 * after it has gone; and its address for its name. Programs ask by getaddrinfo(3), so that nscd and every server on the way take part.
 * Containers ask this host's dnsmasq, which is a way of its own where another one has the names.
 *
 * Who keeps an answer for less than a second is let be. Who answers from what he knew, whatever its age, and asks only then (dnsmasq's
 * use-stale-cache) would be taken for one of those, for by the second question he knows better: where a first answer was wrong all is done
 * once more, with nobody asking for that second.
 */
#define PATIENCE_MS 3000 /* for each of the three */
#define EVERY_MS 50
#define ASK_MS 1500
/* The second that is pdns-recursor's least packet cache; and that we ask in steps, each with a question that takes its time. */
#define AT_ONCE_MS (1000 + 4 * EVERY_MS)

/* In the order in which they are asked: programs' questions may go by way of the server that containers ask, which is the wiser for them. */
enum way_kind { CONTAINERS, PROGRAMS, WAYS };

struct took {
	int64_t ms; /* until the answer was right; -1: longer than PATIENCE_MS */
	bool wrong; /* the first answer */
};

struct way {
	bool walked;
	struct took found, gone;
	bool reverse; /* its address leads to it */
};

struct path {
	char fqdn[HOSTNAME_FQDN_SIZE];
	struct address address;
	struct way ways[WAYS];
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

/* As a container asks, with recursion desired: what is kept nobody is told who does not want that. */
static bool is_answered(const struct doctor *doctor, const struct path *path)
{
	struct asking asking;

	asking_ask(&asking, &doctor->containers, doctor->containers_port, false, path->fqdn, ASK_MS);
	if (asking.result != ASKING_ANSWERED)
		return false;
	return path->address.family == 4 ? asking.kind == DNSQUERY_ANSWERED : asking.kind != DNSQUERY_NO_NAME;
}

static bool ask(const struct doctor *doctor, const struct path *path, enum way_kind kind)
{
	return kind == PROGRAMS ? resolves(path->fqdn) : is_answered(doctor, path);
}

/* Until each way finds the name, or does not, counted from now; nobody asks before silence_ms are over. */
static void await(const struct doctor *doctor, struct path *path, bool wanted, unsigned silence_ms)
{
	int64_t begun_ms = clock_ms();
	unsigned waiting = 0;

	for (unsigned kind = 0; kind < WAYS; kind++)
		waiting |= path->ways[kind].walked ? 1U << kind : 0;
	poll(NULL, 0, (int)silence_ms);
	for (;;) {
		for (unsigned kind = 0; kind < WAYS; kind++) {
			struct took *took = wanted ? &path->ways[kind].found : &path->ways[kind].gone;

			if (!(waiting & 1U << kind))
				continue;
			if (ask(doctor, path, (enum way_kind)kind) != wanted) {
				took->wrong = true;
				continue;
			}
			took->ms = clock_ms() - begun_ms;
			waiting &= ~(1U << kind);
		}
		if (waiting == 0 || clock_ms() - begun_ms > PATIENCE_MS + (int64_t)silence_ms)
			return;
		poll(NULL, 0, EVERY_MS);
	}
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
	struct path path = {.fqdn = ""};

	if (rule->nsubnets == 0 && last_of_network(&doctor->containers, &path.address) &&
	    !address_equal(&path.address, &doctor->containers) && !leads_back(&path))
		up->addresses[0] = path.address;
}

static bool has_reverse(const struct doctor *doctor, const struct path *path)
{
	return path->address.family == 4 && memcmp(path->address.bytes, doctor->containers.bytes, 2) == 0;
}

/* false: the way was not gone to its end, and the round trip will say why. */
static bool walk(const struct doctor *doctor, struct line *line, struct announcement *up, struct path *path, unsigned silence_ms)
{
	bool served;

	for (unsigned kind = 0; kind < WAYS; kind++) {
		struct way *way = &path->ways[kind];

		way->found = way->gone = (struct took){.ms = -1};
		if (way->walked)
			(void)ask(doctor, path, (enum way_kind)kind);
	}
	if (trip_publish(line, up) == -1)
		return false;
	served = line->result == BUS_CONFIRMED && trip_await(doctor, line, up->name, true);
	if (served) {
		await(doctor, path, true, silence_ms);
		path->ways[PROGRAMS].reverse = !has_reverse(doctor, path) || leads_back(path);
	}
	up->op = ANNOUNCEMENT_DOWN;
	up->seq++;
	if (trip_publish(line, up) == -1 || !served || !trip_await(doctor, line, up->name, false))
		return false;
	await(doctor, path, false, silence_ms);
	return true;
}

/* Whether somebody gave a first answer that was wrong and, by what was seen, not for long. */
static bool is_doubtful(const struct path *path)
{
	for (unsigned kind = 0; kind < WAYS; kind++) {
		const struct way *way = &path->ways[kind];

		if (way->walked && ((way->found.wrong && way->found.ms != -1 && way->found.ms <= AT_ONCE_MS) ||
		                    (way->gone.wrong && way->gone.ms != -1 && way->gone.ms <= AT_ONCE_MS)))
			return true;
	}
	return false;
}

/* ---- who it was ---- */

struct keeper {
	char program[16]; /* "": not known */
	pid_t pid;
	struct address address; /* where he is asked */
};

static void meet(void *arg, const struct ports_listener *listener)
{
	struct keeper *keeper = arg;

	if (!listener->wildcard && !address_equal(&listener->address, &keeper->address))
		return;
	snprintf(keeper->program, sizeof keeper->program, "%s", listener->program);
	keeper->pid = listener->pid;
}

/* The first server of resolv.conf, if it is on this host. */
static bool first_server(const struct doctor *doctor, const struct resolver *resolver, struct address *out)
{
	return resolver->nservers > 0 && address_parse(resolver->servers[0], strlen(resolver->servers[0]), out) == 0 &&
	       (resolver->kind != RESOLVER_STATIC || address_equal(out, &doctor->containers));
}

/* The nearest one on that way that keeps answers. */
static void find_keeper(const struct doctor *doctor, enum way_kind kind, struct keeper *out)
{
	struct resolver resolver;

	*out = (struct keeper){.address = doctor->containers};
	resolver_find("", &resolver);
	if (kind == CONTAINERS)
		(void)ports_each(doctor->containers_port, meet, out);
	else if (access("/run/nscd/socket", F_OK) == 0)
		snprintf(out->program, sizeof out->program, "nscd");
	else if (resolver.kind == RESOLVER_RESOLVED)
		snprintf(out->program, sizeof out->program, "systemd-resolve");
	else if (first_server(doctor, &resolver, &out->address))
		(void)ports_each(53, meet, out);
}

/* ---- what it is to be told ---- */

enum trouble { DENIES, KEEPS, STALE };

/* What makes dnsmasq do that. Of those that keep "no such name" neg-ttl alone heeds the SOA that a dnsmasq of our own gives. */
static const struct {
	const char *key;
	bool causes[3];
} settings[] = {{"use-stale-cache", {true, true, true}}, {"min-cache-ttl", {true, true, false}}, {"neg-ttl", {true, false, false}}};

/* Whether it has any of them: each, and where it stands, into out. */
static bool find_settings(const struct doctor *doctor, const struct keeper *keeper, enum trouble trouble, char *out, size_t size)
{
	struct dnsmasqconf conf;
	size_t used = 0;

	if (strcmp(keeper->program, "dnsmasq") != 0 || keeper->pid == 0)
		return false;
	dnsmasqconf_of_process(&conf, keeper->pid);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		const struct dnsmasqconf_option *option = dnsmasqconf_find(&conf, settings[i].key, NULL);

		if (option == NULL || !settings[i].causes[trouble] || used >= size)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%stake out %s%s%s (%s), then restart that dnsmasq", used > 0 ? "\n" : "",
		                         option->key, option->value[0] != '\0' ? "=" : "", option->value, option->where);
		if (strcmp(option->key, "neg-ttl") == 0 && !doctor->own && used < size)
			used += (size_t)snprintf(out + used, size - used, ", or: callsign-setup --dnsmasq own");
	}
	dnsmasqconf_free(&conf);
	return used > 0;
}

static void advise(const struct doctor *doctor, const struct keeper *keeper, enum trouble trouble, char *out, size_t size)
{
	const uint8_t *bytes = doctor->containers.bytes;
	char address[ADDRESS_TEXT_SIZE], reverse[64];
	struct servers_way way = {.domain = doctor->conf->domain, .reverse = reverse, .port = doctor->conf->dnsmasq.port};

	if (find_settings(doctor, keeper, trouble, out, size))
		return;
	way.address = address_format(&doctor->server, address);
	snprintf(reverse, sizeof reverse, "%u.%u.in-addr.arpa", bytes[1], bytes[0]);
	if (servers_lines(keeper->program, &way, out, size) == NULL)
		snprintf(out, size, "docs/resolvers.md has the settings of each name server");
}

/* ---- the verdict ---- */

static const char *kept(const struct took *took, char *out, size_t size)
{
	if (took->ms == -1)
		snprintf(out, size, "longer than %d s", PATIENCE_MS / 1000);
	else
		snprintf(out, size, "%.1f s", (double)took->ms / 1000);
	return out;
}

static const char *describe(enum way_kind kind, const struct keeper *keeper, char *out, size_t size)
{
	const char *before = keeper->program[0] != '\0' ? " (" : "", *behind = before[0] != '\0' ? ")" : "";

	if (kind == CONTAINERS)
		snprintf(out, size, "whom containers ask%s%s%s", before, keeper->program, behind);
	else
		snprintf(out, size, "somebody on the way of this host's programs%s%s%s", before, keeper->program, behind);
	return out;
}

static bool is_late(const struct took *took)
{
	return took->ms == -1 || took->ms > AT_ONCE_MS;
}

/* stale: what was seen when nobody had asked for a while, or NULL. */
static void judge_way(const struct doctor *doctor, enum way_kind kind, const struct way *way, const struct way *stale,
                      struct doctor_finding *finding)
{
	const struct took *first = stale != NULL && stale->gone.wrong ? &stale->gone : stale != NULL ? &stale->found : NULL;
	char by[80], mend[DOCTOR_MEND_SIZE], time[32];
	struct keeper keeper;
	enum trouble trouble;

	if (is_late(&way->found))
		trouble = DENIES;
	else if (is_late(&way->gone))
		trouble = KEEPS;
	else if (stale != NULL && (stale->found.wrong || stale->gone.wrong))
		trouble = STALE;
	else
		return;
	find_keeper(doctor, kind, &keeper);
	describe(kind, &keeper, by, sizeof by);
	advise(doctor, &keeper, trouble, mend, sizeof mend);
	if (trouble == DENIES)
		doctor_warning(finding, mend, "%s keeps \"no such name\": a name that was asked for too early was not found for %s after it was there",
		               by, kept(&way->found, time, sizeof time));
	else if (trouble == KEEPS)
		doctor_warning(finding, mend, "%s keeps addresses: a name was found for %s after it had gone", by, kept(&way->gone, time, sizeof time));
	else
		doctor_warning(finding, mend, "%s answers from what it knew, and asks only then: the first question, %s after a name had %s, got the old "
		               "answer", by, kept(first, time, sizeof time), stale->gone.wrong ? "gone" : "come");
}

static void judge(const struct doctor *doctor, const struct path *path, const struct path *again, struct doctor_finding *finding)
{
	const struct way *programs = &path->ways[PROGRAMS], *way = programs->walked ? programs : &path->ways[CONTAINERS];
	char by[80], mend[DOCTOR_MEND_SIZE];
	struct keeper keeper;

	finding->verdict = DOCTOR_OK;
	for (unsigned kind = 0; kind < WAYS && finding->verdict == DOCTOR_OK; kind++)
		if (path->ways[kind].walked)
			judge_way(doctor, (enum way_kind)kind, &path->ways[kind], again != NULL ? &again->ways[kind] : NULL, finding);
	if (finding->verdict != DOCTOR_OK)
		return;
	if (programs->walked && !programs->reverse) {
		find_keeper(doctor, PROGRAMS, &keeper);
		advise(doctor, &keeper, DENIES, mend, sizeof mend);
		snprintf(by, sizeof by, keeper.program[0] != '\0' ? " (%s)" : "%s", keeper.program);
		doctor_warning(finding, mend, "this host's programs%s do not find the name of a container's address", by);
		return;
	}
	doctor_ok(finding, "what %s find is so now: a name asked for too early after %lld ms, none after %lld ms",
	          programs->walked ? "this host's programs" : "containers", (long long)way->found.ms, (long long)way->gone.ms);
}

/* A throw-away name comes and goes. 0; 1: it was not seen to its end; -1: no random numbers. */
static int try_path(const struct doctor *doctor, struct line *line, struct path *path, unsigned silence_ms)
{
	struct announcement up;

	if (trip_compose(doctor, &up) == -1 || hostname_join(up.name, trip_domain(doctor, up.name), path->fqdn) != HOSTNAME_OK)
		return -1;
	choose_reverse(doctor, &up);
	path->address = up.addresses[0];
	return walk(doctor, line, &up, path, silence_ms) ? 0 : 1;
}

/* Whether this host's programs come by here at all. */
static bool programs_ask(const struct doctor *doctor, const struct resolver *resolver)
{
	char server[ADDRESS_TEXT_SIZE], serial[HOSTNAME_FQDN_SIZE];

	return resolver->kind != RESOLVER_STATIC || resolver_asks(resolver, address_format(&doctor->containers, server)) ||
	       resolves(doctor_serial_name(doctor, serial));
}

void doctor_path(struct doctor *doctor, struct doctor_finding *finding)
{
	struct path path = {.fqdn = ""}, again;
	struct resolver resolver;
	struct line line;
	int result = 1;

	resolver_find("", &resolver);
	path.ways[PROGRAMS].walked = programs_ask(doctor, &resolver);
	path.ways[CONTAINERS].walked = doctor->own && doctor->containers.family != 0;
	if (!path.ways[PROGRAMS].walked && !path.ways[CONTAINERS].walked) {
		doctor_skipped(finding, "not looked at: this host's own programs ask %s", resolver_kind_text(resolver.kind));
		return;
	}
	setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
	again = path;
	if (line_open(&line, doctor->conf, doctor->endpoint) == 0 && line_replies(&line) == 0) {
		result = try_path(doctor, &line, &path, 0);
		if (result == 0 && is_doubtful(&path))
			result = try_path(doctor, &line, &again, AT_ONCE_MS);
	}
	line_close(&line);
	if (result == -1)
		doctor_broken(finding, "", "no random numbers");
	else if (result == 1)
		doctor_warning(finding, "", "not known: a throw-away name did not come and go; the round trip says more");
	else
		judge(doctor, &path, is_doubtful(&path) ? &again : NULL, finding);
}
