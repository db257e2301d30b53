#include <config.h>

#include "answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answered.h"
#include "registry/served.h"
#include "replies.h"
#include "shared/log.h"

struct answers {
	struct bus *bus;
	struct registry *registry;
	const struct conf *conf;
	struct replies *replies;
	struct answered *answered;
	struct announcement message; /* the one that is being composed: too large for a stack */
	int64_t now_ms;
};

static void answer(struct answers *answers, const struct reply *reply, enum announcement_op op, const char *name, unsigned domain,
                   const char *reason)
{
	const struct conf *conf = answers->conf;
	struct announcement *message = &answers->message;
	const struct bus_properties properties = {
		.content_type = ANNOUNCEMENT_CONTENT_TYPE,
		.type = ANNOUNCEMENT_TYPE,
		.user_id = bus_user(answers->bus),
		.correlation_id = reply->correlation_id_length > 0 ? reply->correlation_id : NULL,
		.correlation_id_length = reply->correlation_id_length,
	};
	char body[ANNOUNCEMENT_BODY_MAX];
	int length;

	/*
	 * Who waits in vain has a limit of its own. One message more into a full socket would cost the connection, and with it everybody: many questions
	 * come at once where many start, or where somebody asks for no other reason.
	 */
	if (!bus_takes(answers->bus) || answered_muted(answers->answered, reply->user, answers->now_ms))
		return;
	message->op = op;
	/* Under the name that it asked by: its emitter compares. */
	snprintf(message->name, sizeof message->name, "%s", reply->name[0] != '\0' ? reply->name : name);
	if (hostname_join(name, conf->policy.domains[domain].name, message->fqdn) != HOSTNAME_OK)
		message->fqdn[0] = '\0';
	snprintf(message->host, sizeof message->host, "%s", conf->hostname);
	snprintf(message->reason, sizeof message->reason, "%.*s", ANNOUNCEMENT_REASON_MAX, reason);
	length = announcement_encode(message, body);
	if (length != -1)
		answered_sent(answers->answered, reply->user,
		              bus_publish(answers->bus, "", reply->to, false, &properties, body, (size_t)length));
}

static const char *why_not_served(const struct fact *fact, const struct policy *policy)
{
	uint32_t domains = policy_name_domains(policy, fact->user, fact->name), reach = 0;
	unsigned i;

	for (i = 0; i < fact->naddresses; i++)
		reach |= policy_address_domains(policy, fact->user, &fact->addresses[i]);
	if ((domains & reach) == 0)
		return "no domain that takes the name takes one of its addresses (serve, subnets)";
	return "the name or the address is held by somebody else";
}

/* The domain that its name was given with, if any, else the first that serves it; -1: none. */
static int answered_domain(const struct policy *policy, const char *said, uint32_t domains)
{
	size_t length = strlen(said);
	unsigned domain;

	if (policy_bare_length(policy, said, length, &domain) != length && (domains >> domain & 1) != 0)
		return (int)domain;
	return served_first(domains);
}

/* The batch that it waited for is served: what became of it? */
static void answer_served(void *arg, const struct reply *reply)
{
	struct answers *answers = arg;
	const struct fact *fact = registry_find(answers->registry, &reply->instance);
	const struct listing *listing;
	int domain;

	if (fact == NULL)
		return; /* gone meanwhile: nobody waits any more */
	listing = view_listing(fact);
	domain = listing != NULL ? answered_domain(&answers->conf->policy, reply->name, served_domains(listing, 0)) : -1;
	if (domain >= 0 && (size_t)domain < answers->conf->policy.ndomains)
		answer(answers, reply, ANNOUNCEMENT_RESOLVES, fact->name, (unsigned)domain, "");
	else
		answer(answers, reply, ANNOUNCEMENT_REFUSED, fact->name, 0, why_not_served(fact, &answers->conf->policy));
}

void answers_taken(struct answers *answers, const struct bus_delivery *delivery, const struct announcement *message,
                   const struct intake_outcome *outcome, uint64_t generation, int64_t now_ms)
{
	struct reply reply;

	answers->now_ms = now_ms;
	if (!outcome->understood || outcome->legacy || message->op != ANNOUNCEMENT_UP || delivery->reply_to.data == NULL ||
	    !replyto_valid(delivery->reply_to.data, delivery->reply_to.length))
		return;
	/* Its reply queue is another broker's: ours would fail over the answer, and close our connection. The hosts there answer. */
	if (delivery->federated)
		return;
	if (outcome->result != INTAKE_REFUSED) {
		replies_add(answers->replies, delivery, &message->instance, generation, now_ms);
		return;
	}
	replies_address(&reply, delivery);
	answer(answers, &reply, ANNOUNCEMENT_REFUSED, message->name, 0, outcome->reason);
}

void answers_served(struct answers *answers, uint64_t served, int64_t now_ms)
{
	answers->now_ms = now_ms;
	replies_take(answers->replies, served, now_ms, answer_served, answers);
}

void answers_confirmed(struct answers *answers, uint64_t sequence)
{
	answered_confirmed(answers->answered, sequence);
}

/* The same would happen after each roll call, so whoever the broker failed over is not answered for a while; names go on. */
void answers_down(struct answers *answers, const struct bus_failure *failure, int64_t now_ms)
{
	bool failed = failure->kind == BUS_FAILED_CLOSED && failure->code == 541;
	const char *user = answered_down(answers->answered, failed, now_ms);
	char text[LOG_SAFE_MAX];

	if (user != NULL)
		log_warnx("the broker fails over an answer to callsign-emit --wait, one that was made up: user=%s is not answered "
		          "for %d minutes", log_safe(text, sizeof text, user, strlen(user)), ANSWERED_MUTE_MS / 60000);
	answers_clear(answers);
}

void answers_clear(struct answers *answers)
{
	replies_clear(answers->replies);
	answered_down(answers->answered, false, 0); /* the next connection counts anew */
}

void answers_configure(struct answers *answers, const struct conf *conf)
{
	answers->conf = conf;
}

struct answers *answers_new(struct bus *bus, struct registry *registry, const struct conf *conf)
{
	struct answers *answers = calloc(1, sizeof *answers);

	if (answers == NULL)
		return NULL;
	answers->bus = bus;
	answers->registry = registry;
	answers->conf = conf;
	answers->replies = replies_new();
	answers->answered = answered_new();
	if (answers->replies == NULL || answers->answered == NULL) {
		answers_free(answers);
		return NULL;
	}
	return answers;
}

void answers_free(struct answers *answers)
{
	if (answers == NULL)
		return;
	replies_free(answers->replies);
	answered_free(answers->answered);
	free(answers);
}
