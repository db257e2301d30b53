#include <config.h>

#include "patience.h"

void patience_grow(struct patience *patience)
{
	if (patience->turns < PATIENCE_TURNS_MAX)
		patience->turns++;
}

void patience_reset(struct patience *patience)
{
	patience->turns = 0;
}

uint32_t patience_ms(const struct patience *patience, uint32_t first_ms)
{
	return first_ms << patience->turns;
}
