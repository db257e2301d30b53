#include <config.h>

#include "agent_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "hookwire.h"
#include "jsonfile.h"
#include "process.h"
#include "shared/log.h"

#define SHOWN_SIZE 120 /* of a state: its beginning, where the id is */

/* ---- what a runtime says of a container ---- */

/*
 * The pidfd came from the runtime's side while it waited for the hook: if it is of the pid that the state names, that is the container. -1 with errno
 * (ESRCH: it is not).
 */
static int pidfd_of(struct door_message *message, pid_t pid)
{
	int pidfd = message->pidfd != -1 ? message->pidfd : process_open(pid);

	int error;
	pid_t its;

	if (pid <= 1) {
		errno = ESRCH;
		return -1;
	}
	message->pidfd = -1;
	if (pidfd == -1 || (its = process_pid(pidfd)) == pid)
		return pidfd;
	error = its == 0 ? errno : ESRCH;
	close(pidfd);
	errno = error;
	return -1;
}

static void hear_create(struct agent *agent, struct guest *guest, struct door_message *message, const json_t *state)
{
	const char *id = jsonfile_text(state, "id"), *bundle = jsonfile_text(state, "bundle");
	pid_t pid = (pid_t)jsonfile_number(state, "pid");
	int pidfd = -1;

	if (!agent_is_id(id) || bundle == NULL || bundle[0] != '/' || pid <= 1)
		log_warnx("a hook's state has no id, pid or bundle that could be one");
	else if (agent_find(agent, pid, process_start(pid)) != NULL)
		; /* the hook is there twice, by two ways in */
	else if ((pidfd = pidfd_of(message, pid)) == -1 && agent_misses(agent))
		log_warn("container %.12s has no name yet, and will be looked for: pid=%ld", id, (long)pid);
	else if (pidfd == -1)
		log_warnx("container %.12s: pid=%ld is none of it, or has ended: it has no name", id, (long)pid);
	if (pidfd == -1 || !agent_read_hooked(agent, guest, id, bundle, pid, pidfd))
		agent_answer(guest);
}

/* Behind its own end, which the pidfd has told us of; in case it has not. */
static void hear_stop(struct agent *agent, struct guest *guest, const json_t *state)
{
	const char *id = jsonfile_text(state, "id");
	struct ward *ward, *next;

	DL_FOREACH_SAFE(agent->wards, ward, next) {
		if (id != NULL && strcmp(ward->id, id) == 0 && ward->pidfd != -1 && !process_lives(ward->pidfd))
			agent_end(agent, ward);
	}
	agent_answer(guest);
}

/* ---- what people say ---- */

static bool take_name(const char *text, struct naming *out, char reason[NAMING_REASON_SIZE])
{
	enum hostname_error error = hostname_fold(text, strlen(text), out->name);

	if (error == HOSTNAME_OK && hostname_is_localhost(out->name))
		error = HOSTNAME_LOCALHOST;
	if (error != HOSTNAME_OK)
		snprintf(reason, NAMING_REASON_SIZE, "the name: %s", hostname_error_text(error));
	return error == HOSTNAME_OK;
}

/* Whoever says the name need not be asked for anything else. */
static struct ward *adopt_as(struct agent *agent, const char *name, pid_t pid, int pidfd, char reason[NAMING_REASON_SIZE])
{
	static struct naming naming;
	uint64_t start = process_start(pid);
	char id[KEEP_ID_MAX + 1];

	memset(&naming, 0, sizeof(naming));
	if (start == 0)
		snprintf(reason, NAMING_REASON_SIZE, "its process cannot be looked at: %m");
	else if (process_network(pid) == agent->network)
		snprintf(reason, NAMING_REASON_SIZE, "it is on this machine's own network");
	else if (take_name(name, &naming, reason)) {
		snprintf(id, sizeof(id), "pid-%ld", (long)pid);
		snprintf(reason, NAMING_REASON_SIZE, "see the agent's log");
		return agent_add(agent, id, pid, start, pidfd, &naming, NULL);
	}
	close(pidfd);
	return NULL;
}

static void hear_adopt(struct agent *agent, struct guest *guest, struct door_message *message, const json_t *wish)
{
	pid_t pid = (pid_t)jsonfile_number(wish, "pid");
	const char *name = jsonfile_text(wish, "name");
	char reason[NAMING_REASON_SIZE] = "";
	int pidfd = pidfd_of(message, pid);
	const struct ward *ward = pidfd != -1 ? agent_find(agent, pid, process_start(pid)) : NULL;

	if (pidfd == -1) {
		snprintf(reason, sizeof(reason), errno == ESRCH ? "there is no such process" : "its process cannot be looked at: %m");
		agent_say(guest, '-', reason);
	} else if (ward != NULL) {
		snprintf(reason, sizeof(reason), "it is called %s already", ward->singer.announcer.self.name);
		agent_say(guest, '-', reason);
		close(pidfd);
	} else if (name == NULL) {
		if (!agent_read_adopted(agent, guest, pid, pidfd))
			agent_say(guest, '-', "see the agent's log");
	} else if ((ward = adopt_as(agent, name, pid, pidfd, reason)) != NULL) {
		agent_say(guest, '+', ward->singer.announcer.self.name);
	} else {
		agent_say(guest, '-', reason);
	}
}

static size_t list_one(const struct ward *ward, char *out, size_t size)
{
	const struct announcer *announcer = &ward->singer.announcer;
	char address[ADDRESS_TEXT_SIZE] = "-";
	int length;

	if (announcer->self.naddresses > 0)
		address_format(&announcer->self.addresses[0], address);
	length = snprintf(out, size, "%s\t%s\t%ld\t%.12s\t%s\n", announcer->self.name, address, (long)ward->pid, ward->id, announcer_status(announcer));
	return length > 0 && (size_t)length < size ? (size_t)length : 0;
}

static void hear_list(const struct agent *agent, struct guest *guest)
{
	static char text[DOOR_ANSWER_SIZE];
	size_t used = 1, listed = 0;
	const struct ward *ward;

	text[0] = '+';
	DL_FOREACH(agent->wards, ward) {
		size_t length = list_one(ward, text + used, sizeof(text) - used - 64);

		if (length == 0)
			break;
		used += length;
		listed++;
	}
	if (listed < agent->nwards)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "... and %zu more\n", agent->nwards - listed);
	door_answer(guest->fd, text, used);
	guest->end_ms = 0;
}

void agent_hear(struct agent *agent, struct guest *guest, struct door_message *message)
{
	char shown[SHOWN_SIZE];
	json_t *said = json_loadb(message->text, message->length, JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES, NULL);

	if (message->kind == HOOKWIRE_LIST)
		hear_list(agent, guest);
	else if (!json_is_object(said))
		log_warnx("a hook's state is not understood, and its container has no name: %zu bytes, %s", message->length,
		          log_safe(shown, sizeof(shown), message->text, message->length));
	else if (message->kind == HOOKWIRE_CREATE)
		hear_create(agent, guest, message, said);
	else if (message->kind == HOOKWIRE_STOP)
		hear_stop(agent, guest, said);
	else if (message->kind == HOOKWIRE_ADOPT)
		hear_adopt(agent, guest, message, said);
	if (!json_is_object(said) && message->kind != HOOKWIRE_LIST)
		agent_answer(guest);
	if (message->pidfd != -1)
		close(message->pidfd);
	json_decref(said);
}
