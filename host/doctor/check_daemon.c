#include <config.h>

#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/log.h"
#include "sinks/sections.h"

/* ---- configuration ---- */

/* The first mistake that was found, and how many there are. conf_load() says them through the log. */
static char mistake[DOCTOR_WHAT_SIZE];
static unsigned mistakes;

static bool capture_send(int priority, const char *line, size_t length)
{
	(void)priority;
	while (length > 0 && line[length - 1] == '\n')
		length--;
	if (mistakes++ == 0)
		snprintf(mistake, sizeof mistake, "%.*s", (int)length, line);
	return true;
}

static const struct log_target capture = {.send = capture_send};

void doctor_configuration(struct doctor *doctor, struct doctor_finding *finding)
{
	char mend[DOCTOR_MEND_SIZE], names[1024];

	mistakes = 0;
	log_open(&capture, "callsignctl", LOG_LEVEL_WARNING);
	doctor->conf = conf_load(doctor->conf_path, sinks_sections);
	log_open(&log_to_stderr, "callsignctl", LOG_LEVEL_ERROR);
	if (doctor->conf == NULL && access(doctor->conf_path, R_OK) == -1 && errno == EACCES) {
		doctor_broken(finding, "sudo callsignctl doctor", "%s: only root and its group may read it", doctor->conf_path);
		return;
	}
	if (doctor->conf == NULL && access(doctor->conf_path, F_OK) == -1 && errno == ENOENT) {
		doctor_broken(finding, "callsign-setup", "%s: there is no such file: nothing is set up yet", doctor->conf_path);
		return;
	}
	if (doctor->conf == NULL) {
		snprintf(mend, sizeof mend, "callsignd -c %s --check-config", doctor->conf_path);
		if (mistakes > 1)
			doctor_broken(finding, mend, "%s (and %u more)", mistake, mistakes - 1);
		else
			doctor_broken(finding, mend, "%s", mistakes > 0 ? mistake : "it cannot be read");
		return;
	}
	doctor_ok(finding, "%s: %s %s, this host is %s", doctor->conf_path, doctor->conf->policy.ndomains > 1 ? "domains" : "domain",
	          doctor_domains(doctor, names, sizeof names), doctor->conf->hostname);
}

/* ---- daemon ---- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval timeout = {.tv_sec = 3};
	int fd;

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One request, one line back (docs/control.md). NULL with errno; EPROTO: that is not what it should be. */
static json_t *ask_status(const char *path)
{
	static const char request[] = "{\"op\":\"status\"}\n";
	json_t *answer = NULL, *status;
	int fd = connect_to(path);
	FILE *stream = fd != -1 ? fdopen(fd, "r") : NULL;

	if (stream == NULL)
		return NULL;
	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1)
		answer = json_loadf(stream, JSON_DISABLE_EOF_CHECK, NULL);
	fclose(stream);
	status = json_incref(json_object_get(answer, "status"));
	json_decref(answer);
	if (status == NULL)
		errno = EPROTO;
	return status;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

/* ---- sinks ---- */

/* dnsmasq has checks of its own. The first of the others that is in trouble, a required one before others, for those hold up everything. NULL: none is. */
static const json_t *find_trouble(const json_t *sinks)
{
	const json_t *found = NULL;

	for (size_t i = json_array_size(sinks); i-- > 0;) {
		const json_t *sink = json_array_get(sinks, i);
		bool required = json_is_true(json_object_get(sink, "required"));

		if (strcmp(text_of(sink, "name"), "dnsmasq") == 0 || text_of(sink, "trouble")[0] == '\0')
			continue;
		if (found == NULL || required || !json_is_true(json_object_get(found, "required")))
			found = sink;
	}
	return found;
}

void doctor_sinks(struct doctor *doctor, struct doctor_finding *finding)
{
	const json_t *sinks = json_object_get(doctor->status, "sinks"), *sink = find_trouble(sinks);
	char name[DOCTOR_WHAT_SIZE / 4], safe[DOCTOR_WHAT_SIZE / 2];
	const char *trouble, *text;

	if (sink == NULL) {
		doctor_ok(finding, "%zu besides dnsmasq, all well", json_array_size(sinks) > 0 ? json_array_size(sinks) - 1 : 0);
		return;
	}
	trouble = text_of(sink, "trouble");
	text = text_of(sink, "name");
	log_phrase(name, sizeof name, text, strlen(text));
	log_phrase(safe, sizeof safe, trouble, strlen(trouble));
	if (json_is_true(json_object_get(sink, "required")))
		doctor_warning(finding, "callsignctl status", "%s, which is required, so that nothing is acknowledged: %s", name, safe);
	else
		doctor_warning(finding, "callsignctl status", "%s: %s", name, safe);
}

/* ---- verdict on the daemon ---- */

static void judge_status(const json_t *status, struct doctor_finding *finding)
{
	const json_t *broker = json_object_get(status, "broker"), *warnings = json_object_get(status, "warnings");
	const char *first = json_string_value(json_array_get(warnings, 0));
	char safe[DOCTOR_WHAT_SIZE / 2];

	if (strcmp(text_of(broker, "state"), "connected") != 0) {
		const char *trouble = text_of(broker, "trouble");

		/* Whose fault that is is for the checks of the broker to say; if they find none, this stands. */
		doctor_warning(finding, "callsignctl status", "callsignd runs, but is not connected to the broker: %s",
		               log_phrase(safe, sizeof safe, trouble, strlen(trouble)));
	} else if (first != NULL) {
		doctor_warning(finding, "callsignctl status", "callsignd is degraded: %s", log_phrase(safe, sizeof safe, first, strlen(first)));
	} else {
		doctor_ok(finding, "callsignd %s runs and is connected to the broker", text_of(status, "version"));
	}
}

void doctor_daemon(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *path = doctor->socket != NULL ? doctor->socket : doctor->conf->control.socket;
	char start[DOCTOR_MEND_SIZE];

	doctor->status = ask_status(path);
	if (doctor->status != NULL) {
		judge_status(doctor->status, finding);
		return;
	}
	doctor_service(start, sizeof start, "start", "callsignd");
	if (errno == ENOENT || errno == ECONNREFUSED)
		doctor_broken(finding, start, "callsignd does not run (nobody listens on %s)", path);
	else if (errno == EACCES)
		doctor_broken(finding, "sudo callsignctl doctor", "%s: only root and the group %s may connect", path, doctor->conf->control.group);
	else
		doctor_broken(finding, doctor_service(start, sizeof start, "restart", "callsignd"), "%s: callsignd does not answer: %s", path,
		              strerror(errno));
}
