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
#include "shared/shortage.h"

/* What the agent waits for, and who waits for it: hooks that hold their container up until its name resolves. */

#define SEARCH_AFTER_MS 1000 /* a runtime writes down what it has made once the hooks have run */
#define SEARCH_AFTER_MAX_MS 60000

void agent_wait_begin(struct agent *agent)
{
	agent->search_at_ms = agent->lost_at_ms = CLOCK_NEVER;
	backoff_init(&agent->search_backoff, SEARCH_AFTER_MS, SEARCH_AFTER_MAX_MS);
}

/* One a second at most, whoever makes hooks go. */
static void search_in(struct agent *agent, int64_t after_ms)
{
	int64_t at_ms = agent->now_ms + after_ms;

	agent->search_from_ms = agent->now_ms + SEARCH_AFTER_MS;
	agent->search_at_ms = at_ms < agent->search_at_ms ? at_ms : agent->search_at_ms;
}

void agent_search_later(struct agent *agent)
{
	search_in(agent, SEARCH_AFTER_MS);
}

bool agent_search_due(struct agent *agent)
{
	if (agent->now_ms < agent->search_at_ms)
		return false;
	agent->search_at_ms = agent->now_ms < agent->search_from_ms ? agent->search_from_ms : CLOCK_NEVER;
	return true;
}

bool agent_misses(struct agent *agent)
{
	int error = errno;

	if (!shortage_is(error))
		return false;
	if (!agent->missed)
		agent->search_delay_ms = backoff_next(&agent->search_backoff, jitter_bits());
	agent->missed = true;
	search_in(agent, SEARCH_AFTER_MS + (int64_t)agent->search_delay_ms);
	errno = error;
	return true;
}

void agent_misses_nothing(struct agent *agent)
{
	backoff_reset(&agent->search_backoff);
}

int agent_watch(struct agent *agent, int fd, void *owner, enum agent_mark mark)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(uintptr_t)owner | mark};
	int result = epoll_ctl(agent->epoll, EPOLL_CTL_ADD, fd, &event);

	/* /proc/sys/fs/epoll/max_user_watches: others' may go. Of a file ENOSPC means something else. */
	if (result == -1 && errno == ENOSPC)
		errno = ENOBUFS;
	return result;
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
