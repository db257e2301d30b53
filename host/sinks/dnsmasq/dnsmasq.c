#include <config.h>

#include "dnsmasq.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reload.h"
#include "reversezones.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "system/ifaddr.h"

#define WRITE_AGAIN_MS  1000
#define WRITE_LATEST_MS 50   /* a change waits no longer for others to be written with */
#define OWN_AGE_MS      2000 /* addresses of interfaces are looked up again after this */
#define OWN_IPV6_MAX    8

/* Names with more addresses than an answer has room for: others of them are served after so long, and with a change that is written anyway after so
 * long. Each costs a SIGHUP, and with it dnsmasq's cache. */
#define TURN_MS      60000
#define TURN_WITH_MS 5000

/* What was written lately: dnsmasq may serve any of these while newer ones follow. */
#define HISTORY 256 /* a power of two */

struct written {
	uint32_t serial;
	uint64_t generation;
};

struct dnsmasq {
	const struct conf *conf;           /* borrowed, as the next */
	const struct localaddr *localaddr;
	struct hostsfile *file;
	struct hostsfile_domains domains;
	struct reload reload;
	struct reversezones *zones;
	char boot_id[HOSTSFILE_BOOT_SIZE];

	bool restored; /* nothing was written since the file was read back, and it may be the very one that would be */
	bool dirty;   /* the text is another one than the file's */
	bool records; /* in names or addresses */
	int64_t dirty_ms; /* since when a batch waits to be written; CLOCK_NEVER: none */
	uint64_t generation, stored, served;
	uint32_t serial;
	size_t besides; /* as crowds were told */
	bool besides_known; /* dnsmasq has answered: what is said of crowds is right */
	struct written history[HISTORY];
	size_t nhistory; /* ever */

	struct hostsfile_own *own;
	size_t nown;
	bool own_missing; /* an interface without an address */
	int64_t own_ms;

	int64_t turned_ms; /* since when the same ones are served of such names */

	int64_t write_ms; /* when to try again; CLOCK_NEVER: nothing failed */
	char trouble[PATH_MAX + 256];
	struct dnsmasq_stats stats;
};

/* ---- this host's own names ---- */

static size_t own_addresses(const struct dnsmasq *dnsmasq, const struct conf_host_name *name, struct address out[1 + OWN_IPV6_MAX])
{
	size_t count = 0;

	if (name->interface == NULL) {
		out[0] = name->address;
		return 1;
	}
	if (localaddr_ipv4(dnsmasq->localaddr, name->interface, &out[0]) == 0 && address_unusable(&out[0]) == NULL)
		count = 1;
	return count + ifaddr_ipv6(name->interface, &out[count], OWN_IPV6_MAX);
}

static bool same_own(const struct hostsfile_own *a, size_t na, const struct hostsfile_own *b, size_t nb)
{
	if (na != nb)
		return false;
	for (size_t i = 0; i < na; i++)
		if (strcmp(a[i].name, b[i].name) != 0 || a[i].domains != b[i].domains || !address_equal(&a[i].address, &b[i].address))
			return false;
	return true;
}

/* Look up the interfaces' addresses as they are now. */
static void refresh_own(struct dnsmasq *dnsmasq, int64_t now_ms)
{
	const struct conf *conf = dnsmasq->conf;
	struct hostsfile_own *own = calloc(conf->nhost_names * (1 + OWN_IPV6_MAX) + 1, sizeof(*own));
	struct address addresses[1 + OWN_IPV6_MAX];
	size_t nown = 0;

	dnsmasq->own_ms = now_ms;
	if (own == NULL)
		return;
	dnsmasq->own_missing = false;
	for (size_t i = 0; i < conf->nhost_names; i++) {
		size_t count = own_addresses(dnsmasq, &conf->host_names[i], addresses);

		dnsmasq->own_missing |= count == 0;
		for (size_t j = 0; j < count; j++)
			own[nown++] = (struct hostsfile_own){.name = conf->host_names[i].name,
			                                      .domains = policy_own_name_domains(&conf->policy, conf->host_names[i].name),
			                                      .address = addresses[j]};
	}
	if (!same_own(own, nown, dnsmasq->own, dnsmasq->nown))
		dnsmasq->dirty = dnsmasq->records = true;
	free(dnsmasq->own);
	dnsmasq->own = own;
	dnsmasq->nown = nown;
}

/* ---- writing ---- */

static void make_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (slash == path || slash - path >= PATH_MAX)
		return;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	if (mkdir(directory, 0755) == 0)
		log_warnx("directory=%s was missing and is made anew", directory);
}

static int write_file(struct dnsmasq *dnsmasq, uint32_t serial)
{
	const char *path = dnsmasq->conf->dnsmasq.hosts_file;

	for (int i = 0;; i++) {
		if (hostsfile_write(dnsmasq->file, path, serial, dnsmasq->boot_id, dnsmasq->own, dnsmasq->nown) == 0)
			return 0;
		if (errno != ENOENT || i > 0)
			return -1;
		make_directory(path); /* a tmpfs that was cleared */
	}
}

static void write_failed(struct dnsmasq *dnsmasq, int64_t now_ms)
{
	bool known = dnsmasq->write_ms != CLOCK_NEVER;
	int error = errno;
	char before[sizeof(dnsmasq->trouble)];

	memcpy(before, dnsmasq->trouble, sizeof(before));
	snprintf(dnsmasq->trouble, sizeof(dnsmasq->trouble),
		 "hosts file=%s cannot be written: %s; the old one stays, and is tried again each second",
		 dnsmasq->conf->dnsmasq.hosts_file, strerror(error));
	if (!known || strcmp(before, dnsmasq->trouble) != 0)
		log_errorx("%s", dnsmasq->trouble);
	dnsmasq->stats.write_failures++;
	dnsmasq->write_ms = now_ms + WRITE_AGAIN_MS;
}

/* The newest of the history, which holds from now on what generation holds. */
static void note_written(struct dnsmasq *dnsmasq)
{
	if (dnsmasq->nhistory == 0 || dnsmasq->history[(dnsmasq->nhistory - 1) % HISTORY].serial != dnsmasq->serial)
		dnsmasq->nhistory++;
	dnsmasq->history[(dnsmasq->nhistory - 1) % HISTORY] = (struct written){dnsmasq->serial, dnsmasq->generation};
	dnsmasq->stored = dnsmasq->generation;
	dnsmasq->stats.stored_us = clock_us();
}

/* ---- names with too many addresses (crowds.h) ---- */

static void tell_crowd(void *arg, const struct crowd *crowd, bool over)
{
	(void)arg;
	if (over)
		log_info("name=%s has IPv%u addresses=%zu, and an answer over UDP has room for %zu: so many are served at a time, in turn",
		         crowd->name, crowd->family, crowd->count, crowd->room);
	else
		log_info("name=%s has IPv%u addresses=%zu by now: all of them are served", crowd->name, crowd->family, crowd->count);
}

static void turn(struct dnsmasq *dnsmasq, int64_t now_ms)
{
	crowds_turn(hostsfile_crowds(dnsmasq->file));
	dnsmasq->turned_ms = now_ms;
}

/* When others of these names are to be served by themselves. */
static int64_t turn_due_ms(const struct dnsmasq *dnsmasq)
{
	if (crowds_over(hostsfile_crowds(dnsmasq->file)) == 0 || dnsmasq->write_ms != CLOCK_NEVER)
		return CLOCK_NEVER;
	return dnsmasq->turned_ms + TURN_MS;
}

static void tell_crowds(struct dnsmasq *dnsmasq)
{
	if (dnsmasq->besides_known)
		crowds_news(hostsfile_crowds(dnsmasq->file), tell_crowd, NULL);
}

/* What dnsmasq says besides is known once it has answered. */
static bool room_changed(struct dnsmasq *dnsmasq)
{
	size_t besides = dnsmasq->conf->dnsmasq.enabled ? dnsmasq->reload.besides : CROWDS_ENDLESS;

	if (besides == dnsmasq->besides)
		return false;
	dnsmasq->besides = besides;
	crowds_set_besides(hostsfile_crowds(dnsmasq->file), besides);
	return hostsfile_crowded(dnsmasq->file);
}

static bool turns(struct dnsmasq *dnsmasq, int64_t now_ms)
{
	bool due = turn_due_ms(dnsmasq) <= now_ms;

	if (due)
		turn(dnsmasq, now_ms);
	if (room_changed(dnsmasq) || due)
		dnsmasq->dirty = dnsmasq->records = due = true;
	if (!dnsmasq->besides_known && dnsmasq->reload.served != HOSTSFILE_SERIAL_NONE) {
		dnsmasq->besides_known = true;
		if (!due)
			tell_crowds(dnsmasq);
	}
	return due;
}

/* A daemon that comes back to what it left: a dnsmasq that has read that file need not read it again, and answers nobody while it does. */
static void keep_restored(struct dnsmasq *dnsmasq)
{
	if (dnsmasq->restored && !reversezones_untold(dnsmasq->conf) &&
	    hostsfile_is(dnsmasq->file, dnsmasq->conf->dnsmasq.hosts_file, dnsmasq->serial, dnsmasq->boot_id, dnsmasq->own, dnsmasq->nown))
		dnsmasq->dirty = dnsmasq->records = false;
	dnsmasq->restored = false;
}

/* A change of sessions alone keeps the serial: dnsmasq has nothing new to read. */
static void write_if_dirty(struct dnsmasq *dnsmasq, int64_t now_ms)
{
	uint32_t serial;

	keep_restored(dnsmasq);
	serial = dnsmasq->records ? hostsfile_serial_next(dnsmasq->serial) : dnsmasq->serial;
	dnsmasq->dirty_ms = CLOCK_NEVER;
	if (dnsmasq->records && crowds_over(hostsfile_crowds(dnsmasq->file)) > 0 && now_ms - dnsmasq->turned_ms >= TURN_WITH_MS)
		turn(dnsmasq, now_ms);
	if (dnsmasq->dirty && write_file(dnsmasq, serial) < 0) {
		write_failed(dnsmasq, now_ms);
		return;
	}
	if (dnsmasq->write_ms != CLOCK_NEVER)
		log_info("hosts file=%s is written again", dnsmasq->conf->dnsmasq.hosts_file);
	dnsmasq->write_ms = CLOCK_NEVER;
	dnsmasq->stats.writes += dnsmasq->dirty;
	tell_crowds(dnsmasq);
	dnsmasq->dirty = dnsmasq->records = false;
	dnsmasq->serial = serial;
	note_written(dnsmasq);
	reload_want(&dnsmasq->reload, serial, now_ms);
}

/* ---- the sink's operations ---- */

static void sink_listing(void *self, const struct listing *listing, bool records)
{
	struct dnsmasq *dnsmasq = self;

	reversezones_listing(dnsmasq->zones, listing, clock_ms());
	/* Rendered here, not at the flush: the fact may be gone by then. Most of its cost is saved: other instances'
	 * lines stay. */
	if (!hostsfile_listing(dnsmasq->file, listing))
		return;
	dnsmasq->dirty = true;
	dnsmasq->records |= records;
}

static void sink_gone(void *self, const struct listing *listing)
{
	struct dnsmasq *dnsmasq = self;

	if (hostsfile_gone(dnsmasq->file, &listing->fact->instance))
		dnsmasq->dirty = dnsmasq->records = true;
}

/* When what is dirty has to be written. While dnsmasq may not be told of it another change may come and save this write: but acks wait for it. */
static int64_t write_due_ms(const struct dnsmasq *dnsmasq, int64_t now_ms)
{
	int64_t ready_ms, latest_ms;

	if (dnsmasq->dirty_ms == CLOCK_NEVER)
		return CLOCK_NEVER;
	ready_ms = reload_ready_ms(&dnsmasq->reload, now_ms);
	latest_ms = dnsmasq->dirty_ms + WRITE_LATEST_MS;
	return ready_ms < latest_ms ? ready_ms : latest_ms;
}

static void write_if_due(struct dnsmasq *dnsmasq, int64_t now_ms)
{
	if (write_due_ms(dnsmasq, now_ms) <= now_ms)
		write_if_dirty(dnsmasq, now_ms);
}

/* Of the zones it is told by another serial, as of names. */
static bool zones_changed(struct dnsmasq *dnsmasq, int64_t now_ms)
{
	if (!reversezones_step(dnsmasq->zones, dnsmasq->conf, dnsmasq->localaddr, now_ms))
		return false;
	return dnsmasq->dirty = dnsmasq->records = true;
}

static void sink_flush(void *self, uint64_t generation, int64_t now_ms)
{
	struct dnsmasq *dnsmasq = self;

	dnsmasq->generation = generation;
	(void)zones_changed(dnsmasq, now_ms);
	if (now_ms - dnsmasq->own_ms >= OWN_AGE_MS)
		refresh_own(dnsmasq, now_ms);
	if (!dnsmasq->dirty || dnsmasq->write_ms != CLOCK_NEVER) {
		write_if_dirty(dnsmasq, now_ms);
		return;
	}
	if (dnsmasq->dirty_ms == CLOCK_NEVER)
		dnsmasq->dirty_ms = now_ms;
	write_if_due(dnsmasq, now_ms);
}

static uint64_t sink_stored(void *self)
{
	return ((struct dnsmasq *)self)->stored;
}

static uint64_t sink_served(void *self)
{
	struct dnsmasq *dnsmasq = self;
	size_t oldest = dnsmasq->nhistory > HISTORY ? dnsmasq->nhistory - HISTORY : 0;

	/* Nobody serves from the file: who serves instead is another sink. */
	if (!dnsmasq->conf->dnsmasq.enabled)
		return dnsmasq->served = dnsmasq->stored;
	for (size_t i = dnsmasq->nhistory; i > oldest; i--) {
		const struct written *written = &dnsmasq->history[(i - 1) % HISTORY];

		if (written->generation <= dnsmasq->served)
			break;
		if (written->serial == dnsmasq->reload.served) {
			dnsmasq->served = written->generation;
			break;
		}
	}
	return dnsmasq->served;
}

static int sink_pollfds(void *self, struct pollfd *fds)
{
	return reload_pollfds(&((struct dnsmasq *)self)->reload, fds);
}

static int64_t sink_deadline_ms(void *self)
{
	const struct dnsmasq *dnsmasq = self;
	int64_t due_ms = reload_deadline_ms(&dnsmasq->reload);
	int64_t batch_ms = write_due_ms(dnsmasq, 0);

	if (turn_due_ms(dnsmasq) < due_ms)
		due_ms = turn_due_ms(dnsmasq);
	if (batch_ms < due_ms)
		due_ms = batch_ms;
	if (reversezones_deadline_ms(dnsmasq->zones) < due_ms)
		due_ms = reversezones_deadline_ms(dnsmasq->zones);
	if (dnsmasq->own_missing && dnsmasq->own_ms + OWN_AGE_MS < due_ms)
		due_ms = dnsmasq->own_ms + OWN_AGE_MS;
	return dnsmasq->write_ms < due_ms ? dnsmasq->write_ms : due_ms;
}

static void sink_step(void *self, const struct pollfd *fds, int nfds, int64_t now_ms)
{
	struct dnsmasq *dnsmasq = self;

	reload_hear(&dnsmasq->reload, fds, nfds, now_ms);
	if (dnsmasq->own_missing && dnsmasq->own_ms + OWN_AGE_MS <= now_ms) {
		refresh_own(dnsmasq, now_ms);
		if (dnsmasq->dirty && dnsmasq->write_ms == CLOCK_NEVER)
			write_if_dirty(dnsmasq, now_ms);
	}
	if (zones_changed(dnsmasq, now_ms) || turns(dnsmasq, now_ms))
		dnsmasq->dirty_ms = dnsmasq->write_ms == CLOCK_NEVER ? now_ms : CLOCK_NEVER;
	if (dnsmasq->write_ms <= now_ms)
		write_if_dirty(dnsmasq, now_ms);
	write_if_due(dnsmasq, now_ms);
	/* A SIGHUP that is due comes last: what waited for it is in the file by now. */
	reload_step(&dnsmasq->reload, now_ms);
}

static const char *sink_trouble(void *self)
{
	const struct dnsmasq *dnsmasq = self;

	return dnsmasq->write_ms != CLOCK_NEVER ? dnsmasq->trouble : reload_trouble_text(&dnsmasq->reload);
}

static void sink_free(void *self)
{
	struct dnsmasq *dnsmasq = self;

	if (dnsmasq->dirty_ms != CLOCK_NEVER && write_file(dnsmasq, hostsfile_serial_next(dnsmasq->serial)) < 0)
		log_warn("hosts file=%s lacks the last changes; the next start of callsignd brings them", dnsmasq->conf->dnsmasq.hosts_file);
	reload_clear(&dnsmasq->reload);
	reversezones_free(dnsmasq->zones);
	hostsfile_free(dnsmasq->file);
	free(dnsmasq->own);
	free(dnsmasq);
}

static const struct sink_operations operations = {
	.listing = sink_listing,
	.gone = sink_gone,
	.flush = sink_flush,
	.stored = sink_stored,
	.served = sink_served,
	.pollfds = sink_pollfds,
	.deadline_ms = sink_deadline_ms,
	.step = sink_step,
	.trouble = sink_trouble,
	.free = sink_free,
};

struct sink dnsmasq_sink(struct dnsmasq *dnsmasq)
{
	return (struct sink){.name = "dnsmasq", .required = true, .operations = &operations, .self = dnsmasq};
}

/* ---- beginning, restart, reload ---- */

static void note_reload(void *arg, uint64_t us)
{
	struct dnsmasq_stats *stats = arg;
	unsigned i = 0;

	while (i < DNSMASQ_BUCKETS - 1 && us > UINT64_C(100) << i)
		i++;
	stats->bucket[i]++;
}

static void domains_of(const struct conf *conf, struct hostsfile_domains *out)
{
	memset(out, 0, sizeof(*out));
	for (; out->count < conf->policy.ndomains; out->count++)
		snprintf(out->names[out->count], sizeof(out->names[0]), "%s", conf->policy.domains[out->count].name);
	if (out->count == 0)
		snprintf(out->names[out->count++], sizeof(out->names[0]), "%s", conf->domain);
}

struct dnsmasq *dnsmasq_new(const struct conf *conf, const struct localaddr *localaddr, int64_t now_ms)
{
	struct dnsmasq *dnsmasq = calloc(1, sizeof(*dnsmasq));

	if (dnsmasq == NULL)
		return NULL;
	domains_of(conf, &dnsmasq->domains);
	dnsmasq->file = hostsfile_new(&dnsmasq->domains);
	dnsmasq->zones = reversezones_new();
	if (dnsmasq->file == NULL || dnsmasq->zones == NULL) {
		reversezones_free(dnsmasq->zones);
		hostsfile_free(dnsmasq->file);
		free(dnsmasq);
		return NULL;
	}
	dnsmasq->conf = conf;
	dnsmasq->localaddr = localaddr;
	dnsmasq->dirty = dnsmasq->records = true;
	dnsmasq->write_ms = dnsmasq->dirty_ms = CLOCK_NEVER;
	reload_init(&dnsmasq->reload, conf, localaddr, now_ms);
	dnsmasq->reload.stats.reloaded = note_reload;
	dnsmasq->reload.stats.arg = &dnsmasq->stats;
	dnsmasq->turned_ms = now_ms;
	(void)room_changed(dnsmasq);
	place_read_boot_id(dnsmasq->boot_id); /* "": nothing that holds only for one boot is believed */
	refresh_own(dnsmasq, now_ms);
	return dnsmasq;
}

void dnsmasq_bridges(struct dnsmasq *dnsmasq, const struct localnet *localnet, int64_t now_ms)
{
	reversezones_bridges(dnsmasq->zones, localnet, now_ms);
}

void dnsmasq_restore(struct dnsmasq *dnsmasq, hostsfile_visit *visit, void *arg)
{
	const char *path = dnsmasq->conf->dnsmasq.hosts_file;
	struct hostsfile_content content;

	if (hostsfile_read(path, &dnsmasq->domains, dnsmasq->boot_id, visit, arg, &content) < 0) {
		if (errno != ENOENT)
			log_warn("hosts file=%s is not read back", path);
	} else if (content.skipped > 0) {
		log_warnx("hosts file=%s read back: instances=%zu; lines=%zu that are not callsignd's are skipped",
			  path, content.instances, content.skipped);
	} else {
		log_info("hosts file=%s read back: instances=%zu", path, content.instances);
	}
	dnsmasq->serial = content.serial != HOSTSFILE_SERIAL_NONE ? content.serial
								  : HOSTSFILE_SERIAL_MAX; /* then the first is MIN */
	dnsmasq->restored = content.serial != HOSTSFILE_SERIAL_NONE;
}

int dnsmasq_configure(struct dnsmasq *dnsmasq, const struct conf *conf, int64_t now_ms)
{
	const struct conf *old = dnsmasq->conf;
	struct hostsfile_domains before = dnsmasq->domains;

	domains_of(conf, &dnsmasq->domains);
	if (!hostsfile_same_domains(&before, &dnsmasq->domains)) {
		hostsfile_set_domains(dnsmasq->file, &dnsmasq->domains); /* the view tells every listing anew */
		dnsmasq->dirty = dnsmasq->records = true;
	}
	if (strcmp(old->dnsmasq.hosts_file, conf->dnsmasq.hosts_file) != 0)
		dnsmasq->dirty = dnsmasq->records = true;
	dnsmasq->conf = conf;
	if (room_changed(dnsmasq))
		dnsmasq->dirty = dnsmasq->records = true;
	reversezones_again(dnsmasq->zones, now_ms);
	reload_configure(&dnsmasq->reload, conf, now_ms);
	refresh_own(dnsmasq, now_ms);
	return 0;
}

bool dnsmasq_in_turn(const struct dnsmasq *dnsmasq, unsigned family, const char *fqdn, struct crowd *out)
{
	return crowds_find(hostsfile_crowds(dnsmasq->file), family, fqdn, out);
}

void dnsmasq_stats(const struct dnsmasq *dnsmasq, struct dnsmasq_stats *out)
{
	const struct reload_stats *reload = &dnsmasq->reload.stats;

	*out = dnsmasq->stats;
	out->stored = dnsmasq->stored;
	out->signals = reload->signals;
	out->streams_ended = dnsmasq->reload.streams.ended;
	out->reloads = reload->reloads;
	out->last_reload_us = reload->last_us;
	out->sum_reload_us = reload->sum_us;
	out->written_serial = dnsmasq->nhistory > 0 ? dnsmasq->serial : HOSTSFILE_SERIAL_NONE;
	out->served_serial = dnsmasq->reload.served;
	out->in_turn = crowds_over(hostsfile_crowds(dnsmasq->file));
}
