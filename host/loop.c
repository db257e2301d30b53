#include <config.h>

#include "loop.h"

#include <errno.h>
#include <libdaemon/dsignal.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/knock.h"
#include "bus/refusals.h"
#include "bus/subscriber.h"
#include "control/control.h"
#include "detach.h"
#include "notify.h"
#include "privileges.h"
#include "registry/changelog.h"
#include "registry/registry.h"
#include "registry/view.h"
#include "registry/withdrawals.h"
#include "shared/clock.h"
#include "shared/footprint.h"
#include "shared/log.h"
#include "sinks/dnsmasq/dnsmasq.h"
#include "sinks/sections.h"
#include "sinks/sinks.h"
#include "sinks/sinkset.h"
#include "status/measure.h"
#include "status/status.h"
#include "system/localaddr.h"
#include "system/localnet.h"
#include "web/http.h"

#define POLLFDS_OWN 6 /* signals, bus, control, the kernel's word of addresses, HTTP, a knock at the broker */
#define POLLFDS_MAX (POLLFDS_OWN + SINKS_POLLFDS_MAX)

struct loop {
	struct conf *conf;
	const char *conf_path;
	struct view *view;
	struct registry *registry;
	struct refusals *refusals;
	struct withdrawals *withdrawals;
	struct changelog *changelog;
	struct localaddr *localaddr;
	struct localnet *localnet;
	uint64_t localaddr_changes; /* those that localnet knows */
	int64_t networks_ms;        /* when to read them again, since they could not be; CLOCK_NEVER: they could */
	struct place place;         /* of this host */
	struct subscriber *subscriber;
	struct knock *knock;
	struct dnsmasq *dnsmasq;
	struct control *control;
	struct http *http;
	struct status_changes changes;
	struct status_reloads reloads;
	struct measure measure;
	int64_t taken_us;    /* when this turn's deliveries were read */
	int64_t started_ms;
	int64_t notified_ms; /* when systemd's STATUS was last looked at */
	struct sinks sinks;
	bool stop;
	struct footprint footprint; /* of the facts; a resync's end is its epoch */
};

/* ---- facts, view and sinks, wired together ---- */

static uint32_t loop_name_domains(void *arg, const char *user, const char *name)
{
	const struct loop *loop = arg;

	return policy_name_domains(&loop->conf->policy, user, name);
}

static uint32_t loop_address_domains(void *arg, const char *user, const struct address *address)
{
	const struct loop *loop = arg;

	return policy_address_domains(&loop->conf->policy, user, address);
}

static bool loop_own_network(void *arg, const struct address *address)
{
	const struct loop *loop = arg;

	return localnet_has(loop->localnet, address);
}

static size_t loop_max_names(void *arg, const char *user)
{
	const struct loop *loop = arg;

	return policy_limits(&loop->conf->policy, user)->max_names;
}

static int64_t loop_lost_grace_ms(void *arg, const char *user)
{
	const struct loop *loop = arg;

	return policy_agent_grace_ms(&loop->conf->policy, user);
}

static struct view_policy loop_view_policy(struct loop *loop)
{
	struct view_policy policy = {.name_domains = loop_name_domains, .address_domains = loop_address_domains, .host = loop->place.host,
	                             .own_network = loop_own_network, .arg = loop};
	const struct conf *conf = loop->conf;

	for (policy.ndomains = 0; policy.ndomains < conf->policy.ndomains; policy.ndomains++) {
		policy.domains[policy.ndomains].name = conf->policy.domains[policy.ndomains].name;
		policy.domains[policy.ndomains].conflict = conf->conflicts[policy.ndomains];
	}
	return policy;
}

static void loop_fact_changed(void *arg, struct fact *fact)
{
	struct loop *loop = arg;
	struct registry_watcher watcher = view_registry_watcher(loop->view);

	measure_change(&loop->measure, clock_ms());
	changelog_changed(loop->changelog, fact, clock_ms());
	withdrawals_forget(loop->withdrawals, fact);
	status_note_change(&loop->changes, fact->view == NULL ? STATUS_CAME : STATUS_CHANGED, fact->name, clock_ms());
	control_changed(loop->control, fact);
	watcher.changed(watcher.arg, fact);
}

static void loop_fact_gone(void *arg, struct fact *fact, const char *why, const char *reason)
{
	struct loop *loop = arg;
	struct registry_watcher watcher = view_registry_watcher(loop->view);

	measure_change(&loop->measure, clock_ms());
	changelog_gone(loop->changelog, fact, why, reason, clock_ms());
	if (reason != NULL)
		withdrawals_note(loop->withdrawals, fact, reason, clock_ms());
	status_note_change(&loop->changes, STATUS_WENT, fact->name, clock_ms());
	control_gone(loop->control, fact, why);
	watcher.gone(watcher.arg, fact, why, reason);
}

static void loop_fact_doubted(void *arg, struct fact *fact)
{
	struct loop *loop = arg;
	struct registry_watcher watcher = view_registry_watcher(loop->view);

	watcher.doubted(watcher.arg, fact);
}

static void loop_fact_state(void *arg, struct fact *fact)
{
	struct loop *loop = arg;

	control_changed(loop->control, fact);
}

static void loop_listing(void *arg, const struct listing *listing, bool records)
{
	struct loop *loop = arg;

	if (records && listing->names != 0 && listing->addresses != 0)
		measure_listed(&loop->measure);
	control_changed(loop->control, listing->fact);
	sinks_listing(&loop->sinks, listing, records);
}

static void loop_listing_gone(void *arg, const struct listing *listing)
{
	struct loop *loop = arg;

	sinks_gone(&loop->sinks, listing);
}

static void loop_waits(void *arg, const struct fact *fact, const char *what, const char *holder)
{
	struct loop *loop = arg;
	char reason[REFUSALS_REASON_SIZE], user[LOG_SAFE_MAX];

	log_safe(user, sizeof user, holder, strlen(holder));
	snprintf(reason, sizeof reason, "%s is held by user %s: it waits until that one goes", what, user);
	refusals_note(loop->refusals, fact->user, strlen(fact->user), "up", 2, fact->name, reason, clock_ms());
}

static void loop_restore(void *arg, const struct announcement *message, const char *user, int64_t until_ms, const struct view_held *listed)
{
	enum registry_verdict verdict = REGISTRY_IGNORED_OLD;
	struct loop *loop = arg;

	if (strcmp(user, REGISTRY_LEGACY_USER) != 0)
		verdict = registry_restore(loop->registry, message, user, until_ms, clock_ms());
	else if (loop->conf->legacy && message->naddresses == 1)
		verdict = registry_legacy_up(loop->registry, message, clock_ms());
	if (verdict == REGISTRY_APPLIED)
		view_hold(registry_find(loop->registry, &message->instance), listed);
}

/* Who wants to know how it stands with the registry. */
static void loop_tell_counts(struct loop *loop, int64_t now_ms)
{
	struct registry_counts counts;

	registry_count(loop->registry, &counts);
	changelog_resync(loop->changelog, &counts);
	if (registry_settled(loop->registry, now_ms))
		sinks_settled(&loop->sinks, now_ms);
	footprint_note(&loop->footprint, counts.facts, counts.synced_ms);
}

static void loop_measure(struct loop *loop, int64_t now_ms)
{
	struct dnsmasq_stats stats;

	dnsmasq_stats(loop->dnsmasq, &stats);
	measure_reloads(&loop->measure, &stats, now_ms);
	measure_stored(&loop->measure, stats.stored, stats.stored_us);
	measure_served(&loop->measure, sinks_served(&loop->sinks), clock_us());
}

/* What changed since the last turn goes to the sinks; what they are done with is acked and answered. */
static void loop_publish(struct loop *loop, int64_t now_ms)
{
	bool delivered;

	view_refresh(loop->view);
	sinks_renew(&loop->sinks);
	delivered = subscriber_end_batch(loop->subscriber, loop->sinks.generation + 1);
	if (delivered || loop->sinks.changed)
		sinks_flush(&loop->sinks, now_ms);
	measure_batch_end(&loop->measure, loop->sinks.generation, delivered, loop->taken_us);
	subscriber_settle(loop->subscriber, sinks_stored(&loop->sinks), sinks_served(&loop->sinks), now_ms);
	loop_measure(loop, now_ms);
	control_publish(loop->control, now_ms);
}

/* ---- configuration ---- */

/* The policy is pure: it is told which addresses are this host's. 0, or -1 with errno. */
static int loop_tell_host_addresses(const struct loop *loop, struct conf *conf)
{
	size_t count;
	const struct address *addresses = localaddr_list(loop->localaddr, &count);

	return policy_set_host_addresses(&conf->policy, addresses, count);
}

#define NETWORKS_AGAIN_MS 1000

/* 1: the ranges of this host's own bridges are others than before; 0. */
static int loop_read_networks(struct loop *loop, int64_t now_ms)
{
	int changed = localnet_read(loop->localnet, loop->localaddr);

	loop->localaddr_changes = localaddr_changes(loop->localaddr);
	if (changed == -1 && loop->networks_ms == CLOCK_NEVER)
		log_warn("this host's bridges cannot be listed: those known before stay in force, and it is tried again each second");
	loop->networks_ms = changed == -1 ? now_ms + NETWORKS_AGAIN_MS : CLOCK_NEVER;
	return changed == 1;
}

static void loop_host_addresses_changed(struct loop *loop)
{
	struct view_policy policy = loop_view_policy(loop);

	if (loop_tell_host_addresses(loop, loop->conf) == -1)
		log_warn("this host's own addresses have changed: those known before stay in force");
	else
		view_set_policy(loop->view, loop->conf->conflict, &policy);
}

static void loop_step_addresses(struct loop *loop, bool readable, int64_t now_ms)
{
	bool changed = localaddr_step(loop->localaddr, readable, now_ms) == 1;

	if (loop->localaddr_changes != localaddr_changes(loop->localaddr) || loop->networks_ms <= now_ms) {
		changed = loop_read_networks(loop, now_ms) || changed;
		dnsmasq_bridges(loop->dnsmasq, loop->localnet, now_ms);
	}
	if (changed)
		loop_host_addresses_changed(loop);
}

static bool loop_take_configuration(struct loop *loop, int64_t now_ms)
{
	struct conf *fresh = conf_load(loop->conf_path, sinks_sections);
	struct conf *old = loop->conf;
	struct view_policy policy;
	const char *missing;

	if (fresh == NULL) {
		log_warnx("configuration file=%s is not taken: the old one stays in force", loop->conf_path);
		return false;
	}
	if (loop_tell_host_addresses(loop, fresh) == -1 || dnsmasq_configure(loop->dnsmasq, fresh, now_ms) == -1) {
		log_warn("configuration file=%s is not taken: the old one stays in force", loop->conf_path);
		conf_free(fresh);
		return false;
	}
	loop->conf = fresh;
	(void)loop_read_networks(loop, now_ms); /* a bridge may have other ports by now, of which no address tells */
	policy = loop_view_policy(loop);
	registry_set_options(loop->registry, &fresh->registry);
	view_set_policy(loop->view, fresh->conflict, &policy);
	subscriber_configure(loop->subscriber, fresh, now_ms);
	if (!fresh->legacy)
		registry_legacy_end(loop->registry, now_ms);
	control_configure(loop->control, fresh);
	http_configure(loop->http, fresh);
	sinkset_configure(&loop->sinks, loop->view, fresh, now_ms);
	log_set_level(fresh->log_level);
	if (strcmp(old->pid_file, fresh->pid_file) != 0)
		log_warnx("pid_file: another one is used from the next start on");
	if (strcmp(old->run_as != NULL ? old->run_as : "", fresh->run_as != NULL ? fresh->run_as : "") != 0)
		log_warnx("run_as: another one is used from the next start on");
	missing = privileges_missing(fresh);
	if (missing != NULL)
		log_warnx("%s", missing);
	conf_free(old);
	/* Host names, domain or file may be others: every sink looks at its own. */
	loop->sinks.changed = true;
	log_info("configuration file=%s read again", loop->conf_path);
	return true;
}

static bool loop_reload(void *arg, int64_t now_ms)
{
	struct loop *loop = arg;

	notify_reloading();
	loop->reloads.last_taken = loop_take_configuration(loop, now_ms);
	loop->reloads.taken += loop->reloads.last_taken;
	loop->reloads.refused += !loop->reloads.last_taken;
	loop->reloads.last_ms = now_ms;
	notify_ready();
	return loop->reloads.last_taken;
}

/* ---- for people ---- */

static void loop_sources(void *arg, struct status_sources *out)
{
	struct loop *loop = arg;

	*out = (struct status_sources){
		.conf = loop->conf,
		.view = loop->view,
		.registry = loop->registry,
		.refusals = loop->refusals,
		.withdrawals = loop->withdrawals,
		.subscriber = loop->subscriber,
		.dnsmasq = loop->dnsmasq,
		.sinks = loop->sinks.list,
		.nsinks = loop->sinks.count,
		.sinks_missing = loop->sinks.missing,
		.generation = loop->sinks.generation,
		.served = sinks_served(&loop->sinks),
		.started_ms = loop->started_ms,
		.changes = &loop->changes,
		.reloads = &loop->reloads,
		.measure = &loop->measure,
		.place = loop->place,
	};
}

static bool loop_rollcall(void *arg, int64_t now_ms)
{
	struct loop *loop = arg;

	return subscriber_rollcall(loop->subscriber, now_ms);
}

static size_t loop_forget(void *arg, const char *name, int64_t now_ms)
{
	struct loop *loop = arg;

	return registry_forget(loop->registry, name, now_ms);
}

#define NOTIFY_PAUSE_MS 1000

static int64_t loop_notify_ms(const struct loop *loop)
{
	return loop->notified_ms + NOTIFY_PAUSE_MS;
}

/* The line in `systemctl status`. Looked at once a second, but only where systemd asks for it. */
static void loop_notify(struct loop *loop, int64_t now_ms)
{
	struct status_sources sources;
	struct status status;

	notify_watchdog(now_ms);
	if (!notify_wanted() || now_ms < loop_notify_ms(loop))
		return;
	loop->notified_ms = now_ms;
	loop_sources(loop, &sources);
	status_gather(&sources, status_clock_at(clock_ms()), &status);
	notify_status("%zu names in %s; %s%s", status.names, status.domain, status.nwarnings > 0 ? "degraded: " : "all is well",
	              status.nwarnings > 0 ? status.warnings[0] : "");
}

/* ---- signals ---- */

static void loop_signals(struct loop *loop, int64_t now_ms)
{
	int number;

	while ((number = daemon_signal_next()) > 0) {
		if (number == SIGHUP) {
			loop_reload(loop, now_ms);
			continue;
		}
		log_info("stopping signal=%d; names stay as they are", number);
		loop->stop = true;
	}
}

static int loop_signals_open(void)
{
	struct sigaction ignore;

	memset(&ignore, 0, sizeof ignore);
	ignore.sa_handler = SIG_IGN;
	if (sigaction(SIGPIPE, &ignore, NULL) == -1)
		return -1;
	return daemon_signal_init(SIGTERM, SIGINT, SIGHUP, 0);
}

/* ---- the loop ---- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t loop_deadline_ms(const struct loop *loop, int64_t now_ms)
{
	int64_t due = earlier(subscriber_deadline_ms(loop->subscriber), registry_deadline_ms(loop->registry));

	due = earlier(due, earlier(refusals_deadline_ms(loop->refusals), changelog_deadline_ms(loop->changelog)));
	due = earlier(due, log_deadline_ms());
	due = earlier(due, earlier(control_deadline_ms(loop->control, now_ms), notify_deadline_ms()));
	due = earlier(due, http_deadline_ms(loop->http, now_ms));
	if (notify_wanted())
		due = earlier(due, loop_notify_ms(loop));
	due = earlier(due, knock_deadline_ms(loop->knock, loop->registry));
	due = earlier(due, earlier(localaddr_deadline_ms(loop->localaddr), loop->networks_ms));
	return earlier(due, sinks_deadline_ms(&loop->sinks));
}

/* Returns how many. */
static nfds_t loop_pollfds(struct loop *loop, struct pollfd *fds)
{
	fds[0] = (struct pollfd){.fd = daemon_signal_fd(), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = subscriber_fd(loop->subscriber), .events = POLLIN};
	fds[2] = (struct pollfd){.fd = control_fd(loop->control), .events = POLLIN};
	fds[3] = (struct pollfd){.fd = localaddr_fd(loop->localaddr), .events = POLLIN};
	fds[4] = (struct pollfd){.fd = http_fd(loop->http), .events = POLLIN};
	fds[5] = (struct pollfd){.fd = knock_fd(loop->knock), .events = POLLOUT};
	return POLLFDS_OWN + (nfds_t)sinks_pollfds(&loop->sinks, &fds[POLLFDS_OWN]);
}

/* Returns whether there is more to read without waiting. */
static bool loop_turn(struct loop *loop, bool wait)
{
	struct pollfd fds[POLLFDS_MAX];
	nfds_t nfds = loop_pollfds(loop, fds);
	int64_t now_ms = clock_ms();
	bool more;

	if (poll(fds, nfds, wait ? clock_poll_timeout(now_ms, loop_deadline_ms(loop, now_ms)) : 0) == -1 && errno != EINTR) {
		log_error("poll");
		loop->stop = true;
		return false;
	}
	now_ms = clock_ms();
	if (fds[0].revents != 0)
		loop_signals(loop, now_ms);
	loop_step_addresses(loop, fds[3].revents != 0, now_ms);
	loop->taken_us = clock_us();
	more = subscriber_step(loop->subscriber, loop->sinks.generation + 1, now_ms);
	knock_step(loop->knock, loop->registry, loop->subscriber, now_ms);
	registry_tick(loop->registry, now_ms);
	refusals_tick(loop->refusals, now_ms);
	changelog_tick(loop->changelog, now_ms);
	log_tick(now_ms);
	sinks_step(&loop->sinks, &fds[POLLFDS_OWN], now_ms);
	control_step(loop->control, fds[2].revents != 0, now_ms);
	loop_publish(loop, now_ms);
	http_step(loop->http, fds[4].revents != 0, now_ms);
	loop_tell_counts(loop, now_ms);
	loop_notify(loop, now_ms);
	return more;
}

/* ---- beginning and end ---- */

static int loop_open(struct loop *loop, int64_t now_ms)
{
	struct registry_watcher facts = {
		.changed = loop_fact_changed, .gone = loop_fact_gone, .state = loop_fact_state, .doubted = loop_fact_doubted,
		.max_names = loop_max_names, .lost_grace_ms = loop_lost_grace_ms, .arg = loop,
	};
	struct view_watcher listings = {
		.listing = loop_listing, .gone = loop_listing_gone, .waits = loop_waits, .arg = loop,
	};
	struct control_daemon daemon = {
		.sources = loop_sources, .reload = loop_reload, .rollcall = loop_rollcall, .forget = loop_forget, .arg = loop,
	};
	struct view_policy policy;

	if (place_read(&loop->place) == -1)
		log_warnx("the kernel's boot id cannot be read: of equal ranges on several hosts this one does not know which is its own");
	policy = loop_view_policy(loop);
	if (loop_signals_open() == -1 || (loop->refusals = refusals_new()) == NULL || (loop->changelog = changelog_new()) == NULL ||
	    (loop->withdrawals = withdrawals_new()) == NULL ||
	    (loop->localaddr = localaddr_new(now_ms)) == NULL || (loop->localnet = localnet_new()) == NULL || loop_tell_host_addresses(loop, loop->conf) == -1 ||
	    (loop->view = view_new(loop->conf->conflict, &policy)) == NULL ||
	    (loop->registry = registry_new(&loop->conf->registry, &facts, now_ms)) == NULL ||
	    (loop->control = control_new(&daemon)) == NULL || (loop->http = http_new(loop_sources, loop)) == NULL ||
	    (loop->knock = knock_new()) == NULL || (loop->dnsmasq = dnsmasq_new(loop->conf, loop->localaddr, now_ms)) == NULL)
		return -1;
	(void)loop_read_networks(loop, now_ms);
	dnsmasq_bridges(loop->dnsmasq, loop->localnet, now_ms);
	sinks_add(&loop->sinks, dnsmasq_sink(loop->dnsmasq));
	view_set_watcher(loop->view, &listings);
	loop->subscriber = subscriber_new(loop->conf, loop->registry, loop->refusals, now_ms);
	return loop->subscriber != NULL ? 0 : -1;
}

static void loop_close(struct loop *loop)
{
	http_free(loop->http);
	control_free(loop->control);
	knock_free(loop->knock);
	subscriber_free(loop->subscriber);
	sinks_free(&loop->sinks);
	registry_free(loop->registry);
	view_free(loop->view);
	localnet_free(loop->localnet);
	localaddr_free(loop->localaddr);
	changelog_free(loop->changelog);
	refusals_free(loop->refusals);
	withdrawals_free(loop->withdrawals);
	conf_free(loop->conf);
	daemon_signal_done();
}

/* The table as it was before the restart is served from the first moment on. The other sinks may take their time. */
static int loop_first_file(struct loop *loop, int64_t now_ms)
{
	dnsmasq_restore(loop->dnsmasq, loop_restore, loop);
	view_refresh(loop->view);
	sinks_flush(&loop->sinks, now_ms);
	if (sinks_stored(&loop->sinks) != loop->sinks.generation)
		return -1;
	sinkset_configure(&loop->sinks, loop->view, loop->conf, now_ms);
	return 0;
}

int loop_run(struct conf *conf, const char *conf_path, void (*ready)(void *arg), void *arg)
{
	int64_t now_ms = clock_ms();
	struct loop loop = {.conf = conf, .conf_path = conf_path, .started_ms = now_ms, .networks_ms = CLOCK_NEVER, .footprint = {.epoch_ms = -1}};
	int code = DETACH_FAILED;
	bool more = false;

	notify_open();
	if (loop_open(&loop, now_ms) == -1) {
		log_error("cannot start");
	} else if (loop_first_file(&loop, now_ms) == -1) {
		log_errorx("the first hosts file=%s could not be written", conf->dnsmasq.hosts_file);
		code = DETACH_HOSTS;
	} else {
		/* What was read back came in an earlier life. */
		memset(&loop.changes, 0, sizeof loop.changes);
		memset(&loop.measure, 0, sizeof loop.measure);
		control_configure(loop.control, conf);
		http_configure(loop.http, conf);
		ready(arg);
		notify_ready();
		log_info("started domain=%s queue=%s", conf->domain, conf->queue.name);
		while (!loop.stop)
			more = loop_turn(&loop, !more);
		notify_stopping();
		code = DETACH_OK;
	}
	loop_close(&loop);
	return code;
}
