#ifndef CALLSIGN_REGISTRY_INTERNAL_H
#define CALLSIGN_REGISTRY_INTERNAL_H

/*
 * The inside of the registry, shared by its files, each of which calls those behind it alone: registry.c (what messages do), legacy.c (what those of
 * the older wire format do), sync.c (connections, resyncs, leases and time) and store.c (users, facts and their states, the graveyard). Nobody else
 * includes this.
 */

#include <uthash.h>
#include <utlist.h>

#include "agents.h"
#include "ended.h"
#include "registry.h"
#include "table.h"

/* What is counted against a user's bound. */
struct share {
	size_t names, records;
};

struct user {
	size_t facts; /* in the table or in the graveyard */
	struct share share; /* of those in the table */
	size_t buried; /* names in the graveyard */
	struct ended_set ended;
	struct agents agents; /* of its facts */
	UT_hash_handle hh;
	char name[];
};

/* What is to be asked of the broker about a node that is FACT_LOST, before that is believed. */
struct asking {
	struct node *node;
	struct asking *prev, *next;
	uint64_t question;
	int64_t asked_ms; /* since when */
	int64_t due_ms;   /* when the grace is over: as the node's, which has no room for it meanwhile */
};

/*
 * A fact and what only the registry knows of it. The fact comes first, so that a pointer to it is one to the node. There may be a hundred thousand
 * of these: what stands in it counts.
 */
struct node {
	struct fact fact;
	uint64_t order;           /* of being first heard of: two may share a millisecond */
	struct table_link link;   /* in the table, by instance */
	struct node *prev, *next; /* all of the table in the order of arrival, or those in the graveyard */
	union {
		struct asking *asking; /* asks */
		int64_t due_ms;        /* FACT_LOST, else: when the grace is over */
		int64_t removed_ms;    /* in the graveyard: since when */
	};
	bool asks;     /* FACT_LOST: the broker has to be asked first */
	bool endless;  /* of the older wire format: there is a struct endless for it */
	bool extended; /* its lease was lengthened by an outage since it was last confirmed */
	bool told;     /* FACT_UNCONFIRMED: not by silence alone, its session was lost in this resync */
	bool overdue;  /* restored with its lease over: whatever its emitter says may be on its way, until a resync ends */
	_Alignas(char *) char records[]; /* as it was first announced: most of them never say anything else */
};

/* Whose it is: a fact's user is the name in one of these. */
static inline struct user *node_user(const struct node *node)
{
	return (struct user *)(uintptr_t)(node->fact.user - offsetof(struct user, name));
}

/* One of the older wire format, by its address: see legacy.c. */
struct endless {
	struct table_link link;
	struct node *node;
};

struct registry {
	struct registry_options options;
	struct registry_watcher watcher;
	struct table table; /* the nodes by instance */
	struct node *nodes; /* the same in the order of arrival */
	struct table endless; /* those of the older wire format */
	struct user *users;
	struct node *graveyard; /* lost in the last REGISTRY_LOST_RECENTLY_MS, oldest first */
	struct asking *asked;   /* oldest first */
	uint64_t order, question; /* the last ones given */
	size_t unconfirmed, lost;
	size_t told;            /* … of the unconfirmed */
	enum registry_resync resync;
	bool starting;          /* its first connection, and the resync there has not ended */
	bool mass_loss;
	bool doubted_back;      /* one of those whom a mass loss left has answered in this resync */
	size_t missing;         /* mass_loss: of so many, those who were told of left out */
	int64_t offline_ms;     /* REGISTRY_OFFLINE: since when */
	int64_t progress_ms;    /* the marker, or the last confirmation since, or the end of an alarm */
	int64_t doubted_ms;     /* the progress_ms after which the silence of the others was doubted */
	int64_t synced_ms;
	int64_t check_ms;       /* no lease or grace ends before that */
	int64_t rest_ms;        /* do not look through all facts again before that */
	int64_t doubt_ms;       /* no lease has less than a quarter left before that */
	bool blocked;
	int64_t blocked_ms;     /* since when */
	bool unheard;           /* a question of ours is on its way to the broker */
	int64_t unheard_ms;     /* since when */
};

/* store.c: see the comments there. */
struct user *user_get(struct registry *registry, const char *name);
void user_free(struct registry *registry, struct user *user);
void user_put(struct registry *registry, struct user *user);
void user_note_ended(struct registry *registry, struct user *user, enum ended_kind kind, const struct ident *ident, uint32_t lease_s, int64_t now_ms);
bool user_has_room(const struct registry *registry, const struct user *user, const struct node *node, const struct announcement *message);
int node_replace_records(struct node *node, const struct announcement *message);
bool node_same_records(const struct node *node, const struct announcement *message);
table_key node_key;
struct node *node_find(const struct registry *registry, const struct ident *instance);
struct node *node_new(struct registry *registry, struct user *user, const struct announcement *message, int64_t now_ms);
table_key endless_key;
struct endless *endless_find(const struct registry *registry, const struct address *address); /* NULL */
void endless_remember(struct registry *registry, struct endless *endless, struct node *node);
void endless_forget(struct registry *registry, struct node *node);
void node_leave(struct registry *registry, struct node *node); /* the table and the list */
void node_free(struct registry *registry, struct node *node);
void node_set_state(struct registry *registry, struct node *node, enum fact_state state);
void node_ask(struct registry *registry, struct node *node, int64_t now_ms);
void node_unask(struct registry *registry, struct node *node); /* from here on due_ms is the node's */
void node_set_told(struct registry *registry, struct node *node, bool told);
void node_tell(struct registry *registry, struct node *node);
void node_set_doubted(struct registry *registry, struct node *node, bool doubted); /* and tells */
void node_remove(struct registry *registry, struct node *node, const char *why, bool doubtful, int64_t now_ms);
void node_withdraw(struct registry *registry, struct node *node, const char *reason, int64_t now_ms); /* by its own down; NULL: without a word */
void registry_check_at(struct registry *registry, int64_t due_ms);
int64_t node_doubt_ms(const struct node *node);
void registry_doubt_at(struct registry *registry, int64_t due_ms);
void node_set_lease(struct registry *registry, struct node *node, uint32_t lease_s, int64_t now_ms);
void grave_free(struct registry *registry, struct node *node);
void graveyard_prune(struct registry *registry, int64_t now_ms);
void graveyard_forget(struct registry *registry, const struct ident *instance);
/* state: FACT_UNCONFIRMED, or FACT_LOST until due_ms. */
void graveyard_raise(struct registry *registry, enum fact_state state, int64_t due_ms, int64_t now_ms);

/* legacy.c. Somebody claims this address, which ends what the older wire format said of it. */
void endless_yield(struct registry *registry, const struct address *address, int64_t now_ms);

/* sync.c */
void resync_check(struct registry *registry, int64_t now_ms);
void node_confirm(struct registry *registry, struct node *node, bool is_new, int64_t now_ms);

#endif
