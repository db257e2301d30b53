#include <config.h>

#include "doctor.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "line.h"
#include "registry/served.h"
#include "shared/clock.h"
#include "trip.h"

#define TRIP_MS 5000
#define TRIP_LEASE_S ANNOUNCEMENT_LEASE_PROVISIONAL_S /* should we die half-way */

/* What happened when, in microseconds since the start; 0: not yet. */
struct trip {
	int64_t begun_us, login_us, announced_us, resolves_us, withdrawn_us, gone_us;
};

static int64_t since(const struct trip *trip)
{
	return clock_us() - trip->begun_us;
}

/* An address that is nobody's (RFC 5737), or, if only some networks may announce, the last but one of the first of those. */
static void choose_address(const struct doctor *doctor, struct address *out)
{
	const struct policy_rule *rule = &doctor->conf->policy.rule;
	unsigned last;

	(void)address_parse("192.0.2.1", strlen("192.0.2.1"), out);
	if (rule->nsubnets == 0)
		return;
	*out = rule->subnets[0].base;
	last = out->family == 4 ? 3 : 15;
	for (unsigned bit = rule->subnets[0].length; bit < (last + 1) * 8; bit++)
		out->bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	if (rule->subnets[0].length < (last + 1) * 8)
		out->bytes[last] &= 0xfe;
}

int trip_compose(const struct doctor *doctor, struct announcement *up)
{
	char text[IDENT_TEXT_SIZE];
	struct ident random;

	memset(up, 0, sizeof *up);
	if (ident_random(&random) == -1 || ident_new(&up->instance) == -1)
		return -1;
	up->op = ANNOUNCEMENT_UP;
	snprintf(up->name, sizeof up->name, "doctor-%.12s", ident_format(&random, text));
	up->seq = 1;
	up->lease_s = TRIP_LEASE_S;
	up->naddresses = 1;
	choose_address(doctor, &up->addresses[0]);
	return 0;
}

int trip_publish(struct line *line, const struct announcement *message)
{
	char key[ANNOUNCEMENT_KEY_MAX + 1], body[ANNOUNCEMENT_BODY_MAX];
	int length = announcement_encode(message, body);

	announcement_key(message->op, message->name, key);
	return length == -1 ? -1 : line_publish(line, EXCHANGE_ANNOUNCE, key, body, (size_t)length, message->op == ANNOUNCEMENT_UP);
}

/* The first domain that takes the name of the user that we log in as. */
const char *trip_domain(const struct doctor *doctor, const char *name)
{
	const struct bus_endpoint *endpoint = &doctor->conf->bus.endpoints[0];
	int first = served_first(policy_name_domains(&doctor->conf->policy, endpoint->user != NULL ? endpoint->user : "", name));

	return doctor->conf->policy.domains[first > 0 ? first : 0].name;
}

/* Whether dnsmasq has the name: it answers with a record, or (an IPv6 address) that it has none of this type. */
static bool is_served(const struct doctor *doctor, const char *name, bool *asked)
{
	char fqdn[HOSTNAME_FQDN_SIZE];
	struct dnsquery_answer answer;
	enum dnsquery_result result;

	*asked = hostname_join(name, trip_domain(doctor, name), fqdn) == HOSTNAME_OK && doctor_ask(doctor, fqdn, 250, &result, &answer) == PROBE_ANSWER;
	return *asked && result != DNSQUERY_NO_NAME && result != DNSQUERY_REFUSED;
}

/* Until the name is (or is not) served, or the host has refused it. */
bool trip_await(const struct doctor *doctor, struct line *line, const char *name, bool served)
{
	int64_t until_ms = clock_ms() + TRIP_MS;
	bool asked;

	while (clock_ms() < until_ms && !(served && line->replied && line->reply.op == ANNOUNCEMENT_REFUSED)) {
		if (is_served(doctor, name, &asked) == served && asked)
			return true;
		line_turn(line, clock_ms() + 1);
	}
	return false;
}

static void judge_up(struct line *line, const struct announcement *up, struct doctor_finding *finding)
{
	if (line->replied && line->reply.op == ANNOUNCEMENT_REFUSED)
		doctor_warning(finding, "", "this host refuses the throw-away name %s: %s; so the way was not tried to its end", up->name,
		               line->reply.reason);
	else if (line->result == BUS_RETURNED)
		doctor_broken(finding, "restart callsignd", "the broker has no queue for announcements: no host is bound to " EXCHANGE_ANNOUNCE);
	else
		doctor_broken(finding, "callsignctl status", "%s was announced, but dnsmasq did not have it after %d s", up->name, TRIP_MS / 1000);
}

static double ms(int64_t from_us, int64_t to_us)
{
	return (double)(to_us - from_us) / 1000;
}

static void report(const struct trip *trip, const struct announcement *up, struct doctor_finding *finding)
{
	finding->steps = json_pack("{s:f, s:f, s:f, s:f, s:f}", "login_ms", ms(0, trip->login_us), "announced_ms",
	                           ms(trip->login_us, trip->announced_us), "resolves_ms", ms(trip->announced_us, trip->resolves_us),
	                           "withdrawn_ms", ms(trip->resolves_us, trip->withdrawn_us), "gone_ms", ms(trip->withdrawn_us, trip->gone_us));
	doctor_ok(finding, "%s: login %.1f ms, announced %.1f ms, resolved after %.1f ms more; withdrawn %.1f ms, gone after %.1f ms more", up->name,
	          ms(0, trip->login_us), ms(trip->login_us, trip->announced_us), ms(trip->announced_us, trip->resolves_us),
	          ms(trip->resolves_us, trip->withdrawn_us), ms(trip->withdrawn_us, trip->gone_us));
}

/* Whatever happened, the name is withdrawn before we go. */
static void make_trip(const struct doctor *doctor, struct line *line, struct trip *trip, struct announcement *up,
                      struct doctor_finding *finding)
{
	bool resolves, gone;

	if (trip_publish(line, up) == -1) {
		doctor_broken(finding, "callsign-setup", "cannot announce: %s", line->failure.text);
		return;
	}
	trip->announced_us = since(trip);
	resolves = line->result == BUS_CONFIRMED && trip_await(doctor, line, up->name, true);
	trip->resolves_us = since(trip);
	if (!resolves)
		judge_up(line, up, finding);
	up->op = ANNOUNCEMENT_DOWN;
	up->seq++;
	if (trip_publish(line, up) == -1 || !resolves)
		return;
	trip->withdrawn_us = since(trip);
	gone = trip_await(doctor, line, up->name, false);
	trip->gone_us = since(trip);
	if (gone)
		report(trip, up, finding);
	else
		doctor_broken(finding, "callsignctl status", "%s was withdrawn, but dnsmasq still had it after %d s", up->name, TRIP_MS / 1000);
}

void doctor_trip(struct doctor *doctor, struct doctor_finding *finding)
{
	struct trip trip = {.begun_us = clock_us()};
	struct announcement up;
	struct line line;

	if (trip_compose(doctor, &up) == -1) {
		doctor_broken(finding, "", "no random numbers");
		return;
	}
	doctor_broken(finding, "", "the connection was lost on the way");
	if (line_open(&line, doctor->conf, doctor->endpoint) == -1 || line_replies(&line) == -1) {
		doctor_broken(finding, "callsignctl status", "%s", line.failure.text);
	} else {
		trip.login_us = since(&trip);
		make_trip(doctor, &line, &trip, &up, finding);
	}
	line_close(&line);
}
