#include <config.h>

#include "confirms.h"

#include <stdlib.h>
#include <string.h>

void confirms_init(struct confirms *confirms)
{
	memset(confirms, 0, sizeof *confirms);
	confirms->next_sequence = 1;
}

void confirms_clear(struct confirms *confirms)
{
	free(confirms->ring);
	confirms_init(confirms);
}

static struct confirm *confirms_at(const struct confirms *confirms, size_t i)
{
	return &confirms->ring[(confirms->first + i) % confirms->size];
}

static int confirms_grow(struct confirms *confirms)
{
	size_t size = confirms->size == 0 ? 8 : confirms->size * 2;
	struct confirm *ring = calloc(size, sizeof *ring);
	size_t i;

	if (ring == NULL)
		return -1;
	for (i = 0; i < confirms->count; i++)
		ring[i] = *confirms_at(confirms, i);
	free(confirms->ring);
	confirms->ring = ring;
	confirms->size = size;
	confirms->first = 0;
	return 0;
}

uint64_t confirms_add(struct confirms *confirms, uint64_t digest, int64_t now_ms)
{
	struct confirm *confirm;

	if (confirms->count == confirms->size && confirms_grow(confirms) == -1)
		return 0;
	confirm = confirms_at(confirms, confirms->count++);
	confirm->sequence = confirms->next_sequence++;
	confirm->digest = digest;
	confirm->sent_ms = now_ms;
	confirm->returned = false;
	confirm->settled = false;
	confirms->waiting++;
	return confirm->sequence;
}

void confirms_returned(struct confirms *confirms, uint64_t digest)
{
	size_t i;

	for (i = 0; i < confirms->count; i++) {
		struct confirm *confirm = confirms_at(confirms, i);

		if (!confirm->settled && !confirm->returned && confirm->digest == digest) {
			confirm->returned = true;
			return;
		}
	}
}

/* Settled ones leave from the front, so that the ring holds little more than what is waiting. */
static void confirms_trim(struct confirms *confirms)
{
	while (confirms->count > 0 && confirms_at(confirms, 0)->settled) {
		confirms->first = (confirms->first + 1) % confirms->size;
		confirms->count--;
	}
}

bool confirms_settle(struct confirms *confirms, uint64_t tag, bool multiple, struct confirm *out)
{
	size_t i;

	for (i = 0; i < confirms->count; i++) {
		struct confirm *confirm = confirms_at(confirms, i);

		if (confirm->sequence > tag)
			break;
		if (confirm->settled || (!multiple && confirm->sequence != tag))
			continue;
		confirm->settled = true;
		confirms->waiting--;
		*out = *confirm;
		confirms_trim(confirms);
		return true;
	}
	return false;
}

int64_t confirms_oldest_ms(const struct confirms *confirms)
{
	/* Trimming keeps the first one waiting. */
	return confirms->count == 0 ? -1 : confirms_at(confirms, 0)->sent_ms;
}

void confirms_restart(struct confirms *confirms, int64_t now_ms)
{
	size_t i;

	for (i = 0; i < confirms->count; i++)
		confirms_at(confirms, i)->sent_ms = now_ms;
}

static uint64_t digest_add(uint64_t digest, const void *data, size_t length)
{
	const unsigned char *byte = data;

	/* The length parts the fields, so that moving a byte from one to the next changes the sum. */
	digest = (digest ^ length) * 0x100000001b3U;
	while (length-- > 0)
		digest = (digest ^ *byte++) * 0x100000001b3U;
	return digest;
}

uint64_t confirms_digest(const void *exchange, size_t exchange_length, const void *key, size_t key_length, const void *body,
                         size_t body_length)
{
	uint64_t digest = 0xcbf29ce484222325U;

	digest = digest_add(digest, exchange, exchange_length);
	digest = digest_add(digest, key, key_length);
	return digest_add(digest, body, body_length);
}
