#include <config.h>

#include "doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/command.h"

/* callsign-agent, where this host has one (docs/agent.md). */

#define AGENT_CONF "/etc/callsign/agent.conf"
#define AGENT_S 12

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; text != NULL && *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static bool is_believed(const struct policy *policy)
{
	for (size_t i = 0; i < policy->nusers; i++)
		if (policy->users[i].agent)
			return true;
	return false;
}

static void note_answer(struct doctor_finding *finding, const char *output)
{
	size_t names = count_lines(output), waiting = 0;
	const char *line = output;

	for (; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
		size_t length = strcspn(line, "\n");

		if (length == 0 || line[length] == '\0')
			break;
		waiting += length < sizeof "\tannounced" || memcmp(line + length - (sizeof "\tannounced" - 1), "\tannounced", sizeof "\tannounced" - 1) != 0;
	}
	if (waiting > 0)
		doctor_warning(finding, "callsign-agent --list says what each waits for; its log why", "%zu of the agent's %zu names are not announced",
		               waiting, names);
	else
		doctor_ok(finding, "the agent runs, and has named %zu containers", names);
}

void doctor_agent(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *const argv[] = {"callsign-agent", "--list", NULL};
	char *output = NULL, *errors = NULL, mend[256];
	int status;

	if (access(AGENT_CONF, F_OK) == -1) {
		doctor_ok(finding, "there is none on this host, so only containers that carry the emitter have names");
		return;
	}
	if (!is_believed(&doctor->conf->policy)) {
		doctor_warning(finding, "callsignd.conf: user \"callsign-agent\" { agent = true }, then reload callsignd",
		               AGENT_CONF " is there, but callsignd.conf calls no user an agent: a name whose agent dies stays until its lease ends");
		return;
	}
	if (geteuid() != 0) {
		doctor_skipped(finding, "not checked: only root may ask the agent");
		return;
	}
	status = command_run(argv, NULL, 0, &output, &errors, AGENT_S);
	if (status == 0)
		note_answer(finding, output);
	else if (status == -1 && errno == ENOENT)
		doctor_skipped(finding, "not checked: the program callsign-agent is not found on PATH");
	else
		doctor_broken(finding, doctor_service(mend, sizeof mend, "restart", "callsign-agent"), "it does not answer: %.300s",
		              errors != NULL && errors[0] != '\0' ? errors : strerror(errno));
	free(output);
	free(errors);
}
