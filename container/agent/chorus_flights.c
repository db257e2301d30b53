#include <config.h>

#include "chorus_parts.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

static int grow(struct flights *flights)
{
	size_t size = flights->size == 0 ? FIRST_SIZE : flights->size * 2;
	struct flight *ring = calloc(size, sizeof(*ring));

	if (ring == NULL)
		return -1;
	for (size_t i = 0; i < flights->count; i++)
		ring[i] = flights->ring[(flights->first + i) & (flights->size - 1)];
	free(flights->ring);
	flights->ring = ring;
	flights->size = size;
	flights->first = 0;
	return 0;
}

int flights_add(struct flights *flights, uint64_t sequence, const struct flight *flight)
{
	if (flights->count == 0)
		flights->first_sequence = sequence;
	if (flights->count == flights->size && grow(flights) == -1)
		return -1;
	flights->ring[(flights->first + flights->count++) & (flights->size - 1)] = *flight;
	return 0;
}

static void drop_settled(struct flights *flights)
{
	while (flights->count > 0 && flights->ring[flights->first].number == 0) {
		flights->first = (flights->first + 1) & (flights->size - 1);
		flights->first_sequence++;
		flights->count--;
	}
}

bool flights_take(struct flights *flights, uint64_t sequence, struct flight *out)
{
	struct flight *found;

	if (sequence < flights->first_sequence || sequence - flights->first_sequence >= flights->count)
		return false;
	found = &flights->ring[(flights->first + (size_t)(sequence - flights->first_sequence)) & (flights->size - 1)];
	if (found->number == 0)
		return false;
	*out = *found;
	found->number = 0;
	drop_settled(flights);
	return true;
}

void flights_clear(struct flights *flights)
{
	free(flights->ring);
	memset(flights, 0, sizeof(*flights));
}
