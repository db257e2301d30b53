#include <config.h>

#include "batches.h"

void batches_clear(struct batches *batches)
{
	batches->first = batches->count = 0;
}

void batches_add(struct batches *batches, uint64_t generation, uint64_t last_tag)
{
	unsigned last = (batches->first + batches->count) % BATCHES_MAX;

	if (batches->count == BATCHES_MAX)
		last = (last + BATCHES_MAX - 1) % BATCHES_MAX;
	else
		batches->count++;
	batches->ring[last].generation = generation;
	batches->ring[last].last_tag = last_tag;
}

uint64_t batches_take(struct batches *batches, uint64_t generation)
{
	uint64_t tag = 0;

	while (batches->count > 0 && batches->ring[batches->first].generation <= generation) {
		tag = batches->ring[batches->first].last_tag;
		batches->first = (batches->first + 1) % BATCHES_MAX;
		batches->count--;
	}
	return tag;
}
