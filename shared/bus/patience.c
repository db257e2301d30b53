#include <config.h>

#include "patience.h"

void patience_grow(struct patience *patience, bool let_in)
{
	if (patience->turns < PATIENCE_TURNS_MAX)
		patience->turns++;
	if (let_in && patience->requests < PATIENCE_TURNS_MAX)
		patience->requests++;
}

void patience_reset(struct patience *patience)
{
	patience->turns = patience->requests = 0;
}

uint32_t patience_ms(const struct patience *patience, uint32_t first_ms)
{
	return first_ms << patience->turns;
}

uint32_t patience_request_ms(const struct patience *patience, uint32_t first_ms, bool others)
{
	return first_ms << (others ? patience->requests : patience->turns);
}
