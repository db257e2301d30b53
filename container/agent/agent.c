#include <config.h>

#include "agent_parts.h"

#include <errno.h>
#include <libdaemon/dsignal.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "hookwire.h"
#include "process.h"
#include "shared/atomicfile.h"
#include "shared/clock.h"
#include "shared/log.h"

#define GUESTS_MAX 512 /* more wait in the socket's own queue */
#define GUEST_MS 10000
#define EVENTS_MAX 256
#define MARK_MASK 3
#define FDS_OWN 3 /* of the loop, before those of the choruses */

/* ---- callers ---- */

static void open_door(struct agent *agent)
{
	bool open = agent->nguests < GUESTS_MAX && accepting_polls(&agent->accepting, agent->now_ms);

	if (open == agent->door_open)
		return;
	if (open && agent_watch(agent, agent->door, NULL, MARK_DOOR) == -1) {
		accepting_pause(&agent->accepting, agent->now_ms);
		return;
	}
	if (!open)
		epoll_ctl(agent->epoll, EPOLL_CTL_DEL, agent->door, NULL);
	agent->door_open = open;
}

static void drop_guest(struct agent *agent, struct guest *guest)
{
	DL_DELETE(agent->guests, guest);
	agent->nguests--;
	agent_read_leave(guest);
	close(guest->fd);
	free(guest);
}

static void hear_guest(struct agent *agent, struct guest *guest)
{
	static struct door_message message;
	int result = door_receive(guest->fd, &message);

	if (result == 1 && guest->reading != NULL) {
		/* One each: who is waiting for an answer has said all that there is to say. */
		if (message.pidfd != -1)
			close(message.pidfd);
		guest->end_ms = 0;
	} else if (result == 1)
		agent_hear(agent, guest, &message);
	else if (result == -1)
		guest->end_ms = 0;
}

static void take_guest(struct agent *agent, int fd)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	if (guest == NULL || agent_watch(agent, fd, guest, MARK_GUEST) == -1) {
		log_warn("a hook is not heard");
		(void)agent_misses(agent);
		free(guest);
		close(fd);
		return;
	}
	guest->fd = fd;
	guest->end_ms = agent->now_ms + GUEST_MS;
	DL_APPEND(agent->guests, guest);
	agent->nguests++;
	hear_guest(agent, guest); /* it has said it all with the connection, as a rule */
}

static void search_if_due(struct agent *agent)
{
	if (!agent_search_due(agent))
		return;
	if (agent->kept_missed)
		agent_take_over(agent);
	if (!agent_search(agent))
		agent_search_later(agent);
}

static void take_guests(struct agent *agent)
{
	bool gone = false, any = false;
	int fd;

	while (agent->nguests < GUESTS_MAX && (fd = door_accept(agent->door, &agent->accepting, agent->now_ms, &gone)) != -1) {
		any |= gone;
		take_guest(agent, fd);
	}
	if (any || gone) {
		log_debug("a hook had gone before it was heard: its container is looked for");
		agent_search_later(agent);
	}
	open_door(agent);
}

static void sweep_guests(struct agent *agent)
{
	struct guest *guest, *next;

	DL_FOREACH_SAFE(agent->guests, guest, next) {
		if (agent->now_ms >= guest->end_ms)
			drop_guest(agent, guest);
	}
	open_door(agent);
}

/* Wards are freed by agent_sweep(), so nobody may wait for one that is about to go. */
static void release_guests(struct agent *agent)
{
	struct guest *guest;

	DL_FOREACH(agent->guests, guest) {
		if (guest->awaits != NULL && guest->awaits->pidfd == -1)
			guest->end_ms = 0;
	}
}

/* ---- the loop ---- */

static void take_event(struct agent *agent, const struct epoll_event *event)
{
	void *owner = (void *)(uintptr_t)(event->data.u64 & ~(uint64_t)MARK_MASK);

	switch ((enum agent_mark)(event->data.u64 & MARK_MASK)) {
	case MARK_END:
		agent_end(agent, owner);
		break;
	case MARK_NETWORK:
		agent_follow(agent, owner);
		break;
	case MARK_GUEST:
		hear_guest(agent, owner);
		break;
	case MARK_DOOR:
		take_guests(agent);
		break;
	}
}

static void take_events(struct agent *agent)
{
	struct epoll_event events[EVENTS_MAX];
	int count;

	do {
		count = epoll_wait(agent->epoll, events, EVENTS_MAX, 0);
		for (int i = 0; i < count; i++)
			take_event(agent, &events[i]);
		release_guests(agent);
		sweep_guests(agent);
		agent_sweep(agent);
	} while (count == EVENTS_MAX);
}

/* The policy for names counts from the next container on; what the connection needs is read at the start only, and starting anew costs no name. */
static void reload(struct agent *agent)
{
	struct agentconf *next = agentconf_load(agent->conf_path);
	struct agentconf old;
	struct busconf kept;
	char host[sizeof(next->host)];

	if (next == NULL) {
		log_errorx("%s: the configuration stays as it was", agent->conf_path);
		return;
	}
	kept = agent->conf->bus;
	memcpy(host, agent->conf->host, sizeof(host));
	agent->conf->bus = next->bus;
	next->bus = kept;
	memcpy(next->host, host, sizeof(host));
	next->wait = agent->conf->wait;
	log_set_level(next->log_level);
	/* The choruses point into the struct itself: it stays where it is, and the new values move in. */
	old = *agent->conf;
	*agent->conf = *next;
	*next = old;
	agentconf_free(next);
	log_info("configuration read again");
}

static void take_signals(struct agent *agent)
{
	int signo;

	while ((signo = daemon_signal_next()) > 0) {
		if (signo == SIGHUP)
			reload(agent);
		else
			agent->quit = true;
	}
}

static int64_t deadline_ms(const struct agent *agent)
{
	int64_t due_ms = log_deadline_ms(), door_ms = accepting_deadline_ms(&agent->accepting, agent->now_ms);
	const struct guest *guest;

	due_ms = agent->search_at_ms < due_ms ? agent->search_at_ms : due_ms;
	due_ms = door_ms < due_ms ? door_ms : due_ms;
	due_ms = agent->lost_at_ms < due_ms ? agent->lost_at_ms : due_ms;
	for (size_t i = 0; i < agent->nchoruses; i++) {
		int64_t own_ms = chorus_deadline_ms(agent->choruses[i]);

		due_ms = own_ms < due_ms ? own_ms : due_ms;
	}
	DL_FOREACH(agent->guests, guest)
		due_ms = guest->end_ms < due_ms ? guest->end_ms : due_ms;
	return due_ms;
}

static void step_choruses(struct agent *agent, const struct pollfd *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i].revents != 0 || agent->now_ms >= chorus_deadline_ms(agent->choruses[i]))
			chorus_step(agent->choruses[i], agent->now_ms);
	}
}

static int turn(struct agent *agent)
{
	size_t nchoruses = agent->nchoruses;
	struct pollfd *fds = calloc(nchoruses + FDS_OWN, sizeof(*fds));

	if (fds == NULL)
		return -1;
	fds[0] = (struct pollfd){.fd = daemon_signal_fd(), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = agent->epoll, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = errands_fd(agent->errands), .events = POLLIN};
	for (size_t i = 0; i < nchoruses; i++)
		fds[FDS_OWN + i] = (struct pollfd){.fd = chorus_fd(agent->choruses[i]), .events = chorus_events(agent->choruses[i])};
	(void)poll(fds, nchoruses + FDS_OWN, clock_poll_timeout(clock_ms(), deadline_ms(agent)));
	agent->now_ms = clock_ms();
	if (fds[0].revents != 0)
		take_signals(agent);
	step_choruses(agent, fds + FDS_OWN, nchoruses);
	if (fds[2].revents != 0)
		errands_take(agent->errands);
	take_events(agent);
	search_if_due(agent);
	agent_follow_lost(agent);
	log_tick(agent->now_ms);
	free(fds);
	return 0;
}

/* ---- beginning and end ---- */

static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		log_warn("limit of open files");
}

static int open_signals(void)
{
	if (daemon_signal_init(SIGTERM, SIGINT, SIGQUIT, SIGHUP, 0) == -1) {
		log_error("signals");
		return -1;
	}
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* For init scripts; that there is one agent only is the lock's matter. */
static void write_pid(void)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (atomicfile_replace(AGENT_PID_FILE, 0644, text, (size_t)length) == -1)
		log_warn("%s cannot be written", AGENT_PID_FILE);
}

static int begin(struct agent *agent)
{
	bool fresh;

	raise_files();
	agent->network = process_network(getpid());
	agent->folder = keep_open(AGENT_STATE, &fresh);
	if (agent->folder == -1) {
		if (errno == EWOULDBLOCK)
			log_errorx("another callsign-agent runs already");
		else
			log_error("%s: must be a folder that only root may write to", AGENT_STATE);
		return -1;
	}
	agent->epoll = epoll_create1(EPOLL_CLOEXEC);
	agent->errands = errands_open();
	if (agent->epoll == -1 || agent->errands == NULL || open_signals() == -1)
		return -1;
	if (agent_connect(agent) == -1)
		return -1;
	agent_take_over(agent);
	agent->door = door_open(HOOKWIRE_SOCKET);
	if (agent->door == -1)
		return -1;
	open_door(agent);
	write_pid();
	/* Whoever began before the door was open is found here, and who begins from now on is heard there. */
	agent->adopts = fresh && agent->conf->adopt;
	(void)agent_search(agent);
	/* But for those whose hook met nobody, and of which the runtime has written nothing down yet. */
	agent_search_later(agent);
	return 0;
}

static void end(struct agent *agent)
{
	struct ward *ward, *next;

	while (agent->guests != NULL)
		drop_guest(agent, agent->guests);
	errands_close(agent->errands);
	for (size_t i = 0; i < agent->nchoruses; i++)
		chorus_free(agent->choruses[i]);
	free(agent->choruses);
	DL_FOREACH_SAFE(agent->wards, ward, next)
		ward_free(ward);
	agentconf_free(agent->conf);
	/* A thread whose file system does not answer may outlive us, and our descriptors with it: the next agent needs the folder's lock and the door. */
	if (agent->door != -1)
		close(agent->door);
	if (agent->folder != -1)
		close(agent->folder);
}

int agent_run(struct agentconf *conf, const char *path, void (*ready)(void))
{
	struct agent agent = {.conf = conf, .conf_path = path, .epoll = -1, .door = -1, .folder = -1, .now_ms = clock_ms()};
	int code = EXIT_FAILURE;

	agent_wait_begin(&agent);
	if (begin(&agent) == 0) {
		ready();
		code = EXIT_SUCCESS;
		while (!agent.quit && code == EXIT_SUCCESS)
			code = turn(&agent) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		unlink(AGENT_PID_FILE);
		log_info("ends: the names of %zu containers are the next agent's", agent.nwards);
	}
	end(&agent);
	return code;
}
