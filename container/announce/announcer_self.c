#include <config.h>

#include "announcer.h"

#include <stdio.h>
#include <string.h>

/* What an announcer says of itself: in messages, and to people. */

void announcer_set_ports(struct announcer *a, const struct announcement_port *ports, unsigned nports)
{
	memcpy(a->self.ports, ports, nports * sizeof(*ports));
	a->self.nports = nports;
}

void announcer_set_place(struct announcer *a, const struct place *place)
{
	a->self.place = *place;
}

void announcer_set_agent(struct announcer *a, const char *agent)
{
	snprintf(a->self.agent, sizeof(a->self.agent), "%s", agent);
}

uint32_t announcer_lease_s(const struct announcer *a)
{
	uint32_t lease_s = 3 * a->renew_s;

	return lease_s > ANNOUNCEMENT_LEASE_MIN_S ? lease_s : ANNOUNCEMENT_LEASE_MIN_S;
}

void announcer_compose(const struct announcer *a, const struct announcer_action *action, struct announcement *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->name, a->self.name, sizeof(out->name));
	out->instance = a->self.instance;
	out->has_session = true;
	out->session = a->self.session;
	out->naddresses = a->self.naddresses;
	memcpy(out->addresses, a->self.addresses, sizeof(out->addresses));
	out->naliases = a->self.naliases;
	if (a->self.naliases > 0)
		memcpy(out->aliases, a->self.aliases, a->self.naliases * sizeof(*a->self.aliases));
	out->nports = a->self.nports;
	memcpy(out->ports, a->self.ports, sizeof(out->ports));
	out->place = a->self.place;
	memcpy(out->agent, a->self.agent, sizeof(out->agent));
	out->seq = action->seq;
	switch (action->message) {
	case MESSAGE_PROVISIONAL:
		out->op = ANNOUNCEMENT_UP;
		out->lease_s = ANNOUNCEMENT_LEASE_PROVISIONAL_S;
		break;
	case MESSAGE_UP:
		out->op = ANNOUNCEMENT_UP;
		out->lease_s = announcer_lease_s(a);
		break;
	case MESSAGE_WILL:
		out->op = ANNOUNCEMENT_LOST;
		break;
	case MESSAGE_DOWN:
		out->op = ANNOUNCEMENT_DOWN;
		if (a->withheld != NULL && !a->withdrawing)
			snprintf(out->reason, sizeof(out->reason), "%s", a->withheld);
		break;
	}
}

bool announcer_is_announced(const struct announcer *a)
{
	return a->announced;
}

const char *announcer_status(const struct announcer *a)
{
	if (a->withdrawing)
		return "withdrawing";
	if (a->announced)
		return "announced";
	if (a->blocked)
		return "held up by an alarm of the broker";
	if (a->unheard)
		return "no host listens";
	if (a->refused)
		return "the broker refuses announcements";
	if (a->state == ANNOUNCER_OFFLINE)
		return "not connected to a broker";
	if (a->withheld != NULL)
		return "not ready";
	if (a->self.naddresses == 0)
		return "no usable address";
	return "announcing";
}
