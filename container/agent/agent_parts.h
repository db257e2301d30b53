#ifndef CALLSIGN_AGENT_AGENT_PARTS_H
#define CALLSIGN_AGENT_AGENT_PARTS_H

#include "agent.h"
#include "bundle.h"
#include "door.h"
#include "ward.h"

/*
 * What the parts of the agent share, and nobody else. Each calls those behind it alone: agent.c has the loop, agent_tell.c what callers say, agent_wards.c
 * the containers, and agent_wait.c what the agent waits for and who waits for it.
 */

/* A hook, or somebody with --adopt or --list. */
struct guest {
	struct guest *prev, *next;
	int fd; /* -1: gone, to be freed */
	int64_t end_ms;
	struct ward *awaits; /* it is answered when this one's name resolves */
};

struct agent {
	struct agentconf *conf;
	const char *conf_path;
	int epoll, door, folder;
	uint64_t network; /* our own */
	struct chorus **choruses;
	size_t nchoruses;
	struct ward *wards;
	size_t nwards, nleaving;
	struct guest *guests;
	size_t nguests;
	bool door_open; /* in the epoll set: not while there are too many guests, or no descriptors for more */
	struct accepting accepting;
	bool quit;
	int64_t search_at_ms; /* CLOCK_NEVER: not at all */
	int64_t now_ms;
};

/* Marks in epoll's data, beside a pointer whose last two bits are 0. */
enum agent_mark { MARK_END, MARK_NETWORK, MARK_GUEST, MARK_DOOR };

/* ---- agent_tell.c ---- */

void agent_hear(struct agent *agent, struct guest *guest, struct door_message *message);

/* ---- agent_wards.c ---- */

/* The first connection, so that it is there before the first container. 0, or -1. */
int agent_connect(struct agent *agent);

/*
 * A container that is to be known, with its name decided: pidfd is taken over, or closed. entry: what an earlier agent said of it, or NULL. The ward, or
 * NULL after logging why it has none.
 */
struct ward *agent_add(struct agent *agent, const char *id, pid_t pid, uint64_t start, int pidfd, const struct naming *naming,
                       const struct keep_entry *entry);

struct ward *agent_find(const struct agent *agent, pid_t pid, uint64_t start); /* NULL, or one that lives */

/* Whoever asks with its bundle what it is called, and adds it if it is called anything. pidfd is taken over. reason: why there is no ward. */
struct ward *agent_add_bundle(struct agent *agent, const char *id, const char *bundle, pid_t pid, int pidfd, bool only_hooked,
                              char reason[NAMING_REASON_SIZE]);

void agent_end(struct agent *agent, struct ward *ward);       /* its process has ended */
void agent_look(struct agent *agent, struct ward *ward);      /* its network may have changed */
void agent_take_over(struct agent *agent);                    /* from the agent before us */
void agent_search(struct agent *agent, bool all);             /* through runtimes' states; all: also those without our hook */
void agent_sweep(struct agent *agent);                        /* those that have said their down */

/* ---- agent_wait.c ---- */

int agent_watch(struct agent *agent, int fd, void *owner, enum agent_mark mark); /* 0, or -1 with errno */
void agent_answer(struct guest *guest);                                      /* its container may begin */
void agent_resolves(struct agent *agent, const struct ward *ward);           /* whoever waits for that is answered */

#endif
