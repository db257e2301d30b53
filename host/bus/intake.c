#include <config.h>

#include "intake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replies.h"
#include "shared/contract/legacy.h"
#include "shared/log.h"
#include "wholename.h"

/* A short string of AMQP may hold a NUL; a user named so is none of ours. */
static bool user_from(const struct bus_text *user_id, char user[256])
{
	if (user_id->data == NULL || user_id->length == 0 || user_id->length > 255 ||
	    memchr(user_id->data, '\0', user_id->length) != NULL)
		return false;
	memcpy(user, user_id->data, user_id->length);
	user[user_id->length] = '\0';
	return true;
}

/*
 * The will in a mailbox becomes `lost` only if the mailbox is the one that its own words name: the broker wrote that entry. An agent's names have one
 * mailbox for all of them, whose name they do not have; only the policy can say who is an agent, so nobody else dies in that way, and it in no other.
 */
static const char *check_lost(const struct bus_delivery *delivery, const struct announcement *message, bool agent)
{
	char queue[QUEUE_WILL_SIZE];

	if (!delivery->dead_lettered)
		return "lost that was not dead-lettered: it must come from its session's mailbox";
	if (agent && delivery->death_queue.data != NULL &&
	    announcement_is_agent_queue(delivery->death_queue.data, delivery->death_queue.length, &message->session))
		return NULL;
	if (agent)
		return "lost from another mailbox than its agent's session's own";
	if (!bus_text_is(&delivery->death_queue, announcement_will_queue(message->name, &message->session, queue)))
		return "lost from another mailbox than its session's own";
	return NULL;
}

/* What the broker vouches for, against what the body says. NULL: all is well. */
static const char *check_envelope(const struct bus_delivery *delivery, const struct announcement *message, bool agent)
{
	/* Left out they are taken for granted; but what calls itself something else was not meant for us. */
	if (delivery->content_type.data != NULL && !bus_text_is(&delivery->content_type, ANNOUNCEMENT_CONTENT_TYPE))
		return "the property content_type is not " ANNOUNCEMENT_CONTENT_TYPE;
	if (delivery->type.data != NULL && !bus_text_is(&delivery->type, ANNOUNCEMENT_TYPE))
		return "the property type is not " ANNOUNCEMENT_TYPE;
	if (!bus_text_is(&delivery->exchange, EXCHANGE_ANNOUNCE))
		return "it did not come through the exchange " EXCHANGE_ANNOUNCE;
	if (!announcement_key_matches(message, delivery->routing_key.data, delivery->routing_key.length))
		return "the routing key is not the operation and the name of the body";
	if (message->op == ANNOUNCEMENT_LOST)
		return check_lost(delivery, message, agent);
	if (delivery->dead_lettered)
		return "dead-lettered: only lost may come that way";
	if (delivery->reply_to.data != NULL && !replies_allowed(&delivery->reply_to))
		return "reply_to is not a direct reply-to address (" REPLYTO_PREFIX "...)";
	return NULL;
}

const char *intake_refusal_word(enum intake_refusal refusal)
{
	static const char *const words[INTAKE_REFUSALS] = {
		[INTAKE_RATE] = "rate",
		[INTAKE_MALFORMED] = "malformed",
		[INTAKE_ENVELOPE] = "envelope",
		[INTAKE_UNSIGNED] = "unsigned",
		[INTAKE_POLICY] = "policy",
		[INTAKE_RIVAL] = "rival",
		[INTAKE_LIMIT] = "limit",
		[INTAKE_MEMORY] = "memory",
	};

	return words[refusal];
}

static void refuse(struct intake *intake, struct intake_outcome *outcome, enum intake_refusal refusal, const char *reason)
{
	intake->refused[refusal]++;
	outcome->result = INTAKE_REFUSED;
	snprintf(outcome->reason, sizeof outcome->reason, "%s", reason);
}

/* What would pass for a name of the older wire format, which has no user and an instance of our own making. */
static const char *check_pretence(const struct announcement *message, const char *user)
{
	if (strcmp(user, REGISTRY_LEGACY_USER) == 0)
		return "a user of this name stands for the older wire format: rename the broker's user";
	if (legacy_is_instance(&message->instance))
		return "instances of this form are those of the older wire format";
	return NULL;
}

static enum registry_verdict apply(struct intake *intake, const struct announcement *message, const char *user, int64_t now_ms)
{
	switch (message->op) {
	case ANNOUNCEMENT_UP:
		return registry_up(intake->registry, message, user, now_ms);
	case ANNOUNCEMENT_DOWN:
		return registry_down(intake->registry, message, user, now_ms);
	default:
		return registry_lost(intake->registry, message, user, now_ms);
	}
}

static enum intake_refusal verdict_refusal(enum registry_verdict verdict)
{
	switch (verdict) {
	case REGISTRY_REJECTED_LIMIT:
		return INTAKE_LIMIT;
	case REGISTRY_REJECTED_MEMORY:
		return INTAKE_MEMORY;
	default:
		return INTAKE_RIVAL;
	}
}

static void note_verdict(struct intake *intake, enum registry_verdict verdict, const struct announcement *message, const char *user,
                         struct intake_outcome *outcome)
{
	char shown[LOG_SAFE_MAX];

	switch (verdict) {
	case REGISTRY_APPLIED:
		outcome->result = INTAKE_TAKEN;
		break;
	case REGISTRY_IGNORED_OLD:
	case REGISTRY_IGNORED_ENDED:
	case REGISTRY_IGNORED_STALE:
		log_debug("ignored op=%s name=%s user=%s reason=\"%s\"", announcement_op_name(message->op), message->name,
		          log_safe(shown, sizeof shown, user, strlen(user)), registry_verdict_text(verdict));
		outcome->result = INTAKE_IGNORED;
		break;
	default:
		refuse(intake, outcome, verdict_refusal(verdict), registry_verdict_text(verdict));
		break;
	}
}

/* As it is to be taken: message itself, or a copy without the domains that names were given with. */
static const struct announcement *without_domains(const struct intake *intake, const struct announcement *message, const char *known)
{
	static struct announcement cut; /* too large for a stack */

	if (!wholename_any(intake->policy, known, message))
		return message;
	cut = *message;
	wholename_cut(intake->policy, known, &cut);
	return &cut;
}

/*
 * The name of the instance that the message speaks of; NULL if there is none yet, or it makes no difference: nothing is cut off a name without a dot, which
 * nearly all are. Valid as long as its fact is.
 */
static const char *known_as(const struct intake *intake, const struct announcement *message)
{
	const struct fact *fact;

	if (strchr(message->name, '.') == NULL)
		return NULL;
	fact = registry_find(intake->registry, &message->instance);
	return fact != NULL ? fact->name : NULL;
}

/* NULL, or why the policy does not allow what it is taken for. */
static const char *check_policy(const struct intake *intake, const char *user, const char *known, const struct announcement *said,
                                const struct announcement *taken, char why[POLICY_REASON_SIZE])
{
	const char *reason = policy_refuses(intake->policy, user, taken, why);

	if (reason == NULL && taken != said)
		reason = wholename_refuses(intake->policy, user, known, said, why);
	return reason;
}

static void take_announcement(struct intake *intake, const struct bus_delivery *delivery, const struct announcement *message,
                              int64_t now_ms, struct intake_outcome *outcome)
{
	enum intake_refusal refusal = INTAKE_ENVELOPE;
	const struct announcement *taken;
	const char *known;
	char user[256] = "";
	char why[POLICY_REASON_SIZE];
	bool is_signed = user_from(&delivery->user_id, user);
	const char *reason = check_envelope(delivery, message, is_signed && policy_is_agent(intake->policy, user));

	if (reason == NULL && !is_signed && !intake->policy->allow_unsigned) {
		reason = "no user_id: nobody vouches for the sender (policy { unsigned = true } allows it)";
		refusal = INTAKE_UNSIGNED;
	}
	if (reason == NULL)
		reason = check_pretence(message, user);
	known = known_as(intake, message);
	taken = without_domains(intake, message, known);
	/* A name that a reload has just forbidden may still be taken back. */
	if (reason == NULL && message->op == ANNOUNCEMENT_UP) {
		reason = check_policy(intake, user, known, message, taken, why);
		refusal = INTAKE_POLICY;
	}
	if (reason != NULL) {
		refuse(intake, outcome, refusal, reason);
		return;
	}
	note_verdict(intake, apply(intake, taken, user, now_ms), taken, user, outcome);
}

/*
 * Before anything of it is read: decoding is what a flood would cost most. Roll calls are hosts' own. Only the first of a second is noted whole, else
 * a flood would push all other refusals out of people's sight.
 */
static bool is_over_rate(struct intake *intake, const struct bus_delivery *delivery, int64_t now_ms, struct intake_outcome *outcome)
{
	const struct policy_limits *limits;
	enum rate_verdict verdict;
	char user[256] = "";

	if (bus_text_is(&delivery->exchange, EXCHANGE_LEGACY))
		memcpy(user, REGISTRY_LEGACY_USER, sizeof REGISTRY_LEGACY_USER);
	else
		user_from(&delivery->user_id, user);
	limits = policy_limits(intake->policy, user);
	if (limits->rate.per_s == 0 || bus_text_is(&delivery->exchange, EXCHANGE_ROLLCALL))
		return false;
	verdict = rates_take(intake->rates, user, strlen(user), &limits->rate, now_ms);
	if (verdict == RATE_WITHIN)
		return false;
	intake->refused[INTAKE_RATE]++;
	outcome->result = INTAKE_REFUSED;
	snprintf(outcome->reason, sizeof outcome->reason, "more messages than this user's rate=%" PRIu32 " a second after a burst=%" PRIu32,
	         limits->rate.per_s, limits->rate.burst);
	if (verdict == RATE_OVER)
		refusals_count(intake->refusals, now_ms);
	else
		refusals_note(intake->refusals, user, strlen(user), delivery->routing_key.data, delivery->routing_key.length, NULL,
		              outcome->reason, now_ms);
	return true;
}

static void take_rollcall(struct intake *intake, const struct bus_delivery *delivery, const struct announcement *message,
                          struct intake_outcome *outcome)
{
	/* One that waited in a dead emitter's mailbox is dead-lettered to us with the will: no news. */
	outcome->result = INTAKE_IGNORED;
	if (delivery->dead_lettered)
		return;
	/* Emitters may not write there, so none can call the roll in a host's name. */
	if (!bus_text_is(&delivery->exchange, EXCHANGE_ROLLCALL))
		refuse(intake, outcome, INTAKE_ENVELOPE, "a roll call that did not come through the exchange " EXCHANGE_ROLLCALL);
	else if (ident_equal(&message->nonce, &intake->nonce))
		outcome->result = INTAKE_MARKER;
}

/* The exchange tells what it is: what the broker vouches for there is nothing. */
static void take_legacy(struct intake *intake, const struct bus_delivery *delivery, struct announcement *message, int64_t now_ms,
                        struct intake_outcome *outcome)
{
	char error[ANNOUNCEMENT_ERROR_SIZE], why[POLICY_REASON_SIZE];
	enum registry_verdict verdict;
	const struct announcement *taken;
	const char *reason = NULL, *known;

	if (delivery->dead_lettered) {
		refuse(intake, outcome, INTAKE_ENVELOPE, "older format: dead-lettered");
		return;
	}
	if (legacy_decode(delivery->body.data, delivery->too_long ? delivery->body_length : delivery->body.length, message, error) == -1) {
		refuse(intake, outcome, INTAKE_MALFORMED, error);
		return;
	}
	outcome->understood = true;
	known = known_as(intake, message);
	taken = without_domains(intake, message, known);
	if (message->op == ANNOUNCEMENT_UP)
		reason = check_policy(intake, REGISTRY_LEGACY_USER, known, message, taken, why);
	if (reason != NULL) {
		refuse(intake, outcome, INTAKE_POLICY, reason);
		return;
	}
	verdict = message->op == ANNOUNCEMENT_UP ? registry_legacy_up(intake->registry, taken, now_ms)
	                                         : registry_legacy_down(intake->registry, taken, now_ms);
	note_verdict(intake, verdict, taken, REGISTRY_LEGACY_USER, outcome);
}

static void take_current(struct intake *intake, const struct bus_delivery *delivery, struct announcement *message, int64_t now_ms,
                         struct intake_outcome *outcome)
{
	char error[ANNOUNCEMENT_ERROR_SIZE];

	if (delivery->too_long) {
		snprintf(error, sizeof error, "a body of %zu bytes: %d are allowed", delivery->body_length, ANNOUNCEMENT_BODY_MAX);
		refuse(intake, outcome, INTAKE_MALFORMED, error);
		return;
	}
	if (announcement_decode(delivery->body.data, delivery->body.length, message, error) == -1) {
		refuse(intake, outcome, INTAKE_MALFORMED, error);
		return;
	}
	outcome->understood = true;
	if (message->op == ANNOUNCEMENT_ROLLCALL)
		take_rollcall(intake, delivery, message, outcome);
	else if (message->op == ANNOUNCEMENT_UP || message->op == ANNOUNCEMENT_DOWN || message->op == ANNOUNCEMENT_LOST)
		take_announcement(intake, delivery, message, now_ms, outcome);
	else
		refuse(intake, outcome, INTAKE_ENVELOPE, "only hosts send that");
}

void intake_take(struct intake *intake, const struct bus_delivery *delivery, struct announcement *message, int64_t now_ms,
                 struct intake_outcome *outcome)
{
	const struct bus_text legacy_user = {.data = REGISTRY_LEGACY_USER, .length = strlen(REGISTRY_LEGACY_USER)};
	const struct bus_text *user;

	outcome->understood = false;
	outcome->legacy = bus_text_is(&delivery->exchange, EXCHANGE_LEGACY);
	outcome->reason[0] = '\0';
	/* The queue may still be bound from a time when it was: nobody asked for that any more. */
	if (outcome->legacy && !intake->legacy) {
		outcome->result = INTAKE_IGNORED;
		return;
	}
	if (is_over_rate(intake, delivery, now_ms, outcome))
		return;
	/* Whether they say that it was dead-lettered nobody knows then. */
	if (delivery->unreadable)
		refuse(intake, outcome, INTAKE_MALFORMED, "its properties or headers cannot be read, or are too long");
	else if (outcome->legacy)
		take_legacy(intake, delivery, message, now_ms, outcome);
	else
		take_current(intake, delivery, message, now_ms, outcome);
	user = outcome->legacy ? &legacy_user : &delivery->user_id;
	if (outcome->result == INTAKE_REFUSED)
		refusals_note(intake->refusals, user->data, user->length, delivery->routing_key.data,
		              delivery->routing_key.length, outcome->understood ? message->name : NULL, outcome->reason, now_ms);
}
