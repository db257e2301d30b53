#include <config.h>

#include "agent_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "process.h"
#include "shared/clock.h"
#include "shared/log.h"

#define LOST_TRIES_MAX 16

static int64_t boottime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- choruses ---- */

static void take_resolves(void *arg, struct singer *singer)
{
	agent_resolves(arg, singer->owner);
}

static void take_renewed(void *arg, struct singer *singer)
{
	const struct agent *agent = arg;

	ward_keep(singer->owner, agent->folder);
}

static struct chorus *new_chorus(struct agent *agent)
{
	const struct chorus_options options = {.bus = &agent->conf->bus, .host = agent->conf->host, .ask = agent->conf->wait};
	const struct chorus_watcher watcher = {.resolves = take_resolves, .renewed = take_renewed, .arg = agent};
	struct chorus **larger = reallocarray(agent->choruses, agent->nchoruses + 1, sizeof(*larger));
	struct chorus *chorus;

	if (larger == NULL)
		return NULL;
	agent->choruses = larger;
	chorus = chorus_new(&options, &watcher, agent->now_ms);
	if (chorus != NULL)
		agent->choruses[agent->nchoruses++] = chorus;
	return chorus;
}

int agent_connect(struct agent *agent)
{
	return new_chorus(agent) != NULL ? 0 : -1;
}

/* Past CHORUS_SINGERS_MAX names there is another connection, long before anything of one could be too small. */
static int join(struct agent *agent, struct ward *ward)
{
	struct chorus *chorus = NULL;

	for (size_t i = 0; i < agent->nchoruses && chorus == NULL; i++) {
		if (chorus_count(agent->choruses[i]) < CHORUS_SINGERS_MAX)
			chorus = agent->choruses[i];
	}
	if (chorus == NULL)
		chorus = new_chorus(agent);
	return chorus != NULL ? chorus_join(chorus, &ward->singer, agent->now_ms) : -1;
}

/* ---- one container ---- */

static void link_ward(struct agent *agent, struct ward *ward)
{
	DL_APPEND(agent->wards, ward);
	agent->nwards++;
}

/*
 * Said in so many words: closing a descriptor takes it out of an epoll set only if nobody else has the same one, and the hook from which a pidfd came
 * still has it. The set would go on telling of it, and of a ward that is gone.
 */
static void unwatch_ward(const struct agent *agent, const struct ward *ward)
{
	if (ward->pidfd != -1)
		epoll_ctl(agent->epoll, EPOLL_CTL_DEL, ward->pidfd, NULL);
	if (ward->watch != NULL)
		epoll_ctl(agent->epoll, EPOLL_CTL_DEL, addrwatch_fd(ward->watch), NULL);
}

static void unlink_ward(struct agent *agent, struct ward *ward)
{
	unwatch_ward(agent, ward);
	DL_DELETE(agent->wards, ward);
	agent->nwards--;
	ward_free(ward);
}

struct ward *agent_find(const struct agent *agent, pid_t pid, uint64_t start)
{
	struct ward *ward;

	DL_FOREACH(agent->wards, ward) {
		if (ward->pid == pid && ward->start == start && ward->pidfd != -1)
			return ward;
	}
	return NULL;
}

static void look(struct agent *agent, struct ward *ward)
{
	struct address addresses[ANNOUNCEMENT_ADDRESSES_MAX];
	unsigned count = ward_addresses(ward, &agent->conf->wish, addresses);

	chorus_addresses(&ward->singer, addresses, count, agent->now_ms);
}

/* An announcement that grew too long once it has all its addresses could not be sent: better said now. */
static bool fits(const struct naming *naming)
{
	static struct announcement largest;
	static char body[ANNOUNCEMENT_BODY_MAX];

	memset(&largest, 0, sizeof(largest));
	largest.op = ANNOUNCEMENT_UP;
	memcpy(largest.name, naming->name, sizeof(largest.name));
	memcpy(largest.aliases, naming->aliases, sizeof(largest.aliases));
	largest.naliases = naming->naliases;
	memcpy(largest.ports, naming->ports, sizeof(largest.ports));
	largest.nports = naming->nports;
	largest.has_session = true;
	largest.seq = ANNOUNCEMENT_SEQ_MAX;
	largest.lease_s = ANNOUNCEMENT_LEASE_MAX_S;
	largest.naddresses = ANNOUNCEMENT_ADDRESSES_MAX;
	for (unsigned i = 0; i < ANNOUNCEMENT_ADDRESSES_MAX; i++) {
		largest.addresses[i].family = 6;
		memset(largest.addresses[i].bytes, 0xfd, sizeof(largest.addresses[i].bytes));
		largest.addresses[i].bytes[15] = (uint8_t)i;
	}
	return announcement_encode(&largest, body) != -1;
}

/* After a step of its addrwatch, which may have another socket, and another deadline; before: what it had. */
static void watch_network(struct agent *agent, struct ward *ward, int before)
{
	int fd = addrwatch_fd(ward->watch);
	int64_t due_ms;

	if (fd != -1 && fd != before && agent_watch(agent, fd, ward, MARK_NETWORK) == -1) {
		log_warn("name=%s: its network cannot be watched, which is tried again", ward->singer.announcer.self.name);
		addrwatch_lose(ward->watch, agent->now_ms);
	}
	due_ms = addrwatch_deadline_ms(ward->watch);
	agent->lost_at_ms = due_ms < agent->lost_at_ms ? due_ms : agent->lost_at_ms;
}

static void follow(struct agent *agent, struct ward *ward, bool readable)
{
	int before = addrwatch_fd(ward->watch);
	bool changed = ward_follow(ward, readable, agent->now_ms);

	watch_network(agent, ward, before);
	if (changed)
		look(agent, ward);
}

void agent_follow(struct agent *agent, struct ward *ward)
{
	if (ward->watch != NULL)
		follow(agent, ward, true);
}

/* A few at a time: each takes a thread, and whatever all of them lack may be lacking still, while others have news. */
void agent_follow_lost(struct agent *agent)
{
	unsigned tries = 0;
	struct ward *ward;

	if (agent->now_ms < agent->lost_at_ms)
		return;
	agent->lost_at_ms = CLOCK_NEVER;
	DL_FOREACH(agent->wards, ward) {
		int64_t due_ms = addrwatch_deadline_ms(ward->watch);

		if (due_ms <= agent->now_ms && tries++ < LOST_TRIES_MAX)
			follow(agent, ward, false);
		else if (due_ms < agent->lost_at_ms)
			agent->lost_at_ms = due_ms;
	}
}

static int watch_ward(struct agent *agent, struct ward *ward)
{
	if (agent_watch(agent, ward->pidfd, ward, MARK_END) == -1)
		return -1;
	watch_network(agent, ward, -1);
	return 0;
}

static void log_missed(struct agent *agent, const char *name, pid_t pid)
{
	if (agent_misses(agent))
		log_warn("name=%s pid=%ld: it has no name yet, and will be looked for", name, (long)pid);
	else
		log_warn("name=%s pid=%ld: it has no name", name, (long)pid);
}

struct ward *agent_add(struct agent *agent, const char *id, pid_t pid, uint64_t start, int pidfd, const struct naming *naming,
                       const struct keep_entry *entry)
{
	struct ward *ward = NULL;

	if (!fits(naming))
		log_warnx("name=%s: name, aliases and ports do not fit into one message: it has no name", naming->name);
	else if ((ward = ward_new(id, pid, start, pidfd, naming, agent->conf->renew_s, agent->now_ms)) == NULL)
		log_missed(agent, naming->name, pid);
	if (ward == NULL) {
		close(pidfd);
		return NULL;
	}
	if (entry != NULL)
		ward_resume(ward, entry, boottime_ms());
	link_ward(agent, ward);
	if (watch_ward(agent, ward) == -1 || join(agent, ward) == -1) {
		log_missed(agent, naming->name, pid);
		unlink_ward(agent, ward);
		return NULL;
	}
	ward->singer.asks = agent->conf->wait;
	look(agent, ward);
	if (entry == NULL)
		ward_keep(ward, agent->folder);
	return ward;
}

void agent_end(struct agent *agent, struct ward *ward)
{
	if (ward->pidfd == -1)
		return;
	log_debug("ended name=%s pid=%ld", ward->singer.announcer.self.name, (long)ward->pid);
	/* First the word: the kernel takes its time over a network namespace's last socket. */
	agent->nleaving++;
	chorus_withdraw(&ward->singer, agent->now_ms);
	unwatch_ward(agent, ward);
	ward_close(ward);
}

void agent_sweep(struct agent *agent)
{
	struct ward *ward, *next;

	if (agent->nleaving == 0)
		return;
	DL_FOREACH_SAFE(agent->wards, ward, next) {
		if (ward->pidfd != -1 || !singer_ended(&ward->singer))
			continue;
		agent->nleaving--;
		ward_forget(ward, agent->folder);
		unlink_ward(agent, ward);
	}
}

/* ---- what was there before us ---- */

/* It lives if the process of that number is the one that started then: else, ESRCH, it has died while nobody watched. Otherwise it is not known. */
static int open_kept(const struct keep_entry *entry)
{
	int pidfd = process_open(entry->pid), error = ESRCH;
	uint64_t start;

	if (pidfd == -1)
		return -1;
	start = process_start(entry->pid);
	if (start == 0)
		error = errno;
	if (process_lives(pidfd)) {
		if (start == entry->start)
			return pidfd;
	} else {
		error = ESRCH;
	}
	close(pidfd);
	errno = error;
	return -1;
}

static void bury(struct agent *agent, const struct keep_entry *entry)
{
	struct ward *ward = ward_dead(entry, agent->conf->renew_s);

	if (ward == NULL)
		return;
	ward_resume(ward, entry, boottime_ms());
	link_ward(agent, ward);
	agent->nleaving++;
	if (join(agent, ward) == -1) {
		agent->nleaving--;
		unlink_ward(agent, ward);
		return;
	}
	chorus_withdraw(&ward->singer, agent->now_ms);
}

static bool has_instance(const struct agent *agent, const struct ident *instance)
{
	const struct ward *ward;

	DL_FOREACH(agent->wards, ward) {
		if (ident_equal(&ward->singer.announcer.self.instance, instance))
			return true;
	}
	return false;
}

static void take_kept(void *arg, const struct keep_entry *entry)
{
	struct agent *agent = arg;
	int pidfd;

	if (agent->took_over && has_instance(agent, &entry->instance))
		return; /* by the time before */
	pidfd = open_kept(entry);
	if (pidfd == -1 && errno != ESRCH) {
		log_warn("name=%s pid=%ld: whether it lives cannot be told yet", entry->naming.name, (long)entry->pid);
		agent->kept_missed |= agent_misses(agent);
		return;
	}
	/* A search has found it meanwhile, and it was named anew: one instance is enough. */
	if (pidfd != -1 && agent_find(agent, entry->pid, entry->start) != NULL) {
		close(pidfd);
		pidfd = -1;
	}
	log_debug("from the agent before: name=%s pid=%ld %s", entry->naming.name, (long)entry->pid, pidfd != -1 ? "lives" : "has ended");
	if (pidfd == -1)
		bury(agent, entry);
	else
		agent_add(agent, entry->id, entry->pid, entry->start, pidfd, &entry->naming, entry);
}

void agent_take_over(struct agent *agent)
{
	size_t nwards = agent->nwards, nleaving = agent->nleaving;

	agent->kept_missed = false;
	if (keep_each(agent->folder, take_kept, agent) == -1)
		agent->kept_missed |= agent_misses(agent);
	agent->took_over = true;
	nwards = agent->nwards - nwards;
	nleaving = agent->nleaving - nleaving;
	if (nwards > 0)
		log_info("taken over from the agent before: %zu that live, %zu that have ended", nwards - nleaving, nleaving);
}
