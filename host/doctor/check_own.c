#include <config.h>

#include "doctor.h"

#include <stdio.h>

#define ASK_MS 1500
#define AGAIN "callsign-setup, then restart dnsmasq"

/* What this host's dnsmasq says where containers ask it: the serial, if it asks ours. */
static void judge(const struct doctor *doctor, const char *where, struct doctor_finding *finding)
{
	char name[HOSTNAME_FQDN_SIZE];
	struct dnsquery_answer answer;
	enum dnsquery_result result;
	enum probe_result got = doctor_ask_at(&doctor->containers, doctor->containers_port, doctor_serial_name(doctor, name), ASK_MS, &result, &answer);

	if (got == PROBE_CLOSED_PORT)
		doctor_broken(finding, AGAIN, "this host's dnsmasq does not listen on %s port %u, where containers ask", where, doctor->containers_port);
	else if (got == PROBE_NOTHING)
		doctor_broken(finding, AGAIN, "on %s port %u, where containers ask, nobody answers for names below %s", where, doctor->containers_port,
		              doctor->conf->domain);
	else if (result != DNSQUERY_ANSWERED || answer.addresses[0] >> 24 != 127)
		doctor_broken(finding, AGAIN, "this host's dnsmasq (%s) does not ask the one for the names of containers: it has no server=/%s/%s#%u", where, doctor->conf->domain,
		              doctor->conf->dnsmasq.server, doctor->conf->dnsmasq.port);
	else
		doctor_ok(finding, "this host's dnsmasq (%s) asks the one for the names of containers", where);
}

void doctor_forwarding(struct doctor *doctor, struct doctor_finding *finding)
{
	char where[ADDRESS_TEXT_SIZE], mend[DOCTOR_MEND_SIZE];

	if (!doctor->own)
		doctor_ok(finding, "the dnsmasq that containers ask answers for their names itself");
	else if (doctor->containers.family == 0)
		doctor_broken(finding, doctor_service(mend, sizeof mend, "start", "docker"), "there is no docker0 with an IPv4 address, where containers ask");
	else
		judge(doctor, address_format(&doctor->containers, where), finding);
}
