#include <config.h>

#include "subscriber_internal.h"

#include <inttypes.h>
#include <string.h>

#include "shared/contract/legacy.h"
#include "shared/log.h"

/* What is declared on the broker: our queue, its bindings and its consumer; and what is done where the broker has it otherwise. */

/* All of it in one go; the broker answers in order. See the permissions in docs/protocol.md. */
void subscriber_declare(struct subscriber *subscriber)
{
	const struct conf_queue *queue = &subscriber->conf->queue;
	struct bus_queue_arguments arguments = {
		.type = queue->type,
		.expires_ms = queue->expires_s * 1000,
		.max_length = queue->max_length,
		/* Never reject-publish: one dead host's full queue would then nack every emitter. */
		.overflow = "drop-head",
	};
	struct bus *bus = subscriber->bus;

	bus_confirm_select(bus);
	upkeep_exchanges(&subscriber->upkeep, bus);
	if (subscriber->recreate != QUEUE_KEEP)
		bus_queue_delete(bus, queue->name, subscriber->recreate == QUEUE_DELETE_IF_UNUSED);
	subscriber->recreate = QUEUE_KEEP;
	bus_queue_declare(bus, queue->name, false, &arguments);
	upkeep_bind(&subscriber->upkeep, bus, queue->name);
	/* What the connection before had been delivered is back in the queue by then, or the next one finds it there. */
	if (poison_is_due(&subscriber->poison))
		bus_queue_purge(bus, queue->name);
	bus_qos(bus, SUBSCRIBER_PREFETCH);
	/*
	 * After a cut cable the broker takes our old connection for alive until its heartbeat gives up, and would go on sending half of the messages
	 * there. A higher priority than all before makes it send them here.
	 */
	bus_consume(bus, queue->name, false, false, ++subscriber->priority);
}

/*
 * Whether it is our queue that has other arguments (406). RabbitMQ does not delete a quorum queue only if it is unused (540, and the connection
 * is closed): that one goes in any case. Nobody else should consume from a queue that has our name.
 */
bool subscriber_queue_differs(struct subscriber *subscriber, const struct bus_failure *failure)
{
	const char *queue = subscriber->conf->queue.name;

	if (failure->kind == BUS_FAILED_CHANNEL && failure->cause.kind == BUS_CAUSE_DIFFERS && failure->request == BUS_REQUEST_QUEUE_DECLARE) {
		log_info("queue=%s exists with another %s than configured: it is deleted, if unused, and made anew", queue, failure->cause.word);
		subscriber->recreate = QUEUE_DELETE_IF_UNUSED;
	} else if (failure->kind == BUS_FAILED_CLOSED && failure->code == 540 && failure->request == BUS_REQUEST_QUEUE_DELETE) {
		log_info("queue=%s is a quorum queue: it is deleted, and made anew", queue);
		subscriber->recreate = QUEUE_DELETE;
	} else {
		return false;
	}
	return true;
}

/* Nothing true is lost by it: the roll call that follows brings it back, and a resync ends what has died. */
void subscriber_emptied(struct subscriber *subscriber, uint32_t messages)
{
	poison_emptied(&subscriber->poison, messages, subscriber->now_ms);
	if (messages > 0)
		log_warnx("poisoned: the connection broke at the same message of queue=%s (key=%s), again: emptied of %" PRIu32
		          " messages; everyone is asked to announce again", subscriber->conf->queue.name, subscriber->poison.key, messages);
}

/* ---- the older format's exchange ---- */

/*
 * The older format's exchange, as all its programs declare it, whoever comes first. Only when everything else stands: if the broker refuses (the
 * exchange is another one there, or we may not), it closes the channel, and that must not keep us from our work.
 */
void subscriber_bind_legacy(struct subscriber *subscriber)
{
	if (!subscriber->conf->legacy || subscriber->legacy_refused)
		return;
	bus_exchange_declare(subscriber->bus, EXCHANGE_LEGACY, LEGACY_EXCHANGE_TYPE, false, false);
	bus_queue_bind(subscriber->bus, subscriber->conf->queue.name, EXCHANGE_LEGACY, "");
	subscriber->legacy_trouble[0] = '\0';
}

/* Whether it was that. With the next connection after the next one it is tried again: something may have been mended. */
bool subscriber_legacy_failed(struct subscriber *subscriber, enum subscriber_state before, const struct bus_failure *failure)
{
	subscriber->legacy_refused = before == SUBSCRIBER_CONSUMING && failure->kind == BUS_FAILED_CHANNEL && subscriber->conf->legacy &&
	                             (failure->request == BUS_REQUEST_EXCHANGE_DECLARE || failure->request == BUS_REQUEST_QUEUE_BIND);
	if (!subscriber->legacy_refused)
		return false;
	snprintf(subscriber->legacy_trouble, sizeof subscriber->legacy_trouble, "%s", failure->text);
	log_warnx("legacy: the older format is not taken: %s; mend that (docs/legacy.md) and reload", failure->text);
	return true;
}

/* A queue that is bound already is bound again without harm. */
void subscriber_change_legacy(struct subscriber *subscriber, bool had_legacy)
{
	if (subscriber->conf->legacy)
		subscriber_bind_legacy(subscriber);
	else if (had_legacy && subscriber->legacy_trouble[0] == '\0')
		bus_queue_unbind(subscriber->bus, subscriber->conf->queue.name, EXCHANGE_LEGACY, "");
	if (!subscriber->conf->legacy)
		subscriber->legacy_trouble[0] = '\0';
}
