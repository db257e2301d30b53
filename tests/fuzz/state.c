#include <config.h>

#include <string.h>

#include "container/emit/oncestate.h"
#include "fuzz.h"

/* The file in which --once remembers its instance. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oncestate state;
	char folded[HOSTNAME_NAME_SIZE];

	if (oncestate_parse((const char *)data, size, &state) == -1)
		return 0;
	fuzz_check(hostname_fold(state.name, strlen(state.name), folded) == HOSTNAME_OK && strcmp(folded, state.name) == 0);
	return 0;
}
