#ifndef CALLSIGN_REGISTRY_H
#define CALLSIGN_REGISTRY_H

/*
 * The room host/registry/: who is there (the registry), who may be (the policy), and what is served of it (the view). Pure: every time is an argument,
 * nothing is read, and nothing written but the log (changelog.h). It uses shared/contract, and must not know brokers, configuration files or sinks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/contract/announcement.h"

/*
 * The facts: for each instance exactly what it last announced, and which sessions and instances have ended. Pure: the time
 * is an argument, nothing is read or written. What is served to people is the view's business (view.h), which watches the
 * facts through struct registry_watcher. docs/protocol, "What a host believes", has the rules in words.
 *
 * Times are milliseconds on the monotonic clock. Users are the broker's user_id; "" stands for none (policy unsigned).
 */
struct registry;

enum fact_state {
	FACT_CONFIRMED,
	FACT_UNCONFIRMED, /* true before the connection was lost or before a restart; waiting for its emitter to say so again */
	FACT_LOST         /* its session has died; goes when lost_grace is over, and the broker was asked, unless a new session takes it up */
};

struct fact {
	struct ident instance;
	struct ident session;
	uint64_t seq;
	int64_t since_ms;   /* when this instance was first heard of */
	int64_t expires_ms; /* end of the lease; meaningless while disconnected */
	const char *user;   /* owned by the registry */
	const char *name;   /* owned by the fact */
	const struct address *addresses;
	const char *const *aliases;
	const struct announcement_port *ports; /* sorted by name; NULL if there are none */
	void *view;         /* the watcher's own */
	struct place place; /* none: not said */
	uint32_t lease_s; /* clamped */
	uint8_t state;    /* enum fact_state */
	uint16_t revision; /* another one each time that addresses, aliases, ports or the place change */
	uint16_t origin;   /* another one each time that the session or the place change */
	uint8_t naddresses, naliases, nports;
	uint8_t agent; /* see fact_agent() */
	bool has_session;
	bool doubted; /* kept after a mass loss: its lease is written down, so that a daemon's restart does not begin another */
};

/* What its emitter says that it is ("callsign-emit/0.2 librabbitmq/0.18.1"); NULL: not said. A later one replaces it without a word to the watcher. */
const char *fact_agent(const struct fact *fact);

enum registry_verdict {
	REGISTRY_APPLIED,        /* the facts are now what the message says */
	REGISTRY_IGNORED_OLD,    /* seq not newer */
	REGISTRY_IGNORED_ENDED,  /* its session or instance has ended */
	REGISTRY_IGNORED_STALE,  /* a lost of a session that is not the current one, a lost or down of an unknown instance: noted, no more */
	REGISTRY_REJECTED_NAME,  /* the instance is known under another name */
	REGISTRY_REJECTED_USER,  /* the instance belongs to another user */
	REGISTRY_REJECTED_LIMIT, /* this user has as many names, or records, as it may have */
	REGISTRY_REJECTED_MEMORY
};

const char *registry_verdict_text(enum registry_verdict verdict);

/* Called from within registry_* functions. They must not call back into the registry. */
struct registry_watcher {
	void (*changed)(void *arg, struct fact *fact); /* new, or another announcement or session; fact->view is NULL when new */
	/* About to be freed. why: "down", "withdrawn", "lost", "lease over", "not confirmed", "forgotten", "address claimed", "legacy is off".
	 * reason: what its emitter said of why it withdraws; NULL: nothing. */
	void (*gone)(void *arg, struct fact *fact, const char *why, const char *reason);
	void (*state)(void *arg, struct fact *fact); /* only its state changed, nothing else; also just before gone */
	void (*doubted)(void *arg, struct fact *fact); /* only doubted changed: nobody has said anything, but it is written down otherwise */
	void *arg;
	/* How many names a user may have, aliases counted; 0: no bound. NULL: nobody has a bound. */
	size_t (*max_names)(void *arg, const char *user);
	/* How long a user's names stay after `lost` at least, beside lost_grace_ms. NULL: no longer. */
	int64_t (*lost_grace_ms)(void *arg, const char *user);
};

/* The table's other bound for a user: a record is a name with an address, and for each name that it may have a user may have this many. */
#define REGISTRY_RECORDS_PER_NAME 4

struct registry_options {
	int64_t lost_grace_ms;     /* 0 */
	int64_t resync_timeout_ms; /* 8000 */
	uint32_t max_lease_s;      /* ANNOUNCEMENT_LEASE_MAX_S */
	size_t max_ended_per_user; /* sessions and instances remembered as ended; the oldest is forgotten first */
	bool ask;                  /* about each lost: see registry_asks */
};

#define REGISTRY_LOST_RECENTLY_MS 2000 /* a lost that short before our own connection drops is doubted */
#define REGISTRY_ANSWER_MS 1000        /* a question that nobody answered by then counts as answered: open */
#define REGISTRY_UNHEARD_MS 1000       /* a broker that answers later than that was not heard: nobody's silence in that time counts */
#define REGISTRY_CLOSED_MS 60000       /* lost_grace is at least this if the broker takes no connections */
#define REGISTRY_MASS_LOSS_MIN 20      /* more than this and more than half of all: kept until the leases end … */
#define REGISTRY_MASS_LOSS_PART 10     /* … or all but a tenth of them have come back, and the rest is silent for another resync_timeout */
#define REGISTRY_RESTORED_LEASE_S 360

/* NULL with errno. options are copied. Each of watcher's functions may be NULL. now_ms: from when on leases stand still until registry_connected. */
struct registry *registry_new(const struct registry_options *options, const struct registry_watcher *watcher, int64_t now_ms);
void registry_free(struct registry *registry); /* without calling gone */
void registry_set_options(struct registry *registry, const struct registry_options *options);

/*
 * A fact read back from the hosts file at start, unconfirmed. message: op up with name, instance, session (or none), addresses (at least 1),
 * aliases, ports, place; seq and lease_s are ignored. expires_ms: for one without session, and one that was doubted, when its lease ends; CLOCK_NEVER if
 * that is not known. One without session may be told of twice: as it was served, and, once everybody has been, with all that it has said.
 */
enum registry_verdict registry_restore(struct registry *registry, const struct announcement *message, const char *user,
                                       int64_t expires_ms, int64_t now_ms);

/* One message each, already decoded, checked against the broker's properties and the policy. */
enum registry_verdict registry_up(struct registry *registry, const struct announcement *message, const char *user, int64_t now_ms);
enum registry_verdict registry_down(struct registry *registry, const struct announcement *message, const char *user, int64_t now_ms);
enum registry_verdict registry_lost(struct registry *registry, const struct announcement *message, const char *user, int64_t now_ms);

/*
 * The older wire format (shared/contract/legacy.h): a name with one address, of nobody the broker vouches for. It lasts until its down, or until its address is
 * claimed: by another name of the same format, or by an `up` of version 1 that did not have that address before. It has no lease, takes no part in resyncs,
 * and may come back at any time after its down. All of them are this user's, a name that no user of the broker may have here; what several users claim is
 * decided as among others. up: also to restore one. end: all of them go. Returns how many.
 */
#define REGISTRY_LEGACY_USER "(legacy)"
enum registry_verdict registry_legacy_up(struct registry *registry, const struct announcement *message, int64_t now_ms);
enum registry_verdict registry_legacy_down(struct registry *registry, const struct announcement *message, int64_t now_ms);
size_t registry_legacy_end(struct registry *registry, int64_t now_ms);

/* The host's connection. connected: consuming, and about to send a roll call: a resync begins. marker: our own roll call came back.
 * disconnected: leases stand still; what was lost in the last 2 s comes back, unconfirmed. Each may be called in any state. */
void registry_connected(struct registry *registry, int64_t now_ms);
void registry_marker(struct registry *registry, int64_t now_ms);
void registry_disconnected(struct registry *registry, int64_t now_ms);

/*
 * The broker takes no messages (an alarm of its memory or disk), so that nobody can renew or answer a roll call: leases and resyncs stand still
 * until it is over. Graces do not: `lost` still comes through.
 */
void registry_blocked(struct registry *registry, bool blocked, int64_t now_ms);

/*
 * Silence says something of others only as long as the broker is heard. judges: is anybody's to be judged now (a lease, or the end of a resync; at times
 * also where it turns out that nobody's is)? Then ask the broker something, and say so (unheard): until it is answered (unheard no more) leases and resyncs
 * stand still, and if that took long the leases are longer by it, and whoever is still missing has another half of resync_timeout. Answered means that all
 * that was sent to us before has been taken.
 */
bool registry_judges(const struct registry *registry, int64_t now_ms);
void registry_unheard(struct registry *registry, bool unheard, int64_t now_ms);

/*
 * Whether something keeps from us what we wait for: a session's lease has less than a quarter left (renewals come each third), or half of a
 * resync's time has passed without an answer. Then it is time to find out whether the broker takes messages at all. Ask at registry_doubt_ms() or
 * later (which may be early; CLOCK_NEVER: no need). After a yes the next one comes no sooner than REGISTRY_DOUBT_PAUSE_MS later, or with the next
 * silence of a resync.
 */
#define REGISTRY_DOUBT_PAUSE_MS 30000
int64_t registry_doubt_ms(const struct registry *registry);
bool registry_doubts(struct registry *registry, int64_t now_ms);

/*
 * A broker that stops closes its port first, and then its connections, one after the other: of each emitter that goes before us we hear a lost,
 * although it lives. So with options.ask a lost is not believed before somebody has looked whether the broker still takes connections: the
 * number of the last question, or 0 if there is none, and then its answer, which counts for all questions up to that number. A broker that takes
 * none is about to close our connection, too, so the facts stay for REGISTRY_CLOSED_MS, and those that were lost in the last REGISTRY_LOST_RECENTLY_MS are back
 * for as long.
 *
 * Several: the questions up to that number are about more than one session, so about more than one connection.
 */
uint64_t registry_asks(const struct registry *registry);
bool registry_asks_several(const struct registry *registry, uint64_t question);
void registry_answer(struct registry *registry, uint64_t question, bool open, int64_t now_ms);

/* Drop what is due: leases, graces, a resync that has ended. Call at registry_deadline_ms() or later. */
int64_t registry_deadline_ms(const struct registry *registry);
void registry_tick(struct registry *registry, int64_t now_ms);

/* callsignctl forget: the instances of this name go, and are remembered as ended. Returns how many. */
size_t registry_forget(struct registry *registry, const char *name, int64_t now_ms);

enum registry_resync { REGISTRY_OFFLINE, REGISTRY_RESYNC_BEFORE_MARKER, REGISTRY_RESYNC, REGISTRY_SYNCED };

struct registry_counts {
	size_t facts, unconfirmed, lost, ended;
	enum registry_resync resync;
	int64_t synced_ms;  /* when the last resync ended; -1: never */
	bool mass_loss;     /* the last resync left too many unconfirmed to believe it: they stay */
};

void registry_count(const struct registry *registry, struct registry_counts *out);

/*
 * Whether everybody has been heard since the start: a resync has ended, and its time has passed once more. A daemon that knew nobody has nothing to
 * wait for: its resync ends before the first emitter has answered.
 */
bool registry_settled(const struct registry *registry, int64_t now_ms);

/* In the order in which they were first heard of. visit returns false to stop. */
void registry_each(struct registry *registry, bool (*visit)(void *arg, struct fact *fact), void *arg);
struct fact *registry_find(struct registry *registry, const struct ident *instance);

#endif
