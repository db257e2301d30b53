#include <config.h>

#include "jitter.h"

#include <sys/random.h>

#include "clock.h"

uint32_t jitter_bits(void)
{
	uint32_t bits = 0;

	if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits)
		bits = (uint32_t)clock_us();
	return bits;
}
