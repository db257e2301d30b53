#include <config.h>

#include "ident.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* A lower-case hex digit's value, or -1. Upper case is refused: an ident has one spelling, as it is part of queue
 * names. */
static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

int ident_parse(const char *text, size_t length, struct ident *out)
{
	struct ident parsed;

	if (length != IDENT_TEXT_LENGTH)
		return -1;
	for (size_t i = 0; i < sizeof(parsed.bytes); i++) {
		int high = digit_value(text[2 * i]);
		int low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		parsed.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*out = parsed;
	return 0;
}

static char digit(unsigned value)
{
	return (char)(value + '0' + (value > 9 ? 'a' - '9' - 1 : 0));
}

/* Half of a large hosts file is written by this. Without a table, and from a copy that out cannot overlap, compilers do all digits at once. */
const char *ident_format(const struct ident *ident, char out[IDENT_TEXT_SIZE])
{
	const struct ident copy = *ident;

	for (size_t i = 0; i < sizeof(copy.bytes); i++) {
		out[2 * i] = digit(copy.bytes[i] >> 4);
		out[2 * i + 1] = digit(copy.bytes[i] & 0x0f);
	}
	out[IDENT_TEXT_LENGTH] = '\0';
	return out;
}

bool ident_equal(const struct ident *a, const struct ident *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int ident_compare(const struct ident *a, const struct ident *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int ident_random(struct ident *out)
{
	ssize_t got;

	/* getrandom(2): up to 256 bytes come whole; a signal interrupts only before the kernel's pool is ready. */
	do
		got = getrandom(out->bytes, sizeof(out->bytes), 0);
	while (got == -1 && errno == EINTR);
	if (got == (ssize_t)sizeof(out->bytes))
		return 0;
	if (got >= 0)
		errno = EIO;
	return -1;
}

int ident_uuid7(struct ident *out, uint64_t unix_ms)
{
	if (ident_random(out) == -1)
		return -1;
	for (unsigned i = 0; i < 6; i++)
		out->bytes[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
	out->bytes[6] = (uint8_t)(0x70 | (out->bytes[6] & 0x0f)); /* version 7 */
	out->bytes[8] = (uint8_t)(0x80 | (out->bytes[8] & 0x3f)); /* variant 10 */
	return 0;
}

int ident_new(struct ident *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ident_uuid7(out, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}
