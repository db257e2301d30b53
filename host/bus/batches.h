#ifndef CALLSIGN_BATCHES_H
#define CALLSIGN_BATCHES_H

#include <stdint.h>

/* Batches of deliveries that are not acked yet: each a generation of the table and the last delivery tag in it. Pure. */
#define BATCHES_MAX 1024

struct batches {
	struct {
		uint64_t generation, last_tag;
	} ring[BATCHES_MAX];
	unsigned first, count;
};

void batches_clear(struct batches *batches);

/* Generations and tags only grow. When there are too many, the last two become one: its deliveries are acked a little later. */
void batches_add(struct batches *batches, uint64_t generation, uint64_t last_tag);

/* The last tag of all batches up to this generation, which are gone afterwards; 0 if there are none. */
uint64_t batches_take(struct batches *batches, uint64_t generation);

#endif
