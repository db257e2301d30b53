#include <config.h>

#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "shared/contract/announcement_decode.h"

/* One group of zeros is written out (RFC 5952, section 4.2.2), and may have come as "::": said again, an address is longer by a byte at most. */
static bool may_be_too_long(size_t size)
{
	return size > ANNOUNCEMENT_BODY_MAX - ANNOUNCEMENT_ADDRESSES_MAX;
}

/* The body of a message: what is taken can be said again, and is then taken as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct announcement first = {0}, second = {0};
	char error[ANNOUNCEMENT_ERROR_SIZE] = "";
	char said[ANNOUNCEMENT_BODY_MAX], again[ANNOUNCEMENT_BODY_MAX];
	int length;

	/* The short way takes nothing that the careful one would not, and nothing otherwise. */
	if (size <= ANNOUNCEMENT_BODY_MAX && announcement_decode_plain((const char *)data, size, &first)) {
		fuzz_check(announcement_decode_any(data, size, &second, error) == 0);
		length = announcement_encode(&first, said);
		fuzz_check(length > 0 || may_be_too_long(size));
		fuzz_check(announcement_encode(&second, again) == length && (length == -1 || memcmp(said, again, (size_t)length) == 0));
		fuzz_check(second.op == first.op && second.has_session == first.has_session && announcement_same_records(&first, &second));
		memset(&first, 0, sizeof(first));
		memset(&second, 0, sizeof(second));
	}
	if (announcement_decode(data, size, &first, error) == -1) {
		fuzz_check(error[0] != '\0' && fuzz_is_line(error));
		return 0;
	}
	fuzz_check(size <= ANNOUNCEMENT_BODY_MAX);
	if (may_be_too_long(size))
		return 0;
	length = announcement_encode(&first, said);
	fuzz_check(length > 0);
	fuzz_check(announcement_decode(said, (size_t)length, &second, error) == 0);
	fuzz_check(second.op == first.op && announcement_same_records(&first, &second));
	fuzz_check(announcement_encode(&second, again) == length && memcmp(said, again, (size_t)length) == 0);
	return 0;
}
