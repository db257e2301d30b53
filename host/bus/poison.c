#include <config.h>

#include "poison.h"

#include <stdio.h>
#include <string.h>

#include "shared/log.h"

enum { CONNECTION_FORCED = 320 };

#define UNSEEN 1

/* A broker that stops, an operator, our own deadlines: nothing that a message did. */
static bool poison_may_be(const struct bus_failure *failure)
{
	return failure->kind == BUS_FAILED_LOST || (failure->kind == BUS_FAILED_CLOSED && failure->code != CONNECTION_FORCED);
}

/* FNV-1a. Nobody gains by a collision: his message has to break the connection, too. */
static uint64_t poison_digest(uint64_t digest, const struct bus_text *text)
{
	size_t i;

	for (i = 0; i < text->length; i++)
		digest = (digest ^ (unsigned char)text->data[i]) * UINT64_C(1099511628211);
	return (digest ^ 0xFF) * UINT64_C(1099511628211);
}

/* 0: there was none. It may break over the first one before anything of that was seen. */
static uint64_t poison_message(const struct bus *bus, bool waiting, struct bus_text *key)
{
	struct bus_text exchange;

	if (bus_last_delivery(bus, &exchange, key))
		return poison_digest(poison_digest(UINT64_C(14695981039346656037), &exchange), key) | 2;
	*key = (struct bus_text){.data = "", .length = 0};
	return waiting ? UNSEEN : 0;
}

void poison_passed(struct poison *poison)
{
	poison->message = 0;
	poison->times = poison->row = 0;
}

void poison_broke(struct poison *poison, const struct bus *bus, const struct bus_failure *failure, bool marked, bool waiting)
{
	struct bus_text key;
	uint64_t message = poison_message(bus, waiting, &key);
	bool again = !marked && message == poison->message;

	if (!poison_may_be(failure) || message == 0) {
		poison_passed(poison);
		return;
	}
	poison->row = marked ? 1 : poison->row + 1;
	poison->times = again ? poison->times + 1 : 1;
	poison->message = message;
	log_safe(poison->key, sizeof poison->key, key.data, key.length);
}

bool poison_is_due(const struct poison *poison)
{
	return poison->row >= POISON_ROW || poison->times >= (poison->message == UNSEEN ? POISON_TIMES_UNSEEN : POISON_TIMES);
}

void poison_emptied(struct poison *poison, uint32_t messages, int64_t now_ms)
{
	if (messages == 0)
		return;
	poison->emptied++;
	poison->emptied_ms = now_ms;
	poison_passed(poison);
}
