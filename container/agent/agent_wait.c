#include <config.h>

#include "agent_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <utlist.h>

#include "hookwire.h"
#include "shared/clock.h"
#include "shared/jitter.h"
#include "shortage.h"

/* What the agent waits for, and who waits for it: hooks that hold their container up until its name resolves. */

#define SEARCH_AFTER_MS 1000 /* a runtime writes down what it has made once the hooks have run */
#define SEARCH_AFTER_MAX_MS 60000

void agent_wait_begin(struct agent *agent)
{
	agent->search_at_ms = agent->lost_at_ms = CLOCK_NEVER;
	backoff_init(&agent->search_backoff, SEARCH_AFTER_MS, SEARCH_AFTER_MAX_MS);
}

/* At most once in that time, whoever makes hooks go. */
void agent_search_later(struct agent *agent)
{
	if (agent->search_at_ms == CLOCK_NEVER)
		agent->search_at_ms = agent->now_ms + SEARCH_AFTER_MS;
}

bool agent_misses(struct agent *agent)
{
	int error = errno;

	if (!shortage_is(error))
		return false;
	agent->missed = true;
	if (agent->search_at_ms == CLOCK_NEVER)
		agent->search_at_ms = agent->now_ms + SEARCH_AFTER_MS + backoff_next(&agent->search_backoff, jitter_bits());
	errno = error;
	return true;
}

void agent_misses_nothing(struct agent *agent)
{
	backoff_reset(&agent->search_backoff);
	agent->adopts = false;
}

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
