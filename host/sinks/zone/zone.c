#include <config.h>

#include "zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "client.h"
#include "conf.h"
#include "records.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "sinks/common/pace.h"
#include "stream.h"

#define CLIENTS_MAX (1 + ZONE_CONF_REVERSE_MAX)
#define EVENTS_MAX (2 * CLIENTS_MAX)

/* What one instance wishes for. */
struct entry {
	UT_hash_handle hh;
	struct ident instance;
	const struct fact *fact; /* until its listing has gone */
	struct entry *next;      /* of those to be worked out anew */
	uint64_t lead;           /* zone_records_lead() when it was worked out */
	size_t nwishes;
	struct wish {
		struct zone_table *table;
		struct zone_wish wish;
	} wishes[];
};

struct zone {
	char name[SINK_NAME_SIZE];
	const struct conf *conf;      /* borrowed */
	const struct zone_conf *mine; /* its section */
	int epoll;
	struct zone_client *clients[CLIENTS_MAX]; /* the first is the forward zone's */
	size_t nclients;
	struct entry *entries;
	uint64_t generation;
	bool settled;
	struct pace renewals; /* of what leads to names of others */
};

/* ---- what is wished for ---- */

struct writing {
	struct zone *zone;
	struct wish *wishes;
	size_t count, room;
};

/* The client whose zone the name is in, or NULL: an address outside of the reverse zones. Of several the innermost. */
static struct zone_client *find_client(const struct zone *zone, const char *name)
{
	struct zone_client *best = NULL;
	size_t i;

	for (i = 0; i < zone->nclients; i++) {
		const char *candidate = zone_client_zone(zone->clients[i]);

		if (zone_name_within(name, candidate) && strcmp(name, candidate) != 0 &&
		    (best == NULL || strlen(candidate) > strlen(zone_client_zone(best))))
			best = zone->clients[i];
	}
	return best;
}

static int write_record(void *arg, const char *name, uint16_t type, const uint8_t *data, size_t length)
{
	struct writing *writing = arg;
	struct zone_client *client = find_client(writing->zone, name);
	struct zone_table *table;

	if (client == NULL || length == 0)
		return 0;
	if (writing->count == writing->room) {
		size_t room = writing->room * 2 + 8;
		struct wish *wishes = reallocarray(writing->wishes, room, sizeof *wishes);

		if (wishes == NULL)
			return -1;
		writing->wishes = wishes;
		writing->room = room;
	}
	table = zone_client_table(client);
	writing->wishes[writing->count].table = table;
	if (zone_table_want(table, name, type, data, length, &writing->wishes[writing->count].wish) == -1)
		return -1;
	writing->count++;
	return 0;
}

static bool is_foreign(void *arg, const char *fqdn)
{
	const struct writing *writing = arg;
	struct zone_client *client = find_client(writing->zone, fqdn);

	return client != NULL && zone_table_foreign(zone_client_table(client), fqdn);
}

static void entry_drop(struct zone *zone, struct entry *entry)
{
	size_t i;

	if (entry == NULL)
		return;
	HASH_DEL(zone->entries, entry);
	for (i = 0; i < entry->nwishes; i++)
		zone_table_unwant(entry->wishes[i].table, &entry->wishes[i].wish);
	free(entry);
}

static struct entry *entry_find(const struct zone *zone, const struct ident *instance)
{
	struct entry *entry;

	HASH_FIND(hh, zone->entries, instance, sizeof *instance, entry);
	return entry;
}

static struct entry *entry_make(const struct writing *writing, const struct fact *fact)
{
	struct entry *entry = calloc(1, sizeof *entry + writing->count * sizeof *writing->wishes);

	if (entry == NULL)
		return NULL;
	entry->instance = fact->instance;
	entry->fact = fact;
	entry->nwishes = writing->count;
	if (writing->count > 0)
		memcpy(entry->wishes, writing->wishes, writing->count * sizeof *writing->wishes);
	return entry;
}

static struct zone_writer writer_of(const struct zone *zone, struct writing *writing)
{
	return (struct zone_writer){
		.zone = zone->mine->name, .wildcard = zone->mine->wildcard, .emit = write_record, .foreign = is_foreign, .arg = writing,
	};
}

static void entry_write(struct zone *zone, const struct listing *listing)
{
	struct writing writing = {.zone = zone};
	struct zone_writer writer = writer_of(zone, &writing);
	struct entry *before, *entry = NULL;

	/* The new wishes come before the old ones go, so that what stays is not touched. */
	if (zone_records(&zone->conf->policy, listing, &writer) == 0)
		entry = entry_make(&writing, listing->fact);
	/* As the view does: a table that is silently wrong would be worse than a restart, which reads it back. */
	if (entry == NULL)
		abort();
	free(writing.wishes);
	entry->lead = zone_records_lead(&zone->conf->policy, listing, &writer);
	before = entry_find(zone, &entry->instance);
	entry_drop(zone, before);
	if (entry->nwishes > 0)
		HASH_ADD(hh, zone->entries, instance, sizeof entry->instance, entry);
	else
		free(entry);
}

/* Whether it makes a difference to the entry that a name is somebody else's now, or no longer: one of its own names is, and something of it leads elsewhere. */
static bool entry_turned(struct zone *zone, const struct entry *entry)
{
	const struct zone_table *table = zone_client_table(zone->clients[0]);
	struct writing writing = {.zone = zone};
	struct zone_writer writer = writer_of(zone, &writing);
	size_t i;

	if (zone->nclients == 1 && (entry->fact->naliases == 0 || entry->fact->nports == 0))
		return false;
	for (i = 0; i < entry->nwishes; i++) {
		if (entry->wishes[i].table == table && zone_node_turned(table, entry->wishes[i].wish.node))
			return zone_records_lead(&zone->conf->policy, view_listing(entry->fact), &writer) != entry->lead;
	}
	return false;
}

/* ---- the sink's operations ---- */

static void sink_listing(void *self, const struct listing *listing, bool records)
{
	if (records)
		entry_write(self, listing);
}

/* Each looks at all entries, and somebody else may cause as many as he likes. */
#define RENEWALS_PART     20
#define RENEWALS_SAVED_US 50000

/* When what leads to names that turned is to be worked out anew; CLOCK_NEVER: none has. */
static int64_t renewal_due_us(const struct zone *zone, int64_t now_us)
{
	if (zone->nclients == 0 || !zone_table_turned(zone_client_table(zone->clients[0])))
		return CLOCK_NEVER;
	return pace_due_us(&zone->renewals, now_us);
}

static bool sink_renew(void *self)
{
	struct zone *zone = self;
	struct entry *entry, *next, *turned = NULL;
	int64_t began_us = clock_us();
	bool any;

	if (renewal_due_us(zone, began_us) > began_us)
		return false;
	HASH_ITER(hh, zone->entries, entry, next) {
		if (entry_turned(zone, entry))
			LL_PREPEND(turned, entry);
	}
	any = turned != NULL;
	for (; turned != NULL; turned = next) {
		next = turned->next;
		entry_write(zone, view_listing(turned->fact));
	}
	zone_table_turns_seen(zone_client_table(zone->clients[0]));
	pace_spend(&zone->renewals, clock_us() - began_us, clock_us());
	return any;
}

static void sink_gone(void *self, const struct listing *listing)
{
	entry_drop(self, entry_find(self, &listing->fact->instance));
}

static void step_clients(struct zone *zone, int64_t now_ms)
{
	size_t i;

	for (i = 0; i < zone->nclients; i++)
		zone_client_step(zone->clients[i], now_ms);
}

static void sink_flush(void *self, uint64_t generation, int64_t now_ms)
{
	struct zone *zone = self;
	size_t i;

	zone->generation = generation;
	for (i = 0; i < zone->nclients; i++)
		zone_table_flush(zone_client_table(zone->clients[i]), generation);
	step_clients(zone, now_ms);
}

static uint64_t sink_stored(void *self)
{
	return ((struct zone *)self)->generation;
}

static uint64_t sink_served(void *self)
{
	struct zone *zone = self;

	/* What another daemon writes is not ours to wait for. */
	return zone->mine->standby ? zone->generation : zone_table_served(zone_client_table(zone->clients[0]));
}

static int sink_pollfds(void *self, struct pollfd *fds)
{
	fds[0] = (struct pollfd){.fd = ((struct zone *)self)->epoll, .events = POLLIN};
	return 1;
}

static int64_t sink_deadline_ms(void *self)
{
	const struct zone *zone = self;
	int64_t due_us = renewal_due_us(zone, clock_us()), due = due_us == CLOCK_NEVER ? CLOCK_NEVER : (due_us + 999) / 1000, other;
	size_t i;

	for (i = 0; i < zone->nclients; i++) {
		other = zone_client_deadline_ms(zone->clients[i]);
		due = other < due ? other : due;
	}
	return due;
}

static void sink_step(void *self, const struct pollfd *fds, int nfds, int64_t now_ms)
{
	struct zone *zone = self;
	struct epoll_event events[EVENTS_MAX];
	int i, count = 0;

	if (nfds > 0 && fds[0].revents != 0)
		count = epoll_wait(zone->epoll, events, EVENTS_MAX, 0);
	for (i = 0; i < count; i++)
		((struct zone_stream *)events[i].data.ptr)->ready = true;
	if (count > 0 || sink_deadline_ms(zone) <= now_ms)
		step_clients(zone, now_ms);
}

static void sink_settled(void *self, int64_t now_ms)
{
	struct zone *zone = self;
	size_t i;

	if (zone->settled)
		return;
	zone->settled = true;
	for (i = 0; i < zone->nclients; i++)
		zone_table_settle(zone_client_table(zone->clients[i]));
	step_clients(zone, now_ms);
}

static const char *sink_trouble(void *self)
{
	const struct zone *zone = self;
	const char *trouble = NULL;
	size_t i;

	for (i = 0; i < zone->nclients && trouble == NULL; i++)
		trouble = zone_client_trouble(zone->clients[i]);
	return trouble;
}

static const char *sink_refusal(void *self, const char *fqdn)
{
	const struct zone *zone = self;
	struct zone_client *client = find_client(zone, fqdn);

	return client != NULL ? zone_table_refusal(zone_client_table(client), fqdn) : NULL;
}

/* ---- beginning, reload, end ---- */

static void close_clients(struct zone *zone)
{
	struct entry *entry, *next;

	HASH_ITER(hh, zone->entries, entry, next) {
		HASH_DEL(zone->entries, entry);
		free(entry);
	}
	while (zone->nclients > 0)
		zone_client_free(zone->clients[--zone->nclients]);
}

static void log_refused(void *arg, const char *name, const char *reason)
{
	const struct zone *zone = arg;

	log_warnx("sink=\"%s\" name=%s is left alone: %s", zone->name, name, reason);
}

static void log_released(void *arg, const char *name)
{
	const struct zone *zone = arg;

	log_info("sink=\"%s\" name=%s is free now", zone->name, name);
}

static int open_client(struct zone *zone, const char *name, int64_t now_ms)
{
	struct zone_client *client = zone_client_new(name, zone->mine, zone->epoll, now_ms);
	struct zone_table_watcher watcher = {.refused = log_refused, .released = log_released, .arg = zone};

	if (client == NULL)
		return -1;
	zone_table_watch(zone_client_table(client), &watcher);
	/* So that what is told of next belongs to the batch that comes next. */
	zone_table_flush(zone_client_table(client), zone->generation);
	if (zone->settled)
		zone_table_settle(zone_client_table(client));
	zone->clients[zone->nclients++] = client;
	return 0;
}

static int open_clients(struct zone *zone, int64_t now_ms)
{
	size_t i;

	if (open_client(zone, zone->mine->name, now_ms) == -1)
		return -1;
	for (i = 0; i < zone->mine->nreverse; i++) {
		if (open_client(zone, zone->mine->reverse[i], now_ms) == -1)
			return -1;
	}
	return 0;
}

static const struct zone_conf *find_section(const struct zone *zone, const struct conf *conf)
{
	const struct zone_conf *section;
	size_t i = 0;

	while ((section = zone_conf(conf, i)) != NULL && strcmp(section->name, zone->mine->name) != 0)
		i++;
	return section;
}

static bool sink_configure(void *self, const struct conf *conf, int64_t now_ms)
{
	struct zone *zone = self;
	const struct zone_conf *mine = find_section(zone, conf);
	bool same = mine != NULL && zone_conf_same(mine, zone->mine);
	size_t i;

	zone->conf = conf;
	zone->mine = mine;
	if (same) {
		for (i = 0; i < zone->nclients; i++)
			zone_client_configure(zone->clients[i], i == 0 ? mine->name : mine->reverse[i - 1], mine);
		return false;
	}
	close_clients(zone);
	if (open_clients(zone, now_ms) == -1)
		abort(); /* no memory, see above */
	return true;
}

static void sink_free(void *self)
{
	struct zone *zone = self;

	close_clients(zone);
	if (zone->epoll != -1)
		close(zone->epoll);
	free(zone);
}

static const struct sink_operations operations = {
	.listing = sink_listing,
	.gone = sink_gone,
	.renew = sink_renew,
	.flush = sink_flush,
	.stored = sink_stored,
	.served = sink_served,
	.pollfds = sink_pollfds,
	.deadline_ms = sink_deadline_ms,
	.step = sink_step,
	.settled = sink_settled,
	.configure = sink_configure,
	.trouble = sink_trouble,
	.refusal = sink_refusal,
	.free = sink_free,
};

static void make_name(const struct zone_conf *section, char out[SINK_NAME_SIZE])
{
	/* One that does not fit would be cut, and two might then be the same: the configuration allows none of that length. */
	snprintf(out, SINK_NAME_SIZE, "zone %s", section->name);
}

static bool zone_wanted(const struct conf *conf, size_t i, char name[SINK_NAME_SIZE], bool *required)
{
	const struct zone_conf *section = zone_conf(conf, i);

	if (section == NULL)
		return false;
	make_name(section, name);
	*required = section->required;
	return true;
}

static int zone_make(const struct conf *conf, size_t i, int64_t now_ms, struct sink *out)
{
	struct zone *zone = calloc(1, sizeof *zone);

	if (zone == NULL)
		return -1;
	zone->conf = conf;
	zone->mine = zone_conf(conf, i);
	make_name(zone->mine, zone->name);
	pace_init(&zone->renewals, RENEWALS_PART, RENEWALS_SAVED_US, clock_us());
	zone->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (zone->epoll == -1 || open_clients(zone, now_ms) == -1) {
		int error = errno;

		sink_free(zone);
		errno = error;
		return -1;
	}
	*out = (struct sink){.name = zone->name, .operations = &operations, .self = zone};
	return 0;
}

const struct sink_kind zone_kind = {zone_wanted, zone_make};
