#include <config.h>

#include "reload.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "hostsfile.h"
#include "registry/served.h"
#include "reload_trouble.h"
#include "shared/clock.h"

#define FIND_AGAIN_MS  500
#define EFFECT_MS      1000  /* an effect is expected within this, or within four times the last reload */
#define REPEAT_MS      2000  /* SIGHUP without effect: again after this ... */
#define REPEAT_FOR_MS  60000 /* ... for so long ... */
#define REPEAT_SLOW_MS 10000 /* ... and after this from then on */
#define ASK_FAILING_MS 500
#define PACE_PART      20      /* of dnsmasq's time: one in so many for reloads */
#define PACE_SAVED_US  50000   /* reloads of so long may follow each other at once */
#define RELOAD_MAX_US  1500000 /* whatever was measured */
#define BLIND_PACE_US  250000   /* between SIGHUPs for new serials while no answer tells how long a reload takes */

#define OVERTAKEN_MAX 2

/* When to ask again, in ms after the SIGHUP; then each 100 ms. */
static const int64_t ask_at_ms[] = {0, 1, 2, 5, 10, 20, 50, 100};

/* A serial was written that is not served yet. */
static bool pending(const struct reload *reload)
{
	return reload->wanted != HOSTSFILE_SERIAL_NONE && reload->served != reload->wanted;
}

static bool failing(const struct reload *reload)
{
	return reload->failing_since_ms != CLOCK_NEVER;
}

/* ---- the process ---- */

static void expect_nothing(struct reload *reload)
{
	reload->awaiting = false;
	reload->fail_ms = CLOCK_NEVER;
	reload->next_signal_ms = CLOCK_NEVER;
}

static void begin_round(struct reload *reload, int64_t now_ms)
{
	probe_close(&reload->probe);
	reload->asked = 0;
	reload->overtaken = 0;
	reload->ask_ms = now_ms;
	reload->next_ask_ms = now_ms;
	reload->answer = RELOAD_NO_ANSWER;
	reload->answer_ms = now_ms;
}

static void end_round(struct reload *reload)
{
	probe_close(&reload->probe);
	reload->next_ask_ms = CLOCK_NEVER;
}

static int64_t effect_ms(const struct reload *reload)
{
	int64_t slow_ms = (int64_t)(reload->stats.last_us / 1000) * 4;

	return slow_ms > EFFECT_MS ? slow_ms : EFFECT_MS;
}

/* Asked first: if it has just started it serves the newest file already. */
static void found(struct reload *reload, int64_t now_ms)
{
	char text[64];

	snprintf(text, sizeof(text), "process %ld is there", (long)reload->process.pid);
	reload_trouble_end(&reload->process_trouble, text);
	reload->find_ms = CLOCK_NEVER;
	reload->served = HOSTSFILE_SERIAL_NONE;
	reload->signalled = HOSTSFILE_SERIAL_NONE;
	reload->failing_since_ms = CLOCK_NEVER;
	expect_nothing(reload);
	if (reload->wanted == HOSTSFILE_SERIAL_NONE)
		return;
	reload->next_signal_ms = now_ms + EFFECT_MS;
	begin_round(reload, now_ms);
}

static void find(struct reload *reload, int64_t now_ms)
{
	const char *pid_file = reload->conf->dnsmasq.pid_file;
	char reason[PROCESS_REASON_SIZE];
	enum process_state state = process_open(pid_file, RELOAD_PROCESS_NAME, &reload->process, reason);

	if (state == PROCESS_FOUND) {
		found(reload, now_ms);
		return;
	}
	reload_trouble_begin(&reload->process_trouble, reload_trouble_process(state), reload->process_text,
			     "cannot be told to read its files again: %s; dnsmasq.pid_file must be the path that "
			     "dnsmasq has as pid-file",
			     reason);
	reload->find_ms = now_ms + FIND_AGAIN_MS;
	if (pending(reload) && reload->next_ask_ms == CLOCK_NEVER)
		begin_round(reload, now_ms); /* it may be running all the same, and have read the file */
}

static void lost(struct reload *reload, int64_t now_ms)
{
	reload_trouble_begin(&reload->process_trouble, RELOAD_ENDED, reload->process_text,
			     "process %ld has ended; waiting for %s to name another one", (long)reload->process.pid,
			     reload->conf->dnsmasq.pid_file);
	process_close(&reload->process);
	streams_forget(&reload->streams);
	reload->served = HOSTSFILE_SERIAL_NONE; /* the next one's answer counts */
	expect_nothing(reload);
	end_round(reload);
	reload->find_ms = now_ms;
}

/* ---- SIGHUP ---- */

static int64_t repeat_ms(const struct reload *reload, int64_t now_ms)
{
	if (!failing(reload))
		return effect_ms(reload);
	return now_ms - reload->failing_since_ms < REPEAT_FOR_MS ? REPEAT_MS : REPEAT_SLOW_MS;
}

/* When the pace lets the next SIGHUP go: in the past, if at once. */
static int64_t allowed_ms(const struct reload *reload)
{
	int64_t now_us = clock_us(), due_us = pace_due_us(&reload->pace, now_us);

	if (failing(reload) && due_us < reload->signal_us + BLIND_PACE_US)
		due_us = reload->signal_us + BLIND_PACE_US;
	return due_us <= now_us ? 0 : (due_us + 999) / 1000;
}

/* When the next SIGHUP is due. */
static void schedule_signal(struct reload *reload, int64_t now_ms)
{
	int64_t due_ms = allowed_ms(reload);

	if (!pending(reload) || reload->process.pidfd < 0)
		reload->next_signal_ms = CLOCK_NEVER;
	else if (reload->signalled == reload->wanted)
		reload->next_signal_ms = reload->signal_ms + repeat_ms(reload, now_ms);
	else if (reload->awaiting && !failing(reload))
		reload->next_signal_ms = reload->fail_ms;
	else
		reload->next_signal_ms = due_ms > now_ms ? due_ms : now_ms;
}

static void refused(struct reload *reload, int64_t now_ms)
{
	if (errno == ESRCH) {
		lost(reload, now_ms);
		return;
	}
	reload_trouble_begin(&reload->process_trouble, RELOAD_FORBIDDEN, reload->process_text,
			     "process %ld cannot be signalled: %s; callsignd must be root, its user, or have CAP_KILL",
			     (long)reload->process.pid, strerror(errno));
	reload->next_signal_ms = now_ms + REPEAT_MS;
}

static void send_signal(struct reload *reload, int64_t now_ms)
{
	if (process_signal(&reload->process, SIGHUP) < 0) {
		refused(reload, now_ms);
		return;
	}
	if (reload->process_trouble == RELOAD_FORBIDDEN)
		reload_trouble_end(&reload->process_trouble, "can be signalled again");
	reload->silent = true;
	reload->stats.signals++;
	reload->signal_us = clock_us();
	reload->signal_ms = now_ms;
	reload->signalled = reload->wanted;
	reload->awaiting = true;
	reload->fail_ms = now_ms + effect_ms(reload);
	schedule_signal(reload, now_ms);
	if (!failing(reload))
		begin_round(reload, now_ms);
}

static void fail(struct reload *reload, int64_t now_ms)
{
	reload->fail_ms = CLOCK_NEVER;
	if (!failing(reload))
		reload->failing_since_ms = now_ms;
	reload_trouble_answer(reload, reload->answer);
	/* It may have read the file, but cannot be asked. One that answers has not. */
	if (reload->answer == RELOAD_NO_ANSWER || reload->answer == RELOAD_NO_SERVER)
		streams_reloaded(&reload->streams, &reload->process, now_ms);
	schedule_signal(reload, now_ms);
}

/* ---- answers ---- */

/* The shortest of the last reloads counts: a busy machine makes single ones look longer than they are, and the first may be dnsmasq's own
 * start. Until there are as many, nothing counts. */
static uint64_t usual_us(const struct reload *reload)
{
	uint64_t least_us = RELOAD_MAX_US;

	for (unsigned i = 0; i < RELOAD_RECENT; i++)
		if (reload->recent_us[i] < least_us)
			least_us = reload->recent_us[i];
	return least_us;
}

static void note_reload(struct reload *reload)
{
	struct reload_stats *stats = &reload->stats;

	/* Not if it could not be asked all the time, or had answered that it was not there yet: that time is no
	 * reload's. */
	if (!reload->awaiting || (failing(reload) && !reload->silent))
		return;
	stats->last_us = (uint64_t)(clock_us() - reload->signal_us);
	stats->sum_us += stats->last_us;
	reload->recent_us[stats->reloads % RELOAD_RECENT] = stats->last_us;
	stats->reloads++;
	pace_spend(&reload->pace, (int64_t)usual_us(reload), clock_us());
	if (stats->reloaded != NULL)
		stats->reloaded(stats->arg, stats->last_us);
}

/* dnsmasq has read a file that is as new as the one at the last SIGHUP, or newer. */
static void took_effect(struct reload *reload, int64_t now_ms)
{
	note_reload(reload);
	reload->failing_since_ms = CLOCK_NEVER;
	expect_nothing(reload);
	end_round(reload);
	reload_trouble_end(&reload->answer_trouble, "serves the newest names again");
	streams_reloaded(&reload->streams, &reload->process, now_ms);
	schedule_signal(reload, now_ms);
}

/* Of several (one file read twice, a copy of it in another place) the newest counts. */
static uint32_t newest(const struct dnsquery_answer *answer)
{
	uint32_t best = answer->addresses[0];

	for (unsigned i = 1; i < answer->naddresses; i++)
		if (hostsfile_serial_reached(answer->addresses[i], best))
			best = answer->addresses[i];
	return best;
}

/* If this dnsmasq was only asked so far, now it is told. */
static void wrong_answer(struct reload *reload, enum reload_trouble answer, int64_t now_ms)
{
	reload->answer = answer;
	reload->silent = false;
	/* The question may overtake the signal: dnsmasq looks at what woke it, and only then at signals. It reads the
	 * file right after that answer. */
	if (reload->awaiting && !failing(reload) && reload->overtaken++ < OVERTAKEN_MAX)
		reload->next_ask_ms = now_ms;
	if (reload->signalled == HOSTSFILE_SERIAL_NONE && reload->process.pidfd >= 0)
		send_signal(reload, now_ms);
}

static void take_serial(struct reload *reload, uint32_t serial, int64_t now_ms)
{
	bool current = serial == reload->wanted;

	reload->served = serial;
	/* Between the file that was signalled and the newest one: further ones were written while dnsmasq read. */
	if (reload->signalled != HOSTSFILE_SERIAL_NONE && hostsfile_serial_reached(serial, reload->signalled) &&
	    hostsfile_serial_reached(reload->wanted, serial))
		current = true;
	if (current) {
		took_effect(reload, now_ms);
		return;
	}
	wrong_answer(reload, RELOAD_OLD, now_ms);
}

static void take_result(struct reload *reload, enum dnsquery_result result, const struct dnsquery_answer *answer,
			int64_t now_ms)
{
	reload->answer_ms = now_ms;
	if (result == DNSQUERY_ANSWERED) {
		reload->besides = answer->besides;
		take_serial(reload, newest(answer), now_ms);
		return;
	}
	wrong_answer(reload, result == DNSQUERY_REFUSED ? RELOAD_REFUSED : RELOAD_UNKNOWN_NAME, now_ms);
}

static void read_answers(struct reload *reload, int64_t now_ms)
{
	struct dnsquery_answer answer;
	enum dnsquery_result result;
	enum probe_result read;

	while (reload->probe.fd >= 0 && (read = probe_read(&reload->probe, &result, &answer)) != PROBE_NOTHING)
		if (read == PROBE_ANSWER)
			take_result(reload, result, &answer, now_ms);
		else
			reload->silent = false;
	if (failing(reload) && reload->answer != reload->answer_trouble)
		reload_trouble_answer(reload, reload->answer);
}

/* ---- questions ---- */

/* 0 and an open socket, or -1: where to ask is not known. */
static int open_probe(struct reload *reload)
{
	const struct conf_dnsmasq *conf = &reload->conf->dnsmasq;
	struct address server;

	if (conf->server != NULL ? address_parse(conf->server, strlen(conf->server), &server) < 0
				 : localaddr_ipv4(reload->localaddr, RELOAD_DEFAULT_INTERFACE, &server) < 0) {
		reload->answer = RELOAD_NO_SERVER;
		reload->silent = false;
		return -1;
	}
	return probe_open(&reload->probe, &server, conf->port, reload->name);
}

static void ask(struct reload *reload, int64_t now_ms)
{
	size_t steps = sizeof(ask_at_ms) / sizeof(ask_at_ms[0]);
	bool slow = failing(reload) || reload->process.pidfd < 0;

	if (now_ms - reload->answer_ms > EFFECT_MS)
		reload->answer = RELOAD_NO_ANSWER;
	if (slow) /* the server's address may be another by now */
		probe_close(&reload->probe);
	if (reload->probe.fd >= 0 || open_probe(reload) == 0)
		probe_ask(&reload->probe); /* if it cannot be sent there is no answer */
	reload->asked++;
	if (slow)
		reload->next_ask_ms = now_ms + ASK_FAILING_MS;
	else
		reload->next_ask_ms = reload->asked < steps ? reload->ask_ms + ask_at_ms[reload->asked]
							    : now_ms + ask_at_ms[steps - 1];
}

/* ---- what others see ---- */

void reload_init(struct reload *reload, const struct conf *conf, const struct localaddr *localaddr, int64_t now_ms)
{
	memset(reload, 0, sizeof(*reload));
	reload->localaddr = localaddr;
	reload->process.pidfd = -1;
	reload->probe.fd = -1;
	streams_init(&reload->streams);
	pace_init(&reload->pace, PACE_PART, PACE_SAVED_US, clock_us());
	reload_configure(reload, conf, now_ms);
}

void reload_clear(struct reload *reload)
{
	process_close(&reload->process);
	probe_close(&reload->probe);
}

void reload_configure(struct reload *reload, const struct conf *conf, int64_t now_ms)
{
	reload->conf = conf;
	hostname_join(SERVED_SERIAL_NAME, conf->domain, reload->name);
	process_close(&reload->process);
	streams_forget(&reload->streams);
	reload->served = HOSTSFILE_SERIAL_NONE;
	reload->failing_since_ms = CLOCK_NEVER;
	expect_nothing(reload);
	end_round(reload);
	reload->find_ms = conf->dnsmasq.enabled ? now_ms : CLOCK_NEVER;
	if (!conf->dnsmasq.enabled)
		reload->process_trouble = reload->answer_trouble = RELOAD_WELL;
}

void reload_want(struct reload *reload, uint32_t serial, int64_t now_ms)
{
	reload->wanted = serial;
	if (!reload->conf->dnsmasq.enabled)
		return;
	/* Not yet found, or found and still being asked what it serves: the signal follows from there. */
	if (reload->process.pidfd < 0 ||
	    (reload->signalled == HOSTSFILE_SERIAL_NONE && reload->next_ask_ms != CLOCK_NEVER))
		return;
	schedule_signal(reload, now_ms);
	if (reload->next_signal_ms <= now_ms)
		send_signal(reload, now_ms);
	if (reload->next_ask_ms <= now_ms)
		ask(reload, now_ms);
}

int64_t reload_ready_ms(const struct reload *reload, int64_t now_ms)
{
	int64_t due_ms;

	if (reload->process.pidfd < 0 || failing(reload))
		return now_ms;
	if (reload->awaiting)
		return CLOCK_NEVER;
	due_ms = allowed_ms(reload);
	return due_ms > now_ms ? due_ms : now_ms;
}

int reload_pollfds(const struct reload *reload, struct pollfd *fds)
{
	int count = 0;

	if (reload->process.pidfd >= 0)
		fds[count++] = (struct pollfd){.fd = reload->process.pidfd, .events = POLLIN};
	if (reload->probe.fd >= 0)
		fds[count++] = (struct pollfd){.fd = reload->probe.fd, .events = POLLIN};
	return count;
}

int64_t reload_deadline_ms(const struct reload *reload)
{
	int64_t due_ms = reload->find_ms;

	if (reload->next_signal_ms < due_ms)
		due_ms = reload->next_signal_ms;
	if (reload->next_ask_ms < due_ms)
		due_ms = reload->next_ask_ms;
	if (reload->streams.due_ms < due_ms)
		due_ms = reload->streams.due_ms;
	return reload->fail_ms < due_ms ? reload->fail_ms : due_ms;
}

void reload_hear(struct reload *reload, const struct pollfd *fds, int nfds, int64_t now_ms)
{
	for (int i = 0; i < nfds; i++)
		if (fds[i].revents != 0 && fds[i].fd == reload->process.pidfd)
			lost(reload, now_ms);
	read_answers(reload, now_ms);
}

void reload_step(struct reload *reload, int64_t now_ms)
{
	if (reload->find_ms <= now_ms)
		find(reload, now_ms);
	if (reload->fail_ms <= now_ms)
		fail(reload, now_ms);
	if (reload->next_signal_ms <= now_ms)
		send_signal(reload, now_ms);
	if (reload->next_ask_ms <= now_ms)
		ask(reload, now_ms);
	streams_step(&reload->streams, &reload->process, now_ms);
}
