#include <config.h>

#include "readiness.h"

#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"

void readiness_init(struct readiness *r, const struct conf *conf, const char *name, const sigset_t *mask, int64_t now_ms)
{
	memset(r, 0, sizeof(*r));
	r->configured = conf->check.kind != CHECK_NONE;
	r->name = name;
	check_init(&r->check, &conf->check_rules, now_ms);
	probe_init(&r->probe, &conf->check, conf->check_rules.timeout_s, mask);
	snprintf(r->text, sizeof(r->text), "its check has not passed yet");
}

const char *readiness_missing(const struct readiness *r)
{
	return r->configured && r->check.state != CHECK_PASSING ? r->text : NULL;
}

int readiness_fd(const struct readiness *r)
{
	return r->configured ? probe_fd(&r->probe) : -1;
}

short readiness_events(const struct readiness *r)
{
	return probe_events(&r->probe);
}

int64_t readiness_deadline_ms(const struct readiness *r)
{
	int64_t check_ms = check_deadline_ms(&r->check), probe_ms = probe_deadline_ms(&r->probe);

	if (!r->configured)
		return CLOCK_NEVER;
	return check_ms < probe_ms ? check_ms : probe_ms;
}

/* One line for each reason, not for each time that it is found. */
static void note_failure(struct readiness *r)
{
	char text[READINESS_TEXT_SIZE];

	if (r->check.state == CHECK_PASSING) { /* `fall` has not come yet */
		log_debug("a check failed name=%s: %s", r->name, r->probe.why);
		return;
	}
	snprintf(text, sizeof(text), "its check %s: %s", r->check.state == CHECK_STARTING ? "has not passed yet" : "fails", r->probe.why);
	if (strcmp(text, r->text) != 0)
		log_warnx("not ready name=%s: %s", r->name, text);
	memcpy(r->text, text, sizeof(text));
}

/* The probe has an answer, perhaps since before this turn. */
static bool take_answer(struct readiness *r, int64_t now_ms)
{
	bool good = r->probe.state == PROBE_PASSED, changed;
	int64_t since_ms = r->check.since_ms;

	if (r->probe.state != PROBE_PASSED && r->probe.state != PROBE_FAILED)
		return false;
	r->probe.state = PROBE_IDLE;
	changed = check_answered(&r->check, good, now_ms);
	if (!good) {
		note_failure(r);
	} else if (changed) {
		log_info("ready name=%s after_ms=%lld", r->name, (long long)(now_ms - since_ms));
		r->text[0] = '\0';
	}
	return changed;
}

bool readiness_step(struct readiness *r, bool ready, int64_t now_ms)
{
	bool changed;

	if (!r->configured)
		return false;
	probe_step(&r->probe, ready, now_ms);
	changed = take_answer(r, now_ms);
	if (check_due(&r->check, now_ms)) {
		check_asked(&r->check, now_ms);
		probe_start(&r->probe, now_ms);
		changed |= take_answer(r, now_ms);
	}
	return changed;
}

void readiness_buried(struct readiness *r, pid_t pid, int wait_status)
{
	if (r->configured)
		probe_buried(&r->probe, pid, wait_status);
}

void readiness_stop(struct readiness *r)
{
	if (r->configured)
		probe_stop(&r->probe);
	r->configured = false;
}
