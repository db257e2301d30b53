#ifndef CALLSIGN_TESTS_EXACT_H
#define CALLSIGN_TESTS_EXACT_H

#include <stdlib.h>
#include <string.h>

/*
 * The bytes in memory that ends where they end, for AddressSanitizer to see a read behind them. Free it. Not
 * terminated. Never NULL: a test has nothing to say without memory.
 */
static inline char *exact_copy(const void *bytes, size_t length)
{
	char *copy = malloc(length == 0 ? 1 : length);

	if (copy == NULL)
		abort();
	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
