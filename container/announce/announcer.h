#ifndef CALLSIGN_ANNOUNCER_H
#define CALLSIGN_ANNOUNCER_H

/*
 * The room container/announce/: what any program needs that announces: which addresses there are and which of them count, the settings, when to say
 * what (the announcer, pure), and saying it (the publisher). It must not know whose program it is, nor what runs beside it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/backoff.h"
#include "shared/contract/announcement.h"

/*
 * What an emitter says when: docs/protocol, "The last will", as a state machine. Pure: it is given the time, random bits and events,
 * and answers with actions. It knows neither the bus nor a clock; publisher.c does.
 */
enum announcer_state {
	ANNOUNCER_OFFLINE,  /* no connection */
	ANNOUNCER_FRESH,    /* connected; our instance has ended, and EVENT_IDENTITY will give us the next */
	ANNOUNCER_IDLE,     /* connected; there is no address to announce */
	ANNOUNCER_SETUP,    /* the mailbox is being declared, bound and consumed from; the first will is on its way right behind that */
	ANNOUNCER_WILL,     /* the mailbox stands: the will must come back through it */
	ANNOUNCER_LIVE,     /* we hold the will; ups go out as they are due */
	ANNOUNCER_RENEWING, /* as LIVE, with a new will on its way */
	ANNOUNCER_LEAVING,  /* down is on its way */
	ANNOUNCER_CLOSING,  /* down was confirmed; the mailbox is being deleted */
	ANNOUNCER_ENDED,
	ANNOUNCER_STATES
};

enum announcer_event_type {
	EVENT_CONNECTED,      /* session */
	EVENT_DISCONNECTED,
	EVENT_IDENTITY,       /* instance, session; the answer to ACTION_NEW_INSTANCE */
	EVENT_ADDRESSES,      /* addresses, naddresses: what there is to announce now; withheld */
	EVENT_CONSUMING,      /* the mailbox's consumer stands */
	EVENT_WILL_DELIVERED, /* tag */
	EVENT_ROLLCALL,       /* tag, spread_ms */
	EVENT_CONFIRM,        /* message, seq, result */
	EVENT_CANCELLED,      /* the broker took our consumer away */
	EVENT_DELETED,        /* the mailbox is gone, as we asked */
	EVENT_BLOCKED,        /* the broker's alarm: nothing gets through, deadlines stand still */
	EVENT_UNBLOCKED,
	EVENT_TIMER,          /* announcer_deadline_ms() has come */
	EVENT_WITHDRAW,       /* end within ANNOUNCER_WITHDRAW_MS, whatever the broker does */
	ANNOUNCER_EVENTS
};

enum announcer_message { MESSAGE_PROVISIONAL, MESSAGE_UP, MESSAGE_WILL, MESSAGE_DOWN };
enum announcer_result { RESULT_CONFIRMED, RESULT_RETURNED, RESULT_NACKED };

struct announcer_event {
	enum announcer_event_type type;
	uint32_t random; /* 32 random bits, for jitter */
	struct ident instance, session;
	const struct address *addresses;
	unsigned naddresses;
	const char *withheld; /* why there are none, though there may be some: the text stays. NULL: there are none */
	uint64_t tag;
	uint32_t spread_ms;
	enum announcer_message message;
	uint64_t seq;
	enum announcer_result result;
};

enum announcer_action_type {
	ACTION_PUBLISH,        /* message; announcer_compose() tells its body */
	ACTION_OPEN_MAILBOX,   /* declare, bind twice, consume; none waits for the other */
	ACTION_BIND_MAILBOX,   /* again: its exchanges were made anew, and its bindings went with the old ones */
	ACTION_ACK,            /* tag, singly */
	ACTION_DELETE_MAILBOX,
	ACTION_NEW_INSTANCE,   /* give us EVENT_IDENTITY */
	ACTION_FAIL,           /* text: give this connection up and make another */
	ACTION_CLOSE           /* all is said: close the connection. The state is ANNOUNCER_ENDED */
};

struct announcer_action {
	enum announcer_action_type type;
	enum announcer_message message;
	uint64_t seq;
	uint64_t tag;
	const char *text;
};

#define ANNOUNCER_ACTIONS_MAX 8

struct announcer_actions {
	unsigned count;
	struct announcer_action list[ANNOUNCER_ACTIONS_MAX];
};

#define ANNOUNCER_CONFIRM_MS 10000
#define ANNOUNCER_WITHDRAW_MS 3000
#define ANNOUNCER_SETTLE_MS 5     /* a changed set of addresses comes in several netlink messages */
#define ANNOUNCER_EMPTY_MS 50     /* an address that is replaced is often deleted first */
#define ANNOUNCER_ANSWER_PART 8   /* no answer to a roll call before this part of its spread_ms is over */
#define ANNOUNCER_EARLY_PART 64   /* a renewal may come earlier by this part of renew_s */
#define ANNOUNCER_RETRY_FIRST_MS 200
#define ANNOUNCER_RETRY_MAX_MS 5000
#define ANNOUNCER_FRESH_MAX_MS 120000

/* An announcement's part that stays the same from message to message. A whole one would be 8 kB, for each of an agent's containers. */
struct announcer_self {
	char name[HOSTNAME_NAME_SIZE];
	struct ident instance, session;
	unsigned naddresses, naliases, nports;
	struct address addresses[ANNOUNCEMENT_ADDRESSES_MAX];
	const char (*aliases)[HOSTNAME_NAME_SIZE]; /* the caller's of announcer_init() */
	struct announcement_port ports[ANNOUNCEMENT_PORTS_MAX];
	struct place place;
	char agent[ANNOUNCEMENT_AGENT_MAX + 1];
};

/* All times are on one monotonic clock, in ms; CLOCK_NEVER where nothing is due. */
struct announcer {
	enum announcer_state state;
	struct announcer_self self;
	uint32_t renew_s;
	uint64_t seq;             /* of the last message of this instance */
	bool begun;               /* this instance had a session: no provisional up any more */
	bool mailbox;             /* this session has declared one */
	uint64_t will_tag;        /* the will that we hold; 0: none (delivery tags begin at 1) */
	uint64_t new_will_tag;    /* the one that will take its place */
	bool will_confirmed;
	int64_t will_by_ms;       /* the will must be through by then; for the mailbox the bus has a deadline */
	int64_t renew_at_ms;
	int64_t hold_ms;          /* no will may be held for longer; CLOCK_NEVER: as long as we like */
	int64_t hold_until_ms;    /* then the one that we hold must have been replaced */
	bool renewal;             /* the will on its way is part of a renewal, or the first: an up follows */
	bool bound_again;         /* for this will */
	int64_t up_at_ms;         /* the next up is due */
	bool up_on_way;
	uint64_t up_seq;
	int64_t up_by_ms;         /* its confirm must be there by then */
	bool announced;           /* the last up was confirmed, in this session */
	bool unheard;             /* it was returned: no host listens */
	bool refused;             /* it was nacked */
	bool blocked;
	int64_t blocked_since_ms;
	bool withdrawing;
	int64_t end_by_ms;
	struct backoff retry;
	int64_t fresh_at_ms;      /* the broker refuses what we publish: then it gets a fresh connection */
	struct backoff fresh;
	const char *withheld;
};

/* name and aliases are folded, and the aliases stay as long as the announcer; renew_s is at most a third of ANNOUNCEMENT_LEASE_MAX_S. */
void announcer_init(struct announcer *announcer, const char *name, const char (*aliases)[HOSTNAME_NAME_SIZE],
                    unsigned naliases, uint32_t renew_s, const struct ident *instance);

/*
 * An instance that another process has spoken for until now: hosts know it, and every number up to seq may have been used. After announcer_init(),
 * before anything else.
 */
void announcer_resume(struct announcer *announcer, uint64_t seq);

/* What else is announced, from the first message on. Sorted; at most ANNOUNCEMENT_PORTS_MAX. */
void announcer_set_ports(struct announcer *announcer, const struct announcement_port *ports, unsigned nports);

/* Where it is; none: nobody knows. Likewise from the first message on. */
void announcer_set_place(struct announcer *announcer, const struct place *place);

/* What it is, for people: at most ANNOUNCEMENT_AGENT_MAX printable characters. */
void announcer_set_agent(struct announcer *announcer, const char *agent);

/*
 * The broker takes the channel from whoever holds a message for that long (its consumer_timeout). From now on wills are replaced in half of it, if
 * renewals are not as frequent; the hosts are told nothing more than before. What is shorter than 2 s cannot be kept. Returns the pause between two.
 */
int64_t announcer_set_hold(struct announcer *announcer, uint32_t timeout_ms);

/* Events that mean nothing in a state are ignored. actions is overwritten; carry them out in order. */
void announcer_handle(struct announcer *announcer, const struct announcer_event *event, int64_t now_ms,
                      struct announcer_actions *actions);

/* When EVENT_TIMER is wanted. */
int64_t announcer_deadline_ms(const struct announcer *announcer);

/* Whether EVENT_TIMER does something now, for whoever is awake: at the deadline, and a moment before a renewal. */
bool announcer_takes_timer(const struct announcer *announcer, int64_t now_ms);

/* The lease of a full up: three renewals, or the contract's least. */
uint32_t announcer_lease_s(const struct announcer *announcer);

/* The body of an ACTION_PUBLISH. */
void announcer_compose(const struct announcer *announcer, const struct announcer_action *action,
                       struct announcement *out);

/* How it stands, in a few words; "announced" if all is well. */
const char *announcer_status(const struct announcer *announcer);
bool announcer_is_announced(const struct announcer *announcer);

#endif
