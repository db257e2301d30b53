#ifndef CALLSIGN_TESTS_MODEL_H
#define CALLSIGN_TESTS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What a host believes, once more: as short and as slow as it can be, straight from the words of docs/protocol ("What a
 * host believes"), to hold the real registry and view against. Everything is a small number that indexes an array.
 *
 * Where the words leave a choice open, the model refuses the step (it returns false and nothing has happened), so that
 * only what they say is compared; each such place says so.
 */
enum { MODEL_INSTANCES = 3, MODEL_NAMES = 2, MODEL_ADDRESSES = 6, MODEL_SESSIONS = 16, MODEL_USERS = 2 };

/*
 * Places: 0 is none, 1 and 2 are network namespaces of this host, 3 and 4 of another one, 5 is on a third. The addresses below MODEL_OWN_NETWORK are in the range
 * of a bridge of this host.
 */
enum { MODEL_PLACES = 6, MODEL_HOST = 1, MODEL_OWN_NETWORK = 3 };
unsigned model_host_of(unsigned place);

enum model_kind {
	MODEL_UP,
	MODEL_DOWN,
	MODEL_LOST,
	MODEL_RESTORE,
	MODEL_CONNECT,
	MODEL_MARKER,
	MODEL_DISCONNECT,
	MODEL_OPEN,   /* somebody has looked: the broker takes connections */
	MODEL_CLOSED, /* … and it takes none */
	MODEL_PASS,
	MODEL_FORGET
};

struct model_step {
	enum model_kind kind;
	unsigned instance, name, user;
	unsigned session; /* 0: none */
	unsigned seq;
	unsigned addresses; /* a bit each */
	unsigned lease_s;
	unsigned place;
	bool alias; /* the other name is its alias */
	int pass_ms;
};

enum model_state { MODEL_CONFIRMED, MODEL_UNCONFIRMED, MODEL_GRACE };
enum model_phase { MODEL_OFFLINE, MODEL_BEFORE_MARKER, MODEL_RESYNC, MODEL_SYNCED };
enum model_conflict { MODEL_ALL, MODEL_NEWEST, MODEL_FIRST };

struct model_fact {
	bool known;
	unsigned name, user, session, seq, addresses, names, place;
	bool restored; /* its seq is not known */
	enum model_state state;
	int64_t expires_ms, lease_ms, grace_end_ms, since;
	bool asked; /* in its grace, and nobody has looked at the broker yet */
	int64_t asked_ms;
	bool extended; /* a reconnect has extended this lease since it was last confirmed */
};

struct model_ended {
	bool ended;
	unsigned user;
	int64_t until_ms; /* remembered at least until then */
};

struct model {
	int64_t now_ms, lost_grace_ms;
	bool ask;
	enum model_conflict conflict;
	enum model_phase phase;
	bool connected_once;
	bool start_over; /* the first resync has ended, or the first connection is broken */
	int64_t offline_ms, progress_ms, order;
	struct model_fact facts[MODEL_INSTANCES];
	struct model_fact removed[MODEL_INSTANCES]; /* by a lost, not long ago */
	int64_t lost_ms[MODEL_INSTANCES], removed_ms[MODEL_INSTANCES];
	struct model_ended instances[MODEL_INSTANCES], sessions[MODEL_SESSIONS];
	int name_holder[MODEL_NAMES], address_holder[MODEL_ADDRESSES], here_holder[MODEL_ADDRESSES]; /* a user, or -1 */
	unsigned served[MODEL_NAMES];                                  /* addresses, a bit each */
	unsigned verdicts; /* of the last message: what it may be, 1 << enum registry_verdict */
};

void model_init(struct model *model, int64_t lost_grace_ms, bool ask, enum model_conflict conflict, int64_t now_ms);

/* One step and what is due by then. False, with nothing changed: the words do not say what happens. */
bool model_step(struct model *model, const struct model_step *step);

#endif
