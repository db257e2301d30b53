#ifndef CALLSIGN_AGENT_AGENT_PARTS_H
#define CALLSIGN_AGENT_AGENT_PARTS_H

#include "agent.h"
#include "bundle.h"
#include "door.h"
#include "errands.h"
#include "shared/backoff.h"
#include "ward.h"

/*
 * What the parts of the agent share, and nobody else. Each calls those behind it alone: agent.c has the loop, agent_tell.c what callers say, agent_read.c what
 * is read of containers, aside, agent_wards.c the containers, and agent_wait.c what the agent waits for and who waits for it.
 */

/* A hook, or somebody with --adopt or --list. */
struct guest {
	struct guest *prev, *next;
	int fd; /* -1: gone, to be freed */
	int64_t end_ms;
	struct ward *awaits; /* it is answered when this one's name resolves */
	struct reading *reading; /* it is answered when that has been read */
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
	struct errands *errands;
	struct reading *readings; /* begun, and not taken */
	bool crowded; /* more are to be read than can be */
	bool searching; /* one at a time */
	bool adopts; /* searches are for containers without our hook, too: until one has gone through all that there is */
	bool missed; /* since the last search began: something was lacking */
	size_t nsought, nfound; /* by a search: still to be read, and named */
	int64_t search_at_ms; /* CLOCK_NEVER: not at all */
	int64_t search_from_ms; /* one that begins before that does not see all that was asked for: there will be another */
	struct backoff search_backoff; /* while something is lacking */
	uint32_t search_delay_ms;      /* the last of it */
	uint64_t search_number;        /* of the last search: nsought and nfound are its */
	bool took_over, kept_missed;   /* what an agent before us said; and something of that has yet to be taken up */
	int64_t lost_at_ms;   /* a ward's addrwatch is to be opened again; CLOCK_NEVER: none */
	int64_t now_ms;
};

/* Marks in epoll's data, beside a pointer whose last two bits are 0. */
enum agent_mark { MARK_END, MARK_NETWORK, MARK_GUEST, MARK_DOOR };

/* ---- agent_tell.c ---- */

void agent_hear(struct agent *agent, struct guest *guest, struct door_message *message);

/*
 * ---- agent_read.c ----
 * What is read of a container is on file systems that may not answer; so it is read aside (errands.h), and its name is decided when it has been.
 */

bool agent_is_id(const char *text); /* NULL is none */

/* The container is named once its bundle has been read, and the guest answered then. pidfd is taken over. false: it was said why not, and the guest is the caller's. */
bool agent_read_hooked(struct agent *agent, struct guest *guest, const char *id, const char *bundle, pid_t pid, int pidfd);
bool agent_read_adopted(struct agent *agent, struct guest *guest, pid_t pid, int pidfd); /* what it is, is looked for */

void agent_read_leave(struct guest *guest); /* it goes, and is not to be answered any more */

/* For containers that nobody has told of, through runtimes' states. false: one is being made already. */
bool agent_search(struct agent *agent);

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

void agent_end(struct agent *agent, struct ward *ward);       /* its process has ended */
void agent_follow(struct agent *agent, struct ward *ward);    /* the kernel has something to say of its network */
void agent_follow_lost(struct agent *agent);                  /* those whose network could not be looked into, when it is time */
void agent_take_over(struct agent *agent);                    /* from the agent before us; again if something was missed */
void agent_sweep(struct agent *agent);                        /* those that have said their down */

/* ---- agent_wait.c ---- */

void agent_wait_begin(struct agent *agent); /* before all else */

/* A hook could not tell of its container, or a runtime may not have written it down yet: there will be a search in a second. */
void agent_search_later(struct agent *agent);

/*
 * If errno is of a shortage (shortage.h): a container, nobody knows which, could not be looked at. There will be another search, after a second at first
 * and at last each minute. Returns whether it is.
 */
bool agent_misses(struct agent *agent);
void agent_misses_nothing(struct agent *agent); /* a search is through, and all that was there was looked at */

/* Whether a search is to begin now; then it does. */
bool agent_search_due(struct agent *agent);

int agent_watch(struct agent *agent, int fd, void *owner, enum agent_mark mark); /* 0, or -1 with errno */
void agent_answer(struct guest *guest);                                      /* its container may begin */
void agent_say(struct guest *guest, char sign, const char *text);            /* to somebody with --adopt; sign: '+' or '-' */
void agent_resolves(struct agent *agent, const struct ward *ward);           /* whoever waits for that is answered */

#endif
