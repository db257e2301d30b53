#include <config.h>

#include <ctype.h>
#include <string.h>

#include "fuzz.h"
#include "shared/contract/legacy.h"

/* The body of a message of the older wire format. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[ANNOUNCEMENT_ERROR_SIZE] = "", body[LEGACY_BODY_MAX + 1];
	struct announcement message, again;
	size_t length;

	if (legacy_decode(data, size, &message, error) == -1) {
		fuzz_check(error[0] != '\0' && fuzz_is_line(error));
		return 0;
	}
	fuzz_check(size <= LEGACY_BODY_MAX && message.naddresses == 1 && message.addresses[0].family == 4);
	fuzz_check(address_unusable(&message.addresses[0]) == NULL && legacy_is_instance(&message.instance));
	fuzz_check(message.op == ANNOUNCEMENT_UP || message.op == ANNOUNCEMENT_DOWN);
	/* Said again it is the same, but for the case of letters. */
	length = legacy_encode(message.op, message.name, &message.addresses[0], body);
	fuzz_check(length == size);
	for (size_t i = 0; i < length; i++)
		fuzz_check(body[i] == tolower(data[i]));
	fuzz_check(legacy_decode(body, length, &again, error) == 0 && ident_equal(&again.instance, &message.instance));
	return 0;
}
