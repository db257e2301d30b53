#ifndef CALLSIGN_TESTS_HOSTKIT_H
#define CALLSIGN_TESTS_HOSTKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/registry/registry.h"
#include "host/registry/view.h"
#include "shared/clock.h"

/*
 * A registry with its view and a clock of its own, for the tests of what a host believes. Small numbers stand for
 * things: instance 3 is younger than instance 2, session 0 is "no session", address 7 is 198.18.0.7. Time passes only
 * in kit_pass(), which ticks exactly at the registry's own deadlines, so a deadline that is missing or stays in the
 * past fails a test.
 */
struct kit {
	struct registry_options options;
	struct registry *registry;
	struct view *view;
	enum view_conflict view_conflict;
	struct registry_watcher views; /* the view's watcher, which ours passes on to */
	int64_t now_ms;
	unsigned fresh, changed, doubted, gone; /* calls of the watcher: changed with fact->view NULL, changed, doubted, gone */
	const char *why;               /* of the last gone */
	const char *refused_name;      /* policy: this name is not allowed to anybody; NULL: all are */
	unsigned refused_address;      /* likewise; 0: all are allowed */
	size_t max_names;              /* of each user; 0: no bound */
	unsigned host;                 /* this host's, as in kit_place(); 0: not known */
	unsigned own_below;            /* addresses below this one are in the range of a bridge of this host */
	int64_t agent_grace_ms;        /* of each user, beside the registry's own */
	char text[512];
};

#define KIT_START_MS 5000000
#define KIT_LEASE_S  360

static inline struct ident kit_instance(unsigned n)
{
	/* Laid out as RFC 9562, section 5.7: time first, so that n orders them. */
	return (struct ident){{0x01, 0x90, 0, 0, (uint8_t)(n >> 8), (uint8_t)n, 0x70, 1, 0x80, 2, 3, 4, 5, 6, 7, 8}};
}

static inline struct ident kit_session(unsigned n)
{
	/* Random bits on the wire: must not happen to sort like the instances. */
	return (struct ident){
		{(uint8_t)(251 - 7 * n), 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, (uint8_t)(n >> 8), (uint8_t)n}};
}

static inline struct address kit_address(unsigned n)
{
	return (struct address){4, {198, 18, (uint8_t)(n >> 8), (uint8_t)n}};
}

static inline unsigned kit_address_number(const struct address *address)
{
	return (unsigned)address->bytes[2] << 8 | address->bytes[3];
}

static inline unsigned kit_instance_number(const struct ident *instance)
{
	return (unsigned)instance->bytes[4] << 8 | instance->bytes[5];
}

static inline struct announcement kit_message(enum announcement_op op, const char *name, unsigned instance,
					      unsigned session, uint64_t seq)
{
	struct announcement message;

	memset(&message, 0, sizeof(message));
	message.op = op;
	snprintf(message.name, sizeof(message.name), "%s", name);
	message.instance = kit_instance(instance);
	message.has_session = session != 0;
	if (session)
		message.session = kit_session(session);
	message.seq = seq;
	return message;
}

static inline struct announcement kit_announce(const char *name, unsigned instance, unsigned session, uint64_t seq,
					       unsigned address)
{
	struct announcement message = kit_message(ANNOUNCEMENT_UP, name, instance, session, seq);

	message.lease_s = KIT_LEASE_S;
	message.naddresses = 1;
	message.addresses[0] = kit_address(address);
	return message;
}

static inline void kit_add_address(struct announcement *message, unsigned address)
{
	message->addresses[message->naddresses++] = kit_address(address);
}

static inline void kit_add_alias(struct announcement *message, const char *alias)
{
	snprintf(message->aliases[message->naliases++], HOSTNAME_NAME_SIZE, "%s", alias);
}

static inline void kit_on_changed(void *arg, struct fact *fact)
{
	struct kit *kit = arg;

	kit->changed++;
	kit->fresh += fact->view == NULL;
	kit->views.changed(kit->views.arg, fact);
}

static inline void kit_on_doubted(void *arg, struct fact *fact)
{
	struct kit *kit = arg;

	kit->doubted++;
	kit->views.doubted(kit->views.arg, fact);
}

static inline void kit_on_gone(void *arg, struct fact *fact, const char *why, const char *reason)
{
	struct kit *kit = arg;

	kit->gone++;
	kit->why = why;
	kit->views.gone(kit->views.arg, fact, why, reason);
}

/* host 0: none. */
static inline struct place kit_place(unsigned host, unsigned netns)
{
	return (struct place){host, host != 0 ? netns : 0};
}

static inline bool kit_own_network(void *arg, const struct address *address)
{
	const struct kit *kit = arg;

	return kit_address_number(address) < kit->own_below;
}

static inline uint32_t kit_name_allowed(void *arg, const char *user, const char *name)
{
	const struct kit *kit = arg;

	(void)user;
	return !kit->refused_name || strcmp(name, kit->refused_name) != 0;
}

static inline uint32_t kit_address_allowed(void *arg, const char *user, const struct address *address)
{
	const struct kit *kit = arg;

	(void)user;
	return !kit->refused_address || kit_address_number(address) != kit->refused_address;
}

static inline int64_t kit_lost_grace_ms(void *arg, const char *user)
{
	const struct kit *kit = arg;

	(void)user;
	return kit->agent_grace_ms;
}

static inline size_t kit_max_names(void *arg, const char *user)
{
	const struct kit *kit = arg;

	(void)user;
	return kit->max_names;
}

static inline struct view_policy kit_policy(struct kit *kit)
{
	return (struct view_policy){.name_domains = kit_name_allowed,
				    .address_domains = kit_address_allowed,
				    .host = kit->host,
				    .own_network = kit_own_network,
				    .arg = kit};
}

/* As the configuration does with `domain`. */
static inline void kit_serve(struct policy *policy, const char *name)
{
	policy->domains = calloc(1, sizeof(*policy->domains));
	assert_non_null(policy->domains);
	policy->domains[0].name = strdup(name);
	policy->ndomains = 1;
}

static inline struct registry_options kit_options(void)
{
	return (struct registry_options){.lost_grace_ms = 0,
					 .resync_timeout_ms = 8000,
					 .max_lease_s = ANNOUNCEMENT_LEASE_MAX_S,
					 .max_ended_per_user = 1000};
}

/* A daemon that has just started: nothing restored, not connected. */
static inline void kit_open(struct kit *kit, const struct registry_options *options, enum view_conflict conflict)
{
	struct registry_watcher watcher = {.changed = kit_on_changed, .gone = kit_on_gone, .doubted = kit_on_doubted, .max_names = kit_max_names,
	                                   .lost_grace_ms = kit_lost_grace_ms, .arg = kit};
	struct view_policy policy;

	memset(kit, 0, sizeof(*kit));
	policy = kit_policy(kit);
	kit->options = *options;
	kit->now_ms = KIT_START_MS;
	kit->view_conflict = conflict;
	kit->view = view_new(conflict, &policy);
	assert_non_null(kit->view);
	kit->views = view_registry_watcher(kit->view);
	kit->registry = registry_new(options, &watcher, kit->now_ms);
	assert_non_null(kit->registry);
}

/* What this host sees of itself. */
static inline void kit_own(struct kit *kit, unsigned host, unsigned own_below)
{
	struct view_policy policy;

	kit->host = host;
	kit->own_below = own_below;
	policy = kit_policy(kit);
	view_set_policy(kit->view, kit->view_conflict, &policy);
}

static inline void kit_close(struct kit *kit)
{
	registry_free(kit->registry);
	view_free(kit->view);
}

/* What the daemon's loop does after each event: what is due goes, and the view is brought up to date. */
static inline void kit_settle(struct kit *kit)
{
	if (registry_deadline_ms(kit->registry) <= kit->now_ms) {
		registry_tick(kit->registry, kit->now_ms);
		assert_true(registry_deadline_ms(kit->registry) > kit->now_ms);
	}
	view_refresh(kit->view);
}

static inline void kit_pass(struct kit *kit, int64_t ms)
{
	int64_t end_ms = kit->now_ms + ms;
	int64_t deadline_ms;

	while ((deadline_ms = registry_deadline_ms(kit->registry)) <= end_ms) {
		if (deadline_ms > kit->now_ms)
			kit->now_ms = deadline_ms;
		kit_settle(kit);
	}
	kit->now_ms = end_ms;
}

static inline enum registry_verdict kit_deliver(struct kit *kit, const struct announcement *message, const char *user)
{
	enum registry_verdict verdict;

	if (message->op == ANNOUNCEMENT_UP)
		verdict = registry_up(kit->registry, message, user, kit->now_ms);
	else if (message->op == ANNOUNCEMENT_DOWN)
		verdict = registry_down(kit->registry, message, user, kit->now_ms);
	else
		verdict = registry_lost(kit->registry, message, user, kit->now_ms);
	kit_settle(kit);
	return verdict;
}

/* The usual messages of the usual user. */
static inline enum registry_verdict kit_up(struct kit *kit, const char *name, unsigned instance, unsigned session,
					   uint64_t seq, unsigned address)
{
	struct announcement message = kit_announce(name, instance, session, seq, address);

	return kit_deliver(kit, &message, "web");
}

static inline enum registry_verdict kit_down(struct kit *kit, const char *name, unsigned instance, unsigned session,
					     uint64_t seq)
{
	struct announcement message = kit_message(ANNOUNCEMENT_DOWN, name, instance, session, seq);

	return kit_deliver(kit, &message, "web");
}

static inline enum registry_verdict kit_lost(struct kit *kit, const char *name, unsigned instance, unsigned session)
{
	struct announcement message = kit_message(ANNOUNCEMENT_LOST, name, instance, session, 0);

	return kit_deliver(kit, &message, "web");
}

static inline void kit_restore(struct kit *kit, const char *name, unsigned instance, unsigned session, unsigned address)
{
	struct announcement message = kit_announce(name, instance, session, 0, address);

	assert_int_equal(registry_restore(kit->registry, &message, "web", CLOCK_NEVER, kit->now_ms), REGISTRY_APPLIED);
	kit_settle(kit);
}

static inline void kit_connect(struct kit *kit)
{
	registry_connected(kit->registry, kit->now_ms);
	kit_settle(kit);
}

static inline void kit_marker(struct kit *kit)
{
	registry_marker(kit->registry, kit->now_ms);
	kit_settle(kit);
}

static inline void kit_disconnect(struct kit *kit)
{
	registry_disconnected(kit->registry, kit->now_ms);
	kit_settle(kit);
}

static inline struct registry_counts kit_counts(const struct kit *kit)
{
	struct registry_counts counts;

	registry_count(kit->registry, &counts);
	return counts;
}

static inline struct fact *kit_find(const struct kit *kit, unsigned instance)
{
	struct ident ident = kit_instance(instance);

	return registry_find(kit->registry, &ident);
}

/* 'c'onfirmed, 'u'nconfirmed, 'l'ost, '-' not there. */
static inline char kit_state(const struct kit *kit, unsigned instance)
{
	const struct fact *fact = kit_find(kit, instance);

	if (!fact)
		return '-';
	return fact->state == FACT_CONFIRMED ? 'c' : fact->state == FACT_UNCONFIRMED ? 'u' : 'l';
}

/* A daemon that has been running for a while, with nothing known. */
static inline void kit_open_synced(struct kit *kit, const struct registry_options *options, enum view_conflict conflict)
{
	kit_open(kit, options, conflict);
	kit_connect(kit);
	kit_marker(kit);
	assert_int_equal(kit_counts(kit).resync, REGISTRY_SYNCED);
}

struct kit_query {
	const char *name;
	uint64_t listed[16]; /* a bit for each address number under 1024 */
};

static inline bool kit_listing_has(const struct listing *listing, const char *name)
{
	if (listing->names & 1 && strcmp(listing->fact->name, name) == 0)
		return true;
	for (unsigned i = 0; i < listing->fact->naliases; i++)
		if (listing->names >> (i + 1) & 1 && strcmp(listing->fact->aliases[i], name) == 0)
			return true;
	return false;
}

static inline bool kit_collect(void *arg, const struct listing *listing)
{
	struct kit_query *query = arg;

	if (kit_listing_has(listing, query->name))
		for (unsigned i = 0; i < listing->fact->naddresses; i++)
			if (listing->addresses >> i & 1) {
				unsigned number = kit_address_number(&listing->fact->addresses[i]);

				query->listed[number / 64 % 16] |= UINT64_C(1) << number % 64;
			}
	return true;
}

/* The addresses that name resolves to, as sorted numbers with a blank between ("" for none). Overwritten by the next
 * call. */
static inline const char *kit_served(struct kit *kit, const char *name)
{
	struct kit_query query = {.name = name};
	size_t length = 0;

	view_each(kit->view, kit_collect, &query);
	kit->text[0] = '\0';
	for (unsigned number = 0; number < 1024; number++)
		if (query.listed[number / 64] >> number % 64 & 1) {
			assert_true(length + 6 < sizeof(kit->text));
			length += (size_t)snprintf(kit->text + length, sizeof(kit->text) - length,
						   length ? " %u" : "%u", number);
		}
	return kit->text;
}

#endif
