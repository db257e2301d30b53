#ifndef CALLSIGN_RELOAD_H
#define CALLSIGN_RELOAD_H

#include <poll.h>
#include <stdint.h>

#include "conf/conf.h"
#include "probe.h"
#include "sinks/common/pace.h"
#include "streams.h"
#include "system/localaddr.h"
#include "system/process.h"

/*
 * Making dnsmasq serve a hosts file: SIGHUP, then the question for the file's serial until the answer is the right one.
 * Knows dnsmasq through its pid file and holds it by a pidfd, so that its end is noticed at once.
 *
 * - A new serial is signalled at once when dnsmasq is idle. While a reload runs the next one waits for it; in the long run
 * reloads take a twentieth of dnsmasq's time (it answers nobody meanwhile), and a few short ones may follow each other at once.
 * - A dnsmasq found anew is asked first: one that has just started has read the newest file.
 * - A SIGHUP without effect (dnsmasq loses it while it starts) is repeated after a second, and then each 2 s for a
 * minute, each 10 s for ever.
 * - Once it has read the file, or should have and cannot be asked, the connections of before are ended (streams.h).
 * - While all is well there is no deadline and no open question.
 */
struct reload_stats {
	uint64_t signals, reloads, last_us, sum_us;
	void (*reloaded)(void *arg, uint64_t us); /* may be NULL */
	void *arg;
};

enum reload_trouble {
	RELOAD_WELL,
	/* The process cannot be signalled. */
	RELOAD_ENDED,
	RELOAD_FORBIDDEN,
	RELOAD_NO_PROCESS, /* + enum process_state */
	/* The answers are wrong. */
	RELOAD_NO_SERVER = 100,
	RELOAD_NO_ANSWER,
	RELOAD_UNKNOWN_NAME,
	RELOAD_REFUSED,
	RELOAD_OLD
};

#define RELOAD_TEXT_SIZE 768
#define RELOAD_RECENT    4 /* reloads whose times are kept */

struct reload {
	const struct conf *conf;           /* borrowed, as the next */
	const struct localaddr *localaddr; /* says where docker0 is */
	char name[HOSTNAME_FQDN_SIZE];
	uint32_t wanted;    /* the serial on disk */
	uint32_t served;    /* the newest one seen since this dnsmasq was found */
	unsigned besides;   /* bytes that it says with each answer besides addresses, as of the last one (an authority names its server) */
	uint32_t signalled; /* the one on disk at the last SIGHUP to this dnsmasq; NONE: there was none */
	bool silent;        /* since then nothing was heard, though it was asked */
	bool awaiting;      /* that SIGHUP has not shown its effect yet */
	int64_t signal_us;
	int64_t signal_ms, next_signal_ms;

	struct process process;
	struct streams streams;
	int64_t find_ms; /* when to look for the process; CLOCK_NEVER: it is held */

	struct probe probe;
	unsigned asked;     /* in this round */
	unsigned overtaken; /* answers that came before the effect of the SIGHUP */
	int64_t ask_ms, next_ask_ms;
	enum reload_trouble answer; /* what is wrong with the last answer, or that there was none */
	int64_t answer_ms;

	int64_t fail_ms;          /* when a missing effect is called a trouble */
	int64_t failing_since_ms; /* CLOCK_NEVER: not failing */
	enum reload_trouble process_trouble, answer_trouble;
	char process_text[RELOAD_TEXT_SIZE], answer_text[RELOAD_TEXT_SIZE];
	struct reload_stats stats;
	uint64_t recent_us[RELOAD_RECENT];
	struct pace pace;
};

#define RELOAD_PROCESS_NAME "dnsmasq" /* /proc/PID/comm */
#define RELOAD_POLLFDS      2

void reload_init(struct reload *reload, const struct conf *conf, const struct localaddr *localaddr, int64_t now_ms);
void reload_clear(struct reload *reload);

/* Another configuration: dnsmasq is looked for again. */
void reload_configure(struct reload *reload, const struct conf *conf, int64_t now_ms);

/* The file with this serial is in place. */
void reload_want(struct reload *reload, uint32_t serial, int64_t now_ms);

/* From when on dnsmasq could be told of a file that is written now: now_ms if at once, CLOCK_NEVER while it reads (until
 * reload_hear() changes that). Where no dnsmasq is told anything there is nothing to wait for. */
int64_t reload_ready_ms(const struct reload *reload, int64_t now_ms);

int reload_pollfds(const struct reload *reload, struct pollfd *fds);
int64_t reload_deadline_ms(const struct reload *reload);

/* What dnsmasq did: answers, its end. Between this and reload_step() is the time to write what the next SIGHUP may be for. */
void reload_hear(struct reload *reload, const struct pollfd *fds, int nfds, int64_t now_ms);

/* What is due: SIGHUP, questions, looking for the process. */
void reload_step(struct reload *reload, int64_t now_ms);

/* NULL, or what is wrong. */
const char *reload_trouble_text(const struct reload *reload);

#endif
