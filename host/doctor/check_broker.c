#include <config.h>

#include "doctor.h"

#include <stdio.h>
#include <string.h>

#include "line.h"

/* AMQP 0-9-1, section 1.8 (reply codes). */
enum { ACCESS_REFUSED = 403, NOT_FOUND = 404, PRECONDITION_FAILED = 406, NOT_ALLOWED = 530 };

#define DEPTH_WARNING 1000
#define SETUP "callsign-setup"

static const struct {
	const char *name, *type;
} exchanges[] = {{EXCHANGE_ANNOUNCE, "topic"}, {EXCHANGE_WILL, "topic"}, {EXCHANGE_ROLLCALL, "fanout"}};

#define EXCHANGES (sizeof exchanges / sizeof *exchanges)

static const struct bus_endpoint *endpoint_of(const struct doctor *doctor)
{
	return &doctor->conf->bus.endpoints[doctor->endpoint];
}

/* ---- from the network to the vhost ---- */

bool doctor_is_here(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

/* Of the first one in the list. A start helps where nobody listens, and nowhere else. */
static void mend_broker(const struct doctor *doctor, enum bus_failure_kind kind, char *out, size_t size)
{
	const struct bus_endpoint *endpoint = &doctor->conf->bus.endpoints[0];
	bool here = doctor_is_here(endpoint->host);

	if (kind == BUS_FAILED_LOOKUP)
		snprintf(out, size, "getent hosts %s; or its address in urls, in %s", endpoint->host, doctor->conf_path);
	else if (kind == BUS_FAILED_TLS)
		snprintf(out, size, "bus { tls { ... } } in %s, or the broker's certificate, as it says", doctor->conf_path);
	else if (kind == BUS_FAILED_BROKER)
		snprintf(out, size, "upgrade that broker, or name another one: urls in %s", doctor->conf_path);
	else if (kind == BUS_FAILED_CONNECT && here)
		doctor_service(out, size, "start", "rabbitmq-server");
	else
		snprintf(out, size, "%s%s%srabbitmq-diagnostics listeners; and see that port %u is %s", here ? "" : "on ", here ? "" : endpoint->host,
		         here ? "" : ": ", endpoint->port, kind == BUS_FAILED_CONNECT ? "open from here" : "one of amqp, or amqps, as in urls");
}

/* The first broker that answers, whatever it says to our login. */
void doctor_broker(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct busconf *bus = &doctor->conf->bus;
	char text[256], mend[DOCTOR_MEND_SIZE] = "", first[BUS_FAILURE_TEXT] = "";
	struct line line;

	for (doctor->endpoint = 0; doctor->endpoint < bus->nendpoints && !doctor->reached; doctor->endpoint++) {
		int result = line_open(&line, doctor->conf, doctor->endpoint);

		doctor->reached = result == 0 || line.failure.kind == BUS_FAILED_LOGIN;
		memset(&doctor->failure, 0, sizeof doctor->failure);
		if (result == -1)
			doctor->failure = line.failure;
		if (!doctor->reached && doctor->endpoint == 0) {
			snprintf(first, sizeof first, "%s", line.failure.text);
			mend_broker(doctor, line.failure.kind, mend, sizeof mend);
		}
		line_close(&line);
	}
	if (!doctor->reached) {
		doctor_broken(finding, mend, "%s", first);
		return;
	}
	doctor->endpoint--;
	busconf_endpoint_text(endpoint_of(doctor), text, sizeof text);
	if (doctor->endpoint > 0)
		doctor_warning(finding, mend, "%s answers; but before it: %s", text, first);
	else
		doctor_ok(finding, "%s answers", text);
}

void doctor_login(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct bus_endpoint *endpoint = endpoint_of(doctor);

	if (doctor->failure.kind == BUS_FAILED_LOGIN && doctor->failure.text[0] != '\0' && doctor->failure.code != NOT_ALLOWED)
		doctor_broken(finding, SETUP " (or rabbitmqctl change_password, and the same in the password file)", "%s", doctor->failure.text);
	else
		doctor_ok(finding, "the broker takes %s's %s", endpoint->user, endpoint->password != NULL ? "password" : "certificate");
}

void doctor_vhost(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct bus_endpoint *endpoint = endpoint_of(doctor);

	if (doctor->failure.text[0] != '\0')
		doctor_broken(finding, SETUP, "%s", doctor->failure.text);
	else
		doctor_ok(finding, "%s may enter the vhost %s", endpoint->user, endpoint->vhost);
}

/* ---- exchanges and queue ---- */

/* A refused declaration ends the connection, so each exchange has one of its own. false: finding says what is wrong. */
static bool check_exchange(const struct doctor *doctor, size_t i, struct doctor_finding *finding)
{
	char mend[DOCTOR_MEND_SIZE];
	struct line line;
	bool good = true;

	if (line_open(&line, doctor->conf, doctor->endpoint) == -1 || line_exchange(&line, exchanges[i].name, exchanges[i].type, true) == -1) {
		good = false;
		/* The daemon makes them when it connects. */
		doctor_broken(finding, doctor_service(mend, sizeof mend, "restart", "callsignd"), "%s", line.failure.text);
	} else if (line_exchange(&line, exchanges[i].name, exchanges[i].type, false) == -1 && line.failure.code == PRECONDITION_FAILED) {
		/* Passive, the broker does not look at the type. */
		good = false;
		snprintf(mend, sizeof mend, "remove the exchange %s (rabbitmqadmin delete exchange), then restart callsignd", exchanges[i].name);
		doctor_broken(finding, mend, "the exchange %s is no durable %s exchange", exchanges[i].name, exchanges[i].type);
	}
	line_close(&line);
	return good;
}

void doctor_exchanges(struct doctor *doctor, struct doctor_finding *finding)
{
	for (size_t i = 0; i < EXCHANGES; i++)
		if (!check_exchange(doctor, i, finding))
			return;
	doctor_ok(finding, "%s, %s and %s are there", exchanges[0].name, exchanges[1].name, exchanges[2].name);
}

void doctor_queue(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct conf_queue *queue = &doctor->conf->queue;
	char mend[DOCTOR_MEND_SIZE];
	struct line line;

	doctor_service(mend, sizeof mend, "restart", "callsignd");
	if (line_open(&line, doctor->conf, doctor->endpoint) == -1 || line_queue_passive(&line, queue->name) == -1) {
		/* Then nothing is known about the queue: RabbitMQ looks at rights first, and 4.3 wants the one to configure already for a passive declare. */
		if (line.failure.code == ACCESS_REFUSED)
			doctor_skipped(finding, "not looked at: %s may not ask for %s (permissions, below)", endpoint_of(doctor)->user, queue->name);
		else
			doctor_broken(finding, mend, "%s", line.failure.text);
	} else if (line.count >= queue->max_length)
		doctor_broken(finding, mend, "%s is full: %u messages wait, the oldest are being dropped", queue->name, line.count);
	else if (line.count >= DEPTH_WARNING)
		doctor_warning(finding, "callsignctl status", "%u messages wait in %s: callsignd does not keep up, or is away", line.count, queue->name);
	else
		doctor_ok(finding, "%s is there, %u message%s wait in it", queue->name, line.count, line.count == 1 ? "" : "s");
	line_close(&line);
}

/* ---- permissions ---- */

/* What the daemon does when it connects. Everything exists, so nothing changes. 0, or -1 with why. */
static int try_duties(const struct doctor *doctor, char why[BUS_FAILURE_TEXT])
{
	const char *queue = doctor->conf->queue.name;
	struct line line;
	int result = line_open(&line, doctor->conf, doctor->endpoint);

	for (size_t i = 0; i < EXCHANGES && result == 0; i++)
		result = line_exchange(&line, exchanges[i].name, exchanges[i].type, false);
	if (result == 0)
		result = line_queue_passive(&line, queue);
	if (result == 0)
		result = line_bind(&line, queue, EXCHANGE_ANNOUNCE, "lost.#");
	if (result == 0)
		result = line_bind(&line, queue, EXCHANGE_ROLLCALL, "");
	snprintf(why, BUS_FAILURE_TEXT, "%s", line.failure.text);
	line_close(&line);
	return result;
}

/* Permissions are looked at before existence, so what is refused tells them, and nothing that exists is touched. */
static bool may_declare(struct line *line)
{
	return line_queue_throwaway(line, "callsign-doctor-may-not") == 0;
}

static bool may_read(struct line *line)
{
	line_consume(line, "callsign.will.doctor-may-not");
	return line->failure.code != ACCESS_REFUSED;
}

static bool may_write(struct line *line)
{
	return line_publish(line, "amq.fanout", "", "{}", 2, false) == 0 || line->failure.code != ACCESS_REFUSED;
}

static const struct {
	const char *what;
	bool (*may)(struct line *line);
} excesses[] = {
	{"declare other queues than its own", may_declare},
	{"read containers' mailboxes", may_read},
	{"publish to other exchanges", may_write},
};

static void look_for_excess(const struct doctor *doctor, char *out, size_t size)
{
	for (size_t i = 0; i < sizeof excesses / sizeof *excesses; i++) {
		size_t length = strlen(out);
		struct line line;

		if (line_open(&line, doctor->conf, doctor->endpoint) == 0 && excesses[i].may(&line))
			snprintf(out + length, size - length, "%s%s", length > 0 ? ", " : "", excesses[i].what);
		line_close(&line);
	}
}

void doctor_permissions(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *user = endpoint_of(doctor)->user;
	char why[BUS_FAILURE_TEXT], excess[256] = "";

	if (try_duties(doctor, why) == -1) {
		doctor_broken(finding, SETUP, "%s may not do what it must: %s", user, why);
		return;
	}
	look_for_excess(doctor, excess, sizeof excess);
	if (excess[0] != '\0')
		doctor_warning(finding, SETUP, "%s may do more than it needs: %s", user, excess);
	else
		doctor_ok(finding, "%s may do what it must, and nothing else that was tried", user);
}
