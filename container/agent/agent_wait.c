#include <config.h>

#include "agent_parts.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <utlist.h>

#include "hookwire.h"

/* What the agent waits for, and who waits for it: hooks that hold their container up until its name resolves. */

int agent_watch(struct agent *agent, int fd, void *owner, enum agent_mark mark)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(uintptr_t)owner | mark};

	return epoll_ctl(agent->epoll, EPOLL_CTL_ADD, fd, &event);
}

void agent_answer(struct guest *guest)
{
	static const char done = HOOKWIRE_ANSWER;

	door_answer(guest->fd, &done, 1);
	guest->end_ms = 0;
}

void agent_say(struct guest *guest, char sign, const char *text)
{
	char line[NAMING_REASON_SIZE + HOSTNAME_NAME_SIZE];

	snprintf(line, sizeof(line), "%c%s", sign, text);
	door_answer(guest->fd, line, strlen(line));
	guest->end_ms = 0;
}

void agent_resolves(struct agent *agent, const struct ward *ward)
{
	struct guest *guest;

	DL_FOREACH(agent->guests, guest) {
		if (guest->fd != -1 && guest->awaits == ward)
			agent_answer(guest);
	}
}
