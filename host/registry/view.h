#ifndef CALLSIGN_VIEW_H
#define CALLSIGN_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"
#include "registry.h"

/*
 * What is served, computed from the facts: which of each fact's names and addresses are listed. Pure. The rules:
 *   one name, several instances of one user   conflict: all of them, the newest or the first (by instance)
 *   one address, several instances of a user  the newest instance owns it, with all that share its place; on each other host the newest there, likewise.
 *                                             One without place shares with nobody. When the newest goes, the older has it back
 *   one name or address, several users        whoever came first keeps it until it goes; the others wait
 *
 * What a host can see for itself are its own place and its own bridges. Of the ranges of those there may be one on each host:
 *   a name, instances of one user             an instance elsewhere yields to one that is here if an address of it leads into such a range here
 *   such an address, several users            whose instances with it are all elsewhere keeps it, and the user who comes first with one here has it too
 *   the policy                                a name or address it does not allow is not listed, and holds nothing
 */
struct view;

enum view_conflict { VIEW_ALL, VIEW_NEWEST, VIEW_FIRST };

/*
 * The part of the policy that the view needs: in which domains (a bit each; 0: nowhere) may user have name (without the domain), or address? The
 * rules above for names hold in each domain by itself.
 */
struct view_policy {
	uint32_t (*name_domains)(void *arg, const char *user, const char *name);
	uint32_t (*address_domains)(void *arg, const char *user, const struct address *address);
	uint64_t host; /* of this host's own place; 0: not known */
	bool (*own_network)(void *arg, const struct address *address); /* in a subnet of one of this host's bridges? NULL: nothing is */
	void *arg;
	unsigned ndomains; /* 0: one without a name, whose conflict is the view's */
	struct {
		const char *name; /* must stay until another policy is set */
		enum view_conflict conflict;
	} domains[POLICY_DOMAINS_MAX];
};

/* So many addresses of one name have room in any answer, however long the name: who serves more has to look. */
#define VIEW_CROWD 8

/* A fact and what of it is listed. served.h tells in which domains, under which whole names and with which addresses. */
struct listing {
	const struct fact *fact;
	uint64_t names;     /* bit 0: fact->name; bit 1 + i: fact->aliases[i]; in any domain */
	uint64_t crowded;   /* as names: those that lead to more than VIEW_CROWD addresses, all instances together */
	const uint16_t *in; /* domains of each name, then of each address, a bit each; NULL: all that is listed is in the first domain */
	uint16_t addresses; /* bit i: fact->addresses[i] */
	uint16_t later;     /* likewise: those that another listing has too, which comes first, for what may lead to one name alone (PTR) */
	uint32_t mark;      /* the view's own */
};

_Static_assert(ANNOUNCEMENT_ADDRESSES_MAX <= 16 && ANNOUNCEMENT_ALIASES_MAX < 64, "a bit for each address and name");

/* Told of each listing that changed when view_refresh() runs: before and after as texts are the receiver's business. gone: no longer there
 * at all (the fact is freed after this call). records: names, addresses or ports changed; else only session or state did. */
struct view_watcher {
	void (*listing)(void *arg, const struct listing *listing, bool records);
	void (*gone)(void *arg, const struct listing *listing);
	/* Somebody else's name or address is claimed: the claim waits. holder: the user who keeps it. what: the name or address as text. */
	void (*waits)(void *arg, const struct fact *fact, const char *what, const char *holder);
	void *arg;
};

struct view *view_new(enum view_conflict conflict, const struct view_policy *policy); /* NULL with errno */
void view_free(struct view *view);
void view_set_watcher(struct view *view, const struct view_watcher *watcher);

/*
 * What was listed of a fact when it was written down, to be told when it is read back, before the first view_refresh(): whoever has a name or an
 * address keeps it, in whatever order they come back. Of what is not told to be held the first to be told of has it.
 */
struct view_held {
	uint32_t names[1 + ANNOUNCEMENT_ALIASES_MAX]; /* in which domains: its own name, then the aliases */
	uint32_t addresses; /* as in struct listing */
};
void view_hold(const struct fact *fact, const struct view_held *held);

/* For registry_new(): keeps the view's indexes. */
struct registry_watcher view_registry_watcher(struct view *view);

/* After a reload: everything is computed anew. If the domains are others, every listing is told again. */
void view_set_policy(struct view *view, enum view_conflict conflict, const struct view_policy *policy);

/* Recompute what has changed since the last call and tell the watcher. Cheap when nothing has. */
void view_refresh(struct view *view);

/* All listings with at least one name and one address, in the order of the facts. */
void view_each(struct view *view, bool (*visit)(void *arg, const struct listing *listing), void *arg);

/* Everyone who claims a name (as name or alias), the listed ones first. */
void view_each_claim(struct view *view, const char *name, bool (*visit)(void *arg, const struct listing *listing, bool listed), void *arg);

/* Everyone who claims an address, likewise. */
void view_each_address_claim(struct view *view, const struct address *address, bool (*visit)(void *arg, const struct listing *listing, bool listed), void *arg);

/* Whether this fact's own name is listed with at least one address. */
bool view_listed(const struct fact *fact);

/* This fact's listing, as of the last view_refresh(); NULL before its first. */
const struct listing *view_listing(const struct fact *fact);

/* Names with at least one record. */
size_t view_names(const struct view *view);

#endif
