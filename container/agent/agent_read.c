#include <config.h>

#include "agent_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "engines.h"
#include "process.h"
#include "shared/log.h"
#include "shared/shortage.h"

/* runc and crun allow these in an id; it becomes part of log lines, and of a path of Docker's. */
bool agent_is_id(const char *text)
{
	size_t length = text != NULL ? strlen(text) : 0;

	if (length == 0 || length > KEEP_ID_MAX)
		return false;
	for (; *text != '\0'; text++) {
		if (!isalnum((unsigned char)*text) && strchr("_+-.", *text) == NULL)
			return false;
	}
	return true;
}

/* ---- the roots of runtimes, as a thread may have them: a configuration that is read anew takes its own away ---- */

static void free_roots(struct agentconf_list *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		free(roots->texts[i]);
	free(roots->texts);
}

static bool copy_roots(const struct agentconf_list *from, struct agentconf_list *out)
{
	out->count = 0;
	out->texts = calloc(from->count + 1, sizeof(*out->texts));
	while (out->texts != NULL && out->count < from->count && (out->texts[out->count] = strdup(from->texts[out->count])) != NULL)
		out->count++;
	if (out->texts != NULL && out->count == from->count)
		return true;
	free_roots(out);
	*out = (struct agentconf_list){NULL, 0};
	return false;
}

/* ---- one container ---- */

enum reading_for { FOR_HOOK, FOR_ADOPTION, FOR_SEARCH };

/* The thread has path, roots and bundle; all else is the loop's. */
struct reading {
	struct reading *prev, *next;
	struct agent *agent;
	struct guest *guest; /* NULL: nobody, or gone by now */
	enum reading_for purpose;
	uint64_t search; /* its number */
	bool only_hooked;
	pid_t pid;
	int pidfd;
	struct agentconf_list roots; /* where path is looked for, if it is NULL */
	char id[KEEP_ID_MAX + 1];
	char *path;
	struct bundle bundle;
	bool is_read;
	int error; /* of what was lacking to read it; 0: nothing was */
};

static void free_reading(struct reading *reading)
{
	if (reading->pidfd != -1)
		close(reading->pidfd);
	bundle_clear(&reading->bundle);
	free_roots(&reading->roots);
	free(reading->path);
	free(reading);
}

static void compare_pid(void *arg, const struct engines_container *container)
{
	struct reading *reading = arg;

	if (container->pid != reading->pid || reading->path != NULL || !agent_is_id(container->id))
		return;
	snprintf(reading->id, sizeof(reading->id), "%s", container->id);
	reading->path = strdup(container->bundle);
}

static void read_aside(void *arg)
{
	struct reading *reading = arg;

	if (reading->path == NULL && engines_each(reading->roots.texts, reading->roots.count, compare_pid, reading) == -1 && reading->path == NULL)
		reading->error = errno;
	if (reading->path == NULL)
		return;
	reading->is_read = bundle_read(reading->path, reading->id, &reading->bundle) == 0;
	if (!reading->is_read && shortage_is(errno))
		reading->error = errno;
}

static void log_unnamed(const char *id, enum naming_verdict verdict, const char *reason)
{
	char shown[LOG_SAFE_MAX];

	if (verdict == NAMING_WRONG)
		log_warnx("container %.12s has no name: %s", log_safe(shown, sizeof(shown), id, strlen(id)), reason);
	else
		log_debug("container %.12s has no name: %s", log_safe(shown, sizeof(shown), id, strlen(id)), reason);
}

/* The container is looked for again, but for who was asked for by somebody who can ask again. */
static enum naming_verdict lacking(const struct reading *reading, int error, char reason[NAMING_REASON_SIZE])
{
	errno = error;
	snprintf(reason, NAMING_REASON_SIZE, "it cannot be looked at for now: %m");
	errno = error;
	if (reading->purpose != FOR_ADOPTION && agent_misses(reading->agent))
		reading->agent->adopts |= reading->purpose == FOR_SEARCH && !reading->only_hooked;
	return NAMING_WRONG;
}

static enum naming_verdict decide(const struct reading *reading, struct naming *naming, char reason[NAMING_REASON_SIZE])
{
	const struct naming_rules rules = agentconf_rules(reading->agent->conf);

	if (reading->error != 0)
		return lacking(reading, reading->error, reason);
	if (!reading->is_read) {
		snprintf(reason, NAMING_REASON_SIZE, "its config.json cannot be read");
		return NAMING_WRONG;
	}
	if (reading->only_hooked && !bundle_has_hook(&reading->bundle)) {
		snprintf(reason, NAMING_REASON_SIZE, "it has no hook of ours");
		return NAMING_NONE;
	}
	if (process_network(reading->pid) == reading->agent->network) {
		snprintf(reason, NAMING_REASON_SIZE, "it is on this machine's own network");
		return NAMING_NONE;
	}
	return naming_decide(&rules, &reading->bundle.facts, naming, reason);
}

/* What all that was asked of a process by its number counts for: whether it was this one to the end. */
static enum naming_verdict check(const struct reading *reading, uint64_t start, int start_error, enum naming_verdict verdict, char reason[NAMING_REASON_SIZE])
{
	if (verdict != NAMING_NAMED)
		return verdict;
	if (start == 0 && shortage_is(start_error))
		return lacking(reading, start_error, reason);
	if (start == 0 || !process_lives(reading->pidfd)) {
		snprintf(reason, NAMING_REASON_SIZE, "its process has ended");
		return NAMING_NONE;
	}
	if (agent_find(reading->agent, reading->pid, start) != NULL) {
		snprintf(reason, NAMING_REASON_SIZE, "it has one by now");
		return NAMING_NONE;
	}
	return NAMING_NAMED;
}

/* The ward; or NULL, and the reason. */
static struct ward *name(struct reading *reading, char reason[NAMING_REASON_SIZE])
{
	uint64_t start = process_start(reading->pid);
	int error = errno;
	static struct naming naming;
	struct ward *ward;
	enum naming_verdict verdict = check(reading, start, error, decide(reading, &naming, reason), reason);

	if (verdict != NAMING_NAMED) {
		log_unnamed(reading->id, verdict, reason);
		return NULL;
	}
	if (reason[0] != '\0')
		log_warnx("name=%s: %s", naming.name, reason);
	ward = agent_add(reading->agent, reading->id, reading->pid, start, reading->pidfd, &naming, NULL);
	reading->pidfd = -1;
	snprintf(reason, NAMING_REASON_SIZE, "see the agent's log");
	return ward;
}

static void answer(struct reading *reading, struct ward *ward, const char *reason)
{
	struct guest *guest = reading->guest;

	if (guest == NULL)
		return;
	guest->reading = NULL;
	if (reading->purpose == FOR_ADOPTION)
		agent_say(guest, ward != NULL ? '+' : '-', ward != NULL ? ward->singer.announcer.self.name : reason);
	else if (ward != NULL && reading->agent->conf->wait && ward->singer.announcer.self.naddresses > 0)
		guest->awaits = ward; /* the hook itself knows how long */
	else
		agent_answer(guest);
}

static void count_found(struct agent *agent, uint64_t search, bool found)
{
	if (search != agent->search_number)
		return; /* its files took so long that another one has begun */
	agent->nfound += found;
	if (--agent->nsought > 0)
		return;
	if (!agent->missed)
		agent_misses_nothing(agent);
	if (agent->nfound == 0)
		return;
	log_info("found %zu containers of which no hook has told", agent->nfound);
	agent->nfound = 0;
}

static void take_reading(void *arg)
{
	struct reading *reading = arg;
	struct agent *agent = reading->agent;
	char reason[NAMING_REASON_SIZE] = "";
	struct ward *ward = NULL;

	DL_DELETE(agent->readings, reading);
	if (reading->path == NULL && reading->error != 0)
		(void)lacking(reading, reading->error, reason);
	else if (reading->path == NULL)
		snprintf(reason, sizeof(reason), "no runtime below roots knows it: say what it is called with --name");
	else
		ward = name(reading, reason);
	answer(reading, ward, reason);
	if (reading->purpose == FOR_SEARCH)
		count_found(agent, reading->search, ward != NULL);
	agent->crowded &= errands_waiting(agent->errands) > 0;
	free_reading(reading);
}

static bool begin(struct reading *reading)
{
	struct agent *agent = reading->agent;

	if (!errands_start(agent->errands, read_aside, take_reading, reading)) {
		log_warn("container %.12s has no name: its files cannot be read", reading->id);
		(void)agent_misses(agent);
		free_reading(reading);
		return false;
	}
	DL_APPEND(agent->readings, reading);
	if (reading->guest != NULL)
		reading->guest->reading = reading;
	if (!agent->crowded && errands_waiting(agent->errands) > 0)
		log_warnx("the files of %zu containers are being read, and none has been: further ones wait. Does a file system not answer?",
		          errands_out(agent->errands));
	agent->crowded = errands_waiting(agent->errands) > 0;
	return true;
}

/* pidfd is taken over also if there is none. */
static struct reading *new_reading(struct agent *agent, enum reading_for purpose, pid_t pid, int pidfd)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	if (reading == NULL) {
		log_warn("pid=%ld: it has no name", (long)pid);
		(void)agent_misses(agent);
		close(pidfd);
		return NULL;
	}
	reading->agent = agent;
	reading->purpose = purpose;
	reading->pid = pid;
	reading->pidfd = pidfd;
	return reading;
}

static bool begin_bundle(struct reading *reading, const char *id, const char *bundle)
{
	snprintf(reading->id, sizeof(reading->id), "%s", id);
	reading->path = strdup(bundle);
	if (reading->path != NULL)
		return begin(reading);
	log_warn("container %.12s has no name", id);
	(void)agent_misses(reading->agent);
	free_reading(reading);
	return false;
}

bool agent_read_hooked(struct agent *agent, struct guest *guest, const char *id, const char *bundle, pid_t pid, int pidfd)
{
	struct reading *reading = new_reading(agent, FOR_HOOK, pid, pidfd);

	if (reading == NULL)
		return false;
	reading->guest = guest;
	return begin_bundle(reading, id, bundle);
}

bool agent_read_adopted(struct agent *agent, struct guest *guest, pid_t pid, int pidfd)
{
	struct reading *reading = new_reading(agent, FOR_ADOPTION, pid, pidfd);

	if (reading == NULL)
		return false;
	reading->guest = guest;
	if (copy_roots(&agent->conf->roots, &reading->roots))
		return begin(reading);
	log_warn("pid=%ld: it has no name", (long)pid);
	free_reading(reading);
	return false;
}

void agent_read_leave(struct guest *guest)
{
	if (guest->reading == NULL)
		return;
	log_warnx("container %.12s has no name yet: its files are not read in time", guest->reading->id);
	guest->reading->guest = NULL;
	guest->reading = NULL;
}

/* ---- all containers ---- */

struct found {
	struct found *next;
	pid_t pid;
	uint64_t start;
	char id[KEEP_ID_MAX + 1];
	char bundle[]; /* terminated */
};

/* The thread has roots and found. */
struct search {
	struct agent *agent;
	bool all;
	struct agentconf_list roots;
	struct found *found;
	int error; /* of what was lacking to see all of them; 0: nothing was */
};

static void note_found(void *arg, const struct engines_container *container)
{
	struct search *search = arg;
	size_t size = strlen(container->bundle) + 1;
	struct found *found = agent_is_id(container->id) ? malloc(sizeof(*found) + size) : NULL;

	if (found == NULL) {
		search->error = agent_is_id(container->id) ? ENOMEM : search->error;
		return;
	}
	found->pid = container->pid;
	found->start = container->start;
	memcpy(found->id, container->id, strlen(container->id) + 1);
	memcpy(found->bundle, container->bundle, size);
	LL_PREPEND(search->found, found);
}

static void search_aside(void *arg)
{
	struct search *search = arg;

	if (engines_each(search->roots.texts, search->roots.count, note_found, search) == -1)
		search->error = errno;
}

/* Whoever is stuck with it needs no company. */
static bool is_being_read(const struct agent *agent, pid_t pid)
{
	const struct reading *reading;

	DL_FOREACH(agent->readings, reading) {
		if (reading->pid == pid && process_lives(reading->pidfd))
			return true;
	}
	return false;
}

/* Of a search for all those that nobody told of the next one is one, too. */
static void miss_found(struct agent *agent, bool all)
{
	if (agent_misses(agent))
		agent->adopts |= all;
}

static void take_found(const struct search *search, const struct found *found)
{
	struct agent *agent = search->agent;
	struct reading *reading;
	uint64_t start;
	int pidfd;

	if (agent_find(agent, found->pid, found->start) != NULL || is_being_read(agent, found->pid))
		return;
	pidfd = process_open(found->pid);
	if (pidfd == -1) {
		miss_found(agent, search->all);
		return;
	}
	start = process_start(found->pid);
	if (start != found->start) {
		if (start == 0)
			miss_found(agent, search->all);
		close(pidfd);
		return;
	}
	reading = new_reading(agent, FOR_SEARCH, found->pid, pidfd);
	if (reading == NULL)
		return;
	reading->only_hooked = !search->all;
	reading->search = agent->search_number;
	if (begin_bundle(reading, found->id, found->bundle))
		agent->nsought++;
	else
		miss_found(agent, search->all);
}

static void free_search(struct search *search)
{
	struct found *found, *next;

	LL_FOREACH_SAFE(search->found, found, next)
		free(found);
	free_roots(&search->roots);
	free(search);
}

static void take_search(void *arg)
{
	struct search *search = arg;
	struct agent *agent = search->agent;
	const struct found *found;

	agent->searching = agent->adopts = false;
	agent->search_number++;
	agent->nsought = agent->nfound = 0;
	errno = search->error;
	miss_found(agent, search->all);
	LL_FOREACH(search->found, found)
		take_found(search, found);
	if (agent->nsought == 0 && !agent->missed)
		agent_misses_nothing(agent);
	free_search(search);
}

bool agent_search(struct agent *agent)
{
	struct search *search;

	if (agent->searching)
		return false;
	search = calloc(1, sizeof(*search));
	if (search != NULL) {
		search->agent = agent;
		search->all = agent->adopts;
		agent->missed = false;
		agent->searching = copy_roots(&agent->conf->roots, &search->roots) && errands_start(agent->errands, search_aside, take_search, search);
	}
	if (!agent->searching)
		log_warn("containers of which no hook has told are not looked for");
	if (!agent->searching)
		(void)agent_misses(agent);
	if (search != NULL && !agent->searching)
		free_search(search);
	return true;
}
