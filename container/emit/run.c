#include <config.h>

#include "run.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "announce/addrwatch.h"
#include "announce/announcer.h"
#include "announce/readiness.h"
#include "child.h"
#include "health.h"
#include "shared/clock.h"
#include "shared/footprint.h"
#include "signals.h"
#include "voice.h"

#define HOSTNAME_FILE "/proc/sys/kernel/hostname" /* poll(2) tells of every change, by POLLERR and POLLPRI */

struct run {
	struct conf *conf;
	char name[HOSTNAME_NAME_SIZE];
	const char *nameless;        /* why there is no name to announce, though we are configured; NULL: there is one, or we are not */
	char *const *command;
	struct signals signals;
	struct child child;
	struct addrwatch *watch;
	struct voice voice;          /* not open: not configured */
	struct readiness readiness;
	int health_fd, hostname_fd;
	struct accepting accepting;  /* on health_fd */
	int64_t rename_by_ms;        /* the old name is being withdrawn, until then; CLOCK_NEVER: it is ours */
	int64_t wait_by_ms;          /* COMMAND waits for its name until then; CLOCK_NEVER: it does not */
	int64_t leave_by_ms;         /* CLOCK_NEVER: we stay */
	int status;
	bool announced;              /* in the last turn */
};

static bool leaving(const struct run *r)
{
	return r->leave_by_ms != CLOCK_NEVER;
}

static void leave(struct run *r, int status, int64_t now_ms)
{
	if (leaving(r))
		return;
	r->status = status;
	r->wait_by_ms = r->rename_by_ms = CLOCK_NEVER;
	r->leave_by_ms = now_ms + ANNOUNCER_WITHDRAW_MS;
	readiness_stop(&r->readiness);
	if (voice_is_open(&r->voice))
		voice_withdraw(&r->voice, now_ms);
}

static bool over(const struct run *r, int64_t now_ms)
{
	return leaving(r) && (!voice_is_open(&r->voice) || voice_ended(&r->voice) || now_ms >= r->leave_by_ms);
}

static void start_command(struct run *r, int64_t now_ms)
{
	r->wait_by_ms = CLOCK_NEVER;
	if (child_start(&r->child, r->command, &r->signals.original) == -1) {
		log_error("COMMAND cannot be started");
		leave(r, 126, now_ms);
	}
}

static void take_death(void *arg, pid_t pid, int wait_status)
{
	struct run *r = arg;

	readiness_buried(&r->readiness, pid, wait_status);
}

static void take_signal(struct run *r, int signo, int64_t now_ms)
{
	if (signo == SIGCHLD) {
		if (child_reap(&r->child, take_death, r))
			leave(r, r->child.status, now_ms);
		return;
	}
	if (r->child.pid > 0) {
		child_forward(&r->child, signo);
		return;
	}
	if (signo == SIGTERM || signo == SIGINT || signo == SIGQUIT || signo == SIGHUP)
		leave(r, r->command != NULL ? 128 + signo : 0, now_ms);
}

static void take_signals(struct run *r, int64_t now_ms)
{
	int signo;

	while ((signo = signals_next(&r->signals)) != 0)
		take_signal(r, signo, now_ms);
}

static void take_news(struct run *r, bool readable, int64_t now_ms)
{
	bool was_lost = addrwatch_is_lost(r->watch);
	int changed = addrwatch_step(r->watch, readable, now_ms);

	if (changed == -1)
		log_warn("name=%s: its addresses cannot be read: those announced stay%s", r->name,
		         addrwatch_deadline_ms(r->watch) != CLOCK_NEVER ? ", and it is tried again" : "");
	else if (was_lost && !addrwatch_is_lost(r->watch))
		log_info("name=%s: its addresses can be read again", r->name);
	if (changed == 1 && voice_is_open(&r->voice))
		voice_network_changed(&r->voice, now_ms);
}

/* ---- another hostname ---- */

/* What the kernel tells is any machine's on it, and a name may have been chosen otherwise. */
static void take_hostname(struct run *r, int64_t now_ms)
{
	char name[HOSTNAME_NAME_SIZE], why[CONF_MISNOMER_SIZE];

	if (leaving(r) || r->rename_by_ms != CLOCK_NEVER || !voice_is_open(&r->voice))
		return;
	if (conf_choose_name(r->conf, name, why) == -1) {
		log_warnx("%s; name=%s stays announced", why, r->name);
		return;
	}
	if (strcmp(name, r->name) == 0)
		return;
	log_info("this machine has another hostname: name=%s is withdrawn, and name=%s announced", r->name, name);
	r->rename_by_ms = now_ms + ANNOUNCER_WITHDRAW_MS;
	voice_withdraw(&r->voice, now_ms);
}

/* As a new instance, as for anybody who has only just begun. */
static void check_rename(struct run *r, int64_t now_ms)
{
	char name[HOSTNAME_NAME_SIZE], why[CONF_MISNOMER_SIZE];
	bool want_answer = r->wait_by_ms != CLOCK_NEVER;

	if (r->rename_by_ms == CLOCK_NEVER || (!voice_ended(&r->voice) && now_ms < r->rename_by_ms))
		return;
	r->rename_by_ms = CLOCK_NEVER;
	if (conf_choose_name(r->conf, name, why) == 0)
		memcpy(r->name, name, sizeof(r->name));
	voice_close(&r->voice);
	r->voice = (struct voice){0};
	if (voice_open(&r->voice, r->conf, r->name, r->watch, want_answer, now_ms) == -1) {
		leave(r, EXIT_FAILURE, now_ms);
		return;
	}
	voice_withhold(&r->voice, readiness_missing(&r->readiness), now_ms);
	voice_network_changed(&r->voice, now_ms);
	if (r->health_fd != -1)
		close(r->health_fd);
	r->health_fd = health_listen(r->name);
}

static void take_readiness(struct run *r, bool ready, int64_t now_ms)
{
	if (readiness_step(&r->readiness, ready, now_ms))
		voice_withhold(&r->voice, readiness_missing(&r->readiness), now_ms);
}

static void take_question(struct run *r, int64_t now_ms)
{
	const char *missing = readiness_missing(&r->readiness);

	/* An image that carries a health check must not be sick because nothing is configured. */
	if (r->nameless != NULL)
		health_answer(r->health_fd, &r->accepting, now_ms, false, r->nameless);
	else if (!voice_is_open(&r->voice))
		health_answer(r->health_fd, &r->accepting, now_ms, true, "not configured: nothing to announce");
	else if (missing != NULL)
		health_answer(r->health_fd, &r->accepting, now_ms, false, missing);
	else
		health_answer(r->health_fd, &r->accepting, now_ms, voice_is_announced(&r->voice), voice_status(&r->voice));
}

static void check_wait(struct run *r, int64_t now_ms)
{
	const char *missing = readiness_missing(&r->readiness);

	if (r->wait_by_ms == CLOCK_NEVER)
		return;
	if (voice_answer(&r->voice) == PUBLISHER_RESOLVES) {
		start_command(r, now_ms);
	} else if (now_ms >= r->wait_by_ms) {
		log_errorx("the name %s does not resolve in time: %s; COMMAND is not started", r->name,
		           missing != NULL ? missing : voice_why_not(&r->voice));
		leave(r, RUN_EXIT_WAIT_RAN_OUT, now_ms);
	}
}

/* From then on there is a renewal each few minutes, and nothing else. */
static void check_rest(struct run *r)
{
	bool announced = voice_is_open(&r->voice) && voice_is_announced(&r->voice);

	if (announced && !r->announced)
		footprint_settle();
	r->announced = announced;
}

static int64_t deadline_ms(const struct run *r, int64_t now_ms)
{
	int64_t own = r->wait_by_ms < r->leave_by_ms ? r->wait_by_ms : r->leave_by_ms;
	int64_t due = own < r->rename_by_ms ? own : r->rename_by_ms;
	int64_t voice = voice_deadline_ms(&r->voice);
	int64_t readiness = readiness_deadline_ms(&r->readiness);
	int64_t health = accepting_deadline_ms(&r->accepting, now_ms);
	int64_t watch = addrwatch_deadline_ms(r->watch);

	due = voice < due ? voice : due;
	due = watch < due ? watch : due;
	due = health < due ? health : due;
	return readiness < due ? readiness : due;
}

static void turn(struct run *r)
{
	int64_t now_ms = clock_ms();
	struct pollfd fds[] = {
		{.fd = r->signals.fd, .events = POLLIN},
		{.fd = addrwatch_fd(r->watch), .events = POLLIN},
		{.fd = accepting_polls(&r->accepting, now_ms) ? r->health_fd : -1, .events = POLLIN},
		{.fd = voice_fd(&r->voice), .events = POLLIN},
		{.fd = readiness_fd(&r->readiness), .events = readiness_events(&r->readiness)},
		{.fd = r->hostname_fd, .events = POLLPRI},
	};

	(void)poll(fds, sizeof(fds) / sizeof(*fds), clock_poll_timeout(now_ms, deadline_ms(r, now_ms)));
	now_ms = clock_ms();
	if (fds[0].revents != 0)
		take_signals(r, now_ms);
	if (fds[1].revents != 0 || now_ms >= addrwatch_deadline_ms(r->watch))
		take_news(r, fds[1].revents != 0, now_ms);
	take_readiness(r, fds[4].revents != 0, now_ms);
	if (fds[2].revents != 0)
		take_question(r, now_ms);
	if (voice_is_open(&r->voice) && (fds[3].revents != 0 || now_ms >= voice_deadline_ms(&r->voice)))
		voice_step(&r->voice, now_ms);
	if (fds[5].revents != 0)
		take_hostname(r, now_ms);
	check_rename(r, now_ms);
	check_wait(r, now_ms);
	check_rest(r);
}

/* Once COMMAND runs, every millisecond counts: the login's thread is started first, all else while it works. */
static int begin_announcing(struct run *r, bool want_answer)
{
	r->watch = addrwatch_new(NULL, NULL);
	if (r->watch == NULL) {
		log_error("addresses");
		return -1;
	}
	if (voice_open(&r->voice, r->conf, r->name, r->watch, want_answer, clock_ms()) == -1)
		return -1;
	readiness_init(&r->readiness, r->conf, r->name, &r->signals.original, clock_ms());
	voice_withhold(&r->voice, readiness_missing(&r->readiness), clock_ms());
	take_news(r, false, clock_ms());
	/* The kernel wakes whoever polls it for every container of the machine that comes: only a guest that boots systemd has to. */
	if (getenv("INVOCATION_ID") != NULL)
		r->hostname_fd = open(HOSTNAME_FILE, O_RDONLY | O_CLOEXEC);
	take_hostname(r, clock_ms()); /* it may be another one since the name was chosen */
	return 0;
}

static int begin(struct run *r, uint32_t wait_s)
{
	bool configured = r->conf->bus.nendpoints > 0;
	bool wait = wait_s != 0 && configured;

	if (signals_open(&r->signals) == -1) {
		log_error("signals");
		return -1;
	}
	child_adopt_orphans();
	/* Before COMMAND, which may be what asks. */
	r->health_fd = health_listen(r->name);
	if (r->health_fd == -1)
		log_debug("--healthcheck will not find this emitter");
	if (wait)
		r->wait_by_ms = clock_ms() + (int64_t)wait_s * 1000;
	else if (r->command != NULL)
		start_command(r, clock_ms());
	if (configured && begin_announcing(r, wait) == -1 && r->child.pid == 0)
		return -1;
	return 0;
}

static int work(struct run *r, uint32_t wait_s)
{
	child_init(&r->child);
	if (begin(r, wait_s) == -1)
		return EXIT_FAILURE;
	while (!over(r, clock_ms()))
		turn(r);
	voice_close(&r->voice);
	addrwatch_free(r->watch);
	if (r->hostname_fd != -1)
		close(r->hostname_fd);
	if (r->health_fd != -1)
		close(r->health_fd);
	close(r->signals.fd);
	return r->status;
}

int run(struct conf *conf, const char *name, char *const command[], uint32_t wait_s)
{
	struct run r = {.conf = conf, .command = command, .health_fd = -1, .hostname_fd = -1, .rename_by_ms = CLOCK_NEVER,
	                .wait_by_ms = CLOCK_NEVER, .leave_by_ms = CLOCK_NEVER, .status = EXIT_FAILURE};

	snprintf(r.name, sizeof(r.name), "%s", name);
	return work(&r, wait_s);
}

int run_nameless(const char *why, char *const command[])
{
	static struct conf nothing;
	struct run r = {.conf = &nothing, .nameless = why, .command = command, .health_fd = -1, .hostname_fd = -1, .rename_by_ms = CLOCK_NEVER,
	                .wait_by_ms = CLOCK_NEVER, .leave_by_ms = CLOCK_NEVER, .status = EXIT_FAILURE};

	return work(&r, 0);
}
