#include <config.h>

#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "system/command.h"

/*
 * Each emitter holds a message, its will, from one renewal to the next. The broker ends the channel of whoever holds one for longer than its
 * consumer_timeout, unless the queue's own argument says otherwise, which it heeds from 3.12 on; from 4.3 on classic queues have no such timeout.
 */
#define RABBITMQCTL_S    30
#define VERSION_HEEDS    BUS_VERSION(3, 12, 0)
#define RENEWAL_MS       120000 /* callsign-emit's default */
#define TIMEOUT_DEFAULT  "1800000"

static const char *const ask[] = {"rabbitmqctl", "--quiet", "eval", "application:get_env(rabbit, consumer_timeout).", NULL};

/* "{ok,30000}". INT64_MAX: there is none; -1: that is not understood. */
static int64_t timeout_of(const char *text)
{
	const char *at = text != NULL ? strstr(text, "{ok,") : NULL;
	char *end;
	int64_t ms;

	if (at == NULL)
		return text != NULL && strstr(text, "undefined") != NULL ? INT64_MAX : -1;
	at += strlen("{ok,");
	if (strncmp(at, "undefined", strlen("undefined")) == 0 || strncmp(at, "infinity", strlen("infinity")) == 0)
		return INT64_MAX;
	errno = 0;
	ms = strtoll(at, &end, 10);
	return errno == 0 && end != at && *end == '}' && ms > 0 ? ms : -1;
}

static void judge(int64_t ms, const struct bus_broker *broker, struct doctor_finding *finding)
{
	if (ms < 0)
		doctor_skipped(finding, "not checked: rabbitmqctl says nothing that is understood of consumer_timeout");
	else if (ms / 2 < RENEWAL_MS)
		doctor_warning(finding, "rabbitmqctl eval 'application:set_env(rabbit, consumer_timeout, " TIMEOUT_DEFAULT ").'\n"
		               "and consumer_timeout = " TIMEOUT_DEFAULT " in rabbitmq.conf, where it is set now",
		               "RabbitMQ %s lets nobody hold a message for longer than %" PRId64 " ms (consumer_timeout), and emitters hold one for two minutes: each "
		               "container's name is gone once for a moment, until its emitter has learned that", broker->version, ms);
	else
		doctor_ok(finding, "a message may be held for longer than emitters do");
}

void doctor_timeout(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct bus_endpoint *endpoint = &doctor->conf->bus.endpoints[doctor->endpoint];
	struct bus_broker broker = {.number = 0};
	char *text = NULL, *errors = NULL;
	struct line line;

	if (line_open(&line, doctor->conf, doctor->endpoint) == 0)
		broker = *bus_broker(line.bus);
	line_close(&line);
	if (broker.number >= VERSION_HEEDS)
		doctor_ok(finding, "RabbitMQ %s lets emitters hold their wills for as long as they like", broker.version);
	else if (!doctor_is_here(endpoint->host))
		doctor_skipped(finding, "not checked: only the broker's own machine, %s, can tell its consumer_timeout", endpoint->host);
	else if (command_run(ask, NULL, 0, &text, &errors, RABBITMQCTL_S) != 0)
		doctor_skipped(finding, "not checked: rabbitmqctl does not tell the broker's consumer_timeout");
	else
		judge(timeout_of(text), &broker, finding);
	free(text);
	free(errors);
}
